/* Reproductions run by a plain shell, without glibctrace: repro.sh fails in the expected words, control.sh does not.
 * Run by root, everything is tried a second time as an ordinary user. */
#include <probes/alloc.h>
#include <reports/repro.h>
#include <reports/repro_script.h>
#include <reports/stub.h>

#include <check.h>
#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[] = "/tmp/glibctrace-repro-XXXXXX";
static struct repro written;

static void setup(void)
{
    strcpy(directory, "/tmp/glibctrace-repro-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static int run(const char *command, char **ret)
{
    CLEANUP_FREE char *whole = xasprintf("cd / && { %s\n} 2>&1", command);
    CLEANUP_FREE char *text = xcalloc(1, 65536);
    FILE *pipe = popen(whole, "r");
    size_t size;
    int status;

    ck_assert_ptr_nonnull(pipe);
    size = fread(text, 1, 65535, pipe);
    text[size] = '\0';
    status = pclose(pipe);
    *ret = steal_pointer(&text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void teardown(void)
{
    CLEANUP_FREE char *command = xasprintf("rm -rf %s", directory);

    ck_assert_int_eq(system(command), 0);
}

static void expect_run(const char *before, const char *script, int status, const char *words)
{
    /* Standard output only shows the file that is at fault. */
    CLEANUP_FREE char *command = xasprintf("%ssh %s/%s 2>&1 >/dev/null", before, directory, script);
    CLEANUP_FREE char *text = NULL;
    int got = run(command, &text);

    ck_assert_msg(got == status, "%s: status %d, not %d: %s", command, got, status, text);
    ck_assert_msg(words ? strstr(text, words) != NULL : *text == '\0', "%s: \"%s\" is not in \"%s\"", command,
                  words ? words : "", text);
}

/* Writes SCENARIO (destroyed) and runs it: twice as it is, and once more as an ordinary user. */
static void expect(struct scenario *scenario, int status, const char *words)
{
    static const char as_user[] = "setpriv --reuid 65534 --regid 65534 --clear-groups ";
    CLEANUP_FREE char *hand_over = xasprintf("chown -R 65534:65534 %s", directory);
    struct err err = {""};

    ck_assert_msg(repro_write(scenario, directory, false, NULL, &written, &err) == 0, "%s", err.text);
    scenario_destroy(scenario);
    ck_assert_uint_lt(written.bytes, 16384);
    expect_run("", "repro.sh", status, words);
    expect_run("", "control.sh", 0, NULL);
    expect_run("", "repro.sh", status, words);
    if (getuid() != 0)
        return;
    ck_assert_int_eq(system(hand_over), 0);
    expect_run(as_user, "repro.sh", status, words);
    expect_run(as_user, "control.sh", 0, NULL);
}

static void expect_refused(struct scenario *scenario, const char *words)
{
    struct err err = {""};

    ck_assert_int_eq(repro_write(scenario, directory, false, NULL, &written, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" is not in \"%s\"", words, err.text);
    scenario_destroy(scenario);
}

static struct mini_object *add_library(struct scenario *scenario, const char *name)
{
    struct mini_object *object = scenario_object(scenario, name);

    object->soname = xstrdup(name);
    return object;
}

/* As a judge makes it of a real program: with needs that are not the matter. */
static struct scenario *loading(const char *library)
{
    struct scenario *scenario = scenario_create(SCENARIO_LOAD);
    struct mini_object *prog = scenario_object(scenario, "prog");

    mini_object_need(prog, library);
    mini_object_need(prog, "libc.so.6");
    mini_object_need_version(prog, "libc.so.6", "GLIBC_2.2.5");
    mini_object_undefined(prog, "printf", "GLIBC_2.2.5", "libc.so.6");
    scenario->mend_object = 1;
    return scenario;
}

START_TEST(test_library_missing)
{
    struct scenario *scenario = loading("libx.so.1");

    add_library(scenario, "libx.so.1")->absent = true;
    expect(scenario, 127,
           "bin/prog: error while loading shared libraries: libx.so.1: cannot open shared object file: No such file or "
           "directory\n");
    ck_assert_uint_eq(written.files, 2);
}
END_TEST

START_TEST(test_library_of_a_library_missing)
{
    struct scenario *scenario = loading("libmiddle.so");

    mini_object_need(add_library(scenario, "libmiddle.so"), "libx.so.1");
    add_library(scenario, "libx.so.1")->absent = true;
    scenario->mend_object = 2;
    expect(scenario, 127, "libx.so.1: cannot open shared object file");
}
END_TEST

START_TEST(test_opened_by_path)
{
    struct scenario *scenario = loading("libc.so.6");
    struct mini_object *addon = scenario_object(scenario, "addon.node");

    mini_object_need(addon, "/opt/x/libdeep.so");
    add_library(scenario, "libdeep.so")->absent = true;
    scenario->mend_object = 2;
    expect(scenario, 127, "libdeep.so: cannot open shared object file");
}
END_TEST

START_TEST(test_library_off_path)
{
    struct scenario *scenario = loading("libx.so.1");

    add_library(scenario, "libx.so.1")->directory = 2;
    expect(scenario, 127, "libx.so.1: cannot open shared object file");
}
END_TEST

/* The file's name, and another one by which it is asked for. */
START_TEST(test_soname_is_not_the_file_name)
{
    struct scenario *scenario = loading("libx.so.1");
    struct mini_object *lib = add_library(scenario, "libx.so.1.2.3");

    free(lib->soname);
    lib->soname = xstrdup("libx.so.1");
    mini_object_define_version(lib, "X_1");
    mini_object_need_version(scenario->objects[0], "libx.so.1", "X_2");
    expect(scenario, 1, "libx.so.1: version `X_2' not found (required by bin/prog)");
}
END_TEST

START_TEST(test_version_missing)
{
    struct scenario *scenario = loading("libm.so.6");
    struct mini_object *libm = add_library(scenario, "libm.so.6");

    mini_object_define_version(libm, "GLIBC_2.35");
    mini_object_need_version(scenario->objects[0], "libm.so.6", "GLIBC_2.38");
    mini_object_undefined(scenario->objects[0], "fmod", "GLIBC_2.38", "libm.so.6");
    scenario->mended = mini_object_copy(libm);
    mini_object_define_version(scenario->mended, "GLIBC_2.38");
    mini_object_define(scenario->mended, "fmod", "GLIBC_2.38");
    expect(scenario, 1, "libm.so.6: version `GLIBC_2.38' not found (required by bin/prog)\n");
    ck_assert_uint_eq(written.files, 3);
}
END_TEST

/* An add-on that was opened while running, and nobody needs; what mends it is not said. */
START_TEST(test_version_missing_in_libc_for_an_addon)
{
    struct scenario *scenario = loading("libc.so.6");
    struct mini_object *libc, *addon = scenario_object(scenario, "add on's.node");

    mini_object_need(addon, "libc.so.6");
    mini_object_need_version(addon, "libc.so.6", "GLIBC_2.2.5");
    mini_object_need_version(addon, "libc.so.6", "GLIBC_2.99");
    mini_object_undefined(addon, "later", "GLIBC_2.99", "libc.so.6");
    libc = add_library(scenario, "libc.so.6");
    mini_object_define_version(libc, "GLIBC_2.2.5");
    mini_object_define(libc, "printf", "GLIBC_2.2.5");
    scenario->mend_object = 2;
    expect(scenario, 1, "libc.so.6: version `GLIBC_2.99' not found (required by ");
}
END_TEST

/* Another library lacks a version too: that is another cause, of which nothing is to be seen here. */
START_TEST(test_one_cause_at_a_time)
{
    struct scenario *scenario = loading("liba.so");
    struct mini_object *prog = scenario->objects[0];

    mini_object_need(prog, "libb.so");
    mini_object_need_version(prog, "liba.so", "A_9");
    mini_object_need_version(prog, "libb.so", "B_9");
    mini_object_undefined(prog, "b", "B_9", "libb.so");
    mini_object_define_version(add_library(scenario, "liba.so"), "A_1");
    mini_object_define_version(add_library(scenario, "libb.so"), "B_1");
    expect(scenario, 1, "version `A_9' not found");
}
END_TEST

START_TEST(test_symbol_missing)
{
    struct scenario *scenario = loading("libx.so.1");

    add_library(scenario, "libx.so.1");
    mini_object_undefined(scenario->objects[0], "not_there", NULL, NULL);
    expect(scenario, 127, "bin/prog: symbol lookup error: bin/prog: undefined symbol: not_there\n");
}
END_TEST

/* The symbol would come with a library that is not there and nobody needs. */
START_TEST(test_symbol_mended_by_another_library)
{
    struct scenario *scenario = loading("libx.so.1");

    add_library(scenario, "libx.so.1");
    mini_object_undefined(scenario->objects[0], "not_there", NULL, NULL);
    scenario->mend_object = scenario->object_count;
    scenario->mended = mini_object_create("libgood.so");
    expect(scenario, 127, "undefined symbol: not_there\n");
}
END_TEST

START_TEST(test_shadowed)
{
    struct scenario *scenario = loading("libv.so.1");
    struct mini_object *wrong = add_library(scenario, "libv.so.1"), *good = add_library(scenario, "libv.so.1");

    wrong->directory = 1;
    mini_object_define_version(wrong, "V_1");
    mini_object_define_version(good, "V_1");
    mini_object_define_version(good, "V_2");
    mini_object_need_version(scenario->objects[0], "libv.so.1", "V_2");
    scenario->by_library_path = _i == 1;
    expect(scenario, 1, "wrong/libv.so.1: version `V_2' not found (required by bin/prog)");
}
END_TEST

static const struct {
    int defect;
    int load_status;
    const char *load_words;
    int execute_status;
    const char *execute_words;
} defects[] = {
    {MINI_EMPTY, 127, "libx.so.1: file too short", 126, "Exec format error"},
    {MINI_CUT, 127, "libx.so.1: file too short", 126, "Exec format error"},
    {MINI_TEXT, 127, "libx.so.1: invalid ELF header", 126, "Exec format error"},
    {MINI_NO_PERMISSION, 127, "libx.so.1: cannot open shared object file: Permission denied", 126, "Permission denied"},
    {MINI_LOOP, 127, "libx.so.1: cannot open shared object file", 126, "Too many levels of symbolic links"},
    {MINI_DANGLING, 127, "libx.so.1: cannot open shared object file: No such file", 127, "No such file or directory"},
};

START_TEST(test_load_defect)
{
    struct scenario *scenario = loading("libx.so.1");
    struct mini_object *lib = add_library(scenario, "libx.so.1");

    lib->defect = defects[_i].defect;
    lib->link_text = xstrdup("/opt/gone/libx.so.1.2");
    expect(scenario, defects[_i].load_status, defects[_i].load_words);
}
END_TEST

START_TEST(test_execute_defect)
{
    struct scenario *scenario = scenario_create(SCENARIO_EXECUTE);
    struct mini_object *prog = scenario_object(scenario, "my prog");

    prog->defect = defects[_i].defect;
    expect(scenario, defects[_i].execute_status, defects[_i].execute_words);
}
END_TEST

START_TEST(test_interpreter_missing)
{
    struct scenario *scenario = scenario_create(SCENARIO_EXECUTE);

    scenario_object(scenario, "prog")->interp = xstrdup("/lib/ld-of-nobody.so.7");
    expect(scenario, 127, "No such file or directory");
    ck_assert_uint_eq(written.files, 2);
}
END_TEST

static void make_foreign(struct mini_object *object)
{
    object->class = ELFCLASS64;
    object->data = ELFDATA2MSB;
    object->machine = EM_S390;
}

START_TEST(test_program_for_another_machine)
{
    struct scenario *scenario = scenario_create(SCENARIO_EXECUTE);

    make_foreign(scenario_object(scenario, "prog"));
    expect(scenario, 126, "Exec format error");
}
END_TEST

START_TEST(test_library_for_another_machine)
{
    struct scenario *scenario = loading("libx.so.1");
    struct mini_object *lib = add_library(scenario, "libx.so.1");

    if (_i == 0) {
        make_foreign(lib);
        expect(scenario, 127, "libx.so.1: cannot open shared object file");
    } else {
        lib->class = ELFCLASS32;
        lib->data = ELFDATA2LSB;
        lib->machine = EM_386;
        expect(scenario, 127, "libx.so.1: wrong ELF class: ELFCLASS32");
    }
}
END_TEST

START_TEST(test_script)
{
    static const struct {
        const char *line;
        int status;
    } rows[] = {{"#!/bin/sh\r", 127}, {"#!/opt/nowhere/python\n", 127}, {"#! /bin/nothere -x", 127}};
    struct scenario *scenario = scenario_create(SCENARIO_SCRIPT);

    scenario->script_name = xstrdup("it's -a \"script\"; exit 3");
    scenario->script_line = xstrdup(rows[_i].line);
    expect(scenario, rows[_i].status, "No such file or directory");
    ck_assert_uint_eq(written.files, 2);
}
END_TEST

START_TEST(test_command)
{
    static const char *const names[] = {"nosuchtool", "no such'tool;exit 3", "-no", "$(exit 4)"};
    struct scenario *scenario = scenario_create(SCENARIO_COMMAND);

    scenario->shell = xstrdup("/bin/sh");
    scenario->command = xstrdup(names[_i]);
    expect(scenario, 127, "not found");
    ck_assert_uint_eq(written.files, 1);
}
END_TEST

START_TEST(test_command_of_another_program)
{
    struct scenario *scenario = scenario_create(SCENARIO_COMMAND);

    scenario->shell = xstrdup("/usr/bin/make");
    scenario->command = xstrdup("no such tool");
    expect(scenario, 127, "cannot execute bin/no such tool: No such file or directory\n");
    ck_assert_uint_eq(written.files, 2);
}
END_TEST

START_TEST(test_executed_by_somebody)
{
    struct scenario *scenario = scenario_create(SCENARIO_EXECUTE);

    scenario_object(scenario, "tool")->defect = MINI_LOOP;
    scenario->asker = xstrdup("python3.11");
    expect(scenario, 126, "cannot execute ./tool: Too many levels of symbolic links\n");
}
END_TEST

static const struct {
    enum cause_kind kind;
    const char *words;
} opened[] = {
    {CAUSE_FILE_MISSING, "No such file or directory"},
    {CAUSE_PERMISSION_DENIED, "Permission denied"},
    {CAUSE_SYMLINK_LOOP, "Too many levels of symbolic links"},
    {CAUSE_SYMLINK_DANGLING, "No such file or directory"},
};

START_TEST(test_of_a_cause)
{
    struct cause *cause = cause_create(opened[_i].kind);
    struct scenario *scenario;

    ck_assert_ptr_null(scenario_of_cause(cause));
    cause->subject = xstrdup("/opt/x/prog one");
    cause->missing = xstrdup("/opt/x/etc/app's.conf");
    scenario = scenario_of_cause(cause);
    ck_assert_ptr_nonnull(scenario);
    cause_destroy(cause);
    expect(scenario, 1, opened[_i].words);
}
END_TEST

START_TEST(test_refused_names)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/etc/passwd", "../../x"};
    struct scenario *scenario = scenario_create(SCENARIO_LOAD);

    scenario_object(scenario, names[_i]);
    expect_refused(scenario, "cannot be the name of a file");
    scenario = loading("libx.so.1");
    scenario_object(scenario, names[_i]);
    expect_refused(scenario, "cannot be the name of a file");
    scenario = scenario_create(SCENARIO_SCRIPT);
    scenario->script_name = xstrdup(names[_i]);
    scenario->script_line = xstrdup("#!/x");
    expect_refused(scenario, "no name");
    scenario = scenario_create(SCENARIO_COMMAND);
    scenario->shell = xstrdup("/bin/sh");
    scenario->command = xstrdup(names[_i]);
    expect_refused(scenario, "cannot be the name of a file");
}
END_TEST

START_TEST(test_refused)
{
    struct scenario *scenario = scenario_create(SCENARIO_LOAD);

    expect_refused(scenario, "names no program");
    scenario = loading("libx.so.1");
    make_foreign(scenario->objects[0]);
    add_library(scenario, "libx.so.1");
    expect_refused(scenario, "for another machine");
    scenario = loading("libx.so.1");
    add_library(scenario, "libx.so.1");
    scenario->mend_object = 9;
    expect_refused(scenario, "what would mend it");
    scenario = scenario_create(SCENARIO_COMMAND);
    scenario->shell = xstrdup("/opt/x/bin");
    scenario->command = xstrdup("x");
    expect_refused(scenario, "cannot be the name");
    scenario = scenario_create(SCENARIO_OPEN);
    scenario_object(scenario, "data");
    scenario_object(scenario, "file")->absent = true;
    expect_refused(scenario, "cannot be the name");
    scenario = scenario_create(SCENARIO_OPEN);
    scenario_object(scenario, "prog");
    expect_refused(scenario, "which file is opened");
    scenario = scenario_create(SCENARIO_OPEN);
    scenario_object(scenario, "prog");
    scenario_object(scenario, "file");
    expect_refused(scenario, "does not fail");
    scenario = scenario_create(SCENARIO_SCRIPT);
    scenario->script_name = xstrdup("x");
    scenario->script_line = xstrdup("#!/bin/sh\nrm -rf x\n");
    expect_refused(scenario, "more than one line");
}
END_TEST

/* As a redactor would: "alice" becomes "user1". */
static char *hide_alice(void *ctx, const char *bytes)
{
    const char *at = strstr(bytes, "alice");

    ++*(size_t *)ctx;
    return at ? xasprintf("%.*suser1%s", (int)(at - bytes), bytes, at + strlen("alice")) : xstrdup(bytes);
}

START_TEST(test_redacted)
{
    CLEANUP_FREE char *search = xasprintf("grep -r -l alice %s; ls -R %s | grep alice", directory, directory);
    CLEANUP_FREE char *found = NULL;
    struct scenario *scenario = loading("libalice.so.1");
    struct mini_object *lib = add_library(scenario, "libalice.so.1");
    size_t strings = 0;

    mini_object_need_version(scenario->objects[0], "libalice.so.1", "alice_2");
    mini_object_undefined(scenario->objects[0], "of_alice", "alice_2", "libalice.so.1");
    mini_object_define_version(lib, "alice_1");
    scenario->mended = mini_object_copy(lib);
    mini_object_define(scenario->mended, "of_alice", "alice_2");
    scenario_redact(scenario, hide_alice, &strings);
    ck_assert_uint_gt(strings, 12);
    expect(scenario, 1, "libuser1.so.1: version `user1_2' not found (required by bin/prog)");
    ck_assert_int_eq(run(search, &found), 1);
    ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(test_quote)
{
    CLEANUP_FREE char *quoted = repro_quote("a'b c");
    CLEANUP_FREE char *empty = repro_quote("");

    ck_assert_str_eq(quoted, "'a'\\''b c'");
    ck_assert_str_eq(empty, "''");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repro");
    TCase *all = tcase_create("repro");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_library_missing);
    tcase_add_test(all, test_library_of_a_library_missing);
    tcase_add_test(all, test_opened_by_path);
    tcase_add_test(all, test_library_off_path);
    tcase_add_test(all, test_soname_is_not_the_file_name);
    tcase_add_test(all, test_version_missing);
    tcase_add_test(all, test_version_missing_in_libc_for_an_addon);
    tcase_add_test(all, test_one_cause_at_a_time);
    tcase_add_test(all, test_symbol_missing);
    tcase_add_test(all, test_symbol_mended_by_another_library);
    tcase_add_loop_test(all, test_shadowed, 0, 2);
    tcase_add_loop_test(all, test_load_defect, 0, 6);
    tcase_add_loop_test(all, test_execute_defect, 0, 6);
    tcase_add_test(all, test_interpreter_missing);
    tcase_add_test(all, test_program_for_another_machine);
    tcase_add_loop_test(all, test_library_for_another_machine, 0, 2);
    tcase_add_loop_test(all, test_script, 0, 3);
    tcase_add_loop_test(all, test_command, 0, 4);
    tcase_add_test(all, test_command_of_another_program);
    tcase_add_test(all, test_executed_by_somebody);
    tcase_add_loop_test(all, test_of_a_cause, 0, 4);
    tcase_add_loop_test(all, test_refused_names, 0, 6);
    tcase_add_test(all, test_refused);
    tcase_add_test(all, test_redacted);
    tcase_add_test(all, test_quote);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
