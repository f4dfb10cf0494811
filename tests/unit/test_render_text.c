/* The text report: golden pages, and hostile bytes. */
#include "sample_report.h"

#include <check.h>

static void page_is(struct report *report, const struct renderer *renderer, unsigned width, const char *expected)
{
    CLEANUP_FREE char *text = sample_render(renderer, report, false, width);

    ck_assert_str_eq(text, expected);
    report_destroy(report);
}

static void first_line_is(struct report *report, const char *expected)
{
    CLEANUP_FREE char *text = sample_render(&renderer_text, report, false, 0);

    text[strcspn(text, "\n")] = '\0';
    ck_assert_str_eq(text, expected);
    report_destroy(report);
}

START_TEST(the_design_papers_page)
{
    page_is(
        sample_design(), &renderer_text, 110,
        "node ended with status 1. The cause is known (97 % sure).\n"
        "\n"
        "  addon.node needs GLIBC_2.38, but this system's libm.so.6 is glibc 2.36 and ends at GLIBC_2.35.\n"
        "\n"
        "  asked by     node  →  process.dlopen  →  /opt/app/build/addon.node\n"
        "  it needs     fmod@GLIBC_2.38\n"
        "  it gets      /lib/x86_64-linux-gnu/libm.so.6   Debian 12, glibc 2.36\n"
        "  it said      version `GLIBC_2.38' not found (required by /opt/app/build/addon.node)\n"
        "  seen at      node::binding::DLOpen  ←  addon.node+0x1000  (event 812, 0.31 s after the start)\n"
        "  built on     glibc 2.38 or newer\n"
        "\n"
        "  what helps   1. build the add-on here: npm rebuild         known\n"
        "               2. run it on glibc 2.38 or newer: Debian 13   tried in a copy: gets past this point\n"
        "  not it       106 other failed calls: 104 were one search that found its file later, 2 optional files\n"
        "\n"
        "  reproduction sh repro/repro.sh   2 files, 21 KB, verified: fails alike, and passes with the cause mended\n");
}
END_TEST

START_TEST(a_healthy_run)
{
    page_is(sample_empty("/usr/bin/node"), &renderer_text, 0,
            "node ended with status 0. Nothing failed.\n"
            "\n"
            "  seen         1 process, 6 threads, 1,234 events, 107 failed calls, in 0.42 s\n");
}
END_TEST

static struct cause *add_simple(struct report *report, enum impact impact, double confidence)
{
    struct cause *cause = sample_add(report, cause_create(CAUSE_LIBRARY_MISSING));

    cause->impact = impact;
    cause->confidence = confidence;
    cause->subject = xstrdup("/opt/x/prog");
    cause->missing = xstrdup("libx.so.1");
    cause->summary = xstrdup("prog needs libx.so.1, which is nowhere.");
    cause->pid = 4711;
    return cause;
}

