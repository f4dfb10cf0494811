/* The only file that knows libarchive.
 *
 * Of software the packing is undone here first, by libarchive's filters in one reader of its own and gzip by zlib, and
 * a second reader is given what comes out. Thus all of it can be read to its very end, where the checksums are:
 * libarchive stops behind the last entry, and never compares that of gzip. */
#include "entries.h"

#include "unpack.h"

#include <probes/alloc.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { PIECE = 1 << 16, BLOCK = 512 };

static const uint64_t most_behind = UINT64_C(1) << 30; /* bytes behind the last entry */

struct entries {
    struct archive *archive;
    const char *file;
    enum entries_form form;
    /* SOFTWARE: the packing, as one of these */
    gzFile gzip;
    struct archive *packing;
    unsigned char *piece; /* PIECE bytes, what came out of it last */
    size_t zeros;         /* how many of them were the last ones */
    bool over;
};

static int read_failed(const struct entries *entries, struct archive *archive, struct err *err)
{
    const char *why = archive_error_string(archive);

    return err_set(err, "%s: %s: %s", entries->file,
                   entries->form == ENTRIES_BUNDLE ? "no bundle, or a broken one"
                                                   : "no archive that can be read, or a broken one",
                   why ? why : "unknown error");
}

/* ---- what undoes the packing ---- */

/* Some bytes into the piece; below zero: WHY. */
static la_ssize_t unpack_gzip(struct entries *entries, const char **why)
{
    int n = gzread(entries->gzip, entries->piece, PIECE), state;

    *why = gzerror(entries->gzip, &state);
    if (n > 0)
        return n;
    if (state == Z_BUF_ERROR)
        *why = "it is cut off";
    else if (state == Z_DATA_ERROR)
        *why = "it was changed or is damaged: it does not inflate to what its checksum says";
    return state == Z_OK || state == Z_STREAM_END ? 0 : -1;
}

static void count_zeros(struct entries *entries, size_t n)
{
    size_t zeros = 0;

    while (zeros < n && !entries->piece[n - 1 - zeros])
        zeros++;
    entries->zeros = zeros == n ? entries->zeros + n : zeros;
}

/* The same, whatever it is packed by. */
static la_ssize_t unpack_piece(struct entries *entries, const char **why)
{
    la_ssize_t n;

    if (entries->over)
        return 0;
    if (entries->gzip) {
        n = unpack_gzip(entries, why);
    } else {
        n = archive_read_data(entries->packing, entries->piece, PIECE);
        *why = n < 0 ? archive_error_string(entries->packing) : NULL;
    }
    entries->over = n <= 0;
    if (n > 0)
        count_zeros(entries, (size_t)n);
    return n;
}

static la_ssize_t next_piece(struct archive *archive, void *ctx, const void **piece)
{
    struct entries *entries = ctx;
    const char *why = NULL;
    la_ssize_t n = unpack_piece(entries, &why);

    *piece = entries->piece;
    if (n < 0)
        archive_set_error(archive, EIO, "%s", why ? why : "unknown error");
    return n;
}

static int open_packing(struct entries *entries, int fd, struct err *err)
{
    struct archive *packing = archive_read_new();
    struct archive_entry *entry;

    if (!packing)
        alloc_failed();
    entries->packing = packing;
    archive_read_support_filter_bzip2(packing);
    archive_read_support_filter_xz(packing);
    archive_read_support_filter_lzma(packing);
    archive_read_support_filter_zstd(packing);
    archive_read_support_format_raw(packing);
    archive_read_support_format_empty(packing);
    if (archive_read_open_fd(packing, fd, PIECE) < ARCHIVE_WARN ||
        archive_read_next_header(packing, &entry) < ARCHIVE_WARN)
        return read_failed(entries, packing, err);
    return 0;
}

