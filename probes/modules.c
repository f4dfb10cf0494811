#include "modules.h"

#include "alloc.h"
#include "codefile.h"
#include "gostack.h"
#include "path.h"
#include "v8stack.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    LINES_READ = 200000,
    HEADERS_MOST = 128,
    NOTES_MOST = 4096,
    IMAGE_MOST = 64 * 1024 * 1024, /* bytes of an object that are copied from memory */
};

void modules_init(struct modules *modules, pid_t pid, const char *root)
{
    *modules = (struct modules){.pid = pid, .root = xstrdup(root)};
}

static void module_free(struct module *module)
{
    codefile_close(module->file);
    gostack_destroy(module->go);
    v8stack_destroy(module->v8);
    free(module->path);
    free(module->seen);
    free(module);
}

static void forget_regions(struct modules *modules)
{
    for (size_t i = 0; i < modules->region_count; i++)
        free(modules->regions[i].name);
    modules->region_count = 0;
}

void modules_deinit(struct modules *modules)
{
    forget_regions(modules);
    for (size_t i = 0; i < modules->module_count; i++)
        module_free(modules->modules[i]);
    free(modules->modules);
    free(modules->regions);
    free(modules->root);
    *modules = (struct modules){0};
}

/* --- what is mapped --- */

static bool parse_region(const char *line, struct region *ret)
{
    char permissions[5];
    unsigned long inode;
    int at = 0;

    *ret = (struct region){0};
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %lu %n", &ret->start, &ret->end, permissions,
               &ret->offset, &inode, &at) < 5 ||
        !at || ret->start >= ret->end)
        return false;
    ret->inode = inode;
    ret->readable = permissions[0] == 'r';
    ret->writable = permissions[1] == 'w';
    ret->executable = permissions[2] == 'x';
    ret->name = xstrndup(line + at, strcspn(line + at, "\n"));
    return true;
}

static int read_regions(struct modules *modules)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)modules->pid), *line = NULL;
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    struct region region;
    size_t size = 0;

    if (!file || getline(&line, &size, file) <= 0) /* a process without memory has an empty file */
        return -1;
    forget_regions(modules);
    for (int i = 0; i < LINES_READ; i++) {
        if (parse_region(line, &region))
            *(struct region *)array_add(&modules->regions, &modules->region_count, &modules->region_cap,
                                        sizeof region) = region;
        if (getline(&line, &size, file) <= 0)
            break;
    }
    return 0;
}

const struct region *modules_region(const struct modules *modules, uint64_t addr)
{
    size_t low = 0, high = modules->region_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (modules->regions[middle].start <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low && addr < modules->regions[low - 1].end ? &modules->regions[low - 1] : NULL;
}

/* --- ELF objects among it --- */

struct headers {
    Elf64_Ehdr file;
    Elf64_Phdr program[HEADERS_MOST];
    size_t count;
};

static bool read_headers(const struct mem *mem, uint64_t addr, struct headers *ret)
{
    const Elf64_Ehdr *file = &ret->file;

    if (mem_read(mem, addr, &ret->file, sizeof ret->file) || memcmp(file->e_ident, ELFMAG, SELFMAG) ||
        file->e_ident[EI_CLASS] != ELFCLASS64 || file->e_machine != EM_X86_64 ||
        file->e_phentsize != sizeof(Elf64_Phdr) || !file->e_phnum || file->e_phnum > HEADERS_MOST)
        return false;
    ret->count = file->e_phnum;
    return mem_read(mem, addr + file->e_phoff, ret->program, ret->count * sizeof(Elf64_Phdr)) == 0;
}

static uint64_t page_down(uint64_t addr)
{
    return addr & ~UINT64_C(4095);
}

/* Where the object whose first page REGION holds begins and ends, and its bias. */
static bool place_module(const struct headers *headers, const struct region *region, struct module *ret)
{
    uint64_t low = UINT64_MAX, high = 0;
    bool first = false;

    for (size_t i = 0; i < headers->count; i++) {
        const Elf64_Phdr *header = &headers->program[i];

        if (header->p_type != PT_LOAD || header->p_memsz > UINT64_MAX - header->p_vaddr)
            continue;
        if (page_down(header->p_offset) == region->offset && !first) {
            ret->bias = region->start - page_down(header->p_vaddr);
            first = true;
        }
        if (page_down(header->p_vaddr) < low)
            low = page_down(header->p_vaddr);
        if (header->p_vaddr + header->p_memsz > high)
            high = header->p_vaddr + header->p_memsz;
    }
    ret->start = low + ret->bias;
    ret->end = page_down(high + 4095) + ret->bias;
    ret->first_end = region->end;
    return first && ret->start < ret->end && ret->start <= region->start;
}

static void find_build_id(const struct mem *mem, const struct headers *headers, struct module *ret)
{
    unsigned char notes[NOTES_MOST];

    for (size_t i = 0; i < headers->count; i++) {
        const Elf64_Phdr *header = &headers->program[i];
        size_t size = header->p_filesz < sizeof notes ? header->p_filesz : sizeof notes, at = 0;

        if (header->p_type != PT_NOTE || mem_read(mem, header->p_vaddr + ret->bias, notes, size))
            continue;
        while (at + sizeof(Elf64_Nhdr) <= size) {
            Elf64_Nhdr note;

            memcpy(&note, notes + at, sizeof note);
            size_t name = at + sizeof note, value = name + ((size_t)note.n_namesz + 3) / 4 * 4;

            if (value > size || note.n_descsz > size - value)
                break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
                note.n_descsz <= sizeof ret->build_id) {
                memcpy(ret->build_id, notes + value, note.n_descsz);
                ret->build_id_size = note.n_descsz;
                return;
            }
            at = value + ((size_t)note.n_descsz + 3) / 4 * 4;
        }
    }
}

