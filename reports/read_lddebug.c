/* What glibc's loader says of its work (LD_DEBUG, ld.so(8)): in a file of its own or within a program's words.
 *
 * Of a million lines those matter that an end follows: a search that is the last thing a process did, an error behind
 * which nothing comes. elf/dl-load.c, dl-lookup.c, dl-version.c, dl-init.c and dl-fini.c; _dl_signal_cexception() of
 * dl-catch.c says "(fatal)" of whatever nobody waits for, be it only a dlsym(3) that finds nothing. */
#include "read_text.h"

#include "read_said.h"
#include "syscall.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <uthash.h>

enum {
    PROCESSES_KEPT = 4096,
    PLACES_KEPT = 64,
    OBJECTS_KEPT = 1024,
    NEEDED_KEPT = 256,
    ERRORS_KEPT = 16,
    LINE_READ = 8192,
};

/* What has come into the link map. */
struct mapped {
    char *path, *by;       /* BY: who needs or has opened it, or NULL */
    bool opened;           /* dlopen(3) */
    struct strings needed; /* names */
};

struct debugged {
    pid_t pid;
    char *exe;             /* as far as it is known, or NULL */
    bool finished;         /* it has called its finalisers: no signal ended it */
    bool passed;           /* the program was given control */
    bool telling;          /* the log tells when that is: elf/rtld.c's masks that have DL_DEBUG_IMPCALLS in them */
    char *search;          /* the library that is looked for at last, or NULL: it was found */
    bool exhausted;        /* … and the default directories, which are the last ones, were come to */
    char *asker;           /* who needs it, or NULL … */
    char *asked;           /* … and the name that was told with it */
    bool opening;          /* ASKER has called dlopen(3) */
    struct strings places; /* where it was looked for */
    char *unfit;           /* … one of these, where something stands that is for another machine; or NULL */
    struct mapped *objects;
    size_t object_count, object_cap;
    char *library_path; /* LD_LIBRARY_PATH, as far as it was searched; or NULL */
    struct said errors[ERRORS_KEPT];
    size_t error_count; /* of those behind which nothing came */
    bool late;          /* … while the program ran: a dlsym(3) that found nothing may have been the last call */
    bool started;
    UT_hash_handle hh;
};

struct lddebug {
    struct text_reading *reading;
    struct debugged *processes; /* hash by pid, in the order in which they came */
    struct debugged *last;
};

static void *begin(struct text_reading *reading)
{
    struct lddebug *log = xcalloc(1, sizeof *log);

    log->reading = reading;
    return log;
}

static void forget_errors(struct debugged *process)
{
    for (size_t i = 0; i < process->error_count; i++)
        said_deinit(&process->errors[i]);
    process->error_count = 0;
}

static void forget_search(struct debugged *process)
{
    process->exhausted = false;
    free(steal_pointer(&process->search));
    free(steal_pointer(&process->unfit));
    strings_deinit(&process->places);
    process->places = (struct strings){0};
}

static void forget_objects(struct debugged *process)
{
    for (size_t i = 0; i < process->object_count; i++) {
        free(process->objects[i].path);
        free(process->objects[i].by);
        strings_deinit(&process->objects[i].needed);
    }
    process->object_count = 0;
    free(steal_pointer(&process->library_path));
}

static struct debugged *process_of(struct lddebug *log, pid_t pid)
{
    struct debugged *process;

    HASH_FIND_INT(log->processes, &pid, process);
    if (process || HASH_COUNT(log->processes) >= PROCESSES_KEPT)
        return process;
    process = xcalloc(1, sizeof *process);
    process->pid = pid;
    HASH_ADD_INT(log->processes, pid, process);
    return process;
}

/* ---- lines ---- */

/* What stands behind "     12345:\t", or NULL. */
static const char *behind_pid(const char *line, pid_t *ret)
{
    const char *p = line + strspn(line, " ");
    long pid = 0;
    size_t digits = 0;

    while (isdigit((unsigned char)*p) && ++digits < 9)
        pid = pid * 10 + (*p++ - '0');
    *ret = (pid_t)pid;
    if (!digits || !pid || p[0] != ':')
        return NULL;
    if (p[1] == '\t' || !p[1])
        return p + 1 + (p[1] == '\t');
    if (p - line != 10 || p[1] != ' ') /* "%10d:\t", whose tab may have become blanks */
        return NULL;
    p++;
    while (*p == ' ' && p[1] == ' ' && p < line + 17)
        p++;
    return p + (*p == ' ');
}

static const char *after(const char *line, const char *words)
{
    size_t n = strlen(words);

    return strncmp(line, words, n) == 0 ? line + n : NULL;
}

