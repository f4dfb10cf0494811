#include "again.h"

#include "repro_run.h"
#include "user.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { STEP_MS = 2, GRACE_MS = 3000, ENDING_STEPS = 1000 };

int again_init(struct again *again, double seconds, const char *user, struct err *err)
{
    struct user other;

    *again = (struct again){.seconds = seconds, .uid = geteuid(), .gid = getegid()};
    if (user && user_find(user, &other, err) < 0)
        return -1;
    if (user) {
        again->uid = other.uid;
        again->gid = other.gid;
        user_deinit(&other);
    }
    again->scratch = repro_scratch_make(err);
    if (!again->scratch)
        return -1;
    again->home = xasprintf("%s/home", again->scratch);
    if (chmod(again->scratch, 0711) < 0) /* to be passed through by that user */
        return err_errno(err, errno, "cannot set the mode of %s", again->scratch);
    return 0;
}

void again_deinit(struct again *again)
{
    if (again->scratch)
        repro_scratch_remove(again->scratch);
    free(again->scratch);
    free(again->home);
}

static int new_home(const struct again *again, struct err *err)
{
    repro_scratch_remove(again->home);
    if (mkdir(again->home, 0700) < 0 || chown(again->home, again->uid, again->gid) < 0)
        return err_errno(err, errno, "cannot make %s", again->home);
    return 0;
}

/* ---- the process that watches over one run ---- */

static void pause_step(void)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

    nanosleep(&step, NULL);
}

static void kill_children(void)
{
    CLEANUP_FREE char *path = xasprintf("/proc/self/task/%d/children", (int)getpid());
    CLEANUP_FCLOSE FILE *list = fopen(path, "re");
    int pid;

    while (list && fscanf(list, "%d", &pid) == 1)
        kill(pid, SIGKILL);
}

/* Whatever the run has left behind became ours (PR_SET_CHILD_SUBREAPER, prctl(2)); the tracer's own end ends what it
 * traces. */
static void end_all(void)
{
    for (unsigned i = 0; i < ENDING_STEPS; i++) {
        pid_t got;

        kill_children();
        while ((got = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (got < 0 && errno == ECHILD)
            return;
        pause_step();
    }
}

static _Noreturn void become_glibctrace(const struct again *again, char *const *argv)
{
    CLEANUP_FREE char *said = xasprintf("%s/said", again->scratch);
    /* Not /dev/null, to which nobody tells what is to be read. */
    int null = open("/dev/null", O_RDWR), file = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null < 0 || file < 0 || dup2(null, 0) < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0)
        _exit(125);
    close(null);
    close(file);
    execv("/proc/self/exe", argv);
    _exit(125);
}

static _Noreturn void watch_over(const struct again *again, char *const *argv)
{
    sigset_t none;
    pid_t pid;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid(); /* no terminal */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid = fork();
    if (pid == 0)
        become_glibctrace(again, argv);
    for (long waited = 0; pid > 0 && waited < (long)(again->seconds * 1000) + GRACE_MS; waited += STEP_MS) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            break;
        pause_step();
    }
    end_all();
    _exit(0);
}

/* ---- one run ---- */

static void fill_words(const struct again *again, const struct strings *words, const char *report, struct strings *ret)
{
    const char *const own[] = {"glibctrace", "--quiet", "--no-repro", "--no-redact", "--output", report, "--for"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        strings_add(ret, xstrdup(own[i]));
    strings_addf(ret, "%.1f", again->seconds);
    for (size_t i = 0; i < words->n; i++)
        strings_add(ret, xstrdup(words->v[i]));
    strings_add(ret, NULL);
}

int again_run(const struct again *again, const struct strings *words, struct report **ret, struct err *err)
{
    CLEANUP_FREE char *file = xasprintf("%s/report.json", again->scratch);
    struct strings whole = {0};
    int status = new_home(again, err);
    pid_t pid;

    unlink(file);
    fill_words(again, words, file, &whole);
    pid = status < 0 ? -1 : fork();
    if (pid == 0)
        watch_over(again, whole.v);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    strings_deinit(&whole);
    return pid < 0 ? -1 : report_json_load(file, ret, err);
}
