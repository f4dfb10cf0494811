/* Crash records (reports/crash.h): taken while a thread stands at the signal that ends it. Where the program catches
 * the signal only what is cheap is kept, in case it dies of it all the same: by the same signal, abort(3) or an exit in
 * the handler. Nothing is written into the process. */
#include "filter.h"
#include "state.h"

#include <probes/alloc.h>
#include <probes/proc.h>
#include <reports/crash.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum {
    HOLD_NS = 100 * 1000000, /* how long other threads may take to stop */
    HOLD_STEP_NS = 100 * 1000,
};

static char *name_of(pid_t pid, pid_t tid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/task/%d/comm", (int)pid, (int)tid);
    char *name = proc_read(path, 64, NULL);

    if (name)
        name[strcspn(name, "\n")] = 0;
    return name;
}

/* The number that PID has for itself: the last of NStgid in proc_pid_status(5), where PID namespaces stand between. */
static pid_t own_number(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/status", (int)pid);
    CLEANUP_FREE char *status = proc_read(path, 16384, NULL);
    char *line = status ? strstr(status, "\nNStgid:") : NULL, *last;

    if (!line)
        return pid;
    line[1 + strcspn(line + 1, "\n")] = 0;
    last = strrchr(line, '\t');
    return last ? (pid_t)strtol(last, NULL, 10) : pid;
}

/* While the sender lives: kill(1) ends at once. */
static void tell_sender(struct crash *crash)
{
    pid_t own = own_number(crash->pid);

    crash->by_itself = !crash->sender || crash->sender == own;
    if (!crash->by_itself && own == crash->pid) /* else its number means another process here */
        crash->sender_name = name_of(crash->sender, crash->sender);
}

static struct mem mem_of(struct session *session, const struct task *task)
{
    session->clean =
        (struct memory){.tid = task->tid, .fallback = session->memory.fallback, .breaks = task->group->space->breaks};
    return memory_mem(&session->clean, arch_native.abis[task->group->abi].word_size);
}

/* In the order in which debuggers list them; numbers as in stack.h. */
static void fill_registers(struct crash *crash, const struct arch_registers *registers)
{
    static const struct {
        unsigned number;
        const char *name;
    } order[] = {
        {0, "rax"},  {3, "rbx"},  {2, "rcx"},  {1, "rdx"},  {4, "rsi"},  {5, "rdi"},
        {6, "rbp"},  {7, "rsp"},  {8, "r8"},   {9, "r9"},   {10, "r10"}, {11, "r11"},
        {12, "r12"}, {13, "r13"}, {14, "r14"}, {15, "r15"}, {16, "rip"},
    };
    struct crash_register *one = crash->registers;

    for (size_t i = 0; i < sizeof order / sizeof *order; i++, one++) {
        snprintf(one->name, sizeof one->name, "%s", order[i].name);
        one->value = registers->dwarf[order[i].number];
    }
    snprintf(one->name, sizeof one->name, "eflags");
    one->value = registers->flags;
    crash->register_count = (size_t)(one + 1 - crash->registers);
}

static bool stack_registers(pid_t tid, struct stack_registers *ret, struct arch_registers *all)
{
    if (ptrace_registers(tid, all))
        return false;
    memcpy(ret->dwarf, all->dwarf, sizeof ret->dwarf);
    ret->ip_addr = all->dwarf[REGISTER_IP];
    ret->sp_addr = all->dwarf[REGISTER_SP];
    ret->fp_addr = all->dwarf[6];
    return true;
}

static void read_code(struct crash *crash, const struct mem *mem)
{
    uint8_t *middle = crash->code_bytes + CRASH_CODE_BEFORE;
    ssize_t got = mem->read(mem->ctx, crash->ip_addr, middle, CRASH_CODE - CRASH_CODE_BEFORE);

    crash->code_after = got > 0 ? (size_t)got : 0;
    for (size_t n = CRASH_CODE_BEFORE; n && crash->ip_addr > n; n /= 2)
        if (mem->read(mem->ctx, crash->ip_addr - n, middle - n, n) == (ssize_t)n) {
            crash->code_before = n;
            break;
        }
}

/* What is cheap: registers, siginfo, the code around. INFO may be NULL. */
/* Of SIGSYS from a seccomp filter, which comes with the call (SECCOMP_RET_TRAP) or ends the process without a word to
 * anyone (SECCOMP_RET_KILL_…): then it stands in the call. */
static void tell_call(struct crash *crash, const struct task *task, const siginfo_t *info)
{
    enum { FILTER_SPOKE = 1 }; /* SYS_SECCOMP, include/uapi/asm-generic/siginfo.h */
    struct arch_state state;

    if (crash->signal != SIGSYS)
        return;
    if (info && info->si_code == FILTER_SPOKE)
        crash->call = filter_call_name(info->si_arch, info->si_syscall);
    else if (!info && !ptrace_state(task->tid, &state) && state.abi < ABI_COUNT)
        crash->call = filter_call_name(arch_native.abis[state.abi].audit, (int)state.number);
}

