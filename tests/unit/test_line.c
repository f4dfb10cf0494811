/* The live view: lines, sets, prefixes, colours. */
#include <reports/line.h>
#include <reports/syscall.h>

#include <probes/alloc.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

static struct event opened(int error, int64_t ret)
{
    struct event event = {.n = 1, .pid = 4711, .tid = 4711, .root = "", .type = EVENT_SYSCALL};

    event.syscall = (struct event_syscall){.desc = syscall_by_name("openat"),
                                           .text = {"AT_FDCWD", "\"/x\"", "O_RDONLY"},
                                           .path = "/x",
                                           .ret = error ? -1 : ret,
                                           .error = error,
                                           .returned = true};
    return event;
}

static struct event process(enum process_what what, pid_t pid, pid_t tid, int status)
{
    return (struct event){.pid = pid,
                          .tid = tid,
                          .root = "",
                          .type = EVENT_PROCESS,
                          .process = {.what = what, .status = status, .parent = what == PROCESS_START && pid != 4711}};
}

static void is_line(const char *expected, const struct event *event, bool pid, bool colour)
{
    const struct line_options options = {.pid = pid, .colour = colour};
    struct text out = {0};

    line_add(event, &options, &out);
    ck_assert_str_eq(out.v ? out.v : "", expected);
    text_deinit(&out);
}

START_TEST(calls)
{
    struct event event = opened(ENOENT, 0);

    is_line("[pid  4711] openat(AT_FDCWD, \"/x\", O_RDONLY) = -1 ENOENT (No such file or directory)\n", &event, true,
            false);
    is_line("openat(AT_FDCWD, \"/x\", O_RDONLY)        = -1 ENOENT (No such file or directory)\n", &event, false,
            false);
    event = opened(0, 3);
    is_line("openat(AT_FDCWD, \"/x\", O_RDONLY)        = 3\n", &event, false, false);
    event.tid = 123456;
    is_line("[pid 123456] openat(AT_FDCWD, \"/x\", O_RDONLY) = 3\n", &event, true, false);
    event = opened(512, 0);
    is_line("openat(AT_FDCWD, \"/x\", O_RDONLY)        = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n",
            &event, false, false);
    event = opened(600, 0);
    is_line("openat(AT_FDCWD, \"/x\", O_RDONLY)        = -1 (errno 600)\n", &event, false, false);
    memset(event.syscall.text, 0, sizeof event.syscall.text); /* a log without texts */
    event.syscall.string = "/x";
    event.syscall.args[0] = (uint64_t)AT_FDCWD;
    event.syscall.error = EACCES;
    is_line("openat(AT_FDCWD, \"/x\", O_RDONLY)        = -1 EACCES (Permission denied)\n", &event, false, false);
    event.syscall = (struct event_syscall){.desc = syscall_by_name("exit_group"), .text = {"0"}};
    is_line("exit_group(0)                           = ?\n", &event, false, false);
    event.syscall = (struct event_syscall){
        .desc = syscall_by_name("mmap"), .text = {"NULL"}, .returned = true, .ret = 0x7f0012345000};
    is_line("mmap(NULL)                              = 0x7f0012345000\n", &event, false, false);
    event.syscall = (struct event_syscall){.desc = syscall_by_name("vfork"), .returned = true, .ret = 12};
    is_line("vfork()                                 = 12\n", &event, false, false);
}
END_TEST

START_TEST(colours)
{
    struct event event = opened(ENOENT, 0);

    /* Escapes take no column. */
    is_line("openat(AT_FDCWD, \033[1m\"/x\"\033[0m, O_RDONLY)        = \033[31m-1 ENOENT (No such file or "
            "directory)\033[0m\n",
            &event, false, true);
    event = (struct event){.root = "", .type = EVENT_SIGNAL, .signal = {.signal = SIGTERM, .sender = 5, .uid = 7}};
    is_line("\033[33m--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=5, si_uid=7} ---\033[0m\n", &event, false,
            true);
    event = process(PROCESS_EXIT, 4711, 4711, SIGSEGV);
    is_line("\033[33m+++ killed by SIGSEGV +++\033[0m\n", &event, false, true);
    event = process(PROCESS_EXIT, 4711, 4711, 0);
    is_line("+++ exited with 0 +++\n", &event, false, true);
}
END_TEST

static void is_signal(const char *expected, struct event_signal signal)
{
    struct event event = {.root = "", .type = EVENT_SIGNAL, .signal = signal};
    CLEANUP_FREE char *line = xasprintf("--- %s ---\n", expected);

    is_line(line, &event, false, false);
}

