/* Markdown and HTML: nothing from outside becomes markup. */
#include "sample_report.h"

#include <check.h>

/* The same evil bytes everywhere, and the fences' own character in a row longer than any fence. */
static struct report *hostile(void)
{
    struct report *report = sample_hostile();

    cause_place(report->causes[0], "`````\n```````", "~~~~~~", "</details>", false);
    return report;
}

/* Whether LINE is only the character C, at least 3 of it; how many. */
static size_t fence_length(const char *line, char c)
{
    size_t n = 0;

    while (line[n] == c)
        n++;
    return n >= 3 ? n : 0;
}

/* Text outside of fences has no mark of a hostile string unescaped; every fence that opens is closed by its like. */
START_TEST(markdown_outside_of_fences)
{
    struct report *report = hostile();
    CLEANUP_FREE char *text = sample_render(&renderer_markdown, report, false, 0);
    size_t fence = 0, fences = 0;

    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t length = fence_length(line, '`');

        if (fence && length >= fence && !line[length]) {
            fence = 0;
            continue;
        }
        if (!fence && length) {
            ck_assert_str_eq(line + length, "text");
            fence = length;
            fences++;
            continue;
        }
        if (fence)
            continue;
        ck_assert_msg(!strstr(line, "<b>") && !strstr(line, "</script>"), "%s", line);
        ck_assert_msg(!strstr(line, "@all") && !strstr(line, "#1"), "%s", line);
        for (const char *s = strstr(line, "`"); s; s = strstr(s + 1, "`"))
            ck_assert_msg(s > line && s[-1] == '\\', "%s", line);
    }
    ck_assert_uint_eq(fence, 0);
    ck_assert_uint_ge(fences, 4);
    report_destroy(report);
}
END_TEST

/* A table's cell that a bar or a newline in it would split. */
START_TEST(markdown_tables)
{
    struct report *report = hostile();
    CLEANUP_FREE char *text = sample_render(&renderer_markdown, report, false, 0);

    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t bars = 0;

        if (strncmp(line, "| ", 2) != 0)
            continue;
        for (const char *s = line; *s; s++)
            bars += *s == '|' && (s == line || s[-1] != '\\');
        ck_assert_msg(bars == 3, "%s", line);
    }
    report_destroy(report);
}
END_TEST

START_TEST(markdown_reads_well)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *text = sample_render(&renderer_markdown, report, false, 0);

    ck_assert_int_eq(strncmp(text, "### node ended with status 1. The cause is known (97 % sure).\n", 60), 0);
    ck_assert_ptr_nonnull(strstr(text, "\naddon.node needs GLIBC_2.38, but this system's libm.so.6 is glibc 2.36"));
    ck_assert_ptr_nonnull(strstr(text, "\n| it gets | /lib/x86_64-linux-gnu/libm.so.6   Debian 12, glibc 2.36 |\n"));
    ck_assert_ptr_nonnull(strstr(text, "```text\n$ sh repro/repro.sh\nversion `GLIBC_2.38' not found\n```\n"));
    report_destroy(report);
}
END_TEST

/* Every tag that the page has is one that the renderer writes, and its elements are closed in order. */
START_TEST(html_is_well_formed)
{
    static const char known[] =
        " html head title style body main header footer h1 h2 h3 section p table tr th td ol li code b span div "
        "pre details summary ";
    static const char *const empty[] = {"meta", "!DOCTYPE"};
    struct report *report = _i ? hostile() : sample_design();
    CLEANUP_FREE char *text = sample_render(&renderer_html, report, false, 0);
    char open[64][16];
    size_t depth = 0;

    for (const char *s = strchr(text, '<'); s; s = strchr(s + 1, '<')) {
        size_t slash = s[1] == '/', length = strcspn(s + 1 + slash, " >\n");
        char tag[16] = "", word[18];

        ck_assert_msg(length < sizeof tag, "%.40s", s);
        memcpy(tag, s + 1 + slash, length);
        if (strcmp(tag, empty[0]) == 0 || strcmp(tag, empty[1]) == 0)
            continue;
        snprintf(word, sizeof word, " %s ", tag);
        ck_assert_msg(strstr(known, word), "<%s>", tag);
        if (!slash) {
            ck_assert_uint_lt(depth, 64);
            strcpy(open[depth++], tag);
        } else {
            ck_assert_uint_gt(depth, 0);
            ck_assert_str_eq(open[--depth], tag);
        }
    }
    ck_assert_uint_eq(depth, 0);
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_null(strstr(text, "<b>|"));
    ck_assert_ptr_nonnull(strstr(text, "script-src 'none';")); /* there are no events to list */
    ck_assert_ptr_null(strstr(text, "http://"));
    ck_assert_ptr_null(strstr(text, "https://"));
    report_destroy(report);
}
END_TEST

START_TEST(html_escapes)
{
    struct report *report = sample_empty("a<b>\"'&");
    CLEANUP_FREE char *text = sample_render(&renderer_html, report, false, 0);

    ck_assert_ptr_nonnull(
        strstr(text, "<title>a&lt;b&gt;&quot;&#39;&amp; ended with status 0. Nothing failed.</title>"));
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme: dark"));
    report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render_markup");
    TCase *tcase = tcase_create("render_markup");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, markdown_outside_of_fences);
    tcase_add_test(tcase, markdown_tables);
    tcase_add_test(tcase, markdown_reads_well);
    tcase_add_loop_test(tcase, html_is_well_formed, 0, 2);
    tcase_add_test(tcase, html_escapes);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
