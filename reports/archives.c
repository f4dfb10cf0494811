#include "archives.h"

#include "zip.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { ENTRIES = 200000 };

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

bool archives_is_package(enum archive_kind kind)
{
    return kind == ARCHIVE_DEB || kind == ARCHIVE_RPM;
}

char *archives_directory(struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *directory = xasprintf("%s/glibctrace-check-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");

    if (mkdtemp(directory))
        return directory;
    err_errno(err, errno, "%s cannot be made", directory);
    free(directory);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void archives_remove(const char *directory)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int arriving_bytes(void *ctx, const unsigned char *data, size_t size, struct err *err)
{
    struct arriving *arriving = ctx;

    if (!arriving->begun) {
        arriving->begun = true;
        if ((size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0) || (size >= 2 && memcmp(data, "#!", 2) == 0)) {
            arriving->fd = unpack_file(arriving->unpack, arriving->item, err);
            if (arriving->fd < 0)
                return -1;
        }
    }
    if (arriving->fd < 0) {
        if (size > arriving->unpack->limits.bytes - arriving->unpack->bytes)
            return err_set(err, "%s: it is too large unpacked", arriving->unpack->file);
        arriving->unpack->bytes += size;
        return 0;
    }
    return unpack_write(arriving->unpack, arriving->item, arriving->fd, (const char *)data, size, err);
}

/* A symbolic link of a .zip is a file that holds where it leads. */
static int unpack_zip_link(const struct zip *zip, const struct zip_entry *entry, struct unpack *unpack, size_t *skipped,
                           struct err *err)
{
    struct unpack_item item = {.name = entry->name, .kind = UNPACK_LINK};
    CLEANUP_FREE char *text = NULL;
    size_t size;
    int take;

    if (zip_read(zip, entry, 4096, &text, &size, err) < 0)
        return -1;
    item.link = text;
    take = unpack_check_foreign(unpack, &item, err);
    *skipped += take == 0;
    return take > 0 ? unpack_other(unpack, &item, err) : take;
}

static int unpack_zip_entry(const struct zip *zip, const struct zip_entry *entry, bool modes, struct unpack *unpack,
                            struct err *err)
{
    struct unpack_item item = {
        .name = entry->name, .kind = UNPACK_FILE, .executable = !modes || (entry->mode & 0111), .size = entry->size};
    struct arriving arriving = {.unpack = unpack, .item = &item, .fd = -1};
    size_t length = strlen(entry->name);
    int take, result;

    if (length && entry->name[length - 1] == '/')
        item.kind = UNPACK_DIRECTORY;
    take = unpack_check_foreign(unpack, &item, err);
    if (take <= 0)
        return take;
    if (item.kind == UNPACK_DIRECTORY)
        return unpack_other(unpack, &item, err);
    result = zip_stream(zip, entry, arriving_bytes, &arriving, err);
    if (arriving.fd >= 0)
        close(arriving.fd);
    return result;
}

static int unpack_zip(const char *file, struct unpack *unpack, size_t *skipped, struct err *err)
{
    struct zip zip;
    bool modes = false;
    int result = zip_open(file, &zip, err);

    if (result < 0)
        return -1;
    for (size_t i = 0; i < zip.count; i++) /* made on Windows, it has none */
        modes |= (zip.entries[i].mode & 0111) && S_ISREG(zip.entries[i].mode);
    for (size_t i = 0; i < zip.count && result == 0; i++)
        result = S_ISLNK(zip.entries[i].mode) ? unpack_zip_link(&zip, &zip.entries[i], unpack, skipped, err)
                                              : unpack_zip_entry(&zip, &zip.entries[i], modes, unpack, err);
    zip_close(&zip);
    return result;
}

static int unpack_deb(int fd, const char *file, struct unpack *unpack, size_t *skipped, struct err *err)
{
    CLEANUP_FREE char *inner = xasprintf("%s, its data.tar", file);
    CLEANUP_CLOSE int data = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (data < 0)
        data = memfd_create("glibctrace", MFD_CLOEXEC);
    if (data < 0)
        return err_errno(err, errno, "%s cannot be unpacked", file);
    if (bundle_deb_data(fd, file, data, err) < 0)
        return -1;
    if (lseek(data, 0, SEEK_SET) < 0)
        return err_errno(err, errno, "%s cannot be unpacked", file);
    return bundle_unpack_foreign(data, inner, unpack, skipped, err);
}

int archives_unpack(const char *file, enum archive_kind kind, const char *directory, size_t *skipped, struct err *err)
{
    const struct bundle_limits limits = {.files = ENTRIES};
    CLEANUP_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct unpack unpack;
    int result;

    *skipped = 0;
    if (fd < 0)
        return err_errno(err, errno, "%s", file);
    result = unpack_init(&unpack, file, directory, &limits, err);
    if (result == 0 && kind == ARCHIVE_ZIP)
        result = unpack_zip(file, &unpack, skipped, err);
    else if (result == 0 && kind == ARCHIVE_DEB)
        result = unpack_deb(fd, file, &unpack, skipped, err);
    else if (result == 0)
        result = bundle_unpack_foreign(fd, file, &unpack, skipped, err);
    unpack_deinit(&unpack);
    return result;
}
