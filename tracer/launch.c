/* Starts the command: a new process puts on the filter, waits until it is seized, becomes the user asked for, and
 * executes. What it cannot do it tells through a pipe that its execve closes. */
#include "session.h"

#include "close.h"
#include "filter.h"
#include "state.h"
#include "user.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/policy.h>
#include <probes/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum stage { STAGE_PREPARE, STAGE_READY, STAGE_USER, STAGE_EXEC };

/* What the new process says: one of these before it is seized, one more if its execve fails. */
struct message {
    enum stage stage;
    int error; /* errno value; READY: why there is no filter, where one was wanted */
};

struct plan {
    const struct session_options *options;
    struct filter *filter; /* NULL: none */
    struct user user;
    char *file;         /* what the search on PATH will come to, or NULL */
    int go[2], told[2]; /* pipes: to the new process, and from it */
    pid_t child;
};

static _Noreturn void fail(const struct plan *plan, enum stage stage, int error, int status)
{
    struct message message = {stage, error};

    if (write(plan->told[1], &message, sizeof message) < 0)
        status = 125; /* nobody is there to be told */
    _exit(status);
}

static const char *variable(char *const *env, const char *name)
{
    return env_value((const char *const *)env, name);
}

/* An ELF file of another machine is no shell's script. */
static bool has_elf_magic(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char magic[4];

    return fd >= 0 && read(fd, magic, sizeof magic) == sizeof magic && !memcmp(magic, "\177ELF", 4);
}

/* A file that is no program is a shell's script, as execvp(3) has it. */
static void exec_file(const char *path, char *const *argv, char *const *env)
{
    execve(path, argv, env);
    if (errno != ENOEXEC)
        return;
    if (has_elf_magic(path)) {
        errno = ENOEXEC;
        return;
    }
    size_t count = 0;

    while (argv[count])
        count++;
    char **with_shell = xcalloc(count + 2, sizeof *with_shell);

    with_shell[0] = "/bin/sh";
    with_shell[1] = (char *)path;
    for (size_t i = 1; i < count; i++)
        with_shell[i + 1] = argv[i];
    execve("/bin/sh", with_shell, env);
    free(with_shell);
}

/* As execvp(3) searches, each failing attempt being an execve that is seen. The error to be told. */
static int exec_search(char *const *argv, char *const *env)
{
    const char *path = variable(env, "PATH"), *name = argv[0];
    bool denied = false;
    char file[PATH_MAX];

    if (!*name) /* as execvp(3): it would be found to be each directory itself */
        return ENOENT;
    if (strchr(name, '/')) {
        exec_file(name, argv, env);
        return errno;
    }
    for (const char *end; path || (path = "/bin:/usr/bin"); path = end + 1) { /* the default of confstr(_CS_PATH) */
        end = strchrnul(path, ':');
        int n = snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "", name);

        if (n > 0 && (size_t)n < sizeof file)
            exec_file(file, argv, env);
        else
            errno = ENAMETOOLONG;
        if (errno == EACCES)
            denied = true;
        else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT &&
                 errno != ENAMETOOLONG)
            return errno;
        if (!*end)
            break;
    }
    return denied ? EACCES : ENOENT;
}

static int put_filter_on(const struct plan *plan)
{
    /* Root needs no new_privs flag, so that set-user-ID programs below go on working; in a container root may lack
     * CAP_SYS_ADMIN and does need it. */
    int error = filter_load(plan->filter, false);

    /* libseccomp's own word for what the kernel refused: seccomp_load(3), ECANCELED. */
    return error == -EACCES || error == -EPERM || error == -ECANCELED ? filter_load(plan->filter, true) : error;
}

