/* From the registers of a standing thread to an event: at the entry what is asked (its strings may be changed or gone
 * later), at the exit what came of it. */
#include "close.h"
#include "state.h"
#include "traps.h"

#include <probes/alloc.h>

#include <errno.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/ptrace.h>

enum event_by decode_by(const struct task *task, uint64_t ip_addr)
{
    const struct space *space = task->group->space;

    if (!space->known)
        return BY_UNKNOWN;
    return ip_addr >= space->loader_base && ip_addr < space->loader_end ? BY_LOADER : BY_PROGRAM;
}

static struct mem mem_of(struct session *session, const struct task *task, enum abi abi)
{
    session->memory.tid = task->tid;
    return memory_mem(&session->memory, arch_native.abis[abi].word_size);
}

static void read_texts(const struct session *session, struct pending *pending, bool after, int64_t ret,
                       const struct mem *mem)
{
    struct syscall_texts texts = {{0}};

    if (!session->options->texts || pending->text[0])
        return;
    syscall_texts_format(pending->desc, pending->args, after, ret, mem, &texts);
    memcpy(pending->text, texts.text, sizeof pending->text);
}

static void emit(struct session *session, struct task *task, bool returned, int64_t ret, bool failed,
                 const char *result)
{
    const struct pending *pending = &task->pending;
    struct event event = {.type = EVENT_SYSCALL};

    event.syscall = (struct event_syscall){
        .desc = pending->desc,
        .string = pending->string,
        .path = pending->path,
        .argv = (const char *const *)pending->argv,
        .result = result,
        .flags = pending->flags,
        .ret = returned ? (failed ? -1 : ret) : 0,
        .error = returned && failed ? (int)-ret : 0,
        .policy = pending->policy,
        .returned = returned,
        .by = decode_by(task, pending->ip_addr),
        .ip_addr = pending->ip_addr,
    };
    task->group->refused |= returned && failed;
    memcpy(event.syscall.args, pending->args, sizeof event.syscall.args);
    memcpy(event.syscall.text, pending->text, sizeof event.syscall.text);
    session_emit(session, task, &event);
}

static void emit_output(struct session *session, struct task *task, const struct call *call,
                        const struct syscall_stop *stop)
{
    struct mem mem = mem_of(session, task, stop->abi);
    struct event event = {.type = EVENT_OUTPUT};
    size_t size, whole;
    CLEANUP_FREE char *data = args_output(&mem, call, stop->args, &size, &whole);

    if (!data)
        return; /* the kernel will say EFAULT: nothing is written */
    if (call->kind == CALL_SPOKEN && !output_complains(data, size)) {
        /* What it is there to print is nobody's business; that it went on to print, after what it was refused, is. */
        if (!task->group->refused || whole == 1) /* Python without a buffer writes a line's end by itself */
            return;
        task->group->refused = false;
        size = 0;
    }
    event.output = (struct event_output){
        .fd = call->kind == CALL_SPOKEN ? 1 : 2,
        .data = data,
        .size = size,
        .whole = whole,
        .by = decode_by(task, stop->ip_addr),
    };
    session_emit(session, task, &event);
}

/* A child made with CLONE_UNTRACED would run under the filter without a tracer and see ENOSYS for every call of
 * interest (seccomp(2), SECCOMP_RET_TRACE), so the flag is taken away for the time of the call. */
static void refuse_untraced(struct task *task)
{
    struct pending *pending = &task->pending;

    if (!(pending->clone_flags & CLONE_UNTRACED))
        return;
    uint64_t flags = pending->clone_flags & ~(uint64_t)CLONE_UNTRACED;

    if (pending->call->kind == CALL_CLONE3) {
        if (!ptrace_poke(task->tid, pending->args[0], flags))
            pending->changed_addr = pending->args[0];
    } else if (!ptrace_set_first_argument(task->tid, flags)) {
        pending->changed_addr = 1;
    }
}

static void restore_flags(struct task *task)
{
    const struct pending *pending = &task->pending;

    if (!pending->changed_addr)
        return;
    if (pending->call->kind == CALL_CLONE3)
        ptrace_poke(task->tid, pending->changed_addr, pending->clone_flags);
    else
        ptrace_set_first_argument(task->tid, pending->clone_flags);
}

static void begin(struct session *session, struct task *task, const struct call *call, const struct syscall_desc *desc,
                  const struct arch_state *state)
{
    struct pending *pending = &task->pending;
    struct mem mem = mem_of(session, task, state->abi);

    pending_clear(pending);
    pending->call = call;
    pending->desc = desc;
    pending->abi = state->abi;
    pending->ip_addr = state->ip_addr;
    memcpy(pending->args, state->args, sizeof pending->args);
    args_read(session, task, &mem);
    if (call->kind == CALL_CLONE || call->kind == CALL_CLONE3)
        refuse_untraced(task);
    /* A successful execve leaves no memory to read them from. */
    if (call->kind == CALL_EXECVE || call->kind == CALL_EXECVEAT || !call->exit_stop)
        read_texts(session, pending, false, 0, &mem);
}

