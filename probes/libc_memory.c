#include "libc_memory.h"

#include "alloc.h"
#include "elffile.h"
#include "linkmap.h"
#include "maps.h"
#include "path.h"
#include "proc.h"
#include "procmem.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

enum {
    LARGEST = 64 * 1024 * 1024, /* of one mapping */
    VERSIONS_MOST = 512,        /* glibc 2.44 defines 50 */
    DELETED = sizeof " (deleted)" - 1,
};

/* What is looked at; everything is borrowed. */
struct view {
    pid_t pid;
    const char *root;
    int fd; /* its memory */
    const struct mapping *mappings;
    size_t count;
};

/* ---- an image in memory ---- */

static void identify_mapping(const struct view *view, const struct mapping *mapping, struct libc_identity *ret)
{
    uint64_t size = mapping->end - mapping->start;
    CLEANUP_FREE char *data = size <= LARGEST ? malloc(size) : NULL;
    ssize_t got = data ? pread(view->fd, data, size, (off_t)mapping->start) : -1;

    if (got > 0)
        libc_identify_bytes(data, (size_t)got, ret);
}

/* The constants first; linkers that do not set them apart (-z noseparate-code) put them beside the code. */
static void identify_image(const struct view *view, const struct memimage *image, struct libc_identity *ret)
{
    for (int code = 0; code < 2; code++)
        for (size_t i = 0; i < view->count && !ret->release; i++) {
            const struct mapping *m = &view->mappings[i];

            if (m->start >= image->start_addr && m->start < image->end_addr && m->permissions[0] == 'r' &&
                m->permissions[1] != 'w' && (m->permissions[2] == 'x') == code)
                identify_mapping(view, m, ret);
        }
}

static char *least_of_image(const struct memimage *image)
{
    CLEANUP_FREE char **names = xcalloc(VERSIONS_MOST, sizeof *names);
    size_t count = 0;
    char *least;

    for (unsigned i = 2; i < VERSIONS_MOST; i++) /* number 1 is the file itself */
        if ((names[count] = memimage_version(image, i)))
            count++;
        else
            break;
    least = libc_least((const char *const *)names, count);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return least;
}

/* The mapping that the image begins with. */
static const struct mapping *mapping_of(const struct view *view, const struct memimage *image)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->mappings[i].end > image->start_addr && view->mappings[i].start < image->end_addr &&
            view->mappings[i].inode)
            return &view->mappings[i];
    return NULL;
}

/* The path in MAPPING's name, inside the process's root. */
static char *path_of(const struct view *view, const struct mapping *mapping)
{
    size_t n = strlen(mapping->name);

    if (mapping->name[0] != '/')
        return NULL;
    if (n > DELETED && strcmp(mapping->name + n - DELETED, " (deleted)") == 0)
        n -= DELETED;
    return proc_inside_root(view->pid, xstrndup(mapping->name, n));
}

/* The file that is mapped at ADDR, or NULL. */
static char *file_at(const struct view *view, uint64_t addr)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->mappings[i].start <= addr && addr < view->mappings[i].end && view->mappings[i].inode)
            return path_of(view, &view->mappings[i]);
    return NULL;
}

/* By the build-ids where both have one: an inode's number may stand for another file on another file system, and a
 * package that was installed again brings the same build under another number. */
static enum libc_file file_now(const struct view *view, const char *path, ino_t inode, const uint8_t *id,
                               size_t id_size)
{
    enum libc_file file;
    const struct elffile *elf;
    struct stat st;

    if (!path)
        return LIBC_FILE_UNKNOWN;
    if (path_stat(view->root, path, &st) < 0)
        return LIBC_FILE_GONE;
    elf = elffile_get(view->root, path);
    if (id_size && elf->build_id_size)
        file =
            elf->build_id_size == id_size && memcmp(elf->build_id, id, id_size) == 0 ? LIBC_FILE_SAME : LIBC_FILE_OTHER;
    else
        file = st.st_ino == inode ? LIBC_FILE_SAME : LIBC_FILE_OTHER;
    elffile_put(elf);
    return file;
}

/* It is not deleted (d_path() of the kernel says so where it is), and yet not in the process's root: a process that has
 * called chroot(2) or pivot_root(2) itself keeps what it has loaded before. */
static bool is_outside(const struct view *view, const struct mapping *mapping)
{
    size_t n = strlen(mapping->name);
    CLEANUP_FREE char *path = path_of(view, mapping);
    struct stat st;

    if (!path || (n > DELETED && strcmp(mapping->name + n - DELETED, " (deleted)") == 0))
        return false;
    return path_stat(view->root, path, &st) < 0 || st.st_ino != mapping->inode;
}

