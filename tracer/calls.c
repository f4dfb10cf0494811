#include "calls.h"

#include <probes/alloc.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Kernel names that older headers lack; values from include/uapi/linux/prctl.h and ptrace.h. */
enum { OPTION_SET_DUMPABLE = 4, OPTION_SET_SECCOMP = 22, OPTION_SET_NO_NEW_PRIVS = 38 };

enum { LARGE = 1 << 30 };

/* Rows of one name stand together and their conditions exclude each other (of those that the filter has; else
 * the first one counts). Descriptors and flags are ints: the upper
 * half of the register is not theirs. */
const struct call calls[] = {
    {"open", CALL_PLAIN, true, {{0}}},
    {"openat", CALL_PLAIN, true, {{0}}},
    {"openat2", CALL_OPENAT2, true, {{0}}},
    {"creat", CALL_PLAIN, true, {{0}}},
    {"readlink", CALL_READLINK, true, {{0}}},
    {"readlinkat", CALL_READLINK, true, {{0}}},
    {"stat", CALL_PLAIN, true, {{0}}},
    {"lstat", CALL_PLAIN, true, {{0}}},
    /* With AT_EMPTY_PATH it is fstat(3): the file is open already, nothing can be missing. */
    {"newfstatat", CALL_PLAIN, true, {{3, AT_EMPTY_PATH, 0}}},
    {"stat64", CALL_PLAIN, true, {{0}}}, /* i386's names */
    {"lstat64", CALL_PLAIN, true, {{0}}},
    {"fstatat64", CALL_PLAIN, true, {{3, AT_EMPTY_PATH, 0}}},
    {"statx", CALL_PLAIN, true, {{2, AT_EMPTY_PATH, 0}}},
    {"access", CALL_PLAIN, true, {{0}}},
    {"faccessat", CALL_PLAIN, true, {{0}}},
    {"faccessat2", CALL_PLAIN, true, {{0}}},
    /* What changes names and modes. */
    {"mkdir", CALL_PLAIN, true, {{0}}},
    {"mkdirat", CALL_PLAIN, true, {{0}}},
    {"rmdir", CALL_PLAIN, true, {{0}}},
    {"unlink", CALL_PLAIN, true, {{0}}},
    {"unlinkat", CALL_PLAIN, true, {{0}}},
    {"rename", CALL_PLAIN, true, {{0}}},
    {"renameat", CALL_PLAIN, true, {{0}}},
    {"renameat2", CALL_PLAIN, true, {{0}}},
    {"link", CALL_PLAIN, true, {{0}}},
    {"linkat", CALL_PLAIN, true, {{0}}},
    {"symlink", CALL_PLAIN, true, {{0}}},
    {"symlinkat", CALL_PLAIN, true, {{0}}},
    {"chmod", CALL_PLAIN, true, {{0}}},
    {"fchmodat", CALL_PLAIN, true, {{0}}},
    {"chown", CALL_PLAIN, true, {{0}}},
    {"lchown", CALL_PLAIN, true, {{0}}},
    {"fchownat", CALL_PLAIN, true, {{0}}},
    {"truncate", CALL_PLAIN, true, {{0}}},
    {"mknod", CALL_PLAIN, true, {{0}}},
    {"mknodat", CALL_PLAIN, true, {{0}}},
    /* Of files only. What the loader cannot map executable (a noexec mount) it reports without a reason, so that result
     * is wanted; a mapping of plain data decides nothing, and every library has four. */
    {"mmap", CALL_PLAIN, true, {{3, MAP_ANONYMOUS, 0}, {2, PROT_EXEC, PROT_EXEC}}},
    {"mmap", CALL_DETAIL, true, {{3, MAP_ANONYMOUS, 0}, {2, PROT_EXEC, 0}}},
    /* Memory that is refused without a limit being set is asked for in one large piece (overcommitting, mmap(2)). */
    {"mmap", CALL_PLAIN, true, {{3, MAP_ANONYMOUS, MAP_ANONYMOUS}, {1, 0, LARGE}}},
    {"mmap", CALL_CLOSE, true, {{3, MAP_ANONYMOUS, MAP_ANONYMOUS}}},
    {"mmap2", CALL_PLAIN, true, {{3, MAP_ANONYMOUS, 0}, {2, PROT_EXEC, PROT_EXEC}}},
    {"mmap2", CALL_DETAIL, true, {{3, MAP_ANONYMOUS, 0}, {2, PROT_EXEC, 0}}},
    {"execve", CALL_EXECVE, true, {{0}}},
    {"execveat", CALL_EXECVEAT, true, {{0}}},
    {"connect", CALL_CONNECT, true, {{0}}},
    /* What came of a connect(2) that did not wait. */
    {"getsockopt", CALL_OUTCOME, true, {{1, 0xffffffff, SOL_SOCKET}, {2, 0xffffffff, SO_ERROR}}},
    {"chdir", CALL_CHDIR, true, {{0}}},
    {"fchdir", CALL_CHDIR, true, {{0}}},
    {"chroot", CALL_ROOT, true, {{0}}},
    {"pivot_root", CALL_ROOT, true, {{0}}},
    {"unshare", CALL_ROOT, true, {{0}}},
    {"setns", CALL_ROOT, true, {{0}}},
    {"clone", CALL_CLONE, true, {{0}}},
    {"clone3", CALL_CLONE3, true, {{0}}},
    {"fork", CALL_CLONE, true, {{0}}},
    {"vfork", CALL_CLONE, true, {{0}}},
    {"exit", CALL_LEAVE, false, {{0}}},
    {"exit_group", CALL_LEAVE, false, {{0}}},
    {"inotify_init", CALL_PLAIN, true, {{0}}},
    {"inotify_init1", CALL_PLAIN, true, {{0}}},
    {"inotify_add_watch", CALL_PLAIN, true, {{0}}},
    {"memfd_create", CALL_PLAIN, true, {{0}}},
    /* What makes a descriptor, and so may meet the limit of them; rare in programs that do much else. */
    {"socket", CALL_PLAIN, true, {{0}}},
    {"socketpair", CALL_PLAIN, true, {{0}}},
    {"accept", CALL_PLAIN, true, {{0}}},
    {"accept4", CALL_PLAIN, true, {{0}}},
    {"pipe", CALL_PLAIN, true, {{0}}},
    {"pipe2", CALL_PLAIN, true, {{0}}},
    {"dup", CALL_PLAIN, true, {{0}}},
    {"epoll_create", CALL_PLAIN, true, {{0}}},
    {"epoll_create1", CALL_PLAIN, true, {{0}}},
    {"eventfd2", CALL_PLAIN, true, {{0}}},
    {"timerfd_create", CALL_PLAIN, true, {{0}}},
    {"signalfd4", CALL_PLAIN, true, {{0}}},
    /* What policies and kernels refuse, and what asks a file system for room. */
    {"io_uring_setup", CALL_PLAIN, true, {{0}}},
    {"pidfd_open", CALL_PLAIN, true, {{0}}},
    {"userfaultfd", CALL_PLAIN, true, {{0}}},
    {"perf_event_open", CALL_PLAIN, true, {{0}}},
    {"bpf", CALL_PLAIN, true, {{0}}},
    {"keyctl", CALL_PLAIN, true, {{0}}},
    {"mount", CALL_PLAIN, true, {{0}}},
    {"mlock", CALL_PLAIN, true, {{0}}},
    {"mlock2", CALL_PLAIN, true, {{0}}},
    {"mlockall", CALL_PLAIN, true, {{0}}},
    {"fallocate", CALL_PLAIN, true, {{0}}},
    {"ftruncate", CALL_PLAIN, true, {{0}}},
    /* The same, and made once in a while by few. */
    {"acct", CALL_PLAIN, true, {{0}}},
    {"add_key", CALL_PLAIN, true, {{0}}},
    {"adjtimex", CALL_PLAIN, true, {{0}}},
    {"bind", CALL_CONNECT, true, {{0}}},
    {"capset", CALL_PLAIN, true, {{0}}},
    {"clock_adjtime", CALL_PLAIN, true, {{0}}},
    {"clock_settime", CALL_PLAIN, true, {{0}}},
    {"delete_module", CALL_PLAIN, true, {{0}}},
    {"fanotify_init", CALL_PLAIN, true, {{0}}},
    {"finit_module", CALL_PLAIN, true, {{0}}},
    {"flock", CALL_PLAIN, true, {{0}}},
    {"fsetxattr", CALL_PLAIN, true, {{0}}},
    {"fsmount", CALL_PLAIN, true, {{0}}},
    {"fsopen", CALL_PLAIN, true, {{0}}},
    {"get_mempolicy", CALL_PLAIN, true, {{0}}},
    {"getrandom", CALL_PLAIN, true, {{0}}},
    {"init_module", CALL_PLAIN, true, {{0}}},
    {"io_setup", CALL_PLAIN, true, {{0}}},
    {"ioperm", CALL_PLAIN, true, {{0}}},
    {"iopl", CALL_PLAIN, true, {{0}}},
    {"ioprio_set", CALL_PLAIN, true, {{0}}},
    {"kcmp", CALL_PLAIN, true, {{0}}},
    {"kexec_load", CALL_PLAIN, true, {{0}}},
    {"landlock_create_ruleset", CALL_PLAIN, true, {{0}}},
    {"landlock_restrict_self", CALL_PLAIN, true, {{0}}},
    {"listen", CALL_PLAIN, true, {{0}}},
    {"lsetxattr", CALL_PLAIN, true, {{0}}},
    {"mbind", CALL_PLAIN, true, {{0}}},
    {"membarrier", CALL_PLAIN, true, {{0}}},
    {"memfd_secret", CALL_PLAIN, true, {{0}}},
    {"migrate_pages", CALL_PLAIN, true, {{0}}},
    {"mount_setattr", CALL_PLAIN, true, {{0}}},
    {"move_mount", CALL_PLAIN, true, {{0}}},
    {"move_pages", CALL_PLAIN, true, {{0}}},
    {"mq_open", CALL_PLAIN, true, {{0}}},
    {"msgget", CALL_PLAIN, true, {{0}}},
    {"name_to_handle_at", CALL_PLAIN, true, {{0}}},
    {"open_by_handle_at", CALL_PLAIN, true, {{0}}},
    {"open_tree", CALL_PLAIN, true, {{0}}},
    {"personality", CALL_PLAIN, true, {{0}}},
    {"pidfd_getfd", CALL_PLAIN, true, {{0}}},
    {"pidfd_send_signal", CALL_PLAIN, true, {{0}}},
    {"process_vm_readv", CALL_PLAIN, true, {{0}}},
    {"process_vm_writev", CALL_PLAIN, true, {{0}}},
    {"quotactl", CALL_PLAIN, true, {{0}}},
    {"reboot", CALL_PLAIN, true, {{0}}},
    {"request_key", CALL_PLAIN, true, {{0}}},
    {"sched_setattr", CALL_PLAIN, true, {{0}}},
    {"sched_setparam", CALL_PLAIN, true, {{0}}},
    {"sched_setscheduler", CALL_PLAIN, true, {{0}}},
    {"semget", CALL_PLAIN, true, {{0}}},
    {"setdomainname", CALL_PLAIN, true, {{0}}},
    {"setgid", CALL_PLAIN, true, {{0}}},
    {"setgroups", CALL_PLAIN, true, {{0}}},
    {"sethostname", CALL_PLAIN, true, {{0}}},
    {"setpriority", CALL_PLAIN, true, {{0}}},
    {"setregid", CALL_PLAIN, true, {{0}}},
    {"setresgid", CALL_PLAIN, true, {{0}}},
    {"setresuid", CALL_PLAIN, true, {{0}}},
    {"setreuid", CALL_PLAIN, true, {{0}}},
    {"setsid", CALL_PLAIN, true, {{0}}},
    {"settimeofday", CALL_PLAIN, true, {{0}}},
    {"setuid", CALL_PLAIN, true, {{0}}},
    {"setxattr", CALL_PLAIN, true, {{0}}},
    {"shmat", CALL_PLAIN, true, {{0}}},
    {"shmget", CALL_PLAIN, true, {{0}}},
    {"swapoff", CALL_PLAIN, true, {{0}}},
    {"swapon", CALL_PLAIN, true, {{0}}},
    {"syslog", CALL_PLAIN, true, {{0}}},
    {"timer_create", CALL_PLAIN, true, {{0}}},
    {"umount2", CALL_PLAIN, true, {{0}}},
    {"vhangup", CALL_PLAIN, true, {{0}}},
    {"kill", CALL_PLAIN, true, {{0}}},
    {"setrlimit", CALL_LIMIT, true, {{0, 0xffffffff, RLIMIT_AS}}},
    {"setrlimit", CALL_LIMIT, true, {{0, 0xffffffff, RLIMIT_DATA}}},
    {"prlimit64", CALL_LIMIT, true, {{1, 0xffffffff, RLIMIT_AS}}},
    {"prlimit64", CALL_LIMIT, true, {{1, 0xffffffff, RLIMIT_DATA}}},
    {"brk", CALL_CLOSE, true, {{0}}},
    {"mremap", CALL_CLOSE, true, {{0}}},
    {"mprotect", CALL_CLOSE, true, {{0}}},
    {"prctl", CALL_RULES, true, {{0, 0xffffffff, OPTION_SET_SECCOMP}}},
    {"prctl", CALL_RULES, true, {{0, 0xffffffff, OPTION_SET_NO_NEW_PRIVS}}},
    {"prctl", CALL_DUMPABLE, false, {{0, 0xffffffff, OPTION_SET_DUMPABLE}}},
    {"seccomp", CALL_RULES, true, {{0, 0xfffffffe, 0}}}, /* SECCOMP_SET_MODE_STRICT, _FILTER: not the questions */
    {"ptrace", CALL_PTRACE, true, {{0, 0xffffffff, PTRACE_TRACEME}}},
    {"ptrace", CALL_PTRACE, true, {{0, 0xffffffff, PTRACE_ATTACH}}},
    {"ptrace", CALL_PTRACE, true, {{0, 0xffffffff, PTRACE_SEIZE}}},
    {"sched_getaffinity", CALL_AFFINITY, false, {{0}}},
    {"sched_setaffinity", CALL_AFFINITY, true, {{0}}},
    {"rt_sigaction", CALL_SIGACTION, false, {{0, 0xffffffff, SIGTRAP}}},
    {"write", CALL_WRITE, false, {{0, 0xffffffff, 2}}},
    /* Complaints on standard output are short, and what a program is there to print comes in blocks (setvbuf(3)). */
    {"write", CALL_SPOKEN, false, {{0, 0xffffffff, 1}, {2, ~(uint64_t)0x3ff, 0}}},
    {"writev", CALL_WRITEV, false, {{0, 0xffffffff, 2}}},
    {"pwrite64", CALL_WRITE, false, {{0, 0xffffffff, 2}}},
    {"sendmsg", CALL_SENDMSG, false, {{0, 0xffffffff, 2}}},
};
const size_t call_count = sizeof calls / sizeof calls[0];

