/* The page with events: what a hostile trace may hold becomes text, what it holds too much of is left out and said. */
#include "sample_report.h"

#include <probes/path.h>
#include <reports/log.h>
#include <reports/sha256.h>

#include <check.h>
#include <sys/wait.h>

static const char *const evil[] = {"</script><script>alert(1)</script>",
                                   "<!--<script>",
                                   "\"'><img src=x onerror=alert(1)>",
                                   "\033]0;x\a",
                                   "\xe2\x80\xae\xe2\x81\xa6",
                                   "\xff\xc0\xaf",
                                   "\n\r\t\\u003c/script>"};
enum { EVILS = sizeof evil / sizeof *evil };

static void tell(const struct sink *sink, struct event event, uint64_t n)
{
    event.n = n;
    event.t_ns = n * 1000000;
    event.pid = event.pid ? event.pid : 100;
    event.tid = event.pid;
    event.root = "";
    sink->event(sink->ctx, &event);
}

static void tell_start(const struct sink *sink, uint64_t *n, pid_t pid, pid_t parent, const char *name)
{
    const char *argv[] = {name, name, NULL}, *env[] = {NULL};
    const struct image image = {.exe = name, .argv = argv, .env = env};

    tell(sink, (struct event){.type = EVENT_PROCESS, .pid = pid, .process = {.what = PROCESS_START, .parent = parent}},
         ++*n);
    tell(sink, (struct event){.type = EVENT_PROCESS, .pid = pid, .process = {.what = PROCESS_EXEC, .image = &image}},
         ++*n);
}

static void tell_loaded(const struct sink *sink, uint64_t n, const char *object, const char *by,
                        enum object_reason reason)
{
    tell(sink,
         (struct event){.type = EVENT_LOADER,
                        .loader = {.what = LOADER_LOADED, .object = object, .by = by, .reason = reason}},
         n);
}

static void tell_output(const struct sink *sink, uint64_t n, const char *data)
{
    tell(sink,
         (struct event){.type = EVENT_OUTPUT,
                        .output = {.fd = 2, .data = data, .size = strlen(data), .whole = strlen(data)}},
         n);
}

static void tell_exit(const struct sink *sink, uint64_t n, pid_t pid, int status)
{
    tell(sink,
         (struct event){
             .type = EVENT_PROCESS, .pid = pid, .process = {.what = PROCESS_EXIT, .status = W_EXITCODE(status, 0)}},
         n);
}

/* The page for REPORT and what WRITE tells to a trace; malloced. */
static char *page_of(struct report *report, void (*write)(const struct sink *sink))
{
    FILE *trace = tmpfile(), *out;
    char *page = NULL;
    size_t size = 0;
    struct sink sink;
    struct log *log = log_create(trace, NULL, NULL, &sink);
    struct render_options options = {.trace = trace};

    write(&sink);
    log_destroy(log);
    fseeko(trace, 3, SEEK_SET);
    out = open_memstream(&page, &size);
    renderer_html.render(report, &options, out);
    fclose(out);
    ck_assert_int_eq((int)ftello(trace), 3);
    fclose(trace);
    return page;
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;

    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static void write_hostile(const struct sink *sink)
{
    uint64_t n = 0;

    for (size_t i = 0; i < EVILS; i++)
        tell_start(sink, &n, 100 + (pid_t)i, i ? 100 : 0, evil[i]);
    for (size_t i = 0; i < EVILS; i++) {
        tell_loaded(sink, ++n, evil[i], evil[i ? i - 1 : 0], REASON_NEEDED);
        tell_output(sink, ++n, evil[i]);
        tell(sink,
             (struct event){.type = EVENT_LOADER,
                            .loader = {.what = LOADER_ERROR, .object = evil[i], .format = evil[i], .message = evil[i]}},
             ++n);
    }
    tell_exit(sink, ++n, 100, 3);
}

START_TEST(hostile_trace)
{
    struct report *report = sample_hostile();
    CLEANUP_FREE char *page = NULL;

    report->causes[0]->pid = 100;
    cause_evidence(report->causes[0], 16);
    page = page_of(report, write_hostile);
    ck_assert_uint_eq(count_of(page, "<script"), 2); /* the data and the script itself */
    ck_assert_uint_eq(count_of(page, "</script"), 2);
    ck_assert_uint_eq(count_of(page, "<style"), 1);
    ck_assert_ptr_null(strstr(page, "<!--"));
    ck_assert_ptr_null(strstr(page, "<img"));
    for (const char *s = page; *s; s++)
        ck_assert_msg((unsigned char)*s >= ' ' || *s == '\n', "byte %u", (unsigned char)*s);
    ck_assert_ptr_null(strstr(page, "\xe2\x80\xae"));
    ck_assert_ptr_null(strstr(page, "\xe2\x81\xa6"));
    report_destroy(report);
}
END_TEST

static void write_design(const struct sink *sink)
{
    uint64_t n = 0;

    tell_start(sink, &n, 4711, 0, "/usr/bin/node");
    for (const char *const *name = (const char *const[]){"/lib/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", NULL};
         *name; name++)
        tell(sink,
             (struct event){.type = EVENT_LOADER,
                            .pid = 4711,
                            .loader = {.what = LOADER_LOADED,
                                       .object = *name,
                                       .by = n == 2 ? NULL : "/lib/libc.so.6",
                                       .reason = REASON_NEEDED}},
             ++n);
    tell_exit(sink, 812, 4711, 1);
}

/* The broken edge stands where the add-on would have been, and the library that lacks the version says so. */
START_TEST(broken_edge)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *page = page_of(report, write_design);

    ck_assert_ptr_nonnull(strstr(page, "<b>addon.node</b> <span class=\"why\">did not come to be loaded</span>"));
    ck_assert_ptr_nonnull(strstr(page, "<b>GLIBC_2.38</b> <span class=\"why\">symbol version missing, asked of"));
    ck_assert_ptr_nonnull(strstr(page, "<b>libm.so.6</b> <span class=\"lacks\">lacks GLIBC_2.38</span>"));
    ck_assert_ptr_nonnull(strstr(page, "<a href=\"#e812\">event 812</a>"));
    ck_assert_ptr_nonnull(strstr(page, "<tr id=\"e812\" class=\"evidence\">"));
    ck_assert_ptr_nonnull(strstr(page, "class=\"end bad\">status 1<"));
    report_destroy(report);
}
END_TEST

