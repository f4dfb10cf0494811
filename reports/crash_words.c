/* What a crash was, in one clause, and where. */
#include "crash_words.h"

#include "judge.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

#include <probes/alloc.h>

/* si_code of sigaction(2) in words, where there is more to say than its name does. */
const char *crash_code_words(int signal, int code)
{
    static const struct {
        int signal, code;
        const char *words;
    } table[] = {
        {SIGSEGV, SEGV_MAPERR, "nothing is mapped at that address"},
        {SIGSEGV, SEGV_ACCERR, "the memory there may not be used that way"},
        {SIGSEGV, SI_KERNEL, "a general protection fault: the kernel is not told an address"},
        {SIGSEGV, SEGV_PKUERR, "a protection key forbids it"},
        {SIGBUS, BUS_ADRALN, "the address is not aligned"},
        {SIGBUS, BUS_ADRERR, "the file that is mapped there ends before that page"},
        {SIGBUS, BUS_OBJERR, "a hardware error"},
        {SIGFPE, FPE_INTDIV, "an integer was divided by zero, or the quotient does not fit"},
        {SIGFPE, FPE_INTOVF, "an integer overflowed"},
        {SIGILL, ILL_ILLOPN, "not an instruction of this processor"},
        {SIGILL, ILL_ILLOPC, "not an instruction of this processor"},
        {SIGTRAP, TRAP_BRKPT, "a breakpoint instruction"},
        {SIGTRAP, SI_KERNEL, "a breakpoint instruction"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].signal == signal && table[i].code == code)
            return table[i].words;
    return NULL;
}

/* ---- where ---- */

void crash_add_frame(struct text *text, const struct frame *frame)
{
    if (frame->symbol)
        text_add(text, frame->symbol);
    else
        text_addf(text, "%s%s0x%llx", frame->object ? path_base(frame->object) : "", frame->object ? "+" : "",
                  (unsigned long long)(frame->object ? frame->offset : frame->ip_addr));
    if (frame->file && frame->line)
        text_addf(text, " (%s:%u)", path_base(frame->file), frame->line);
}

