/* The only file that knows libsquashfs (of squashfs-tools-ng). Not every system has it: without its headers none is
 * read, and squash_is_known() says so. */
#include "squash.h"

#include <string.h>
#include <unistd.h>

bool squash_is_at(int fd, uint64_t offset)
{
    char magic[4];

    return pread(fd, magic, sizeof magic, (off_t)offset) == sizeof magic && memcmp(magic, "hsqs", sizeof magic) == 0;
}

#if __has_include(<sqfs/super.h>)

#include "unpack.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <errno.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>
#include <sys/stat.h>

enum { DEPTH = 64, LINK_MOST = 4096, PIECE = 1 << 16 };

/* The image as the library's file: it has no notion of something before it. */
struct image {
    sqfs_file_t base;
    int fd;
    uint64_t offset, size;
};

struct squash {
    struct image image;
    const char *file;
    const struct squash_visitor *visitor;
    sqfs_super_t super;
    sqfs_compressor_t *compressor;
    sqfs_dir_reader_t *directories;
    sqfs_data_reader_t *data;
    const sqfs_inode_generic_t *inode; /* of the entry that is told of */
    size_t entries;
};

/* A name in a directory: they are collected first, as the library reads one directory at a time. */
struct child {
    char *path; /* inside the image */
    sqfs_inode_generic_t *inode;
};

bool squash_is_known(void)
{
    return true;
}

static int broken(const struct squash *squash, int error, struct err *err)
{
    const char *why = "it was changed or is damaged";

    if (error == SQFS_ERROR_IO || error == SQFS_ERROR_OUT_OF_BOUNDS)
        why = "it is cut off or damaged";
    else if (error == SQFS_ERROR_UNSUPPORTED)
        why = "it is packed in a way that is not read";
    else if (error == SQFS_ERROR_ALLOC || error == SQFS_ERROR_OVERFLOW)
        why = "it was changed or is damaged: its sizes are too large";
    return err_set(err, "%s: the file system in it (squashfs) cannot be read: %s", squash->file, why);
}

/* ---- the image ---- */

static int read_image(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size)
{
    const struct image *image = (const struct image *)base;

    if (offset > image->size || size > image->size - offset)
        return SQFS_ERROR_OUT_OF_BOUNDS;
    return proc_read_at(image->fd, image->offset + offset, buffer, size) < size ? SQFS_ERROR_IO : 0;
}

static sqfs_u64 image_size(const sqfs_file_t *base)
{
    return ((const struct image *)base)->size;
}

static int write_image(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size)
{
    (void)base, (void)offset, (void)buffer, (void)size;
    return SQFS_ERROR_UNSUPPORTED;
}

static int cut_image(sqfs_file_t *base, sqfs_u64 size)
{
    (void)base, (void)size;
    return SQFS_ERROR_UNSUPPORTED;
}

/* It is a part of a struct squash, and nobody's to be freed. */
static void keep_image(sqfs_object_t *base)
{
    (void)base;
}

static int open_image(struct squash *squash, int fd, uint64_t offset, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "%s", squash->file);
    squash->image = (struct image){.base = {.base = {.destroy = keep_image},
                                            .read_at = read_image,
                                            .write_at = write_image,
                                            .get_size = image_size,
                                            .truncate = cut_image},
                                   .fd = fd,
                                   .offset = offset,
                                   .size = (uint64_t)st.st_size > offset ? (uint64_t)st.st_size - offset : 0};
    return 0;
}

/* Where the library would believe what stands there. */
static int check_super(const struct squash *squash, struct err *err)
{
    const sqfs_super_t *super = &squash->super;

    if (super->bytes_used > squash->image.size)
        return err_set(err, "%s is cut off: the file system in it (squashfs) ends behind its end", squash->file);
    if (super->inode_count > squash->visitor->entries)
        return err_set(err, "%s: there are too many entries in it", squash->file);
    if (super->fragment_entry_count > super->inode_count)
        return broken(squash, SQFS_ERROR_CORRUPTED, err);
    return 0;
}

static int open_readers(struct squash *squash, struct err *err)
{
    sqfs_file_t *file = &squash->image.base;
    sqfs_compressor_config_t config;
    int result = sqfs_super_read(&squash->super, file);

    if (result)
        return broken(squash, result, err);
    if (check_super(squash, err) < 0)
        return -1;
    result = sqfs_compressor_config_init(&config, squash->super.compression_id, squash->super.block_size,
                                         SQFS_COMP_FLAG_UNCOMPRESS);
    if (result == 0)
        result = sqfs_compressor_create(&config, &squash->compressor);
    if (result == 0 && (squash->super.flags & SQFS_FLAG_COMPRESSOR_OPTIONS))
        result = squash->compressor->read_options(squash->compressor, file);
    if (result)
        return broken(squash, result, err);
    squash->directories = sqfs_dir_reader_create(&squash->super, squash->compressor, file, 0);
    squash->data = sqfs_data_reader_create(file, squash->super.block_size, squash->compressor, 0);
    if (!squash->directories || !squash->data)
        alloc_failed();
    result = sqfs_data_reader_load_fragment_table(squash->data, &squash->super);
    return result ? broken(squash, result, err) : 0;
}

static void close_readers(struct squash *squash)
{
    sqfs_destroy(squash->data);
    sqfs_destroy(squash->directories);
    sqfs_destroy(squash->compressor);
}

/* ---- its directories ---- */

static void free_children(struct child *children, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(children[i].path);
        sqfs_free(children[i].inode);
    }
    free(children);
}

