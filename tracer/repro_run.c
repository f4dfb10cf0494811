/* Running a reproduction under glibctrace itself. */
#include "repro_run.h"

#include <probes/alloc.h>
#include <probes/system.h>
#include <reports/repro.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#define SHELL "/bin/sh"
enum { LIMIT_MS = 10000, STEP_MS = 2 };

/* ---- the same failure? ---- */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *base(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

/* "HOME=$HOME": a home that is hidden whole has another name in the reproduction. */
static bool is_hidden_home(const struct cause *cause)
{
    const char *value = cause->missing ? strchr(cause->missing, '=') : NULL;

    return cause->kind == CAUSE_ENVIRONMENT_WRONG && value && strncmp(value, "=$HOME", 6) == 0 && !strchr(value, '/');
}

bool repro_alike(const struct cause *wanted, const struct cause *got)
{
    bool whole = wanted->kind == CAUSE_INTERPRETER_MISSING || wanted->kind == CAUSE_SCRIPT_INTERPRETER_MISSING ||
                 !wanted->missing || !strchr(wanted->missing, '/');

    if (wanted->kind == CAUSE_ENVIRONMENT_WRONG && wanted->missing && got->missing &&
        strncmp(wanted->missing, got->missing, strcspn(wanted->missing, "=") + 1) != 0)
        return false;
    return wanted->kind == got->kind && same(base(wanted->subject), base(got->subject)) &&
           (is_hidden_home(wanted) ? got->missing != NULL
            : whole                ? same(wanted->missing, got->missing)
                                   : same(base(wanted->missing), base(got->missing)));
}

const struct cause *repro_find_alike(const struct cause *wanted, const struct report *report)
{
    for (size_t i = 0; i < report->cause_count; i++)
        if (repro_alike(wanted, report->causes[i]))
            return report->causes[i];
    return NULL;
}

/* ---- one run ---- */

/* In the new process: nothing of ours or of the user's but the reproduction. Descriptors of ours close on exec. */
static _Noreturn void become_tracer(const char *directory, const char *script, const char *report)
{
    static char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", NULL};
    char *const argv[] = {"glibctrace",   "-q", "--confined",  "--no-repro",   "--no-redact", "-o",
                          (char *)report, "--", (char *)SHELL, (char *)script, NULL};
    int null = open("/dev/null", O_RDWR);
    /* What goes to /dev/null was not meant to be read: a failure told there would count as a probe. */
    int said = chdir(directory) < 0 ? -1 : open(".said", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    sigset_t none;

    if (null < 0) /* a bare root without devices: an empty file that swallows all as well */
        null = memfd_create("null", 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < SIGRTMIN; number++)
        signal(number, SIG_DFL);
    /* Dies with us, and what it launched dies with it (PTRACE_O_EXITKILL). */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || said < 0 || dup2(said, 2) < 0)
        _exit(125);
    unlink(".said");
    if (null > 2)
        close(null);
    if (said > 2)
        close(said);
    execve("/proc/self/exe", argv, environment);
    _exit(125);
}

/* Waits for PID until it ends (its wait status goes to STATUS) or time is up, when it is killed: false. Polled: a timer
 * or a signal would be the whole program's. */
static bool wait_for(pid_t pid, int *status)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

    for (int waited = 0; waited < LIMIT_MS; waited += STEP_MS) {
        pid_t got = waitpid(pid, status, WNOHANG);

        if (got == pid)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        nanosleep(&step, NULL);
    }
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

int repro_run_script(const char *directory, const char *script, struct report **ret, int *code, struct err *err)
{
    CLEANUP_FREE char *file = xasprintf("%s/.report.json", directory);
    int status = 0, loaded;
    pid_t pid = fork();

    if (pid < 0)
        return err_errno(err, errno, "cannot start a process for the reproduction");
    if (pid == 0)
        become_tracer(directory, script, ".report.json");
    if (!wait_for(pid, &status)) {
        unlink(file);
        return err_set(err, "%s did not end within %d seconds", script, LIMIT_MS / 1000);
    }
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (*code == 125 && access(file, F_OK) < 0)
        return err_set(err, "%s could not be run under glibctrace here", script);
    loaded = report_json_load(file, ret, err);
    unlink(file);
    if (loaded < 0 || *code != 125 || (*ret)->cause_count || !(*ret)->said.n)
        return loaded;
    /* So the scripts end where the system does not give what they need (mounts, user namespaces), with the reason. */
    err_set(err, "it cannot be run here: %s", (*ret)->said.v[(*ret)->said.n - 1]);
    report_destroy(steal_pointer(ret));
    return -1;
}

/* ---- the verdict ---- */

static void conclude(struct report *fill, enum repro_status status, char *why)
{
    free(fill->repro_why);
    fill->repro_why = why;
    fill->repro_status = status;
}

static char *what_else(const struct report *got, int code, const struct report *fill)
{
    const struct cause *first = got->cause_count ? got->causes[0] : NULL;
    bool elsewhere = fill->context && strcmp(fill->context, system_context_of(getpid(), "")) != 0;

    if (!first)
        return xasprintf("the reproduction ended with status %d and no cause was found in it%s", code,
                         elsewhere ? "; it was run with the loader of this root, not with the one that failed" : "");
    return xasprintf("the reproduction fails otherwise: %s of %s, which lacks %s", cause_kind_name(first->kind),
                     first->subject ? base(first->subject) : "an unknown file",
                     first->missing ? first->missing : "nothing that is known");
}

/* The line to look for: the loader's or the program's words, else the sentence that we have for it. Paths in it are
 * made relative to DIRECTORY, whose name is not the same in any two runs. */
static char *expected_line(const struct cause *got, const char *directory)
{
    const char *text = got->words && *got->words ? got->words : got->summary;
    size_t size = strlen(directory);
    char *line = text ? xstrndup(text, strcspn(text, "\n")) : NULL;

    for (char *at = line; at && (at = strstr(at, directory));) {
        if (at[size] == '/')
            memmove(at, at + size + 1, strlen(at + size + 1) + 1);
        else
            at += size;
    }
    return line;
}

static int try_repro(const char *directory, const struct cause *wanted, struct report *fill, struct err *err)
{
    for (int round = 0; round < 2; round++) {
        struct report *got = NULL;
        const struct cause *alike;
        int code = 0;

        if (repro_run_script(directory, "repro.sh", &got, &code, err) < 0)
            return -1;
        alike = repro_find_alike(wanted, got);
        if (!alike || code == 0)
            conclude(fill, REPRO_DIFFERS,
                     alike ? xstrdup("the reproduction shows the cause but ends with status 0")
                           : what_else(got, code, fill));
        else if (!fill->repro_expect)
            fill->repro_expect = expected_line(alike, directory);
        report_destroy(got);
        if (fill->repro_status == REPRO_DIFFERS)
            return 0;
    }
    return 0;
}

static int try_control(const char *directory, const struct cause *wanted, struct report *fill, struct err *err)
{
    struct report *got = NULL;
    int code = 0;

    if (repro_run_script(directory, "control.sh", &got, &code, err) < 0)
        return -1;
    if (repro_find_alike(wanted, got))
        conclude(fill, REPRO_DIFFERS, xstrdup("the reproduction fails alike, but so does its mended control"));
    else if (code != 0)
        conclude(fill, REPRO_DIFFERS,
                 xasprintf("the reproduction fails alike, but its mended control ends with status %d", code));
    else
        conclude(fill, REPRO_VERIFIED, NULL);
    report_destroy(got);
    return 0;
}

/* ---- the scratch directory ---- */

/* What is run may be somebody else's: it is not to stand among the user's files. */
static bool in_home(const char *place)
{
    CLEANUP_FREE char *home = getenv("HOME") ? realpath(getenv("HOME"), NULL) : NULL, *path = realpath(place, NULL);
    size_t n = home ? strlen(home) : 0;

    return n > 1 && path && strncmp(path, home, n) == 0 && (!path[n] || path[n] == '/');
}

char *repro_scratch_make(struct err *err)
{
    const char *const places[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
    int error = ENOENT;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct statvfs fs;
        char *path;

        if (!places[i] || places[i][0] != '/' || in_home(places[i]) || statvfs(places[i], &fs) < 0)
            continue;
        if (fs.f_flag & (ST_NOEXEC | ST_RDONLY)) {
            error = EACCES;
            continue;
        }
        path = xasprintf("%s/glibctrace-repro-XXXXXX", places[i]);
        if (mkdtemp(path))
            return path;
        error = errno;
        free(path);
    }
    err_errno(err, error, "no directory for temporary files from which programs may be run");
    return NULL;
}

static int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    remove(path);
    return 0;
}

