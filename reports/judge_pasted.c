/* Words alone: of a process of which somebody has pasted what it said, and nothing else is known.
 *
 * What the loader said is dealt with like in a log (judge_logged.c). The rest are messages whose form says what failed:
 * a shell's, the kernel's through it, those of runtimes and of tools. A second command in the paste may be the proof
 * (pasted_proof.c). Nothing is believed that only sounds like a failure, and what words alone tell is believed a little
 * less than what was seen. */
#include "pasted.h"

#include "environment.h"
#include "foreign.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

enum { CAUSES_MOST = 8 };

/* A reader that returns true knows the line, whatever it makes of it. */
static const struct {
    bool (*read)(struct pasted *pasted, const char *line);
    bool warned; /* a line that only warns may be the last word of one that ends */
} readers[] = {
    {pasted_preload, true},     {pasted_module, true},  {pasted_runtime, true},    {pasted_display, true},
    {pasted_started, false},    {pasted_kernel, false}, {pasted_execution, false}, {pasted_limit, false},
    {pasted_connection, false}, {pasted_sandbox, true}, {pasted_policy, false},    {pasted_file, false},
    {pasted_crash, false},
};

/* ---- for the readers ---- */

void pasted_found(struct pasted *pasted, enum cause_kind kind, char *subject, char *missing, double sure)
{
    if (pasted->found || !subject || !missing) {
        free(subject);
        free(missing);
        return;
    }
    pasted->found = true;
    pasted->kind = kind;
    pasted->subject = subject;
    pasted->missing = missing;
    pasted->sure = sure;
}

/* ---- for judge_logged.c ---- */

/* Symbols that the parts of glibc have of each other (the version GLIBC_PRIVATE, which the message leaves out where the
 * reference has none): a libpthread.so.0 that wants __libc_pthread_init stands beside a libc of another release. */
bool pasted_among_glibc(const char *object, const char *symbol)
{
    static const char *const parts[] = {"libpthread.so.0", "librt.so.1",     "libdl.so.2", "libm.so.6",
                                        "libc.so.6",       "libresolv.so.2", "libnsl.so.1"};
    const char *name = object ? path_base(object) : "";

    if (strncmp(symbol, "__libc_", 7) != 0 && strncmp(symbol, "_dl_", 4) != 0 &&
        strncmp(symbol, "__pthread_", 10) != 0 && strncmp(symbol, "_rtld_", 6) != 0)
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(name, parts[i]) == 0)
            return true;
    return false;
}

/* Functions that compilers and headers of glibc put into programs, and musl has not: _FORTIFY_SOURCE's, those for large
 * files, its own. */
bool pasted_glibc_alone_has(const char *symbol)
{
    static const char *const names[] = {
        "gnu_get_libc_version",
        "__res_init",
        "__strdup",
        "__register_atfork",
        "backtrace",
        "__res_search",
        "canonicalize_file_name",
        "malloc_info",
        "mallinfo",
        "mallinfo2",
        "mallopt",
        "__res_nsearch",
        "backtrace_symbols",
        "malloc_trim",
        "getcontext",
        "makecontext",
        "swapcontext",
        "obstack_free",
        "backtrace_symbols_fd",
        "rawmemchr",
        "__rawmemchr",
        "__fdelt_warn",
        "__strtod_internal",
        "_obstack_newchunk",
        "__libc_single_threaded",
        "__res_ninit",
        "initstate_r",
        "gnu_dev_major",
        "fcntl64",
        "random_r",
        "mtrace",
    };
    size_t n = strlen(symbol);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(symbol, names[i]) == 0)
            return true;
    return strncmp(symbol, "__isoc23_", 9) == 0 ||
           (n > 6 && strncmp(symbol, "__", 2) == 0 && strcmp(symbol + n - 4, "_chk") == 0);
}

/* Of a text in which nothing but the loader's words tell of the file: its own text for the error. */
bool pasted_error(const struct process *process, const struct loader_error *said, const char *name,
                  struct finding *finding)
{
    int error = process->by_words && said ? said->error : 0;

