/* Another process's memory, played by an array: short reads, page ends, strings that never end. */
#include <probes/alloc.h>
#include <probes/mem.h>

#include <check.h>
#include <string.h>

enum { BASE = 0x10000 };

struct array {
    char bytes[1024];
    size_t size;
    size_t most; /* a read gives at most so many bytes */
};

static struct array array;

static ssize_t read_array(void *ctx, uint64_t addr, void *buf, size_t n)
{
    const struct array *a = ctx;

    if (addr < BASE || addr - BASE >= a->size)
        return -1;
    if (n > a->size - (addr - BASE))
        n = a->size - (addr - BASE);
    if (n > a->most)
        n = a->most;
    memcpy(buf, a->bytes + (addr - BASE), n);
    return (ssize_t)n;
}

static const struct mem mem = {.read = read_array, .ctx = &array, .word_size = 8};

static void fill(void)
{
    array = (struct array){.size = sizeof array.bytes, .most = sizeof array.bytes};
    memset(array.bytes, 'x', sizeof array.bytes);
}

START_TEST(all_or_nothing)
{
    char bytes[8];

    array.most = 3;
    array.size = 20;
    memcpy(array.bytes + 10, "abcdefgh", 8);
    ck_assert_int_eq(mem_read(&mem, BASE + 10, bytes, 8), 0);
    ck_assert_mem_eq(bytes, "abcdefgh", 8);
    ck_assert_int_eq(mem_read(&mem, BASE + 13, bytes, 8), -1);
    ck_assert_int_eq(mem_read(&mem, 0, bytes, 1), -1);
    ck_assert_int_eq(mem_read(&mem, 0, bytes, 0), 0);
}
END_TEST

START_TEST(strings)
{
    int cut;

    for (size_t length = 0; length < 700; length += 7) {
        for (array.most = 1; array.most <= sizeof array.bytes; array.most *= 32) {
            array.bytes[length] = '\0';
            array.size = length + 1; /* nothing is mapped behind the NUL */
            CLEANUP_FREE char *s = mem_read_string(&mem, BASE, 1000, &cut);
            ck_assert_ptr_nonnull(s);
            ck_assert_uint_eq(strlen(s), length);
            ck_assert_int_eq(cut, 0);
        }
        array.bytes[length] = 'x';
    }
}
END_TEST

START_TEST(limits)
{
    int cut;
    CLEANUP_FREE char *long_one = mem_read_string(&mem, BASE, 300, &cut);

    ck_assert_uint_eq(strlen(long_one), 300);
    ck_assert_int_eq(cut, 1);
    array.bytes[300] = '\0';
    CLEANUP_FREE char *exact = mem_read_string(&mem, BASE, 300, &cut);
    ck_assert_uint_eq(strlen(exact), 300);
    ck_assert_int_eq(cut, 0);
    CLEANUP_FREE char *none = mem_read_string(&mem, BASE, 0, NULL);
    ck_assert_str_eq(none, "");
    array.bytes[300] = 'x';
    ck_assert_ptr_null(mem_read_string(&mem, BASE, 4096, &cut)); /* runs into what is not mapped */
    ck_assert_ptr_null(mem_read_string(&mem, 8, 16, &cut));
}
END_TEST

START_TEST(words)
{
    struct mem narrow = mem;
    uint64_t word;

    narrow.word_size = 4;
    memcpy(array.bytes, "\1\2\3\4\5\6\7\10", 8);
    ck_assert_int_eq(mem_read_word(&mem, BASE, &word), 0);
    ck_assert_uint_eq(word, 0x0807060504030201);
    ck_assert_int_eq(mem_read_word(&narrow, BASE, &word), 0);
    ck_assert_uint_eq(word, 0x04030201);
    ck_assert_int_eq(mem_read_word(&mem, BASE + sizeof array.bytes - 4, &word), -1);
    ck_assert_int_eq(mem_read_word(&narrow, BASE + sizeof array.bytes - 4, &word), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem");
    TCase *tcase = tcase_create("reads");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, fill, NULL);
    tcase_add_test(tcase, all_or_nothing);
    tcase_add_test(tcase, strings);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, words);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