static short first_call(const char *row)
{
    for (size_t i = 0; i < call_count; i++)
        if (!strcmp(calls[i].row, row))
            return (short)(i + 1);
    return 0;
}

void call_index_init(struct call_index *index, const struct arch *arch, bool full)
{
    *index = (struct call_index){.full = full};
    for (size_t i = 0; i < arch->call_count; i++) {
        const struct arch_call *call = &arch->calls[i];
        size_t *size = &index->size[call->abi];
        short **first = &index->first[call->abi];

        if ((size_t)call->number >= *size) {
            size_t wanted = (size_t)call->number + 1;

            *first = xreallocarray(*first, wanted, sizeof **first);
            memset(*first + *size, 0, (wanted - *size) * sizeof **first);
            *size = wanted;
        }
        (*first)[call->number] = first_call(call->row);
    }
}

void call_index_deinit(struct call_index *index)
{
    for (size_t abi = 0; abi < ABI_COUNT; abi++)
        free(index->first[abi]);
}

static bool holds(const struct call *call, const uint64_t args[6])
{
    for (size_t i = 0; i < sizeof call->conditions / sizeof call->conditions[0]; i++) {
        const struct call_condition *condition = &call->conditions[i];

        if (condition->mask ? (args[condition->arg] & condition->mask) != condition->value
                            : args[condition->arg] < condition->value)
            return false;
    }
    return true;
}

bool call_is_filtered(const struct call_index *index, const struct call *call)
{
    return call->kind != CALL_CLOSE && (call->kind != CALL_DETAIL || index->full);
}

const struct call *call_find_any(const struct call_index *index, enum abi abi, uint64_t number, const uint64_t args[6])
{
    if (abi >= ABI_COUNT || number >= index->size[abi] || !index->first[abi][number])
        return NULL;
    size_t first = (size_t)index->first[abi][number] - 1;

    for (size_t i = first; i < call_count && !strcmp(calls[i].row, calls[first].row); i++)
        if (holds(&calls[i], args))
            return &calls[i];
    return NULL;
}

const struct call *call_find(const struct call_index *index, enum abi abi, uint64_t number, const uint64_t args[6])
{
    const struct call *call = call_find_any(index, abi, number, args);

    return call && call_is_filtered(index, call) ? call : NULL;
}
