#include "archives.h"

#include "appimage.h"
#include "entries.h"
#include "rpm_file.h"
#include "squash.h"
#include "unpack.h"
#include "zip.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/tree.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { ENTRIES = 200000 };

static const uint64_t deb_most = UINT64_C(4) << 30; /* bytes of a .deb's data.tar, packed */

enum archive_kind archives_kind(int fd)
{
    static const struct {
        size_t offset, size;
        const char *bytes;
        enum archive_kind kind;
    } magics[] = {
        {0, 4, "PK\3\4", ARCHIVE_ZIP},
        {0, 4, "PK\5\6", ARCHIVE_ZIP}, /* an empty one */
        {0, 21, "!<arch>\ndebian-binary", ARCHIVE_DEB},
        {0, 4, "\xed\xab\xee\xdb", ARCHIVE_RPM},
        {257, 5, "ustar", ARCHIVE_TAR},
        {0, 3, "\x1f\x8b\x08", ARCHIVE_TAR},
        {0, 6,
         "\xfd"
         "7zXZ\0",
         ARCHIVE_TAR},
        {0, 4, "\x28\xb5\x2f\xfd", ARCHIVE_TAR},
        {0, 3, "BZh", ARCHIVE_TAR},
        {8, 3, "AI\1", ARCHIVE_APPIMAGE}, /* the AppImage specification: in the ELF header's padding */
        {8, 3, "AI\2", ARCHIVE_APPIMAGE},
    };
    char start[512] = {0};
    ssize_t n = pread(fd, start, sizeof start, 0);

    for (size_t i = 0; n > 0 && i < sizeof magics / sizeof *magics; i++)
        if (memcmp(start + magics[i].offset, magics[i].bytes, magics[i].size) == 0)
            return magics[i].kind;
    return ARCHIVE_NOT;
}

int archives_at(const char *root, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct stat st;

    if (fd < 0)
        return fd;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (int)archives_kind(fd) : (int)ARCHIVE_NOT;
}

/* An archive that is being unpacked. */
struct unpacking {
    struct unpack unpack;
    struct unpacked *about;
    bool all; /* not only what could be loaded or run */
};

/* ---- one entry ---- */

/* A file of it, whose bytes come one after the other. One that nobody wants is not made. */
struct arriving {
    struct unpacking *unpacking;
    const struct unpack_item *item;
    int fd; /* -1 before the first bytes, or where they are not wanted */
    bool begun;
};

/* What check_tree() looks at. */
static bool is_wanted(const char *name, const unsigned char *data, size_t size)
{
    return tree_called_library(name) || (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0) ||
           (size >= 2 && memcmp(data, "#!", 2) == 0);
}

static int arriving_begin(struct arriving *arriving, const unsigned char *data, size_t size, struct err *err)
{
    arriving->begun = true;
    if (!arriving->unpacking->all && !is_wanted(arriving->item->name, data, size))
        return 0;
    arriving->fd = unpack_file(&arriving->unpacking->unpack, arriving->item, err);
    return arriving->fd < 0 ? -1 : 0;
}

static int arriving_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct arriving *arriving = ctx;
    struct unpack *unpack = &arriving->unpacking->unpack;

    if (!arriving->begun && arriving_begin(arriving, data, size, err) < 0)
        return -1;
    if (arriving->fd < 0) {
        if (size > unpack->limits.bytes - unpack->bytes)
            return err_set(err, "%s: it is too large unpacked", unpack->file);
        unpack->bytes += size;
        return 0;
    }
    return unpack_write(unpack, arriving->item, arriving->fd, (const char *)data, size, err);
}

/* After the last bytes; RESULT is how they came. */
static int arriving_end(struct arriving *arriving, int result, struct err *err)
{
    if (result == 0 && !arriving->begun)
        result = arriving_begin(arriving, (const unsigned char *)"", 0, err);
    if (arriving->fd >= 0)
        close(arriving->fd);
    return result;
}

/* What is no file. */
static int put_other(struct unpacking *unpacking, const struct unpack_item *item, struct err *err)
{
    int take = unpack_check_foreign(&unpacking->unpack, item, err);

    unpacking->about->skipped += take == 0 && item->kind != UNPACK_DIRECTORY;
    return take > 0 ? unpack_other(&unpacking->unpack, item, err) : take;
}

/* ---- .zip ---- */

/* A symbolic link of a .zip is a file that holds where it leads. */
static int put_zip_link(const struct zip *zip, const struct zip_entry *entry, struct unpacking *unpacking,
                        struct err *err)
{
    struct unpack_item item = {.name = entry->name, .kind = UNPACK_LINK};
    CLEANUP_FREE char *text = NULL;
    size_t size;

    if (zip_read(zip, entry, 4096, &text, &size, err) < 0)
        return -1;
    item.link = text;
    return put_other(unpacking, &item, err);
}

