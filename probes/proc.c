#include "proc.h"

#include "alloc.h"
#include "auxv.h"
#include "elffile.h"
#include "startstack.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { CHANNELS_LOOKED_AT = 32 };

enum {
    STRINGS_LIMIT = 4 * 1024 * 1024, /* of argv and environment; the kernel's own limit is 6 MB (execve(2)) */
    STATUS_LIMIT = 64 * 1024,        /* a process may be in 65,536 groups, but none is */
    MAPS_LIMIT = 16 * 1024 * 1024,
};

/* WHOLE: the file gives all that is asked for in one read (status, cmdline, environ and auxv of a process do:
 * single_open(), get_mm_cmdline(), environ_read() in fs/proc of the kernel), so that a short read is the end. */
static char *read_file(const char *path, size_t limit, bool whole, size_t *size)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0, room = 4096;

    if (fd < 0)
        return NULL;
    CLEANUP_FREE char *data = xmalloc(room + 1);
    for (;;) {
        ssize_t got = read(fd, data + have, room - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return NULL;
        have += (size_t)got;
        if (!got || have >= limit || (whole && have < room))
            break;
        if (have == room) {
            room = room * 2 < limit ? room * 2 : limit;
            data = xrealloc(data, room + 1);
        }
    }
    data[have] = 0;
    if (size)
        *size = have;
    return steal_pointer(&data);
}

char *proc_read(const char *path, size_t limit, size_t *size)
{
    return read_file(path, limit, false, size);
}

static char *read_of(pid_t pid, const char *what, size_t limit, size_t *size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    return read_file(path, limit, strcmp(what, "maps") != 0, size);
}

static char *link_of(pid_t pid, const char *what)
{
    char path[64], target[PATH_MAX];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t n = readlink(path, target, sizeof target);

    return n > 0 && (size_t)n < sizeof target ? xstrndup(target, (size_t)n) : NULL;
}

/* d_path(), fs/d_path.c of the kernel. */
char *proc_inside_root(pid_t pid, char *path)
{
    if (!path || path[0] != '/')
        return path;
    CLEANUP_FREE char *root = link_of(pid, "root");
    size_t n = root ? strlen(root) : 0;

    if (n > 1 && !strncmp(path, root, n) && (path[n] == '/' || !path[n])) {
        char *inside = xstrdup(path[n] ? path + n : "/");

        free(path);
        return inside;
    }
    return path;
}

char *proc_cwd(pid_t pid)
{
    char *cwd = proc_inside_root(pid, link_of(pid, "cwd"));

    if (cwd && cwd[0] != '/') { /* "(unreachable)/…" */
        free(cwd);
        cwd = NULL;
    }
    return cwd;
}

char *proc_fd_path(pid_t pid, int fd)
{
    char what[32];

    snprintf(what, sizeof what, "fd/%d", fd);
    return proc_inside_root(pid, link_of(pid, what));
}

bool proc_fd_hushed(pid_t pid, int fd, int own_fd)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return false;
    return syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, own_fd, fd) != 0;
}

bool proc_has_channel(pid_t pid)
{
    for (int fd = STDERR_FILENO + 1; fd < CHANNELS_LOOKED_AT; fd++) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        if (stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
            return true;
    }
    return false;
}

static bool same_file(const char *path, pid_t pid, const char *what)
{
    struct stat ours, theirs;
    char other[64];

    snprintf(other, sizeof other, "/proc/%d/%s", (int)pid, what);
    return !stat(path, &ours) && !stat(other, &theirs) && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

char *proc_root(pid_t pid)
{
    if (same_file("/proc/self/ns/mnt", pid, "ns/mnt") && same_file("/", pid, "root/"))
        return xstrdup("");
    return xasprintf("/proc/%d/root", (int)pid);
}

static char **split_strings(pid_t pid, const char *what)
{
    size_t size = 0, count = 0, cap = 0;
    CLEANUP_FREE char *data = read_of(pid, what, STRINGS_LIMIT, &size);
    char **v = NULL;

    for (size_t at = 0; data && at < size; at += strlen(data + at) + 1)
        *(char **)array_add(&v, &count, &cap, sizeof *v) = xstrdup(data + at);
    array_add(&v, &count, &cap, sizeof *v);
    return v;
}

/* The file mapped at BASE and the end of its last mapping in a row. PATH is malloced or NULL. */
static uint64_t mapping_end(pid_t pid, uint64_t base, char **path)
{
    CLEANUP_FREE char *maps = read_of(pid, "maps", MAPS_LIMIT, NULL);
    char *rest = NULL;
    uint64_t last = 0;

    *path = NULL;
    for (char *line = maps ? strtok_r(maps, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned long long start, end;
        int name = 0;

        if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &start, &end, &name) < 2 || !name)
            continue;
        if (!last && start <= base && base < end && line[name] == '/') {
            *path = xstrdup(line + name);
            last = end;
        } else if (last && start == last && !strcmp(line + name, *path)) {
            last = end;
        } else if (last) {
            break;
        }
    }
    return last;
}

