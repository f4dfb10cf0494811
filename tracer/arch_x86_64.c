/* x86-64: native calls, i386 calls (arch/x86/entry/syscalls/syscall_{64,32}.tbl of the kernel), x32 turned away. */
#include "arch.h"

#include <elf.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/user.h>

static const struct arch_abi abis[ABI_COUNT] = {
    [ABI_NATIVE] = {AUDIT_ARCH_X86_64, "x86_64", 8, ELFCLASS64, EM_X86_64},
    [ABI_COMPAT] = {AUDIT_ARCH_I386, "x86", 4, ELFCLASS32, EM_386},
};

static const struct arch_call calls[] = {
    {ABI_NATIVE, "open", "open", 2},
    {ABI_NATIVE, "openat", "openat", 257},
    {ABI_NATIVE, "openat2", "openat2", 437},
    {ABI_NATIVE, "creat", "creat", 85},
    {ABI_NATIVE, "readlink", "readlink", 89},
    {ABI_NATIVE, "readlinkat", "readlinkat", 267},
    {ABI_NATIVE, "stat", "stat", 4},
    {ABI_NATIVE, "lstat", "lstat", 6},
    {ABI_NATIVE, "newfstatat", "newfstatat", 262},
    {ABI_NATIVE, "statx", "statx", 332},
    {ABI_NATIVE, "access", "access", 21},
    {ABI_NATIVE, "faccessat", "faccessat", 269},
    {ABI_NATIVE, "faccessat2", "faccessat2", 439},
    {ABI_NATIVE, "mkdir", "mkdir", 83},
    {ABI_NATIVE, "mkdirat", "mkdirat", 258},
    {ABI_NATIVE, "rmdir", "rmdir", 84},
    {ABI_NATIVE, "unlink", "unlink", 87},
    {ABI_NATIVE, "unlinkat", "unlinkat", 263},
    {ABI_NATIVE, "rename", "rename", 82},
    {ABI_NATIVE, "renameat", "renameat", 264},
    {ABI_NATIVE, "renameat2", "renameat2", 316},
    {ABI_NATIVE, "link", "link", 86},
    {ABI_NATIVE, "linkat", "linkat", 265},
    {ABI_NATIVE, "symlink", "symlink", 88},
    {ABI_NATIVE, "symlinkat", "symlinkat", 266},
    {ABI_NATIVE, "chmod", "chmod", 90},
    {ABI_NATIVE, "fchmodat", "fchmodat", 268},
    {ABI_NATIVE, "chown", "chown", 92},
    {ABI_NATIVE, "lchown", "lchown", 94},
    {ABI_NATIVE, "fchownat", "fchownat", 260},
    {ABI_NATIVE, "truncate", "truncate", 76},
    {ABI_NATIVE, "mmap", "mmap", 9},
    {ABI_NATIVE, "execve", "execve", 59},
    {ABI_NATIVE, "execveat", "execveat", 322},
    {ABI_NATIVE, "connect", "connect", 42},
    {ABI_NATIVE, "getsockopt", "getsockopt", 55},
    {ABI_NATIVE, "chdir", "chdir", 80},
    {ABI_NATIVE, "fchdir", "fchdir", 81},
    {ABI_NATIVE, "chroot", "chroot", 161},
    {ABI_NATIVE, "pivot_root", "pivot_root", 155},
    {ABI_NATIVE, "unshare", "unshare", 272},
    {ABI_NATIVE, "setns", "setns", 308},
    {ABI_NATIVE, "clone", "clone", 56},
    {ABI_NATIVE, "clone3", "clone3", 435},
    {ABI_NATIVE, "fork", "fork", 57},
    {ABI_NATIVE, "vfork", "vfork", 58},
    {ABI_NATIVE, "exit", "exit", 60},
    {ABI_NATIVE, "exit_group", "exit_group", 231},
    {ABI_NATIVE, "inotify_init", "inotify_init", 253},
    {ABI_NATIVE, "inotify_init1", "inotify_init1", 294},
    {ABI_NATIVE, "inotify_add_watch", "inotify_add_watch", 254},
    {ABI_NATIVE, "memfd_create", "memfd_create", 319},
    {ABI_NATIVE, "prctl", "prctl", 157},
    {ABI_NATIVE, "seccomp", "seccomp", 317},
    {ABI_NATIVE, "ptrace", "ptrace", 101},
    {ABI_NATIVE, "write", "write", 1},
    {ABI_NATIVE, "writev", "writev", 20},
    {ABI_NATIVE, "pwrite64", "pwrite64", 18},
    {ABI_NATIVE, "sendmsg", "sendmsg", 46},
    {ABI_NATIVE, "rt_sigaction", "rt_sigaction", 13},
    {ABI_NATIVE, "sched_setaffinity", "sched_setaffinity", 203},
    {ABI_NATIVE, "sched_getaffinity", "sched_getaffinity", 204},
    {ABI_NATIVE, "socket", "socket", 41},
    {ABI_NATIVE, "socketpair", "socketpair", 53},
    {ABI_NATIVE, "accept", "accept", 43},
    {ABI_NATIVE, "accept4", "accept4", 288},
    {ABI_NATIVE, "pipe", "pipe", 22},
    {ABI_NATIVE, "pipe2", "pipe2", 293},
    {ABI_NATIVE, "dup", "dup", 32},
    {ABI_NATIVE, "epoll_create", "epoll_create", 213},
    {ABI_NATIVE, "epoll_create1", "epoll_create1", 291},
    {ABI_NATIVE, "eventfd2", "eventfd2", 290},
    {ABI_NATIVE, "timerfd_create", "timerfd_create", 283},
    {ABI_NATIVE, "signalfd4", "signalfd4", 289},
    {ABI_NATIVE, "io_uring_setup", "io_uring_setup", 425},
    {ABI_NATIVE, "pidfd_open", "pidfd_open", 434},
    {ABI_NATIVE, "userfaultfd", "userfaultfd", 323},
    {ABI_NATIVE, "perf_event_open", "perf_event_open", 298},
    {ABI_NATIVE, "bpf", "bpf", 321},
    {ABI_NATIVE, "keyctl", "keyctl", 250},
    {ABI_NATIVE, "mount", "mount", 165},
    {ABI_NATIVE, "mlock", "mlock", 149},
    {ABI_NATIVE, "mlock2", "mlock2", 325},
    {ABI_NATIVE, "mlockall", "mlockall", 151},
    {ABI_NATIVE, "fallocate", "fallocate", 285},
    {ABI_NATIVE, "ftruncate", "ftruncate", 77},
    {ABI_NATIVE, "setrlimit", "setrlimit", 160},
    {ABI_NATIVE, "prlimit64", "prlimit64", 302},
    {ABI_NATIVE, "brk", "brk", 12},
    {ABI_NATIVE, "mremap", "mremap", 25},
    {ABI_NATIVE, "mprotect", "mprotect", 10},
    {ABI_NATIVE, "acct", "acct", 163},
    {ABI_NATIVE, "add_key", "add_key", 248},
    {ABI_NATIVE, "adjtimex", "adjtimex", 159},
    {ABI_NATIVE, "bind", "bind", 49},
    {ABI_NATIVE, "capset", "capset", 126},
    {ABI_NATIVE, "clock_adjtime", "clock_adjtime", 305},
    {ABI_NATIVE, "clock_settime", "clock_settime", 227},
    {ABI_NATIVE, "delete_module", "delete_module", 176},
    {ABI_NATIVE, "fanotify_init", "fanotify_init", 300},
    {ABI_NATIVE, "finit_module", "finit_module", 313},
    {ABI_NATIVE, "flock", "flock", 73},
    {ABI_NATIVE, "fsetxattr", "fsetxattr", 190},
    {ABI_NATIVE, "fsmount", "fsmount", 432},
    {ABI_NATIVE, "fsopen", "fsopen", 430},
    {ABI_NATIVE, "get_mempolicy", "get_mempolicy", 239},
    {ABI_NATIVE, "getrandom", "getrandom", 318},
    {ABI_NATIVE, "init_module", "init_module", 175},
    {ABI_NATIVE, "io_setup", "io_setup", 206},
    {ABI_NATIVE, "ioperm", "ioperm", 173},
    {ABI_NATIVE, "iopl", "iopl", 172},
    {ABI_NATIVE, "ioprio_set", "ioprio_set", 251},
    {ABI_NATIVE, "kcmp", "kcmp", 312},
    {ABI_NATIVE, "kexec_load", "kexec_load", 246},
    {ABI_NATIVE, "landlock_create_ruleset", "landlock_create_ruleset", 444},
    {ABI_NATIVE, "landlock_restrict_self", "landlock_restrict_self", 446},
    {ABI_NATIVE, "listen", "listen", 50},
    {ABI_NATIVE, "lsetxattr", "lsetxattr", 189},
    {ABI_NATIVE, "mbind", "mbind", 237},
    {ABI_NATIVE, "membarrier", "membarrier", 324},
    {ABI_NATIVE, "memfd_secret", "memfd_secret", 447},
    {ABI_NATIVE, "migrate_pages", "migrate_pages", 256},
    {ABI_NATIVE, "mount_setattr", "mount_setattr", 442},
    {ABI_NATIVE, "move_mount", "move_mount", 429},
    {ABI_NATIVE, "move_pages", "move_pages", 279},
    {ABI_NATIVE, "mq_open", "mq_open", 240},
    {ABI_NATIVE, "msgget", "msgget", 68},
    {ABI_NATIVE, "name_to_handle_at", "name_to_handle_at", 303},
    {ABI_NATIVE, "open_by_handle_at", "open_by_handle_at", 304},
    {ABI_NATIVE, "open_tree", "open_tree", 428},
    {ABI_NATIVE, "personality", "personality", 135},
    {ABI_NATIVE, "pidfd_getfd", "pidfd_getfd", 438},
    {ABI_NATIVE, "pidfd_send_signal", "pidfd_send_signal", 424},
    {ABI_NATIVE, "process_vm_readv", "process_vm_readv", 310},
    {ABI_NATIVE, "process_vm_writev", "process_vm_writev", 311},
    {ABI_NATIVE, "quotactl", "quotactl", 179},
    {ABI_NATIVE, "reboot", "reboot", 169},
    {ABI_NATIVE, "request_key", "request_key", 249},
    {ABI_NATIVE, "sched_setattr", "sched_setattr", 314},
    {ABI_NATIVE, "sched_setparam", "sched_setparam", 142},
    {ABI_NATIVE, "sched_setscheduler", "sched_setscheduler", 144},
    {ABI_NATIVE, "semget", "semget", 64},
    {ABI_NATIVE, "setdomainname", "setdomainname", 171},
    {ABI_NATIVE, "setgid", "setgid", 106},
    {ABI_NATIVE, "setgroups", "setgroups", 116},
    {ABI_NATIVE, "sethostname", "sethostname", 170},
    {ABI_NATIVE, "setpriority", "setpriority", 141},
    {ABI_NATIVE, "setregid", "setregid", 114},
    {ABI_NATIVE, "setresgid", "setresgid", 119},
    {ABI_NATIVE, "setresuid", "setresuid", 117},
    {ABI_NATIVE, "setreuid", "setreuid", 113},
    {ABI_NATIVE, "setsid", "setsid", 112},
    {ABI_NATIVE, "settimeofday", "settimeofday", 164},
    {ABI_NATIVE, "setuid", "setuid", 105},
    {ABI_NATIVE, "setxattr", "setxattr", 188},
    {ABI_NATIVE, "shmat", "shmat", 30},
    {ABI_NATIVE, "shmget", "shmget", 29},
    {ABI_NATIVE, "swapoff", "swapoff", 168},
    {ABI_NATIVE, "swapon", "swapon", 167},
    {ABI_NATIVE, "syslog", "syslog", 103},
    {ABI_NATIVE, "timer_create", "timer_create", 222},
    {ABI_NATIVE, "umount2", "umount2", 166},
    {ABI_NATIVE, "vhangup", "vhangup", 153},
    {ABI_NATIVE, "kill", "kill", 62},
    {ABI_NATIVE, "mknod", "mknod", 133},
    {ABI_NATIVE, "mknodat", "mknodat", 259},
    {ABI_COMPAT, "open", "open", 5},
    {ABI_COMPAT, "openat", "openat", 295},
    {ABI_COMPAT, "openat2", "openat2", 437},
    {ABI_COMPAT, "creat", "creat", 8},
    {ABI_COMPAT, "readlink", "readlink", 85},
    {ABI_COMPAT, "readlinkat", "readlinkat", 305},
    {ABI_COMPAT, "stat64", "stat64", 195},
    {ABI_COMPAT, "lstat64", "lstat64", 196},
    {ABI_COMPAT, "stat", "stat", 106},
    {ABI_COMPAT, "lstat", "lstat", 107},
    {ABI_COMPAT, "fstatat64", "fstatat64", 300},
    {ABI_COMPAT, "statx", "statx", 383},
    {ABI_COMPAT, "access", "access", 33},
    {ABI_COMPAT, "faccessat", "faccessat", 307},
    {ABI_COMPAT, "faccessat2", "faccessat2", 439},
    {ABI_COMPAT, "mkdir", "mkdir", 39},
    {ABI_COMPAT, "mkdirat", "mkdirat", 296},
    {ABI_COMPAT, "rmdir", "rmdir", 40},
    {ABI_COMPAT, "unlink", "unlink", 10},
    {ABI_COMPAT, "unlinkat", "unlinkat", 301},
    {ABI_COMPAT, "rename", "rename", 38},
    {ABI_COMPAT, "renameat", "renameat", 302},
    {ABI_COMPAT, "renameat2", "renameat2", 353},
    {ABI_COMPAT, "link", "link", 9},
    {ABI_COMPAT, "linkat", "linkat", 303},
    {ABI_COMPAT, "symlink", "symlink", 83},
    {ABI_COMPAT, "symlinkat", "symlinkat", 304},
    {ABI_COMPAT, "chmod", "chmod", 15},
    {ABI_COMPAT, "fchmodat", "fchmodat", 306},
    {ABI_COMPAT, "fchownat", "fchownat", 298},
    {ABI_COMPAT, "truncate", "truncate", 92},
    {ABI_COMPAT, "mmap2", "mmap2", 192},
    {ABI_COMPAT, "execve", "execve", 11},
    {ABI_COMPAT, "execveat", "execveat", 358},
    {ABI_COMPAT, "connect", "connect", 362},
    {ABI_COMPAT, "getsockopt", "getsockopt", 365},
    {ABI_COMPAT, "chdir", "chdir", 12},
    {ABI_COMPAT, "fchdir", "fchdir", 133},
    {ABI_COMPAT, "chroot", "chroot", 61},
    {ABI_COMPAT, "pivot_root", "pivot_root", 217},
    {ABI_COMPAT, "unshare", "unshare", 310},
    {ABI_COMPAT, "setns", "setns", 346},
    {ABI_COMPAT, "clone", "clone", 120},
    {ABI_COMPAT, "clone3", "clone3", 435},
    {ABI_COMPAT, "fork", "fork", 2},
    {ABI_COMPAT, "vfork", "vfork", 190},
    {ABI_COMPAT, "exit", "exit", 1},
    {ABI_COMPAT, "exit_group", "exit_group", 252},
    {ABI_COMPAT, "inotify_init", "inotify_init", 291},
    {ABI_COMPAT, "inotify_init1", "inotify_init1", 332},
    {ABI_COMPAT, "inotify_add_watch", "inotify_add_watch", 292},
    {ABI_COMPAT, "memfd_create", "memfd_create", 356},
    {ABI_COMPAT, "prctl", "prctl", 172},
    {ABI_COMPAT, "seccomp", "seccomp", 354},
    {ABI_COMPAT, "ptrace", "ptrace", 26},
    {ABI_COMPAT, "sched_setaffinity", "sched_setaffinity", 241},
    {ABI_COMPAT, "sched_getaffinity", "sched_getaffinity", 242},
    {ABI_COMPAT, "write", "write", 4},
    {ABI_COMPAT, "writev", "writev", 146},
    {ABI_COMPAT, "pwrite64", "pwrite64", 181},
    {ABI_COMPAT, "sendmsg", "sendmsg", 370},
};

