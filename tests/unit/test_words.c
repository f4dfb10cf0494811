/* The loader's own words as evidence: events are made up here, the files and the shadow loader are real. */
#include <reports/judge.h>
#include <reports/syscall.h>

#include "loadbed.h"

#include <dlfcn.h>
#include <errno.h>

static struct model *model;
static uint64_t number;

static struct event base(enum event_type type)
{
    return (struct event){
        .n = ++number, .t_ns = number * 1000, .pid = 10, .tid = 10, .root = "", .cwd = bed, .type = type};
}

static void start(const char *program)
{
    CLEANUP_FREE char *exe = xasprintf("%s/%s", bed, program);
    const char *const argv[] = {exe, NULL};
    const struct image image = {.exe = exe, .argv = argv, .cwd = bed, .class = 2, .machine = 62, .loader_base = 1};
    struct event event = base(EVENT_PROCESS);

    event.process = (struct event_process){.what = PROCESS_START, .image = &image};
    model_event(model, &event);
}

static uint64_t says(const char *object, const char *format, const char *a, enum loader_outcome outcome)
{
    struct event event = base(EVENT_LOADER);

    event.loader = (struct event_loader){.what = LOADER_ERROR,
                                         .object = object,
                                         .format = format,
                                         .args = {a, a ? "" : NULL, a ? "" : NULL},
                                         .message = "the loader's message",
                                         .outcome = outcome};
    model_event(model, &event);
    return event.n;
}

static void calls(const char *name, const char *file)
{
    struct event event = base(EVENT_LOADER);

    event.loader = (struct event_loader){.what = LOADER_CALL, .name = name, .file = file, .flags = 2};
    model_event(model, &event);
}

static const struct process *ends(int status, bool by_loader)
{
    struct event event = base(EVENT_PROCESS);

    event.process = (struct event_process){.what = PROCESS_EXITING, .status = status << 8, .by_loader = by_loader};
    model_event(model, &event);
    return model_process(model, 10);
}

static const struct cause *only(const struct process *process, enum cause_kind kind, const char *subject,
                                const char *missing)
{
    const struct cause *cause;

    ck_assert_uint_eq(process->suspect_count, 1);
    cause = process->suspects[0].cause;
    ck_assert_str_eq(cause_kind_name(cause->kind), cause_kind_name(kind));
    ck_assert_str_eq(path_base(cause->subject), subject);
    ck_assert_str_eq(path_base(cause->missing), missing);
    return cause;
}

static bool evident(const struct cause *cause, uint64_t n)
{
    for (size_t i = 0; i < cause->evidence_count; i++)
        if (cause->evidence[i] == n)
            return true;
    return false;
}

static void setup(void)
{
    number = 0;
    bed_make();
    model = model_create();
    model->at_end = judge_process;
    put("main.c", "int main(void) { return 0; }\n");
    sh("cc -o p main.c");
}

static void teardown(void)
{
    model_destroy(model);
    bed_remove();
}

static void plugin(const char *source)
{
    put("plugin.c", source);
    sh("cc -shared -fPIC -o plugin.so plugin.c");
}

/* Nothing failed before our eyes, nothing was said by the program, and it ends well. */
START_TEST(dlopen_told_by_the_loader_alone)
{
    plugin("int nobody(void); int f(void) { return nobody(); }\n");
    start("p");
    uint64_t n = says("./plugin.so", "undefined symbol: %s%s%s", "nobody", LOADER_CAUGHT);
    calls("dlopen", "./plugin.so");
    const struct cause *cause = only(ends(0, false), CAUSE_SYMBOL_MISSING, "plugin.so", "nobody");
    ck_assert(evident(cause, n));
    ck_assert_str_eq(cause->words, "the loader's message");
    ck_assert_int_eq(cause->impact, IMPACT_DEGRADED);
    ck_assert(cause->confidence < 0.6);
}
END_TEST

START_TEST(optional_symbols_are_no_failure)
{
    start("p");
    says("p", "undefined symbol: %s%s%s", "optional", LOADER_CAUGHT);
    calls("dlsym", NULL);
    ck_assert_uint_eq(ends(1, false)->suspect_count, 0);
}
END_TEST

/* One thread misses a symbol while another's dlopen fails. */
START_TEST(a_thread_has_its_own_errors)
{
    plugin("int nobody(void); int f(void) { return nobody(); }\n");
    start("p");
    struct event other = base(EVENT_LOADER);
    other.tid = 11;
    other.loader = (struct event_loader){
        .what = LOADER_ERROR, .format = "undefined symbol: %s%s%s", .args = {"optional"}, .outcome = LOADER_CAUGHT};
    model_event(model, &other);
    says("./plugin.so", "undefined symbol: %s%s%s", "nobody", LOADER_CAUGHT);
    calls("dlopen", "./plugin.so");
    only(ends(1, false), CAUSE_SYMBOL_MISSING, "plugin.so", "nobody");
}
END_TEST

/* Whether room is left cannot be seen: 800 bytes fit, unless others were first. */
START_TEST(static_tls_on_the_loaders_word)
{
    plugin("__thread char block[800] __attribute__((tls_model(\"initial-exec\"))); int f(void) { return block[1]; }\n");
    start("p");
    uint64_t n = says("./plugin.so", "cannot allocate memory in static TLS block", NULL, LOADER_CAUGHT);
    calls("dlopen", "./plugin.so");
    ck_assert(evident(only(ends(1, false), CAUSE_STATIC_TLS_EXHAUSTED, "p", "plugin.so"), n));
}
END_TEST

