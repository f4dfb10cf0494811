/* Which C library a process runs on: by its memory, whatever stands in its files now. */
#include "libc_use.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/libc_memory.h>
#include <probes/proc.h>
#include <probes/runtime.h>
#include <probes/system.h>

/* The file that it runs, whatever its path has become: the link in /proc leads to the file itself (proc_pid_exe(5)). */
static const struct elffile *program_of(pid_t pid, char **path)
{
    *path = xasprintf("/proc/%d/exe", (int)pid);
    return elffile_get("", *path);
}

static bool is_replaced(const struct libc_part *part)
{
    return part->file == LIBC_FILE_OTHER || part->file == LIBC_FILE_GONE;
}

/* What stands at its path now. What it loads later (NSS modules, character sets, plugins) comes from there, and was
 * built for that one. */
static void tell_replaced(struct libc_use *use, const struct libc_part *part)
{
    struct libc_identity now;
    CLEANUP_FREE char *what = NULL;
    struct stat unused;

    if (part->file == LIBC_FILE_GONE)
        libc_use_note(use, "the file %s is gone: what it loads later may not fit; start it again", part->path);
    if (part->file != LIBC_FILE_OTHER && part->file != LIBC_FILE_OUTSIDE)
        return;
    libc_identify(use->root, part->path, &now);
    what = now.release                                     ? xasprintf("%s %s", now.family, now.release)
           : path_stat(use->root, part->path, &unused) < 0 ? xstrdup("not there")
                                                           : xstrdup("another file");
    if (part->file == LIBC_FILE_OUTSIDE)
        libc_use_note(use, "it has entered another root since it was loaded, where %s is %s", part->path, what);
    else
        libc_use_note(use,
                      "at %s stands %s now, of another build: what it loads later comes from there; start it again",
                      part->path, what);
    libc_identity_deinit(&now);
}

static void of_libc(struct libc_use *use, struct libc_memory *memory)
{
    struct libc_part *part = &memory->libc;
    const char *more = is_replaced(part) ? "; the file has been replaced since it was loaded" : "";

    use->least = xstrdup_or_null(part->least);
    if (part->says.release) {
        libc_use_says(use, &part->says, part->path);
        if (memory->read)
            libc_use_known(use, "memory", 99, "the banner in its memory%s", more);
        else
            libc_use_known(use, "mapped file", 97,
                           "the banner in the file that it has mapped (its memory may not be "
                           "read)");
    } else {
        part->says.family = memory->musl ? "musl" : memory->read || part->least ? "glibc" : "unknown";
        libc_use_says(use, &part->says, part->path);
        if (part->least)
            libc_use_known(
                use, "versions", 90,
                "no banner is there; the versions that it defines are a lower bound of the release: at least "
                "%s",
                part->least);
        else if (memory->read)
            libc_use_known(use, "name", 70, "the name and symbols of what is loaded; it does not say its release");
        else
            libc_use_known(use, "nothing", 0,
                           "its memory may not be read, and its file has been replaced since it was loaded");
    }
    tell_replaced(use, part);
    if (part->file != LIBC_FILE_SAME) { /* nothing is to be looked up there for it */
        free(use->root);
        use->root = NULL;
    }
    if (memory->other)
        libc_use_note(use, "%s is a second C library in it", memory->other);
}

/* A loader, but nothing that is a C library. */
static void of_loader(struct libc_use *use, struct libc_memory *memory, const struct elffile *program)
{
    bool needs = program->state == ELFFILE_OK && program->needed_count;

    if (program->state == ELFFILE_OK && !needs) {
        use->libc.family = xstrdup("none");
        libc_use_known(use, "loaded objects", 97, "a loader is in its memory, but nothing that needs a C library");
        return;
    }
    use->least = xstrdup_or_null(memory->loader.least);
    libc_use_says(use, &memory->loader.says, NULL);
    libc_use_known(use, "loader", use->libc.version ? 85 : 50,
                   "the words of the loader in its memory: the C library is not loaded (yet)");
}