/* As the process itself would name it: a root that is a directory of ours stands before it in what we see. */
static char *inside_root(const struct modules *modules, const char *seen)
{
    char root[4096];
    CLEANUP_FREE char *link = xasprintf("/proc/%d/root", (int)modules->pid);
    ssize_t n = readlink(link, root, sizeof root - 1);

    if (n > 1 && !strncmp(seen, root, (size_t)n) && seen[n] == '/')
        return xstrdup(seen + n);
    return xstrdup(seen);
}

static struct module *find_module(const struct modules *modules, const struct module *like)
{
    for (size_t i = 0; i < modules->module_count; i++) {
        struct module *module = modules->modules[i];

        if (module->start == like->start && module->end == like->end && module->inode == like->inode &&
            module->build_id_size == like->build_id_size &&
            !memcmp(module->build_id, like->build_id, like->build_id_size) && !strcmp(module->seen, like->seen))
            return module;
    }
    return NULL;
}

static struct module *module_at(struct modules *modules, const struct region *region, const struct mem *mem)
{
    static const char deleted[] = " (deleted)";
    struct module found = {.inode = region->inode, .seen = region->name}, *module;
    size_t n = strlen(region->name), cut = strlen(deleted);
    struct headers headers;

    if (!read_headers(mem, region->start, &headers) || !place_module(&headers, region, &found))
        return NULL;
    find_build_id(mem, &headers, &found);
    module = find_module(modules, &found);
    if (!module) {
        module = xmemdup(&found, sizeof found);
        module->seen = xstrdup(region->name);
        module->deleted = n > cut && !strcmp(region->name + n - cut, deleted);
        CLEANUP_FREE char *name = xstrndup(region->name, module->deleted ? n - cut : n);
        module->path = inside_root(modules, name);
        *(struct module **)array_add(&modules->modules, &modules->module_count, &modules->module_cap, sizeof module) =
            module;
    }
    module->kept = true;
    return module;
}

/* Whether the object that begins in region FIRST has code: mappings of its file that follow it. */
static bool has_code(const struct modules *modules, size_t first)
{
    for (size_t i = first; i < modules->region_count; i++) {
        const struct region *region = &modules->regions[i];

        if (region->inode && region->inode != modules->regions[first].inode)
            return false;
        if (i > first && region->offset == 0 && region->inode)
            return false;
        if (region->executable)
            return region->inode == modules->regions[first].inode;
    }
    return false;
}

int modules_read(struct modules *modules, const struct mem *mem)
{
    struct module *current = NULL;
    size_t left = 0;

    if (read_regions(modules) < 0)
        return -1;
    for (size_t i = 0; i < modules->module_count; i++)
        modules->modules[i]->kept = false;
    for (size_t i = 0; i < modules->region_count; i++) {
        struct region *region = &modules->regions[i];
        bool file = region->inode || !strcmp(region->name, "[vdso]");

        if (file && region->offset == 0 && region->readable && has_code(modules, i)) {
            struct module *module = module_at(modules, region, mem);

            current = module ? module : current;
        }
        if (current && region->start >= current->start && region->end <= current->end &&
            (!region->inode || region->inode == current->inode))
            region->module = current;
    }
    for (size_t i = 0; i < modules->module_count; i++) {
        if (modules->modules[i]->kept)
            modules->modules[left++] = modules->modules[i];
        else
            module_free(modules->modules[i]);
    }
    modules->module_count = left;
    return 0;
}

/* --- their files --- */

static bool same_id(const struct module *module, const struct codefile *file)
{
    const uint8_t *id;
    size_t n = codefile_build_id(file, &id);

    return n == module->build_id_size && (!n || !memcmp(id, module->build_id, n));
}

/* Takes FD if it is what is mapped. The device is not compared: overlayfs shows another one in maps than in stat(2). */
static struct codefile *file_if_same(const struct module *module, int fd, bool certain)
{
    struct codefile *file;
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (!certain && !module->build_id_size && (st.st_ino != module->inode || module->deleted))) {
        close(fd);
        return NULL;
    }
    file = codefile_open(fd);
    if (file && !same_id(module, file)) {
        codefile_close(file);
        return NULL;
    }
    return file;
}

