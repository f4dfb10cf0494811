/* The model: bounded whatever a program does, and words are found as words. */
#include <reports/model.h>
#include <reports/syscall.h>

#include <probes/alloc.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *model;
static uint64_t number;

static struct event base(enum event_type type)
{
    return (struct event){
        .n = ++number, .t_ns = number * 1000, .pid = 10, .tid = 10, .root = "", .cwd = "/", .type = type};
}

static void start(void)
{
    struct event event = base(EVENT_PROCESS);

    event.process.what = PROCESS_START;
    model_event(model, &event);
}

static void open_file(const char *path, int error, enum event_by by)
{
    struct event event = base(EVENT_SYSCALL);

    event.syscall = (struct event_syscall){.desc = syscall_by_name("openat"),
                                           .string = path,
                                           .path = path,
                                           .ret = error ? -error : 3,
                                           .error = error,
                                           .returned = true,
                                           .by = by};
    model_event(model, &event);
}

static void say(const char *text)
{
    struct event event = base(EVENT_OUTPUT);

    event.output = (struct event_output){.fd = 2, .data = text, .size = strlen(text), .whole = strlen(text)};
    model_event(model, &event);
}

static void setup(void)
{
    number = 0;
    model = model_create();
    start();
}

static void teardown(void)
{
    model_destroy(model);
}

START_TEST(attempts_are_bounded)
{
    struct process *process = model_process(model, 10);
    char path[64];
    struct episode *episode;

    for (int i = 0; i < 200000; i++) {
        snprintf(path, sizeof path, "/nowhere/%d", i);
        open_file(path, ENOENT, BY_PROGRAM);
    }
    ck_assert_uint_le(process->attempt_count, ATTEMPTS_KEPT);
    ck_assert_uint_eq(model->failed, 200000);
    HASH_FIND_STR(process->episodes, "f199999", episode); /* the newest is what an end may follow from */
    ck_assert_ptr_nonnull(episode);
}
END_TEST

START_TEST(the_same_failure_is_kept_once)
{
    struct process *process = model_process(model, 10);
    struct episode *episode;

    for (int i = 0; i < 1000; i++)
        open_file("/nowhere/x", ENOENT, BY_PROGRAM);
    HASH_FIND_STR(process->episodes, "fx", episode);
    ck_assert_uint_eq(episode->count, 1);
    ck_assert_uint_eq(episode->attempts[0]->count, 1000);
}
END_TEST

START_TEST(a_search_that_finds_ends_well)
{
    struct process *process = model_process(model, 10);
    struct episode *episode;

    open_file("/a/x", ENOENT, BY_PROGRAM);
    open_file("/b/x", 0, BY_PROGRAM);
    HASH_FIND_STR(process->episodes, "fx", episode);
    ck_assert_uint_ne(episode->found_n, 0);
    open_file("/c/x", ENOENT, BY_PROGRAM);
    ck_assert_uint_eq(episode->found_n, 0);
}
END_TEST

static void connect_to(const char *address, int error)
{
    struct event event = base(EVENT_SYSCALL);

    event.syscall = (struct event_syscall){.desc = syscall_by_name("connect"),
                                           .args = {3, 0x1000, 16},
                                           .result = address,
                                           .ret = error ? -error : 0,
                                           .error = error,
                                           .returned = true};
    model_event(model, &event);
}

START_TEST(failing_calls_are_kept_apart_from_files)
{
    struct process *process = model_process(model, 10);

    open_file("/nowhere/x", ENOENT, BY_PROGRAM); /* about the file */
    ck_assert_uint_eq(process->failure_count, 0);
    open_file("/nowhere/x", EMFILE, BY_PROGRAM);
    open_file("/nowhere/y", EMFILE, BY_PROGRAM); /* the same limit */
    connect_to("unix:/a", ECONNREFUSED);
    connect_to("unix:/b", ECONNREFUSED);
    ck_assert_uint_eq(process->failure_count, 3);
    ck_assert_uint_eq(process->failures[0].count, 2);
    ck_assert_str_eq(process->failures[0].target, "/nowhere/x");
    ck_assert_str_eq(process->failures[2].target, "unix:/b");
    ck_assert_str_eq(process->failures[2].text, "3, 0x1000, 16");
    connect_to("unix:/b", 0);
    ck_assert_uint_eq(process->failures[1].done_n, 0);
    ck_assert_uint_eq(process->failures[2].done_n, number);
    connect_to("unix:/b", ECONNREFUSED);
    ck_assert_uint_eq(process->failures[2].done_n, 0);
}
END_TEST

