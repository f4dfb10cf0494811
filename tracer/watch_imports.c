/* Which files hold the names of dlopen and its like: who calls one of them by name has the name in its string table.
 * The linker may put a name at the end of a longer one, so it is looked for anywhere; that finds too many rather than
 * too few. */
#include "watch.h"

#include "state.h"

#include <probes/alloc.h>

#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

enum {
    STRINGS_MOST = 1 << 18, /* bytes: what has more is not searched and may do anything */
    FILES_MOST = 4096,
};

struct file_key {
    uint64_t device, inode, size;
    int64_t modified_s, modified_ns, changed_s, changed_ns;
};

struct files {
    struct file_key key;
    bool asks;
    UT_hash_handle hh;
};

static bool holds_names(const char *strings, size_t size)
{
    static const char *const names[] = {"dlopen", "dlmopen", "dlsym", "dlvsym", "dlclose"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memmem(strings, size, names[i], strlen(names[i]) + 1))
            return true;
    return false;
}

static bool image_asks(const struct memimage *image, const struct mem *mem)
{
    uint64_t addr = memimage_pointer(image, DT_STRTAB), size;

    if (!image->dynamic_addr)
        return false; /* it is bound to nothing */
    if (!addr || !memimage_tag(image, DT_STRSZ, &size) || size > STRINGS_MOST)
        return true;
    CLEANUP_FREE char *strings = xmalloc(size + 1);

    return mem_read(mem, addr, strings, size) < 0 || holds_names(strings, size);
}

static bool look(const struct imports_object *object)
{
    struct memimage image;

    if ((object->base_addr ? memimage_at(object->mem, object->base_addr, &image)
                           : memimage_of_headers(object->mem, object->headers_addr, object->header_count, &image)) < 0)
        return true;
    bool asks = image_asks(&image, object->mem);

    memimage_deinit(&image);
    return asks;
}

bool imports_ask(struct session *session, const struct imports_object *object)
{
    struct file_key key = {0};
    const struct stat *st = object->file;
    struct files *file;

    if (!st || !st->st_ino)
        return true;
    key.device = st->st_dev;
    key.inode = st->st_ino;
    key.size = (uint64_t)st->st_size;
    key.modified_s = st->st_mtim.tv_sec;
    key.modified_ns = st->st_mtim.tv_nsec;
    key.changed_s = st->st_ctim.tv_sec;
    key.changed_ns = st->st_ctim.tv_nsec;
    HASH_FIND(hh, session->files, &key, sizeof key, file);
    if (file)
        return file->asks;
    bool asks = look(object);

    if (HASH_COUNT(session->files) < FILES_MOST) {
        file = xcalloc(1, sizeof *file);
        file->key = key;
        file->asks = asks;
        HASH_ADD(hh, session->files, key, sizeof key, file);
    }
    return asks;
}

void files_destroy(struct files *files)
{
    struct files *file, *next;

    HASH_ITER(hh, files, file, next)
    {
        HASH_DEL(files, file);
        free(file);
    }
}