/* The object as it lies in memory, where its file would have it; without sections, which lie nowhere. */
static struct codefile *file_from_memory(const struct module *module, const struct mem *mem, bool whole)
{
    struct headers headers;
    size_t size = 0;
    unsigned char *image;

    if (!read_headers(mem, module->start, &headers))
        return NULL;
    for (size_t i = 0; i < headers.count; i++) {
        const Elf64_Phdr *header = &headers.program[i];

        if (header->p_type == PT_LOAD && header->p_offset <= IMAGE_MOST && header->p_filesz <= IMAGE_MOST &&
            header->p_offset + header->p_filesz > size)
            size = header->p_offset + header->p_filesz;
    }
    if (whole) /* the vdso: a whole file, sections and all */
        size = module->first_end - module->start;
    if (size < sizeof(Elf64_Ehdr) || size > IMAGE_MOST)
        return NULL;
    image = xcalloc(1, size);
    for (size_t i = 0; i < headers.count; i++) {
        const Elf64_Phdr *header = &headers.program[i];

        if (!whole && header->p_type == PT_LOAD && header->p_offset <= size &&
            header->p_filesz <= size - header->p_offset)
            mem_read(mem, header->p_vaddr + module->bias, image + header->p_offset, header->p_filesz);
    }
    if (whole)
        mem_read(mem, module->start, image, size);
    memcpy(&headers.file, image, sizeof headers.file);
    if (!whole || headers.file.e_shoff > size ||
        (uint64_t)headers.file.e_shnum * sizeof(Elf64_Shdr) > size - headers.file.e_shoff)
        headers.file.e_shoff = headers.file.e_shnum = headers.file.e_shstrndx = 0;
    memcpy(image, &headers.file, sizeof headers.file);
    return codefile_image(image, size);
}

/* The program itself can be opened even where nothing has its name any more. */
static struct codefile *program_file(const struct modules *modules, const struct module *module)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/exe", (int)modules->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != module->inode) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    return file_if_same(module, fd, true);
}

struct codefile *modules_file(const struct modules *modules, struct module *module, const struct mem *mem)
{
    CLEANUP_FREE char *mapped = NULL;

    if (module->opened)
        return module->file;
    module->opened = true;
    if (!module->inode) {
        module->file = file_from_memory(module, mem, true);
        return module->file;
    }
    /* What is mapped itself, where we may (proc_pid_map_files(5): CAP_CHECKPOINT_RESTORE). */
    mapped = xasprintf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)modules->pid, module->start, module->first_end);
    module->file = file_if_same(module, open(mapped, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), true);
    if (!module->file)
        module->file = file_if_same(module, path_open(modules->root, module->path), false);
    if (!module->file)
        module->file = program_file(modules, module);
    if (!module->file && strcmp(module->path, module->seen) != 0)
        module->file = file_if_same(module, path_open("", module->seen), false);
    if (!module->file)
        module->file = file_from_memory(module, mem, false);
    return module->file;
}

/* --- separate debug information: gdb's manual, "Separate Debug Files" --- */

static bool add_by_id(struct codefile *file, const char *root)
{
    const uint8_t *id;
    size_t n = codefile_build_id(file, &id);
    char hex[2 * BUILD_ID_MOST + 1] = "";

    if (n < 2 || n > BUILD_ID_MOST)
        return false;
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    CLEANUP_FREE char *path = xasprintf("/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
    int fd = path_open(root, path);

    return fd >= 0 && codefile_add_debug(file, fd) == 0;
}

static bool add_by_link(struct codefile *file, const char *root, const char *path)
{
    uint32_t crc;
    CLEANUP_FREE char *name = codefile_debuglink(file, &crc), *directory = path_dir(path);

    if (!name || !*name || strchr(name, '/'))
        return false;
    for (int i = 0; i < 3; i++) {
        CLEANUP_FREE char *place =
            xasprintf("%s%s/%s%s", i == 2 ? "/usr/lib/debug" : "", directory, i == 1 ? ".debug/" : "", name);
        int fd = path_open(root, place);

        if (fd >= 0 && codefile_add_debug(file, fd) == 0)
            return true;
    }
    return false;
}

struct codefile *modules_names_file(const struct modules *modules, struct module *module, const struct mem *mem)
{
    struct codefile *file = modules_file(modules, module, mem);

    if (!file || module->debug_sought)
        return file;
    module->debug_sought = true;
    /* A build-id is the same thing everywhere, so what is installed here is as good as what is in the root. */
    if (!codefile_complete(file) && !add_by_id(file, modules->root) &&
        !add_by_link(file, modules->root, module->path) && *modules->root)
        add_by_id(file, "");
    return file;
}
