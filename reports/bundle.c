/* The only file that knows libarchive (libarchive_write(3), libarchive_read(3)). Of it the formats and filters alone
 * are used that software comes packed in, so that a static link drags in little (for .zip: see zip.h). What goes into a
 * bundle is pack.c's, what may come out unpack.c's. */
#include "bundle.h"

#include "archives.h"
#include "pack.h"
#include "unpack.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MEMBER_MAX = 256 << 20 /* bytes of an entry that is read whole into memory */
};

/* A bundle on its way out. */
struct writer {
    struct archive *archive;
    const char *file;
    char *top;
};

bool bundle_named(const char *file)
{
    size_t length = strlen(file), ending = strlen(BUNDLE_ENDING);

    return length > ending && strcmp(file + length - ending, BUNDLE_ENDING) == 0;
}

/* --- into the archive --- */

static int write_failed(const struct writer *writer, const char *name, struct err *err)
{
    const char *why = archive_error_string(writer->archive);

    return err_set(err, "%s: %s cannot be packed: %s", writer->file, name, why ? why : "unknown error");
}

static int put_header(const struct writer *writer, const struct member *member, uint64_t size, struct err *err)
{
    CLEANUP_FREE char *name =
        xasprintf("%s%s%s%s", writer->top, *member->name ? "/" : "", member->name, member->mode ? "" : "/");
    struct archive_entry *entry = archive_entry_new();
    int result;

    if (!entry)
        alloc_failed();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, member->link ? AE_IFLNK : member->mode ? AE_IFREG : AE_IFDIR);
    archive_entry_set_perm(entry, member->mode ? member->mode : 0755);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, member->mode && !member->link ? (int64_t)size : 0);
    if (member->link)
        archive_entry_set_symlink(entry, member->link);
    result = archive_write_header(writer->archive, entry);
    archive_entry_free(entry);
    /* a warning is about a name that is no UTF-8; it is stored as the bytes that it is */
    return result < ARCHIVE_WARN ? write_failed(writer, member->name, err) : 0;
}

/* SIZE bytes of IN from where it stands. */
static int put_stream(const struct writer *writer, const struct member *member, FILE *in, uint64_t size,
                      struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(1 << 16);

    while (size) {
        size_t n = fread(buffer, 1, size < 1 << 16 ? size : 1 << 16, in);

        if (!n)
            return err_set(err, "%s: %s became shorter while it was packed", writer->file, member->name);
        if (archive_write_data(writer->archive, buffer, n) != (la_ssize_t)n)
            return write_failed(writer, member->name, err);
        size -= n;
    }
    return 0;
}

static int put_trace(const struct writer *writer, const struct member *member, struct err *err)
{
    off_t before = ftello(member->stream), size;
    int result;

    if (fflush(member->stream) != 0 || fseeko(member->stream, 0, SEEK_END) != 0 ||
        (size = ftello(member->stream)) < 0 || fseeko(member->stream, 0, SEEK_SET) != 0)
        return err_errno(err, errno, "%s: the trace cannot be read back", writer->file);
    result = put_header(writer, member, (uint64_t)size, err);
    if (result >= 0)
        result = put_stream(writer, member, member->stream, (uint64_t)size, err);
    fseeko(member->stream, before, SEEK_SET);
    return result;
}

