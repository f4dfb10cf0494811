/* trace.jsonl: every line is JSON that jansson takes, what was written is read back, and what others wrote is not
 * trusted. */
#include <reports/crash.h>
#include <reports/json_text.h>
#include <reports/log.h>
#include <reports/syscall.h>

#include <probes/alloc.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A log in memory. */
struct written {
    char *text;
    size_t size;
};

static struct written write_log(const struct event *events, size_t n, char *(*redact)(void *, const char *))
{
    struct written written = {0};
    FILE *out = open_memstream(&written.text, &written.size);
    struct sink sink;
    struct log *log = log_create(out, redact, NULL, &sink);

    for (size_t i = 0; i < n; i++)
        sink.event(sink.ctx, &events[i]);
    log_destroy(log);
    fclose(out);
    return written;
}

static int read_log(const char *text, size_t size, const struct sink *sink, uint64_t *skipped, struct err *err)
{
    FILE *in = fmemopen((void *)text, size, "r");
    int status = log_read(in, sink, skipped, err);

    fclose(in);
    return status;
}

/* Writes what it reads. */
static struct written copy_log(const struct written *from)
{
    struct written to = {0};
    FILE *out = open_memstream(&to.text, &to.size);
    struct sink sink;
    struct log *log = log_create(out, NULL, NULL, &sink);
    struct err err = {""};
    uint64_t skipped = 77;