/* PATH (or NULL: as its mapping is called) is taken over. */
static void take_image(const struct view *view, const struct memimage *image, char *path, struct libc_part *ret)
{
    const struct mapping *first = mapping_of(view, image);
    uint8_t id[sizeof((struct elffile *)0)->build_id];
    size_t id_size = memimage_build_id(image, id, sizeof id);

    libc_part_deinit(ret);
    ret->there = true;
    identify_image(view, image, &ret->says);
    if (!ret->says.release)
        ret->least = least_of_image(image);
    ret->path = path ? path : first ? path_of(view, first) : NULL;
    ret->file = file_now(view, ret->path, first ? first->inode : 0, id, id_size);
    if ((ret->file == LIBC_FILE_OTHER || ret->file == LIBC_FILE_GONE) && first && is_outside(view, first))
        ret->file = LIBC_FILE_OUTSIDE;
}

/* ---- which objects they are ---- */

static bool has(const struct linkmap *linkmap, const struct linkmap_object *object, const char *symbol)
{
    struct memimage_symbol unused;
    struct memimage image;
    bool found;

    if (linkmap_image(linkmap, object, &image) < 0)
        return false;
    found = memimage_symbol(&image, symbol, NULL, &unused) == 0;
    memimage_deinit(&image);
    return found;
}

/* BY_SYMBOL: whatever it calls itself. Layers over musl have such a function too (gcompat), and are no C library. */
static bool of_glibc(const struct linkmap *linkmap, struct linkmap_object *object, bool by_symbol)
{
    linkmap_read_needs(linkmap, object);
    return by_symbol ? has(linkmap, object, "gnu_get_libc_version")
                     : object->soname && strcmp(object->soname, "libc.so.6") == 0;
}

/* By its words: it may have no soname, and layers over musl have its functions too. */
static bool of_musl(const struct view *view, const struct linkmap *linkmap, const struct linkmap_object *object)
{
    struct libc_identity says = {.family = "unknown"};
    struct memimage image;
    bool musl;

    if (!has(linkmap, object, "__libc_start_main") || linkmap_image(linkmap, object, &image) < 0)
        return false;
    identify_image(view, &image, &says);
    musl = strcmp(says.family, "musl") == 0;
    memimage_deinit(&image);
    libc_identity_deinit(&says);
    return musl;
}

static bool is_library(const struct linkmap_object *object)
{
    return object->kind == LINKMAP_LIBRARY;
}

/* The first one of the program's own namespace, else of any. */
static struct linkmap_object *find_libc(struct linkmap *linkmap)
{
    struct linkmap_object *found = NULL;

    for (int by_symbol = 0; by_symbol < 2 && !found; by_symbol++)
        for (size_t i = 0; i < linkmap->count; i++) {
            struct linkmap_object *object = &linkmap->objects[i];

            if (linkmap->musl ? object->kind != LINKMAP_LOADER
                              : !is_library(object) || !of_glibc(linkmap, object, by_symbol))
                continue;
            if (object->space == 0)
                return object;
            found = found ? found : object;
        }
    return found;
}

static char *find_other(const struct view *view, struct linkmap *linkmap, const struct linkmap_object *libc)
{
    for (size_t i = 0; libc && i < linkmap->count; i++) {
        struct linkmap_object *object = &linkmap->objects[i];

        if (object != libc && is_library(object) && object->base_addr != libc->base_addr &&
            (of_glibc(linkmap, object, false) || of_musl(view, linkmap, object)))
            return xstrdup(object->path ? object->path : object->name);
    }
    return NULL;
}

static void take_object(const struct view *view, const struct linkmap *linkmap, const struct linkmap_object *object,
                        struct libc_part *ret)
{
    struct memimage image;

    if (linkmap_image(linkmap, object, &image) < 0)
        return;
    take_image(view, &image, object->path && object->path[0] == '/' ? xstrdup(object->path) : NULL, ret);
    memimage_deinit(&image);
}

/* At BASE where it is not in the list: it has not come to life yet, or was run itself without a program. */
static void take_loader(const struct view *view, struct linkmap *linkmap, uint64_t base, struct libc_part *ret)
{
    struct memimage image;

    for (size_t i = 0; i < linkmap->count && !ret->there; i++)
        if (linkmap->objects[i].kind == LINKMAP_LOADER)
            take_object(view, linkmap, &linkmap->objects[i], ret);
    if (ret->there)
        return;
    if (linkmap->command ? memimage_of_headers(linkmap->process.mem, linkmap->auxv.phdr, linkmap->auxv.phnum, &image)
        : base           ? memimage_at(linkmap->process.mem, base, &image)
                         : -1)
        return;
    take_image(view, &image, NULL, ret);
    memimage_deinit(&image);
}