START_TEST(headlines)
{
    struct report *report = sample_empty("./a.out");

    report->status = OUTCOME_SIGNALED;
    report->signal = SIGSEGV;
    first_line_is(report, "a.out was ended by SIGSEGV. The cause is not known.");

    report = sample_empty("./a.out");
    report->status = OUTCOME_EXEC_FAILED;
    report->code = 126;
    add_simple(report, IMPACT_FATAL, 0.999);
    first_line_is(report, "a.out could not be executed. The cause is known (99 % sure).");

    report = sample_empty("nosuch");
    report->status = OUTCOME_EXEC_FAILED;
    report->code = 127;
    add_simple(report, IMPACT_FATAL, 0.9)->kind = CAUSE_COMMAND_NOT_FOUND;
    first_line_is(report, "nosuch was not found. The cause is known (90 % sure).");

    report = sample_empty("./a.out");
    report->code = 3;
    add_simple(report, IMPACT_FATAL, 0.3);
    first_line_is(report, "a.out ended with status 3. The cause is not known; the nearest guess is 30 % sure.");

    report = sample_empty("./a.out");
    add_simple(report, IMPACT_DEGRADED, 0.8);
    first_line_is(report, "a.out ended with status 0, but went on without something (80 % sure).");

    report = sample_empty("sh");
    report->code = 2;
    add_simple(report, IMPACT_DEGRADED, 0.8);
    first_line_is(report,
                  "sh ended with status 2. The cause is not known; it had gone on without something (80 % sure).");

    report = sample_empty("sh");
    add_simple(report, IMPACT_FATAL, 0.8)->pid = 4712;
    first_line_is(report, "sh ended with status 0, but a process below it failed. The cause is known (80 % sure).");

    report = sample_empty("sh");
    report->code = 1;
    add_simple(report, IMPACT_FATAL, 0.8);
    add_simple(report, IMPACT_FATAL, 0.7);
    add_simple(report, IMPACT_DEGRADED, 0.7);
    first_line_is(report, "sh ended with status 1. The cause is known (80 % sure), and 2 more things are wrong.");

    report = report_create();
    report->how = INPUT_ATTACH;
    report->pid = 99;
    report->status = OUTCOME_DETACHED;
    first_line_is(report, "process 99 runs on, untraced. Nothing failed.");

    report = report_create();
    report->how = INPUT_TEXT;
    first_line_is(report, "Nothing here shows a failure.");

    report = sample_empty("/x/addon.node");
    report->how = INPUT_STATIC;
    report->status = OUTCOME_UNKNOWN;
    first_line_is(report, "addon.node was looked at, not run. Nothing failed.");
}
END_TEST

/* "Not known" first, then what was ruled out, and only then the guess. */
START_TEST(a_guess_comes_last)
{
    struct report *report = sample_empty("prog");

    report->code = 1;
    strings_addf(&report->ruled_out, "a library: nothing was missing");
    add_simple(report, IMPACT_FATAL, 0.4);
    for (size_t i = 0; i < 3; i++) {
        const struct renderer *const forms[] = {&renderer_text, &renderer_markdown, &renderer_html};
        CLEANUP_FREE char *text = sample_render(forms[i], report, false, 0);
        const char *known = strstr(text, "The cause is not known; the nearest guess is 40 % sure."),
                   *out = strstr(text, "a library: nothing was missing"), *guess = strstr(text, "The nearest guess:"),
                   *cause = strstr(text, "which is nowhere");

        ck_assert_msg(known && out && guess && cause && known < out && out < guess && guess < cause, "%s", text);
        ck_assert_ptr_null(strstr(out + 1, "a library: nothing was missing"));
    }
    report->causes[0]->confidence = 0.6;
    {
        CLEANUP_FREE char *text = sample_render(&renderer_text, report, false, 0);

        ck_assert_ptr_null(strstr(text, "guess"));
        ck_assert(strstr(text, "which is nowhere") < strstr(text, "a library: nothing was missing"));
    }
    report_destroy(report);
}
END_TEST

START_TEST(an_unknown_cause_says_what_was_ruled_out)
{
    struct report *report = sample_empty("prog");

    report->code = 1;
    strings_addf(&report->ruled_out, "12 searches that found their file");
    strings_addf(&report->unseen, "what process 5 did before it was attached to");
    report->lost = 3;
    page_is(report, &renderer_text, 0,
            "prog ended with status 1. The cause is not known.\n"
            "\n"
            "  seen         1 process, 6 threads, 1,234 events, 107 failed calls, in 0.42 s\n"
            "  not it       12 searches that found their file\n"
            "  not seen     what process 5 did before it was attached to\n"
            "  lost         3 events could not be kept\n");
}
END_TEST