START_TEST(signals)
{
    is_signal("SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL}",
              (struct event_signal){.signal = SIGSEGV, .code = 1});
    is_signal("SIGSEGV {si_signo=SIGSEGV, si_code=SI_KERNEL, si_addr=NULL}",
              (struct event_signal){.signal = SIGSEGV, .code = 0x80});
    is_signal("SIGBUS {si_signo=SIGBUS, si_code=BUS_ADRERR, si_addr=0x7f8c6fad2000}",
              (struct event_signal){.signal = SIGBUS, .code = 2, .fault_addr = 0x7f8c6fad2000});
    is_signal("SIGABRT {si_signo=SIGABRT, si_code=SI_TKILL, si_pid=10, si_uid=1000}",
              (struct event_signal){.signal = SIGABRT, .code = -6, .sender = 10, .uid = 1000});
    is_signal("SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=0, si_status=3, si_utime=1 /* 0.01 s "
              "*/, si_stime=250 /* 2.50 s */}",
              (struct event_signal){.signal = SIGCHLD, .code = 1, .child = 7, .status = 3, .utime = 1, .stime = 250});
    is_signal("SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=7, si_uid=0, si_status=SIGKILL, si_utime=0, "
              "si_stime=0}",
              (struct event_signal){.signal = SIGCHLD, .code = 2, .child = 7, .status = 9});
    is_signal("SIGRT_5 {si_signo=SIGRT_5, si_code=SI_QUEUE, si_pid=9, si_uid=0, si_int=77, si_ptr=0x4d}",
              (struct event_signal){.signal = 37, .code = -1, .sender = 9, .value = 77});
    is_signal("SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL}", (struct event_signal){.signal = SIGALRM, .code = 0x80});
    is_signal(
        "SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x1000, si_syscall=110, "
        "si_arch=AUDIT_ARCH_X86_64}",
        (struct event_signal){.signal = SIGSYS, .code = 1, .fault_addr = 0x1000, .call = 110, .arch = 0xc000003e});
    is_signal("SIGUSR1 {si_signo=SIGUSR1, si_code=-77, si_pid=0, si_uid=0}",
              (struct event_signal){.signal = SIGUSR1, .code = -77});
    is_signal("99 {si_signo=99, si_code=SI_USER, si_pid=0, si_uid=0}", (struct event_signal){.signal = 99});
}
END_TEST

START_TEST(ends_and_notes)
{
    struct event event = process(PROCESS_EXIT, 4711, 4711, 127 << 8);

    is_line("[pid  4711] +++ exited with 127 +++\n", &event, true, false);
    event.process.status = SIGSEGV | 0x80;
    is_line("+++ killed by SIGSEGV (core dumped) +++\n", &event, false, false);
    event.process.what = PROCESS_EXITING;
    is_line("", &event, true, false);
    event.process.what = PROCESS_EXEC;
    is_line("", &event, true, false);
    event.process.what = PROCESS_NOTE;
    event.process.text = "lost 3 events\n\033[2J";
    is_line("--- lost 3 events\\012\\033[2J ---\n", &event, false, false);
    event = process(PROCESS_START, 12, 12, 0);
    is_line("glibctrace: Process 12 attached\n", &event, true, false);
    event = process(PROCESS_THREAD, 12, 13, 0);
    is_line("glibctrace: Process 13 attached\n", &event, true, false);
}
END_TEST

START_TEST(loader_and_lookups)
{
    struct event event = {.root = "", .type = EVENT_LOOKUP, .tid = 4711};

    event.lookup = (struct event_lookup){.symbol = "SSL_read",
                                         .version = "OPENSSL_3.0.0",
                                         .from = "/usr/lib/libssl.so.3",
                                         .to = "/usr/lib/libcrypto.so.3"};
    is_line("[pid  4711] libssl.so.3 → SSL_read@OPENSSL_3.0.0 = libcrypto.so.3\n", &event, true, false);
    event.lookup = (struct event_lookup){.symbol = "fmod", .from = "addon.node"};
    is_line("addon.node → fmod = none\n", &event, false, false);
    event.lookup.instead = "libm.so.6 defines fmod@GLIBC_2.2.5";
    event.lookup.version = "GLIBC_2.38";
    is_line("[pid  4711] addon.node → fmod@GLIBC_2.38 = none: libm.so.6 defines fmod@GLIBC_2.2.5\n", &event, true,
            false);
    event.type = EVENT_LOADER;
    event.loader = (struct event_loader){.object = "/lib/libm.so.6",
                                         .format = "version `%s' not found (required by %s)",
                                         .args = {"GLIBC_2.38", "./a\033"},
                                         .occasion = "version lookup error"};
    is_line("ld.so: version lookup error: /lib/libm.so.6: version `GLIBC_2.38' not found (required by ./a\\033)\n",
            &event, false, false);
    event.loader = (struct event_loader){
        .object = "libx.so", .format = "cannot open shared object file%s %d 100%% %n", .error = ENOENT};
    is_line("ld.so: libx.so: cannot open shared object file %d 100% %n: No such file or directory\n", &event, false,
            false);
}
END_TEST

