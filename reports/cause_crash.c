/* crash: a signal that the program brought upon itself, in words; also cpu-level-too-low where an instruction told it.
 */
#include "judge.h"

#include "crash.h"
#include "line_signal.h"
#include "text.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/cpu.h>

/* si_code of sigaction(2) in words, where there is more to say than its name does. */
static const char *code_words(int signal, int code)
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

static void add_frame(struct text *text, const struct frame *frame)
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
        add_frame(&text, &thread->stack[i]);
    return text.v;
}

/* "parse_line (main.c:12)", "libc.so.6+0x9d2f1, called from main (main.c:3)"; NULL where nothing is known. */
static char *place_of(const struct crash *crash)
{
    const struct crash_thread *first = crash && crash->thread_count ? &crash->threads[0] : NULL;
    struct text text = {0};
    size_t from;

    if (!first || !first->stack_count)
        return NULL;
    if (crash->code <= 0)
        return place_of_sender(first);
    from = crash->use == USE_EXECUTE && first->stack_count > 1; /* the caller of what is no code */
    add_frame(&text, &first->stack[from]);
    if (first->stack[from].symbol && !of_runtime(&first->stack[from]))
        return text.v;
    for (size_t i = from + 1; i < first->stack_count; i++)
        if (first->stack[i].symbol && !of_runtime(&first->stack[i])) {
            text_add(&text, ", called from ");
            add_frame(&text, &first->stack[i]);
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
static char *without_stop(char *what)
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
    return xstrdup_or_null(code_words(signal, crash->code));
}

/* What the program did, in one clause. */
static char *what_of(const struct process *process, const struct crash *crash, int signal)
{
    return without_stop(what_happened(process, crash, signal));
}

/* ---- facts ---- */

/* si_code(sigaction(2)): what the kernel says of the fault, or who sent the signal. */
static void tell_signal(const struct crash *crash, int signal, struct cause *cause)
{
    const char *code = line_signal_code(signal, crash->code), *words = code_words(signal, crash->code);

    if (crash->code > 0 && code)
        cause_fact(cause, "si_code", "%s%s%s", code, words ? ": " : "", words ? words : "");
    else if (crash->code > 0)
        cause_fact(cause, "si_code", "%d", crash->code);
    else if (crash_was_sent(crash))
        cause_fact(cause, "sent by", "process %d%s%s%s", crash->sender, crash->sender_name ? " (" : "",
                   crash->sender_name ? crash->sender_name : "", crash->sender_name ? ")" : "");
    else
        cause_fact(cause, "sent by", "the program itself (%s)", code ? code : "SI_USER");
    if (crash->caught)
        cause_fact(cause, "caught", "a handler of the program's got it, and the program ended %s that",
                   crash->in_handler ? "in" : "after");
}

static void tell_address(const struct crash *crash, struct cause *cause)
{
    static const char *const uses[] = {
        [USE_UNKNOWN] = "", [USE_READ] = ", read", [USE_WRITE] = ", written", [USE_EXECUTE] = ", executed"};

    if (!crash->has_addr)
        return;
    cause_fact(cause, "the address", "0x%llx%s%s: %s", (unsigned long long)crash->addr, uses[crash->use],
               crash->computed ? " (worked out from the instruction)" : "", crash->address);
}

static void tell_feature(const struct crash *crash, struct cause *cause)
{
    unsigned level = cpu_level_of(crash->feature ? crash->feature : "");

    if (!crash->feature)
        return;
    if (level)
        cause_fact(cause, "processor", "%s is part of x86-64-v%u; this processor is x86-64-v%u%s", crash->feature,
                   level, cpu_level(), cpu_has(crash->feature) ? " and has it" : "");
    else
        cause_fact(cause, "processor", "this one is x86-64-v%u, %s %s", cpu_level(),
                   cpu_has(crash->feature) ? "with" : "without", crash->feature);
}

static void section_registers(const struct crash *crash, struct cause *cause)
{
    struct section *section = cause_section(cause, "registers");
    struct text line = {0};

    for (size_t i = 0; i < crash->register_count; i++) {
        text_addf(&line, "%s%-6s 0x%016llx", line.n ? "   " : "", crash->registers[i].name,
                  (unsigned long long)crash->registers[i].value);
        if (i % 3 == 2 || i + 1 == crash->register_count)
            strings_add(&section->lines, steal_pointer(&line.v));
        if (!line.v)
            line = (struct text){0};
    }
    if (!crash->register_count)
        strings_addf(&section->lines, "instruction 0x%llx, stack 0x%llx (of a program for another processor mode)",
                     (unsigned long long)crash->ip_addr, (unsigned long long)crash->sp_addr);
}

/* Of a program for another processor mode, which is not disassembled. */
static void section_bytes(const struct crash *crash, struct section *section)
{
    struct text line = {0};

    text_addf(&line, "→ 0x%llx ", (unsigned long long)crash->ip_addr);
    for (size_t i = 0; i < crash->code_after && i < INSTRUCTION_LONGEST; i++)
        text_addf(&line, " %02x", crash->code_bytes[CRASH_CODE_BEFORE + i]);
    strings_add(&section->lines, line.v);
}

static void section_code(const struct crash *crash, struct cause *cause)
{
    struct section *section = cause_section(cause, "code");

    for (size_t i = 0; i < crash->line_count; i++)
        strings_addf(&section->lines, "%s 0x%llx  %s", crash->lines[i].here ? "→" : " ",
                     (unsigned long long)crash->lines[i].addr, crash->lines[i].text);
    if (!crash->line_count && crash->code_after)
        section_bytes(crash, section);
    else if (!crash->line_count)
        strings_addf(&section->lines, "nothing can be read at 0x%llx", (unsigned long long)crash->ip_addr);
}

static char *frame_line(const struct frame *frame)
{
    struct text line = {0};

    add_frame(&line, frame);
    if (frame->symbol && frame->object)
        text_addf(&line, "  in %s", path_base(frame->object));
    return line.v;
}

/* A recursion is one line. */
static void add_frames(struct strings *lines, const struct crash_thread *thread)
{
    for (size_t i = 0, run; i < thread->stack_count; i += run) {
        CLEANUP_FREE char *line = frame_line(&thread->stack[i]);

        for (run = 1; i + run < thread->stack_count; run++) {
            CLEANUP_FREE char *next = frame_line(&thread->stack[i + run]);

            if (strcmp(line, next) != 0)
                break;
        }
        if (run > 1)
            strings_addf(lines, "#%zu to #%zu  %s", i, i + run - 1, line);
        else
            strings_addf(lines, "#%zu  %s", i, line);
    }
    if (thread->stack_count == CRASH_FRAMES)
        strings_addf(lines, "… (no more than %d frames are read)", CRASH_FRAMES);
}

static void section_threads(const struct crash *crash, struct cause *cause)
{
    for (size_t i = 0; i < crash->thread_count; i++) {
        const struct crash_thread *thread = &crash->threads[i];
        struct section *section = cause_section(cause, "thread %d%s%s", (int)thread->tid, thread->name ? " " : "",
                                                thread->name ? thread->name : "");

        add_frames(&section->lines, thread);
        if (!thread->stack_count)
            strings_addf(&section->lines, "not read: %s",
                         thread->unread ? thread->unread : "no frame could be followed");
    }
    if (crash->threads_left)
        strings_addf(&cause_section(cause, "more threads")->lines, "%zu, not read", crash->threads_left);
}

static void tell_sections(const struct crash *crash, struct cause *cause)
{
    if (!crash)
        return;
    section_registers(crash, cause);
    section_code(crash, cause);
    section_threads(crash, cause);
}

/* The runtime's own text, in full. */
static void tell_words(const struct process *process, const struct crash *crash, struct cause *cause)
{
    struct text text = {0};

    if (process->words_kind != WORDS_NONE) {
        for (size_t i = 0; i < process->words.n; i++)
            text_addf(&text, "%s%s", i ? "\n" : "", process->words.v[i]);
        cause->words = text.v;
        cause_evidence(cause, process->words_n);
    } else if (crash && crash->message) {
        cause->words = first_line(crash->message);
    } else if (process->line_count) {
        cause->words = xstrdup(process->lines[process->line_count - 1].text);
    }
}

static void tell_larger_stack(const struct crash *crash, struct cause *cause)
{
    struct remedy *remedy;

    if (crash->stack_of != crash->pid) {
        cause_remedy(cause, PROOF_KNOWN,
                     "if the recursion has an end, the program must give that thread a larger stack "
                     "(pthread_attr_setstacksize(3))");
        return;
    }
    remedy = cause_remedy(cause, PROOF_KNOWN, "if the recursion has an end, give it a larger stack (in KB)");
    strings_add(&remedy->commands, xstrdup("ulimit -s 65536"));
}

static void tell_remedy(const struct finding *finding, struct cause *cause)
{
    const char *name = path_base(finding->subject);

    if (finding->kind == CAUSE_CPU_LEVEL_TOO_LOW)
        cause_remedy(cause, PROOF_KNOWN, "use a build of %s for x86-64-v%u, or a processor with %s", name, cpu_level(),
                     finding->crash->feature);
    else if (finding->process->words_kind == WORDS_NODE && cause->words && strstr(cause->words, "heap out of memory"))
        strings_add(&cause_remedy(cause, PROOF_KNOWN, "give JavaScript a larger heap (in MB)")->commands,
                    xstrdup("NODE_OPTIONS=--max-old-space-size=4096"));
    else if (finding->crash && finding->crash->what == ADDRESS_BELOW_STACK)
        tell_larger_stack(finding->crash, cause);
    if (!crash_was_sent(finding->crash))
        cause_remedy(cause, PROOF_KNOWN, "report it to the makers of %s, with this report", name);
}

static char *sender_text(const struct crash *crash)
{
    return crash->sender_name ? xasprintf("%d (%s)", crash->sender, crash->sender_name)
                              : xasprintf("%d", crash->sender);
}

void cause_crash_tell(const struct finding *finding, struct cause *cause)
{
    const struct process *process = finding->process;
    const struct crash *crash;
    int signal = crash_signal_of(process, &crash);
    CLEANUP_FREE char *place = go_place(process), *what = what_of(process, crash, signal);
    const char *subject = path_base(finding->subject);

    if (!place)
        place = place_of(crash);
    if (crash_was_sent(crash)) {
        CLEANUP_FREE char *sender = sender_text(crash);

        cause->summary = xasprintf("%s was ended by %s, which process %s sent to it; it did nothing wrong itself.",
                                   subject, signal_name(signal), sender);
    } else {
        cause->summary = xasprintf("%s crashed%s%s%s%s%s.", subject, place ? " in " : "", place ? place : "",
                                   what ? ": " : "", what ? what : "", "");
    }
    if (crash) {
        tell_signal(crash, signal, cause);
        tell_address(crash, cause);
        tell_feature(crash, cause);
    }
    tell_words(process, crash, cause);
    tell_sections(crash, cause);
    cause->detail = xasprintf("%s ended %s %s%s. No earlier failure that we saw explains it.", finding->subject,
                              process->signal ? "by" : "with a status other than 0, after", signal_name(signal),
                              crash || process->signal
                                  ? ""
                                  : " or what its runtime treats like it (no signal was seen: Go's runtime exits by "
                                    "itself, and would send SIGABRT with GOTRACEBACK=crash)");
    tell_remedy(finding, cause);
}

/* "prog needs /etc/x, which is not there; it then crashed in parse (main.c:12): …" */
static void add_crash(struct cause *cause, const char *place, const char *what)
{
    char *summary = xasprintf("%s; it then crashed%s%s%s%s.", without_stop(cause->summary), place ? " in " : "",
                              place ? place : "", what ? ": " : "", what ? what : "");

    free(cause->summary);
    cause->summary = summary;
}

void tell_crash_after(const struct process *process, const struct crash *crash, int signal, struct cause *cause)
{
    CLEANUP_FREE char *place = place_of(crash), *what = what_of(process, crash, signal);

    cause_fact(cause, "then", "%s%s%s%s%s", signal_name(signal), place ? " in " : "", place ? place : "",
               what ? ": " : "", what ? what : "");
    add_crash(cause, place, what);
    strings_addf(&cause->chain, "%s%s%s", signal_name(signal), place ? " in " : "", place ? place : "");
    if (crash && crash->n)
        cause_evidence(cause, crash->n);
    if (crash)
        tell_address(crash, cause);
    tell_sections(crash, cause);
}
