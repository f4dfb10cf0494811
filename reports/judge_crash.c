/* crash, and cpu-level-too-low at run time: a signal whose cause is in the program itself ended it, or one that it had
 * caught, or its runtime's own decision (a Go panic).
 *
 * What is known of it is in the crash record (crash.h), taken while the process stood, and in what a runtime said of
 * it. A signal like SIGSEGV that another process sent is told with its sender: the program did nothing wrong. */
#include "judge.h"

#include "crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <probes/alloc.h>
#include <probes/cpu.h>
#include <probes/maps.h>

enum { GO_EXIT = 2 /* runtime/panic.go: fatalpanic(), fatalthrow() */ };

bool crash_was_sent(const struct crash *crash)
{
    return crash && crash->code <= 0 && crash->sender && !crash->by_itself;
}

/* A Go program has printed why it ends and its goroutines. */
static bool go_ended(const struct process *process)
{
    return process->words_kind == WORDS_GO && WIFEXITED(process->status) && WEXITSTATUS(process->status) == GO_EXIT &&
           (process_last_words(process, "goroutine ") || process_last_words(process, "runtime stack:"));
}

/* The signal that Go speaks of: "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45ec4f]", or in its
 * first line, "SIGSEGV: segmentation violation" (with "PC=0x45ec4f m=0 sigcode=0" below). */
static int go_signal(const struct process *process)
{
    const char *line = process_last_words(process, "[signal ");
    char name[16];
    size_t n;

    line = line ? line + strlen("[signal ") : process_last_words(process, "SIG");
    n = line ? strcspn(line, ": ") : 0;
    if (!n || n >= sizeof name)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)n, line);
    return signal_value(name);
}

/* Whether the record of a signal that Go's handler got is the one that its words are about. */
static bool go_means(const struct process *process, const struct crash *crash)
{
    const char *inner = process_last_words(process, "[signal "), *outer = process_last_words(process, "PC=0x");

    inner = inner ? strstr(inner, "pc=0x") : NULL;
    return (inner && crash_stood_at(crash, strtoull(inner + strlen("pc="), NULL, 16))) ||
           (outer && crash_stood_at(crash, strtoull(outer + strlen("PC="), NULL, 16)));
}

int crash_signal_of(const struct process *process, const struct crash **ret)
{
    const struct crash *crash = process->crash;

    *ret = NULL;
    if (process->signal) {
        if (!crash_signal(process->signal))
            return 0;
        *ret = crash;
        return crash ? crash->signal : process->signal;
    }
    if (!process->ended || !process->status)
        return 0;
    if (go_ended(process)) {
        int signal = go_signal(process);

        if (signal && crash && crash->signal == signal && go_means(process, crash))
            *ret = crash;
        return signal ? signal : SIGABRT; /* what it would have sent itself with GOTRACEBACK=crash */
    }
    if (crash && crash->in_handler) {
        *ret = crash;
        return crash->signal;
    }
    return 0;
}

/* The object whose code it was, absolute; else the program. */
static const char *object_of(const struct process *process, const struct crash *crash)
{
    return crash && crash->object && crash->object[0] == '/' ? crash->object : process->exe;
}

/* The processor's level where the object says that it wants a higher one (GNU_PROPERTY_X86_ISA_1_NEEDED), else the
 * instruction's feature. malloced. */
static char *lacking(const struct process *process, const char *object, const char *feature)
{
    const struct elffile *elf = elffile_get(process->root, object);
    uint32_t needed = elf->state == ELFFILE_OK ? elf->isa_needed : 0;
    unsigned level = needed ? 32 - (unsigned)__builtin_clz(needed) : 0;
    bool by_level = level > cpu_level() && cpu_level_of(feature) && cpu_level_of(feature) <= level;

    elffile_put(elf);
    return by_level ? xasprintf("x86-64-v%u", level) : xstrdup(feature);
}

static struct suspect *suspect_crash(struct process *process, struct finding *finding)
{
    const struct crash *crash = finding->crash;
    uint64_t n = crash && crash->n     ? crash->n
                 : process->signal_n   ? process->signal_n
                 : process->words_kind ? process->words_n
                                       : process->end_n;

    return suspect_add(process, AT_CRASH, finding, n, process->end_ns);
}

/* Of the goroutine, where one is told of; else of the thread. */
static void take_stack(const struct process *process, struct cause *cause, const struct crash *crash)
{
    const struct crash_thread *first = crash && crash->thread_count ? &crash->threads[0] : NULL;
    struct frame *frames;
    size_t count = go_frames(process, &frames);

    if (!count && (!first || !first->stack_count))
        return;
    frames_free(cause->stack, cause->stack_count);
    if (count) {
        cause->stack = frames;
        cause->stack_count = count;
        return;
    }
    cause->stack = frames_copy(first->stack, first->stack_count);
    cause->stack_count = first->stack_count;
}

void judge_crash(struct process *process)
{
    const struct crash *crash;
    int signal = crash_signal_of(process, &crash);
    const char *name = signal ? signal_name(signal) : NULL;
    struct process *owner = process_owner(process);
    struct finding finding = {
        .kind = CAUSE_CRASH, .process = process, .subject = owner->exe, .missing = name, .crash = crash};
    CLEANUP_FREE char *feature = NULL;
    struct suspect *suspect;

    if (!name || !owner->exe)
        return;
    if (crash)
        judge_gone(owner, process->crash);
    if (crash && crash->trap == TRAP_ABSENT) {
        finding.kind = CAUSE_CPU_LEVEL_TOO_LOW;
        finding.subject = object_of(owner, crash);
        finding.missing = feature = lacking(owner, finding.subject, crash->feature);
    }
    if (crash && crash->call && !crash_was_sent(crash)) {
        finding.kind = CAUSE_SYSCALL_BLOCKED;
        finding.missing = finding.call = crash->call;
    }
    suspect = suspect_crash(process, &finding);
    if (!suspect)
        return;
    suspect->cause->pid = process->pid;
    suspect->cause->impact = IMPACT_FATAL;
    suspect->cause->confidence = crash || process->words_kind ? 0.95 : 0.9;
    take_stack(process, suspect->cause, crash);
}

void judge_crash_after(struct process *process, struct suspect *suspect)
{
    const struct crash *crash;
    int signal = crash_signal_of(process, &crash);

    if (!signal)
        return;
    tell_crash_after(process, crash, signal, suspect->at == AT_START || suspect->at == AT_EXECUTION, suspect->cause);
}
