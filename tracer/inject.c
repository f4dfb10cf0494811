#include "inject.h"

#include "breaks_table.h"
#include "state.h"
#include "stop.h"

#include <probes/alloc.h>

#include <errno.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    PAGE = 4096,
    BELOW = 512, /* bytes below the stack pointer, past the red zone of 128 (System V ABI for AMD64, 3.2.2) */
    ACTION_MOST = 64,
    STOPS_MOST = 16,
};

/* An instruction that makes a system call, in the loader's code; 0 where there is none. */
static uint64_t find_syscall(const struct mem *mem, const struct space *space)
{
    static const unsigned char instruction[] = {0x0f, 0x05};
    unsigned char page[PAGE];

    for (uint64_t at = space->loader_base; at < space->loader_end; at += PAGE) {
        const unsigned char *found = NULL;

        if (mem_read(mem, at, page, sizeof page) == 0)
            found = memmem(page, sizeof page, instruction, sizeof instruction);
        if (found)
            return at + (uint64_t)(found - page);
    }
    return 0;
}

/* The next stop of TID; our own timer may ring meanwhile. */
static bool wait_for(pid_t tid, int *status)
{
    pid_t waited;

    do
        waited = waitpid(tid, status, __WALL);
    while (waited < 0 && errno == EINTR);
    return waited == tid;
}

/* Restarts TASK until its call has returned; all signals being blocked, nothing comes between but its end. */
static int run(struct session *session, struct task *task)
{
    struct syscall_stop at;
    int status;

    for (int i = 0; i < STOPS_MOST; i++) {
        if (ptrace_restart(task->tid, RESTART_SYSCALL, 0) < 0 || !wait_for(task->tid, &status))
            return -1;
        struct stop stop = stop_classify(status);

        if (stop.kind == STOP_EXIT || stop.kind == STOP_EXITED || stop.kind == STOP_SIGNALED) {
            /* It is on its way out: the loop is to see that. */
            *(struct wait *)array_add(&session->waits, &session->wait_count, &session->wait_cap, sizeof(struct wait)) =
                (struct wait){task->tid, status};
            return -1;
        }
        if (stop.kind == STOP_SYSCALL && ptrace_syscall_stop(task->tid, i > 0, false, &at) == 0 &&
            at.op == SYSCALL_EXIT)
            return at.failed ? -1 : 0;
    }
    return -1;
}

/* BYTES at ADDR, word by word. */
static int put(struct task *task, uint64_t addr, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += BREAK_WORD) {
        uint64_t word;

        memcpy(&word, (const char *)bytes + at, sizeof word);
        if (break_write(&task->tid, addr + at, word, BREAK_WORD) < 0)
            return -1;
    }
    return 0;
}

static int call(struct session *session, struct task *task, int signal, uint64_t action_addr, uint64_t syscall_addr,
                size_t mask_size)
{
    struct arch_registers registers;

    if (ptrace_registers(task->tid, &registers) < 0)
        return -1;
    registers.dwarf[REGISTER_IP] = syscall_addr;
    registers.dwarf[REGISTER_RESULT] = SYS_rt_sigaction;
    registers.dwarf[arch_native.arguments[0]] = (uint64_t)signal;
    registers.dwarf[arch_native.arguments[1]] = action_addr;
    registers.dwarf[arch_native.arguments[2]] = 0;
    registers.dwarf[10] = mask_size; /* %r10 takes the place of the fourth argument (syscall(2)) */
    if (ptrace_set_registers(task->tid, &registers) < 0)
        return -1;
    return run(session, task);
}

int inject_sigaction(struct session *session, struct task *task, int signal, const void *action, size_t size)
{
    struct mem mem = break_mem(session, task->tid);
    uint64_t syscall_addr = find_syscall(&mem, task->group->space), addr, mask;
    unsigned char before[ACTION_MOST];
    struct ptrace_saved saved;
    int error = -1;

    if (!syscall_addr || size > sizeof before || size % BREAK_WORD || ptrace_save(task->tid, &saved) < 0 ||
        ptrace_signal_mask(task->tid, &mask) < 0)
        return -1;
    addr = (saved.sp_addr - BELOW) & ~(uint64_t)63;
    if (mem_read(&mem, addr, before, size) < 0 || put(task, addr, action, size) < 0)
        return -1;
    if (ptrace_set_signal_mask(task->tid, ~(uint64_t)0) == 0)
        error = call(session, task, signal, addr, syscall_addr, sizeof mask);
    ptrace_set_signal_mask(task->tid, mask);
    put(task, addr, before, size);
    ptrace_load(task->tid, &saved);
    return error;
}
