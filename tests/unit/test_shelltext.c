/* What a shell's text makes of a command that fails. */
#include <probes/shelltext.h>

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *text;
    bool provides;
} cases[] = {
    {"tool || other", true},
    {"tool --x 2>/dev/null || true", true},
    {"tool a >&2 2>&1 ||\n\tother", true},
    {"x=1 tool || other", true},
    {"exec tool || other", true},
    {"tool | sort || other", true},
    {"tool && next || other", true},
    {"tool |\n sort || other", true},
    {"{ tool; } || other", true},
    {"(tool) 2>/dev/null || other", true},
    {"x=$(tool) || x=no", true},
    {"x=`tool` || x=no\nexit 3", true},
    {"tool || { other; }", true},
    {"tool \\\n  || other", true},
    {"if tool --version >/dev/null 2>&1; then tool2; fi", true},
    {"if a || b; then x; elif tool; then y; fi", true},
    {"while tool; do x; done", true},
    {"until ! tool; do x; done", true},
    {"! tool", true},
    {"! tool || exit 1", true},
    {"case $1 in\na) tool || other ;;\nesac", true},
    {"# tool\ntool || other # tool\necho 'tool; x' \"tool\"", true},
    {"tool", false},
    {"tool; other", false},
    {"tool; other || third", false},
    {"tool\nother || third", false},
    {"tool & other || third", false},
    {"tool && other", false},
    {"tool || exit 1", false},
    {"tool || { echo no tool >&2; exit 1; }", false},
    {"tool || >&2 echo none", false},
    {"tool || return 1", false},
    {"if x; then tool; fi", false},
    {"if x; then y; else tool; fi", false},
    {"while x; do tool; done", false},
    {"! other; tool", false},
    {"x || tool", false},
    {"x || tool; exit 0", false},
    {"tool || other\ntool", false},
    {"toolbox || other", false},
    {"echo tool || other", false},
    {"for c in tool other; do $c; done", false},
    {"echo 'tool || other'", false},
    {"", false},
    {"tool ||", false},
    {"tool 'x", false},
    {"$(((((", false},
    {"tool \\", false},
};

START_TEST(a_text)
{
    ck_assert_msg(shelltext_provides(cases[_i].text, "tool", NULL, 0) == cases[_i].provides, "%s", cases[_i].text);
}
END_TEST

START_TEST(by_line)
{
    const char *text = "tool\ntool || other\nif x\nthen tool\nfi\n";

    ck_assert(!shelltext_provides(text, "tool", NULL, 1));
    ck_assert(shelltext_provides(text, "tool", NULL, 2));
    ck_assert(!shelltext_provides(text, "tool", NULL, 4));
    ck_assert(!shelltext_provides(text, "tool", NULL, 9));
    ck_assert(shelltext_provides("x '\n'; \\\n to\\\nol || x", "tool", NULL, 4));
}
END_TEST

START_TEST(by_arguments)
{
    const char *const first[] = {"a b", "-x", NULL}, *const second[] = {"c", NULL}, *const none[] = {NULL};
    const char *text = "tool 'a b' 2>&1 -x || tool c";

    ck_assert(shelltext_provides(text, "tool", first, 0));
    ck_assert(!shelltext_provides(text, "tool", second, 0));
    ck_assert(!shelltext_provides(text, "tool", none, 0));
    ck_assert(shelltext_provides("tool $x || tool c", "tool", first, 0));
    ck_assert(shelltext_provides("tool || tool c", "tool", none, 0));
    ck_assert(shelltext_provides("tool $(x) || y", "tool", second, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shelltext");
    TCase *tests = tcase_create("shelltext");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tests, a_text, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, by_line);
    tcase_add_test(tests, by_arguments);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