/* A name up to " [0]", a semicolon or the line's end; malloced. */
static char *name_at(const char *at)
{
    const char *end = strstr(at, " [");
    size_t size = strcspn(at, ";)\r");

    if (end && (size_t)(end - at) < size)
        size = (size_t)(end - at);
    return xstrndup(at, size < 4096 ? size : 4095);
}

static void take_name(char **to, const char *at)
{
    free(*to);
    *to = name_at(at);
}

static void name_program(struct debugged *process, const char *at, bool sure)
{
    if ((process->exe && !sure) || !*at || *at == ' ')
        return;
    take_name(&process->exe, at);
}

/* The one at PATH; NULL: there are too many. */
static struct mapped *object_of(struct debugged *process, const char *path)
{
    struct mapped *object;

    for (size_t i = process->object_count; i-- > 0;)
        if (strcmp(process->objects[i].path, path) == 0)
            return &process->objects[i];
    if (process->object_count >= OBJECTS_KEPT)
        return NULL;
    object = array_add(&process->objects, &process->object_count, &process->object_cap, sizeof *object);
    object->path = xstrdup(path);
    return object;
}

/* What NAME was found as is mapped. */
static void on_mapped(struct debugged *process, const char *name)
{
    bool searched = process->search && process->places.n;
    struct mapped *object = object_of(process, searched ? process->places.v[process->places.n - 1] : name);

    if (object && !object->by && process->asked && strcmp(process->asked, name) == 0) {
        object->by = xstrdup_or_null(process->asker);
        object->opened = process->opening;
    }
    forget_search(process);
}

/* "file=libx.so [0];  needed by ./prog [0]", "…;  dynamically loaded by …", "…;  generating link map". */
static void on_file(struct debugged *process, const char *at)
{
    const char *needed = strstr(at, "needed by "), *loaded = strstr(at, "dynamically loaded by ");
    struct mapped *asker;

    if (strstr(at, "generating link map")) {
        CLEANUP_FREE char *name = name_at(at);

        on_mapped(process, name);
        return;
    }
    if (!needed && !loaded)
        return;
    take_name(&process->asked, at);
    take_name(&process->asker, needed ? needed + 10 : loaded + 22);
    if (needed && process->passed && !said_is_library(process->asker, strlen(process->asker))) {
        process->passed = false; /* the next program, which this one has executed */
        free(steal_pointer(&process->exe));
        forget_objects(process);
    }
    process->opening = !needed;
    asker = needed ? object_of(process, process->asker) : NULL;
    if (asker && asker->needed.n < NEEDED_KEPT)
        strings_add(&asker->needed, xstrdup(process->asked));
    if (needed && !process->passed) /* the first that anybody needs, the program needs */
        name_program(process, needed + 10, false);
}

/* "X: error: OCCASION: MESSAGE (fatal)". */
static void on_error(struct debugged *process, const char *line, const char *at)
{
    const char *occasion = at + strlen(": error: "), *message = strstr(occasion, ": "), *end;
    CLEANUP_FREE char *text = NULL;
    struct said said;

    if (!message || process->error_count == ERRORS_KEPT)
        return;
    message += 2;
    end = strrchr(message, '(');
    if (!end || (strncmp(end, "(fatal)", 7) != 0 && strncmp(end, "(continued)", 11) != 0))
        end = message + strlen(message);
    while (end > message && end[-1] == ' ')
        end--;
    text = xasprintf("%.*s: %.*s", (int)(at - line), line, (int)(end - message), message);
    if (!said_parse(text, &said))
        return;
    process->errors[process->error_count++] = said;
    process->late = (process->passed || !process->telling) && strncmp(said.format, "undefined symbol", 16) == 0;
}

static void on_search(struct debugged *process, const char *at)
{
    forget_search(process);
    process->search = name_at(at);
}

/* "search path=/a:/b\t\t(LD_LIBRARY_PATH)". */
static void on_search_path(struct debugged *process, const char *at)
{
    process->exhausted |= strstr(at, "(system search path)") != NULL;
    size_t size = strcspn(at, " \t");

    if (!process->library_path && strstr(at + size, "(LD_LIBRARY_PATH)"))
        process->library_path = xasprintf("LD_LIBRARY_PATH=%.*s", (int)(size < LINE_READ ? size : 0), at);
}

/* Behind a place that is tried, since glibc 2.42: "(no such file)", "(incompatible ELF machine)". */
static void on_reason(struct debugged *process, const char *rest)
{
    if (strstr(rest, "(incompatible ELF machine)") && process->places.n && !process->unfit)
        process->unfit = xstrdup(process->places.v[process->places.n - 1]);
}