/* The same words of a file that wants none of it are not believed. */
START_TEST(words_that_the_file_belies)
{
    plugin("int f(void) { return 1; }\n");
    start("p");
    says("./plugin.so", "cannot allocate memory in static TLS block", NULL, LOADER_CAUGHT);
    calls("dlopen", "./plugin.so");
    says("./plugin.so", "cannot enable executable stack as shared object requires", NULL, LOADER_CAUGHT);
    calls("dlopen", "./plugin.so");
    ck_assert_uint_eq(ends(1, false)->suspect_count, 0);
}
END_TEST

START_TEST(lazy_binding_with_nothing_on_standard_error)
{
    sh("echo 'int f(void){return 0;}' | cc -shared -fPIC -x c - -Wl,-soname,libx.so -o libx.so");
    put("main.c", "int f(void), g(void); int main(void) { return f() + g(); }\n");
    sh("cc -o p main.c ./libx.so -Wl,-z,lazy -Wl,-rpath,'$ORIGIN' -Wl,--unresolved-symbols=ignore-all");
    start("p");
    uint64_t n = says("p", "undefined symbol: %s%s%s", "g", LOADER_FATAL);
    const struct process *process = ends(127, true);
    const struct cause *cause = only(process, CAUSE_SYMBOL_MISSING, "p", "g");
    ck_assert(evident(cause, n));
    ck_assert(process->suspects[0].certain);
    ck_assert_int_eq(cause->impact, IMPACT_FATAL);
}
END_TEST

/* The caller's run path decides where a name is looked for: the program has none. */
START_TEST(the_caller_is_known)
{
    sh("mkdir lib; echo 'int f(void){return 0;}' | cc -shared -fPIC -x c - -o lib/libcaller.so "
       "-Wl,-soname,libcaller.so -Wl,-rpath,'%s/lib' -Wl,--enable-new-dtags",
       bed);
    sh("cc -o p main.c -Wl,--no-as-needed lib/libcaller.so -Wl,-rpath,'$ORIGIN/lib' -Wl,--enable-new-dtags");
    put("lib/libnext.so", "no library\n");
    start("p");
    uint64_t n = says("lib/libnext.so", "invalid ELF header", NULL, LOADER_CAUGHT);
    CLEANUP_FREE char *caller = xasprintf("%s/lib/libcaller.so", bed);
    struct event event = base(EVENT_LOADER);
    event.loader = (struct event_loader){
        .what = LOADER_CALL, .name = "dlopen", .file = "libnext.so", .flags = 2, .object = caller};
    model_event(model, &event);
    const struct cause *cause = only(ends(1, false), CAUSE_OBJECT_CORRUPT, "libcaller.so", "libnext.so");
    ck_assert(evident(cause, n));
}
END_TEST

START_TEST(a_probe_for_what_is_loaded_is_no_failure)
{
    struct event event;

    for (int asks = 0; asks < 2; asks++) {
        start("p");
        event = base(EVENT_SYSCALL);
        event.syscall = (struct event_syscall){.desc = syscall_by_name("openat"),
                                               .string = "/lib/libabsent.so",
                                               .path = "/lib/libabsent.so",
                                               .ret = -ENOENT,
                                               .error = ENOENT,
                                               .returned = true,
                                               .by = BY_LOADER};
        model_event(model, &event);
        event = base(EVENT_LOADER);
        event.loader = (struct event_loader){
            .what = LOADER_CALL, .name = "dlopen", .file = "libabsent.so", .flags = asks ? RTLD_NOLOAD : RTLD_NOW};
        model_event(model, &event);
        ck_assert_uint_eq(ends(1, false)->suspect_count, !asks);
    }
}
END_TEST

static bool has_fact(const struct cause *cause, const char *label)
{
    for (size_t i = 0; i < cause->fact_count; i++)
        if (strcmp(cause->facts[i].label, label) == 0)
            return true;
    return false;
}

/* The loader speaks of an absent file where a link leads to itself; of one that is absent it is right. */
START_TEST(words_that_mislead)
{
    for (int loop = 0; loop < 2; loop++) {
        if (loop)
            sh("ln -s libx.so libx.so");
        start("p");
        struct event event = base(EVENT_LOADER);
        event.loader =
            (struct event_loader){.what = LOADER_ERROR,
                                  .object = "./libx.so",
                                  .format = "cannot open shared object file",
                                  .message = "./libx.so: cannot open shared object file: No such file or directory",
                                  .error = ENOENT,
                                  .outcome = LOADER_CAUGHT};
        model_event(model, &event);
        calls("dlopen", "./libx.so");
        const struct cause *cause =
            only(ends(1, false), loop ? CAUSE_SYMLINK_LOOP : CAUSE_LIBRARY_MISSING, "p", "libx.so");
        ck_assert_int_eq(has_fact(cause, "misleading"), loop);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, dlopen_told_by_the_loader_alone);
    tcase_add_test(tc, optional_symbols_are_no_failure);
    tcase_add_test(tc, a_thread_has_its_own_errors);
    tcase_add_test(tc, static_tls_on_the_loaders_word);
    tcase_add_test(tc, words_that_the_file_belies);
    tcase_add_test(tc, lazy_binding_with_nothing_on_standard_error);
    tcase_add_test(tc, the_caller_is_known);
    tcase_add_test(tc, a_probe_for_what_is_loaded_is_no_failure);
    tcase_add_test(tc, words_that_mislead);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
