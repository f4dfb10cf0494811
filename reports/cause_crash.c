/* crash: a signal that the program brought upon itself, in words; also cpu-level-too-low where an instruction told it.
 */
#include "judge.h"

#include "crash_words.h"
#include "line_signal.h"
#include "text.h"

#include <signal.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/cpu.h>

/* ---- facts ---- */

/* si_code(sigaction(2)): what the kernel says of the fault, or who sent the signal. */
static void tell_signal(const struct crash *crash, int signal, struct cause *cause)
{
    const char *code = line_signal_code(signal, crash->code), *words = crash_code_words(signal, crash->code);

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
    if (!crash->address) { /* of another tool's log, which has no mappings */
        cause_fact(cause, "the address", "0x%llx", (unsigned long long)crash->addr);
        return;
    }
    cause_fact(cause, "the address", "0x%llx%s%s: %s", (unsigned long long)crash->addr, uses[crash->use],
               crash->computed ? " (worked out from the instruction)" : "", crash->address);
}

static void tell_feature(const struct process *process, const struct crash *crash, struct cause *cause)
{
    unsigned level = cpu_level_of(crash->feature ? crash->feature : "");

    if (!crash->feature)
        return;
    if (path_nowhere(process->root)) /* it ran on another machine's processor */
        cause_fact(cause, "processor", "the instruction is one of %s", crash->feature);
    else if (level)
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

    crash_add_frame(&line, frame);
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
    if (crash->register_count || crash->sp_addr) {
        section_registers(crash, cause);
        section_code(crash, cause);
    } else if (crash->ip_addr) { /* of a log, which has no more */
        cause_fact(cause, "instruction", "at 0x%llx", (unsigned long long)crash->ip_addr);
    }
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
        cause->words = xstrndup(crash->message, strcspn(crash->message, "\r\n"));
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

    if (finding->kind == CAUSE_CPU_LEVEL_TOO_LOW && path_nowhere(finding->process->root))
        cause_remedy(cause, PROOF_KNOWN, "use a build of %s for that processor, or one with %s", name,
                     finding->crash->feature);
    else if (finding->kind == CAUSE_CPU_LEVEL_TOO_LOW)
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
    CLEANUP_FREE char *place = go_place(process), *what = crash_what(process, crash, signal);
    const char *subject = path_base(finding->subject);

    if (!place)
        place = crash_place(crash);
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
        tell_feature(process, crash, cause);
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
    char *summary = xasprintf("%s; it then crashed%s%s%s%s.", crash_without_stop(cause->summary), place ? " in " : "",
                              place ? place : "", what ? ": " : "", what ? what : "");

    free(cause->summary);
    cause->summary = summary;
}

void tell_crash_after(const struct process *process, const struct crash *crash, int signal, bool unloadable,
                      struct cause *cause)
{
    CLEANUP_FREE char *place = crash_place(crash), *what = crash_what(process, crash, signal);

    if (crash && crash->n)
        cause_evidence(cause, crash->n);
    /* Where the signal came says nothing more; after an execve that failed half-way it is not even in this image. */
    if (unloadable) {
        cause_fact(cause, "then", "%s", signal_name(signal));
        return;
    }
    cause_fact(cause, "then", "%s%s%s%s%s", signal_name(signal), place ? " in " : "", place ? place : "",
               what ? ": " : "", what ? what : "");
    add_crash(cause, place, what);
    strings_addf(&cause->chain, "%s%s%s", signal_name(signal), place ? " in " : "", place ? place : "");
    if (crash)
        tell_address(crash, cause);
    tell_sections(crash, cause);
}
