/* DIR is made; or nothing is. */
#include "sandbox.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { COPY_BYTES = 1 << 20, SPACE_MOST = 32 << 10 /* bytes that a linker leaves before the code, by far */ };

/* ---- away with it ---- */

/* What was there before, the directory itself, stays. */
static void remove_all(const struct sandbox *sandbox)
{
    char *const places[] = {sandbox->dir, NULL};
    FTS *walk = fts_open(places, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    while (walk && (entry = fts_read(walk))) {
        if (entry->fts_info == FTS_D) {
            if (entry->fts_level > 0)
                chmod(entry->fts_accpath, 0700); /* a copy of a directory that cannot be written */
        } else if (entry->fts_info != FTS_DP)
            unlink(entry->fts_accpath);
        else if (entry->fts_level > 0 || sandbox->made_dir)
            rmdir(entry->fts_accpath);
    }
    if (walk)
        fts_close(walk);
}

/* They are held back meanwhile, so that one of them finds a copy that can be taken away. */
static void ending_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGHUP);
}

static bool is_interrupted(void)
{
    sigset_t pending, ending;

    ending_signals(&ending);
    sigpending(&pending);
    sigandset(&pending, &pending, &ending);
    return !sigisemptyset(&pending);
}

/* ---- one file ---- */

static int make_parents(const struct sandbox *sandbox, const char *to, struct err *err)
{
    for (const char *slash = strchr(to, '/'); slash; slash = strchr(slash + 1, '/')) {
        CLEANUP_FREE char *path = xasprintf("%s/%.*s", sandbox->dir, (int)(slash - to), to);

        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_errno(err, errno, "%s", path);
    }
    return 0;
}

static int copy_bytes(int from, int to, const char *name, struct err *err)
{
    CLEANUP_FREE char *buffer = xmalloc(COPY_BYTES);
    ssize_t n;

    while ((n = read(from, buffer, COPY_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "%s cannot be read", name);
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, buffer + done, (size_t)(n - done));

            if (written < 0 && errno != EINTR)
                return err_errno(err, errno, "the copy of %s cannot be written", name);
            done += written > 0 ? written : 0;
        }
    }
    return 0;
}

static int copy_file(const struct sandbox_file *file, const char *path, struct err *err)
{
    CLEANUP_CLOSE int from = path_open(file->root, file->path);
    CLEANUP_CLOSE int to = -1;

    if (from < 0)
        return err_errno(err, -from, "%s%s", file->root, file->path);
    to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    if (to < 0)
        return err_errno(err, errno, "%s", path);
    if (file->first_line) {
        size_t n = strlen(file->first_line);

        if (write(to, file->first_line, n) != (ssize_t)n || lseek(from, (off_t)file->instead, SEEK_SET) < 0)
            return err_errno(err, errno, "the copy of %s cannot be written", file->path);
    }
    if (copy_bytes(from, to, file->path, err) < 0)
        return -1;
    return sandbox_rename(file, to, err);
}

int sandbox_run_tool(char *const *argv, char *said)
{
    sigset_t ending;
    size_t size = 0;
    int ends[2], status = -1;
    pid_t pid;
    ssize_t n;

    said[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        ending_signals(&ending);
        sigprocmask(SIG_UNBLOCK, &ending, NULL);
        if (dup2(ends[1], 1) >= 0 && dup2(ends[1], 2) >= 0)
            execv(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], said + size, SANDBOX_SAID - 1 - size)) > 0 || (n < 0 && errno == EINTR))
        size += n > 0 ? (size_t)n : 0;
    close(ends[0]); /* what is too long for us ends it by SIGPIPE, which is a failure as well */
    said[size] = '\0';
    said[strcspn(said, "\n")] = '\0';
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int run_patchelf(const struct sandbox_file *file, char *const *argv, struct err *err)
{
    char said[SANDBOX_SAID];

    if (sandbox_run_tool(argv, said) == 0)
        return 0;
    return err_set(err, "%s cannot change a copy of %s%s: %s", argv[0], file->root, file->path,
                   *said ? said : "it ended without a word");
}

/* RUN_PATH is set, and LOADER where it is not NULL. */
static int patch(const struct sandbox *sandbox, const struct sandbox_file *file, char *run_path, char *loader,
                 char *path, struct err *err)
{
    char force[] = "--force-rpath", set[] = "--set-rpath", interpreter[] = "--set-interpreter";
    char *argv[8] = {sandbox->patchelf, force, set, run_path};
    size_t n = 4;

    if (loader) {
        argv[n++] = interpreter;
        argv[n++] = loader;
    }
    argv[n] = path;
    return run_patchelf(file, argv, err);
}

/* By itself: of both at once, patchelf 0.14 lost the run path. */
static int replace_needed(const struct sandbox *sandbox, const struct sandbox_file *file, char *path, struct err *err)
{
    char replace[] = "--replace-needed";
    CLEANUP_FREE char **argv = xcalloc(3 + 3 * file->replaced.n / 2, sizeof *argv);
    size_t n = 1;

    if (!file->replaced.n)
        return 0;
    argv[0] = sandbox->patchelf;
    for (size_t i = 0; i + 1 < file->replaced.n; i += 2) {
        argv[n++] = replace;
        argv[n++] = file->replaced.v[i];
        argv[n++] = file->replaced.v[i + 1];
    }
    argv[n] = path;
    return run_patchelf(file, argv, err);
}