START_TEST(calls_and_objects)
{
    struct event event = {.root = "", .type = EVENT_LOADER, .tid = 4711};

    event.loader = (struct event_loader){
        .what = LOADER_CALL, .object = "/x/addon.node", .name = "dlopen", .file = "libx.so", .flags = 2};
    is_line("[pid  4711] addon.node → dlopen(\"libx.so\", RTLD_NOW) = NULL\n", &event, true, false);
    event.loader.flags = 0x109 | 0x40000;
    event.loader.file = NULL;
    event.loader.ret = 0x55d0;
    is_line("addon.node → dlopen(NULL, RTLD_LAZY|RTLD_DEEPBIND|RTLD_GLOBAL|0x40000) = 0x55d0\n", &event, false, false);
    event.loader.name = "dlmopen";
    event.loader.handle = (uint64_t)-1;
    event.loader.flags = 0;
    is_line("addon.node → dlmopen(LM_ID_NEWLM, NULL, 0) = 0x55d0\n", &event, false, false);
    event.loader = (struct event_loader){
        .what = LOADER_CALL, .name = "dlvsym", .symbol = "a\n", .version = "V_1", .handle = 0x10, .ret = 0x20};
    is_line("dlvsym(0x10, \"a\\n\", \"V_1\") = 0x20\n", &event, false, false);
    event.loader = (struct event_loader){.what = LOADER_CALL, .name = "dlsym", .symbol = "a"};
    is_line("dlsym(RTLD_DEFAULT, \"a\") = NULL\n", &event, false, false);
    event.loader = (struct event_loader){.what = LOADER_CALL, .name = "dlclose", .handle = 5, .ret = 0xffffffff};
    is_line("dlclose(0x5) = -1\n", &event, false, false);
    event.loader = (struct event_loader){.what = LOADER_LOADED,
                                         .object = "/lib/libx.so.1",
                                         .base_addr = 0x7f00,
                                         .reason = REASON_DLOPENED,
                                         .by = "/x/addon.node",
                                         .flags = 1};
    is_line("+ /lib/libx.so.1 (dlopened by /x/addon.node with RTLD_LAZY)\n", &event, false, false);
    event.loader.what = LOADER_UNLOADED;
    event.loader.space = 2;
    is_line("- /lib/libx.so.1 (in namespace 2)\n", &event, false, false);
}
END_TEST

START_TEST(output)
{
    struct event event = {.root = "", .type = EVENT_OUTPUT};

    event.output = (struct event_output){.fd = 2, .data = "abc\n", .size = 4, .whole = 4};
    is_line("write(2, \"abc\\n\", 4)                    = ?\n", &event, false, false);
    event.output.data = "0123456789012345678901234567890123456789";
    event.output.size = 40;
    event.output.whole = 100000;
    is_line("write(2, \"01234567890123456789012345678901\"..., 100000) = ?\n", &event, false, false);
}
END_TEST

START_TEST(sets)
{
    struct err err;
    unsigned set;

    ck_assert_int_eq(line_set_parse(NULL, &set, &err), 0);
    ck_assert_uint_eq(set, LINE_FAILED);
    ck_assert_int_eq(line_set_parse("", &set, &err), 0);
    ck_assert_uint_eq(set, LINE_FAILED);
    ck_assert_int_eq(line_set_parse("files,process", &set, &err), 0);
    ck_assert_uint_eq(set, LINE_FILES | LINE_PROCESS);
    ck_assert_int_eq(line_set_parse("all", &set, &err), 0);
    ck_assert_uint_eq(set, LINE_ALL);
    ck_assert_int_lt(line_set_parse("file", &set, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "'file'"));
    ck_assert_int_lt(line_set_parse("files,", &set, &err), 0);
    ck_assert_int_lt(line_set_parse(",files", &set, &err), 0);
    ck_assert_int_lt(line_set_parse("failed files", &set, &err), 0);
}
END_TEST

