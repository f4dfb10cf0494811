/* report.json: its keys, and that it comes back as it went out. The schema is checked by the end-to-end tests. */
#include "sample_report.h"

#include <probes/err.h>

#include <check.h>
#include <math.h>
#include <unistd.h>

static char *render(const struct report *report)
{
    return sample_render(&renderer_json, report, false, 0);
}

static struct report *parsed(const char *json)
{
    struct report *report = NULL;
    struct err err = {""};

    ck_assert_msg(report_json_parse(json, strlen(json), "r.json", &report, &err) == 0, "%s", err.text);
    return report;
}

/* JSON with FROM replaced by TO is refused with a message that holds WHY. */
static void refused(const char *from, const char *to, const char *why)
{
    struct report *report = sample_design(), *back = NULL;
    CLEANUP_FREE char *json = render(report), *bad = NULL;
    const char *at = strstr(json, from);
    struct err err = {""};

    ck_assert_ptr_nonnull(at);
    bad = xasprintf("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    ck_assert_int_eq(report_json_parse(bad, strlen(bad), "r.json", &back, &err), -1);
    ck_assert_msg(strstr(err.text, why), "%s", err.text);
    ck_assert_msg(strstr(err.text, "r.json"), "%s", err.text);
    report_destroy(report);
}

static void round_trip(struct report *report)
{
    CLEANUP_FREE char *once = render(report), *twice = NULL;
    struct report *back = parsed(once);

    twice = render(back);
    ck_assert_str_eq(once, twice);
    report_destroy(back);
    report_destroy(report);
}

START_TEST(it_comes_back_as_it_went)
{
    struct report *full = sample_design();
    struct cause *cause = full->causes[0];

    cause_place(cause, "/a", "PATH", "not there", false);
    cause_place(cause, "/b", NULL, NULL, true);
    cause->remedies[0].risk = xstrdup("none");
    cause->stack[1].file = xstrdup("x.c");
    cause->stack[1].line = 7;
    strings_addf(&full->unseen, "x");
    strings_addf(&full->redacted, "y");
    round_trip(full);
    round_trip(sample_empty("prog"));
    round_trip(report_create());
    round_trip(sample_hostile()); /* what was no UTF-8 has become text by then */
}
END_TEST

START_TEST(it_is_read_into_the_same_report)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *json = render(report);
    struct report *back = parsed(json);
    const struct cause *cause = back->causes[0];

    ck_assert_int_eq(cause->kind, CAUSE_SYMBOL_VERSION_MISSING);
    ck_assert_int_eq(cause->impact, IMPACT_FATAL);
    ck_assert(fabs(cause->confidence - 0.97) < 1e-9);
    ck_assert_str_eq(cause->subject, "/opt/app/build/addon.node");
    ck_assert_str_eq(cause->missing, "GLIBC_2.38");
    ck_assert_uint_eq(cause->evidence_count, 2);
    ck_assert_uint_eq(cause->stack[0].ip_addr, 0x55d0c0de);
    ck_assert_str_eq(cause->remedies[0].commands.v[0], "npm rebuild");
    ck_assert_int_eq(back->status, OUTCOME_EXITED);
    ck_assert_int_eq(back->code, 1);
    ck_assert_uint_eq(back->events, 1234);
    ck_assert(back->has_repro);
    ck_assert_uint_eq(back->repro_bytes, 21500);
    report_destroy(back);
    report_destroy(report);
}
END_TEST

START_TEST(numbers_are_rounded_and_finite)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *json = NULL;

    report->causes[0]->confidence = 0.970000001;
    report->causes[0]->seconds = 0.1234567;
    report->seconds = NAN;
    json = render(report);
    ck_assert_ptr_nonnull(strstr(json, "\"confidence\": 0.97,"));
    ck_assert_ptr_nonnull(strstr(json, "\"seconds\": 0.123457,"));
    ck_assert_ptr_nonnull(strstr(json, "\"seconds\": 0.0,"));
    ck_assert_ptr_null(strstr(json, "nan"));
    report_destroy(report);
}
END_TEST

START_TEST(outcomes)
{
    struct report *report = sample_empty("prog");
    CLEANUP_FREE char *signaled = NULL, *detached = NULL;

    report->status = OUTCOME_SIGNALED;
    report->signal = SIGABRT;
    report->code = 6;
    signaled = render(report);
    ck_assert_ptr_nonnull(
        strstr(signaled, "\"status\": \"signaled\",\n    \"code\": null,\n    \"signal\": \"SIGABRT\""));
    report->status = OUTCOME_DETACHED;
    detached = render(report);
    ck_assert_ptr_nonnull(strstr(detached, "\"status\": \"detached\",\n    \"code\": null,\n    \"signal\": null"));
    report_destroy(report);
}
END_TEST

