/* Go's table of functions in each of its forms, and the same with damage. */
#include <probes/alloc.h>
#include <probes/gopclntab.h>

#include <check.h>
#include <string.h>

enum { TABLE = 0x500000, TEXT = 0x401000, SIZE = 512 };

static unsigned char bytes[SIZE];
static size_t reads; /* bytes that were read */

static ssize_t read_table(void *ctx, uint64_t addr, void *buf, size_t n)
{
    (void)ctx;
    if (addr < TABLE || addr - TABLE >= SIZE)
        return -1;
    if (n > SIZE - (addr - TABLE))
        n = SIZE - (addr - TABLE);
    memcpy(buf, bytes + (addr - TABLE), n);
    reads += n;
    return (ssize_t)n;
}

static const struct mem mem = {.read = read_table, .word_size = 8};

static void put32(size_t at, uint32_t value)
{
    memcpy(bytes + at, &value, 4);
}

static void put64(size_t at, uint64_t value)
{
    memcpy(bytes + at, &value, 8);
}

/* Where the parts lie, from the table's start. */
enum { NAMES = 80, UNITS = 112, FILES = 120, VALUES = 136, FUNCTIONS = 168, RECORDS = 64 };

/* Two functions: main.open at TEXT (32 bytes) in a.go, main.main at TEXT+32 (16 bytes) in b.go. */
static void build(uint32_t magic)
{
    bool absolute = magic == 0xfffffffa;
    size_t words = 8, list = FUNCTIONS;

    memset(bytes, 0, sizeof bytes);
    put32(0, magic);
    bytes[6] = 1;
    bytes[7] = 8;
    put64(words, 2);
    put64(words + 8, 2);
    words += 16;
    if (!absolute) {
        put64(words, TEXT);
        words += 8;
    }
    put64(words, NAMES);
    put64(words + 8, UNITS);
    put64(words + 16, FILES);
    put64(words + 24, VALUES);
    put64(words + 32, FUNCTIONS);
    memcpy(bytes + NAMES, "main.open\0main.main", 20);
    put32(UNITS, 0);
    put32(UNITS + 4, 5);
    memcpy(bytes + FILES, "a.go\0b.go", 10);
    /* -1 → 24 for 32 bytes: 25 as zigzag is 50; -1 → 0 for 16, then → 1 for 16 */
    memcpy(bytes + VALUES, "\0\62\40\0\2\20\2\20\0", 9);
    /* lines: -1 → 7 for 8 bytes, → 300 for 24: 293 is 586 */
    memcpy(bytes + VALUES + 9, "\20\10\312\4\30\0", 6);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t entry = i == 0 ? 0 : i == 1 ? 32 : 48, record = RECORDS + i * 48;

        if (absolute) {
            put64(list + i * 16, TEXT + entry);
            put64(list + i * 16 + 8, record);
        } else {
            put32(list + i * 8, (uint32_t)entry);
            put32(list + i * 8 + 4, (uint32_t)record);
        }
        if (i == 2)
            break;
        size_t at = FUNCTIONS + record + (absolute ? 8 : 4);

        put32(at, i * 10); /* name */
        put32(at + 12, 1); /* frames */
        put32(at + 16, 4); /* files */
        put32(at + 20, 9); /* lines */
        put32(at + 28, i); /* unit */
    }
}

static const uint32_t magics[] = {0xfffffffa, 0xfffffff0, 0xfffffff1};

START_TEST(functions)
{
    struct gopclntab table;
    struct gofunction function;
    unsigned line;
    uint64_t frame;

    build(magics[_i]);
    ck_assert_int_eq(gopclntab_open(&mem, TABLE, SIZE, &table), 0);
    ck_assert_int_eq(gopclntab_function(&table, &mem, TEXT + 9, &function), 0);
    ck_assert_uint_eq(function.entry_addr, TEXT);
    CLEANUP_FREE char *name = gopclntab_name(&table, &mem, &function);
    ck_assert_str_eq(name, "main.open");
    CLEANUP_FREE char *file = gopclntab_line(&table, &mem, &function, TEXT + 9, &line);
    ck_assert_str_eq(file, "a.go");
    ck_assert_uint_eq(line, 300);
    CLEANUP_FREE char *first = gopclntab_line(&table, &mem, &function, TEXT + 7, &line);
    ck_assert_uint_eq(line, 7);
    ck_assert_int_eq(gopclntab_frame(&table, &mem, &function, TEXT + 31, &frame), 0);
    ck_assert_uint_eq(frame, 24);
    /* the file of the second half of a function is that of what was inlined there */
    CLEANUP_FREE char *inlined = gopclntab_line(&table, &mem, &function, TEXT + 20, &line);
    ck_assert_str_eq(inlined, "b.go");
    ck_assert_int_eq(gopclntab_function(&table, &mem, TEXT + 47, &function), 0);
    CLEANUP_FREE char *last = gopclntab_name(&table, &mem, &function);
    ck_assert_str_eq(last, "main.main");
    ck_assert_int_eq(gopclntab_function(&table, &mem, TEXT + 48, &function), -1);
    ck_assert_int_eq(gopclntab_function(&table, &mem, TEXT - 1, &function), -1);
}
END_TEST

START_TEST(unknown)
{
    struct gopclntab table;

    build(0xfffffffb); /* go1.2 */
    ck_assert_int_eq(gopclntab_open(&mem, TABLE, SIZE, &table), -1);
    build(0xfffffff1);
    bytes[7] = 4;
    ck_assert_int_eq(gopclntab_open(&mem, TABLE, SIZE, &table), -1);
    build(0xfffffff1);
    ck_assert_int_eq(gopclntab_open(&mem, TABLE, 70, &table), -1);
    ck_assert_int_eq(gopclntab_open(&mem, 0, SIZE, &table), -1);
}
END_TEST

static void use_all(void)
{
    struct gopclntab table;
    struct gofunction function;
    unsigned line;
    uint64_t frame;

    if (gopclntab_open(&mem, TABLE, SIZE, &table))
        return;
    for (uint64_t addr = TEXT; addr < TEXT + 50; addr += 7) {
        if (gopclntab_function(&table, &mem, addr, &function))
            continue;
        free(gopclntab_name(&table, &mem, &function));
        free(gopclntab_line(&table, &mem, &function, addr, &line));
        gopclntab_frame(&table, &mem, &function, addr, &frame);
    }
}

/* Each byte, with each of some values: it ends, soon, and reads nothing outside. */
START_TEST(damaged)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};

    for (size_t at = 0; at < 330; at++)
        for (size_t i = 0; i < sizeof values; i++) {
            build(magics[_i]);
            bytes[at] = values[i];
            reads = 0;
            use_all();
            ck_assert_uint_lt(reads, 200000);
        }
}
END_TEST

START_TEST(random_bytes)
{
    uint32_t number = 1;

    for (int round = 0; round < 20000; round++) {
        build(magics[_i]);
        for (int k = 0; k < 12; k++) {
            number = number * 1664525 + 1013904223;
            bytes[8 + (number >> 8) % 322] = (unsigned char)(number >> 24);
        }
        use_all();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gopclntab");
    TCase *tcase = tcase_create("tables");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, functions, 0, 3);
    tcase_add_test(tcase, unknown);
    tcase_add_loop_test(tcase, damaged, 0, 3);
    tcase_add_loop_test(tcase, random_bytes, 0, 3);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
