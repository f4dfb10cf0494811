#include "ptrace.h"

#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

/* The system call itself: <sys/ptrace.h> and <linux/ptrace.h> do not go together, and only the latter has struct
 * ptrace_syscall_info everywhere. */
static int call(unsigned long request, pid_t tid, const void *addr, const void *data)
{
    return syscall(SYS_ptrace, request, tid, addr, data) < 0 ? -errno : 0;
}

static const void *number(unsigned long value)
{
    return (const void *)value;
}

int ptrace_seize(pid_t tid, bool exitkill)
{
    unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                            PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP;

    if (exitkill)
        options |= PTRACE_O_EXITKILL;
    return call(PTRACE_SEIZE, tid, NULL, number(options));
}

int ptrace_interrupt(pid_t tid)
{
    return call(PTRACE_INTERRUPT, tid, NULL, NULL);
}

int ptrace_restart(pid_t tid, enum restart how, int signal)
{
    static const unsigned requests[] = {
        [RESTART_CONT] = PTRACE_CONT,
        [RESTART_SYSCALL] = PTRACE_SYSCALL,
        [RESTART_STEP] = PTRACE_SINGLESTEP,
        [RESTART_LISTEN] = PTRACE_LISTEN,
    };

    return call(requests[how], tid, NULL, number((unsigned long)signal));
}

int ptrace_detach(pid_t tid, int signal)
{
    return call(PTRACE_DETACH, tid, NULL, number((unsigned long)signal));
}

int ptrace_message(pid_t tid, unsigned long *ret)
{
    *ret = 0;
    return call(PTRACE_GETEVENTMSG, tid, NULL, ret);
}

int ptrace_signal_info(pid_t tid, siginfo_t *ret)
{
    memset(ret, 0, sizeof *ret);
    return call(PTRACE_GETSIGINFO, tid, NULL, ret);
}

int ptrace_set_signal_info(pid_t tid, const siginfo_t *info)
{
    return call(PTRACE_SETSIGINFO, tid, NULL, info);
}

int ptrace_signal_mask(pid_t tid, uint64_t *ret)
{
    return call(PTRACE_GETSIGMASK, tid, number(sizeof *ret), ret);
}

int ptrace_set_signal_mask(pid_t tid, uint64_t mask)
{
    return call(PTRACE_SETSIGMASK, tid, number(sizeof mask), &mask);
}

union registers {
    struct user_regs_struct native;
    unsigned char bytes[1024]; /* room for other machines' and ABIs' */
};

static int registers_get(pid_t tid, union registers *space, struct iovec *ret)
{
    *ret = (struct iovec){space, sizeof *space};
    return call(PTRACE_GETREGSET, tid, number(NT_PRSTATUS), ret);
}

int ptrace_state(pid_t tid, struct arch_state *ret)
{
    union registers space;
    struct iovec registers;
    int error = registers_get(tid, &space, &registers);

    if (error)
        return error;
    return arch_native.state(&registers, ret) < 0 ? -EINVAL : 0;
}

int ptrace_set_first_argument(pid_t tid, uint64_t value)
{
    union registers space;
    struct iovec registers;
    int error = registers_get(tid, &space, &registers);

    if (error)
        return error;
    arch_native.set_first_argument(&registers, value);
    return call(PTRACE_SETREGSET, tid, number(NT_PRSTATUS), &registers);
}

int ptrace_registers(pid_t tid, struct arch_registers *ret)
{
    union registers space;
    struct iovec registers;
    int error = registers_get(tid, &space, &registers);

    if (error)
        return error;
    return arch_native.registers(&registers, ret) < 0 ? -EINVAL : 0;
}

int ptrace_set_registers(pid_t tid, const struct arch_registers *values)
{
    union registers space;
    struct iovec registers;
    int error = registers_get(tid, &space, &registers);

    if (error)
        return error;
    if (arch_native.set_registers(&registers, values) < 0)
        return -EINVAL;
    return call(PTRACE_SETREGSET, tid, number(NT_PRSTATUS), &registers);
}

int ptrace_save(pid_t tid, struct ptrace_saved *ret)
{
    union registers space;
    struct iovec registers;
    struct arch_state state;
    int error = registers_get(tid, &space, &registers);

    if (error)
        return error;
    if (registers.iov_len > sizeof ret->bytes || arch_native.state(&registers, &state) < 0)
        return -EINVAL;
    ret->sp_addr = state.sp_addr;
    ret->size = registers.iov_len;
    memcpy(ret->bytes, registers.iov_base, registers.iov_len);
    return 0;
}

int ptrace_load(pid_t tid, const struct ptrace_saved *saved)
{
    struct iovec registers = {(void *)saved->bytes, saved->size};

    return call(PTRACE_SETREGSET, tid, number(NT_PRSTATUS), &registers);
}

int ptrace_poke(pid_t tid, uint64_t addr, uint64_t value)
{
    return call(PTRACE_POKEDATA, tid, number(addr), number(value));
}

static int from_registers(pid_t tid, bool expect_exit, bool seccomp, struct syscall_stop *ret)
{
    struct arch_state state;
    unsigned long data = 0;
    int error = ptrace_state(tid, &state);

    if (!error && seccomp)
        error = ptrace_message(tid, &data);
    if (error)
        return error;
    *ret = (struct syscall_stop){
        .op = seccomp       ? SYSCALL_SECCOMP
              : expect_exit ? SYSCALL_EXIT
                            : SYSCALL_ENTRY,
        .abi = state.abi,
        .audit = arch_native.abis[state.abi].audit,
        .ip_addr = state.ip_addr,
        .sp_addr = state.sp_addr,
        .number = state.number,
        .ret = state.ret,
        .failed = state.ret < 0 && state.ret >= -4095, /* MAX_ERRNO, include/linux/err.h of the kernel */
        .data = (uint32_t)data,
    };
    memcpy(ret->args, state.args, sizeof ret->args);
    return 0;
}

int ptrace_syscall_stop(pid_t tid, bool expect_exit, bool seccomp, struct syscall_stop *ret)
{
    struct ptrace_syscall_info info;
    long size = syscall(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);

    if (size < 0)
        return errno == EIO || errno == EINVAL ? from_registers(tid, expect_exit, seccomp, ret) : -errno;
    *ret = (struct syscall_stop){
        .abi = arch_abi_of(&arch_native, info.arch),
        .audit = info.arch,
        .ip_addr = info.instruction_pointer,
        .sp_addr = info.stack_pointer,
    };
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        ret->op = SYSCALL_EXIT;
        ret->ret = info.exit.rval;
        ret->failed = info.exit.is_error;
    } else if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
        /* entry and seccomp begin alike (struct ptrace_syscall_info). */
        ret->op = info.op == PTRACE_SYSCALL_INFO_ENTRY ? SYSCALL_ENTRY : SYSCALL_SECCOMP;
        ret->number = info.entry.nr;
        for (int i = 0; i < 6; i++)
            ret->args[i] = info.entry.args[i];
        if (ret->op == SYSCALL_SECCOMP)
            ret->data = info.seccomp.ret_data;
    }
    return 0;
}