START_TEST(invalid_bytes_are_spelled_out)
{
    struct report *report = sample_empty("a\377b");
    CLEANUP_FREE char *json = render(report);

    ck_assert_ptr_nonnull(strstr(json, "\"a\\\\xffb\""));
    report_destroy(report);
}
END_TEST

START_TEST(what_is_no_report_is_refused)
{
    struct report *back;
    struct err err = {""};

    refused("glibctrace.report/1", "glibctrace.report/2", "schema");
    refused("symbol-version-missing", "symbol-version-gone", "kind");
    refused("\"fatal\"", "\"lethal\"", "impact");
    refused("\"known\"", "\"hoped\"", "proof");
    refused("\"exited\"", "\"ended\"", "status");
    refused("\"launch\"", "7", "how");
    refused("\"verified\"", "\"so-so\"", "status");
    refused("\"fatal\"", "\"fatal\", \"kind\": \"crash\"", "uplicate");
    refused("\"GLIBC_2.38\"", "\"GLIBC_2.38\\u0000\"", "no JSON");
    ck_assert_int_eq(report_json_parse("", 0, "x", &back, &err), -1);
    ck_assert_int_eq(report_json_parse("[]", 2, "x", &back, &err), -1);
    ck_assert_int_eq(report_json_load("/nonexistent/r.json", &back, &err), -1);
    ck_assert_int_eq(report_json_load("/", &back, &err), -1);
}
END_TEST

START_TEST(wrong_types_do_no_harm)
{
    struct report *report =
        parsed("{\"schema\": \"glibctrace.report/1\", \"input\": {\"how\": \"text\", \"argv\": 7, "
               "\"pid\": 99999999999}, \"outcome\": {\"status\": \"unknown\", \"signal\": 5, \"code\": \"x\"},"
               "\"system\": [], \"counts\": 3, \"seconds\": -1, \"ruled_out\": [1, null, \"x\"],"
               "\"causes\": [{\"kind\": \"crash\", \"impact\": \"degraded\", \"evidence\": [-1, \"x\", 4],"
               "\"stack\": [7], \"facts\": [{}], \"places\": [null], \"confidence\": \"1\"}]}");
    CLEANUP_FREE char *json = render(report);

    ck_assert_int_eq(report->pid, 0);
    ck_assert_uint_eq(report->ruled_out.n, 1);
    ck_assert_uint_eq(report->causes[0]->evidence_count, 1);
    ck_assert_uint_eq(report->causes[0]->fact_count, 0);
    ck_assert_ptr_nonnull(json);
    report_destroy(report);
}
END_TEST

/* Cut anywhere, and with any one byte changed, it is read or refused, but nothing worse happens. */
START_TEST(damaged_reports)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *json = render(report);
    size_t length = strlen(json);

    for (size_t i = 0; i + 1 < length; i++) { /* the last byte is a newline */
        struct report *back;
        struct err err;
        char kept = json[i];

        ck_assert_int_eq(report_json_parse(json, i, "x", &back, &err), -1);
        json[i] = (char)(i * 37 + 1);
        if (report_json_parse(json, length, "x", &back, &err) == 0)
            report_destroy(back);
        json[i] = kept;
    }
    report_destroy(report);
}
END_TEST

START_TEST(the_systems_page)
{
    struct report *report = sample_design();
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    report_system_json(report, out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "\"schema\": \"glibctrace.system/1\""));
    ck_assert_ptr_nonnull(strstr(text, "\"distribution\": \"Debian 12\""));
    ck_assert_ptr_null(strstr(text, "causes"));
    free(text);
    report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render_json");
    TCase *tcase = tcase_create("render_json");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_comes_back_as_it_went);
    tcase_add_test(tcase, it_is_read_into_the_same_report);
    tcase_add_test(tcase, numbers_are_rounded_and_finite);
    tcase_add_test(tcase, outcomes);
    tcase_add_test(tcase, invalid_bytes_are_spelled_out);
    tcase_add_test(tcase, what_is_no_report_is_refused);
    tcase_add_test(tcase, wrong_types_do_no_harm);
    tcase_add_test(tcase, damaged_reports);
    tcase_add_test(tcase, the_systems_page);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