/* Libraries that a program goes through on its way to abort(). */
static bool of_runtime(const struct frame *frame)
{
    static const char *const names[] = {"libc.so.", "libc-2.", "libpthread", "libstdc++.", "libc++", "libgcc_s."};
    const char *name = frame->object ? path_base(frame->object) : "";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Of a signal that the program sent itself: who in the program led to that. */
static char *place_of_sender(const struct crash_thread *thread)
{
    struct text text = {0};
    size_t i = 0;

    while (i < thread->stack_count && (of_runtime(&thread->stack[i]) || !thread->stack[i].symbol))
        i++;
    if (i < thread->stack_count)
        crash_add_frame(&text, &thread->stack[i]);
    return text.v;
}

/* "parse_line (main.c:12)", "libc.so.6+0x9d2f1, called from main (main.c:3)"; NULL where nothing is known. */
char *crash_place(const struct crash *crash)
{
    const struct crash_thread *first = crash && crash->thread_count ? &crash->threads[0] : NULL;
    struct text text = {0};
    size_t from;

    if (!first || !first->stack_count)
        return NULL;
    if (crash->code <= 0)
        return place_of_sender(first);
    from = crash->use == USE_EXECUTE && first->stack_count > 1; /* the caller of what is no code */
    crash_add_frame(&text, &first->stack[from]);
    if (first->stack[from].symbol && !of_runtime(&first->stack[from]))
        return text.v;
    for (size_t i = from + 1; i < first->stack_count; i++)
        if (first->stack[i].symbol && !of_runtime(&first->stack[i])) {
            text_add(&text, ", called from ");
            crash_add_frame(&text, &first->stack[i]);
            break;
        }
    return text.v;
}

/* ---- what: for an address ---- */

static const char *verb_of(enum crash_use use)
{
    return use == USE_WRITE ? "wrote" : use == USE_READ ? "read" : "reached";
}

static char *what_stack(const struct crash *crash)
{
    if (crash->stack_of == crash->pid)
        return xstrdup("the stack of its main thread is used up (endless recursion, or a very large local variable)");
    return xasprintf("the stack of its thread %d%s%s%s is used up (endless recursion, or a very large local variable)",
                     (int)crash->stack_of, crash->thread_name ? " (" : "", crash->thread_name ? crash->thread_name : "",
                     crash->thread_name ? ")" : "");
}

static char *what_executed(const struct process *process, const struct crash *crash)
{
    const char *gone = crash->what == ADDRESS_UNMAPPED || crash->what == ADDRESS_PAST ? crash->gone : NULL;

    (void)process;
    if (crash->what == ADDRESS_NULL && !crash->distance)
        return xstrdup("it called a null pointer");
    if (gone)
        return xasprintf("it jumped to where nothing is mapped any more: %s, which had been unloaded (dlclose)", gone);
    if (crash->what == ADDRESS_UNMAPPED || crash->what == ADDRESS_PAST || crash->what == ADDRESS_NULL)
        return xasprintf("it jumped to 0x%llx, where nothing is mapped", (unsigned long long)crash->addr);
    return xasprintf("it jumped into memory that is not executable: %s", crash->address);
}

static char *what_file(const struct crash *crash)
{
    if (crash->signal != SIGBUS || !crash->file)
        return NULL;
    if (crash->file_size < 0)
        return xasprintf("it %s in the mapped file %s beyond the file's end", verb_of(crash->use), crash->file);
    return xasprintf(
        "it %s at byte %llu of the mapped file %s, which is only %lld bytes long (it was shortened after it "
        "was mapped, or never was longer)",
        verb_of(crash->use), (unsigned long long)crash->file_offset, crash->file, (long long)crash->file_size);
}

enum { NULL_END = 65536 }; /* nothing is ever mapped below: vm.mmap_min_addr's usual value */

/* What the signal alone says of the address, where no mappings are known: of a log. */
static char *what_code(const struct crash *crash)
{
    unsigned long long addr = crash->addr;

    if (crash->address)
        return xasprintf("the address was 0x%llx: %s", addr, crash->address);
    if (crash->signal == SIGSEGV && crash->code == SEGV_MAPERR && addr < NULL_END)
        return xstrdup("it used a null pointer");
    if (crash->signal == SIGSEGV && crash->code == SEGV_MAPERR)
        return xasprintf("it went through 0x%llx, where nothing is mapped", addr);
    if (crash->signal == SIGSEGV && crash->code == SEGV_ACCERR)
        return xasprintf("the memory at 0x%llx does not allow what it did there", addr);
    return xasprintf("the address was 0x%llx", addr);
}

static char *what_address(const struct process *process, const struct crash *crash)
{
    const char *verb = verb_of(crash->use);
    char *file = what_file(crash);

    if (file)
        return file;
    if (crash->what == ADDRESS_BELOW_STACK)
        return what_stack(crash);
    if (crash->use == USE_EXECUTE)
        return what_executed(process, crash);
    if (crash->trap == TRAP_UNALIGNED)
        return xasprintf("its instruction %s wants an aligned address, and 0x%llx is none", crash_instruction(crash),
                         (unsigned long long)crash->addr);
    switch (crash->what) {
    case ADDRESS_UNKNOWN:
        return what_code(crash);
    case ADDRESS_NULL:
        return crash->use ? xasprintf("it %s through a null pointer", verb) : xstrdup("it used a null pointer");
    case ADDRESS_NON_CANONICAL:
    case ADDRESS_KERNEL:
        return xasprintf("it %s through 0x%llx, which is no address of a program", verb,
                         (unsigned long long)crash->addr);
    case ADDRESS_PAST:
        return xasprintf("it %s at %llu bytes past the end of %s", verb, (unsigned long long)crash->distance,
                         crash->file ? crash->file : "its memory");
    case ADDRESS_READ_ONLY:
    case ADDRESS_CODE:
        if (crash->use != USE_READ)
            return xasprintf("it wrote to memory that is read-only: %s", crash->address);
        break;
    case ADDRESS_UNMAPPED:
        if (crash->gone)
            return xasprintf("it %s in memory of %s, which had been unloaded (dlclose)", verb, crash->gone);
        return xasprintf("it %s through 0x%llx, where nothing is mapped", verb, (unsigned long long)crash->addr);
    default:
        break;
    }
    return xasprintf("it %s at 0x%llx: %s", verb, (unsigned long long)crash->addr, crash->address);
}

/* ---- what: for the rest ---- */

static char *what_instruction(const struct crash *crash)
{
    const char *instruction = crash_instruction(crash);

    switch (crash->trap) {
    case TRAP_UD:
        return xasprintf("it ran into %s, which compilers put where a program must not come (__builtin_trap, "
                         "unreachable code)",
                         instruction ? instruction : "ud2");
    case TRAP_BREAKPOINT:
        return xstrdup("it ran into a breakpoint instruction (int3), which programs use to stop themselves");
    case TRAP_ABSENT:
        return xasprintf("its instruction %s needs %s, which this processor does not have", instruction,
                         crash->feature);
    case TRAP_PRIVILEGED:
        return xasprintf("its instruction %s is the kernel's alone", instruction ? instruction : "");
    case TRAP_NO_INSTRUCTION:
        return xstrdup("it went on where there is no instruction that this processor knows");
    default:
        return NULL;
    }
}

static char *first_line(const char *message)
{
    size_t n = strcspn(message, "\r\n");

    while (n && isspace((unsigned char)message[n - 1]))
        n--;
    return xstrndup(message, n);
}

/* After "terminate called after throwing an instance of 'std::runtime_error'" comes "  what():  why". */
static char *what_exception(const struct process *process)
{
    const char *first = process->words.v[0], *what = process_last_words(process, "  what():  ");
    const char *open = strchr(first, '\''), *close = open ? strrchr(first, '\'') : NULL;

    if (!open || close <= open)
        return xstrdup("a C++ program ended itself (std::terminate)");
    return xasprintf("a C++ exception of type %.*s was not caught%s%s", (int)(close - open - 1), open + 1,
                     what ? ": " : "", what ? what + strlen("  what():  ") : "");
}

/* node prints both stacks and no reason: process.abort(). */
static char *what_node_abort(const struct process *process)
{
    const char *line = process_last_words(process, "----- JavaScript stack trace");
    const char *at = line ? process_last_words(process, "1: ") : NULL;

    return xasprintf("it ended itself (abort)%s%s", at ? ", in JavaScript at " : "", at ? at + 3 : "");
}

static char *what_words(const struct process *process)
{
    const char *first = process->words.n ? process->words.v[0] : "";

    switch (process->words_kind) {
    case WORDS_GO:
        if (strncmp(first, "panic: ", 7) == 0)
            return xasprintf("it panicked: %s", first + 7);
        first = process_last_words(process, "fatal error: ");
        return xasprintf("Go's runtime ended it: %s", first ? first + strlen("fatal error: ") : process->words.v[0]);
    case WORDS_NODE:
        if (strstr(first, "heap out of memory"))
            return xasprintf("V8 ended it because JavaScript's heap was full (%s)", first);
        if (strncmp(first, "-----", 5) == 0)
            return what_node_abort(process);
        return xasprintf("node ended itself: %s", first);
    case WORDS_CXX:
        return what_exception(process);
    case WORDS_RUST:
        return xasprintf("it panicked: %s", process->words.n > 1 ? process->words.v[1] : first);
    case WORDS_LIBC:
        return xasprintf("it ended itself: %s", first);
    default:
        return NULL;
    }
}

static char *what_sent(const struct process *process, const struct crash *crash, int signal)
{
    char *words = what_words(process);

    if (words)
        return words;
    if (crash && crash->message) {
        CLEANUP_FREE char *line = first_line(crash->message);

        return xasprintf("the C library ended it: %s", line);
    }
    if (signal == SIGABRT)
        return xstrdup("it ended itself (abort)");
    return xasprintf("it sent itself %s", signal_name(signal));
}

/* In one clause, for the middle of a sentence. */
char *crash_without_stop(char *what)
{
    size_t n = what ? strlen(what) : 0;

    while (n && strchr(".! \t", what[n - 1]))
        what[--n] = 0;
    return what;
}

static char *what_happened(const struct process *process, const struct crash *crash, int signal)
{
    char *what = NULL;

    if (process->words_kind == WORDS_GO && (!crash || crash->code <= 0 || crash->caught))
        what = what_words(process);
    if (what)
        return what;
    if (!crash)
        return what_words(process);
    if (crash->code <= 0)
        return what_sent(process, crash, signal);
    if (crash->trap == TRAP_PRIVILEGED && (process->words_kind || crash->message))
        return what_sent(process, crash, SIGABRT);
    what = what_instruction(crash);
    if (what)
        return what;
    if (crash->has_addr)
        return what_address(process, crash);
    if (signal == SIGFPE && crash->code == FPE_INTDIV)
        return xstrdup("it divided an integer by zero (or by -1, where the quotient does not fit)");
    return xstrdup_or_null(crash_code_words(signal, crash->code));
}

/* What the program did, in one clause. */
char *crash_what(const struct process *process, const struct crash *crash, int signal)
{
    return crash_without_stop(what_happened(process, crash, signal));
}