static struct crash *snapshot(struct session *session, const struct task *task, int signal, const siginfo_t *info)
{
    struct mem mem = mem_of(session, task);
    struct crash *crash = crash_create();
    struct arch_registers registers;
    struct arch_state state;

    crash->pid = task->group->pid;
    crash->tid = task->tid;
    crash->signal = signal;
    crash->by_itself = true;
    if (info) {
        crash->code = info->si_code;
        if (info->si_code > 0) {
            crash->info_addr = (uint64_t)(uintptr_t)info->si_addr;
        } else {
            crash->sender = info->si_pid;
            tell_sender(crash);
        }
    }
    if (stack_registers(task->tid, &crash->general, &registers)) {
        crash->has_general = true;
        crash->ip_addr = crash->general.ip_addr;
        crash->sp_addr = crash->general.sp_addr;
        fill_registers(crash, &registers);
    } else if (!ptrace_state(task->tid, &state)) {
        crash->ip_addr = state.ip_addr;
        crash->sp_addr = state.sp_addr;
    }
    read_code(crash, &mem);
    tell_call(crash, task, info);
    return crash;
}

/* ---- the other threads ---- */

/* Whether a stop of TID waits in the queue: it stands. */
static bool queued(const struct session *session, pid_t tid)
{
    for (size_t i = session->wait_next; i < session->wait_count; i++)
        if (session->waits[i].tid == tid)
            return true;
    return false;
}

static bool stands(struct session *session, const struct task *task)
{
    struct wait *wait;
    int status;

    if (task->held || queued(session, task->tid))
        return true;
    if (waitpid(task->tid, &status, __WALL | WNOHANG) != task->tid)
        return false;
    /* The loop acts on it after this one. */
    wait = array_add(&session->waits, &session->wait_count, &session->wait_cap, sizeof *wait);
    *wait = (struct wait){task->tid, status};
    return true;
}

static void pause_shortly(void)
{
    const struct timespec step = {.tv_nsec = HOLD_STEP_NS};

    nanosleep(&step, NULL);
}

/* Stops the other threads of a process that is about to end, so that their stacks can be read. One that does not stop
 * in time (it waits in the kernel and cannot be interrupted) is left alone. */
static void hold_others(struct session *session, const struct task *standing)
{
    struct task *task, *next;
    uint64_t until = clock_ns() + HOLD_NS;
    bool all;

    HASH_ITER(hh, session->tasks.by_tid, task, next)
    if (task->group == standing->group && task != standing && !task->leaving && !queued(session, task->tid))
        ptrace_interrupt(task->tid);
    do {
        all = true;
        HASH_ITER(hh, session->tasks.by_tid, task, next)
        if (task->group == standing->group && task != standing && !task->leaving)
            all &= stands(session, task);
        if (!all)
            pause_shortly();
    } while (!all && clock_ns() < until);
}

static struct crash_thread *add_thread(struct crash *crash, size_t *cap, pid_t tid)
{
    struct crash_thread *thread;

    if (crash->thread_count >= CRASH_THREADS) {
        crash->threads_left++;
        return NULL;
    }
    thread = array_add(&crash->threads, &crash->thread_count, cap, sizeof *thread);
    thread->tid = tid;
    thread->name = name_of(crash->pid, tid);
    return thread;
}

static void add_others(struct session *session, const struct task *standing, struct crash *crash, struct stacks *stacks,
                       size_t *cap)
{
    struct mem mem = mem_of(session, standing);
    struct arch_registers all;
    struct stack_registers registers;
    struct task *task, *next;

    HASH_ITER(hh, session->tasks.by_tid, task, next)
    {
        struct crash_thread *thread;

        if (task->group != standing->group || task->tid == crash->tid || task->leaving)
            continue;
        thread = add_thread(crash, cap, task->tid);
        if (!thread)
            continue;
        if (!stack_registers(task->tid, &registers, &all))
            thread->unread = xstrdup("it did not stop in time, or was on its way out");
        else
            thread->stack_count = stacks_unwind(stacks, &mem, &registers, CRASH_FRAMES, &thread->stack);
    }
}

/* The thread has jumped to where there is no code: the stack is its caller's, whose call has just pushed where to
 * return to, below one frame of the bad address. */
static size_t unwind_caller(struct stacks *stacks, const struct mem *mem, const struct stack_registers *at,
                            struct frame **ret)
{
    struct stack_registers caller = *at;
    struct frame *frames, *all;
    size_t count;

    if (mem_read_word(mem, at->sp_addr, &caller.ip_addr) < 0)
        return 0;
    caller.sp_addr = caller.dwarf[REGISTER_SP] = at->sp_addr + 8;
    caller.dwarf[REGISTER_IP] = --caller.ip_addr; /* within the call: what follows may be another line */
    count = stacks_unwind(stacks, mem, &caller, CRASH_FRAMES - 1, &frames);
    if (!count)
        return 0;
    all = xcalloc(count + 1, sizeof *all);
    all[0].ip_addr = at->ip_addr;
    memcpy(all + 1, frames, count * sizeof *all);
    free(frames);
    *ret = all;
    return count + 1;
}