static _Noreturn void run_child(const struct plan *plan)
{
    const struct session_options *options = plan->options;
    char *const *env = options->env ? options->env : environ;
    struct message ready = {STAGE_READY, 0};
    char go;

    close(plan->go[1]);
    close(plan->told[0]);
    if (options->before)
        signals_restore(options->before);
    int error = options->prepare ? -options->prepare(options->prepare_ctx) : 0;

    if (error)
        fail(plan, STAGE_PREPARE, error, 125);
    if (plan->filter)
        ready.error = -put_filter_on(plan);
    if (write(plan->told[1], &ready, sizeof ready) < 0 || read(plan->go[0], &go, 1) != 1)
        kill(getpid(), SIGKILL); /* an exit would ask a tracer that is not there */
    if (options->user)
        error = -user_become(&plan->user);
    if (error)
        fail(plan, STAGE_USER, error, 125);
    if (plan->file)
        exec_file(plan->file, options->argv, env); /* where it fails, the search tells with which error */
    error = exec_search(options->argv, env);
    fail(plan, STAGE_EXEC, error, error == ENOENT || error == ENOTDIR ? 127 : 126);
}

/* The file that the search on PATH will come to. */
static char *on_path(const struct session_options *options)
{
    return path_program(variable(options->env ? options->env : environ, "PATH"), options->argv[0]);
}

/* A set-user-ID program loses its rights under no_new_privs, which only root can do without. */
static bool changes_user(const struct session_options *options)
{
    CLEANUP_FREE char *file = strchr(options->argv[0], '/') ? xstrdup(options->argv[0]) : on_path(options);
    struct stat st;

    return file && stat(file, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID);
}

/* Searched before COMMAND is traced, so that the directories before it are not asked under trace (strace resolves
 * COMMAND so, too); NULL where the search itself is what is to be seen, or where another user is to search. */
static char *find_command(const struct session_options *options)
{
    const char *name = options->argv[0];

    return strchr(name, '/') || !*name || options->user ? NULL : on_path(options);
}

static int plan_make(struct session *session, struct plan *plan, struct err *err)
{
    const struct session_options *options = plan->options;

    if (options->user && user_find(options->user, &plan->user, err) < 0)
        return -1;
    plan->file = find_command(options);
    session->plain = options->filter == FILTER_NO || (geteuid() != 0 && changes_user(options));
    if (!session->plain)
        plan->filter = filter_create(&arch_native, options->texts, err);
    session->plain |= !plan->filter;
    if (pipe2(plan->go, O_CLOEXEC) < 0 || pipe2(plan->told, O_CLOEXEC) < 0)
        return err_errno(err, errno, "cannot make a pipe");
    return 0;
}

static void plan_unmake(struct plan *plan)
{
    filter_destroy(plan->filter);
    user_deinit(&plan->user);
    free(plan->file);
    for (int i = 0; i < 2; i++) {
        if (plan->go[i] >= 0)
            close(plan->go[i]);
        if (plan->told[i] >= 0)
            close(plan->told[i]);
    }
}

static int refuse(const struct plan *plan, const struct message *message, struct err *err)
{
    if (message->stage == STAGE_PREPARE)
        return err_errno(err, message->error, "cannot prepare the place to run %s in", plan->options->argv[0]);
    if (message->stage == STAGE_USER)
        return err_errno(err, message->error, "cannot become user %s (only root can)", plan->options->user);
    return err_set(err, "the new process for %s ended before it could be traced", plan->options->argv[0]);
}

static bool is_traced(pid_t pid)
{
    struct proc_status status;
    bool traced = proc_status_read(pid, &status) == 0 && status.tracer;

    proc_status_deinit(&status);
    return traced;
}

/* The command stays in the group of the process that the user waits for. A group of our own in the same session would
 * not do: of a parent there the kernel thinks that it cares for the command's group, and when the command ends, it
 * sends SIGHUP to whoever is in that group if one of them is stopped (kill_orphaned_pgrp(), kernel/exit.c). */
static void leave_session(const struct plan *plan)
{
    if (plan->options->front)
        setsid();
}