static int open_software(struct entries *entries, int fd, struct err *err)
{
    static const unsigned char magic[] = {0x1f, 0x8b};
    off_t at = lseek(fd, 0, SEEK_CUR);
    unsigned char start[sizeof magic] = {0};

    entries->piece = xmalloc(PIECE);
    if (at < 0 || pread(fd, start, sizeof start, at) < 0)
        return err_errno(err, errno, "%s cannot be read", entries->file);
    if (memcmp(start, magic, sizeof magic) == 0) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        entries->gzip = copy >= 0 ? gzdopen(copy, "rb") : NULL;
        if (!entries->gzip) {
            if (copy >= 0)
                close(copy);
            return err_errno(err, errno, "%s cannot be read", entries->file);
        }
    } else if (open_packing(entries, fd, err) < 0) {
        return -1;
    }
    archive_read_support_format_cpio(entries->archive);
    archive_read_support_format_tar(entries->archive);
    if (archive_read_open(entries->archive, entries, NULL, next_piece, NULL) < ARCHIVE_WARN)
        return read_failed(entries, entries->archive, err);
    return 0;
}

/* What is behind the last entry: whether the packing is whole to its end. */
static int read_behind(struct entries *entries, struct err *err)
{
    const char *why = NULL;
    la_ssize_t n;

    if (!entries->piece)
        return 0;
    for (uint64_t behind = 0; (n = unpack_piece(entries, &why)) > 0;) {
        behind += (uint64_t)n;
        if (behind > most_behind)
            return err_set(err, "%s: too much is behind its last entry", entries->file);
    }
    return n == 0 ? 0
                  : err_set(err, "%s: no archive that can be read, or a broken one: %s", entries->file,
                            why ? why : "unknown error");
}

/* ---- its entries ---- */

static int open_form(struct entries *entries, int fd, struct err *err)
{
    struct archive *archive = entries->archive;

    switch (entries->form) {
    case ENTRIES_BUNDLE:
        archive_read_support_filter_zstd(archive);
        archive_read_support_format_tar(archive);
        break;
    case ENTRIES_AR:
        archive_read_support_format_ar(archive);
        break;
    case ENTRIES_ISO:
        archive_read_support_format_iso9660(archive);
        break;
    case ENTRIES_SOFTWARE:
        return open_software(entries, fd, err);
    }
    return archive_read_open_fd(archive, fd, PIECE) < ARCHIVE_WARN ? read_failed(entries, archive, err) : 0;
}

int entries_open(int fd, const char *file, enum entries_form form, struct entries **ret, struct err *err)
{
    struct entries *entries = xcalloc(1, sizeof *entries);

    *entries = (struct entries){.archive = archive_read_new(), .file = file, .form = form};
    if (!entries->archive)
        alloc_failed();
    if (open_form(entries, fd, err) < 0) {
        entries_close(entries);
        return -1;
    }
    *ret = entries;
    return 0;
}

void entries_close(struct entries *entries)
{
    if (!entries)
        return;
    archive_read_free(entries->archive);
    if (entries->packing)
        archive_read_free(entries->packing);
    if (entries->gzip)
        gzclose(entries->gzip);
    free(entries->piece);
    free(entries);
}

int entries_next(struct entries *entries, struct unpack_item *item, struct err *err)
{
    struct archive_entry *entry;
    int result = archive_read_next_header(entries->archive, &entry);
    mode_t type;

    if (result == ARCHIVE_EOF)
        return read_behind(entries, err);
    if (result < ARCHIVE_WARN)
        return read_failed(entries, entries->archive, err);
    type = archive_entry_filetype(entry);
    *item = (struct unpack_item){.name = archive_entry_pathname(entry), .kind = UNPACK_OTHER};
    if (!item->name)
        item->name = archive_entry_pathname_utf8(entry); /* a name that the C locale has no letters for */
    if (!item->name)
        return err_set(err, "%s: an entry has no name that can be read", entries->file);
    item->hard = archive_entry_hardlink(entry);
    if (item->hard)
        return 1;
    if (type == AE_IFREG)
        item->kind = UNPACK_FILE;
    else if (type == AE_IFDIR)
        item->kind = UNPACK_DIRECTORY;
    else if (type == AE_IFLNK && archive_entry_symlink(entry))
        item->kind = UNPACK_LINK;
    item->link = archive_entry_symlink(entry);
    item->executable = archive_entry_perm(entry) & S_IXUSR;
    item->size = archive_entry_size(entry) > 0 ? (uint64_t)archive_entry_size(entry) : 0;
    return 1;
}