static struct libc_part part_copy(const struct libc_part *part)
{
    struct libc_part copy = *part;

    copy.says.release = xstrdup_or_null(part->says.release);
    copy.says.build = xstrdup_or_null(part->says.build);
    copy.least = xstrdup_or_null(part->least);
    copy.path = xstrdup_or_null(part->path);
    return copy;
}

static void read_memory(const struct view *view, const struct proc_image *image, const struct procmem *procmem,
                        struct libc_memory *ret)
{
    const struct linkmap_process process = {view->pid, &procmem->mem, image->exe};
    struct linkmap_object *libc;
    struct linkmap linkmap;

    linkmap_init(&process, &image->auxv, &linkmap);
    linkmap_update(&linkmap);
    ret->musl |= linkmap.musl;
    if (linkmap.command && linkmap.count)
        ret->program = file_at(view, linkmap.objects[0].dynamic_addr);
    take_loader(view, &linkmap, image->loader_base, &ret->loader);
    libc = find_libc(&linkmap);
    if (libc)
        take_object(view, &linkmap, libc, &ret->libc);
    else if (ret->musl && ret->loader.there)
        ret->libc = part_copy(&ret->loader);
    ret->other = find_other(view, &linkmap, libc);
    linkmap_deinit(&linkmap);
}

/* ---- by the files that are mapped ---- */

/* The mappings that may be LIBC's: as Debian and others have named it ("libc-2.31.so"), or as its soname says. */
static bool named_like(const struct mapping *mapping, bool loader, bool musl)
{
    const char *name = path_base(mapping->name);

    if (!mapping->inode || mapping->permissions[2] != 'x')
        return false;
    if (loader || musl) /* musl's is both, and Debian's link to it ends at "libc.so" */
        return strncmp(name, "ld-", 3) == 0 || strncmp(name, "ld.so", 5) == 0 || strncmp(name, "libc.", 5) == 0;
    return strncmp(name, "libc.so.6", 9) == 0 || (strncmp(name, "libc-", 5) == 0 && isdigit((unsigned char)name[5]));
}

static void take_file(const struct view *view, const struct mapping *mapping, struct libc_part *ret)
{
    struct stat st;

    ret->there = true;
    ret->path = path_of(view, mapping);
    ret->file = file_now(view, ret->path, mapping->inode, NULL, 0);
    if (ret->file == LIBC_FILE_SAME && path_stat(view->root, ret->path, &st) == 0)
        libc_identify(view->root, ret->path, &ret->says);
    if (ret->file == LIBC_FILE_SAME && !ret->says.release)
        ret->least = libc_least_of_file(view->root, ret->path);
}

static void read_files(const struct view *view, struct libc_memory *ret)
{
    struct libc_part *parts[] = {&ret->libc, &ret->loader};

    for (int loader = 0; loader < 2; loader++)
        for (size_t i = 0; i < view->count && !parts[loader]->there; i++)
            if (named_like(&view->mappings[i], loader, ret->musl))
                take_file(view, &view->mappings[i], parts[loader]);
}

/* ---- both ---- */

void libc_memory_read(pid_t pid, const char *root, struct libc_memory *ret)
{
    struct proc_image image;
    struct procmem procmem;
    size_t count;
    struct mapping *mappings = mappings_read(pid, &count);
    struct view view = {.pid = pid, .root = root, .fd = -1, .mappings = mappings, .count = count};

    *ret = (struct libc_memory){.mapped = mappings && count};
    ret->libc.says.family = ret->loader.says.family = "unknown";
    if (!ret->mapped || proc_image_read(pid, root, "", 0, &image) < 0) {
        mappings_free(mappings, count);
        return;
    }
    ret->musl = image.musl;
    if (image.class && procmem_open(pid, image.class == ELFCLASS32 ? 4 : 8, &procmem)) {
        ret->read = true;
        view.fd = procmem.fd;
        read_memory(&view, &image, &procmem, ret);
        procmem_close(&procmem);
    } else {
        read_files(&view, ret);
    }
    proc_image_deinit(&image);
    mappings_free(mappings, count);
}

void libc_part_deinit(struct libc_part *part)
{
    libc_identity_deinit(&part->says);
    free(part->least);
    free(part->path);
    *part = (struct libc_part){.says.family = "unknown"};
}

void libc_memory_deinit(struct libc_memory *memory)
{
    libc_part_deinit(&memory->libc);
    libc_part_deinit(&memory->loader);
    free(memory->other);
    free(memory->program);
    *memory = (struct libc_memory){0};
}
