/* Everything that depends on the machine: system call numbers, registers, word sizes. One const struct a machine, one
 * file a machine (arch_x86_64.c); another machine is one more file and nothing else. */
#ifndef GLIBCTRACE_TRACER_ARCH_H
#define GLIBCTRACE_TRACER_ARCH_H

#include <probes/stack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The system call conventions that a thread of this machine can use; a call carries its own (a 64-bit program may say
 * int $0x80). */
enum abi { ABI_NATIVE, ABI_COMPAT, ABI_COUNT, ABI_FOREIGN = ABI_COUNT };

struct arch_abi {
    uint32_t audit;          /* AUDIT_ARCH_… as seccomp(2) and PTRACE_GET_SYSCALL_INFO name it */
    const char *name;        /* as libseccomp's seccomp_arch_resolve_name(3) wants it */
    unsigned word_size;      /* bytes of a pointer */
    unsigned class, machine; /* ELFCLASS…, EM_… */
};

/* ROW is the name of the row in reports/syscall.h, NAME what the kernel calls it under that ABI (i386's stat64 is shown
 * as stat), NUMBER its number. */
struct arch_call {
    enum abi abi;
    const char *row, *name;
    int number;
};

/* What a thread's registers say, in one shape for entry, exit and anything between. */
struct arch_state {
    enum abi abi;
    uint64_t number;
    uint64_t args[6];
    int64_t ret;
    uint64_t ip_addr, sp_addr;
};

/* The general registers of a native thread, numbered as in stack.h, and the flags. */
struct arch_registers {
    uint64_t dwarf[STACK_REGISTERS];
    uint64_t flags;
    uint64_t thread_addr; /* the thread pointer; never set */
};

struct arch {
    const struct arch_abi *abis; /* ABI_COUNT of them */
    const struct arch_call *calls;
    size_t call_count;
    unsigned char trap; /* the instruction that a breakpoint is, of one byte; the thread stops behind it */
    unsigned char arguments[6], result; /* of a function: registers, as stack.h numbers them */
    /* REGISTERS: what PTRACE_GETREGSET of NT_PRSTATUS gave; its length tells the ABI of the program. */
    int (*state)(const struct iovec *registers, struct arch_state *ret);
    /* Puts VALUE into the first argument, for a write back with PTRACE_SETREGSET. */
    void (*set_first_argument)(const struct iovec *registers, uint64_t value);
    /* All of them, and back; below zero where the program is not of the native ABI. */
    int (*registers)(const struct iovec *registers, struct arch_registers *ret);
    int (*set_registers)(const struct iovec *registers, const struct arch_registers *values);
    /* A number that the kernel treats as another ABI under the same AUDIT_ARCH_ (x32): never looked up. */
    bool (*rejected)(uint32_t audit, uint64_t number);
};

extern const struct arch arch_native;

enum abi arch_abi_of(const struct arch *arch, uint32_t audit);

#endif
