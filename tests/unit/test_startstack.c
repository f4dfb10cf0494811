/* What the kernel puts on a new program's stack, laid out here by hand and read through /proc/self/mem. */
#include <probes/startstack.h>

#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 65536, PAGE = 4096 };

static char *area;
static int mem_fd;

static void start(void)
{
    area = mmap(NULL, SIZE + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
    munmap(area + SIZE, PAGE); /* nothing can be read behind it */
    mem_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(mem_fd, 0);
}

static void end(void)
{
    close(mem_fd);
    munmap(area, SIZE);
}

static void lay(size_t strings_at)
{
    char *name = area + strings_at;
    const uint64_t words[] = {
        2, (uintptr_t)name, (uintptr_t)name + 5, 0, (uintptr_t)name + 7, 0, AT_BASE, 0x1000, AT_ENTRY, 0x2000, AT_NULL,
        0,
    };

    memcpy(area, words, sizeof words);
    memcpy(name, "prog\0x\0A=1", 11);
}

static void release(char **v)
{
    for (size_t i = 0; v[i]; i++)
        free(v[i]);
    free(v);
}

START_TEST(all_of_it)
{
    struct auxv auxv;
    char **argv, **env;

    lay(4096);
    ck_assert_int_eq(startstack_read(mem_fd, (uintptr_t)area, 8, &argv, &env, &auxv), 0);
    ck_assert_str_eq(argv[0], "prog");
    ck_assert_str_eq(argv[1], "x");
    ck_assert_ptr_null(argv[2]);
    ck_assert_str_eq(env[0], "A=1");
    ck_assert_ptr_null(env[1]);
    ck_assert_uint_eq(auxv.base, 0x1000);
    ck_assert_uint_eq(auxv.entry, 0x2000);
    release(argv);
    release(env);
}
END_TEST

/* Strings too far away, at its end without one, and pointers to elsewhere: /proc is to be asked. */
START_TEST(not_all_of_it)
{
    static const uint64_t everywhere[4096] = {[0 ... 4095] = 0x1234567};
    struct auxv auxv;
    char **argv, **env;

    lay(32768);
    ck_assert_int_lt(startstack_read(mem_fd, (uintptr_t)area, 8, &argv, &env, &auxv), 0);
    ck_assert_ptr_null(argv);
    ck_assert_ptr_null(env);
    lay(4096);
    memset(area + 4096, 'a', SIZE - 4096);
    ck_assert_int_lt(startstack_read(mem_fd, (uintptr_t)area, 8, &argv, &env, &auxv), 0);
    memcpy(area, everywhere, sizeof everywhere);
    ck_assert_int_lt(startstack_read(mem_fd, (uintptr_t)area, 8, &argv, &env, &auxv), 0);
    memset(area, 0, SIZE);
    ck_assert_int_eq(startstack_read(mem_fd, (uintptr_t)area, 8, &argv, &env, &auxv),
                     0); /* neither arguments nor more */
    release(argv);
    release(env);
    ck_assert_int_lt(startstack_read(mem_fd, (uintptr_t)area + SIZE - 8, 8, &argv, &env, &auxv), 0);
    ck_assert_int_lt(startstack_read(mem_fd, 16, 8, &argv, &env, &auxv), 0);
    ck_assert_int_lt(startstack_read(mem_fd, UINT64_MAX - 64, 4, &argv, &env, &auxv), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("startstack");
    TCase *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(all, start, end);
    tcase_add_test(all, all_of_it);
    tcase_add_test(all, not_all_of_it);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