    if (error == EACCES)
        finding->kind = CAUSE_PERMISSION_DENIED;
    else if (error == ELOOP)
        finding->kind = CAUSE_SYMLINK_LOOP;
    else if (error == ENOEXEC)
        finding->kind = CAUSE_OBJECT_CORRUPT;
    else
        return false;
    finding->missing = finding->provider = name;
    finding->error = error;
    return true;
}

/* ---- what was found ---- */

static char *sentence(const struct pasted *pasted)
{
    const char *subject = path_base(pasted->subject), *missing = pasted->missing;

    switch (pasted->kind) {
    case CAUSE_COMMAND_NOT_FOUND:
        return xasprintf("%s looked for the program %s, and it is in no directory of PATH.", subject, missing);
    case CAUSE_INTERPRETER_MISSING:
        return xasprintf("%s is there, but cannot be executed: the dynamic loader that it names, %s, is not.", subject,
                         missing);
    case CAUSE_SCRIPT_INTERPRETER_MISSING:
        if (missing[strlen(missing) - 1] == '\r')
            return xasprintf("%s cannot be executed: its first line ends with a carriage return (a Windows line end).",
                             subject);
        return xasprintf("%s cannot be executed: the program of its first line, %s, is not there.", subject, missing);
    case CAUSE_WRONG_ARCHITECTURE:
        return xasprintf("%s cannot be executed: it is not for this machine, %s.", subject, missing);
    case CAUSE_OBJECT_CORRUPT:
        return xasprintf("%s cannot be executed: it is no sound executable file.", path_base(missing));
    case CAUSE_PERMISSION_DENIED:
        return xasprintf("%s: its permissions do not allow that to this user.", missing);
    case CAUSE_SYMLINK_LOOP:
        return xasprintf("%s needs %s, where links lead in a circle.", subject, missing);
    case CAUSE_SYMLINK_DANGLING:
        return xasprintf("%s needs what a link points at that is not there: %s.", subject, missing);
    case CAUSE_FILE_MISSING:
        return xasprintf("%s needs %s, which is not there.", subject, missing);
    case CAUSE_CONNECTION_REFUSED:
        return xasprintf("%s could not reach a server at %s.", subject, missing);
    case CAUSE_SANDBOX_UNAVAILABLE:
        return xasprintf("The sandbox of %s cannot start; it lacks: %s.", subject, missing);
    case CAUSE_WATCH_LIMIT:
    case CAUSE_RESOURCE_LIMIT:
        return xasprintf("%s needs more than the limit %s allows.", subject, missing);
    case CAUSE_LIBRARY_MISSING:
        return xasprintf("%s needs %s, which was not found.", subject, missing);
    case CAUSE_NOEXEC_MOUNT:
        return xasprintf("%s stands on %s, which is mounted noexec.", subject, missing);
    case CAUSE_CPU_LEVEL_TOO_LOW:
        return xasprintf("%s needs a processor of level %s.", subject, missing);
    case CAUSE_SYMBOL_VERSION_MISSING:
        return xasprintf("%s needs %s, which this system's library does not define.", subject, missing);
    case CAUSE_ENVIRONMENT_WRONG:
        return xasprintf("A variable of %s's environment leads astray: %s.", subject, missing);
    case CAUSE_CRASH:
        return xasprintf("%s was ended by %s.", subject, missing);
    case CAUSE_MODULE_ABI_MISMATCH:
        return xasprintf("%s was built for another runtime than this one, which wants %s.", subject, missing);
    case CAUSE_SYSCALL_BLOCKED:
        return xasprintf("%s needs the system call %s, which is refused to it.", subject, missing);
    default:
        return xasprintf("%s failed for want of %s.", subject, missing);
    }
}

static enum suspicion at_of(enum cause_kind kind)
{
    switch (kind) {
    case CAUSE_COMMAND_NOT_FOUND:
        return AT_COMMAND;
    case CAUSE_INTERPRETER_MISSING:
    case CAUSE_SCRIPT_INTERPRETER_MISSING:
    case CAUSE_WRONG_ARCHITECTURE:
    case CAUSE_OBJECT_CORRUPT:
        return AT_EXECUTION;
    case CAUSE_CRASH:
        return AT_CRASH;
    case CAUSE_ENVIRONMENT_WRONG:
        return AT_VARIABLE;
    case CAUSE_FILE_MISSING:
    case CAUSE_PERMISSION_DENIED:
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_SYMLINK_DANGLING:
        return AT_OPEN;
    default:
        return AT_CALL;
    }
}