static int put_zip_entry(const struct zip *zip, const struct zip_entry *entry, bool modes, struct unpacking *unpacking,
                         struct err *err)
{
    struct unpack_item item = {
        .name = entry->name, .kind = UNPACK_FILE, .executable = !modes || (entry->mode & 0111), .size = entry->size};
    struct arriving arriving = {.unpacking = unpacking, .item = &item, .fd = -1};
    size_t length = strlen(entry->name);
    int take;

    if (length && entry->name[length - 1] == '/') {
        item.kind = UNPACK_DIRECTORY;
        return put_other(unpacking, &item, err);
    }
    take = unpack_check_foreign(&unpacking->unpack, &item, err);
    if (take <= 0)
        return take;
    return arriving_end(&arriving, zip_stream(zip, entry, arriving_bytes, &arriving, err), err);
}

static int unpack_zip(int fd, const char *file, struct unpacking *unpacking, struct err *err)
{
    struct zip zip;
    bool modes = false;
    int result = zip_open_fd(fd, file, &zip, err);

    if (result < 0)
        return -1;
    for (size_t i = 0; i < zip.count; i++) /* made on Windows, it has none */
        modes |= (zip.entries[i].mode & 0111) && S_ISREG(zip.entries[i].mode);
    for (size_t i = 0; i < zip.count && result == 0; i++)
        result = S_ISLNK(zip.entries[i].mode) ? put_zip_link(&zip, &zip.entries[i], unpacking, err)
                                              : put_zip_entry(&zip, &zip.entries[i], modes, unpacking, err);
    zip_close(&zip);
    return result;
}

/* ---- what libarchive reads ---- */

static int put_entry(struct entries *entries, const struct unpack_item *item, struct unpacking *unpacking,
                     struct err *err)
{
    struct arriving arriving = {.unpacking = unpacking, .item = item, .fd = -1};
    int take;

    if (item->kind != UNPACK_FILE)
        return put_other(unpacking, item, err);
    /* Alpine's and Arch Linux's packages describe themselves so (apk-package(5), alpm-package(7)) */
    if (strcmp(item->name + (strncmp(item->name, "./", 2) == 0 ? 2 : 0), ".PKGINFO") == 0)
        unpacking->unpack.package = unpacking->about->package = true;
    take = unpack_check_foreign(&unpacking->unpack, item, err);
    if (take <= 0)
        return take;
    return arriving_end(&arriving, entries_bytes(entries, arriving_bytes, &arriving, err), err);
}

static int unpack_entries(int fd, const char *file, enum entries_form form, struct unpacking *unpacking,
                          struct err *err)
{
    struct entries *entries;
    struct unpack_item item;
    int result;

    if (entries_open(fd, file, form, &entries, err) < 0)
        return -1;
    while ((result = entries_next(entries, &item, err)) > 0)
        if (put_entry(entries, &item, unpacking, err) < 0) {
            result = -1;
            break;
        }
    if (result == 0)
        unpacking->about->unclosed = entries_unclosed(entries);
    entries_close(entries);
    return result;
}

/* ---- .deb: an archive in an archive ---- */

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

/* The bytes of a .deb's data.tar to OUT. */
static int take_deb_data(int fd, const char *file, int out, struct err *err)
{
    struct out to = {out, deb_most, file};
    struct entries *entries;
    struct unpack_item item;
    int result;

    if (entries_open(fd, file, ENTRIES_AR, &entries, err) < 0)
        return -1;
    while ((result = entries_next(entries, &item, err)) > 0)
        if (item.kind == UNPACK_FILE && strncmp(item.name, "data.tar", 8) == 0)
            break;
    if (result > 0)
        result = entries_bytes(entries, to_descriptor, &to, err);
    else if (result == 0)
        result = err_set(err, "%s is cut off: there is no data.tar in it", file);
    entries_close(entries);
    return result;
}

static int unpack_deb(int fd, const char *file, struct unpacking *unpacking, struct err *err)
{
    CLEANUP_FREE char *inner = xasprintf("%s, its data.tar", file);
    CLEANUP_CLOSE int data = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (data < 0)
        data = memfd_create("glibctrace", MFD_CLOEXEC);
    if (data < 0)
        return err_errno(err, errno, "%s cannot be unpacked", file);
    if (take_deb_data(fd, file, data, err) < 0)
        return -1;
    if (lseek(data, 0, SEEK_SET) < 0)
        return err_errno(err, errno, "%s cannot be unpacked", file);
    return unpack_entries(data, inner, ENTRIES_SOFTWARE, unpacking, err);
}

/* ---- .AppImage ---- */

