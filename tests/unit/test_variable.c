/* Paths in the values of environment variables, and lines that complain. */
#include <reports/environment.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void paths_are(const char *value, const char *cwd, const char *const *wanted)
{
    struct strings paths;
    size_t n = 0;

    variable_paths(value, cwd, &paths);
    while (wanted[n])
        n++;
    ck_assert_msg(paths.n == n, "%s: %zu paths", value, paths.n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(paths.v[i], wanted[i]);
    strings_deinit(&paths);
}

START_TEST(paths)
{
    paths_are("/opt/x", NULL, (const char *[]){"/opt/x", NULL});
    paths_are("/opt//x/./y/", NULL, (const char *[]){"/opt/x/y", NULL});
    paths_are("/opt/a b/c", NULL, (const char *[]){"/opt/a b/c", "/opt/a", NULL});
    paths_are("/a/b:/c::relative", "/here", (const char *[]){"/a/b", "/c", NULL});
    paths_are("--require=/x/y.js --flag", NULL, (const char *[]){"/x/y.js", NULL});
    paths_are("-r ./x/y.js", "/here", (const char *[]){"/here/x/y.js", NULL});
    paths_are("-r ./x/y.js", NULL, (const char *[]){NULL});
    paths_are("-I/x/include -L/y/lib @/tmp/args", NULL, (const char *[]){"/x/include", "/y/lib", "/tmp/args", NULL});
    paths_are("-javaagent:/a/b.jar", NULL, (const char *[]){"/a/b.jar", NULL});
    paths_are("file:///a/b", NULL, (const char *[]){"/a/b", NULL});
    paths_are("unix:path=/run/bus,guid=1", NULL, (const char *[]){"/run/bus", NULL});
    paths_are("https://host/path", NULL, (const char *[]){NULL});
    paths_are("/", NULL, (const char *[]){NULL});
    paths_are("C.UTF-8", "/here", (const char *[]){NULL});
    paths_are("config.ini", "/here", (const char *[]){NULL});
}
END_TEST

START_TEST(many_paths_are_bounded)
{
    size_t size = 20000;
    char *value = malloc(size + 1);
    struct strings found;

    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < size; i++)
        value[i] = i % 4 == 0 ? ':' : i % 4 == 1 ? '/' : (char)('a' + i / 7 % 26);
    value[size] = '\0';
    variable_paths(value, "/", &found);
    ck_assert_uint_le(found.n, VARIABLE_PATHS);
    ck_assert_uint_gt(found.n, 8);
    strings_deinit(&found);
    free(value);
}
END_TEST

START_TEST(fits)
{
    ck_assert_int_eq(variable_fit("/a/b", "/a/b"), FIT_EXACT);
    ck_assert_int_eq(variable_fit("/a/b", "/a/b/c"), FIT_BENEATH);
    ck_assert_int_eq(variable_fit("/a/b", "/a"), FIT_ABOVE);
    ck_assert_int_eq(variable_fit("/a/b", "/a/bc"), FIT_NONE);
    ck_assert_int_eq(variable_fit("/a/b", "/c"), FIT_NONE);
}
END_TEST

START_TEST(entries)
{
    struct variable variable;

    ck_assert(variable_of("A=b=c", &variable));
    ck_assert(variable_is(&variable, "A"));
    ck_assert(!variable_is(&variable, "AB"));
    ck_assert_str_eq(variable.value, "b=c");
    ck_assert(!variable_of("A=", &variable));
    ck_assert(!variable_of("=b", &variable));
    ck_assert(!variable_of("A", &variable));
    ck_assert(!variable_of("PATH=/nowhere", &variable));
    ck_assert(!variable_of("OLDPWD=/nowhere", &variable));
    ck_assert(variable_of("PATHS=/nowhere", &variable));
}
END_TEST

START_TEST(words_in_lines)
{
    ck_assert(words_path("in '/a/b': no", "/a/b"));
    ck_assert(words_path("/a/b/c: no", "/a/b"));
    ck_assert(words_path("not /a/b.", "/a/b"));
    ck_assert(words_path("template \xe2\x80\x98/a/b\xe2\x80\x99", "/a/b"));
    ck_assert(!words_path("/a/bc", "/a/b"));
    ck_assert(!words_path("x/a/b", "/a/b"));
    ck_assert(!words_path("/a/b.conf", "/a/b"));
    ck_assert(words_word("GOOS/GOARCH pair", "GOOS", 4));
    ck_assert(words_word("$GOFLAGS: bad", "GOFLAGS", 7));
    ck_assert(!words_word("MY_GOOS", "GOOS", 4));
    ck_assert(!words_word("GOOSE", "GOOS", 4));
    ck_assert(words_complain("x: No such file or directory", 0));
    ck_assert(!words_complain("all is well", 0));
    ck_assert(words_object("GOCACHE is not an absolute path"));
    ck_assert(!words_object("using GOCACHE"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("variable");
    TCase *tests = tcase_create("variable");
    SRunner *runner;
    int failed;

    tcase_add_test(tests, paths);
    tcase_add_test(tests, many_paths_are_bounded);
    tcase_add_test(tests, fits);
    tcase_add_test(tests, entries);
    tcase_add_test(tests, words_in_lines);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