/* Forks and seizes; the new process waits for a byte on the way. */
static int start(struct session *session, struct plan *plan, struct err *err)
{
    struct message message = {STAGE_EXEC, 0};
    char go = 1;

    fflush(NULL);
    plan->child = fork();
    if (plan->child < 0)
        return err_errno(err, errno, "cannot start a process");
    if (!plan->child)
        run_child(plan);
    leave_session(plan);
    close(plan->told[1]);
    plan->told[1] = -1;
    close(plan->go[0]);
    plan->go[0] = -1;
    if (read(plan->told[0], &message, sizeof message) != sizeof message || message.stage != STAGE_READY)
        return refuse(plan, &message, err);
    if (message.error)
        session->plain = true; /* this kernel, or a policy that we run under, has no filter for us */
    int error = ptrace_seize(plan->child, true);

    if (error == -EPERM && is_traced(plan->child))
        return err_set(err, "another tracer follows this process and so all that it starts (strace, gdb, another "
                            "glibctrace): run glibctrace without it");
    if (error == -EPERM)
        return err_set(err,
                       "tracing is not permitted here (ptrace: %s); in a container, give it the capability: "
                       "--cap-add=SYS_PTRACE",
                       strerror(-error));
    if (error)
        return err_errno(err, -error, "cannot trace the new process");
    session->command = plan->child;
    struct task *first = follow_first(session, plan->child);

    first->told = true;
    if (policy_is_harsh())
        close_filter(session, first);
    /* For plain stops it must stand once, to be restarted so; it does before it sees the byte. */
    if (session->plain)
        ptrace_interrupt(plan->child);
    if (write(plan->go[1], &go, 1) != 1)
        return err_errno(err, errno, "cannot let the new process go");
    return 0;
}

/* The error of the last execve, told by the new process, or 0. */
static int told_error(const struct plan *plan, struct message *ret)
{
    fcntl(plan->told[0], F_SETFL, O_NONBLOCK);
    return read(plan->told[0], ret, sizeof *ret) == sizeof *ret ? ret->error : 0;
}

/* ENOENT for a file that is there means that its interpreter is not: the command was found, and could not be executed.
 * Asked here, where nobody traces the question. */
static bool command_is_there(const struct session_options *options)
{
    const char *name = options->argv[0], *path = variable(options->env ? options->env : environ, "PATH");
    char file[PATH_MAX];

    if (strchr(name, '/') || !*name)
        return *name && access(name, F_OK) == 0;
    for (const char *end; path; path = *end ? end + 1 : NULL) {
        end = strchrnul(path, ':');
        snprintf(file, sizeof file, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "", name);
        if (access(file, F_OK) == 0)
            return true;
    }
    return false;
}

static int record(struct session *session, struct plan *plan, struct session_result *ret, struct err *err)
{
    struct message message;

    session_record(session);
    session_tell(session, ret);
    if (session->ended && !session->executed && told_error(plan, &message)) {
        if (message.stage != STAGE_EXEC)
            return refuse(plan, &message, err);
        ret->end = SESSION_EXEC_FAILED;
        ret->error = message.error;
        if (ret->code == 127 && command_is_there(plan->options)) {
            ret->code = 126;
        } else if (ret->error == EACCES && !strchr(plan->options->argv[0], '/') && !command_is_there(plan->options)) {
            /* A directory of PATH may not be searched, as execvp(3) reports it: to a shell the command is not there. */
            ret->code = 127;
            ret->error = ENOENT;
        }
    }
    return 0;
}

int session_launch(const struct session_options *options, struct session_result *ret, struct err *err)
{
    struct session *session = session_create(options, false);
    struct plan plan = {.options = options, .go = {-1, -1}, .told = {-1, -1}};
    int error = plan_make(session, &plan, err);

    if (!error)
        error = start(session, &plan, err);
    if (!error)
        error = record(session, &plan, ret, err);
    if (error < 0 && plan.child > 0 && !session->ended) {
        kill(plan.child, SIGKILL);
        waitpid(plan.child, NULL, __WALL);
    }
    plan_unmake(&plan);
    if (!error && session->plain && session->tasks.by_tid)
        loop_detach(session);
    if (!error && (session->tasks.by_tid || !session->ended))
        ret->rest = session;
    else
        session_destroy(session);
    return error;
}
