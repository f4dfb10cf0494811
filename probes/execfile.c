#include "execfile.h"

#include "alloc.h"
#include "mount.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { DEEPEST = 5, FIRST_LINE = 256 /* BINPRM_BUF_SIZE */ };

char *execfile_script_line(int fd, char **argument)
{
    char line[FIRST_LINE + 1];
    ssize_t n = pread(fd, line, FIRST_LINE, 0);
    size_t start = 2, size, end;

    *argument = NULL;
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return NULL;
    line[n] = '\0';
    start += strspn(line + start, " \t");
    size = strcspn(line + start,
                   " \t\n"); /* the kernel cuts at these and nothing else: a carriage return belongs to the name */
    if (start + size >= FIRST_LINE - 1) /* cut off, and refused: ENOEXEC */
        return NULL;
    end = start + size + strcspn(line + start + size, "\n");
    while (end > start + size && (line[end - 1] == ' ' || line[end - 1] == '\t'))
        end--;
    for (size_t at = start + size; at < end && !*argument; at++)
        if (line[at] != ' ' && line[at] != '\t')
            *argument = xstrndup(line + at, end - at);
    return size ? xstrndup(line + start, size) : NULL;
}

char *execfile_script_program(int fd)
{
    CLEANUP_FREE char *argument = NULL;

    return execfile_script_line(fd, &argument);
}

/* This kernel runs its own machine's files and, where the 32-bit entry is compiled in, i386's; with binfmt_misc any.
 * Only asked after ENOEXEC. */
static const char *machine_of_kernel(void)
{
#if defined __x86_64__
    return "x86_64";
#elif defined __aarch64__
    return "aarch64";
#else
#error "name this machine as contract.md does"
#endif
}

static bool fits(const struct elffile *elf)
{
    const char *name = elffile_machine_name(elf);

    return strcmp(name, machine_of_kernel()) == 0;
}

/* The kernel asks for the machine before it looks at anything behind the header (load_elf_binary() of fs/binfmt_elf.c):
 * what else is wrong with a file for another machine is no matter here. */
static bool tells_machine(const struct elffile *elf)
{
    return elf->machine != EM_NONE || elf->state == ELFFILE_OK;
}

/* Without credentials the kernel is asked what this process may do; it must have looked at the file already (FD's
 * status is ST). */
static bool may_execute(const char *root, const char *path, const struct stat *st, const struct cred *cred)
{
    struct path_walk walk;
    bool may;

    if (cred)
        return path_permits(st, cred, X_OK);
    path_walk(root, "/", path, NULL, &walk); /* no link is left to lead out of it */
    CLEANUP_FREE char *real = xasprintf("%s%s", root, walk.final ? walk.final : path);
    may = faccessat(AT_FDCWD, real, X_OK, AT_EACCESS) == 0;
    path_walk_deinit(&walk);
    return may;
}

/* Nothing on such a mount may be executed, whatever its mode; ERROR 0: the kernel was not asked. */
static bool mount_forbids(int fd, const struct stat *st, const struct cred *cred, int error)
{
    return (error == EACCES || error == 0) && S_ISREG(st->st_mode) &&
           (cred ? path_permits(st, cred, X_OK) : st->st_mode & 0111) && fd >= 0 && mount_forbids_execution(fd);
}

/* PROGRAM's PT_INTERP, which is there (its status is ST): open_exec() of fs/exec.c asks for its x bit, too; then
 * load_elf_binary() of fs/binfmt_elf.c for an ELF file of the program's own machine (ELIBBAD). */
static enum execfile_verdict look_at_loader(const char *root, const struct elffile *program, const struct stat *st,
                                            const struct cred *cred, int error, struct execfile *ret)
{
    CLEANUP_CLOSE int fd = path_open(root, program->interp);
    CLEANUP_FREE char *path = xstrdup(program->interp);
    const struct elffile *loader;
    enum execfile_verdict verdict = EXECFILE_SOUND;

    if (error != EACCES && (fd < 0 || !S_ISREG(st->st_mode)) && error != 0)
        return EXECFILE_SOUND;
    if (mount_forbids(fd, st, cred, error)) {
        ret->mount = mount_of(root, path);
        verdict = EXECFILE_NOEXEC_MOUNT;
    } else if ((error == EACCES || error == 0) && (!S_ISREG(st->st_mode) || !may_execute(root, path, st, cred))) {
        verdict = EXECFILE_NOT_PERMITTED;
    }
    if (verdict != EXECFILE_SOUND) {
        free(ret->path);
        ret->path = steal_pointer(&path);
        return verdict;
    }
    if (error == EACCES || fd < 0)
        return EXECFILE_SOUND;
    loader = elffile_get_fd(fd);
    if (loader->state != ELFFILE_OK && loader->state != ELFFILE_UNREADABLE) {
        verdict = EXECFILE_BROKEN;
    } else if (loader->state == ELFFILE_OK &&
               strcmp(elffile_machine_name(loader), elffile_machine_name(program)) != 0) {
        ret->machine_wanted = elffile_machine_known(program->class, program->machine, program->data);
        verdict = ret->machine_wanted ? EXECFILE_OTHER_MACHINE : EXECFILE_BROKEN;
    }
    if (verdict == EXECFILE_SOUND) {
        elffile_put(loader);
        return verdict;
    }
    ret->asker = steal_pointer(&ret->path);
    ret->path = steal_pointer(&path);
    elffile_put(ret->elf); /* it was the program's */
    ret->elf = loader;
    return verdict;
}

