/* Tables of reports that are not about a run, in every form. */
#include "sample_report.h"

#include <reports/table.h>

#include <check.h>

static struct report *sample(void)
{
    struct report *report = report_create();
    struct table *table = table_add(report, "builds", "Which build loads where");

    report->how = INPUT_STATIC;
    report->headline = xstrdup("2 builds, 1 of which loads here.");
    table_number(table, "pid", "process");
    table_column(table, "build", "build");
    table_column(table, "verdict", "on 2.31");
    table_below(table, "advice", "what helps", false);
    table_below(table, "command", "command", true);
    table_text(table, "12");
    table_text(table, "a-1.0.vsix");
    table_cell(table, TABLE_GOOD, "loads");
    table_text(table, NULL);
    table_text(table, NULL);
    table_text(table, NULL);
    table_text(table, "a|b<1>.vsix\n\033[31m");
    table_cell(table, TABLE_BAD, "lacks %s", "fmod@GLIBC_2.38");
    table_text(table, "build it here");
    table_text(table, "npm rebuild");
    return report;
}

static void holds(const struct renderer *renderer, const char *const *texts)
{
    struct report *report = sample();
    CLEANUP_FREE char *out = sample_render(renderer, report, false, 0);

    for (; *texts; texts++)
        ck_assert_msg(strstr(out, *texts) != NULL, "no %s in %s", *texts, out);
    ck_assert_ptr_null(strchr(out, '\033'));
    report_destroy(report);
}

START_TEST(in_every_form)
{
    holds(&renderer_text, (const char *const[]){"2 builds, 1 of which loads here.\n", "  Which build loads where\n",
                                                "  process  build ", "  12       a-1.0.vsix ", "  loads\n",
                                                "\n           → build it here\n             npm rebuild\n", NULL});
    holds(&renderer_json, (const char *const[]){"\"how\": \"static\"", "\"builds\": [", "\"pid\": 12,", "\"pid\": null",
                                                "\"mark\": \"good\"", "\"verdict\": \"lacks fmod@GLIBC_2.38\"",
                                                "\"headline\": \"2 builds", "\"command\": \"npm rebuild\"", NULL});
    holds(&renderer_markdown,
          (const char *const[]){
              "| process | build | on 2.31 | what helps | command |\n| ---: | --- | --- | --- | --- |\n",
              "a\\|b&lt;1&gt;", "| **lacks fmod&#64;GLIBC_2.38** |", NULL});
    holds(&renderer_html, (const char *const[]){"<th scope=\"col\">build</th>", "<td class=\"good\">loads</td>",
                                                "a|b&lt;1&gt;.vsix", NULL});
}
END_TEST

START_TEST(what_is_not_there)
{
    struct report *report = sample();
    const struct table *table = report->tables[0];

    ck_assert_uint_eq(table_rows(table), 2);
    ck_assert_str_eq(table_at(table, 1, 2)->text, "lacks fmod@GLIBC_2.38");
    ck_assert_str_eq(table_at(table, 2, 0)->text, "");
    ck_assert_str_eq(table_at(table, 0, 5)->text, "");
    report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, in_every_form);
    tcase_add_test(tcase, what_is_not_there);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