static bool is_same(const struct cause *cause, const struct pasted *pasted)
{
    return strcmp(path_base(cause->missing), path_base(pasted->missing)) == 0 ||
           (cause->kind == pasted->kind && pasted->kind == CAUSE_CRASH);
}

/* Another line tells of the same; one that is less sure is made surer, or goes: it may know no more than the kind. */
static bool told_before(struct process *process, const struct pasted *pasted)
{
    bool told = false;

    for (size_t i = 0; i < process->suspect_count; i++) {
        struct cause *cause = process->suspects[i].cause;
        bool same = is_same(cause, pasted), unsure = cause->confidence < CONFIDENCE_TO_BET;

        if (!cause->confidence || (!same && cause->kind != pasted->kind))
            continue;
        if (same && cause->kind == pasted->kind && unsure && cause->confidence < pasted->sure)
            cause->confidence = pasted->sure;
        else if (unsure && cause->confidence < pasted->sure)
            cause->confidence = 0;
        told |= (same || pasted->sure < CONFIDENCE_TO_BET) && cause->confidence > 0;
    }
    return told;
}

static void accuse(struct process *process, const struct pasted *pasted, const struct output_line *line)
{
    CLEANUP_FREE char *said = sentence(pasted);
    struct finding finding = {.kind = pasted->kind,
                              .process = process,
                              .subject = pasted->subject,
                              .missing = pasted->missing,
                              .provider = pasted->provider,
                              .said = said};
    struct suspect *suspect = suspect_add(process, at_of(pasted->kind), &finding, line->n, process->end_ns);

    if (!suspect)
        return;
    suspect->cause->words = xstrdup(line->text);
    suspect->cause->confidence = pasted->sure;
    suspect->cause->impact = pasted->degraded ? IMPACT_DEGRADED : IMPACT_FATAL;
    suspect->said_n = line->n;
}

static bool holds_one(const char *line, const char *const pieces[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(line, pieces[i]))
            return true;
    return false;
}

/* What somebody writes about what was run: "I have others that run successfully". */
static bool is_told(const char *line)
{
    static const char *const words[] = {"I ", "I'", " my ", " me ", " we ", "We "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strstr(line, words[i]);

        if (at && (at == line || words[i][0] == ' ' || at[-1] == ' '))
            return true;
    }
    return false;
}

/* Whatever LINE complains of, a later one says that it went well. */
static bool ended_well(const struct process *process, const struct output_line *line)
{
    static const char *const words[] = {"successful", "succeeded", "completed", "finished", "all tests passed"};
    static const char *const not_well[] = {"not ", "exit code", "error", "exited", "fail"};

    for (const struct output_line *later = line + 1; later < process->lines + process->line_count; later++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strcasestr(later->text, words[i]) && !words_complain(later->text, 0) && !is_told(later->text) &&
                !holds_one(later->text, not_well, sizeof not_well / sizeof *not_well))
                return true;
    return false;
}

/* What Chromium and desktop programs always complain of in a container, and do without. */
static bool is_noise(const char *line)
{
    static const char *const words[] = {"dbus/bus.cc",
                                        "bus.cc(",
                                        "object_proxy.cc",
                                        "/dbus/",
                                        "libva error",
                                        "vaapi",
                                        "Failed to load module \"canberra",
                                        "mcs_client",
                                        "reverting to",
                                        "registration_request"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(line, words[i]) && !strstr(line, "FATAL"))
            return true;
    return strstr(line, " level=info ") || strstr(line, " level=debug ") || strncmp(line, "INFO[", 5) == 0 ||
           strncmp(line, "DEBU[", 5) == 0; /* Go's loggers */
}

