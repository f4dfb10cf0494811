/* Ends by a signal: a shell's word for it, the kernel's log, debuggers, service managers, the last words of runtimes.
 */
#include "pasted.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

static const struct {
    const char *piece, *signal;
    bool begins; /* of the line, or behind its first colon */
} words[] = {
    {"Segmentation fault", "SIGSEGV", false},
    {"segmentation fault", "SIGSEGV", false},
    {"signal SIGSEGV", "SIGSEGV", false},
    {"signal SIGABRT", "SIGABRT", false},
    {"signal SIGBUS", "SIGBUS", false},
    {"signal SIGILL", "SIGILL", false},
    {"signal SIGFPE", "SIGFPE", false},
    {"signal SIGTRAP", "SIGTRAP", false},
    {"signal=SEGV", "SIGSEGV", false}, /* systemd's "code=killed, " and "code=dumped, " */
    {"signal=ABRT", "SIGABRT", false},
    {"signal=ILL", "SIGILL", false},
    {"signal=BUS", "SIGBUS", false},
    {"signal=FPE", "SIGFPE", false},
    {"signal=TRAP", "SIGTRAP", false},
    {"killed by SIGSEGV", "SIGSEGV", false}, /* abrt's */
    {"killed by SIGABRT", "SIGABRT", false},
    {"SIGSEGV (0xb) at pc=", "SIGSEGV", false}, /* Java's */
    {"SIGBUS (0x7) at pc=", "SIGBUS", false},
    {"status=5/TRAP", "SIGTRAP", false},
    {"status=8/FPE", "SIGFPE", false},
    {"status=11/SEGV", "SIGSEGV", false},
    {"status=6/ABRT", "SIGABRT", false},
    {"status=4/ILL", "SIGILL", false},
    {"status=7/BUS", "SIGBUS", false},
    {"Memory fault", "SIGSEGV", false}, /* ksh's word */
    {"default action of signal 11 ", "SIGSEGV", false},
    {"default action of signal 7 ", "SIGBUS", false},
    {"default action of signal 4 ", "SIGILL", false},
    {"default action of signal 6 ", "SIGABRT", false},
    {"AddressSanitizer: SEGV on ", "SIGSEGV", false},
    {"AddressSanitizer: BUS on ", "SIGBUS", false},
    {"AddressSanitizer: FPE on ", "SIGFPE", false},
    {"AddressSanitizer: ILL on ", "SIGILL", false},
    {"#  SIGBUS (", "SIGBUS", false},
    {"#  SIGILL (", "SIGILL", false},
    {"Signal: 11 (SEGV)", "SIGSEGV", false},
    {"Signal: 6 (ABRT)", "SIGABRT", false},
    {"Bus error", "SIGBUS", false},
    {"Illegal instruction", "SIGILL", false},
    {"illegal hardware instruction", "SIGILL", false},
    {"Floating point exception", "SIGFPE", false},
    {"Trace/breakpoint trap", "SIGTRAP", false},
    {"trap invalid opcode", "SIGILL", false},
    {"Aborted (core dumped)", "SIGABRT", false},
    {"exited with code 139", "SIGSEGV", false},
    {"exit code 139", "SIGSEGV", false},
    {"exit status 139", "SIGSEGV", false},
    {"exited with code 134", "SIGABRT", false},
    {"terminate called ", "SIGABRT", true},
    {"double free or corruption", "SIGABRT", true},
    {"free(): invalid ", "SIGABRT", true},
    {"malloc(): ", "SIGABRT", true},
    {"*** stack smashing detected ***", "SIGABRT", true},
    {"*** buffer overflow detected ***", "SIGABRT", true},
    {"' failed.", "SIGABRT", false},    /* assert(3) */
    {"FATAL ERROR: ", "SIGABRT", true}, /* node */
    {"Aborted", "SIGABRT", true},       /* and nothing behind it: "Aborted!" is Python's word for ^C */
    {"Aborted   ", "SIGABRT", false},
};

static bool says(const struct process *process, const char *piece)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (strstr(process->lines[i].text, piece))
            return true;
    return false;
}

/* "bash: line 1: 123 Segmentation fault      ./crash", "[1]    123 segmentation fault (core dumped)  ./crash"; fish's
 * "Job 1, './crash …' terminated by signal", gdb's "Thread 1 "crash" received signal"; systemd's "1 ExecStart=/x (…".
 */
static char *command_of(const char *line, const char *at)
{
    static const char *const before[] = {"Job ", "Thread ", "ExecStart="};
    const char *gap = strstr(at, "  ");

    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const char *from = strstr(line, before[i]), *quote;

        if (!from || from > at)
            continue;
        from += strlen(before[i]);
        quote = from[-1] == '=' ? from : strpbrk(from, "'\"");
        if (quote && quote < at)
            return pasted_word(quote + (from[-1] != '='), strcspn(quote + 1, " '\"") + (from[-1] == '='));
    }
    gap = gap ? gap + strspn(gap, " ") : NULL;
    if (gap && strncmp(gap, "(core dumped) ", 14) == 0)
        gap += 14 + strspn(gap + 14, " ");
    return gap && *gap && *gap != '(' ? pasted_word(gap, strcspn(gap, " ")) : NULL;
}

