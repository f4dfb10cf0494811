/* The report's constructors, the table of kinds, the choice of a renderer, and text made showable. */
#include "sample_report.h"

#include <reports/utf8.h>
#include <reports/wording.h>

#include <check.h>

/* contract.md, section 3, in its order. */
static const char *const kinds[] = {"symbol-version-missing",
                                    "symbol-missing",
                                    "library-missing",
                                    "library-off-path",
                                    "library-shadowed",
                                    "loader-libc-skew",
                                    "libc-family-mismatch",
                                    "interpreter-missing",
                                    "script-interpreter-missing",
                                    "wrong-architecture",
                                    "cpu-level-too-low",
                                    "object-corrupt",
                                    "symlink-loop",
                                    "symlink-dangling",
                                    "file-missing",
                                    "permission-denied",
                                    "noexec-mount",
                                    "static-tls-exhausted",
                                    "execstack-refused",
                                    "syscall-blocked",
                                    "sandbox-unavailable",
                                    "watch-limit",
                                    "resource-limit",
                                    "command-not-found",
                                    "environment-wrong",
                                    "connection-refused",
                                    "module-abi-mismatch",
                                    "crash"};

START_TEST(kinds_are_the_contract)
{
    ck_assert_uint_eq(sizeof kinds / sizeof *kinds, CAUSE_KIND_COUNT);
    for (int kind = 0; kind < CAUSE_KIND_COUNT; kind++) {
        ck_assert_str_eq(cause_kind_name((enum cause_kind)kind), kinds[kind]);
        ck_assert_int_eq(cause_kind_value(kinds[kind]), kind);
    }
    ck_assert_int_eq(cause_kind_value("library-missin"), -1);
    ck_assert_int_eq(cause_kind_value(""), -1);
}
END_TEST

START_TEST(constructors)
{
    struct cause *cause = cause_create(CAUSE_CRASH);
    struct report *report = report_create();

    ck_assert(cause->seconds < 0);
    ck_assert_ptr_null(cause->words);
    cause_evidence(cause, 3);
    cause_evidence(cause, 1);
    cause_evidence(cause, 3);
    ck_assert_uint_eq(cause->evidence_count, 2);
    ck_assert_uint_eq(cause->evidence[1], 1);
    cause_place(cause, "/a", NULL, NULL, true);
    ck_assert_ptr_null(cause->places[0].from);
    cause_fact(cause, "label", "%d", 7);
    ck_assert_str_eq(cause->facts[0].text, "7");
    ck_assert_int_eq(cause_remedy(cause, PROOF_TRIED, "x%s", "y")->proof, PROOF_TRIED);
    ck_assert_int_eq(report->status, OUTCOME_UNKNOWN);
    ck_assert(!report->has_repro);
    cause_destroy(cause);
    cause_destroy(NULL);
    report_destroy(report);
    report_destroy(NULL);
}
END_TEST

START_TEST(renderer_by_ending)
{
    ck_assert_ptr_eq(renderer_for("-"), &renderer_text);
    ck_assert_ptr_eq(renderer_for("a.txt"), &renderer_text);
    ck_assert_ptr_eq(renderer_for("/x.d/a.json"), &renderer_json);
    ck_assert_ptr_eq(renderer_for("a.b.md"), &renderer_markdown);
    ck_assert_ptr_eq(renderer_for("a.html"), &renderer_html);
    ck_assert_ptr_null(renderer_for("a.tar.zst"));
    ck_assert_ptr_null(renderer_for("a.JSON"));
    ck_assert_ptr_null(renderer_for("json"));
    ck_assert_ptr_null(renderer_for(""));
}
END_TEST

static void plain_is(const char *bytes, const char *shown)
{
    CLEANUP_FREE char *plain = utf8_plain(bytes);

    ck_assert_str_eq(plain, shown);
}

START_TEST(plain_text)
{
    plain_is("", "");
    plain_is("/usr/lib/ünï→.so", "/usr/lib/ünï→.so");
    plain_is("a\nb\tc\rd", "a\\nb\\tc\\rd");
    plain_is("\033[31m\177", "\\x1b[31m\\x7f");
    plain_is("\302\233x", "\\u009bx");                    /* C1: CSI */
    plain_is("\377\300\257", "\\xff\\xc0\\xaf");          /* never UTF-8; overlong */
    plain_is("\355\240\200", "\\xed\\xa0\\x80");          /* a surrogate */
    plain_is("\364\220\200\200", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
    plain_is("\360\237\230", "\\xf0\\x9f\\x98");          /* cut short */
    plain_is("a\xe2\x80\xae"
             "b",
             "a\\u202eb"); /* right-to-left override */
    plain_is("\xe2\x80\xa8", "\\u2028");
    plain_is("\xf3\xa0\x80\x81", "\\U000e0001");
}
END_TEST

START_TEST(valid_text)
{
    CLEANUP_FREE char *valid = utf8_valid("a\n\033\377\302\233");

    ck_assert_str_eq(valid, "a\n\033\\xff\302\233");
}
END_TEST

START_TEST(columns)
{
    ck_assert_uint_eq(utf8_columns("abc"), 3);
    ck_assert_uint_eq(utf8_columns("ü→"), 2);
    ck_assert_uint_eq(utf8_columns("e\xcc\x81"), 1);
    ck_assert_uint_eq(utf8_columns("日本"), 4);
}
END_TEST

static void says(char *taken, const char *text)
{
    ck_assert_str_eq(taken, text);
    free(taken);
}

START_TEST(human_units)
{
    says(wording_size(0), "0 bytes");
    says(wording_size(1), "1 byte");
    says(wording_size(1023), "1023 bytes");
    says(wording_size(1536), "1.5 KB");
    says(wording_size(21500), "21 KB");
    says(wording_size(1048575), "1.0 MB");
    says(wording_size(UINT64_C(5) << 30), "5.0 GB");
    says(wording_number(0), "0");
    says(wording_number(999), "999");
    says(wording_number(1234567), "1,234,567");
    says(wording_time(0.0004), "0.4 ms");
    says(wording_time(0.031), "31 ms");
    says(wording_time(0.31), "0.31 s");
    says(wording_time(12.34), "12.3 s");
    says(wording_time(125), "2 min 5 s");
    says(wording_time(3 * 3600 + 120), "3 h 2 min");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, kinds_are_the_contract);
    tcase_add_test(tcase, constructors);
    tcase_add_test(tcase, renderer_by_ending);
    tcase_add_test(tcase, plain_text);
    tcase_add_test(tcase, valid_text);
    tcase_add_test(tcase, columns);
    tcase_add_test(tcase, human_units);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