int entries_bytes(struct entries *entries,
                  int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                  struct err *err)
{
    CLEANUP_FREE unsigned char *buffer = xmalloc(PIECE);
    la_ssize_t got;

    while ((got = archive_read_data(entries->archive, buffer, PIECE)) > 0)
        if (bytes(ctx, buffer, (size_t)got, err) < 0)
            return -1;
    return got < 0 ? read_failed(entries, entries->archive, err) : 0;
}

bool entries_unclosed(const struct entries *entries)
{
    int form = archive_format(entries->archive) & ARCHIVE_FORMAT_BASE_MASK;

    return entries->form == ENTRIES_SOFTWARE && form == ARCHIVE_FORMAT_TAR && entries->zeros < BLOCK;
}

/* ---- writing ---- */

struct entries_writer {
    struct archive *archive;
    const char *file;
};

static int write_failed(const struct entries_writer *writer, const char *name, struct err *err)
{
    const char *why = archive_error_string(writer->archive);

    return err_set(err, "%s: %s cannot be packed: %s", writer->file, name, why ? why : "unknown error");
}

int entries_create(FILE *out, const char *file, struct entries_writer **ret, struct err *err)
{
    struct entries_writer *writer = xcalloc(1, sizeof *writer);
    int status = 0;

    *writer = (struct entries_writer){archive_write_new(), file};
    if (!writer->archive)
        alloc_failed();
    archive_write_set_bytes_in_last_block(writer->archive, 1);
    if (archive_write_set_format_pax_restricted(writer->archive) < ARCHIVE_WARN ||
        archive_write_add_filter_zstd(writer->archive) < ARCHIVE_WARN ||
        archive_write_open_FILE(writer->archive, out) < ARCHIVE_WARN)
        status = write_failed(writer, "the start", err);
    *ret = status == 0 ? writer : NULL;
    if (status < 0)
        entries_writer_destroy(writer);
    return status;
}

int entries_put(struct entries_writer *writer, const char *name, unsigned mode, const char *link, uint64_t size,
                struct err *err)
{
    struct archive_entry *entry = archive_entry_new();
    int result;

    if (!entry)
        alloc_failed();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, link ? AE_IFLNK : mode ? AE_IFREG : AE_IFDIR);
    archive_entry_set_perm(entry, mode ? mode : 0755);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, mode && !link ? (int64_t)size : 0);
    if (link)
        archive_entry_set_symlink(entry, link);
    result = archive_write_header(writer->archive, entry);
    archive_entry_free(entry);
    /* a warning is about a name that is no UTF-8; it is stored as the bytes that it is */
    return result < ARCHIVE_WARN ? write_failed(writer, name, err) : 0;
}

int entries_put_bytes(struct entries_writer *writer, const char *name, const void *data, size_t size, struct err *err)
{
    if (size && archive_write_data(writer->archive, data, size) != (la_ssize_t)size)
        return write_failed(writer, name, err);
    return 0;
}

int entries_finish(struct entries_writer *writer, struct err *err)
{
    return archive_write_close(writer->archive) == ARCHIVE_OK ? 0 : write_failed(writer, "the end", err);
}

void entries_writer_destroy(struct entries_writer *writer)
{
    if (!writer)
        return;
    archive_write_free(writer->archive);
    free(writer);
}