/* struct user_regs_struct of an i386 program, as PTRACE_GETREGSET gives it to a 64-bit tracer
 * (arch/x86/include/asm/user_32.h of the kernel). */
struct i386_registers {
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax, xds, xes, xfs, xgs, orig_eax, eip, xcs, eflags, esp, xss;
};

static int state(const struct iovec *registers, struct arch_state *ret)
{
    if (registers->iov_len == sizeof(struct user_regs_struct)) {
        const struct user_regs_struct *r = registers->iov_base;

        *ret = (struct arch_state){
            .abi = ABI_NATIVE,
            .number = r->orig_rax,
            .args = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9},
            .ret = (int64_t)r->rax,
            .ip_addr = r->rip,
            .sp_addr = r->rsp,
        };
        return 0;
    }
    if (registers->iov_len == sizeof(struct i386_registers)) {
        const struct i386_registers *r = registers->iov_base;

        *ret = (struct arch_state){
            .abi = ABI_COMPAT,
            .number = r->orig_eax,
            .args = {r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp},
            .ret = (int32_t)r->eax,
            .ip_addr = r->eip,
            .sp_addr = r->esp,
        };
        return 0;
    }
    return -1;
}

static void set_first_argument(const struct iovec *registers, uint64_t value)
{
    if (registers->iov_len == sizeof(struct user_regs_struct))
        ((struct user_regs_struct *)registers->iov_base)->rdi = value;
    else
        ((struct i386_registers *)registers->iov_base)->ebx = (uint32_t)value;
}

