/* The loader's words, taken apart: its own formats with their arguments, and lines of programs that pass them on. */
#include <reports/told.h>

#include <check.h>
#include <stdlib.h>

static struct told told;

static void by_loader(const char *object, const char *format, const char *a, const char *b, const char *c)
{
    const struct loader_error error = {.object = (char *)(uintptr_t)object,
                                       .format = (char *)(uintptr_t)format,
                                       .args = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c}};

    told_deinit(&told);
    told_by_loader(&error, &told);
}

static void in_line(const char *line)
{
    told_deinit(&told);
    told_in_line(line, &told);
}

static void is(enum told_what what, const char *object, const char *symbol, const char *version, const char *needer)
{
    const char *const wanted[] = {object, symbol, version, needer};
    const char *const got[] = {told.object, told.symbol, told.version, told.needer};

    ck_assert_int_eq(told.what, what);
    for (size_t i = 0; i < 4; i++)
        if (wanted[i])
            ck_assert_str_eq(got[i], wanted[i]);
        else
            ck_assert_msg(!got[i], "%s", got[i]);
}

START_TEST(formats_of_glibc)
{
    by_loader("/x/a.so", "undefined symbol: %s%s%s", "f", ", version ", "V_1");
    is(TOLD_SYMBOL, "/x/a.so", "f", "V_1", NULL);
    by_loader("/x/a.so", "undefined symbol: %s%s%s", "f", "", "");
    is(TOLD_SYMBOL, "/x/a.so", "f", NULL, NULL);
    by_loader("/lib/libc.so.6", "version `%s' not found (required by %s)", "GLIBC_2.38", "./a.so", NULL);
    is(TOLD_VERSION, "/lib/libc.so.6", NULL, "GLIBC_2.38", "./a.so");
    by_loader("libx.so.1", "cannot open shared object file", NULL, NULL, NULL);
    is(TOLD_NOT_FOUND, "libx.so.1", NULL, NULL, NULL);
    by_loader("./a.so", "cannot allocate memory in static TLS block", NULL, NULL, NULL);
    is(TOLD_NO_TLS, "./a.so", NULL, NULL, NULL);
    by_loader("./a.so", "cannot enable executable stack as shared object requires", NULL, NULL, NULL);
    is(TOLD_NO_STACK, "./a.so", NULL, NULL, NULL);
    by_loader("./a.so", "failed to map segment from shared object", NULL, NULL, NULL);
    is(TOLD_NOT_MAPPED, "./a.so", NULL, NULL, NULL);
    by_loader(NULL, "%s: CPU ISA level is lower than required\n", "./prog", NULL, NULL);
    is(TOLD_LEVEL, "./prog", NULL, NULL, NULL);
    by_loader(NULL, "Inconsistency detected by ld.so: %s: %u: %s%sAssertion `%s' failed!\n", "dl-x.c", "37", "f");
    is(TOLD_ASSERTION, NULL, NULL, NULL, NULL);
    by_loader("./a.so", "invalid ELF header", NULL, NULL, NULL);
    is(TOLD_FILE, "./a.so", NULL, NULL, NULL);
    by_loader(NULL, "invalid namespace", NULL, NULL, NULL);
    is(TOLD_NOTHING, NULL, NULL, NULL, NULL);
}
END_TEST

START_TEST(formats_of_musl)
{
    by_loader(NULL, "Error relocating %s: %s: symbol not found", "/x/a.so", "f", NULL);
    is(TOLD_SYMBOL, "/x/a.so", "f", NULL, NULL);
    by_loader(NULL, "Error loading shared library %s: %m (needed by %s)", "libx.so.1", "/x/a.so", NULL);
    is(TOLD_NOT_FOUND, "libx.so.1", NULL, NULL, "/x/a.so");
    by_loader(NULL, "Error relocating %s: %s: initial-exec TLS resolves to dynamic definition in %s", "/x/a.so", "",
              "b");
    is(TOLD_NO_TLS, "/x/a.so", NULL, NULL, NULL);
}
END_TEST

START_TEST(lines)
{
    in_line("ImportError: /x/a.so: undefined symbol: f, version V_1");
    is(TOLD_SYMBOL, "/x/a.so", "f", "V_1", NULL);
    in_line("cannot load (/x/a.so: undefined symbol: f)");
    is(TOLD_SYMBOL, "/x/a.so", "f", NULL, NULL);
    in_line("Error relocating /x/a.so: f: symbol not found");
    is(TOLD_SYMBOL, "/x/a.so", "f", NULL, NULL);
    in_line("./p: /lib/libm.so.6: version `GLIBC_2.38' not found (required by ./p)");
    is(TOLD_VERSION, "/lib/libm.so.6", NULL, "GLIBC_2.38", "./p");
    in_line("OSError: ./a.so: cannot allocate memory in static TLS block");
    is(TOLD_NO_TLS, "./a.so", NULL, NULL, NULL);
    in_line("p: error while loading shared libraries: liba.so: cannot enable executable stack as shared object "
            "requires: Permission denied");
    is(TOLD_NO_STACK, "liba.so", NULL, NULL, NULL);
    in_line(": undefined symbol: ");
    is(TOLD_SYMBOL, NULL, NULL, NULL, NULL);
    in_line("all is well");
    is(TOLD_NOTHING, NULL, NULL, NULL, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("told");
    TCase *tc = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, formats_of_glibc);
    tcase_add_test(tc, formats_of_musl);
    tcase_add_test(tc, lines);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    told_deinit(&told);
    return failed ? 1 : 0;
}