/* "code: 'ENOSPC'": a property of the error that node printed with its message some lines before. */
static bool is_repeated(const struct process *process, const struct output_line *line, const char *text)
{
    enum { LINES_BACK = 24 };
    static const char start[] = "code: '";
    const char *name = text + sizeof start - 1;

    if (strncmp(text, start, sizeof start - 1) != 0)
        return false;
    CLEANUP_FREE char *code = xstrndup(name, strcspn(name, "'"));

    for (const struct output_line *other = line; *code && other > process->lines && line - other < LINES_BACK;)
        if (strstr((--other)->text, code))
            return true;
    return false;
}

static void read_line(struct process *process, const struct output_line *line)
{
    CLEANUP_FREE char *english = foreign_in_english(line->text);
    CLEANUP_FREE char *text = pasted_bare(english ? english : line->text);
    struct pasted pasted = {.process = process, .line = line, .text = text};
    bool shrugs = words_shrug(line->text) && !strstr(line->text, "default action of signal "), done = false;

    if (is_noise(line->text) || is_repeated(process, line, pasted.text))
        return;
    for (size_t i = 0; i < sizeof readers / sizeof *readers && !done && !pasted.found; i++)
        if (readers[i].warned || !shrugs)
            done = readers[i].read(&pasted, text);
    if (pasted.found && !told_before(process, &pasted) && (pasted.kind == CAUSE_CRASH || !ended_well(process, line)))
        accuse(process, &pasted, line);
    free(pasted.subject);
    free(pasted.missing);
    free(pasted.provider);
}

/* Of words: a library that is "not found" may as well be a link that leads nowhere, or in a closed directory. */
static double most_of(const struct cause *cause)
{
    switch (cause->kind) {
    case CAUSE_LIBRARY_OFF_PATH: /* of what program, on which system: perhaps another file has that name */
        return cause->subject[0] == '/' ? 0.93 : 0.8;
    case CAUSE_LIBRARY_MISSING:
        return 0.82;
    case CAUSE_LIBRARY_SHADOWED: /* that another copy has it is supposed */
        return 0.75;
    case CAUSE_NOEXEC_MOUNT: /* which mount it is stands there seldom */
        return 0.6;
    case CAUSE_OBJECT_CORRUPT:
    case CAUSE_SYMBOL_MISSING:
        return 0.85;
    case CAUSE_SYMBOL_VERSION_MISSING: /* or it is of a wrong copy */
        return 0.92;
    default:
        return 0.93;
    }
}

/* Who ends himself says why before: what he says, and not that he ended. */
static void forgive_aborts(struct process *process)
{
    bool other = false;

    for (size_t i = 0; i < process->suspect_count; i++)
        other |= process->suspects[i].cause->kind != CAUSE_CRASH &&
                 process->suspects[i].cause->confidence >= CONFIDENCE_TO_BET;
    for (size_t i = 0; other && i < process->suspect_count; i++) {
        struct cause *cause = process->suspects[i].cause;

        if (cause->kind == CAUSE_CRASH &&
            (strcmp(cause->missing, "SIGABRT") == 0 || strcmp(cause->missing, "SIGTRAP") == 0))
            cause->confidence = 0;
    }
}

static bool is_known(const struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        if (process->suspects[i].cause->confidence >= CONFIDENCE_TO_BET)
            return true;
    return false;
}

void judge_pasted(struct process *process)
{
    size_t before;
    bool any = false;

    for (size_t i = 0; i < process->suspect_count; i++) {
        struct cause *cause = process->suspects[i].cause;

        if (cause->confidence > most_of(cause))
            cause->confidence = most_of(cause);
        if (cause->kind == CAUSE_SYMBOL_MISSING && !process->suspects[i].certain && cause->confidence > 0.45)
            cause->confidence =
                0.45; /* LD_DEBUG's last line: a dlsym(3) that found nothing is told in the same words */
    }
    if (is_known(process))
        return;
    before = process->suspect_count;
    for (size_t i = process->line_count; i-- > 0 && process->suspect_count < before + CAUSES_MOST;)
        read_line(process, &process->lines[i]);
    forgive_aborts(process);
    for (size_t i = 0; i < process->suspect_count; i++)
        any |= process->suspects[i].cause->confidence > 0;
    if (!any) /* that it failed was supposed only, so that its words were looked at */
        process->status = 0;
}