/* Where each of them lies in struct user_regs_struct, in DWARF's order (System V ABI for AMD64, figure 3.36). */
static const size_t places[STACK_REGISTERS] = {
    offsetof(struct user_regs_struct, rax), offsetof(struct user_regs_struct, rdx),
    offsetof(struct user_regs_struct, rcx), offsetof(struct user_regs_struct, rbx),
    offsetof(struct user_regs_struct, rsi), offsetof(struct user_regs_struct, rdi),
    offsetof(struct user_regs_struct, rbp), offsetof(struct user_regs_struct, rsp),
    offsetof(struct user_regs_struct, r8),  offsetof(struct user_regs_struct, r9),
    offsetof(struct user_regs_struct, r10), offsetof(struct user_regs_struct, r11),
    offsetof(struct user_regs_struct, r12), offsetof(struct user_regs_struct, r13),
    offsetof(struct user_regs_struct, r14), offsetof(struct user_regs_struct, r15),
    offsetof(struct user_regs_struct, rip),
};

static int all_registers(const struct iovec *registers, struct arch_registers *ret)
{
    const struct user_regs_struct *r = registers->iov_base;

    if (registers->iov_len != sizeof *r)
        return -1;
    for (size_t i = 0; i < STACK_REGISTERS; i++)
        memcpy(&ret->dwarf[i], (const char *)r + places[i], sizeof ret->dwarf[i]);
    ret->flags = r->eflags;
    ret->thread_addr = r->fs_base;
    return 0;
}