enum { MANY = 260000 };

static void write_many(const struct sink *sink)
{
    uint64_t n = 0;

    tell_start(sink, &n, 100, 0, "/bin/many");
    while (n < MANY)
        tell_output(sink, ++n, "the same words each time, which the page has once");
    tell_exit(sink, ++n, 100, 1);
}

START_TEST(too_many)
{
    struct report *report = sample_empty("/bin/many");
    CLEANUP_FREE char *page = page_of(report, write_many);

    ck_assert_uint_lt(strlen(page), 4 << 20);
    ck_assert_uint_eq(count_of(page, "which the page has once"), 1);
    ck_assert_ptr_nonnull(strstr(page, "139,998 are left out of this page"));
    report_destroy(report);
}
END_TEST

/* What can be read of a broken trace is shown, and that it is broken is said. */
START_TEST(broken_trace)
{
    static const char lines[] =
        "{\"n\":1,\"t\":0.1,\"pid\":5,\"tid\":5,\"type\":\"output\",\"fd\":2,\"data\":\"read\"}\n"
        "{\"n\":2,\"t\":<script>\n";
    struct report *report = sample_empty("/bin/x");
    FILE *trace = fmemopen((void *)lines, sizeof lines - 1, "r"), *out;
    struct render_options options = {.trace = trace};
    char *page = NULL;
    size_t size = 0;

    out = open_memstream(&page, &size);
    renderer_html.render(report, &options, out);
    fclose(out);
    fclose(trace);
    ck_assert_ptr_nonnull(strstr(page, "The trace is broken after these: line 2"));
    ck_assert_ptr_nonnull(strstr(page, "write(2, \\\"read\\\", 4)"));
    ck_assert_uint_eq(count_of(page, "<script"), 2);
    free(page);
    report_destroy(report);
}
END_TEST

static void write_nothing(const struct sink *sink)
{
    (void)sink;
}

START_TEST(empty_trace)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *page = page_of(report, write_nothing);

    ck_assert_ptr_nonnull(strstr(page, "0 events"));
    report_destroy(report);
}
END_TEST

/* FIPS 180-4's examples; what a browser makes of the sum is tested where there is one. */
START_TEST(sha256)
{
    static const char *const cases[][2] = {
        {"", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        {"abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE="},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sum[45];

        sha256_base64(cases[i][0], strlen(cases[i][0]), sum);
        ck_assert_str_eq(sum, cases[i][1]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page");
    TCase *tcase = tcase_create("page");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, hostile_trace);
    tcase_add_test(tcase, broken_edge);
    tcase_add_test(tcase, too_many);
    tcase_add_test(tcase, broken_trace);
    tcase_add_test(tcase, empty_trace);
    tcase_add_test(tcase, sha256);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
