/* Arguments as texts, against a memory that is an array: what strace 6.1 printed for the same calls (tests/e2e compares
 * with the strace at hand), and what it cannot be asked: 32-bit processes, memory that ends. */
#include <reports/syscall.h>

#include <probes/alloc.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>

enum { BASE = 0x10000, SIZE = 0x4000 };

/* One mapping from BASE on. */
struct memory {
    unsigned char bytes[SIZE];
};

static ssize_t memory_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct memory *memory = ctx;

    if (addr < BASE || addr >= BASE + SIZE)
        return -1;
    if (n > BASE + SIZE - addr)
        n = BASE + SIZE - addr;
    memcpy(buf, memory->bytes + (addr - BASE), n);
    return (ssize_t)n;
}

static struct memory memory;
static const struct mem wide = {.read = memory_read, .ctx = &memory, .word_size = 8};
static const struct mem narrow = {.read = memory_read, .ctx = &memory, .word_size = 4};

static void setup(void)
{
    memset(&memory, 0, sizeof memory);
}

/* Puts N bytes at BASE + AT; gives their address. */
static uint64_t store(size_t at, const void *bytes, size_t n)
{
    memcpy(memory.bytes + at, bytes, n);
    return BASE + at;
}

static uint64_t store_string(size_t at, const char *s)
{
    return store(at, s, strlen(s) + 1);
}

static void is_told(const char *expected, const struct mem *mem, const char *name, const uint64_t args[6], bool after,
                    int64_t ret)
{
    const struct syscall_desc *desc = syscall_by_name(name);
    struct syscall_texts texts;
    char told[4096] = "";

    ck_assert_msg(desc != NULL, "no row %s", name);
    syscall_texts_format(desc, args, after, ret, mem, &texts);
    for (size_t i = 0; i < 6 && texts.text[i]; i++) {
        strncat(told, i ? ", " : "", sizeof told - strlen(told) - 1);
        strncat(told, texts.text[i], sizeof told - strlen(told) - 1);
    }
    syscall_texts_deinit(&texts);
    ck_assert_str_eq(told, expected);
}

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})

START_TEST(rows_are_found)
{
    size_t count = 0;

    for (const struct syscall_desc *row; (row = syscall_row(count)); count++) {
        ck_assert_msg(syscall_by_name(row->name) == row, "%s is not found: its family is not sorted", row->name);
        ck_assert_uint_le(syscall_argument_count(row), 6);
        ck_assert_int_lt(row->path_arg, (int)syscall_argument_count(row));
        if (row->path_arg >= 0)
            ck_assert_int_eq(row->args[row->path_arg], 'P');
        if (row->dirfd_arg >= 0)
            ck_assert_int_eq(row->args[row->dirfd_arg], 'D');
    }
    ck_assert_uint_ge(count, 49);
    ck_assert_ptr_null(syscall_by_name("getppid"));
    ck_assert_ptr_null(syscall_by_name(""));
    ck_assert_ptr_null(syscall_by_name("openat3"));
}
END_TEST