/* The part of a program header that matters here, of either class. */
struct segment {
    uint32_t type;
    uint64_t vaddr, memsz;
};

enum { SEGMENT_LIMIT = 64, PAGE = 4096 };

/* The memory behind a descriptor; what is looked for mostly lies in one page, which is read once. */
struct window {
    int fd;
    uint64_t addr;
    size_t size;
    char bytes[PAGE];
};

static bool window_read(struct window *window, uint64_t addr, void *buf, size_t n)
{
    if (addr > INT64_MAX - PAGE)
        return false;
    if (addr < window->addr || addr - window->addr >= window->size) {
        window->addr = addr & ~(uint64_t)(PAGE - 1);
        ssize_t got = pread(window->fd, window->bytes, PAGE, (off_t)window->addr);

        window->size = got > 0 ? (size_t)got : 0;
    }
    size_t at = (size_t)(addr - window->addr);

    if (at < window->size && n <= window->size - at) {
        memcpy(buf, window->bytes + at, n);
        return true;
    }
    return pread(window->fd, buf, n, (off_t)addr) == (ssize_t)n;
}

/* The program headers at ADDR in memory: how many were read. */
static size_t read_segments(struct window *memory, unsigned class, uint64_t addr, uint64_t count, struct segment *ret)
{
    union {
        Elf64_Phdr wide[SEGMENT_LIMIT];
        Elf32_Phdr narrow[SEGMENT_LIMIT];
    } headers;
    size_t n = count < SEGMENT_LIMIT ? (size_t)count : SEGMENT_LIMIT;
    size_t size = n * (class == ELFCLASS32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr));

    if (!window_read(memory, addr, &headers, size))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (class == ELFCLASS32)
            ret[i] = (struct segment){headers.narrow[i].p_type, headers.narrow[i].p_vaddr, headers.narrow[i].p_memsz};
        else
            ret[i] = (struct segment){headers.wide[i].p_type, headers.wide[i].p_vaddr, headers.wide[i].p_memsz};
    return n;
}

/* Where the image mapped at BASE ends, by its own headers; 0 where they cannot be read. */
static uint64_t image_end(struct window *memory, unsigned class, uint64_t base)
{
    struct segment segments[SEGMENT_LIMIT];
    union {
        Elf64_Ehdr wide;
        Elf32_Ehdr narrow;
    } header;
    uint64_t end = 0;

    if (!window_read(memory, base, &header, sizeof header) || memcmp(header.wide.e_ident, ELFMAG, SELFMAG))
        return 0;
    bool narrow = class == ELFCLASS32;
    size_t count = read_segments(memory, class, base + (narrow ? header.narrow.e_phoff : header.wide.e_phoff),
                                 narrow ? header.narrow.e_phnum : header.wide.e_phnum, segments);

    for (size_t i = 0; i < count; i++)
        if (segments[i].type == PT_LOAD && segments[i].vaddr + segments[i].memsz > end)
            end = segments[i].vaddr + segments[i].memsz;
    return end ? (base + end + 0xfff) & ~(uint64_t)0xfff : 0;
}

/* The program's own PT_INTERP, which names its loader. False where it cannot be read. */
static bool read_interp(struct window *memory, unsigned class, const struct auxv *auxv, char *ret, size_t size)
{
    struct segment segments[SEGMENT_LIMIT];
    const struct segment *interp = NULL, *headers = NULL;
    size_t count = read_segments(memory, class, auxv->phdr, auxv->phnum, segments);

    for (size_t i = 0; i < count; i++)
        if (segments[i].type == PT_INTERP)
            interp = &segments[i];
        else if (segments[i].type == PT_PHDR)
            headers = &segments[i];
    if (!interp || !headers || !interp->memsz || interp->memsz > size)
        return false;
    uint64_t addr = auxv->phdr - headers->vaddr + interp->vaddr;

    if (!window_read(memory, addr, ret, (size_t)interp->memsz))
        return false;
    ret[interp->memsz - 1] = 0;
    return true;
}

