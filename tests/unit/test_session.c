/* What a session tells of programs whose every act is known: this program itself, run again with a word. */
#include <probes/alloc.h>
#include <reports/syscall.h>
#include <tracer/session.h>
#include <tracer/signals.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* One event, as far as it is looked at, in one line; and what can only be seen while the process stands. */
struct seen {
    enum event_type type;
    pid_t pid, tid;
    char *name, *path, *string, *result, *cwd, *root, *data, *argv1;
    int error, what, status, signal;
    bool returned, fatal, there;
    enum event_by by;
    uint64_t n, flags;
};

static struct seen *seen;
static size_t seen_count, seen_cap;
static struct signal_setup before;
static char self[4096], scratch[] = "/tmp/glibctrace-session-XXXXXX";

static bool stands(const struct event *event)
{
    char path[64], line[256] = "";
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/task/%d/maps", event->pid, event->tid);
    CLEANUP_FCLOSE FILE *maps = fopen(path, "r");

    snprintf(path, sizeof path, "%s/", event->root);
    return maps && fgets(line, sizeof line, maps) && line[0] && stat(path, &st) == 0;
}

static void keep(void *ctx, const struct event *event)
{
    struct seen *s = array_add(&seen, &seen_count, &seen_cap, sizeof *s);

    (void)ctx;
    *s = (struct seen){.type = event->type, .pid = event->pid, .tid = event->tid, .n = event->n};
    s->root = xstrdup(event->root);
    s->cwd = xstrdup_or_null(event->cwd);
    if (event->type == EVENT_SYSCALL) {
        const struct event_syscall *call = &event->syscall;

        s->name = xstrdup(call->desc->name);
        s->path = xstrdup_or_null(call->path);
        s->string = xstrdup_or_null(call->string);
        s->result = xstrdup_or_null(call->result);
        s->argv1 = call->argv && call->argv[0] ? xstrdup_or_null(call->argv[1]) : NULL;
        s->error = call->error;
        s->returned = call->returned;
        s->by = call->by;
        s->flags = call->flags;
    } else if (event->type == EVENT_PROCESS) {
        s->what = event->process.what;
        s->status = event->process.status;
        s->path = event->process.image ? xstrdup_or_null(event->process.image->exe) : NULL;
        s->string = xstrdup_or_null(event->process.text);
        if (s->what == PROCESS_EXITING || s->what == PROCESS_EXEC)
            s->there = stands(event);
    } else if (event->type == EVENT_OUTPUT) {
        s->data = xstrndup(event->output.data, event->output.size);
        s->by = event->output.by;
    } else if (event->type == EVENT_SIGNAL) {
        s->signal = event->signal.signal;
        s->fatal = event->signal.fatal;
    }
}

static void forget(void)
{
    for (size_t i = 0; i < seen_count; i++) {
        free(seen[i].name);
        free(seen[i].path);
        free(seen[i].string);
        free(seen[i].result);
        free(seen[i].cwd);
        free(seen[i].root);
        free(seen[i].data);
        free(seen[i].argv1);
    }
    free(seen);
    seen = NULL;
    seen_count = seen_cap = 0;
}

static struct session_result launch(enum filter_use filter, char *word)
{
    const struct sink sink = {keep, NULL};
    const struct session_options options = {
        .argv = (char *[]){self, word, scratch, NULL},
        .filter = filter,
        .sinks = &sink,
        .sink_count = 1,
        .quiet = true,
        .before = &before,
    };
    struct session_result result;
    struct err err;

    forget();
    ck_assert_msg(session_launch(&options, &result, &err) == 0, "%s", err.text);
    ck_assert_ptr_null(result.rest);
    ck_assert_uint_eq(result.events, seen_count);
    for (size_t i = 0; i < seen_count; i++)
        ck_assert_uint_eq(seen[i].n, i + 1);
    return result;
}

/* The call of NAME with STRING as passed, the first of them; fails the test where there is none. */
static const struct seen *call_of(const char *name, const char *string)
{
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i].type == EVENT_SYSCALL && !strcmp(seen[i].name, name) &&
            (!string || (seen[i].string && !strcmp(seen[i].string, string))))
            return &seen[i];
    ck_abort_msg("no event of %s(%s)", name, string ? string : "");
    return NULL;
}