static enum execfile_verdict look_at_elf(const char *root, const struct elffile *elf, const struct cred *cred,
                                         int error, struct execfile *ret)
{
    struct stat st;

    if (elf->state == ELFFILE_NOT_ELF)
        return EXECFILE_TEXT;
    if (tells_machine(elf) && !fits(elf) && (error == ENOEXEC || error == 0)) {
        ret->machine_wanted = machine_of_kernel();
        return EXECFILE_OTHER_MACHINE;
    }
    if (elf->state != ELFFILE_OK && elf->state != ELFFILE_UNREADABLE)
        return EXECFILE_BROKEN;
    if (elf->interp_bad && (error == 0 || error == ENOEXEC || error == EACCES)) /* EACCES: "" is opened as "/" is */
        return EXECFILE_BROKEN;
    if (elf->interp && path_stat(root, elf->interp, &st) < 0) {
        ret->interpreter = xstrdup(elf->interp);
        return EXECFILE_INTERP_ABSENT;
    }
    if (elf->interp && *elf->interp && (error == 0 || error == EACCES || error == ELIBBAD || error == EIO)) {
        enum execfile_verdict verdict = look_at_loader(root, elf, &st, cred, error, ret);

        if (verdict != EXECFILE_SOUND)
            return verdict;
    }
    if (error == ENOEXEC)
        return EXECFILE_BROKEN;
    return EXECFILE_SOUND;
}

static enum execfile_verdict look(const char *root, const char *path, const struct cred *cred, int error, int depth,
                                  struct execfile *ret);

static enum execfile_verdict look_at_script(const char *root, char *program, const struct cred *cred, int error,
                                            int depth, struct execfile *ret)
{
    struct stat st;
    enum execfile_verdict verdict;

    if (path_stat(root, program, &st) < 0) {
        ret->interpreter = program;
        return EXECFILE_SCRIPT_ABSENT;
    }
    if (depth >= DEEPEST || program[0] != '/') {
        free(program);
        return depth >= DEEPEST && (error == ELOOP || error == 0) ? EXECFILE_TOO_DEEP : EXECFILE_SOUND;
    }
    free(ret->path);
    ret->path = program;
    verdict = look(root, program, cred, error, depth + 1, ret);
    if (verdict == EXECFILE_TEXT && (error == ENOEXEC || error == 0)) /* nobody's shell runs it */
        return EXECFILE_BROKEN;
    return verdict;
}

static enum execfile_verdict look(const char *root, const char *path, const struct cred *cred, int error, int depth,
                                  struct execfile *ret)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    CLEANUP_FREE char *at = xstrdup(path); /* RET->path may be what PATH points into */
    char *program;
    struct stat st;

    if (path_stat(root, at, &st) < 0)
        return EXECFILE_SOUND;
    /* Before the question of permission: for access(2) too, nothing on such a mount may be executed. */
    if (mount_forbids(fd, &st, cred, error)) {
        ret->mount = mount_of(root, at);
        return EXECFILE_NOEXEC_MOUNT;
    }
    if (!S_ISREG(st.st_mode) || !may_execute(root, at, &st, cred))
        return EXECFILE_NOT_PERMITTED;
    if (fd < 0)
        return EXECFILE_SOUND;
    if (st.st_size == 0)
        return EXECFILE_BROKEN;
    program = execfile_script_program(fd);
    if (program)
        return look_at_script(root, program, cred, error, depth, ret);
    if (ret->elf)
        elffile_put(ret->elf);
    ret->elf = elffile_get_fd(fd);
    return look_at_elf(root, ret->elf, cred, error, ret);
}

void execfile_inspect(const char *root, const char *path, const struct cred *cred, int error, struct execfile *ret)
{
    *ret = (struct execfile){.path = xstrdup(path)};
    ret->verdict = look(root, path, cred, error, 0, ret);
    if (ret->verdict == EXECFILE_TOO_DEEP) { /* it takes all of them */
        CLEANUP_CLOSE int fd = path_open(root, path);

        free(ret->path);
        ret->path = xstrdup(path);
        ret->interpreter = fd >= 0 ? execfile_script_program(fd) : NULL;
    }
}

bool execfile_is_secure(const char *root, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct statvfs mount;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatvfs(fd, &mount) < 0 || mount.f_flag & ST_NOSUID)
        return false;
    if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
        return true;
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0; /* root gains nothing by them */
}

void execfile_deinit(struct execfile *file)
{
    free(file->path);
    free(file->asker);
    free(file->interpreter);
    free(file->mount);
    if (file->elf)
        elffile_put(file->elf);
    *file = (struct execfile){0};
}