static void of_none(struct libc_use *use, const struct elffile *program, const char *path)
{
    if (!program->interp) {
        libc_use_static(use, "", path);
        return;
    }
    use->libc.family = xstrdup("unknown");
    libc_use_known(use, "nothing", 0, "no C library and no loader are in its memory, though it names one");
}

static void take_loader(struct libc_use *use, struct libc_memory *memory)
{
    use->loader = steal_pointer(&memory->loader.path);
    use->loader_says = memory->loader.says;
    memory->loader.says = (struct libc_identity){.family = "unknown"};
}

static void look(pid_t pid, struct libc_memory *memory, struct libc_use *use)
{
    CLEANUP_FREE char *path = NULL;
    const struct elffile *program = program_of(pid, &path);
    bool skewed = memory->libc.there && !memory->musl && libc_other_builds(&memory->libc.says, &memory->loader.says);

    if (program->state == ELFFILE_OK)
        use->machine = xstrdup_or_null(elffile_machine_known(program->class, program->machine, program->data));
    if (memory->libc.there)
        of_libc(use, memory);
    else if (memory->loader.there)
        of_loader(use, memory, program);
    else
        of_none(use, program, path);
    if (memory->loader.there)
        take_loader(use, memory);
    elffile_put(program);
    if (skewed)
        libc_use_skew(use, NULL, false);
}

/* Why it cannot be looked at, or 0. */
static int check(pid_t pid, struct proc_status *status, struct err *err)
{
    if (proc_status_read(pid, status) < 0)
        return err_set(err, "there is no process %d", (int)pid);
    if (status->state == 'Z' || status->state == 'X')
        return err_set(err, "process %d (%s) has ended: its memory is gone", (int)pid, status->name);
    return 0;
}

/* Nothing of it could be read: it ended meanwhile, or may not be looked at. */
static int refused(pid_t pid, const struct proc_status *before, struct err *err)
{
    struct proc_status now;
    int result = check(pid, &now, err);

    if (result == 0)
        err_set(err, "process %d (%s) may not be looked at: it runs as user %u, and that takes the rights of ptrace(2)",
                (int)pid, before->name, (unsigned)before->user);
    proc_status_deinit(&now);
    return -1;
}

static void of_kernel(struct libc_use *use)
{
    use->how = "kernel";
    use->libc.family = xstrdup("none");
    libc_use_known(use, "kernel", 99, "it is a thread of the kernel: it runs no program");
}

static void of_process(pid_t pid, const struct proc_status *status, const char *root, struct libc_memory *memory,
                       struct libc_uses *uses)
{
    struct libc_use *use = libc_uses_add(uses);
    struct proc_image image;

    use->pid = pid;
    use->root = xstrdup(root);
    if (status->kernel_thread) {
        use->of = xstrdup(status->name);
        of_kernel(use);
        return;
    }
    proc_image_read(pid, root, "", 0, &image);
    use->of = memory->program ? steal_pointer(&memory->program)
              : image.exe     ? xstrdup(image.exe)
                              : xstrdup(status->name);
    proc_image_deinit(&image);
    use->context = xstrdup(system_context_of(pid, root));
    look(pid, memory, use);
}

int libc_use_process(pid_t pid, struct libc_uses *uses, struct err *err)
{
    struct proc_status status;
    struct libc_memory memory = {0};
    CLEANUP_FREE char *root = NULL;
    int result = check(pid, &status, err);

    if (result == 0) {
        root = proc_root(pid);
        libc_memory_read(pid, root, &memory);
        if (!status.kernel_thread && !memory.mapped)
            result = refused(pid, &status, err);
        else
            of_process(pid, &status, root, &memory, uses);
        libc_memory_deinit(&memory);
    }
    proc_status_deinit(&status);
    return result;
}
