/* ABIs of runtimes, from names and files. */
#include <probes/runtime.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/test-runtime-XXXXXX";

static void is(char *got, const char *wanted)
{
    if (wanted)
        ck_assert_str_eq(got, wanted);
    else
        ck_assert_msg(!got, "%s", got);
    free(got);
}

static void put(const char *name, const void *bytes, size_t size, size_t gap)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", top, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < gap; i++)
        fputc('x', file);
    fwrite(bytes, 1, size, file);
    fclose(file);
}

START_TEST(names_of_python)
{
    is(runtime_python("/usr/bin/python3.11"), "cpython-311");
    is(runtime_python("/opt/py/bin/python3.13t"), "cpython-313t");
    is(runtime_python("/usr/lib/libpython3.11.so.1.0"), "cpython-311");
    is(runtime_python("libpython3.9d.so"), "cpython-39d");
    is(runtime_python("/usr/bin/python3"), NULL);
    is(runtime_python("/usr/bin/python2.7"), NULL);
    is(runtime_python("/usr/bin/python3.11-config"), NULL);
    is(runtime_python("/usr/bin/perl"), NULL);
    is(runtime_python_tag("_x.cpython-310-x86_64-linux-gnu.so"), "cpython-310");
    is(runtime_python_tag("_x.cpython-36m-x86_64-linux-gnu.so"), "cpython-36m");
    is(runtime_python_tag("_x.cpython-311.so"), "cpython-311");
    is(runtime_python_tag("_x.pypy39-pp73-x86_64-linux-gnu.so"), "pypy39");
    is(runtime_python_tag("_x.abi3.so"), NULL);
    is(runtime_python_tag("_x.so"), NULL);
    is(runtime_python_tag("_x.cpython-310-x86_64-linux-gnu.so.bak"), NULL);
}
END_TEST

START_TEST(modules_for_another_python)
{
    char path[256];

    is(runtime_python_other("", top, "m", "cpython-311"), NULL);
    put("m.cpython-310-x86_64-linux-gnu.so", "", 0, 0);
    put("m2.cpython-38-x86_64-linux-gnu.so", "", 0, 0);
    snprintf(path, sizeof path, "%s/m.cpython-310-x86_64-linux-gnu.so", top);
    is(runtime_python_other("", top, "m", "cpython-311"), path);
    is(runtime_python_other("", top, "m", "cpython-310"), NULL);
    is(runtime_python_other("", "/nowhere", "m", "cpython-311"), NULL);
    put("m.abi3.so", "", 0, 0);
    is(runtime_python_other("", top, "m", "cpython-311"), NULL);
}
END_TEST

/* Wherever the word stands in the file, also across the pieces in which it is read. */
START_TEST(words_in_files)
{
    static const char node[] = "\0node_register_module_v127\0";
    char info[64] = "\xff Go buildinf:\x08\x02";
    static const size_t gaps[] = {0, 5, (1 << 20) - 8, (1 << 20) + 300};
    char path[256];

    memcpy(info + 32, "\x06go1.22", 7);
    snprintf(path, sizeof path, "%s/file", top);
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        put("file", node, sizeof node, gaps[i]);
        ck_assert_uint_eq(runtime_node("", path), 127);
        put("file", info, sizeof info, gaps[i]);
        is(runtime_go("", path), "go1.22");
        put("file", "\0v5.36.0\0", 9, gaps[i]);
        is(runtime_perl("", path), "v5.36.0");
    }
    put("file", info, 20, 0);
    is(runtime_go("", path), NULL);
    info[32] = 60; /* longer than the file */
    put("file", info, 50, 0);
    is(runtime_go("", path), NULL);
    put("file", "", 0, 0);
    ck_assert_uint_eq(runtime_node("", path), 0);
    ck_assert_uint_eq(runtime_node_wanted("", path), 0);
    ck_assert_uint_eq(runtime_node("", "/nowhere"), 0);
    is(runtime_perl("", "/nowhere"), NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runtime");
    TCase *tests = tcase_create("runtime");
    SRunner *runner;
    char command[300];
    int failed;

    if (!mkdtemp(top))
        return EXIT_FAILURE;
    tcase_add_test(tests, names_of_python);
    tcase_add_test(tests, modules_for_another_python);
    tcase_add_test(tests, words_in_files);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -r %s", top);
    if (system(command) != 0)
        return EXIT_FAILURE;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