/* A run path of LENGTH bytes first, so that the one that is meant finds room. */
static int make_room(const struct sandbox *sandbox, const struct sandbox_file *file, size_t length, char *path,
                     struct err *err)
{
    CLEANUP_FREE char *room = xmalloc(length + 1);

    memset(room, '/', length);
    room[length] = '\0';
    if (patch(sandbox, file, room, NULL, path, err) < 0)
        return -1;
    return sandbox_give_back_strings(file, path, err);
}

static int treat_with_room(const struct sandbox *sandbox, const struct sandbox_file *file, size_t room, char *path,
                           struct err *err)
{
    CLEANUP_FREE char *loader = xasprintf("%s/lib/%s", sandbox->dir, sandbox->libc.name);

    if ((room && make_room(sandbox, file, room, path, err) < 0) ||
        patch(sandbox, file, file->run_path, file->what == SANDBOX_PROGRAM ? loader : NULL, path, err) < 0 ||
        sandbox_give_back_strings(file, path, err) < 0)
        return -1;
    return replace_needed(sandbox, file, path, err);
}

/* Whether ld.so can write where it has to in PATH, which patchelf has made.
 *
 * To make room it may move the dynamic section of a program at fixed addresses to where there is space at the file's
 * start (rewriteSectionsExecutable()): in most programs in a segment of its own, or in pages that it puts before all
 * others; but Go's linker leaves space before the code, which may not be written to. Asked for more than the space that
 * is there, it puts pages before all others. */
static bool can_be_loaded(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const struct elffile *elf = fd >= 0 ? elffile_get_fd(fd) : NULL;
    bool can = elf && elf->class && !elf->dynamic_fixed;

    elffile_put(elf);
    return can;
}

static int treat(const struct sandbox *sandbox, const struct sandbox_file *file, char *path, struct err *err)
{
    size_t longest = sandbox_longest_run_path(file);
    /* one that is no longer than the old would be written over it, and over names that are a part of it */
    size_t room = longest < strlen(file->run_path) ? 0 : longest + 1;

    if (treat_with_room(sandbox, file, room, path, err) < 0)
        return -1;
    if (can_be_loaded(path))
        return 0;
    if (unlink(path) < 0 || copy_file(file, path, err) < 0 ||
        treat_with_room(sandbox, file, longest + SPACE_MOST, path, err) < 0)
        return -1;
    return can_be_loaded(path) ? 0
                               : err_set(err, "%s leaves nothing of %s%s that a loader could use", sandbox->patchelf,
                                         file->root, file->path);
}

static int make_one(const struct sandbox *sandbox, const struct sandbox_file *file, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", sandbox->dir, file->to);

    if (make_parents(sandbox, file->to, err) < 0)
        return -1;
    if (file->what == SANDBOX_DIRECTORY) /* its own mode comes when all is in it */
        return mkdir(path, 0755) < 0 && errno != EEXIST ? err_errno(err, errno, "%s", path) : 0;
    if (file->what == SANDBOX_LINK)
        return symlink(file->link ? file->link : "", path) < 0 ? err_errno(err, errno, "%s", path) : 0;
    if (copy_file(file, path, err) < 0 || (file->run_path && treat(sandbox, file, path, err) < 0))
        return -1;
    return chmod(path, file->mode) < 0 ? err_errno(err, errno, "%s", path) : 0;
}

/* ---- all ---- */

static void set_directory_modes(const struct sandbox *sandbox)
{
    for (size_t i = sandbox->count; i--;)
        if (sandbox->files[i].what == SANDBOX_DIRECTORY) {
            CLEANUP_FREE char *path = xasprintf("%s/%s", sandbox->dir, sandbox->files[i].to);

            chmod(path, sandbox->files[i].mode | 0700); /* so that it can be taken away */
        }
}

static int make_all(const struct sandbox *sandbox, struct err *err)
{
    for (size_t i = 0; i < sandbox->count; i++) {
        if (is_interrupted())
            return err_set(err, "interrupted: %s was taken away again", sandbox->dir);
        if (make_one(sandbox, &sandbox->files[i], err) < 0)
            return -1;
    }
    if (sandbox_launcher(sandbox, err) < 0)
        return -1;
    set_directory_modes(sandbox);
    return 0;
}

int sandbox_make(struct sandbox *sandbox, struct err *err)
{
    sigset_t ending, before;
    int status;

    ending_signals(&ending);
    sigprocmask(SIG_BLOCK, &ending, &before);
    sandbox->made_dir = mkdir(sandbox->dir, 0755) == 0;
    if (!sandbox->made_dir && errno != EEXIST)
        status = err_errno(err, errno, "%s", sandbox->dir);
    else {
        status = make_all(sandbox, err);
        if (status < 0)
            remove_all(sandbox);
    }
    sigprocmask(SIG_SETMASK, &before, NULL); /* and a signal that was held back ends us now */
    return status;
}