START_TEST(a_long_search_list_keeps_what_matters)
{
    struct report *report = sample_empty("prog");
    struct cause *cause = add_simple(report, IMPACT_FATAL, 0.95);

    report->code = 127;
    cause_place(cause, "/opt/x/lib/libx.so.1", "RUNPATH of /opt/x/prog", "for aarch64, not x86_64", false);
    for (int i = 0; i < 8; i++) {
        CLEANUP_FREE char *path = xasprintf("/usr/lib/v%d/libx.so.1", i);

        cause_place(cause, path, "default directory", i == 5 ? "a link to itself" : "not there: no such directory",
                    false);
    }
    for (int i = 0; i < 7; i++) {
        CLEANUP_FREE char *path = xasprintf("/lib%d/libx.so.1", i);

        cause_place(cause, path, "default directory", "not there", false);
    }
    cause_place(cause, "/z/libx.so.1", "default directory", NULL, true);
    page_is(report, &renderer_text, 0,
            "prog ended with status 127. The cause is known (95 % sure).\n"
            "\n"
            "  prog needs libx.so.1, which is nowhere.\n"
            "\n"
            "  it needs     libx.so.1\n"
            "  looked in    RUNPATH of /opt/x/prog\n"
            "                 1. /opt/x/lib/libx.so.1   for aarch64, not x86_64\n"
            "               default directory\n"
            "                 2. /usr/lib/v0/libx.so.1  not there: no such directory\n"
            "                 3. /usr/lib/v1/libx.so.1  not there: no such directory\n"
            "                 4. /usr/lib/v2/libx.so.1  not there: no such directory\n"
            "                 5. /usr/lib/v3/libx.so.1  not there: no such directory\n"
            "                 6. /usr/lib/v4/libx.so.1  not there: no such directory\n"
            "                 7. /usr/lib/v5/libx.so.1  a link to itself\n"
            "                 8. /usr/lib/v6/libx.so.1  not there: no such directory\n"
            "                 9. /usr/lib/v7/libx.so.1  not there: no such directory\n"
            "                10. … to 16. likewise: nothing is there\n"
            "                17. /z/libx.so.1           taken\n");
}
END_TEST

/* The loader's own directories are links on many systems: what is not there is then called by another path. */
START_TEST(a_reason_does_not_repeat_the_place)
{
    struct report *report = sample_empty("prog");
    struct cause *cause = add_simple(report, IMPACT_FATAL, 0.95);
    CLEANUP_FREE char *text = NULL;

    cause_place(cause, "/lib/libx.so.1", NULL, "not there: /usr/lib/libx.so.1 does not exist", false);
    cause_place(cause, "/opt/x/libx.so.1", NULL, "not there: /opt/x does not exist", false);
    text = sample_render(&renderer_text, report, false, 0);
    ck_assert_ptr_nonnull(strstr(text, "1. /lib/libx.so.1    not there\n"));
    ck_assert_ptr_nonnull(strstr(text, "2. /opt/x/libx.so.1  not there: /opt/x does not exist\n"));
    report_destroy(report);
}
END_TEST

/* A command that does not fit behind its title stands alone and whole. */
START_TEST(commands_can_be_copied)
{
    struct report *report = sample_empty("prog");
    struct cause *cause = add_simple(report, IMPACT_FATAL, 0.95);
    CLEANUP_FREE char *text = NULL;

    strings_addf(&cause_remedy(cause, PROOF_KNOWN, "make it a system-wide library directory")->commands,
                 "echo /opt/some/where/else/altogether > /etc/ld.so.conf.d/local.conf && ldconfig");
    text = sample_render(&renderer_text, report, false, 80);
    ck_assert_ptr_nonnull(strstr(text, "1. make it a system-wide library directory   known\n"
                                       "                    echo /opt/some/where/else/altogether > "
                                       "/etc/ld.so.conf.d/local.conf && ldconfig\n"));
    report_destroy(report);
}
END_TEST

START_TEST(several_causes_are_numbered)
{
    struct report *report = sample_empty("prog");

    report->code = 127;
    add_simple(report, IMPACT_FATAL, 0.95);
    add_simple(report, IMPACT_FATAL, 0.9)->words = xstrdup("one\n\n  \ntwo\r\nthree");
    page_is(report, &renderer_text, 0,
            "prog ended with status 127. The cause is known (95 % sure), and 1 more thing is wrong.\n"
            "\n"
            "  1. prog needs libx.so.1, which is nowhere.\n"
            "\n"
            "  it needs     libx.so.1\n"
            "\n"
            "  2. prog needs libx.so.1, which is nowhere.\n"
            "\n"
            "  it needs     libx.so.1\n"
            "  it said      one\n"
            "               two\n"
            "               three\n");
}
END_TEST