static size_t count_process(pid_t pid, enum process_what what)
{
    size_t count = 0;

    for (size_t i = 0; i < seen_count; i++)
        count += seen[i].type == EVENT_PROCESS && seen[i].what == (int)what && (!pid || seen[i].pid == pid);
    return count;
}

static const enum filter_use filters[] = {FILTER_AUTO, FILTER_NO};

/* The children: what each word does. */

static void *make_thread(void *arg)
{
    open("in-a-thread", O_RDONLY);
    if (arg)
        _exit(0);
    return NULL;
}

static void do_files(const char *directory)
{
    char target[64];
    int fd;

    open("/nothere/../nothere//x", O_RDONLY);
    if (chdir(directory) < 0 || mkdir("d", 0755) < 0 || symlink("to somewhere", "l") < 0)
        _exit(1);
    open("relative", O_WRONLY | O_CLOEXEC);
    fd = open("d", O_RDONLY | O_DIRECTORY);
    openat(fd, "below", O_RDONLY);
    if (readlink("l", target, sizeof target) < 0 || fchdir(fd) < 0)
        _exit(2);
    access("after-fchdir", R_OK);
    fstat(fd, &(struct stat){0});
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    execl("./nothere", "argument 0", "argument 1", (char *)NULL);
    if (write(2, "a word\n", 7) != 7 || write(1, "", 0) != 0)
        _exit(3);
    _exit(23);
}

static void do_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nothere/socket"};

    connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
    memcpy(address.sun_path, "\0abstract", 9);
    connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + 9);
}

static void do_processes(void)
{
    pthread_t thread;

    for (int i = 0; i < 5; i++)
        if (!fork()) {
            if (i == 1)
                raise(SIGKILL);
            if (i == 2)
                abort();
            pthread_create(&thread, NULL, make_thread, i == 3 ? &thread : NULL);
            if (i == 3)
                pthread_exit(NULL); /* the other one is the last */
            pthread_join(thread, NULL);
            _exit(i);
        }
    while (wait(NULL) > 0)
        continue;
}

static void do_nothing(int signal)
{
    (void)signal;
}

static void do_signals(void)
{
    signal(SIGUSR1, do_nothing);
    raise(SIGUSR1);
    raise(SIGWINCH);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void do_chroot(const char *directory)
{
    if (chdir(directory) < 0 || chroot(".") < 0)
        _exit(77);
    open("/in-the-root", O_RDONLY);
    open("relative", O_RDONLY);
    if (!fork()) {
        open("/of-a-child", O_RDONLY);
        _exit(0);
    }
    wait(NULL);
}

static int act(const char *word, const char *directory)
{
    if (!strcmp(word, "files"))
        do_files(directory);
    else if (!strcmp(word, "connect"))
        do_connect();
    else if (!strcmp(word, "processes"))
        do_processes();
    else if (!strcmp(word, "signals"))
        do_signals();
    else if (!strcmp(word, "chroot"))
        do_chroot(directory);
    return 0;
}

static void clear_scratch(void)
{
    char command[sizeof scratch + 32];

    snprintf(command, sizeof command, "rm -rf %s/*", scratch);
    if (system(command) != 0)
        abort();
}

START_TEST(paths_are_absolute)
{
    char expected[sizeof scratch + 64];

    clear_scratch();
    struct session_result result = launch(filters[_i], "files");
    const struct seen *call = call_of("openat", "/nothere/../nothere//x");

    ck_assert_int_eq(result.end, SESSION_EXITED);
    ck_assert_int_eq(result.code, 23);
    ck_assert_str_eq(call->path, "/nothere/../nothere/x"); /* ".." is the kernel's to resolve: a link may precede it */
    ck_assert_int_eq(call->error, ENOENT);
    ck_assert_int_eq(call->by, BY_PROGRAM);
    call = call_of("openat", "relative");
    snprintf(expected, sizeof expected, "%s/relative", scratch);
    ck_assert_str_eq(call->path, expected);
    ck_assert_str_eq(call->cwd, scratch);
    ck_assert_uint_eq(call->flags, O_WRONLY | O_CLOEXEC);
    snprintf(expected, sizeof expected, "%s/d/below", scratch);
    ck_assert_str_eq(call_of("openat", "below")->path, expected);
    snprintf(expected, sizeof expected, "%s/d/after-fchdir", scratch);
    ck_assert_str_eq(call_of("access", "after-fchdir")->path, expected);
    ck_assert_str_eq(call_of("readlink", "l")->result, "to somewhere");
    call = call_of("execve", "./nothere");
    ck_assert_int_eq(call->error, ENOENT);
    ck_assert_str_eq(call->argv1, "argument 1");
    snprintf(expected, sizeof expected, "%s/d/nothere", scratch);
    ck_assert_str_eq(call->path, expected);
    ck_assert(!call_of("exit_group", NULL)->returned);
}
END_TEST

START_TEST(what_is_of_no_interest_is_no_event)
{
    size_t words = 0;

    clear_scratch();
    launch(filters[_i], "files");
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].type == EVENT_SYSCALL && !strcmp(seen[i].name, "newfstatat"))
            ck_assert_str_ne(seen[i].string, "");
        if (seen[i].type == EVENT_SYSCALL)
            ck_assert_str_ne(seen[i].name, "write");
        if (seen[i].type != EVENT_OUTPUT || !*seen[i].data) /* that something was printed, not what */
            continue;
        words++;
        ck_assert_str_eq(seen[i].data, "a word\n");
    }
    ck_assert_uint_eq(words, 1);
}
END_TEST

