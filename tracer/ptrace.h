/* ptrace(2), and nothing else calls it: seizing, restarting, and asking a standing thread.
 *
 * All functions give 0 or -errno. -ESRCH means that the thread is not standing: it was killed while it stood
 * (ptrace(2), "Death under ptrace") and its end will be waited for like any other. */
#ifndef GLIBCTRACE_TRACER_PTRACE_H
#define GLIBCTRACE_TRACER_PTRACE_H

#include "arch.h"

#include <signal.h>
#include <sys/types.h>

enum restart {
    RESTART_CONT,    /* to the next stop that the filter or an event asks for */
    RESTART_SYSCALL, /* to the next entry or exit of a system call as well */
    RESTART_STEP,    /* to behind the next instruction */
    RESTART_LISTEN,  /* stay stopped, tell when SIGCONT ends the stop */
};

enum syscall_op { SYSCALL_NONE, SYSCALL_ENTRY, SYSCALL_EXIT, SYSCALL_SECCOMP };

struct syscall_stop {
    enum syscall_op op;
    enum abi abi; /* ABI_FOREIGN: one that we do not know */
    uint32_t audit;
    uint64_t ip_addr, sp_addr;
    uint64_t number, args[6]; /* ENTRY, SECCOMP */
    int64_t ret;              /* EXIT: as the kernel returns it, an error as -errno */
    bool failed;              /* EXIT */
    uint32_t data;            /* SECCOMP: SECCOMP_RET_DATA of the filter */
};

/* A child of this process is seized and let go of: 0, or the errno value by which that is refused. */
int ptrace_try(void);
/* EXITKILL: the thread dies with us (a launched program); else it goes on without us. */
int ptrace_seize(pid_t tid, bool exitkill);
int ptrace_interrupt(pid_t tid);
int ptrace_restart(pid_t tid, enum restart how, int signal);
int ptrace_detach(pid_t tid, int signal);
int ptrace_message(pid_t tid, unsigned long *ret);
int ptrace_signal_info(pid_t tid, siginfo_t *ret);
int ptrace_set_signal_info(pid_t tid, const siginfo_t *info);
/* One call where the kernel has PTRACE_GET_SYSCALL_INFO (5.3); before that from the registers, where EXPECT_EXIT and
 * SECCOMP (the caller's knowledge of where the thread stands) take the place of what the kernel would say. */
int ptrace_syscall_stop(pid_t tid, bool expect_exit, bool seccomp, struct syscall_stop *ret);
int ptrace_state(pid_t tid, struct arch_state *ret);
/* All general registers, -EINVAL where the thread is not of the native ABI; and back (all others stay). */
int ptrace_registers(pid_t tid, struct arch_registers *ret);
int ptrace_set_registers(pid_t tid, const struct arch_registers *values);
/* All of them as they are, also whether it stands in a system call that would be made again; and back. */
struct ptrace_saved {
    uint64_t sp_addr;
    size_t size;
    unsigned char bytes[1024];
};
int ptrace_save(pid_t tid, struct ptrace_saved *ret);
int ptrace_load(pid_t tid, const struct ptrace_saved *saved);
/* The signals that it blocks, bit n-1 for signal n. */
int ptrace_signal_mask(pid_t tid, uint64_t *ret);
int ptrace_set_signal_mask(pid_t tid, uint64_t mask);
int ptrace_set_first_argument(pid_t tid, uint64_t value);
/* Eight bytes of its memory, also where its pages are not writable to itself. */
int ptrace_poke(pid_t tid, uint64_t addr, uint64_t value);

#endif