void repro_scratch_remove(const char *path)
{
    nftw(path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int make_and_try_one(const struct scenario *scenario, const struct cause *wanted, const char *directory,
                            const struct repro_judge *judge, struct report *fill, struct err *err)
{
    struct repro repro;

    free(fill->repro_command);
    free(fill->repro_expect);
    fill->repro_command = fill->repro_expect = NULL;
    conclude(fill, REPRO_NOT_ATTEMPTED, NULL);
    if (repro_write(scenario, directory, false, judge, &repro, err) < 0)
        return -1;
    fill->repro_files = repro.files;
    fill->repro_bytes = repro.bytes;
    fill->repro_command = xstrdup("sh repro/repro.sh");
    if (access(SHELL, X_OK) < 0)
        return err_set(err, "the reproduction was not run: there is no " SHELL " here");
    if (access("/proc/self/exe", F_OK) < 0)
        return err_set(err, "the reproduction was not run: /proc is not mounted here");
    if (try_repro(directory, wanted, fill, err) < 0)
        return -1;
    return fill->repro_status == REPRO_DIFFERS ? 0 : try_control(directory, wanted, fill, err);
}

struct real_run {
    const char *directory;
    const struct cause *wanted;
};

static bool runs_alike(void *ctx)
{
    const struct real_run *run = ctx;
    struct report *got = NULL;
    int code = 0;
    bool alike = repro_run_script(run->directory, "repro.sh", &got, &code, NULL) == 0 && code != 0 &&
                 repro_find_alike(run->wanted, got);

    report_destroy(got);
    return alike;
}

/* Reduced by the shadow loader alone; where the real run shows that too much went, with that as its judge too. */
static int make_and_try(const struct scenario *scenario, const struct cause *wanted, const char *directory,
                        struct report *fill, struct err *err)
{
    struct real_run run = {directory, wanted};
    const struct repro_judge judge = {runs_alike, &run};
    int status = make_and_try_one(scenario, wanted, directory, NULL, fill, err);

    if (fill->repro_status != REPRO_DIFFERS || scenario->way != SCENARIO_LOAD)
        return status;
    repro_scratch_remove(directory);
    if (mkdir(directory, 0700) < 0)
        return err_errno(err, errno, "cannot make %s", directory);
    return make_and_try_one(scenario, wanted, directory, &judge, fill, err);
}

/* Why nothing can be made that fails like WANTED. */
static char *why_not(const struct cause *wanted)
{
    const char *subject = wanted->subject && *wanted->subject ? base(wanted->subject) : "the program";

    switch (wanted->kind) {
    case CAUSE_CRASH:
        return xstrdup("a crash comes of what the program had in its memory, which no small copy of it has");
    case CAUSE_ENVIRONMENT_WRONG:
        if (wanted->impact == IMPACT_DEGRADED)
            return xasprintf("%s goes on all the same: there is no end to be shown", subject);
        return xasprintf("what %.*s has to say is known to %s alone, for which no stub can stand",
                         (int)strcspn(wanted->missing, "="), wanted->missing, subject);
    case CAUSE_MODULE_ABI_MISMATCH:
        return xasprintf("it takes the runtime itself to find that %s is of another one", subject);
    case CAUSE_LOADER_LIBC_SKEW:
        return xstrdup("it takes the two builds themselves, whose bytes do not belong into a reproduction");
    case CAUSE_CPU_LEVEL_TOO_LOW:
        return xasprintf("it takes the code of %s, whose bytes do not belong into a reproduction", subject);
    default:
        return xasprintf("no reproduction is known for %s", cause_kind_name(wanted->kind));
    }
}

int repro_run(const struct scenario *scenario, const struct cause *wanted, const char *directory, struct report *fill,
              struct err *err)
{
    CLEANUP_FREE char *scratch = NULL;
    struct scenario *own = NULL;
    struct err why = {""};
    int status = 0;

    fill->has_repro = true;
    conclude(fill, REPRO_NOT_ATTEMPTED, NULL);
    if (!scenario)
        scenario = own = scenario_of_cause(wanted);
    if (!scenario) {
        conclude(fill, REPRO_NOT_ATTEMPTED, why_not(wanted));
        return 0;
    }
    if (!directory) {
        scratch = repro_scratch_make(&why);
        if (!scratch)
            status = err_set(err, "%s", why.text);
    }
    if ((directory || scratch) && make_and_try(scenario, wanted, directory ? directory : scratch, fill, &why) == 0)
        why.text[0] = '\0';
    if (why.text[0])
        conclude(fill, REPRO_NOT_ATTEMPTED, xstrdup(why.text));
    if (scratch)
        repro_scratch_remove(scratch);
    scenario_destroy(own);
    return status;
}
