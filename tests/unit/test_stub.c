/* Stubs against the real loaders: glibc's and, where it is installed, musl's; and against readelf for other machines.
 */
#include <probes/alloc.h>
#include <reports/stub.h>

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[] = "/tmp/glibctrace-stub-XXXXXX";

static void setup(void)
{
    strcpy(directory, "/tmp/glibctrace-stub-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

/* Runs COMMAND in the directory; its output (both streams) goes to RET, malloced. */
static int run(const char *command, char **ret)
{
    CLEANUP_FREE char *whole = xasprintf("cd %s && { %s\n} 2>&1", directory, command);
    CLEANUP_FREE char *text = xcalloc(1, 65536);
    FILE *pipe = popen(whole, "r");
    size_t size;
    int status;

    ck_assert_ptr_nonnull(pipe);
    size = fread(text, 1, 65535, pipe);
    text[size] = '\0';
    status = pclose(pipe);
    if (ret)
        *ret = steal_pointer(&text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void teardown(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf %s", directory);

    ck_assert_int_eq(system(command), 0);
}

static void write_stub(const struct mini_object *object, const char *rpath, const char *runpath)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", directory, object->name);
    CLEANUP_FREE unsigned char *bytes = NULL;
    struct stub_file stub;
    struct err err = {""};
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    ck_assert_msg(stub_build(object, rpath, runpath, &stub, &err) == 0, "%s", err.text);
    bytes = stub.bytes;
    ck_assert_uint_lt(stub.size, 4096);
    ck_assert_int_eq(write(fd, bytes, stub.size), (ssize_t)stub.size);
}

static struct mini_object *program(void)
{
    struct mini_object *object = mini_object_create("prog");

    object->program = true;
    return object;
}

static struct mini_object *library(const char *name)
{
    struct mini_object *object = mini_object_create(name);

    object->soname = xstrdup(name);
    return object;
}

static void put(struct mini_object *object, const char *runpath)
{
    write_stub(object, NULL, runpath);
    mini_object_destroy(object);
}

static void expect(const char *command, int status, const char *words)
{
    CLEANUP_FREE char *text = NULL;
    int got = run(command, &text);

    ck_assert_msg(got == status, "%s: status %d, not %d: %s", command, got, status, text);
    ck_assert_msg(words ? strstr(text, words) != NULL : *text == '\0', "%s: \"%s\" is not in \"%s\"", command, words,
                  text);
}

START_TEST(test_alone)
{
    put(program(), NULL);
    expect("./prog", 0, NULL);
}
END_TEST

START_TEST(test_library_missing)
{
    struct mini_object *prog = program();

    mini_object_need(prog, "libhere.so.1");
    mini_object_need(prog, "libaway.so.1");
    put(prog, "$ORIGIN");
    put(library("libhere.so.1"), NULL);
    expect(
        "./prog", 127,
        "./prog: error while loading shared libraries: libaway.so.1: cannot open shared object file: No such file or "
        "directory");
    put(library("libaway.so.1"), NULL);
    expect("./prog", 0, NULL);
}
END_TEST

START_TEST(test_rpath_reaches_the_libraries_of_libraries)
{
    struct mini_object *prog = program(), *middle = library("libmiddle.so");

    mini_object_need(prog, "libmiddle.so");
    mini_object_need(middle, "libend.so");
    put(middle, NULL);
    put(library("libend.so"), NULL);
    write_stub(prog, NULL, "$ORIGIN");
    expect("./prog", 127, "libend.so: cannot open shared object file");
    write_stub(prog, "$ORIGIN", NULL);
    expect("./prog", 0, NULL);
    mini_object_destroy(prog);
}
END_TEST

static void put_versioned(const char *const *versions)
{
    struct mini_object *lib = library("libv.so.2");

    for (; *versions; versions++)
        mini_object_define_version(lib, *versions);
    mini_object_define(lib, "old", "V_1");
    put(lib, NULL);
}

START_TEST(test_versions)
{
    struct mini_object *prog = program();

    mini_object_need(prog, "libv.so.2");
    mini_object_need_version(prog, "libv.so.2", "V_1");
    mini_object_need_version(prog, "libv.so.2", "V_9.9");
    mini_object_undefined(prog, "old", "V_1", "libv.so.2");
    put(prog, "$ORIGIN");
    put_versioned((const char *[]){"V_1", "V_2", NULL});
    expect("$PWD/prog 2>&1 | sed \"s,$PWD,DIR,g\"", 0,
           "DIR/prog: DIR/libv.so.2: version `V_9.9' not found (required by DIR/prog)\n");
    expect("./prog", 1, "V_9.9");
    put_versioned((const char *[]){"V_1", "V_9.9", NULL});
    expect("./prog", 0, NULL);
}
END_TEST

START_TEST(test_symbols)
{
    struct mini_object *prog = program(), *lib = library("libs.so");

    mini_object_need(prog, "libs.so");
    mini_object_undefined(prog, "plain", NULL, NULL);
    mini_object_undefined(prog, "marked", "S_1", "libs.so");
    put(prog, "$ORIGIN");
    mini_object_define_version(lib, "S_1");
    mini_object_define(lib, "plain", NULL);
    write_stub(lib, NULL, NULL);
    expect("./prog", 127, "./prog: symbol lookup error: ./prog: undefined symbol: marked, version S_1");
    mini_object_define(lib, "marked", "S_1");
    write_stub(lib, NULL, NULL);
    expect("./prog", 0, NULL);
    mini_object_destroy(lib);
    lib = library("libs.so");
    mini_object_define(lib, "marked", "S_1");
    put(lib, NULL);
    expect("./prog", 127, "undefined symbol: plain\n");
}
END_TEST

START_TEST(test_many_symbols_are_all_found)
{
    struct mini_object *prog = program(), *lib = library("libm.so");

    mini_object_need(prog, "libm.so");
    for (int i = 0; i < 20; i++) {
        CLEANUP_FREE char *name = xasprintf("symbol_%d", i);
        CLEANUP_FREE char *version = xasprintf("V_%d", i % 3);

        mini_object_undefined(prog, name, version, "libm.so");
        mini_object_define(lib, name, version);
    }
    put(prog, "$ORIGIN");
    put(lib, NULL);
    expect("./prog", 0, NULL);
}
END_TEST

/* Whatever has the soname libc.so.6 is the loader's libc. */
START_TEST(test_a_libc_of_ours)
{
    struct mini_object *prog = program(), *libc = library("libc.so.6");

    mini_object_need(prog, "libc.so.6");
    mini_object_need_version(prog, "libc.so.6", "GLIBC_2.99");
    put(prog, "$ORIGIN");
    mini_object_define_version(libc, "GLIBC_2.2.5");
    write_stub(libc, NULL, NULL);
    expect("./prog", 1, "libc.so.6: version `GLIBC_2.99' not found (required by ./prog)");
    mini_object_define_version(libc, "GLIBC_2.99");
    write_stub(libc, NULL, NULL);
    expect("./prog", 0, NULL);
    mini_object_destroy(libc);
}
END_TEST

START_TEST(test_the_system_does_not_help)
{
    struct mini_object *prog = program();

    mini_object_need(prog, "libm.so.6");
    put(prog, "$ORIGIN");
    expect("./prog", 127, "libm.so.6: cannot open shared object file");
}
END_TEST

START_TEST(test_static)
{
    struct mini_object *prog = program();

    prog->interp = xstrdup("");
    put(prog, NULL);
    expect("./prog", 0, NULL);
}
END_TEST

START_TEST(test_interpreter_missing)
{
    struct mini_object *prog = program();

    prog->interp = xstrdup("/nowhere/ld.so");
    put(prog, NULL);
    expect("env -i ./prog", 127, "No such file or directory");
}
END_TEST

static void put_caller(const struct stub_call *call)
{
    struct stub_file stub;
    struct err err = {""};
    CLEANUP_FREE char *path = xasprintf("%s/caller", directory);
    CLEANUP_FREE unsigned char *bytes = NULL;
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    ck_assert_int_eq(stub_caller(call, &stub, &err), 0);
    bytes = stub.bytes;
    ck_assert_uint_lt(stub.size, 1024);
    ck_assert_int_eq(write(fd, bytes, stub.size), (ssize_t)stub.size);
}

START_TEST(test_caller_executes)
{
    put_caller(&(struct stub_call){.path = "./prog", .error = ENOEXEC, .status = 126, .words = "no good\n"});
    expect("./caller", 125, NULL);
    expect(": >prog; chmod 755 prog; ./caller", 126, "no good\n");
    expect("rm prog", 0, NULL);
    put(program(), NULL);
    expect("./caller", 0, NULL);
}
END_TEST

START_TEST(test_caller_opens)
{
    put_caller(&(struct stub_call){
        .opens = true, .path = "a file", .error = ENOENT, .status = 3, .words = "a file: there is none\n"});
    expect("./caller", 3, "a file: there is none\n");
    expect("ln -s 'a file' 'a file'; ./caller", 125, NULL);
    expect("rm 'a file'; : >'a file'; ./caller", 0, NULL);
}
END_TEST

#define MUSL "/lib/ld-musl-x86_64.so.1"

START_TEST(test_musl)
{
    struct mini_object *prog = program(), *lib = library("liba.so");

    prog->interp = xstrdup(MUSL);
    mini_object_need(prog, "liba.so");
    mini_object_undefined(prog, "there", NULL, NULL);
    write_stub(prog, NULL, "$ORIGIN");
    mini_object_define(lib, "there", "A_1");
    expect("./prog", 127, "Error loading shared library liba.so: No such file or directory (needed by ./prog)");
    put(library("liba.so"), NULL);
    expect("./prog", 127, "Error relocating ./prog: there: symbol not found");
    put(lib, NULL);
    expect("./prog", 0, NULL);
    mini_object_destroy(prog);
}
END_TEST

/* A foreign class that this kernel runs: the loader for it has to be installed. */
START_TEST(test_i386)
{
    struct mini_object *prog = program(), *lib = library("libc.so.6");

    prog->class = lib->class = ELFCLASS32;
    prog->machine = lib->machine = EM_386;
    mini_object_need(prog, "libc.so.6");
    mini_object_undefined(prog, "later", "GLIBC_2.99", "libc.so.6");
    put(prog, "$ORIGIN");
    mini_object_define_version(lib, "GLIBC_2.0");
    write_stub(lib, NULL, NULL);
    expect("./prog", 1, "libc.so.6: version `GLIBC_2.99' not found (required by ./prog)");
    mini_object_define(lib, "later", "GLIBC_2.99");
    write_stub(lib, NULL, NULL);
    expect("./prog", 0, NULL);
    mini_object_destroy(lib);
}
END_TEST

static struct mini_object *full(unsigned class, unsigned data, unsigned machine)
{
    struct mini_object *prog = program();

    prog->class = class;
    prog->data = data;
    prog->machine = machine;
    prog->soname = xstrdup("own.so");
    mini_object_need(prog, "libneeded.so.3");
    mini_object_need_version(prog, "libneeded.so.3", "N_1");
    mini_object_define(prog, "given", "D_1");
    mini_object_undefined(prog, "wanted", "N_1", "libneeded.so.3");
    return prog;
}

/* readelf finds everything by the program headers alone, in each class and byte order. */
START_TEST(test_other_machines)
{
    static const struct {
        unsigned class, data, machine;
        const char *name, *reloc;
    } rows[] = {
        {ELFCLASS64, ELFDATA2LSB, EM_AARCH64, "AArch64", "R_AARCH64_GLOB_DA"},
        {ELFCLASS32, ELFDATA2LSB, EM_386, "Intel 80386", "R_386_GLOB_DAT"},
        {ELFCLASS32, ELFDATA2LSB, EM_ARM, "ARM", "R_ARM_GLOB_DAT"},
        {ELFCLASS64, ELFDATA2MSB, EM_S390, "IBM S/390", "R_390_GLOB_DAT"},
        {ELFCLASS64, ELFDATA2LSB, EM_RISCV, "RISC-V", "R_RISCV_64"},
    };
    struct mini_object *prog = full(rows[_i].class, rows[_i].data, rows[_i].machine);

    put(prog, "$ORIGIN/x");
    expect("readelf -h prog", 0, rows[_i].name);
    expect("readelf -d prog", 0, "Library soname: [own.so]");
    expect("readelf -d prog", 0, "Shared library: [libneeded.so.3]");
    expect("readelf -d prog", 0, "Library runpath: [$ORIGIN/x]");
    expect("readelf -rDW prog", 0, rows[_i].reloc);
    expect("readelf -rDW prog", 0, "wanted@N_1");
    expect("readelf -sDW prog", 0, "given@@D_1");
    expect("readelf -aDW prog 2>&1 | grep -iE 'error|warning|corrupt'", 1, NULL);
}
END_TEST

START_TEST(test_refuses)
{
    struct mini_object *prog = program();
    struct stub_file stub;
    struct err err = {""};

    prog->class = 7;
    ck_assert_int_eq(stub_build(prog, NULL, NULL, &stub, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "class is 7"));
    mini_object_destroy(prog);
    prog = full(ELFCLASS64, ELFDATA2LSB, 9999);
    ck_assert_int_eq(stub_build(prog, NULL, NULL, &stub, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "relocations of machine 9999"));
    mini_object_destroy(prog);
    prog = program();
    for (int i = 0; i < 9000; i++) {
        struct mini_symbol *symbol =
            array_add(&prog->defined, &prog->defined_count, &prog->defined_cap, sizeof *symbol);

        symbol->name = xstrdup("x");
    }
    ck_assert_int_eq(stub_build(prog, NULL, NULL, &stub, &err), -1);
    mini_object_destroy(prog);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stub");
    TCase *loader = tcase_create("loader"), *other = tcase_create("other");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(loader, setup, teardown);
    tcase_add_test(loader, test_alone);
    tcase_add_test(loader, test_library_missing);
    tcase_add_test(loader, test_rpath_reaches_the_libraries_of_libraries);
    tcase_add_test(loader, test_versions);
    tcase_add_test(loader, test_symbols);
    tcase_add_test(loader, test_many_symbols_are_all_found);
    tcase_add_test(loader, test_a_libc_of_ours);
    tcase_add_test(loader, test_the_system_does_not_help);
    tcase_add_test(loader, test_static);
    tcase_add_test(loader, test_interpreter_missing);
    tcase_add_test(loader, test_caller_executes);
    tcase_add_test(loader, test_caller_opens);
    if (access(MUSL, X_OK) == 0)
        tcase_add_test(loader, test_musl);
    if (access("/lib/ld-linux.so.2", X_OK) == 0)
        tcase_add_test(loader, test_i386);
    tcase_add_checked_fixture(other, setup, teardown);
    tcase_add_loop_test(other, test_other_machines, 0, 5);
    tcase_add_test(other, test_refuses);
    suite_add_tcase(suite, loader);
    suite_add_tcase(suite, other);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
