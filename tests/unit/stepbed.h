/* For the tests of what is done in a processor's place, or at another: a child that steps over instructions, with many
 * values in its registers and in the area that they point into. */
#ifndef GLIBCTRACE_TESTS_STEPBED_H
#define GLIBCTRACE_TESTS_STEPBED_H

#include <tracer/emulate.h>

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AREA = 1 << 16, CODE = 64, STACK = AREA / 2 };

static unsigned char *area; /* code, data and stack of the child; ours as well, by address */
static pid_t child;
static struct disassembler *disassembler;

static inline ssize_t read_child(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct iovec local = {buf, n}, remote = {(void *)(uintptr_t)addr, n};

    (void)ctx;
    return process_vm_readv(child, &local, 1, &remote, 1, 0);
}

static inline int write_child(void *ctx, uint64_t addr, uint64_t value, unsigned width)
{
    struct iovec local = {&value, width}, remote = {(void *)(uintptr_t)addr, width};

    (void)ctx;
    return process_vm_writev(child, &local, 1, &remote, 1, 0) == (ssize_t)width ? 0 : -1;
}

static const struct mem mem = {.read = read_child, .word_size = 8};
static const struct emulate_memory memory = {.mem = &mem, .write = write_child};

static inline void start(void)
{
    int status;

    area = mmap(NULL, AREA, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
    disassembler = disassembler_create();
    child = fork();
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSTOPPED(status));
}

static inline void end(void)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    munmap(area, AREA);
    disassembler_destroy(disassembler);
}

static inline void fetch(struct arch_registers *ret)
{
    struct user_regs_struct r;
    struct iovec registers = {&r, sizeof r};

    ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, NULL, &r), 0);
    ck_assert_int_eq(arch_native.registers(&registers, ret), 0);
}

static inline void put(const struct arch_registers *values)
{
    struct user_regs_struct r;
    struct iovec registers = {&r, sizeof r};

    ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, NULL, &r), 0);
    ck_assert_int_eq(arch_native.set_registers(&registers, values), 0);
    r.orig_rax = (unsigned long)-1; /* it does not stand in a system call that would be made again */
    ck_assert_int_eq(ptrace(PTRACE_SETREGS, child, NULL, &r), 0);
}

static inline uint64_t dice(uint64_t *seed)
{
    static const uint64_t corners[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, (uint64_t)INT64_MIN, -1UL};

    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return *seed >> 60 ? *seed ^ *seed >> 31 : corners[*seed >> 33 & 7];
}

/* Values in all registers, those that instructions below use as addresses pointing into the area. */
static inline void prepare(struct arch_registers *r, uint64_t addr, uint64_t *seed)
{
    for (size_t i = 0; i < STACK_REGISTERS; i++)
        r->dwarf[i] = dice(seed);
    r->dwarf[REGISTER_SP] = (uint64_t)(uintptr_t)area + STACK;
    r->dwarf[6] = r->dwarf[REGISTER_SP] + 256;      /* %rbp */
    r->dwarf[5] = (uint64_t)(uintptr_t)area + 4096; /* %rdi */
    r->dwarf[4] = *seed & 31;                       /* %rsi: an index */
    r->dwarf[REGISTER_IP] = addr;
    r->flags = 0x202 | (*seed & 0x8d5);
}

static inline void fill(uint64_t *seed)
{
    unsigned char bytes[AREA - CODE];
    struct iovec local = {bytes, sizeof bytes}, remote = {area + CODE, sizeof bytes};

    for (size_t i = 0; i < sizeof bytes; i += 8)
        memcpy(bytes + i, (uint64_t[]){dice(seed)}, 8);
    /* Where a ret goes to: it would fault where that is no address at all. */
    memcpy(bytes + STACK - CODE, (uint64_t[]){(uint64_t)(uintptr_t)area + 2048}, 8);
    ck_assert_int_eq(process_vm_writev(child, &local, 1, &remote, 1, 0), sizeof bytes);
}

static inline void snapshot(unsigned char *ret)
{
    ck_assert_int_eq(mem_read(&mem, (uint64_t)(uintptr_t)area, ret, AREA), 0);
}

#endif