static void outcome_of(const char *error)
{
    struct event event = base(EVENT_SYSCALL);

    event.syscall = (struct event_syscall){
        .desc = syscall_by_name("getsockopt"), .args = {3, 1, 4}, .result = error, .returned = true};
    model_event(model, &event);
}

START_TEST(connections_that_do_not_wait)
{
    struct process *process = model_process(model, 10);
    uint64_t asked;

    connect_to("[::1]:80", EINPROGRESS);
    asked = number;
    ck_assert_uint_eq(process->failure_count, 0);
    outcome_of("ECONNREFUSED");
    outcome_of(NULL); /* asked again: nothing is pending */
    ck_assert_uint_eq(process->failure_count, 1);
    ck_assert_uint_eq(process->failures[0].n, asked);
    ck_assert_int_eq(process->failures[0].error, ECONNREFUSED);
    ck_assert_uint_eq(process->failures[0].done_n, 0);
    connect_to("127.0.0.1:80", EINPROGRESS);
    outcome_of(NULL); /* the other way to the same port */
    ck_assert_uint_ne(process->failures[0].done_n, 0);
    ck_assert(model_reached(model, "[::1]:80", asked));
    ck_assert(!model_reached(model, "[::1]:81", asked));
    ck_assert(!model_reached(model, "[::1]:80", number));
    connect_to("unix:@/tmp/.X11-unix/X1", ECONNREFUSED);
    connect_to("127.0.0.1:6001", 0);
    ck_assert_uint_ne(process->failures[1].done_n, 0);
}
END_TEST

START_TEST(failing_calls_are_bounded)
{
    struct process *process = model_process(model, 10);
    char address[64];

    for (int i = 0; i < 20000; i++) {
        snprintf(address, sizeof address, "127.0.0.1:%d", i);
        connect_to(address, ECONNREFUSED);
    }
    ck_assert_uint_le(process->failure_count, FAILURES_KEPT);
    ck_assert_str_eq(process->failures[process->failure_count - 1].target, address);
}
END_TEST

START_TEST(loader_searches_are_one_act)
{
    struct process *process = model_process(model, 10);

    open_file("/a/libx.so.1", ENOENT, BY_LOADER);
    open_file("/b/libx.so.1", ENOENT, BY_LOADER);
    open_file("/c/libx.so.1", 0, BY_LOADER);
    open_file("/c/liby.so.1", ENOENT, BY_LOADER);
    ck_assert_uint_eq(process->act_count, 2);
    ck_assert_int_eq(process->acts[0].error, 0);
    ck_assert_uint_eq(process->acts[0].tries, 3);
    ck_assert(!process->acts[0].single);
    ck_assert(process->acts[1].single);
}
END_TEST

START_TEST(words_are_words)
{
    const struct process *process = model_process(model, 10);

    say("cannot open libx.so.5, giv");
    say("ing up\nno newline at /etc/app.conf");
    struct event event = base(EVENT_PROCESS);
    event.process = (struct event_process){.what = PROCESS_EXITING, .status = 256};
    model_event(model, &event);
    ck_assert_ptr_nonnull(process_says(process, "libx.so.5"));
    ck_assert_ptr_null(process_says(process, "libx.so"));
    ck_assert_ptr_null(process_says(process, "x.so.5"));
    ck_assert_str_eq(process_says(process, "giving")->text, "cannot open libx.so.5, giving up");
    ck_assert_ptr_nonnull(process_says(process, "/etc/app.conf"));
    ck_assert_ptr_nonnull(process_says(process, "app.conf"));
    ck_assert_ptr_null(process_says(process, ""));
}
END_TEST

