/* Which lines of a program's words name a file, and complain of it. */
#include <reports/naming.h>

#include <check.h>
#include <errno.h>
#include <string.h>

/* What PROCESS, which says LINES one after the other, says of a call on PATH (passed as STRING) that failed with ERROR
 * before. */
static struct naming said(const char *path, const char *string, int error, const char *const *lines, size_t count)
{
    struct output_line said[8];
    struct process process = {.lines = said, .line_count = count};
    struct attempt attempt = {.n = 1, .path = (char *)path, .string = (char *)string, .error = error};
    struct naming naming;

    for (size_t i = 0; i < count; i++)
        said[i] = (struct output_line){.n = i + 2, .text = (char *)lines[i]};
    naming_find(&process, &attempt, &naming);
    return naming;
}

static const struct {
    const char *line;
    int how;
    size_t at;
} one_line[] = {
    {"prog: /etc/app/x.conf: No such file or directory", NAMED_BY_PATH, 6},
    {"cannot open 'app/x.conf'", NAMED_BY_PATH, 13},
    {"cannot open ~/app/x.conf", NAMED_BY_PATH, 12},
    {"cannot open ../app/x.conf", NAMED_BY_PATH, 12},
    {"cannot open $DIR/x.conf", NAMED_BY_PATH, 12},
    {"cannot fetch file:///etc/app/x.conf", NAMED_BY_PATH, 20},
    {"failed: -I/etc/app/x.conf", NAMED_BY_PATH, 10},
    {"x.conf: not found", NAMED_BARELY, 0},
    {"cannot find \u201cx.conf\u201d", NAMED_BARELY, 15},
    {"/etc/app/x.conf?", NAMED_BY_PATH, 0}, /* all that it says at last */
    {"x.conf?", NAMED_NOT, 0},
    {"cannot open /other/etc/app/x.conf", NAMED_NOT, 0},
    {"cannot open /etc/app/x.conf/inner.db", NAMED_NOT, 0},
    {"cannot open /etc/other/x.conf", NAMED_NOT, 0},
    {"cannot open old-x.conf", NAMED_NOT, 0},
    {"cannot open x.conf.bak", NAMED_NOT, 0},
    {"cannot write /etc/app/x.conf: Read-only file system", NAMED_NOT, 0},
    {"missing: dep@x.conf:dep", NAMED_NOT, 0},
    {"all is well", NAMED_NOT, 0},
    {"", NAMED_NOT, 0},
};

START_TEST(lines)
{
    struct naming naming = said("/etc/app/x.conf", "/etc/app/x.conf", ENOENT, &one_line[_i].line, 1);

    ck_assert_msg((int)naming.how == one_line[_i].how, "%s: %d", one_line[_i].line, (int)naming.how);
    if (naming.how)
        ck_assert_msg(naming.at == one_line[_i].at, "%s: at %zu", one_line[_i].line, naming.at);
}
END_TEST

/* What was passed counts as well as the absolute path. */
START_TEST(as_passed)
{
    static const char *const words[] = {"cannot open ../up/x: gone", "and so on"};
    struct naming naming = said("/top/sub/../up/x", "../up/x", ENOENT, words, 2);

    ck_assert_int_eq(naming.how, NAMED_BY_PATH);
    ck_assert_uint_eq(naming.at, 12);
}
END_TEST

/* A path goes before a mere name, the newest line before the others; a warning is told as one. */
START_TEST(best)
{
    static const char *const words[] = {"cannot open /a/x.conf", "x.conf not found", "that is all"};
    static const char *const warned[] = {"warning: cannot open /a/x.conf", "that is all"};
    struct naming naming = said("/a/x.conf", NULL, ENOENT, words, 3);

    ck_assert_int_eq(naming.how, NAMED_BY_PATH);
    ck_assert_str_eq(naming.line->text, words[0]);
    ck_assert(!naming.warns && !naming.last);
    naming = said("/a/x.conf", NULL, ENOENT, warned, 2);
    ck_assert(naming.how == NAMED_BY_PATH && naming.warns && !naming.last);
}
END_TEST

START_TEST(list)
{
    static const char *const words[] = {"Could not locate it. Tried:", " -> /a/x.node", " -> /b/x.node", "at main"};
    static const char *const mild[] = {"Directories:", " -> /a/x.node", " -> /b/x.node", "at main"};
    struct naming naming = said("/a/x.node", NULL, ENOENT, words, 4);

    ck_assert_int_eq(naming.how, NAMED_BY_PATH);
    ck_assert_str_eq(naming.line->text, words[1]);
    ck_assert_str_eq(naming.complaint->text, words[0]);
    ck_assert_int_eq(said("/a/x.node", NULL, ENOENT, mild, 4).how, NAMED_NOT);
}
END_TEST

/* A plain word is a file's name only where it stands out. */
START_TEST(plain_words)
{
    static const char *const yes[] = {"prog: config: not found", "cannot open 'config'", "cannot open config"};
    static const char *const no[] = {"cannot lock the config file", "failed to config this"};

    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(said("/a/config", NULL, ENOENT, &yes[i], 1).how, NAMED_BARELY);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(said("/a/config", NULL, ENOENT, &no[i], 1).how, NAMED_NOT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("naming");
    TCase *one = tcase_create("naming");
    SRunner *runner;

    tcase_add_loop_test(one, lines, 0, sizeof one_line / sizeof *one_line);
    tcase_add_test(one, as_passed);
    tcase_add_test(one, best);
    tcase_add_test(one, list);
    tcase_add_test(one, plain_words);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed ? 1 : 0;
}