START_TEST(the_loader_is_told_from_the_program)
{
    size_t by_loader = 0;

    launch(filters[_i], "connect");
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i].type == EVENT_SYSCALL && !strcmp(seen[i].name, "openat") && strstr(seen[i].path, "libc.so.6"))
            by_loader += seen[i].by == BY_LOADER && !seen[i].error;
    ck_assert_uint_eq(by_loader, 1);
    ck_assert_str_eq(call_of("connect", NULL)->result, "unix:/nothere/socket");
    for (size_t i = seen_count; i-- > 0;)
        if (seen[i].type == EVENT_SYSCALL && !strcmp(seen[i].name, "connect")) {
            ck_assert_str_eq(seen[i].result, "unix:@abstract");
            ck_assert_int_eq(seen[i].error, ECONNREFUSED);
            break;
        }
}
END_TEST

START_TEST(each_process_begins_and_ends_once)
{
    struct session_result result = launch(filters[_i], "processes");
    size_t threads = 0;

    ck_assert_uint_eq(result.processes, 6);
    ck_assert_uint_eq(count_process(0, PROCESS_START), 6);
    ck_assert_uint_eq(count_process(0, PROCESS_EXITING), 6);
    ck_assert_uint_eq(count_process(0, PROCESS_EXIT), 6);
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].type != EVENT_PROCESS)
            continue;
        threads += seen[i].what == PROCESS_THREAD;
        if (seen[i].what == PROCESS_START) {
            ck_assert_uint_eq(count_process(seen[i].pid, PROCESS_EXITING), 1);
            ck_assert_uint_eq(count_process(seen[i].pid, PROCESS_EXIT), 1);
        }
        if (seen[i].what == PROCESS_EXITING || seen[i].what == PROCESS_EXEC)
            ck_assert_msg(seen[i].there, "process %d (status %x) was gone when it was told of", seen[i].pid,
                          seen[i].status);
        if (seen[i].what == PROCESS_EXEC)
            ck_assert_str_eq(seen[i].path, self);
    }
    ck_assert_uint_eq(threads, 3);
    ck_assert_uint_eq(result.threads, 9);
}
END_TEST

START_TEST(fatal_signals_are_known)
{
    struct session_result result = launch(filters[_i], "signals");
    size_t fatal = 0, handled = 0, harmless = 0;

    ck_assert_int_eq(result.end, SESSION_SIGNALED);
    ck_assert_int_eq(result.signal, SIGSEGV);
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].type != EVENT_SIGNAL)
            continue;
        fatal += seen[i].signal == SIGSEGV && seen[i].fatal;
        handled += seen[i].signal == SIGUSR1 && !seen[i].fatal;
        harmless += seen[i].signal == SIGWINCH && !seen[i].fatal;
    }
    ck_assert_uint_eq(fatal, 1);
    ck_assert_uint_eq(handled, 1);
    ck_assert_uint_eq(harmless, 1);
}
END_TEST

