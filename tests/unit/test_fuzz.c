/* What the fuzzers found once (testdata/fuzz/TARGET), and the seeds they begin with: none of it may be a find again.
 * Run it with the sanitizers (make check SAN=1); `make fuzz` looks for more. */
#include "../fuzz/targets.h"

#include <probes/alloc.h>

#include <check.h>
#include <dirent.h>
#include <string.h>

/* At the end of the bytes nothing may be read: they are in memory of their own, of just their size. */
static void run_file(const struct fuzz_target *target, const char *path)
{
    CLEANUP_FCLOSE FILE *in = fopen(path, "re");
    CLEANUP_FREE uint8_t *data = NULL;
    long size;

    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fseek(in, 0, SEEK_END), 0);
    size = ftell(in);
    rewind(in);
    data = xmalloc(size ? (size_t)size : 1);
    ck_assert_uint_eq(fread(data, 1, (size_t)size, in), (size_t)size);
    target->run(data, (size_t)size);
}

static unsigned run_folder(const struct fuzz_target *target, const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    ck_assert_msg(directory != NULL, "%s", folder);
    while ((entry = readdir(directory))) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        run_file(target, path);
        count++;
    }
    closedir(directory);
    return count;
}

START_TEST(what_was_found)
{
    const struct fuzz_target *target = &fuzz_targets[_i];
    CLEANUP_FREE char *folder = xasprintf("testdata/fuzz/%s", target->name);

    ck_assert_uint_gt(run_folder(target, folder), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuzz");
    TCase *tc = tcase_create("inputs");
    SRunner *runner;
    int count = 0, failed;

    while (fuzz_targets[count].name)
        count++;
    tcase_add_loop_test(tc, what_was_found, 0, count);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
