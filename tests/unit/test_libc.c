/* Which C library a file is: judged by what this process and musl's loader say of themselves. */
#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/libc_memory.h>

#include <check.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int find_libc(struct dl_phdr_info *info, size_t size, void *ret)
{
    (void)size;
    if (strstr(info->dlpi_name, "libc.so.6"))
        *(char **)ret = xstrdup(info->dlpi_name);
    return 0;
}

static char *own_libc(void)
{
    char *path = NULL;

    dl_iterate_phdr(find_libc, &path);
    ck_assert_ptr_nonnull(path);
    return path;
}

START_TEST(glibc)
{
    CLEANUP_FREE char *path = own_libc();
    struct libc_identity identity;

    libc_identify("", path, &identity);
    ck_assert_str_eq(identity.family, "glibc");
    ck_assert_str_eq(identity.release, gnu_get_libc_version());
    ck_assert_ptr_nonnull(identity.build);
    libc_identity_deinit(&identity);
}
END_TEST

/* "musl libc (x86_64)\nVersion 1.2.3\n…" is what its loader says when it is run without a program (ldso/dynlink.c). */
START_TEST(musl)
{
    static const char path[] = "/usr/lib/x86_64-linux-musl/libc.so";
    CLEANUP_FREE char *command = xasprintf("%s 2>&1", path);
    char line[256], release[64] = "";
    struct libc_identity identity;
    FILE *said = popen(command, "r");

    while (fgets(line, sizeof line, said))
        sscanf(line, "Version %63s", release);
    pclose(said);
    ck_assert_str_ne(release, "");
    libc_identify("", path, &identity);
    ck_assert_str_eq(identity.family, "musl");
    ck_assert_str_eq(identity.release, release);
    libc_identity_deinit(&identity);
}
END_TEST

/* The banner stands, but no program header leads to it: the whole file is looked through. */
START_TEST(headers_gone)
{
    CLEANUP_FREE char *path = own_libc(), *command = NULL;
    char copy[] = "/tmp/glibctrace-libc-XXXXXX";
    struct libc_identity identity;
    int fd = mkstemp(copy);

    ck_assert_int_ge(fd, 0);
    close(fd);
    command = xasprintf("cp '%s' %s && dd if=/dev/zero of=%s bs=64 count=1 conv=notrunc status=none", path, copy, copy);
    ck_assert_int_eq(system(command), 0);
    libc_identify("", copy, &identity);
    ck_assert_str_eq(identity.family, "glibc");
    ck_assert_str_eq(identity.release, gnu_get_libc_version());
    libc_identity_deinit(&identity);
    ck_assert_int_eq(truncate(copy, 4096), 0);
    libc_identify("", copy, &identity);
    ck_assert_str_eq(identity.family, "unknown");
    ck_assert_ptr_null(identity.release);
    libc_identity_deinit(&identity);
    unlink(copy);
}
END_TEST

START_TEST(none)
{
    static const char *const paths[] = {"/bin/true", "/etc/passwd", "/dev/null", "/tmp", "/nowhere/libc.so.6"};
    struct libc_identity identity;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        libc_identify("", paths[i], &identity);
        ck_assert_str_eq(identity.family, "unknown");
        libc_identity_deinit(&identity);
    }
}
END_TEST

/* This process, by its memory. */
START_TEST(memory)
{
    CLEANUP_FREE char *own = own_libc();
    struct libc_memory seen;
    struct stat a, b;

    libc_memory_read(getpid(), "", &seen);
    ck_assert(seen.mapped && seen.read && !seen.musl && seen.libc.there && seen.loader.there);
    ck_assert_str_eq(seen.libc.says.family, "glibc");
    ck_assert_str_eq(seen.libc.says.release, gnu_get_libc_version());
    ck_assert_int_eq(stat(seen.libc.path, &a), 0);
    ck_assert_int_eq(stat(own, &b), 0);
    ck_assert_uint_eq(a.st_ino, b.st_ino);
    ck_assert_int_eq(seen.libc.file, LIBC_FILE_SAME);
    ck_assert(!libc_other_builds(&seen.libc.says, &seen.loader.says));
    ck_assert_ptr_null(seen.other);
    libc_memory_deinit(&seen);
}
END_TEST

START_TEST(no_memory)
{
    struct libc_memory seen;

    libc_memory_read(0, "", &seen);
    ck_assert(!seen.mapped && !seen.libc.there && !seen.loader.there);
    ck_assert_str_eq(seen.libc.says.family, "unknown");
    libc_memory_deinit(&seen);
}
END_TEST

/* What is newest among the versions is the least that it can be; names that are no release say nothing. */
START_TEST(least)
{
    static const char *const some[] = {"GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9", "GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR"};
    CLEANUP_FREE char *newest = libc_least(some, sizeof some / sizeof *some), *nothing = libc_least(some + 3, 1);

    ck_assert_str_eq(newest, "2.34");
    ck_assert_ptr_null(nothing);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libc");
    TCase *one = tcase_create("libc");
    SRunner *runner;

    tcase_add_test(one, glibc);
    tcase_add_test(one, musl);
    tcase_add_test(one, headers_gone);
    tcase_add_test(one, none);
    tcase_add_test(one, memory);
    tcase_add_test(one, no_memory);
    tcase_add_test(one, least);
    suite_add_tcase(suite, one);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    elffile_forget_all();
    return failed ? 1 : 0;
}