START_TEST(remedies_with_commands_and_risk)
{
    struct report *report = sample_empty("prog");
    struct cause *cause = add_simple(report, IMPACT_FATAL, 0.95);
    struct remedy *remedy = cause_remedy(cause, PROOF_MODELLED,
                                         "put it on the search path of every program that needs "
                                         "it, and rebuild the loader's cache");

    report->code = 127;
    strings_addf(&remedy->commands, "echo /opt/x/lib > /etc/ld.so.conf.d/x.conf");
    strings_addf(&remedy->commands, "ldconfig");
    remedy->risk = xstrdup("every program sees it");
    page_is(report, &renderer_text, 80,
            "prog ended with status 127. The cause is known (95 % sure).\n"
            "\n"
            "  prog needs libx.so.1, which is nowhere.\n"
            "\n"
            "  it needs     libx.so.1\n"
            "\n"
            "  what helps   1. put it on the search path of every program that needs it, and\n"
            "                  rebuild the loader's cache (worked out: gets past this point)\n"
            "                    echo /opt/x/lib > /etc/ld.so.conf.d/x.conf\n"
            "                    ldconfig\n"
            "                  risk: every program sees it\n");
}
END_TEST

START_TEST(long_messages_are_cut)
{
    struct report *report = sample_empty("prog");
    struct cause *cause = add_simple(report, IMPACT_FATAL, 0.95);
    size_t size = 0;
    FILE *words = open_memstream(&cause->words, &size);
    CLEANUP_FREE char *text = NULL;

    for (int i = 0; i < 20; i++)
        fprintf(words, "line %d\n", i);
    fclose(words);
    text = sample_render(&renderer_text, report, false, 0);
    ck_assert_ptr_nonnull(strstr(text, "line 7\n               … 12 more lines\n"));
    ck_assert_ptr_null(strstr(text, "line 8"));
    report_destroy(report);
}
END_TEST

/* Nothing but printable characters and the newlines of the layout, whatever came in; colour only where asked for. */
START_TEST(hostile_bytes)
{
    static const struct renderer *const all[] = {&renderer_text, &renderer_json, &renderer_markdown, &renderer_html};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct report *report = sample_hostile();
        CLEANUP_FREE char *text = sample_render(all[i], report, false, 0);

        for (const char *s = text; *s; s++)
            ck_assert_msg((unsigned char)*s >= ' ' || *s == '\n', "byte %#x in %s", *s, all[i]->name);
        ck_assert_ptr_null(strstr(text, "\177"));
        ck_assert_ptr_null(strchr(text, '\377'));
        ck_assert_ptr_null(strstr(text, "\300\257"));
        if (all[i] != &renderer_json) {
            ck_assert_ptr_null(strstr(text, "\302\233"));
            ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
        }
        report_destroy(report);
    }
}
END_TEST

START_TEST(colour_where_asked_for)
{
    struct report *report = sample_design();
    CLEANUP_FREE char *plain = sample_render(&renderer_text, report, false, 0);
    CLEANUP_FREE char *coloured = sample_render(&renderer_text, report, true, 0);

    ck_assert_ptr_null(strchr(plain, '\033'));
    ck_assert_int_eq(strncmp(coloured, "\033[1mnode ended", 14), 0);
    report_destroy(report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render_text");
    TCase *tcase = tcase_create("render_text");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, the_design_papers_page);
    tcase_add_test(tcase, a_healthy_run);
    tcase_add_test(tcase, headlines);
    tcase_add_test(tcase, a_guess_comes_last);
    tcase_add_test(tcase, an_unknown_cause_says_what_was_ruled_out);
    tcase_add_test(tcase, a_long_search_list_keeps_what_matters);
    tcase_add_test(tcase, a_reason_does_not_repeat_the_place);
    tcase_add_test(tcase, commands_can_be_copied);
    tcase_add_test(tcase, several_causes_are_numbered);
    tcase_add_test(tcase, remedies_with_commands_and_risk);
    tcase_add_test(tcase, long_messages_are_cut);
    tcase_add_test(tcase, hostile_bytes);
    tcase_add_test(tcase, colour_where_asked_for);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