START_TEST(wanted)
{
    struct event failed = opened(ENOENT, 0), fine = opened(0, 3), restarted = opened(512, 0);
    struct event cloned = opened(0, 12), exited = process(PROCESS_EXIT, 1, 1, 0), note = process(PROCESS_NOTE, 1, 1, 0);
    struct event died = process(PROCESS_EXIT, 1, 1, 9), by_loader = opened(0, 3);
    struct event lookup = {.root = "", .type = EVENT_LOOKUP};
    struct event signal = {.root = "", .type = EVENT_SIGNAL};

    cloned.syscall.desc = syscall_by_name("clone");
    by_loader.syscall.by = BY_LOADER;
    ck_assert(line_wanted(LINE_FAILED, &failed));
    ck_assert(!line_wanted(LINE_FAILED, &fine));
    ck_assert(!line_wanted(LINE_FAILED, &restarted));
    ck_assert(!line_wanted(LINE_FAILED, &exited));
    ck_assert(line_wanted(LINE_FAILED, &died));
    ck_assert(line_wanted(LINE_FAILED, &note));
    ck_assert(line_wanted(LINE_FAILED, &lookup));
    ck_assert(!line_wanted(LINE_FAILED, &signal));
    signal.signal.fatal = true;
    ck_assert(line_wanted(LINE_FAILED, &signal));
    lookup.lookup.to = "libc.so.6";
    ck_assert(!line_wanted(LINE_FAILED, &lookup));
    ck_assert(line_wanted(LINE_LOOKUPS, &lookup));
    ck_assert(!line_wanted(LINE_FILES | LINE_LOADER | LINE_PROCESS, &lookup));
    ck_assert(line_wanted(LINE_FILES, &fine));
    ck_assert(!line_wanted(LINE_FILES, &cloned));
    ck_assert(line_wanted(LINE_PROCESS, &cloned));
    ck_assert(line_wanted(LINE_PROCESS, &exited));
    ck_assert(line_wanted(LINE_PROCESS, &signal));
    ck_assert(!line_wanted(LINE_PROCESS, &fine));
    ck_assert(line_wanted(LINE_LOADER, &by_loader));
    ck_assert(!line_wanted(LINE_LOADER, &fine));
    ck_assert(line_wanted(LINE_ALL, &lookup) && line_wanted(LINE_ALL, &exited) && line_wanted(LINE_ALL, &fine));
}
END_TEST

/* The prefix comes with the second process and goes with the last but one; its own last line has it still. */
START_TEST(prefixes)
{
    char *seen = NULL;
    size_t size;
    FILE *out = open_memstream(&seen, &size);
    struct sink sink;
    struct line_view *view = line_view_create(out, LINE_ALL, false, &sink);
    struct event call = opened(0, 3), start = process(PROCESS_START, 4711, 4711, 0);
    struct event child = process(PROCESS_START, 12, 12, 0), child_end = process(PROCESS_EXIT, 12, 12, 256);
    struct event thread = process(PROCESS_THREAD, 4711, 4712, 0), end = process(PROCESS_EXIT, 4711, 4711, 0);

    sink.event(sink.ctx, &start);
    sink.event(sink.ctx, &call);
    sink.event(sink.ctx, &child);
    sink.event(sink.ctx, &call);
    sink.event(sink.ctx, &child_end);
    sink.event(sink.ctx, &call);
    sink.event(sink.ctx, &thread);
    sink.event(sink.ctx, &call);
    sink.event(sink.ctx, &end);
    line_view_destroy(view);
    fclose(out);
    ck_assert_str_eq(seen, "openat(AT_FDCWD, \"/x\", O_RDONLY)        = 3\n"
                           "glibctrace: Process 12 attached\n"
                           "[pid  4711] openat(AT_FDCWD, \"/x\", O_RDONLY) = 3\n"
                           "[pid    12] +++ exited with 1 +++\n"
                           "openat(AT_FDCWD, \"/x\", O_RDONLY)        = 3\n"
                           "glibctrace: Process 4712 attached\n"
                           "[pid  4711] openat(AT_FDCWD, \"/x\", O_RDONLY) = 3\n"
                           "[pid  4711] +++ exited with 0 +++\n");
    free(seen);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("line");
    TCase *all = tcase_create("lines");

    tcase_add_test(all, calls);
    tcase_add_test(all, colours);
    tcase_add_test(all, signals);
    tcase_add_test(all, ends_and_notes);
    tcase_add_test(all, loader_and_lookups);
    tcase_add_test(all, calls_and_objects);
    tcase_add_test(all, output);
    tcase_add_test(all, sets);
    tcase_add_test(all, wanted);
    tcase_add_test(all, prefixes);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