/* What REST says. */
static void on_line(struct debugged *process, const char *rest)
{
    const char *error = strstr(rest, ": error: "), *at;

    if (error) {
        on_error(process, rest, error);
        return;
    }
    process->telling |= !after(rest, "object=") && !strstr(rest, " scope") && !after(rest, "Initial object scopes");
    if (!after(rest, "checking for version")) /* those behind a version that is not there are still checked */
        forget_errors(process);
    if ((at = after(rest, "find library=")))
        on_search(process, at);
    else if ((at = after(rest, " trying file=")) || (at = after(rest, "  trying file=")) ||
             (at = after(rest, "trying file="))) {
        if (process->search && process->places.n < PLACES_KEPT)
            strings_add(&process->places, name_at(at));
    } else if ((at = after(rest, "file=")))
        on_file(process, at);
    else if ((at = after(rest, " search path=")) || (at = after(rest, "search path=")))
        on_search_path(process, at);
    else if (rest[strspn(rest, " ")] == '(')
        on_reason(process, rest);
    else if (!after(rest, " search ") && !after(rest, "search "))
        forget_search(process); /* whatever else it is, the loader has gone on */
    process->finished = after(rest, "calling fini: ") != NULL;
    at = strstr(rest, " from file "); /* whose RPATH or RUNPATH is searched: the program's, or a library's */
    if (at && !process->passed && !said_is_library(at + 11, strcspn(at + 11, ")")))
        name_program(process, at + 11, false);
    at = after(rest, "initialize program: ");
    if (!at)
        at = after(rest, "transferring control: ");
    if (at) {
        name_program(process, at, true);
        process->passed = true;
    }
}

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r")] == '\0';
}

static bool take(void *state, char *line, size_t size)
{
    struct lddebug *log = state;
    pid_t pid;
    const char *rest = behind_pid(line, &pid);
    struct debugged *process;

    (void)size;
    if (!rest)
        return false;
    process = process_of(log, pid);
    if (!process)
        return true;
    log->last = process;
    if (!is_blank(rest) && strlen(rest) <= LINE_READ)
        on_line(process, rest);
    return true;
}

/* ---- the end ---- */

/* The words say more of NAME than that it was not found. */
static bool is_refused(const struct lddebug *log, const char *name)
{
    for (size_t i = 0; name && i < log->reading->refused.n; i++)
        if (strcmp(path_base(log->reading->refused.v[i]), path_base(name)) == 0)
            return true;
    return false;
}

/* A loader that ends a program says so on standard error. Where words are at hand, and not these, it did not. */
static bool is_error(const struct lddebug *log, const struct debugged *process)
{
    return process->error_count &&
           (!process->late || !log->reading->waiting.n || is_refused(log, process->errors[0].object));
}

static bool has_failed(const struct lddebug *log, const struct debugged *process)
{
    return is_error(log, process) || (process->search && process->exhausted);
}

static void start(struct lddebug *log, struct debugged *process)
{
    const char *const argv[] = {process->exe ? process->exe : "the program", NULL};
    const char *const env[] = {process->library_path, NULL};
    const struct image image = {
        .exe = argv[0], .argv = argv, .env = env, .loader_base = 1, .loader_end = 2, .class = 2, .machine = 62};
    struct event started = {.pid = process->pid,
                            .type = EVENT_PROCESS,
                            .process = {.what = PROCESS_START, .image = &image, .by_words = true}};

    process->started = true;
    text_event(log->reading, &started);
}

/* What is in the link map, and what each of it needs. */
static void tell_objects(struct lddebug *log, struct debugged *process)
{
    for (size_t i = 0; i < process->object_count; i++) {
        struct mapped *object = &process->objects[i];
        struct sight sight = {0};
        struct event event = {.pid = process->pid,
                              .type = EVENT_LOADER,
                              .sight = &sight,
                              .loader = {.what = LOADER_LOADED,
                                         .object = object->path,
                                         .by = object->by,
                                         .reason = !object->by      ? REASON_UNKNOWN
                                                   : object->opened ? REASON_DLOPENED
                                                                    : REASON_NEEDED}};

        strings_add(&object->needed, NULL); /* a vector's end */
        object->needed.n--;
        sight.needed = (const char *const *)object->needed.v;
        text_event(log->reading, &event);
    }
}

static void tell_places(struct lddebug *log, const struct debugged *process)
{
    const struct syscall_desc *desc = syscall_by_name("openat");

    for (size_t i = 0; desc && i < process->places.n; i++) {
        const struct sight sight = {.elf = "other-machine"};
        bool unfit = process->unfit && strcmp(process->unfit, process->places.v[i]) == 0;
        struct event event = {.pid = process->pid,
                              .sight = unfit ? &sight : NULL,
                              .type = EVENT_SYSCALL,
                              .syscall = {.desc = desc,
                                          .string = process->places.v[i],
                                          .path = process->places.v[i],
                                          .ret = unfit ? 3 : -1,
                                          .error = unfit ? 0 : ENOENT,
                                          .returned = true,
                                          .by = BY_LOADER}};

        text_event(log->reading, &event);
    }
}

