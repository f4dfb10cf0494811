/* ABIs of runtimes, from names and files. */
#include "loadbed.h"

#include <probes/runtime.h>

static void is(char *got, const char *wanted)
{
    if (wanted)
        ck_assert_str_eq(got, wanted);
    else
        ck_assert_msg(!got, "%s", got);
    free(got);
}

/* GAP bytes that mean nothing stand before the SIZE at BYTES. */
static void put_behind(const char *name, const char *bytes, size_t size, size_t gap)
{
    CLEANUP_FREE char *whole = xcalloc(gap + size + 1, 1);

    memset(whole, 'x', gap);
    memcpy(whole + gap, bytes, size);
    put_bytes(name, whole, gap + size);
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
    CLEANUP_FREE char *path = xasprintf("%s/m.cpython-310-x86_64-linux-gnu.so", bed);

    is(runtime_python_other("", bed, "m", "cpython-311"), NULL);
    put_behind("m.cpython-310-x86_64-linux-gnu.so", "", 0, 0);
    put_behind("m2.cpython-38-x86_64-linux-gnu.so", "", 0, 0);
    is(runtime_python_other("", bed, "m", "cpython-311"), path);
    is(runtime_python_other("", bed, "m", "cpython-310"), NULL);
    is(runtime_python_other("", "/nowhere", "m", "cpython-311"), NULL);
    put_behind("m.abi3.so", "", 0, 0);
    is(runtime_python_other("", bed, "m", "cpython-311"), NULL);
}
END_TEST

/* Wherever the word stands in the file, also across the pieces in which it is read. */
START_TEST(words_in_files)
{
    static const char node[] = "\0node_register_module_v127\0";
    char info[64] = "\xff Go buildinf:\x08\x02";
    static const size_t gaps[] = {0, 5, (1 << 20) - 8, (1 << 20) + 300};
    CLEANUP_FREE char *path = xasprintf("%s/file", bed);

    memcpy(info + 32, "\x06go1.22", 7);
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        put_behind("file", node, sizeof node, gaps[i]);
        ck_assert_uint_eq(runtime_node("", path), 127);
        put_behind("file", info, sizeof info, gaps[i]);
        is(runtime_go("", path), "go1.22");
        put_behind("file", "\0v5.36.0\0", 9, gaps[i]);
        is(runtime_perl("", path), "v5.36.0");
    }
    put_behind("file", info, 20, 0);
    is(runtime_go("", path), NULL);
    info[32] = 60; /* longer than the file */
    put_behind("file", info, 50, 0);
    is(runtime_go("", path), NULL);
    put_behind("file", "", 0, 0);
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

    tcase_add_checked_fixture(tests, bed_make, bed_remove);
    tcase_add_test(tests, names_of_python);
    tcase_add_test(tests, modules_for_another_python);
    tcase_add_test(tests, words_in_files);
    suite_add_tcase(suite, tests);
    return bed_run(suite);
}