START_TEST(endless_output_is_bounded)
{
    struct process *process = model_process(model, 10);
    char block[8192];

    memset(block, 'a', sizeof block);
    block[sizeof block - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        say(block); /* no newline, ever */
    for (int i = 0; i < 100000; i++)
        say("line\n");
    ck_assert_uint_le(process->line_bytes, OUTPUT_KEPT);
    ck_assert_uint_le(process->line_count, LINES_KEPT);
    ck_assert_uint_le(process->partial_size, OUTPUT_KEPT);
}
END_TEST

START_TEST(a_number_that_comes_round_is_another_process)
{
    struct process *old = model_process(model, 10);

    start();
    ck_assert_ptr_ne(model_process(model, 10), old);
    ck_assert_ptr_eq(model->first, old);
    ck_assert_uint_eq(model->process_count, 2);
}
END_TEST

static void loader_says(const char *object, const char *format, const char *argument, enum loader_outcome outcome)
{
    struct event event = base(EVENT_LOADER);

    event.loader = (struct event_loader){
        .what = LOADER_ERROR, .object = object, .format = format, .args = {argument}, .outcome = outcome};
    model_event(model, &event);
}

START_TEST(the_loaders_words_are_kept_once)
{
    const struct process *process = model_process(model, 10);

    for (int i = 0; i < 1000; i++)
        loader_says("/x/liba.so", "undefined symbol: %s%s%s", "f", LOADER_CAUGHT);
    loader_says("/x/liba.so", "undefined symbol: %s%s%s", "f", LOADER_FATAL);
    loader_says("/x/liba.so", "undefined symbol: %s%s%s", "g", LOADER_FATAL);
    loader_says(NULL, NULL, NULL, LOADER_FATAL);
    ck_assert_uint_eq(process->error_count, 4);
    ck_assert_uint_eq(process->errors[0].count, 1000);
    ck_assert_uint_eq(process->errors[0].last_n - process->errors[0].n, 999);
    ck_assert_str_eq(process->errors[2].args[0], "g");
    ck_assert_str_eq(process->errors[3].format, "");
}
END_TEST

START_TEST(the_loaders_words_are_bounded)
{
    const struct process *process = model_process(model, 10);
    char symbol[32];

    loader_says("/x/libb.so", "cannot open shared object file", NULL, LOADER_FATAL);
    loader_says("/x/libc.so", "file too short", NULL, LOADER_CAUGHT);
    for (int i = 0; i < 10000; i++) {
        snprintf(symbol, sizeof symbol, "symbol_%d", i);
        loader_says("/x/liba.so", "undefined symbol: %s%s%s", symbol, LOADER_CAUGHT);
    }
    ck_assert_uint_eq(process->error_count, ERRORS_KEPT);
    ck_assert_uint_eq(process->errors_dropped, 10002 - ERRORS_KEPT);
    ck_assert_int_eq(process->errors[0].outcome, LOADER_FATAL);
    ck_assert_str_eq(process->errors[1].format, "file too short");
    ck_assert_str_eq(process->errors[ERRORS_KEPT - 1].args[0], "symbol_9999");
}
END_TEST

START_TEST(calls_that_failed_are_kept_until_the_next_image)
{
    const struct process *process = model_process(model, 10);
    struct event event = base(EVENT_LOADER);

    event.loader = (struct event_loader){.what = LOADER_CALL, .name = "dlsym", .symbol = "optional"};
    model_event(model, &event);
    event.loader = (struct event_loader){.what = LOADER_CALL, .name = "dlopen", .file = "libx.so", .ret = 0x1000};
    model_event(model, &event);
    event.loader = (struct event_loader){.what = LOADER_CALL, .name = "dlopen", .file = "liby.so", .object = "/bin/p"};
    for (int i = 0; i < 1000; i++)
        model_event(model, &event);
    ck_assert_uint_eq(process->call_count, CALLS_KEPT);
    ck_assert_str_eq(process->calls[0].file, "liby.so");
    loader_says("/x/liba.so", "file too short", NULL, LOADER_CAUGHT);
    event = base(EVENT_PROCESS);
    event.process.what = PROCESS_EXEC;
    model_event(model, &event);
    ck_assert_uint_eq(process->call_count, 0);
    ck_assert_uint_eq(process->error_count, 0);
}
END_TEST

static void object(enum loader_what what, const char *path, uint64_t base_addr, unsigned space)
{
    struct event event = base(EVENT_LOADER);

    event.loader = (struct event_loader){
        .what = what, .object = path, .base_addr = base_addr, .space = space, .reason = REASON_NEEDED, .by = "/bin/p"};
    model_event(model, &event);
}

START_TEST(objects_come_and_go)
{
    const struct process *process = model_process(model, 10);
    struct event event;

    object(LOADER_LOADED, "/x/liba.so", 0x1000, 0);
    object(LOADER_LOADED, "/x/libb.so", 0x2000, 0);
    object(LOADER_LOADED, "/x/liba.so", 0x3000, 1);
    object(LOADER_UNLOADED, "/x/liba.so", 0x3000, 0); /* no such thing */
    ck_assert_uint_eq(process->loaded_count, 3);
    object(LOADER_UNLOADED, "/x/liba.so", 0x1000, 0);
    ck_assert_uint_eq(process->loaded_count, 2);
    ck_assert_str_eq(process->loaded[0].path, "/x/libb.so");
    ck_assert_str_eq(process->loaded[0].by, "/bin/p");
    ck_assert_int_eq(process->loaded[0].reason, REASON_NEEDED);
    ck_assert_uint_eq(process->loaded[1].space, 1);
    for (uint64_t i = 0; i < 2 * LOADED_KEPT; i++)
        object(LOADER_LOADED, "/x/libc.so", i, 0);
    ck_assert_uint_eq(process->loaded_count, LOADED_KEPT);
    event = base(EVENT_PROCESS);
    event.process.what = PROCESS_EXEC;
    model_event(model, &event);
    ck_assert_uint_eq(process->loaded_count, 0);
}
END_TEST

static void child(pid_t pid, pid_t parent, int status)
{
    struct event event = base(EVENT_PROCESS);

    event.pid = event.tid = pid;
    event.process = (struct event_process){.what = PROCESS_START, .parent = parent};
    model_event(model, &event);
    if (status < 0)
        return;
    event = base(EVENT_PROCESS);
    event.pid = event.tid = pid;
    event.process = (struct event_process){.what = PROCESS_EXITING, .status = status};
    model_event(model, &event);
}

static void suspect_all(struct model *of, struct process *process)
{
    struct suspect *suspect =
        array_add(&process->suspects, &process->suspect_count, &process->suspect_cap, sizeof *suspect);

    (void)of;
    suspect->cause = cause_create(CAUSE_FILE_MISSING);
    suspect->actor = process->parent ? process->parent : process;
}

static void suspect_nobody(struct model *of, struct process *process)
{
    (void)of;
    (void)process;
}

static size_t kept(void)
{
    return HASH_COUNT(model->processes) + model->retired_count;
}

START_TEST(processes_are_bounded)
{
    model->at_end = suspect_nobody;
    for (pid_t pid = 100; pid < 20100; pid++)
        child(pid, pid % 100 == 0 ? 10 : 0, pid % 50 ? 0 : 1 << 8);
    ck_assert_uint_le(kept(), 4200);
    ck_assert_uint_eq(model->process_count, 20001);
    ck_assert_uint_eq(model->forgotten + kept(), 20001);
    ck_assert_ptr_nonnull(model_process(model, 10));    /* the first */
    ck_assert_ptr_nonnull(model_process(model, 20099)); /* the newest */
    ck_assert_ptr_nonnull(model_process(model, 100));   /* it ended badly: those that did not go first */
    ck_assert_ptr_null(model_process(model, 101));
}
END_TEST

START_TEST(who_is_needed_stays)
{
    child(50, 0, 0);
    model->at_end = suspect_all;
    child(60, 50, 1 << 8); /* 50 did what it is suspected of */
    model->at_end = suspect_nobody;
    child(70, 0, -1); /* lives */
    for (pid_t pid = 100; pid < 20100; pid++)
        child(pid, 0, 0);
    ck_assert_ptr_nonnull(model_process(model, 50));
    ck_assert_ptr_nonnull(model_process(model, 60));
    ck_assert_ptr_nonnull(model_process(model, 70));
    ck_assert_uint_le(kept(), 4200);
}
END_TEST

START_TEST(who_lives_stays_while_it_is_traced)
{
    model->live = _i;
    model->at_end = suspect_nobody;
    for (pid_t pid = 1000000; pid < 1006000; pid++)
        child(pid, 0, -1);
    if (model->live)
        ck_assert_uint_eq(kept(), 6001);
    else
        ck_assert_uint_le(kept(), 4200);
    model->live = false;
}
END_TEST

START_TEST(suspects_are_bounded_too)
{
    model->at_end = suspect_all;
    for (pid_t pid = 100; pid < 20100; pid++)
        child(pid, 10, 1 << 8);
    ck_assert_uint_le(kept(), 4200);
    ck_assert_ptr_nonnull(model_process(model, 100)); /* one of the first with suspects */
    ck_assert_ptr_nonnull(model_process(model, 20099));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, attempts_are_bounded);
    tcase_add_test(tc, the_same_failure_is_kept_once);
    tcase_add_test(tc, a_search_that_finds_ends_well);
    tcase_add_test(tc, failing_calls_are_kept_apart_from_files);
    tcase_add_test(tc, failing_calls_are_bounded);
    tcase_add_test(tc, connections_that_do_not_wait);
    tcase_add_test(tc, loader_searches_are_one_act);
    tcase_add_test(tc, words_are_words);
    tcase_add_test(tc, endless_output_is_bounded);
    tcase_add_test(tc, the_loaders_words_are_kept_once);
    tcase_add_test(tc, the_loaders_words_are_bounded);
    tcase_add_test(tc, calls_that_failed_are_kept_until_the_next_image);
    tcase_add_test(tc, objects_come_and_go);
    tcase_add_test(tc, processes_are_bounded);
    tcase_add_test(tc, who_is_needed_stays);
    tcase_add_loop_test(tc, who_lives_stays_while_it_is_traced, 0, 2);
    tcase_add_test(tc, suspects_are_bounded_too);
    tcase_add_test(tc, a_number_that_comes_round_is_another_process);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