static bool is_musl(const char *loader)
{
    const char *name = path_base(loader);

    return !strncmp(name, "ld-musl", 7) || !strncmp(name, "libc.", 5);
}

/* By the headers in its memory, at a tenth of the price of /proc/PID/maps. False where that does not tell. */
static bool find_loader_in_memory(struct proc_image *image, int fd, const struct auxv *auxv)
{
    struct window memory = {.fd = fd};
    char interp[PATH_MAX];

    if (!auxv->base || fd < 0 || !read_interp(&memory, image->class, auxv, interp, sizeof interp))
        return false;
    image->loader_end = image_end(&memory, image->class, auxv->base);
    image->loader_base = image->loader_end ? auxv->base : 0;
    image->musl = is_musl(interp);
    return image->loader_end;
}

static void find_loader(struct proc_image *image, pid_t pid, int mem_fd, const struct auxv *auxv)
{
    CLEANUP_FREE char *path = NULL;
    uint64_t base = auxv->base;

    if (find_loader_in_memory(image, mem_fd, auxv))
        return;
    if (!base) {
        /* A static program, or ld.so itself run as a command: then it says so in its soname. */
        CLEANUP_FREE char *root = proc_root(pid);
        const struct elffile *elf = image->exe ? elffile_get(root, image->exe) : NULL;
        bool is_loader = elf && elf->soname && !strncmp(elf->soname, "ld", 2);

        if (elf)
            elffile_put(elf);
        if (!is_loader)
            return;
        base = auxv->phdr & ~(uint64_t)0xfff;
    }
    uint64_t end = mapping_end(pid, base, &path);

    if (end) {
        image->loader_base = base;
        image->loader_end = end;
        image->musl = is_musl(path);
    }
}

static void identify(struct proc_image *image, pid_t pid)
{
    unsigned char ident[20];
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &image->file) < 0)
        image->file = (struct stat){0};
    if (fd < 0 || pread(fd, ident, sizeof ident, 0) != sizeof ident || memcmp(ident, ELFMAG, SELFMAG))
        return;
    image->class = ident[EI_CLASS];
    image->machine =
        ident[EI_DATA] == ELFDATA2MSB ? (unsigned)(ident[18] << 8 | ident[19]) : (unsigned)(ident[19] << 8 | ident[18]);
}

/* Arguments, environment and auxiliary vector. */
static void read_start(struct proc_image *image, pid_t pid, int mem_fd, uint64_t stack_addr)
{
    unsigned word_size = image->class == ELFCLASS32 ? 4 : 8;

    if (stack_addr && startstack_read(mem_fd, stack_addr, word_size, &image->argv, &image->env, &image->auxv) == 0)
        return;
    image->argv = split_strings(pid, "cmdline");
    image->env = split_strings(pid, "environ");
    auxv_read(pid, word_size, &image->auxv);
}

int proc_image_read(pid_t pid, const char *root, const char *cwd, uint64_t stack_addr, struct proc_image *ret)
{
    struct proc_status status;
    char name[64];

    *ret = (struct proc_image){0};
    if (proc_status_read(pid, &status) < 0) {
        ret->argv = xcalloc(1, sizeof *ret->argv);
        ret->env = xcalloc(1, sizeof *ret->env);
        return -1;
    }
    ret->cred = status.cred;
    ret->ignored = status.ignored;
    ret->exe = link_of(pid, "exe");
    if (!root || root[0]) /* with our own root it is spelled as the process would */
        ret->exe = proc_inside_root(pid, ret->exe);
    ret->cwd = cwd ? xstrdup(cwd) : proc_cwd(pid);
    identify(ret, pid);
    snprintf(name, sizeof name, "/proc/%d/mem", (int)pid);
    CLEANUP_CLOSE int mem_fd = open(name, O_RDONLY | O_CLOEXEC);

    read_start(ret, pid, mem_fd, stack_addr);
    ret->secure = ret->auxv.secure;
    find_loader(ret, pid, mem_fd, &ret->auxv);
    return 0;
}