/* "crash[123]: segfault at 0 ip … in libx.so.1[7f…+1000]": the program; the object whose code it was to *IN, or NULL.
 */
static char *by_kernel(const char *line, char **in)
{
    const char *pid = strstr(line, "]: segfault at "), *behind = strstr(line, " in "), *name;

    *in = behind ? pasted_word(behind + 4, strcspn(behind + 4, "[ ,")) : NULL;
    while (pid > line && pid[-1] != '[')
        pid--;
    name = pid = pid > line ? pid - 1 : line;
    while (name > line && !isspace((unsigned char)name[-1]))
        name--;
    return pasted_word(name, (size_t)(pid - name));
}

/* "Process 123 (x) of user 0 dumped core", as systemd-coredump(8) says it; malloced, or NULL. */
static char *dumped(const char *line)
{
    const char *at = strstr(line, "Process "), *open = at ? strchr(at, '(') : NULL;

    return open && strstr(open, ") of user ") ? pasted_word(open + 1, strcspn(open + 1, ")")) : NULL;
}

/* "Executable: /usr/bin/x" of coredumpctl(1), gdb's "Core was generated by `./x'", its "Starting program: /x". */
static char *named_elsewhere(const struct process *process)
{
    static const char *const before[] = {"Executable: ", "Core was generated by `",
                                         "Starting program: ", "cmdline:", "ExecStart="};

    for (size_t i = 0; i < process->line_count; i++)
        for (size_t k = 0; k < sizeof before / sizeof *before; k++) {
            const char *at = strstr(process->lines[i].text, before[k]);

            if (!at)
                continue;
            at += strlen(before[k]);
            at += strspn(at, " ");
            return pasted_word(at, strcspn(at, " '"));
        }
    for (size_t i = 0; i < process->line_count; i++) {
        char *name = dumped(process->lines[i].text);

        if (name)
            return name;
    }
    return NULL;
}

/* A sentence about it, and no shell's word for it: "Segmentation fault handling was …". */
static bool is_prose(const char *line, const char *at, const char *piece)
{
    const char *behind = at + strlen(piece);

    return piece[strlen(piece) - 1] != ' ' && behind[0] == ' ' && islower((unsigned char)behind[1]) &&
           strncmp(behind, " at ", 4) != 0 && strncmp(behind, " in ", 4) != 0 && (at == line || at[-1] == ' ');
}

static void crashed(struct pasted *pasted, char *subject, const char *signal, double sure)
{
    if (!subject)
        subject = named_elsewhere(pasted->process);
    if (!subject)
        subject = xstrdup(pasted->process->exe);
    pasted_found(pasted, CAUSE_CRASH, subject, xstrdup(signal), sure);
}

/* A panic of Go's ends with status 2, unless it was a signal; "panic: x" alone may be anybody's word. */
static bool by_go(struct pasted *pasted, const char *line)
{
    if (strncmp(line, "panic: ", 7) != 0 && strncmp(line, "fatal error: ", 13) != 0)
        return false;
    if (says(pasted->process, "goroutine ") && says(pasted->process, "[signal SIGSEGV"))
        crashed(pasted, NULL, "SIGSEGV", 0.85);
    return true;
}

char *pasted_crash_program(const struct process *process)
{
    char *name = named_elsewhere(process);

    for (size_t i = 0; i < process->line_count && !name; i++)
        for (size_t k = 0; k < sizeof words / sizeof *words && !name; k++) {
            const char *line = process->lines[i].text, *at = words[k].begins ? NULL : strstr(line, words[k].piece);

            name = at ? command_of(line, at) : NULL;
        }
    return name ? name : xstrdup(process->exe);
}

bool pasted_crash(struct pasted *pasted, const char *line)
{
    if (by_go(pasted, line) || (strstr(line, "Abort") && says(pasted->process, "FATAL: kernel too old"))) /* by glibc */
        return true;
    if (strstr(line, "]: segfault at ")) {
        crashed(pasted, by_kernel(line, &pasted->provider), "SIGSEGV", 0.88);
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *at = strstr(line, words[i].piece), *colon = strstr(line, ": ");

        if (!at || (words[i].begins && at != line && !(colon && at == colon + 2)))
            continue;
        if ((strcmp(words[i].piece, "' failed.") == 0 && !strstr(line, "Assertion `")) ||
            is_prose(line, at, words[i].piece))
            continue;
        if (strcmp(words[i].piece, "Aborted") == 0 && at[7] && !strchr(" .\t", at[7]))
            continue;
        crashed(pasted, words[i].begins || *at == '\'' ? pasted_speaker(pasted, line) : command_of(line, at),
                words[i].signal, strcmp(words[i].signal, "SIGILL") == 0 ? 0.55 : 0.85);
        return true;
    }
    return false;
}
