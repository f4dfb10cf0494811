/* The table of releases: judged by the libraries of the system that the tests run on, and by rules that it must keep.
 */
#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/releases.h>

#include <check.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

START_TEST(order)
{
    for (size_t i = 0; i < release_count; i++) {
        const struct release *row = &releases[i];

        for (int family = 0; family < VERSION_FAMILIES; family++) {
            ck_assert_ptr_nonnull(row->newest[family]);
            if (i && strcmp(row[-1].system, row->system) == 0) /* nothing that was defined goes away */
                ck_assert_int_le(strverscmp(row[-1].newest[family], row->newest[family]), 0);
        }
        ck_assert_int_le(strverscmp(row->newest[VERSIONS_GLIBC], row->glibc), 0);
    }
}
END_TEST

static int find_libc(struct dl_phdr_info *info, size_t size, void *ret)
{
    (void)size;
    if (strstr(info->dlpi_name, "libc.so.6"))
        *(char **)ret = xstrdup(info->dlpi_name);
    return 0;
}

static const struct release *debian_with(const char *glibc)
{
    for (size_t i = 0; i < release_count; i++)
        if (strcmp(releases[i].system, "Debian") == 0 && strcmp(releases[i].glibc, glibc) == 0)
            return &releases[i];
    return NULL;
}

/* Every version of this system's C library is in a row that has its release, and no row of an older one has the newest.
 */
START_TEST(own_system)
{
    CLEANUP_FREE char *path = NULL;
    const struct release *row = debian_with(gnu_get_libc_version());
    const struct elffile *elf;
    size_t checked = 0;

    dl_iterate_phdr(find_libc, &path);
    elf = elffile_get("", path);
    for (size_t i = 0; row && i < elf->def_count; i++) {
        if (elf->defs[i].base || strcmp(elf->defs[i].name, "GLIBC_PRIVATE") == 0)
            continue;
        ck_assert_msg(release_defines(row, elf->defs[i].name), "%s", elf->defs[i].name);
        checked++;
    }
    ck_assert(!row || checked > 30);
    elffile_put(elf);
}
END_TEST

static void check_first(const char *const *versions, size_t count, const char *expected)
{
    const struct release *found[16];
    size_t n = releases_with(versions, count, found, 16);
    CLEANUP_FREE char *words = xstrdup("");

    for (size_t i = 0; i < n; i++) {
        char *more = xasprintf("%s%s%s %s", words, i ? ", " : "", found[i]->system, found[i]->number);

        free(words);
        words = more;
    }
    ck_assert_str_eq(words, expected);
}

START_TEST(oldest_of_each)
{
    const char *fmod[] = {"GLIBC_2.38"}, *both[] = {"GLIBC_2.34", "GLIBCXX_3.4.32"}, *none[] = {"GLIBC_2.99"},
               *named[] = {"GLIBC_ABI_DT_X86_64_PLT"}, *other[] = {"GLIBC_2.34", "SMARTCOLS_2.41"},
               *old[] = {"GCC_3.0"};

    check_first(fmod, 1, "Debian 13, Ubuntu 24.04, RHEL 10 (CentOS Stream 10), Fedora 40, openSUSE Leap 15.6");
    check_first(both, 2, "Debian 13, Ubuntu 24.04, RHEL 10 (CentOS Stream 10), Fedora 40, openSUSE Leap 15.6");
    check_first(none, 1, "");
    check_first(named, 1, "Debian 13");
    check_first(other, 2, "");
    check_first(old, 1, "Debian 9, Ubuntu 18.04, RHEL 7 (CentOS 7), Fedora 40, openSUSE Leap 15.6, Amazon Linux 2023");
    ck_assert(!release_knows("GLIBC_PRIVATE"));
    ck_assert(!release_knows("GLIBC_"));
    ck_assert(!release_knows(""));
    ck_assert_str_eq(releases_glibc(both, 2), "2.34");
    ck_assert_ptr_null(releases_glibc(named, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("releases");
    TCase *one = tcase_create("releases");
    SRunner *runner;
    int failed;

    tcase_add_test(one, order);
    tcase_add_test(one, own_system);
    tcase_add_test(one, oldest_of_each);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
