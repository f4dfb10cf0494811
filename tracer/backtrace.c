/* Stacks of events: a copy of registers and stack for what may turn out to be a cause (a few microseconds), and frames
 * at once for what -k prints. */
#include "state.h"

#include <probes/alloc.h>
#include <reports/limit_said.h>
#include <reports/syscall.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { FRAMES_MOST = 128 };

static uint64_t hash(const char *name, uint64_t start)
{
    uint64_t ret = start ^ UINT64_C(0xcbf29ce484222325);

    while (*name)
        ret = (ret ^ (unsigned char)*name++) * UINT64_C(0x100000001b3);
    return ret | 1;
}

/* Where a program gives up, which may be the only place that tells of why. */
static bool ends_badly(const struct event_syscall *call)
{
    return !strcmp(call->desc->name, "exit_group") && (call->args[0] & 0xff);
}

/* Which failing calls of the program a judge asks about, and which of the loader's: each file that it opens or misses,
 * once a search. 0: none; else the same number for those of which one copy is enough. */
static uint64_t worth(const struct event *event)
{
    const struct event_syscall *call = &event->syscall;

    if (ends_badly(call))
        return event->n;
    if (!call->returned)
        return 0;
    /* Each address; one that does not wait has its outcome told later, when the program is elsewhere. */
    if (!strcmp(call->desc->name, "connect") && call->error && call->result)
        return hash(call->result, call->ip_addr);
    if (!call->path && call->error && call->by != BY_LOADER)
        return hash(call->desc->name, call->ip_addr);
    if (!call->path || (call->desc->family != FAMILY_FILE && call->desc->family != FAMILY_PROCESS))
        return call->error && call->by != BY_LOADER ? hash(call->desc->name, call->ip_addr) : 0;
    if (call->by == BY_LOADER) {
        if (strncmp(call->desc->name, "open", 4) != 0 || !strncmp(call->path, "/etc/ld.so.", 11))
            return 0;
        return hash(path_base(call->path), 0);
    }
    return call->error ? hash(call->path, call->ip_addr) : 0;
}

/* An error of the loader's, or a call that gave nothing. */
static uint64_t failed(const struct event *event)
{
    const struct event_loader *loader = &event->loader;

    return loader->what == LOADER_ERROR || (loader->what == LOADER_CALL && loader->symbol == NULL && !loader->ret)
               ? event->n
               : 0;
}

/* Words on standard error: the loader's, where it has no function for them that we hear of, those about a call that is
 * not followed, and those of a program that nothing failed for that shows in a call. Lines that come from one place in
 * a row are one. */
static uint64_t said(const struct event *event, const struct stack_registers *registers)
{
    bool own = event->output.by == BY_LOADER || limit_error_said(event->output.data, event->output.size);

    return own ? event->n : hash("said", registers->sp_addr);
}

/* What the kernel ends a process for that has used up something, where it stands at that moment. */
static uint64_t ended(const struct event *event)
{
    int signal = event->type == EVENT_SIGNAL && event->signal.fatal ? event->signal.signal
                 : event->type == EVENT_PROCESS && event->process.what == PROCESS_EXITING
                     ? WTERMSIG(event->process.status)
                     : 0;

    return limit_ends_by(signal) ? event->n : 0;
}

static uint64_t shot_of(const struct event *event)
{
    switch (event->type) {
    case EVENT_SYSCALL:
        return worth(event);
    case EVENT_LOADER:
        return failed(event);
    case EVENT_OUTPUT: /* of which place it is about is known later */
        return event->n;
    case EVENT_SIGNAL:
    case EVENT_PROCESS:
        return ended(event);
    default:
        return 0;
    }
}

static bool registers_of(const struct task *task, struct stack_registers *ret)
{
    struct arch_registers registers;

    if (ptrace_registers(task->tid, &registers) < 0)
        return false;
    memcpy(ret->dwarf, registers.dwarf, sizeof ret->dwarf);
    ret->ip_addr = ret->dwarf[16];
    ret->sp_addr = ret->dwarf[7];
    ret->fp_addr = ret->dwarf[6];
    return true;
}