bool decode_entry(struct session *session, struct task *task, const struct call *call, const struct syscall_stop *stop)
{
    const struct syscall_desc *desc = session->descs[call - calls];
    struct arch_state state = {.abi = stop->abi, .ip_addr = stop->ip_addr};

    if (call->kind == CALL_WRITE || call->kind == CALL_SPOKEN || call->kind == CALL_WRITEV ||
        call->kind == CALL_SENDMSG) {
        emit_output(session, task, call, stop);
        return false;
    }
    if (call->kind == CALL_SIGACTION)
        traps_action(session, task, stop->args[1]);
    if (call->kind == CALL_DUMPABLE && (uint32_t)stop->args[1] != 1)
        traps_closing(session, task);
    if (call->kind == CALL_AFFINITY)
        pin_release(&session->pin, &session->tasks, task, (pid_t)stop->args[0]);
    if (!desc || stop->abi == ABI_FOREIGN || call->kind == CALL_LEAVE)
        return false;
    memcpy(state.args, stop->args, sizeof state.args);
    begin(session, task, call, desc, &state);
    /* The live view tells results, as strace does, where nothing else would need them. */
    if (call->exit_stop || session->options->texts)
        return true;
    emit(session, task, false, 0, false, NULL);
    pending_clear(&task->pending);
    return false;
}

/* prctl(PR_SET_SECCOMP), or seccomp(2) with one of its two operations that are followed. */
static bool sets_filter(const struct pending *pending)
{
    return strcmp(pending->call->row, "prctl") || (uint32_t)pending->args[0] == 22;
}

/* What a call that has succeeded changes for the events to come, or says. */
static char *after_success(struct session *session, struct task *task, const struct mem *mem, int64_t ret)
{
    const struct pending *pending = &task->pending;
    struct task *other, *next;

    switch (pending->call->kind) {
    case CALL_READLINK: {
        int buffer = pending->desc->dirfd_arg >= 0 ? 2 : 1;
        size_t n = ret > 0 && ret < 4096 ? (size_t)ret : 0;
        char *link = xcalloc(1, n + 1);

        mem_read(mem, pending->args[buffer], link, n);
        return link;
    }
    case CALL_OUTCOME: {
        int32_t error = 0;

        mem_read(mem, pending->args[3], &error, sizeof error);
        return xstrdup_or_null(errno_name(error));
    }
    case CALL_CHDIR:
        task->place->stale = true;
        break;
    case CALL_ROOT:
        /* pivot_root(2) moves others that stand at the old root, too. */
        HASH_ITER(hh, session->tasks.by_tid, other, next)
        if (other->place)
            other->place->stale = true;
        break;
    case CALL_RULES:
        if (sets_filter(pending))
            close_filter(session, task);
        break;
    case CALL_LIMIT:
        close_limits(session, task);
        break;
    case CALL_PLAIN:
        if (!task->group->space->watch)
            break;
        if (!strncmp(pending->call->row, "open", 4) && pending->string)
            watch_opened(task, pending->string, (int)ret);
        else if (!strcmp(pending->call->row, "mmap"))
            watch_mapped(session, task, (int)pending->args[4], pending->args[5], (uint64_t)ret);
        break;
    default:
        break;
    }
    return NULL;
}

/* ERESTARTSYS and its like (include/linux/errno.h of the kernel) never reach the program: the call is made again, and
 * stops again. */
static bool restarts(int64_t ret)
{
    return ret <= -512 && ret >= -516;
}

void decode_exit(struct session *session, struct task *task, int64_t ret, bool failed)
{
    struct pending *pending = &task->pending;
    CLEANUP_FREE char *result = NULL;

    if (!pending->call)
        return;
    restore_flags(task);
    if (!(failed && restarts(ret))) {
        struct mem mem = mem_of(session, task, pending->abi);

        read_texts(session, pending, true, ret, &mem);
        if (pending->call->kind == CALL_CONNECT)
            result = args_address(&mem, pending->args[1], (uint32_t)pending->args[2]);
        else if (!failed)
            result = after_success(session, task, &mem, ret);
        if (failed && pending->call->kind == CALL_PTRACE)
            session_note(
                session, task,
                "asks for a tracer of its own (ptrace), which is refused while glibctrace follows it under its "
                "filter: a debugger works with --seccomp=no");
        emit(session, task, true, ret, failed, result);
    }
    pending_clear(pending);
}

bool decode_cloned(struct session *session, struct task *task, pid_t child)
{
    /* The live view prints what the kernel fills in, in the order in which calls return, as strace does. */
    if (!task->pending.call || session->options->texts || task->pending.changed_addr)
        return true;
    decode_exit(session, task, child, false);
    return false;
}

bool decode_leave(struct session *session, struct task *task, const struct arch_state *state)
{
    const struct call *call = call_find(&session->index, state->abi, state->number, state->args);
    const struct syscall_desc *desc = call && call->kind == CALL_LEAVE ? session->descs[call - calls] : NULL;

    if (!desc)
        return false;
    begin(session, task, call, desc, state);
    emit(session, task, false, 0, false, NULL);
    if (decode_by(task, state->ip_addr) == BY_LOADER)
        task->group->exit_by_loader = true;
    pending_clear(&task->pending);
    return !strcmp(call->row, "exit_group");
}
