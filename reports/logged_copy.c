/* Where libraries stand, as far as a log without their files tells (judge_logged.c): which of two was taken, and why.
 */
#include "judge.h"

#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

#define HALF_KNOWN 0.45
#define FILE_LIKELY 0.85
#define MOUNT_LIKELY 0.6
#define COPY_LIKELY 0.7

/* A copy of the library of NAME's name that would have done, and is not PATH. */
const char *logged_copy(const struct process *process, const char *path)
{
    for (size_t i = 0; i < process->copies.n; i++)
        if (strcmp(path_base(process->copies.v[i]), path_base(path)) == 0 && strcmp(process->copies.v[i], path) != 0)
            return process->copies.v[i];
    return NULL;
}

/* Our own log: what stood elsewhere was looked at then, and noted. */
static bool has_notes(const struct process *process)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].needed.n)
            return true;
    return process->loaded_count > 0;
}

/* A variable of the process's has put the library at PATH first: its environment is in the log. */
bool logged_put_first(const struct process *process, const char *path)
{
    static const char *const variables[] = {"LD_LIBRARY_PATH", "LD_PRELOAD"};
    CLEANUP_FREE char *directory = path_dir(path);

    for (size_t i = 0; i < 2 && !process->by_words && path[0] == '/' && !has_notes(process); i++) {
        const char *value = process_env(process, variables[i]), *name = i ? path : directory;

        for (size_t n; value && *value; value += n + (value[n] != '\0')) {
            n = strcspn(value, i ? ": " : ":;");
            if (n == strlen(name) && strncmp(value, name, n) == 0)
                return true;
        }
    }
    return false;
}

/* A part of glibc that is not where the system has it: there are two. */
bool logged_second_libc(const struct process *process, const char *path)
{
    static const char *const names[] = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path_base(path), names[i]) == 0)
            return !has_notes(process) && path[0] == '/' && strncmp(path, "/lib", 4) != 0 &&
                   strncmp(path, "/usr/lib", 8) != 0;
    return false;
}

/* The only library that a variable has put first is the one that lacks it, most likely. */
void logged_only_put_first(struct finding *finding)
{
    const struct process *process = finding->process;
    const char *one = NULL;

    for (size_t i = 0; i < process->act_count; i++) {
        const struct load_act *act = &process->acts[i];

        if (act->error || !logged_put_first(process, act->path))
            continue;
        if (one && strcmp(one, act->path) != 0)
            return;
        one = act->path;
    }
    if (!one)
        return;
    finding->kind = CAUSE_LIBRARY_SHADOWED;
    finding->provider = one;
}

/* What is made for passing things is mounted so, else no more is known than the directory. */
char *logged_mount(const struct process *process, const char *path)
{
    static const char *const mounts[] = {"/dev/shm", "/var/tmp", "/tmp", "/run/lock", "/run/shm"};
    char *point = process->by_words ? pasted_noexec_mount(process, path) : NULL;

    for (size_t i = 0; !point && i < sizeof mounts / sizeof *mounts; i++) {
        size_t n = strlen(mounts[i]);

        if (strncmp(path, mounts[i], n) == 0 && path[n] == '/')
            point = xstrdup(mounts[i]);
    }
    return point ? point : path_dir(path);
}

bool logged_libc_of_musl(const char *name)
{
    return strncmp(name, "libc.musl-", 10) == 0 || strncmp(name, "ld-musl-", 8) == 0 || strcmp(name, "libc.so") == 0;
}

/* musl has all of these in one (ldso/dynlink.c of it: reserved names), but not what glibc has besides. */
bool logged_libc_of_glibc(const char *name)
{
    return strcmp(name, "libc.so.6") == 0 || strncmp(name, "ld-linux", 8) == 0 || strcmp(name, "libresolv.so.2") == 0 ||
           strcmp(name, "libanl.so.1") == 0;
}

double logged_most(const struct process *process, const struct loader_error *error, const struct finding *finding)
{
    if (process->by_words)
        return 0;
    if (judge_logged_cut(finding->missing) || (error && error->args[0] && judge_logged_cut(error->args[0])))
        return HALF_KNOWN;
    if (finding->kind == CAUSE_LIBRARY_SHADOWED && !finding->elsewhere)
        return COPY_LIKELY; /* that there is a good one nobody has seen */
    if (finding->kind == CAUSE_NOEXEC_MOUNT && !(error && error->mount))
        return MOUNT_LIKELY;
    if (finding->kind == CAUSE_CPU_LEVEL_TOO_LOW && strncmp(finding->missing, "x86-64-v", 8) != 0)
        return HALF_KNOWN;
    if (finding->kind == CAUSE_LIBRARY_MISSING && !has_notes(process))
        return FILE_LIKELY; /* or it lies elsewhere, or a link to it leads nowhere: ENOENT is all that is told */
    return 0;
}