static void strings_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

void proc_image_deinit(struct proc_image *image)
{
    free(image->exe);
    free(image->cwd);
    free(image->cred.groups);
    strings_free(image->argv);
    strings_free(image->env);
    *image = (struct proc_image){0};
}

static void read_groups(const char *text, struct cred *cred)
{
    size_t cap = 0;

    for (char *end; *text && *text != '\n'; text = end) {
        unsigned long group = strtoul(text, &end, 10);

        if (end == text)
            break;
        *(gid_t *)array_add(&cred->groups, &cred->group_count, &cap, sizeof *cred->groups) = (gid_t)group;
        end += strspn(end, " \t");
    }
}

enum { CAPABILITY_DAC_OVERRIDE = 1 };

static void read_capabilities(const char *value, struct proc_status *ret)
{
    ret->capable = strtoull(value, NULL, 16);
    ret->cred.override = ret->capable >> CAPABILITY_DAC_OVERRIDE & 1;
}

static void read_status_line(const char *key, const char *value, struct proc_status *ret)
{
    if (!strcmp(key, "Name"))
        snprintf(ret->name, sizeof ret->name, "%s", value);
    else if (!strcmp(key, "State"))
        ret->state = value[0];
    else if (!strcmp(key, "Tgid"))
        ret->group = atoi(value);
    else if (!strcmp(key, "PPid"))
        ret->parent = atoi(value);
    else if (!strcmp(key, "TracerPid"))
        ret->tracer = atoi(value);
    else if (!strcmp(key, "Uid"))
        sscanf(value, "%u %*u %*u %u", &ret->user, &ret->cred.uid); /* real, effective, saved, file system */
    else if (!strcmp(key, "Gid"))
        sscanf(value, "%*u %*u %*u %u", &ret->cred.gid);
    else if (!strcmp(key, "Groups"))
        read_groups(value, &ret->cred);
    else if (!strcmp(key, "VmSize"))
        ret->kernel_thread = false;
    else if (!strcmp(key, "CapEff"))
        read_capabilities(value, ret);
    else if (!strcmp(key, "SigBlk"))
        ret->blocked = strtoull(value, NULL, 16);
    else if (!strcmp(key, "SigIgn"))
        ret->ignored = strtoull(value, NULL, 16);
    else if (!strcmp(key, "SigCgt"))
        ret->caught = strtoull(value, NULL, 16);
}

int proc_status_read(pid_t pid, struct proc_status *ret)
{
    CLEANUP_FREE char *text = read_of(pid, "status", STATUS_LIMIT, NULL);
    char *rest = NULL;

    *ret = (struct proc_status){.kernel_thread = true};
    if (!text)
        return -1;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');

        if (!colon)
            continue;
        *colon = 0;
        read_status_line(line, colon + 1 + strspn(colon + 1, " \t"), ret);
    }
    if (ret->state == 'Z' || ret->state == 'X')
        ret->kernel_thread = false; /* it has given its memory back already */
    return 0;
}

void proc_status_deinit(struct proc_status *status)
{
    free(status->cred.groups);
    status->cred.groups = NULL;
}

pid_t *proc_threads(pid_t pid, size_t *count)
{
    char path[64];
    size_t cap = 0;
    pid_t *threads = NULL;

    *count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *directory = opendir(path);

    if (!directory)
        return NULL;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (atoi(entry->d_name) > 0)
            *(pid_t *)array_add(&threads, count, &cap, sizeof *threads) = atoi(entry->d_name);
    closedir(directory);
    return threads;
}

int proc_yama_scope(void)
{
    CLEANUP_FREE char *text = proc_read("/proc/sys/kernel/yama/ptrace_scope", 64, NULL);

    return text ? atoi(text) : -1;
}

bool proc_capable(unsigned capability)
{
    CLEANUP_FREE char *text = proc_read("/proc/self/status", STATUS_LIMIT, NULL);
    const char *line = text ? strstr(text, "\nCapEff:") : NULL;

    return line && strtoull(line + 8, NULL, 16) >> capability & 1;
}

const char *env_value(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

size_t proc_read_at(int fd, uint64_t at, void *bytes, size_t size)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = pread(fd, (char *)bytes + n, size - n, (off_t)(at + n));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n;
}
