/* crash: a signal whose cause is in the program itself ended it, and no earlier failure explains that.
 *
 * What the kernel knows of it is in siginfo (sigaction(2)); what lies at the address, in /proc/PID/maps while the
 * process still stands. */
#include "judge.h"

#include <signal.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/maps.h>

enum { NULL_PAGE = 65536 /* vm.mmap_min_addr: nothing is ever mapped below */ };

/* Signals that somebody sends to end a program are no crash of it. */
static bool of_its_own_making(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGABRT ||
           signal == SIGTRAP || signal == SIGSYS;
}

static const char *code_words(int signal, int code)
{
    static const struct {
        int signal, code;
        const char *words;
    } table[] = {
        {SIGSEGV, SEGV_MAPERR, "nothing is mapped at that address"},
        {SIGSEGV, SEGV_ACCERR, "the memory there may not be used that way"},
        {SIGBUS, BUS_ADRALN, "the address is not aligned"},
        {SIGBUS, BUS_ADRERR, "the file that is mapped there has become too short"},
        {SIGBUS, BUS_OBJERR, "a hardware error"},
        {SIGFPE, FPE_INTDIV, "an integer was divided by zero"},
        {SIGFPE, FPE_INTOVF, "an integer overflowed"},
        {SIGILL, ILL_ILLOPN, "an instruction that this processor does not have"},
        {SIGILL, ILL_ILLOPC, "an instruction that this processor does not have"},
        {SIGTRAP, TRAP_BRKPT, "a breakpoint instruction"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].signal == signal && table[i].code == code)
            return table[i].words;
    return NULL;
}

static void tell_address(const struct process *process, struct cause *cause)
{
    const char *words = code_words(process->signal, process->signal_code);
    unsigned long long addr = process->signal_addr;

    if (process->signal_code <= 0) { /* SI_USER, SI_TKILL: sent, not raised by an instruction */
        if (process->signal_sender == process->pid || process->signal == SIGABRT)
            cause_fact(cause, "the signal", "sent by the program to itself");
        else if (process->signal_sender)
            cause_fact(cause, "the signal", "sent by process %d", process->signal_sender);
        return;
    }
    if (process->signal == SIGSEGV && addr < NULL_PAGE)
        cause_fact(cause, "the address", "%#llx: a null pointer%s", addr, addr ? " and an offset" : "");
    else if (words)
        cause_fact(cause, "the address", "%#llx: %s", addr, words);
    else
        cause_fact(cause, "the address", "%#llx", addr);
}

static void tell_place(const struct process *process, struct cause *cause)
{
    struct mapping mapping;

    if (!process->signal_ip || maps_find(process->pid, process->signal_ip, &mapping) < 0)
        return;
    cause->stack = xcalloc(1, sizeof *cause->stack);
    cause->stack_count = 1;
    cause->stack[0].ip_addr = process->signal_ip;
    cause->stack[0].offset = process->signal_ip - mapping.start + mapping.offset;
    cause->stack[0].object = mapping.name[0] ? mapping.name : xstrdup("[anon]");
    if (!mapping.name[0])
        free(mapping.name);
}

void cause_crash_tell(const struct finding *finding, struct cause *cause)
{
    const struct process *process = finding->process;
    const char *words = process->signal_code > 0 ? code_words(process->signal, process->signal_code) : NULL;

    cause->summary = xasprintf("%s crashed: %s%s%s.", path_base(finding->subject), finding->missing, words ? ", " : "",
                               words ? words : "");
    tell_address(process, cause);
    cause->detail = xasprintf("%s was ended by %s (si_code %d, address %#llx, instruction at %#llx). No earlier "
                              "failure that we saw explains it.",
                              finding->subject, finding->missing, process->signal_code,
                              (unsigned long long)process->signal_addr, (unsigned long long)process->signal_ip);
    cause_remedy(cause, PROOF_KNOWN, "report it to the makers of %s, with this report", path_base(finding->subject));
}

void judge_crash(struct process *process, bool live)
{
    const char *name = signal_name(process->signal);
    struct finding finding = {.kind = CAUSE_CRASH, .process = process, .subject = process->exe, .missing = name};
    struct suspect *suspect;

    if (!of_its_own_making(process->signal) || !name || !process->exe || process_owner(process) != process)
        return;
    suspect = suspect_add(process, AT_CRASH, &finding, process->signal_n ? process->signal_n : process->end_n,
                          process->end_ns);
    if (!suspect)
        return;
    suspect->cause->impact = IMPACT_FATAL;
    suspect->cause->confidence = 0.9;
    if (process->line_count)
        suspect->cause->words = xstrdup(process->lines[process->line_count - 1].text);
    if (live)
        tell_place(process, suspect->cause);
}