    ck_assert_msg(read_log(from->text, from->size, &sink, &skipped, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(skipped, 0);
    log_destroy(log);
    fclose(out);
    return to;
}

/* Each line as jansson reads it; the caller owns the array. */
static json_t *parsed(const struct written *written)
{
    json_t *lines = json_array();
    const char *at = written->text, *end;

    for (; at < written->text + written->size; at = end + 1) {
        json_error_t error;

        end = strchr(at, '\n');
        ck_assert_ptr_nonnull(end);
        json_t *line = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

        ck_assert_msg(line != NULL, "%s: %.*s", error.text, (int)(end - at), at);
        json_array_append_new(lines, line);
    }
    return lines;
}

static const char hostile[] = "/x\n\"\\\001\x7f\xff\xc3\xa9\xed\xa0\x80\xe2\x80\xa8 end";
static const char hostile_read[] =
    "/x\n\"\\\001\x7f\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x80\xa8"
    " end";

enum { EVENTS = 12 };

/* One of each type, as full as they come. */
static void make_events(struct event events[EVENTS])
{
    static const char *argv[] = {"prog", "--x=\"1\"", hostile, NULL},
                      *env[] = {"PRIVATE=1", "PATH=/bin", "LD_PRELOAD=\xff", NULL};
    static gid_t groups[] = {0, 27, 4294967294u};
    static const struct image image = {.exe = "/usr/bin/prog",
                                       .argv = argv,
                                       .env = env,
                                       .cwd = "/w",
                                       .secure = true,
                                       .cred = {1000, 100, groups, 3, true},
                                       .class = 2,
                                       .machine = 62,
                                       .loader_base = 0x7f0000000000,
                                       .loader_end = 0x7f0000030000};

    for (size_t i = 0; i < EVENTS; i++)
        events[i] = (struct event){
            .n = i + 1, .t_ns = 13402000 + i * 1000, .pid = 4711, .tid = 4712, .root = "/proc/4711/root", .cwd = "/w"};
    events[0].type = EVENT_PROCESS;
    events[0].process = (struct event_process){.what = PROCESS_EXEC, .image = &image};
    events[1].type = EVENT_SYSCALL;
    events[1].syscall = (struct event_syscall){.desc = syscall_by_name("openat"),
                                               .args = {(uint64_t)AT_FDCWD, 0x7ffe00000000, O_CLOEXEC},
                                               .text = {"AT_FDCWD", "\"/x\\n\"", "O_RDONLY|O_CLOEXEC"},
                                               .string = "x",
                                               .path = hostile,
                                               .flags = O_CLOEXEC,
                                               .ret = -1,
                                               .error = ENOENT,
                                               .returned = true,
                                               .by = BY_LOADER,
                                               .ip_addr = 0x7f0000001234};
    events[2].type = EVENT_SYSCALL;
    events[2].syscall = (struct event_syscall){.desc = syscall_by_name("execve"),
                                               .text = {"\"/p\"", "[\"prog\"]", "0x5 /* 2 vars */"},
                                               .string = "/p",
                                               .path = "/p",
                                               .argv = argv,
                                               .by = BY_PROGRAM};
    events[3].type = EVENT_SIGNAL;
    events[3].signal =
        (struct event_signal){.signal = SIGSEGV, .code = 1, .fault_addr = 0x10, .ip_addr = 0x401000, .fatal = true};
    events[4].type = EVENT_OUTPUT;
    events[4].output = (struct event_output){.fd = 2, .data = "a\0b\n\xff", .size = 5, .whole = 70000, .by = BY_LOADER};
    events[5].type = EVENT_LOADER;
    events[5].loader = (struct event_loader){.object = "/lib/libm.so.6",
                                             .format = "version `%s' not found (required by %s)",
                                             .args = {"GLIBC_2.38", "./a"},
                                             .occasion = "version lookup error",
                                             .message = "/lib/libm.so.6: version …",
                                             .outcome = LOADER_CAUGHT,
                                             .by = "/a.node",
                                             .error = ENOENT};
    events[6].type = EVENT_LOOKUP;
    events[6].lookup = (struct event_lookup){.symbol = "fmod", .version = "GLIBC_2.38", .from = "/a.node"};
    events[6].lookup.instead = "libm.so.6 defines fmod@GLIBC_2.2.5";
    events[7].type = EVENT_PROCESS;
    events[7].process = (struct event_process){.what = PROCESS_NOTE, .text = "lost 3 events"};
    events[8].type = EVENT_LOADER;
    events[8].loader = (struct event_loader){.what = LOADER_CALL,
                                             .object = "/a.node",
                                             .name = "dlvsym",
                                             .file = "f",
                                             .symbol = "fmod",
                                             .version = "GLIBC_2.38",
                                             .flags = 0x101,
                                             .handle = UINT64_MAX,
                                             .ret = 0x7f0000001000};
    events[9].type = EVENT_LOADER;
    events[9].loader = (struct event_loader){.what = LOADER_LOADED,
                                             .object = "/lib/libx.so",
                                             .by = "/a.node",
                                             .base_addr = 0x7f0000000000,
                                             .space = 3,
                                             .reason = REASON_DLOPENED,
                                             .flags = 2};
    events[10].type = EVENT_LOADER;
    events[10].loader = (struct event_loader){.what = LOADER_UNLOADED, .object = "/lib/libx.so"};
    events[11].type = EVENT_PROCESS;
    events[11].process = (struct event_process){.what = PROCESS_EXIT, .status = SIGSEGV | 0x80, .by_loader = true};
}

START_TEST(keys_of_the_contract)
{
    struct event events[EVENTS];

    make_events(events);
    struct written written = write_log(events, EVENTS, NULL);
    json_t *lines = parsed(&written), *call = json_array_get(lines, 1), *lookup = json_array_get(lines, 6);

    ck_assert_uint_eq(json_array_size(lines), EVENTS);
    ck_assert_int_eq(json_integer_value(json_object_get(call, "n")), 2);
    ck_assert_double_eq_tol(json_real_value(json_object_get(call, "t")), 0.013403, 1e-9);
    ck_assert_int_eq(json_integer_value(json_object_get(call, "pid")), 4711);
    ck_assert_int_eq(json_integer_value(json_object_get(call, "tid")), 4712);
    ck_assert_str_eq(json_string_value(json_object_get(call, "type")), "syscall");
    ck_assert_str_eq(json_string_value(json_object_get(call, "name")), "openat");
    ck_assert_uint_eq(json_array_size(json_object_get(call, "args")), 3);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(call, "args"), 1)), "\"/x\\n\"");
    ck_assert_str_eq(json_string_value(json_object_get(call, "path")), hostile_read);
    ck_assert_int_eq(json_integer_value(json_object_get(call, "ret")), -1);
    ck_assert_str_eq(json_string_value(json_object_get(call, "errno")), "ENOENT");
    ck_assert(json_is_null(json_object_get(json_array_get(lines, 2), "ret")));
    ck_assert_ptr_null(json_object_get(json_array_get(lines, 2), "errno"));
    ck_assert_str_eq(json_string_value(json_object_get(lookup, "symbol")), "fmod");
    ck_assert(json_is_null(json_object_get(lookup, "to")));
    ck_assert_uint_eq(json_string_length(json_object_get(json_array_get(lines, 4), "data")), 7);
    json_decref(lines);
    free(written.text);
}
END_TEST