/* A mapping of a file may be an object that came in the place of another. */
static bool changes_mappings(const struct event *event)
{
    return event->type == EVENT_LOADER ||
           (event->type == EVENT_SYSCALL && !strncmp(event->syscall.desc->name, "mmap", 4));
}

static struct stacks *stacks_of(struct task *task, const struct event *event)
{
    struct space *space = task->group->space;

    if (!space->stacks) /* the first thread may be gone already, and /proc tells nothing of its memory then */
        space->stacks = stacks_create(task->tid, event->root);
    return space->stacks;
}

/* A note by Go's linker, which stands near the start of the file (cmd/link/internal/ld/elf.go). */
static bool runs_go(struct task *task)
{
    static const unsigned char owner[] = {4, 0, 0, 0, 'G', 'o', 0, 0};
    struct space *space = task->group->space;
    char path[64];
    unsigned char bytes[8192];

    if (space->go_known)
        return space->go;
    space->go_known = true;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)task->tid);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd >= 0 ? pread(fd, bytes, sizeof bytes, 0) : -1;

    space->go = n > 0 && memmem(bytes, (size_t)n, owner, sizeof owner);
    return space->go;
}

/* C code that Go code has called stands on another stack than that. */
static struct stack_snapshot *take(struct task *task, const struct event *event,
                                   const struct stack_registers *registers)
{
    bool by_loader = (event->type == EVENT_OUTPUT && event->output.by == BY_LOADER) ||
                     (event->type == EVENT_SYSCALL && event->syscall.by == BY_LOADER);

    if (!by_loader && runs_go(task) && !stacks_is_go(stacks_of(task, event), event->memory, registers->ip_addr))
        return stacks_snapshot(stacks_of(task, event), event->memory, registers);
    return stack_snapshot_take(event->memory, registers);
}

static bool is_over(const struct event *event)
{
    return event->type == EVENT_PROCESS &&
           (event->process.what == PROCESS_EXIT || event->process.what == PROCESS_THREAD_EXIT);
}

void backtrace_attach(struct session *session, struct task *task, struct event *event, struct backtrace_memory *memory)
{
    const struct session_options *options = session->options;
    uint64_t shot = shot_of(event);
    bool wanted = options->stack_wanted && options->stack_wanted(options->stack_ctx, event);
    struct stack_registers registers;

    *memory = (struct backtrace_memory){
        .memory = {.tid = task->tid, .fallback = session->memory.fallback, .breaks = task->group->space->breaks}};
    if (is_over(event))
        return;
    memory->mem = memory_mem(&memory->memory, arch_native.abis[task->group->abi].word_size);
    event->memory = &memory->mem;
    if (task->group->space->stacks && changes_mappings(event))
        stacks_stale(task->group->space->stacks);
    if ((!wanted && (!shot || shot == task->shot)) || task->group->abi != ABI_NATIVE || !registers_of(task, &registers))
        return;
    if (event->type == EVENT_OUTPUT)
        shot = said(event, &registers);
    if (shot && shot != task->shot && !event->snapshot)
        event->snapshot = memory->snapshot = take(task, event, &registers);
    task->shot = shot ? shot : task->shot;
    if (wanted && !event->stack) {
        /* A copy that came with the event is of the moment that it tells of; one that was made just now is of this. */
        event->stack_count =
            event->snapshot && !memory->snapshot
                ? stacks_unwind_snapshot(stacks_of(task, event), event->memory, event->snapshot, FRAMES_MOST,
                                         &memory->frames)
                : stacks_unwind(stacks_of(task, event), event->memory, &registers, FRAMES_MOST, &memory->frames);
        event->stack = memory->frames;
    }
}

void backtrace_release(struct event *event, struct backtrace_memory *memory)
{
    if (memory->frames) {
        frames_free(memory->frames, event->stack_count);
        event->stack = NULL;
        event->stack_count = 0;
    }
    if (memory->snapshot) {
        stack_snapshot_drop(memory->snapshot);
        event->snapshot = NULL;
    }
    event->memory = NULL;
}