/* No row may touch memory that it must not, whatever the registers and the memory hold. */
START_TEST(rows_take_anything)
{
    static const uint64_t values[] = {0, 1, 2, 7, 16, 22, 38, 0x4204, BASE, BASE + SIZE - 3, UINT64_MAX, 0xffffffff};

    for (size_t i = 0; i < SIZE; i++)
        memory.bytes[i] = (unsigned char)(i * 37);
    for (size_t r = 0; syscall_row(r); r++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            for (size_t w = 0; w < sizeof values / sizeof values[0]; w++) {
                uint64_t args[6] = {values[v], values[w], values[v], values[w], values[v], values[w]};
                struct syscall_texts texts;

                for (int way = 0; way < 4; way++) {
                    syscall_texts_format(syscall_row(r), args, way & 1, (int64_t)values[w], way & 2 ? &wide : &narrow,
                                         &texts);
                    syscall_texts_deinit(&texts);
                }
            }
}
END_TEST

START_TEST(opens)
{
    uint64_t path = store_string(0, "/etc/passwd");

    is_told("AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC", &wide, "openat", ARGS((uint64_t)AT_FDCWD, path, O_CLOEXEC),
            true, 3);
    is_told("\"/etc/passwd\", O_RDWR|O_CREAT, 0644", &wide, "open", ARGS(path, O_RDWR | O_CREAT, 0644), true, 3);
    is_told("\"/etc/passwd\", O_RDONLY|O_CREAT, 000", &wide, "open", ARGS(path, O_CREAT, 0), true, 3);
    is_told("NULL, O_RDONLY", &wide, "open", ARGS(0, 0), true, -14);
    is_told("0x1, O_RDONLY", &wide, "open", ARGS(1, 0), true, -14);
    is_told("5, \"/etc/passwd\", R_OK", &wide, "faccessat", ARGS(5, path, 4), true, 0);
    is_told("\"/etc/passwd\", 0x8 /* ?_OK */", &wide, "access", ARGS(path, 8), true, -22);
}
END_TEST

START_TEST(strings)
{
    char longer[300];

    memset(longer, 'x', sizeof longer);
    longer[299] = 0;
    uint64_t addr = store_string(0, "a\1\0019\0012\t\n\v\f\r\"\\\177\377\303\251");

    is_told("\"a\\1\\19\\0012\\t\\n\\v\\f\\r\\\"\\\\\\177\\377\\303\\251\"", &wide, "chdir", ARGS(addr), true, 0);
    store_string(1000, longer); /* paths are told whole, buffers are not */
    const struct syscall_desc *chdir_row = syscall_by_name("chdir");
    struct syscall_texts texts;

    syscall_texts_format(chdir_row, ARGS(BASE + 1000), true, 0, &wide, &texts);
    ck_assert_uint_eq(strlen(texts.text[0]), 301);
    syscall_texts_deinit(&texts);
    is_told("2, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 33", &wide, "write", ARGS(2, BASE + 1000, 33), true, 33);
    is_told("2, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\", 32", &wide, "write", ARGS(2, BASE + 1000, 32), true, 32);
    is_told("2, \"\", 0", &wide, "write", ARGS(2, BASE + 1000, 0), true, 0);
    is_told("2, 0x13ffc, 5", &wide, "write", ARGS(2, BASE + SIZE - 4, 5), true, -14); /* the mapping ends */
}
END_TEST

/* A string that runs into the end of the mapping is no string. */
START_TEST(unterminated)
{
    memset(memory.bytes, 'y', SIZE);
    is_told("0x13ff0", &wide, "chdir", ARGS(BASE + SIZE - 16), true, -14);
}
END_TEST

START_TEST(results)
{
    uint64_t path = store_string(0, "l"), buffer = store_string(100, "target and more");
    struct {
        uint64_t dev, ino, nlink;
        uint32_t mode, uid, gid, pad;
        uint64_t rdev, size, rest[11];
    } st = {.mode = 0100644, .size = 1868};
    uint64_t stat_addr = store(200, &st, sizeof st);

    is_told("\"l\", \"target\", 4096", &wide, "readlink", ARGS(path, buffer, 4096), true, 6);
    is_told("\"l\", 0x10064, 4096", &wide, "readlink", ARGS(path, buffer, 4096), true, -22);
    is_told("\"l\", 0x10064, 4096", &wide, "readlink", ARGS(path, buffer, 4096), false, 0);
#if defined(__x86_64__)
    is_told("\"l\", {st_mode=S_IFREG|0644, st_size=1868, ...}", &wide, "stat", ARGS(path, stat_addr), true, 0);
    st.mode = 0020666;
    st.rdev = 0x103;
    store(200, &st, sizeof st);
    is_told("AT_FDCWD, \"l\", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, AT_SYMLINK_NOFOLLOW", &wide,
            "newfstatat", ARGS((uint64_t)AT_FDCWD, path, stat_addr, 0x100), true, 0);
#endif
    is_told("\"l\", 0x100c8", &wide, "stat", ARGS(path, stat_addr), true, -2);
}
END_TEST

START_TEST(narrow_processes)
{
    unsigned char stat64[96] = {0}, stat32[64] = {0};
    uint32_t mode = 0040755, size = 4096, words[3] = {5, BASE + 300, 16}, vector[3];
    uint64_t path = store_string(0, "/x");

    memcpy(stat64 + 16, &mode, 4);
    memcpy(stat64 + 44, &size, 4);
    memcpy(stat32 + 8, &mode, 2);
    memcpy(stat32 + 20, &size, 4);
    uint64_t wide_addr = store(400, stat64, sizeof stat64), narrow_addr = store(500, stat32, sizeof stat32);

    is_told("\"/x\", {st_mode=S_IFDIR|0755, st_size=4096, ...}", &narrow, "stat64", ARGS(path, wide_addr), true, 0);
    is_told("\"/x\", {st_mode=S_IFDIR|0755, st_size=4096, ...}", &narrow, "stat", ARGS(path, narrow_addr), true, 0);
    is_told("NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0x5000", &narrow, "mmap2", ARGS(0, 4096, 1, 2, 3, 5), true, 0);
    vector[0] = (uint32_t)path;
    vector[1] = vector[2] = 0;
    store(600, vector, sizeof vector);
    is_told("\"/x\", [\"/x\"], 0x10258 /* 1 var */", &narrow, "execve", ARGS(path, BASE + 600, BASE + 600), false, 0);

    /* connect(5, addr, 16) by way of socketcall */
    uint64_t inner[6], addr = store(700, words, sizeof words);
    const struct syscall_desc *desc = syscall_unwrap(syscall_by_name("socketcall"), ARGS(3, addr), &narrow, inner);

    ck_assert_str_eq(desc->name, "connect");
    store(300, "\2\0\0\120\177\0\0\1\0\0\0\0\0\0\0\0", 16);
    is_told("5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16", &narrow, desc->name,
            inner, true, 0);
    ck_assert_str_eq(syscall_unwrap(syscall_by_name("socketcall"), ARGS(1, addr), &narrow, inner)->name, "socketcall");
    ck_assert_str_eq(syscall_unwrap(syscall_by_name("socketcall"), ARGS(3, 5), &narrow, inner)->name, "socketcall");
    is_told("SYS_SOCKET, 0x102bc", &narrow, "socketcall", ARGS(1, addr), true, 3);
}
END_TEST

START_TEST(vectors)
{
    uint64_t words[6], path = store_string(0, "/x"), long_addr = store_string(10, "0123456789012345678901234567890123");

    words[0] = path;
    words[1] = long_addr;
    words[2] = 5;
    words[3] = 0;
    uint64_t addr = store(100, words, sizeof words);

    is_told("\"/x\", [\"/x\", \"01234567890123456789012345678901\"..., 0x5], 0x10064 /* 3 vars */", &wide, "execve",
            ARGS(path, addr, addr), false, 0);
    is_told("\"/x\", [], 0x1007c /* 0 vars */", &wide, "execve", ARGS(path, addr + 24, addr + 24), false, 0);
    is_told("\"/x\", NULL, NULL", &wide, "execve", ARGS(path, 0, 0), false, 0);
    is_told("\"/x\", 0x9, 0x9", &wide, "execve", ARGS(path, 9, 9), false, 0);
    /* a vector that runs into the end of the mapping */
    words[0] = words[1] = path;
    store(SIZE - 16, words, 16);
    is_told("\"/x\", [\"/x\", \"/x\", ... /* 0x14000 */], 0x13ff0 /* 2 vars, unterminated */", &wide, "execve",
            ARGS(path, BASE + SIZE - 16, BASE + SIZE - 16), false, 0);
}
END_TEST

START_TEST(clones)
{
    uint64_t flags = 0x01200011; /* CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, as fork(3) has them */

#if defined(__x86_64__)
    is_told("child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f0000000010",
            &wide, "clone", ARGS(flags, 0, 0, 0x7f0000000010, 0), true, 4711);
#endif
    is_told("child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f000010", &narrow,
            "clone", ARGS(flags, 0, 0, 0, 0x7f000010), true, 4711);
    is_told("child_stack=NULL, flags=SIGCHLD", &wide, "clone", ARGS(17), true, 4711);
    is_told("child_stack=0x5000, flags=0", &wide, "clone", ARGS(0, 0x5000), true, -22);
    is_told("NULL, 88", &wide, "clone3", ARGS(0, 88), true, -14);
}
END_TEST

START_TEST(guesses)
{
    struct syscall_texts texts;

    syscall_texts_guess(syscall_by_name("openat"), ARGS((uint64_t)AT_FDCWD, 0x1234, 0), "/a\nb", &texts);
    ck_assert_str_eq(texts.text[0], "AT_FDCWD");
    ck_assert_str_eq(texts.text[1], "\"/a\\nb\"");
    ck_assert_str_eq(texts.text[2], "O_RDONLY");
    ck_assert_ptr_null(texts.text[3]);
    syscall_texts_deinit(&texts);
    syscall_texts_guess(syscall_by_name("openat"), ARGS(7, 0x1234, 0), NULL, &texts);
    ck_assert_str_eq(texts.text[1], "0x1234");
    syscall_texts_deinit(&texts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("syscall_text");
    TCase *all = tcase_create("texts");

    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, rows_are_found);
    tcase_add_test(all, rows_take_anything);
    tcase_add_test(all, opens);
    tcase_add_test(all, strings);
    tcase_add_test(all, unterminated);
    tcase_add_test(all, results);
    tcase_add_test(all, narrow_processes);
    tcase_add_test(all, vectors);
    tcase_add_test(all, clones);
    tcase_add_test(all, guesses);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