static int next_child(struct squash *squash, const char *path, struct child *ret, struct err *err)
{
    sqfs_dir_entry_t *entry = NULL;
    CLEANUP_FREE char *name = NULL;
    int result = sqfs_dir_reader_read(squash->directories, &entry);

    if (result > 0) /* the end */
        return 0;
    if (result < 0)
        return broken(squash, result, err);
    name = xstrndup((const char *)entry->name, (size_t)entry->size + 1);
    sqfs_free(entry);
    if (strchr(name, '/'))
        return broken(squash, SQFS_ERROR_CORRUPTED, err);
    result = sqfs_dir_reader_get_inode(squash->directories, &ret->inode);
    if (result)
        return broken(squash, result, err);
    ret->path = *path ? xasprintf("%s/%s", path, name) : steal_pointer(&name);
    return 1;
}

/* What is in the directory INODE, which is called PATH. */
static int read_children(struct squash *squash, const sqfs_inode_generic_t *inode, const char *path,
                         struct child **children, size_t *count, struct err *err)
{
    size_t cap = 0;
    int result = sqfs_dir_reader_open_dir(squash->directories, inode, 0);

    *children = NULL;
    *count = 0;
    if (result)
        return broken(squash, result, err);
    for (;;) {
        struct child child, *place;

        result = next_child(squash, path, &child, err);
        if (result <= 0)
            return result;
        place = array_add(children, count, &cap, sizeof *place);
        *place = child;
        if (++squash->entries > squash->visitor->entries)
            return err_set(err, "%s: there are too many entries in it", squash->file);
    }
}

static char *link_text(const sqfs_inode_generic_t *inode)
{
    size_t size =
        inode->base.type == SQFS_INODE_EXT_SLINK ? inode->data.slink_ext.target_size : inode->data.slink.target_size;

    return xstrndup((const char *)inode->extra, size < LINK_MOST ? size : LINK_MOST);
}

static int tell_entry(struct squash *squash, const struct child *child, struct err *err)
{
    struct unpack_item item = {.name = child->path, .kind = UNPACK_OTHER};
    CLEANUP_FREE char *link = NULL;
    sqfs_u64 size = 0;

    switch (child->inode->base.mode & SQFS_INODE_MODE_MASK) {
    case SQFS_INODE_MODE_DIR:
        item.kind = UNPACK_DIRECTORY;
        break;
    case SQFS_INODE_MODE_LNK:
        item.kind = UNPACK_LINK;
        item.link = link = link_text(child->inode);
        break;
    case SQFS_INODE_MODE_REG:
        if (sqfs_inode_get_file_size(child->inode, &size))
            return broken(squash, SQFS_ERROR_CORRUPTED, err);
        item.kind = UNPACK_FILE;
        item.size = size;
        break;
    }
    item.executable = child->inode->base.mode & SQFS_INODE_OWNER_X;
    squash->inode = child->inode;
    return squash->visitor->entry(squash->visitor->ctx, &item, squash, err);
}

static int walk_directory(struct squash *squash, const sqfs_inode_generic_t *inode, const char *path, unsigned depth,
                          struct err *err)
{
    struct child *children;
    size_t count;
    int result;

    if (depth > DEPTH) /* a directory may say that it holds itself */
        return err_set(err, "%s: its directories lie too deep", squash->file);
    result = read_children(squash, inode, path, &children, &count, err);
    for (size_t i = 0; result >= 0 && i < count; i++) {
        result = tell_entry(squash, &children[i], err);
        if (result >= 0 && (children[i].inode->base.mode & SQFS_INODE_MODE_MASK) == SQFS_INODE_MODE_DIR)
            result = walk_directory(squash, children[i].inode, children[i].path, depth + 1, err);
    }
    free_children(children, count);
    return result < 0 ? -1 : 0;
}

int squash_walk(int fd, uint64_t offset, const char *file, const struct squash_visitor *visitor, struct err *err)
{
    struct squash squash = {.file = file, .visitor = visitor};
    sqfs_inode_generic_t *top = NULL;
    int result = open_image(&squash, fd, offset, err);

    if (result == 0)
        result = open_readers(&squash, err);
    if (result == 0) {
        result = sqfs_dir_reader_get_root_inode(squash.directories, &top);
        result = result ? broken(&squash, result, err) : walk_directory(&squash, top, "", 0, err);
    }
    sqfs_free(top);
    close_readers(&squash);
    return result;
}

int squash_bytes(struct squash *squash,
                 int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                 struct err *err)
{
    CLEANUP_FREE unsigned char *buffer = xmalloc(PIECE);
    sqfs_u64 size;

    if (sqfs_inode_get_file_size(squash->inode, &size))
        return broken(squash, SQFS_ERROR_CORRUPTED, err);
    for (sqfs_u64 at = 0; at < size;) {
        sqfs_s32 got = sqfs_data_reader_read(squash->data, squash->inode, at, buffer, PIECE);

        if (got <= 0)
            return broken(squash, got ? got : SQFS_ERROR_CORRUPTED, err);
        if (bytes(ctx, buffer, (size_t)got, err) < 0)
            return -1;
        at += (sqfs_u64)got;
    }
    return 0;
}

#else

bool squash_is_known(void)
{
    return false;
}

int squash_walk(int fd, uint64_t offset, const char *file, const struct squash_visitor *visitor, struct err *err)
{
    (void)fd, (void)offset, (void)visitor;
    return err_set(err, "%s: this glibctrace was built without libsquashfs", file);
}

int squash_bytes(struct squash *squash,
                 int (*bytes)(void *ctx, const unsigned char *data, size_t size, struct err *err), void *ctx,
                 struct err *err)
{
    (void)squash, (void)bytes, (void)ctx;
    return err_set(err, "this glibctrace was built without libsquashfs");
}

#endif