static int put_path(const struct writer *writer, const struct member *member, struct err *err)
{
    int fd = open(member->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    CLEANUP_FCLOSE FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
    struct stat st;

    if (!in || fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s cannot be packed", member->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is no longer a file", member->path);
    if (put_header(writer, member, (uint64_t)st.st_size, err) < 0)
        return -1;
    return put_stream(writer, member, in, (uint64_t)st.st_size, err);
}

static int put_member(const struct writer *writer, const struct member *member, struct err *err)
{
    if (member->stream)
        return put_trace(writer, member, err);
    if (member->path)
        return put_path(writer, member, err);
    if (put_header(writer, member, member->size, err) < 0)
        return -1;
    if (member->size && archive_write_data(writer->archive, member->data, member->size) != (la_ssize_t)member->size)
        return write_failed(writer, member->name, err);
    return 0;
}

static int put_all(const struct writer *writer, const struct pack *pack, struct err *err)
{
    const struct member top = {.name = (char[]){""}};

    if (put_member(writer, &top, err) < 0)
        return -1;
    for (size_t i = 0; i < pack->count; i++)
        if (put_member(writer, &pack->members[i], err) < 0)
            return -1;
    return archive_write_close(writer->archive) == ARCHIVE_OK ? 0 : write_failed(writer, "the end", err);
}

static char *top_name(const char *file)
{
    const char *base = path_base(file);

    return xstrndup(base, strlen(base) - (bundle_named(base) ? strlen(BUNDLE_ENDING) : 0));
}

int bundle_write(const struct report *report, const struct bundle_parts *parts, const char *file, FILE *out,
                 struct err *err)
{
    CLEANUP_FREE char *top = top_name(file);
    struct writer writer = {.file = file, .archive = archive_write_new(), .top = top};
    struct pack pack = {0};
    int result;

    if (!writer.archive)
        alloc_failed();
    archive_write_set_bytes_in_last_block(writer.archive, 1);
    if (archive_write_set_format_pax_restricted(writer.archive) < ARCHIVE_WARN ||
        archive_write_add_filter_zstd(writer.archive) < ARCHIVE_WARN ||
        archive_write_open_FILE(writer.archive, out) < ARCHIVE_WARN)
        result = write_failed(&writer, "the start", err);
    else
        result = pack_all(&pack, report, parts, err);
    if (result >= 0)
        result = put_all(&writer, &pack, err);
    pack_deinit(&pack);
    archive_write_free(writer.archive);
    return result;
}

/* --- reading --- */

/* A bundle on its way in: libarchive_read(3) with the tar format and the zstd filter only. */
struct reader {
    struct archive *archive;
    const char *file;
    bool foreign; /* no bundle is expected */
};

static int read_failed(const struct reader *reader, struct err *err)
{
    const char *why = archive_error_string(reader->archive);

    return err_set(err, "%s: %s: %s", reader->file,
                   reader->foreign ? "no archive that can be read, or a broken one" : "no bundle, or a broken one",
                   why ? why : "unknown error");
}

static int reader_open(struct reader *reader, const char *file, struct err *err)
{
    *reader = (struct reader){.archive = archive_read_new(), .file = file};
    if (!reader->archive)
        alloc_failed();
    if (archive_read_support_filter_zstd(reader->archive) < ARCHIVE_WARN ||
        archive_read_support_format_tar(reader->archive) < ARCHIVE_WARN ||
        archive_read_open_filename(reader->archive, file, 1 << 16) < ARCHIVE_WARN) {
        read_failed(reader, err);
        archive_read_free(reader->archive);
        return -1;
    }
    return 0;
}

/* What the next entry is: 1 and *ITEM, 0 at the end. */
static int reader_next(const struct reader *reader, struct unpack_item *item, struct err *err)
{
    struct archive_entry *entry;
    int result = archive_read_next_header(reader->archive, &entry);
    mode_t type;

    if (result == ARCHIVE_EOF)
        return 0;
    if (result < ARCHIVE_WARN)
        return read_failed(reader, err);
    type = archive_entry_filetype(entry);
    *item = (struct unpack_item){.name = archive_entry_pathname(entry), .kind = UNPACK_OTHER};
    if (!item->name)
        item->name = archive_entry_pathname_utf8(entry); /* a name that the C locale has no letters for */
    if (!item->name)
        return err_set(err, "%s: an entry has no name that can be read", reader->file);
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

/* The entry's bytes in *DATA, at most LIMIT. */
static int reader_data(const struct reader *reader, size_t limit, char **data, size_t *size, struct err *err)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t n = 0, cap = 1 << 16;
    la_ssize_t got;

    bytes = xmalloc(cap + 1);
    while ((got = archive_read_data(reader->archive, bytes + n, cap - n)) > 0) {
        n += (size_t)got;
        if (n > limit)
            return err_set(err, "%s: an entry is too large to be read whole", reader->file);
        if (n == cap)
            bytes = xrealloc(bytes, (cap *= 2) + 1);
    }
    if (got < 0)
        return read_failed(reader, err);
    bytes[n] = '\0';
    *size = n;
    *data = steal_pointer(&bytes);
    return 0;
}

/* NAME without its top folder. */
const char *bundle_below_top(const char *name)
{
    const char *slash;

    while (strncmp(name, "./", 2) == 0)
        name += 2;
    slash = strchr(name, '/');
    return slash ? slash + 1 : "";
}

int bundle_read(const char *file, const char *member, char **data, size_t *size, struct err *err)
{
    struct reader reader;
    struct unpack_item item;
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    while ((result = reader_next(&reader, &item, err)) > 0)
        if (item.kind == UNPACK_FILE && strcmp(bundle_below_top(item.name), member) == 0)
            break;
    if (result > 0)
        result = reader_data(&reader, MEMBER_MAX, data, size, err);
    else if (result == 0)
        result = err_set(err, "%s holds no %s: it is no bundle of glibctrace", file, member);
    archive_read_free(reader.archive);
    return result;
}

/* All of an entry's bytes to VISIT; what comes counts, whatever the archive says of its size. */
static int walk_bytes(const struct reader *reader, const struct bundle_visitor *visitor, uint64_t *left,
                      struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(1 << 16);
    la_ssize_t got;

    while ((got = archive_read_data(reader->archive, buffer, 1 << 16)) > 0) {
        if ((uint64_t)got > *left)
            return err_set(err, "%s: it is too large unpacked", reader->file);
        *left -= (uint64_t)got;
        visitor->bytes(visitor->ctx, buffer, (size_t)got);
    }
    return got < 0 ? read_failed(reader, err) : 0;
}

int bundle_walk(const char *file, const struct bundle_visitor *visitor, struct err *err)
{
    struct reader reader;
    struct unpack unpack;
    struct unpack_item item;
    uint64_t left = UINT64_C(4) << 30;
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    result = unpack_init(&unpack, file, "/", NULL, err); /* which is only asked, nothing is unpacked */
    while (result >= 0 && (result = reader_next(&reader, &item, err)) > 0) {
        if (unpack_check(&unpack, &item, err) < 0)
            result = -1;
        else
            visitor->entry(visitor->ctx, &item);
        if (result >= 0 && item.kind == UNPACK_FILE)
            result = walk_bytes(&reader, visitor, &left, err);
    }
    unpack_deinit(&unpack);
    archive_read_free(reader.archive);
    return result;
}

static int extract_file(const struct reader *reader, struct unpack *unpack, const struct unpack_item *item,
                        struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(1 << 16);
    CLEANUP_CLOSE int fd = unpack_file(unpack, item, err);
    la_ssize_t got;

    if (fd < 0)
        return -1;
    while ((got = archive_read_data(reader->archive, buffer, 1 << 16)) > 0)
        if (unpack_write(unpack, item, fd, buffer, (size_t)got, err) < 0)
            return -1;
    return got < 0 ? read_failed(reader, err) : 0;
}

static int extract_all(const struct reader *reader, struct unpack *unpack, struct err *err)
{
    struct unpack_item item;
    int result;

    while ((result = reader_next(reader, &item, err)) > 0) {
        if (unpack_check(unpack, &item, err) < 0)
            return -1;
        if (item.kind == UNPACK_FILE)
            result = extract_file(reader, unpack, &item, err);
        else
            result = unpack_other(unpack, &item, err);
        if (result < 0)
            return -1;
    }
    return result;
}

int bundle_extract(const char *file, const char *directory, const struct bundle_limits *limits, char **top,
                   struct err *err)
{
    struct reader reader;
    struct unpack unpack;
    int result;

    if (reader_open(&reader, file, err) < 0)
        return -1;
    result = unpack_init(&unpack, file, directory, limits, err);
    if (result >= 0)
        result = extract_all(&reader, &unpack, err);
    if (result >= 0 && !unpack.top)
        result = err_set(err, "%s is empty", file);
    if (result >= 0 && top)
        *top = xstrdup(unpack.top);
    unpack_deinit(&unpack);
    archive_read_free(reader.archive);
    return result;
}

/* --- archives that are no bundles --- */

/* FD as one: a .deb's outer form (AR), or what software is in. */
static int foreign_open(struct reader *reader, int fd, const char *file, bool ar, struct err *err)
{
    struct archive *archive = archive_read_new();
    int result;

    *reader = (struct reader){.archive = archive, .file = file, .foreign = true};
    if (!archive)
        alloc_failed();
    if (ar) {
        result = archive_read_support_format_ar(archive);
    } else {
        archive_read_support_filter_rpm(archive);
        archive_read_support_filter_gzip(archive);
        archive_read_support_filter_bzip2(archive);
        archive_read_support_filter_xz(archive);
        archive_read_support_filter_lzma(archive);
        archive_read_support_filter_zstd(archive);
        archive_read_support_format_cpio(archive);
        result = archive_read_support_format_tar(archive);
    }
    if (result < ARCHIVE_WARN || archive_read_open_fd(archive, fd, 1 << 16) < ARCHIVE_WARN) {
        read_failed(reader, err);
        archive_read_free(archive);
        return -1;
    }
    return 0;
}

/* The entry's bytes, wherever BYTES puts them. */
static int foreign_bytes(const struct reader *reader,
                         int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                         struct err *err)
{
    CLEANUP_FREE unsigned char *buffer = xmalloc(1 << 16);
    la_ssize_t got;

    while ((got = archive_read_data(reader->archive, buffer, 1 << 16)) > 0)
        if (bytes(ctx, buffer, (size_t)got, err) < 0)
            return -1;
    return got < 0 ? read_failed(reader, err) : 0;
}

static int foreign_entry(const struct reader *reader, const struct unpack_item *item, struct unpack *unpack,
                         size_t *skipped, struct err *err)
{
    struct arriving arriving = {.unpack = unpack, .item = item, .fd = -1};
    int result = unpack_check_foreign(unpack, item, err);

    if (result <= 0) {
        *skipped += result == 0 && item->kind != UNPACK_DIRECTORY;
        return result;
    }
    if (item->kind != UNPACK_FILE)
        return unpack_other(unpack, item, err);
    result = foreign_bytes(reader, arriving_bytes, &arriving, err);
    if (arriving.fd >= 0)
        close(arriving.fd);
    return result;
}

int bundle_unpack_foreign(int fd, const char *file, struct unpack *unpack, size_t *skipped, struct err *err)
{
    struct reader reader;
    struct unpack_item item;
    int result;

    if (foreign_open(&reader, fd, file, false, err) < 0)
        return -1;
    while ((result = reader_next(&reader, &item, err)) > 0)
        if (foreign_entry(&reader, &item, unpack, skipped, err) < 0) {
            result = -1;
            break;
        }
    archive_read_free(reader.archive);
    return result;
}

struct out {
    int fd;
    uint64_t left;
    const char *file;
};

static int to_descriptor(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct out *out = ctx;

    if (size > out->left)
        return err_set(err, "%s: it is too large unpacked", out->file);
    out->left -= size;
    while (size) {
        ssize_t n = write(out->fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, n < 0 ? errno : EIO, "%s cannot be unpacked", out->file);
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int bundle_deb_data(int fd, const char *file, int out, struct err *err)
{
    struct out to = {out, UINT64_C(4) << 30, file};
    struct reader reader;
    struct unpack_item item;
    int result;

    if (foreign_open(&reader, fd, file, true, err) < 0)
        return -1;
    while ((result = reader_next(&reader, &item, err)) > 0)
        if (item.kind == UNPACK_FILE && strncmp(item.name, "data.tar", 8) == 0)
            break;
    if (result > 0)
        result = foreign_bytes(&reader, to_descriptor, &to, err);
    else if (result == 0)
        result = err_set(err, "%s is cut off: there is no data.tar in it", file);
    archive_read_free(reader.archive);
    return result;
}
