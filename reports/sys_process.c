/* Calls that start, replace, end, trace and signal processes. */
#include "sys.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/ptrace.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct name_of clone_flags[] = {
    {CLONE_VM, "CLONE_VM"},
    {CLONE_FS, "CLONE_FS"},
    {CLONE_FILES, "CLONE_FILES"},
    {CLONE_SIGHAND, "CLONE_SIGHAND"},
    {CLONE_PIDFD, "CLONE_PIDFD"},
    {CLONE_PTRACE, "CLONE_PTRACE"},
    {CLONE_VFORK, "CLONE_VFORK"},
    {CLONE_PARENT, "CLONE_PARENT"},
    {CLONE_THREAD, "CLONE_THREAD"},
    {CLONE_NEWNS, "CLONE_NEWNS"},
    {CLONE_SYSVSEM, "CLONE_SYSVSEM"},
    {CLONE_SETTLS, "CLONE_SETTLS"},
    {CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"},
    {CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"},
    {CLONE_UNTRACED, "CLONE_UNTRACED"},
    {CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"},
    {CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
    {CLONE_NEWUTS, "CLONE_NEWUTS"},
    {CLONE_NEWIPC, "CLONE_NEWIPC"},
    {CLONE_NEWUSER, "CLONE_NEWUSER"},
    {CLONE_NEWPID, "CLONE_NEWPID"},
    {CLONE_NEWNET, "CLONE_NEWNET"},
    {CLONE_IO, "CLONE_IO"},
    /* clone3 only: clone's low byte is the signal, and it has no upper half */
    {0x80, "CLONE_NEWTIME"},
    {0x100000000, "CLONE_CLEAR_SIGHAND"},
    {0x200000000, "CLONE_INTO_CGROUP"},
};
enum { CLONE3_ONLY = 3 };

static const struct name_of unshare_flags[] = {
    {0x80, "CLONE_NEWTIME"},        {CLONE_VM, "CLONE_VM"},           {CLONE_FS, "CLONE_FS"},
    {CLONE_FILES, "CLONE_FILES"},   {CLONE_SIGHAND, "CLONE_SIGHAND"}, {CLONE_THREAD, "CLONE_THREAD"},
    {CLONE_NEWNS, "CLONE_NEWNS"},   {CLONE_SYSVSEM, "CLONE_SYSVSEM"}, {CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
    {CLONE_NEWUTS, "CLONE_NEWUTS"}, {CLONE_NEWIPC, "CLONE_NEWIPC"},   {CLONE_NEWUSER, "CLONE_NEWUSER"},
    {CLONE_NEWPID, "CLONE_NEWPID"}, {CLONE_NEWNET, "CLONE_NEWNET"},
};

static const struct name_of setns_flags[] = {
    {0x80, "CLONE_NEWTIME"},        {CLONE_NEWNS, "CLONE_NEWNS"},   {CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
    {CLONE_NEWUTS, "CLONE_NEWUTS"}, {CLONE_NEWIPC, "CLONE_NEWIPC"}, {CLONE_NEWUSER, "CLONE_NEWUSER"},
    {CLONE_NEWPID, "CLONE_NEWPID"}, {CLONE_NEWNET, "CLONE_NEWNET"},
};

static void signal_value_text(struct text *out, int number)
{
    const char *name = signal_name(number);

    if (name)
        text_add(out, name);
    else
        text_addf(out, "%d", number);
}

void sys_signal(const struct call *call, struct text *out)
{
    signal_value_text(out, (int)call->args[call->i]);
}

void sys_unshare_flags(const struct call *call, struct text *out)
{
    sys_flags(out, unshare_flags, COUNT(unshare_flags), call_word(call, call->i), "CLONE_???");
}

void sys_setns_flags(const struct call *call, struct text *out)
{
    sys_flags(out, setns_flags, COUNT(setns_flags), (uint32_t)call->args[call->i], "CLONE_NEW???");
}

/* A window on a vector of pointers in the other process, so that not every word is a read of its own. */
struct words {
    const struct mem *mem;
    uint64_t addr;
    unsigned char bytes[512];
    uint64_t first; /* index of the first word in bytes */
    size_t have;    /* words in bytes */
};

/* Word I, or -1 where it cannot be read. */
static int words_get(struct words *words, uint64_t i, uint64_t *ret)
{
    unsigned size = words->mem->word_size;
    uint32_t narrow;
    ssize_t n;

    if (i < words->first || i >= words->first + words->have) {
        n = words->mem->read(words->mem->ctx, words->addr + i * size, words->bytes, sizeof words->bytes);
        words->first = i;
        words->have = n > 0 ? (size_t)n / size : 0;
        if (!words->have)
            return -1;
    }
    if (size == 4) {
        memcpy(&narrow, words->bytes + (i - words->first) * 4, 4);
        *ret = narrow;
    } else {
        memcpy(ret, words->bytes + (i - words->first) * 8, 8);
    }
    return 0;
}

void sys_argv(const struct call *call, struct text *out)
{
    struct words words = {.mem = call->mem, .addr = call_word(call, call->i)};
    uint64_t addr;

    if (!words.addr || words_get(&words, 0, &addr) < 0) {
        sys_pointer(out, words.addr);
        return;
    }
    text_addc(out, '[');
    for (uint64_t i = 0;; i++) {
        if (words_get(&words, i, &addr) < 0) {
            text_addf(out, ", ... /* %#llx */", (unsigned long long)(words.addr + i * call->mem->word_size));
            break;
        }
        if (!addr)
            break;
        if (i)
            text_add(out, ", ");
        if (i >= SYS_SHOWN) {
            text_add(out, "...");
            break;
        }
        sys_string_at(out, call->mem, addr, SYS_SHOWN);
    }
    text_addc(out, ']');
}

enum { ENVIRONMENT_LIMIT = 1 << 20 }; /* more pointers than any execve(2) takes: a third of the largest stack */

void sys_environment(const struct call *call, struct text *out)
{
    struct words words = {.mem = call->mem, .addr = call_word(call, call->i)};
    uint64_t addr, count = 0;
    bool terminated = false;

    sys_pointer(out, words.addr);
    if (!words.addr || words_get(&words, 0, &addr) < 0)
        return;
    for (; count < ENVIRONMENT_LIMIT && words_get(&words, count, &addr) == 0; count++) {
        terminated = addr == 0;
        if (terminated)
            break;
    }
    text_addf(out, " /* %llu var%s%s */", (unsigned long long)count, count == 1 ? "" : "s",
              terminated ? "" : ", unterminated");
}

/* What the kernel stored at ADDR once the call has returned in the parent: "[4711]". */
static void stored_int(const struct call *call, struct text *out, uint64_t addr)
{
    int value;

    if (call_succeeded(call) && call->ret > 0 && addr && mem_read(call->mem, addr, &value, sizeof value) == 0)
        text_addf(out, "[%d]", value);
    else
        sys_pointer(out, addr);
}

static void clone_flags_and_signal(struct text *out, uint64_t flags)
{
    int number = (int)(flags & 0xff);

    if (flags & ~0xffull || !number)
        sys_flags(out, clone_flags, COUNT(clone_flags) - CLONE3_ONLY, flags & ~0xffull, "CLONE_???");
    if (flags & ~0xffull && number)
        text_addc(out, '|');
    if (number)
        signal_value_text(out, number);
}

/* x86-64 passes (flags, stack, parent_tid, child_tid, tls), the others (flags, stack, parent_tid, tls, child_tid):
 * clone(2), "C library/kernel differences". */
void sys_clone(const struct call *call, struct text out[6])
{
#if defined(__x86_64__)
    bool tls_last = call->mem->word_size == 8;
#else
    bool tls_last = false;
#endif
    uint64_t flags = call_word(call, 0) & 0xffffffff;
    struct text *next = out;

    text_add(next, "child_stack=");
    sys_pointer(next++, call_word(call, 1));
    text_add(next, "flags=");
    clone_flags_and_signal(next++, flags);
    if (flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) {
        text_add(next, "parent_tid=");
        stored_int(call, next++, call_word(call, 2));
    }
    if (flags & CLONE_SETTLS) {
        text_add(next, "tls=");
        sys_pointer(next++, call_word(call, tls_last ? 4 : 3));
    }
    if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
        text_add(next, "child_tidptr=");
        sys_pointer(next, call_word(call, tls_last ? 3 : 4));
    }
}

static void named_pointer(struct text *out, const char *name, uint64_t addr)
{
    text_addf(out, ", %s=", name);
    sys_pointer(out, addr);
}

/* set_tid: the pids wanted in each namespace, at most one a level (the kernel has 32). */
static void clone3_tids(const struct call *call, struct text *out, uint64_t addr, uint64_t count)
{
    int tids[32];

    text_add(out, ", set_tid=");
    if (!addr || !count || count > COUNT(tids) || mem_read(call->mem, addr, tids, count * sizeof tids[0]) < 0) {
        sys_pointer(out, addr);
    } else {
        text_addc(out, '[');
        for (uint64_t i = 0; i < count; i++)
            text_addf(out, "%s%d", i ? ", " : "", tids[i]);
        text_addc(out, ']');
    }
    text_addf(out, ", set_tid_size=%llu", (unsigned long long)count);
}

static void clone3_fields(const struct call *call, struct text *out, const struct clone_args *args, uint64_t size)
{
    text_add(out, "{flags=");
    sys_flags(out, clone_flags, COUNT(clone_flags), args->flags, "CLONE_???");
    if (args->flags & CLONE_PIDFD)
        named_pointer(out, "pidfd", args->pidfd);
    if (args->flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
        named_pointer(out, "child_tid", args->child_tid);
    if (args->flags & CLONE_PARENT_SETTID)
        named_pointer(out, "parent_tid", args->parent_tid);
    text_add(out, ", exit_signal=");
    signal_value_text(out, args->exit_signal > 64 ? -1 : (int)args->exit_signal);
    named_pointer(out, "stack", args->stack);
    text_addf(out, ", stack_size=%#llx", (unsigned long long)args->stack_size);
    if (args->flags & CLONE_SETTLS)
        named_pointer(out, "tls", args->tls);
    if (args->set_tid || args->set_tid_size)
        clone3_tids(call, out, args->set_tid, args->set_tid_size);
    if (size >= sizeof *args && (args->flags & 0x200000000 || args->cgroup))
        text_addf(out, ", cgroup=%llu", (unsigned long long)args->cgroup);
    text_addc(out, '}');
}

/* What the kernel filled in, which strace puts behind an arrow. */
static void clone3_results(const struct call *call, struct text *out, const struct clone_args *args)
{
    if (!call_succeeded(call) || call->ret <= 0 || !(args->flags & (CLONE_PIDFD | CLONE_PARENT_SETTID)))
        return;
    text_add(out, " => {");
    if (args->flags & CLONE_PIDFD) {
        text_add(out, "pidfd=");
        stored_int(call, out, args->pidfd);
    }
    if (args->flags & CLONE_PARENT_SETTID) {
        text_add(out, args->flags & CLONE_PIDFD ? ", parent_tid=" : "parent_tid=");
        stored_int(call, out, args->parent_tid);
    }
    text_addc(out, '}');
}

void sys_clone3(const struct call *call, struct text out[6])
{
    enum { FIRST_SIZE = 64 }; /* CLONE_ARGS_SIZE_VER0 */
    uint64_t addr = call_word(call, 0), size = call_word(call, 1);
    struct clone_args args = {0};
    size_t n = size < sizeof args ? size : sizeof args;

    if (addr && size >= FIRST_SIZE && mem_read(call->mem, addr, &args, n) == 0) {
        clone3_fields(call, &out[0], &args, size);
        clone3_results(call, &out[0], &args);
    } else {
        sys_pointer(&out[0], addr);
    }
    text_addf(&out[1], "%llu", (unsigned long long)size);
}

const struct syscall_desc sys_process_rows[] = {
    {"clone", "1", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"clone3", "2", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"execve", "Pae", FAMILY_PROCESS, NEED_RESULT, 0, -1, -1},
    {"execveat", "DPaeF", FAMILY_PROCESS, NEED_RESULT, 1, 0, -1},
    {"exit", "d", FAMILY_PROCESS, 0, -1, -1, -1},
    {"exit_group", "d", FAMILY_PROCESS, 0, -1, -1, -1},
    {"fork", "", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"kill", "dk", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"ptrace", "3", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"setns", "fb", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"unshare", "c", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
    {"vfork", "", FAMILY_PROCESS, NEED_RESULT, -1, -1, -1},
};
const size_t sys_process_row_count = COUNT(sys_process_rows);