/* What is read is what was written: written again it is the same, byte for byte (the invalid bytes are U+FFFD now). */
START_TEST(there_and_back)
{
    struct event events[EVENTS];

    make_events(events);
    struct written first = write_log(events, EVENTS, NULL), second = copy_log(&first);

    ck_assert_str_eq(second.text, first.text);
    free(first.text);
    free(second.text);
}
END_TEST

static void look_at_sight(void *ctx, const struct event *event)
{
    const struct sight *sight = event->sight;

    ++*(size_t *)ctx;
    ck_assert_ptr_nonnull(sight);
    if (event->type == EVENT_SYSCALL) {
        ck_assert_str_eq(sight->walk, "dangling");
        ck_assert_str_eq(sight->target, "/gone \"x\"");
        ck_assert_str_eq(sight->limit, "RLIMIT_NOFILE");
        ck_assert_uint_eq(sight->limit_value, 40);
        ck_assert(sight->limit_sure && !sight->hushed);
        ck_assert_ptr_null(sight->copies);
    } else if (event->type == EVENT_LOADER) {
        ck_assert_str_eq(sight->needed[1], "libc.so.6");
        ck_assert_ptr_null(sight->needed[2]);
        ck_assert_str_eq(sight->versions[0], "V_2");
        ck_assert_str_eq(sight->soname, "libx.so.1");
    } else {
        ck_assert_str_eq(sight->copies[0], "/opt/libx.so");
        ck_assert_str_eq(sight->variables[0], "APP=/x");
        ck_assert_ptr_null(sight->variables[1]);
        ck_assert_str_eq(sight->seen[0], "40755,0 stat:/x y");
        ck_assert_str_eq(sight->words_to, "shared");
        ck_assert(event->process.heard);
        ck_assert_int_eq(event->process.crash->signal, SIGSYS);
        ck_assert_str_eq(event->process.crash->call, "statx");
        ck_assert(event->process.crash->by_itself);
    }
}