START_TEST(a_changed_root_is_seen)
{
    char expected[64];

    if (geteuid() != 0)
        return; /* chroot(2) is root's */
    clear_scratch();
    struct session_result result = launch(filters[_i], "chroot");

    ck_assert_int_eq(result.code, 0);
    snprintf(expected, sizeof expected, "/proc/%d/root", result.pid);
    ck_assert_str_eq(call_of("openat", "/in-the-root")->root, expected);
    ck_assert_str_eq(call_of("openat", "/in-the-root")->path, "/in-the-root");
    ck_assert_str_eq(call_of("openat", "relative")->path, "/relative");
    snprintf(expected, sizeof expected, "/proc/%d/root", call_of("openat", "/of-a-child")->pid);
    ck_assert_str_eq(call_of("openat", "/of-a-child")->root, expected);
    ck_assert_str_eq(call_of("execve", self)->root, "");
}
END_TEST

/* The calls of the newest session in one text, without what differs from run to run: the sanitizers' runtime reads
 * its maps over again, with twice the room, until they fit (sanitizer_common's ReadFileToBuffer), and how long they are
 * is as random as the addresses in them. */
static char *as_text(void)
{
    char *text = xstrdup("");

    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i].type != EVENT_SYSCALL || (seen[i].path && !strcmp(seen[i].path, "/proc/self/maps")))
            continue;
        char *longer = xasprintf("%s%s %s %s %d\n", text, seen[i].name, seen[i].string ? seen[i].string : "-",
                                 seen[i].path ? seen[i].path : "-", seen[i].error);

        free(text);
        text = longer;
    }
    return text;
}

START_TEST(both_ways_of_stopping_tell_the_same)
{
    clear_scratch();
    launch(FILTER_AUTO, "files");
    CLEANUP_FREE char *filtered = as_text();

    clear_scratch();
    launch(FILTER_NO, "files");
    CLEANUP_FREE char *plain = as_text();

    size_t same = 0;

    while (filtered[same] && filtered[same] == plain[same])
        same++;
    /* Check ends the test, without a word of either, where a message is longer than 8 KiB. */
    ck_assert_msg(!strcmp(filtered, plain), "from byte %zu on: \"%.100s\" and \"%.100s\"", same, filtered + same,
                  plain + same);
}
END_TEST

START_TEST(a_command_that_is_not_there)
{
    const struct sink sink = {keep, NULL};
    const struct session_options options = {
        .argv = (char *[]){"/nothere/at/all", NULL}, .sinks = &sink, .sink_count = 1, .quiet = true};
    struct session_result result;
    struct err err;

    forget();
    ck_assert_int_eq(session_launch(&options, &result, &err), 0);
    ck_assert_int_eq(result.end, SESSION_EXEC_FAILED);
    ck_assert_int_eq(result.code, 127);
    ck_assert_int_eq(result.error, ENOENT);
    ck_assert_int_eq(call_of("execve", "/nothere/at/all")->error, ENOENT);
    ck_assert_uint_eq(count_process(0, PROCESS_EXITING), 1);
}
END_TEST

START_TEST(a_user_that_is_not_there)
{
    const struct session_options options = {.argv = (char *[]){self, NULL}, .user = "no-such-user-here"};
    struct session_result result;
    struct err err;

    ck_assert_int_lt(session_launch(&options, &result, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "no-such-user-here"));
}
END_TEST

/* Check has a handler of its own for SIGALRM, by which it ends all. */
static void catch_signals(void)
{
    signals_catch(&before);
}

static void restore_signals(void)
{
    signals_restore(&before);
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("events");
    SRunner *runner = srunner_create(suite);
    int failed;

    if (argc > 2)
        _exit(act(argv[1], argv[2])); /* no leak checker, which would want to be a tracer */
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(scratch))
        return 1;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, catch_signals, restore_signals);
    tcase_add_loop_test(tcase, paths_are_absolute, 0, 2);
    tcase_add_loop_test(tcase, what_is_of_no_interest_is_no_event, 0, 2);
    tcase_add_loop_test(tcase, the_loader_is_told_from_the_program, 0, 2);
    tcase_add_loop_test(tcase, each_process_begins_and_ends_once, 0, 2);
    tcase_add_loop_test(tcase, fatal_signals_are_known, 0, 2);
    tcase_add_loop_test(tcase, a_changed_root_is_seen, 0, 2);
    tcase_add_test(tcase, both_ways_of_stopping_tell_the_same);
    tcase_add_test(tcase, a_command_that_is_not_there);
    tcase_add_test(tcase, a_user_that_is_not_there);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    forget();
    clear_scratch();
    rmdir(scratch);
    return failed != 0;
}