static void tell(struct lddebug *log, const struct debugged *process, const struct said *said)
{
    bool known = !process->late || is_refused(log, said->object);
    struct event event = {
        .pid = process->pid, .type = EVENT_LOADER, .loader = said_event(said, known ? LOADER_FATAL : LOADER_OPEN)};

    text_event(log->reading, &event);
    strings_add(&log->reading->told, xstrdup(said->object ? said->object : said->args[0]));
}

static void tell_failure(struct lddebug *log, const struct debugged *process)
{
    bool named = process->asked && process->search && strcmp(process->asked, process->search) == 0;
    CLEANUP_FREE char *message =
        process->search ? xasprintf("%s: cannot open shared object file", process->search) : NULL;
    const struct said missing = {.format = "Error loading shared library %s: %m (needed by %s)",
                                 .args = {process->search, named ? process->asker : NULL, NULL},
                                 .message = message};

    for (size_t i = 0; is_error(log, process) && i < process->error_count; i++)
        tell(log, process, &process->errors[i]);
    if (process->error_count || !process->search || !process->exhausted)
        return;
    tell_places(log, process);
    if (is_refused(log, process->search))
        return;
    tell(log, process, &missing);
}

/* How much speaks for it that the words are of PROCESS: it failed before our eyes, it is called so, it did not come to
 * its regular end. */
static int weight(const struct lddebug *log, const struct debugged *process)
{
    const struct strings *argv = &log->reading->argv;
    bool named = argv->n && process->exe && strcmp(path_base(process->exe), path_base(argv->v[0])) == 0;

    return 4 * has_failed(log, process) + 2 * named + !process->finished;
}

static struct debugged *whose_words(const struct lddebug *log)
{
    struct debugged *best = log->last, *process, *next;

    HASH_ITER(hh, log->processes, process, next)
    if (weight(log, process) > weight(log, best) ||
        (weight(log, process) == weight(log, best) && !process->finished)) /* the inner one of several */
        best = process;
    return best;
}

/* "python3" and "/usr/bin/python3.11" are one program. */
static bool is_called(const struct debugged *process, const char *name)
{
    const char *exe = process->exe ? path_base(process->exe) : "", *base = path_base(name);

    return strncmp(exe, base, strlen(base) < strlen(exe) ? strlen(base) : strlen(exe)) == 0;
}

/* They are of a program that none of the processes is: one of musl's, a static one. */
static bool of_somebody_else(const struct lddebug *log)
{
    struct debugged *process, *next;

    if (!log->reading->argv.n)
        return false;
    HASH_ITER(hh, log->processes, process, next)
    if (has_failed(log, process) || is_called(process, log->reading->argv.v[0]))
        return false;
    return true;
}

/* Whose words they are is known here; who failed is told of before them. */
static void name(void *state)
{
    struct lddebug *log = state;
    struct debugged *about, *process, *next;

    if (!log->processes || log->reading->about || of_somebody_else(log))
        return;
    about = whose_words(log);
    if (log->reading->argv.n && (!about->exe || log->reading->argv_sure)) {
        free(about->exe);
        about->exe = xstrdup(log->reading->argv.v[0]);
    }
    HASH_ITER(hh, log->processes, process, next)
    if (process == about || has_failed(log, process)) {
        start(log, process);
        tell_objects(log, process);
        tell_failure(log, process);
    }
    log->reading->by_words = true;
    text_about(log->reading, about->pid);
}

static void debugged_free(struct debugged *process)
{
    forget_errors(process);
    forget_search(process);
    forget_objects(process);
    free(process->objects);
    free(process->exe);
    free(process->asker);
    free(process->asked);
    free(process);
}

static void end_process(struct lddebug *log, const struct debugged *process)
{
    bool failed = has_failed(log, process) || (process->pid == log->reading->about && log->reading->failed);
    struct event ended = {.pid = process->pid,
                          .type = EVENT_PROCESS,
                          .process = {.what = PROCESS_EXITING, .status = failed ? 127 << 8 : 0}};

    text_event(log->reading, &ended);
}

static void end(void *state)
{
    struct lddebug *log = state;
    struct debugged *process, *next;

    HASH_ITER(hh, log->processes, process, next)
    if (process->started)
        end_process(log, process);
    HASH_ITER(hh, log->processes, process, next)
    {
        HASH_DEL(log->processes, process);
        debugged_free(process);
    }
    free(log);
}

const struct text_reader text_reader_lddebug = {
    .name = "LD_DEBUG",
    .how = INPUT_LD_DEBUG_LOG,
    .begin = begin,
    .take = take,
    .close = name,
    .end = end,
};