static int put_squashed(void *ctx, const struct unpack_item *item, struct squash *squash, struct err *err)
{
    struct unpacking *unpacking = ctx;
    struct arriving arriving = {.unpacking = unpacking, .item = item, .fd = -1};
    int take;

    if (item->kind != UNPACK_FILE)
        return put_other(unpacking, item, err);
    take = unpack_check_foreign(&unpacking->unpack, item, err);
    if (take <= 0)
        return take;
    return arriving_end(&arriving, squash_bytes(squash, arriving_bytes, &arriving, err), err);
}

static int unpack_appimage(int fd, const char *file, struct unpacking *unpacking, struct err *err)
{
    const struct squash_visitor visitor = {put_squashed, unpacking, ENTRIES};
    uint64_t offset = appimage_offset(fd);
    struct stat st;

    if (appimage_is_iso(fd))
        return unpack_entries(fd, file, ENTRIES_ISO, unpacking, err);
    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s", file);
    if (!offset || offset >= (uint64_t)st.st_size)
        return err_set(err, "%s is cut off: there is nothing behind its program", file);
    if (squash_is_at(fd, offset) && squash_is_known())
        return squash_walk(fd, offset, file, &visitor, err);
    unpacking->about->unread =
        xstrdup(squash_is_at(fd, offset) ? "this glibctrace was built without libsquashfs, which would read it"
                                         : "the file system behind its program is none that is read here");
    return 0;
}

/* ---- any of them ---- */

static int unpack_kind(int fd, const char *file, enum archive_kind kind, struct unpacking *unpacking, struct err *err)
{
    switch (kind) {
    case ARCHIVE_ZIP:
        return unpack_zip(fd, file, unpacking, err);
    case ARCHIVE_DEB:
        return unpack_deb(fd, file, unpacking, err);
    case ARCHIVE_RPM:
        return rpm_file_payload(fd, file, err) < 0 ? -1 : unpack_entries(fd, file, ENTRIES_SOFTWARE, unpacking, err);
    case ARCHIVE_TAR:
        return unpack_entries(fd, file, ENTRIES_SOFTWARE, unpacking, err);
    case ARCHIVE_APPIMAGE:
        return unpack_appimage(fd, file, unpacking, err);
    default:
        return err_set(err, "%s is no archive", file);
    }
}

static int unpack_into(int fd, const char *file, enum archive_kind kind, const char *directory, bool all,
                       struct unpacked *about, struct err *err)
{
    const struct bundle_limits limits = {.files = ENTRIES};
    struct unpacking unpacking = {.about = about, .all = all};
    int result = unpack_init(&unpacking.unpack, file, directory, &limits, err);

    about->package = unpacking.unpack.package = kind == ARCHIVE_DEB || kind == ARCHIVE_RPM;
    unpacking.unpack.over = all;
    if (result == 0 && lseek(fd, 0, SEEK_SET) < 0)
        result = err_errno(err, errno, "%s cannot be read", file);
    if (result == 0)
        result = unpack_kind(fd, file, kind, &unpacking, err);
    unpack_deinit(&unpacking.unpack);
    return result;
}

int archives_open(int fd, const char *file, enum archive_kind kind, struct unpacked *ret, struct err *err)
{
    *ret = (struct unpacked){.directory = NULL};
    if (scratch_make(&ret->scratch, err) < 0)
        return -1;
    ret->directory = ret->scratch.path;
    if (unpack_into(fd, file, kind, ret->directory, false, ret, err) == 0)
        return 0;
    archives_close(ret);
    return -1;
}

void archives_close(struct unpacked *unpacked)
{
    scratch_remove(&unpacked->scratch);
    free(unpacked->unread);
    unpacked->unread = NULL;
    unpacked->directory = NULL;
}

void archives_tell(const struct unpacked *unpacked, const char *file, struct report *report)
{
    const char *base = path_base(file);

    if (unpacked->skipped)
        strings_addf(&report->unseen, "%zu entr%s of %s that lead%s out of it, or %s", unpacked->skipped,
                     unpacked->skipped == 1 ? "y" : "ies", base, unpacked->skipped == 1 ? "s" : "",
                     unpacked->skipped == 1 ? "is no file" : "are no files");
    if (unpacked->unclosed)
        strings_addf(&report->unseen, "whether %s is whole: it ends without the blocks of zeros that close a .tar",
                     base);
}

int archives_install(int fd, const char *file, const char *directory, struct err *err)
{
    enum archive_kind kind = archives_kind(fd);
    struct unpacked about = {.directory = NULL};
    int result;

    if (kind == ARCHIVE_NOT)
        return err_set(err, "%s is no archive that can be unpacked: neither .deb, .rpm, .apk, .tar, .zip nor .AppImage",
                       file);
    result = unpack_into(fd, file, kind, directory, true, &about, err);
    if (result == 0 && about.unread)
        result = err_set(err, "%s cannot be unpacked: %s", file, about.unread);
    free(about.unread);
    return result;
}