static int set_all_registers(const struct iovec *registers, const struct arch_registers *values)
{
    struct user_regs_struct *r = registers->iov_base;

    if (registers->iov_len != sizeof *r)
        return -1;
    for (size_t i = 0; i < STACK_REGISTERS; i++)
        memcpy((char *)r + places[i], &values->dwarf[i], sizeof values->dwarf[i]);
    r->eflags = values->flags;
    return 0;
}

/* x32 shares AUDIT_ARCH_X86_64 and marks its numbers with __X32_SYSCALL_BIT. */
static bool rejected(uint32_t audit, uint64_t number)
{
    return audit == AUDIT_ARCH_X86_64 && (number & 0x40000000u);
}

const struct arch arch_native = {
    .abis = abis,
    .calls = calls,
    .call_count = sizeof calls / sizeof calls[0],
    .state = state,
    .trap = 0xcc,                    /* int3 */
    .arguments = {5, 4, 1, 2, 8, 9}, /* System V ABI for AMD64, 3.2.3 */
    .result = 0,
    .set_first_argument = set_first_argument,
    .registers = all_registers,
    .set_registers = set_all_registers,
    .rejected = rejected,
};

enum abi arch_abi_of(const struct arch *arch, uint32_t audit)
{
    enum abi abi = ABI_NATIVE;

    while (abi < ABI_COUNT && arch->abis[abi].audit != audit)
        abi++;
    return abi;
}