/* AT: where the thread of CRASH stands now, which is where that was taken unless a handler has run since. */
static void add_threads(struct session *session, const struct task *task, struct crash *crash,
                        const struct stack_registers *at)
{
    struct stacks *stacks = stacks_create(crash->pid, task->place->root);
    struct mem mem = mem_of(session, task);
    size_t cap = 0;
    struct crash_thread *first = add_thread(crash, &cap, crash->tid);

    first->crashed = true;
    if (at && crash->code > 0 && crash->info_addr == at->ip_addr && crash->signal == SIGSEGV)
        first->stack_count = unwind_caller(stacks, &mem, at, &first->stack);
    if (at && !first->stack_count)
        first->stack_count = stacks_unwind(stacks, &mem, at, CRASH_FRAMES, &first->stack);
    add_others(session, task, crash, stacks, &cap);
    stacks_destroy(stacks);
}

/* ---- which record counts ---- */

/* The record that a handler's was taken over by: where the program died of what it had caught before. */
static struct crash *origin(struct session *session, const struct task *task, struct crash *now)
{
    struct crash *before = task->group->caught;
    struct mem mem = mem_of(session, task);

    if (!before || before->tid != task->tid || !now->by_itself)
        return now;
    before->in_handler = crash_in_handler(before, &mem, now->sp_addr);
    if (!before->in_handler && (now->signal != before->signal || now->code > 0))
        return now; /* a new fault */
    before->caught = true;
    task->group->caught = NULL;
    crash_put(now);
    return before;
}

/* While TASK, a thread of the process, stands. */
static void complete(struct session *session, const struct task *task, struct crash *crash,
                     const struct stack_registers *at)
{
    struct mem mem = mem_of(session, task);

    if (crash->thread_count)
        return; /* done already */
    crash->thread_name = name_of(crash->pid, crash->tid);
    /* At an exit_group(2) or a signal that was not delivered to us they are being killed, and each stands once more, at
     * its own exit stop. */
    hold_others(session, task);
    add_threads(session, task, crash, at);
    crash_look(crash, &mem, task->place->root);
}

struct crash *crash_at_signal(struct session *session, struct task *task, const siginfo_t *info, bool fatal)
{
    struct crash *crash;
    struct stack_registers at;

    if (!crash_signal(info->si_signo))
        return NULL;
    crash = snapshot(session, task, info->si_signo, info);
    if (fatal && task->group->crash_told && crash->code > 0 && crash->ip_addr == task->group->crash_addr) {
        /* It should be dead. The first process of a PID namespace is not ended by a fault while it is traced
         * (force_sig_info_to_task(), kernel/signal.c), and would fault for ever: it is let go of, and dies of that. */
        task->released = true;
        crash_put(crash);
        return NULL;
    }
    if (fatal && task->group->crash_told && task->tid != task->group->crash_tid) {
        crash_put(crash); /* another one at the same time: the process is ending already */
        return NULL;
    }
    if (!fatal) {
        crash_put(task->group->caught);
        task->group->caught = crash;
        crash->n = session->events + 1; /* the signal's own event, which comes next */
        return NULL;
    }
    at = crash->general;
    task->group->crash_tid = task->tid;
    task->group->crash_addr = crash->code > 0 ? crash->ip_addr : 0;
    crash = origin(session, task, crash);
    if (crash->in_handler)
        at = crash->general; /* its frames are still there, below the handler's */
    complete(session, task, crash, crash->has_general ? &at : NULL);
    task->group->crash_told = true;
    return crash;
}

void crash_at_thread_exit(struct session *session, struct task *task)
{
    struct crash *crash = task->group->caught;
    struct arch_state state;
    const struct call *call;

    if (!crash || task->group->crash_told || ptrace_state(task->tid, &state))
        return;
    call = call_find(&session->index, state.abi, state.number, state.args);
    if (!call || call->kind != CALL_LEAVE)
        complete(session, task, crash, crash->has_general ? &crash->general : NULL);
}

struct crash *crash_at_exit(struct session *session, struct task *task, int status)
{
    struct group *group = task->group;
    struct crash *crash = group->caught;
    struct mem mem = mem_of(session, task);
    struct arch_state state;
    bool caught = true;

    if (group->crash_told || !status || ptrace_state(task->tid, &state))
        return NULL;
    group->caught = NULL;
    if (WIFSIGNALED(status)) {
        if (!crash_signal(WTERMSIG(status))) {
            crash_put(crash);
            return NULL;
        }
        caught = crash && crash->tid == task->tid;
        if (!caught) { /* the kernel asked nobody (force_fatal_sig(), kernel/signal.c) */
            crash_put(crash);
            crash = snapshot(session, task, WTERMSIG(status), NULL);
            crash->code = SI_KERNEL;
        }
    }
    if (!crash)
        return NULL;
    crash->caught = caught;
    crash->in_handler =
        WIFSIGNALED(status) || (crash->tid == task->tid && crash_in_handler(crash, &mem, state.sp_addr));
    complete(session, task, crash, crash->has_general ? &crash->general : NULL);
    return crash;
}