/* What was looked at when an event was told (struct sight), and what a crash record says. */
START_TEST(sights)
{
    static const char *const needed[] = {"liby.so", "libc.so.6", NULL}, *const versions[] = {"V_2", NULL};
    static const char *const copies[] = {"/opt/libx.so", NULL}, *const variables[] = {"APP=/x", NULL};
    static const char *const answers[] = {"40755,0 stat:/x y", NULL};
    struct crash crash = {.references = 1, .signal = SIGSYS, .by_itself = true, .call = (char *)"statx"};
    const struct sight seen[] = {{.walk = "dangling",
                                  .at = "/link",
                                  .target = "/gone \"x\"",
                                  .limit = "RLIMIT_NOFILE",
                                  .limit_value = 40,
                                  .limit_sure = true},
                                 {.soname = "libx.so.1", .needed = needed, .versions = versions},
                                 {.copies = copies, .variables = variables, .seen = answers, .words_to = "shared"}};
    struct event events[3] = {
        {.type = EVENT_SYSCALL, .syscall = {.desc = syscall_by_name("openat"), .returned = true, .error = ENOENT}},
        {.type = EVENT_LOADER, .loader = {.what = LOADER_LOADED, .object = "/lib/libx.so.1"}},
        {.type = EVENT_PROCESS, .process = {.what = PROCESS_EXITING, .heard = true, .crash = &crash}}};
    const struct sink sink = {look_at_sight, &(size_t){0}};
    struct err err = {""};

    for (size_t i = 0; i < 3; i++) {
        events[i].n = i + 1;
        events[i].pid = events[i].tid = 7;
        events[i].root = "";
        events[i].sight = &seen[i];
    }
    struct written first = write_log(events, 3, NULL), second = copy_log(&first);

    ck_assert_str_eq(second.text, first.text);
    ck_assert_msg(read_log(first.text, first.size, &sink, NULL, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(*(size_t *)sink.ctx, 3);
    free(first.text);
    free(second.text);
}
END_TEST

static void look(void *ctx, const struct event *event)
{
    size_t *seen = ctx;

    ++*seen;
    ck_assert_str_eq(event->root, "/proc/4711/root"); /* told once, known from then on */
    ck_assert_str_eq(event->cwd, "/w");
    if (event->n == 1) {
        const struct image *image = event->process.image;

        ck_assert_ptr_nonnull(image);
        ck_assert_str_eq(image->exe, "/usr/bin/prog");
        ck_assert_str_eq(image->argv[1], "--x=\"1\"");
        ck_assert_str_eq(image->argv[2], hostile_read);
        ck_assert_ptr_null(image->argv[3]);
        ck_assert_str_eq(image->env[0], "PATH=/bin"); /* what no search reads is not kept */
        ck_assert_str_eq(image->env[1], "LD_PRELOAD=\xef\xbf\xbd");
        ck_assert_ptr_null(image->env[2]);
        ck_assert(image->secure && image->cred.override && !image->musl);
        ck_assert_uint_eq(image->cred.uid, 1000);
        ck_assert_uint_eq(image->cred.group_count, 3);
        ck_assert_uint_eq(image->cred.groups[2], 4294967294u);
        ck_assert_uint_eq(image->loader_end, 0x7f0000030000);
    } else if (event->n == 2) {
        ck_assert_str_eq(event->syscall.string, "x");
        ck_assert_uint_eq(event->syscall.args[0], (uint64_t)AT_FDCWD);
        ck_assert_uint_eq(event->syscall.flags, O_CLOEXEC);
        ck_assert_int_eq(event->syscall.error, ENOENT);
        ck_assert(event->syscall.returned && event->syscall.by == BY_LOADER);
        ck_assert_uint_eq(event->t_ns, 13403000);
    } else if (event->n == 3) {
        ck_assert_str_eq(event->syscall.string, "/p");
        ck_assert(!event->syscall.returned);
    } else if (event->n == 5) {
        ck_assert_uint_eq(event->output.size, 7);
        ck_assert(memcmp(event->output.data, "a\0b\n\xef\xbf\xbd", 7) == 0);
        ck_assert_uint_eq(event->output.whole, 70000);
    } else if (event->n == 6) {
        ck_assert_int_eq(event->loader.what, LOADER_ERROR);
        ck_assert_int_eq(event->loader.outcome, LOADER_CAUGHT);
        ck_assert_str_eq(event->loader.by, "/a.node");
        ck_assert_str_eq(event->loader.args[1], "./a");
    } else if (event->n == 7) {
        ck_assert_str_eq(event->lookup.instead, "libm.so.6 defines fmod@GLIBC_2.2.5");
    } else if (event->n == 9) {
        ck_assert_int_eq(event->loader.what, LOADER_CALL);
        ck_assert_str_eq(event->loader.version, "GLIBC_2.38");
        ck_assert_uint_eq(event->loader.handle, UINT64_MAX);
        ck_assert_uint_eq(event->loader.ret, 0x7f0000001000);
    } else if (event->n == 10) {
        ck_assert_int_eq(event->loader.what, LOADER_LOADED);
        ck_assert_int_eq(event->loader.reason, REASON_DLOPENED);
        ck_assert_uint_eq(event->loader.space, 3);
    } else if (event->n == EVENTS) {
        ck_assert(WIFSIGNALED(event->process.status) && WTERMSIG(event->process.status) == SIGSEGV);
        ck_assert(WCOREDUMP(event->process.status));
    }
}

START_TEST(fields)
{
    struct event events[EVENTS];
    struct err err;
    size_t seen = 0;
    const struct sink sink = {look, &seen};

    make_events(events);
    struct written written = write_log(events, EVENTS, NULL);

    ck_assert_int_eq(read_log(written.text, written.size, &sink, NULL, &err), 0);
    ck_assert_uint_eq(seen, EVENTS);
    free(written.text);
}
END_TEST

static char *hide(void *ctx, const char *s)
{
    (void)ctx;
    const char *at = strstr(s, "secret");

    return at ? xasprintf("%.*s[redacted]%s", (int)(at - s), s, at + 6) : NULL;
}

START_TEST(redaction)
{
    static const char *argv[] = {"x", "--p=secret", NULL}, *env[] = {"T=secret", NULL};
    static const struct image image = {.exe = "/secret/x", .argv = argv, .env = env, .cwd = "/secret"};
    struct event events[] = {
        {.n = 1, .pid = 1, .tid = 1, .root = "", .cwd = "/secret", .type = EVENT_PROCESS},
        {.n = 2, .pid = 1, .tid = 1, .root = "", .cwd = "/secret", .type = EVENT_OUTPUT},
        {.n = 3, .pid = 1, .tid = 1, .root = "", .cwd = "/secret", .type = EVENT_SYSCALL},
        {.n = 4, .pid = 1, .tid = 1, .root = "", .cwd = "/secret", .type = EVENT_LOADER},
    };

    events[0].process = (struct event_process){.what = PROCESS_EXEC, .image = &image};
    events[1].output = (struct event_output){.fd = 2, .data = "secret\0 secret", .size = 14, .whole = 14};
    events[2].syscall = (struct event_syscall){.desc = syscall_by_name("readlink"),
                                               .text = {"\"/secret/l\"", "\"/secret\"", "5"},
                                               .string = "secret/l",
                                               .path = "/secret/l",
                                               .result = "/secret",
                                               .argv = argv};
    events[3].loader = (struct event_loader){.object = "/secret", .format = "%s", .args = {"secret"}};
    struct written written = write_log(events, 4, hide);

    ck_assert_ptr_null(strstr(written.text, "secret"));
    ck_assert_ptr_nonnull(strstr(written.text, "--p=[redacted]"));
    json_decref(parsed(&written));
    free(written.text);
}
END_TEST

/* A session that did not ask for texts still has arguments. */
START_TEST(without_texts)
{
    struct event event = {.n = 1, .pid = 1, .tid = 1, .root = "", .type = EVENT_SYSCALL};

    event.syscall = (struct event_syscall){
        .desc = syscall_by_name("open"), .args = {0x5000, O_RDWR}, .string = "a\"b", .path = "/a\"b", .returned = true};
    struct written written = write_log(&event, 1, NULL);
    json_t *lines = parsed(&written), *args = json_object_get(json_array_get(lines, 0), "args");

    ck_assert_str_eq(json_string_value(json_array_get(args, 0)), "\"a\\\"b\"");
    ck_assert_str_eq(json_string_value(json_array_get(args, 1)), "O_RDWR");
    json_decref(lines);
    free(written.text);
}
END_TEST

static void count(void *ctx, const struct event *event)
{
    (void)event;
    ++*(size_t *)ctx;
}

static int try(const char *text, size_t *events, uint64_t *skipped, struct err *err)
{
    const struct sink sink = {count, events};

    *events = 0;
    *skipped = 0;
    err->text[0] = '\0';
    return read_log(text, strlen(text), &sink, skipped, err);
}

#define HEAD "{\"n\":1,\"t\":0.1,\"pid\":1,\"tid\":1,\"type\":"

START_TEST(strange_lines)
{
    static const char *const refused[] = {
        "x\n",
        "{\n",
        "[]\n",
        "{}\n",
        "{\"n\":1}\n",
        HEAD "\"syscall\"} {}\n",
        HEAD "\"syscall\",}\n",
        HEAD "\"sys\ncall\"}\n",
        HEAD "\"\\x\"}\n",
        HEAD "\"\xff\"}\n",
        HEAD "01x}\n",
        HEAD "1e999}\n",
        HEAD "\"syscall\",\"a\":[1,2}\n",
        "{\"n\":0,\"pid\":1,\"tid\":1,\"type\":\"note\"}\n",
        "{\"n\":1,\"pid\":-1,\"tid\":1,\"type\":\"note\"}\n",
        "{\"n\":1,\"pid\":1e30,\"tid\":1,\"type\":\"note\"}\n",
        "{\"n\":1,\"pid\":\"1\",\"tid\":1,\"type\":\"note\"}\n",
    };
    static const char *const skipped_ones[] = {
        HEAD "\"weather\"}\n",
        HEAD "\"syscall\",\"name\":\"getppid\"}\n",
        HEAD "\"syscall\"}\n",
        HEAD "\"process\",\"what\":\"born\"}\n",
        HEAD "\"signal\",\"name\":\"SIGNOTHING\"}\n",
        HEAD "\"output\",\"data\":5}\n",
        HEAD "\"loader\"}\n",
        HEAD "\"loader\",\"what\":\"sang\"}\n",
        HEAD "\"loader\",\"what\":\"call\"}\n",
        HEAD "\"lookup\",\"symbol\":null}\n",
    };
    struct err err;
    size_t events;
    uint64_t skipped;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ck_assert_msg(try(refused[i], &events, &skipped, &err) < 0, "taken: %s", refused[i]);
        ck_assert_msg(strncmp(err.text, "line 1", 6) == 0, "%s", err.text);
        ck_assert_uint_eq(events, 0);
    }
    for (size_t i = 0; i < sizeof skipped_ones / sizeof skipped_ones[0]; i++) {
        ck_assert_msg(try(skipped_ones[i], &events, &skipped, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(events, 0);
        ck_assert_uint_eq(skipped, 1);
    }
    /* Unknown keys, other orders, blanks, an empty line and no newline at the end are all right. */
    ck_assert_int_eq(try("\n { \"type\" : \"lookup\", \"x\":{\"y\":[1,[2,{}]]}, \"symbol\":\"f\\ud83d\\ude00\\ud83d\", "
                         "\"n\":1, \"pid\":1, \"tid\":1 }  \n" HEAD "\"lookup\",\"symbol\":\"g\"}",
                         &events, &skipped, &err),
                     0);
    ck_assert_uint_eq(events, 2);
}
END_TEST

START_TEST(bounds)
{
    struct err err;
    size_t events;
    uint64_t skipped;
    size_t n = (17 << 20) + 100;
    CLEANUP_FREE char *text = xmalloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    memcpy(text, HEAD "\"", strlen(HEAD "\""));
    ck_assert_int_lt(try(text, &events, &skipped, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "longer than"));
    memset(text, '[', n);
    memcpy(text, HEAD, strlen(HEAD));
    text[1000000] = '\0';
    ck_assert_int_lt(try(text, &events, &skipped, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "nested too deeply"));
    /* three million items */
    char *at = text + sprintf(text, HEAD "\"process\",\"what\":\"exec\",\"argv\":[\"\"");

    for (int i = 0; i < 3000000; i++)
        at = stpcpy(at, ",\"\"");
    stpcpy(at, "]}");
    ck_assert_int_lt(try(text, &events, &skipped, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "too many items"));
}
END_TEST

/* A log with some bytes changed is read or refused, never more (the sanitizers watch). */
START_TEST(mutations)
{
    struct event events[EVENTS];
    unsigned long state = 4711;
    size_t taken = 0;

    make_events(events);
    struct written written = write_log(events, EVENTS, NULL);
    CLEANUP_FREE char *copy = xmalloc(written.size + 1);

    for (int round = 0; round < 4000; round++) {
        struct err err;
        size_t seen;
        uint64_t skipped;

        memcpy(copy, written.text, written.size + 1);
        for (int i = 0; i < 1 + round % 3; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            copy[(state >> 33) % written.size] = "\"\\{}[],:0u\xff\x01"
                                                 "9n\n"[(state >> 25) % 15];
        }
        taken += try(copy, &seen, &skipped, &err) == 0;
    }
    ck_assert_uint_gt(taken, 100);
    ck_assert_uint_lt(taken, 3900);
    free(written.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *all = tcase_create("log");

    tcase_set_timeout(all, 60);
    tcase_add_test(all, keys_of_the_contract);
    tcase_add_test(all, there_and_back);
    tcase_add_test(all, fields);
    tcase_add_test(all, sights);
    tcase_add_test(all, redaction);
    tcase_add_test(all, without_texts);
    tcase_add_test(all, strange_lines);
    tcase_add_test(all, bounds);
    tcase_add_test(all, mutations);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
