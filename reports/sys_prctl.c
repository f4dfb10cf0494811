/* prctl(2), whose arguments mean something else for each option. */
#include "sys.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* One letter for each argument after the option:
 *   u decimal  d int   x hexadecimal    p pointer     g signal      s name of at most 15 bytes   S the same, filled in
 *   i int filled in               w word filled in              c capability                 n a name from the table
 *   b bits from the table         f socket filter of mode 2 */
struct option {
    unsigned value;
    const char *name;
    const char *args;
    const struct name_of *names;
    size_t name_count;
    const char *kind;
};

static const struct name_of dump_modes[] = {{0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}};
static const struct name_of seccomp_modes[] = {
    {0, "SECCOMP_MODE_DISABLED"}, {1, "SECCOMP_MODE_STRICT"}, {2, "SECCOMP_MODE_FILTER"}};
static const struct name_of tsc_modes[] = {{1, "PR_TSC_ENABLE"}, {2, "PR_TSC_SIGSEGV"}};
static const struct name_of securebits[] = {
    {0x1, "SECBIT_NOROOT"},
    {0x2, "SECBIT_NOROOT_LOCKED"},
    {0x4, "SECBIT_NO_SETUID_FIXUP"},
    {0x8, "SECBIT_NO_SETUID_FIXUP_LOCKED"},
    {0x10, "SECBIT_KEEP_CAPS"},
    {0x20, "SECBIT_KEEP_CAPS_LOCKED"},
    {0x40, "SECBIT_NO_CAP_AMBIENT_RAISE"},
    {0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
};
static const struct name_of mce_kinds[] = {{0, "PR_MCE_KILL_CLEAR"}, {1, "PR_MCE_KILL_SET"}};
static const struct name_of mm_fields[] = {
    {1, "PR_SET_MM_START_CODE"},  {2, "PR_SET_MM_END_CODE"},   {3, "PR_SET_MM_START_DATA"}, {4, "PR_SET_MM_END_DATA"},
    {5, "PR_SET_MM_START_STACK"}, {6, "PR_SET_MM_START_BRK"},  {7, "PR_SET_MM_BRK"},        {8, "PR_SET_MM_ARG_START"},
    {9, "PR_SET_MM_ARG_END"},     {10, "PR_SET_MM_ENV_START"}, {11, "PR_SET_MM_ENV_END"},   {12, "PR_SET_MM_AUXV"},
    {13, "PR_SET_MM_EXE_FILE"},   {14, "PR_SET_MM_MAP"},       {15, "PR_SET_MM_MAP_SIZE"},
};
static const struct name_of ambient_ops[] = {{1, "PR_CAP_AMBIENT_IS_SET"},
                                             {2, "PR_CAP_AMBIENT_RAISE"},
                                             {3, "PR_CAP_AMBIENT_LOWER"},
                                             {4, "PR_CAP_AMBIENT_CLEAR_ALL"}};
static const struct name_of speculations[] = {
    {0, "PR_SPEC_STORE_BYPASS"}, {1, "PR_SPEC_INDIRECT_BRANCH"}, {2, "PR_SPEC_L1D_FLUSH"}};
static const struct name_of dispatch_modes[] = {{0, "PR_SYS_DISPATCH_OFF"}, {1, "PR_SYS_DISPATCH_ON"}};
static const struct name_of vma_ops[] = {{0, "PR_SET_VMA_ANON_NAME"}};
static const struct name_of capabilities[] = {
    {0, "CAP_CHOWN"},
    {1, "CAP_DAC_OVERRIDE"},
    {2, "CAP_DAC_READ_SEARCH"},
    {3, "CAP_FOWNER"},
    {4, "CAP_FSETID"},
    {5, "CAP_KILL"},
    {6, "CAP_SETGID"},
    {7, "CAP_SETUID"},
    {8, "CAP_SETPCAP"},
    {9, "CAP_LINUX_IMMUTABLE"},
    {10, "CAP_NET_BIND_SERVICE"},
    {11, "CAP_NET_BROADCAST"},
    {12, "CAP_NET_ADMIN"},
    {13, "CAP_NET_RAW"},
    {14, "CAP_IPC_LOCK"},
    {15, "CAP_IPC_OWNER"},
    {16, "CAP_SYS_MODULE"},
    {17, "CAP_SYS_RAWIO"},
    {18, "CAP_SYS_CHROOT"},
    {19, "CAP_SYS_PTRACE"},
    {20, "CAP_SYS_PACCT"},
    {21, "CAP_SYS_ADMIN"},
    {22, "CAP_SYS_BOOT"},
    {23, "CAP_SYS_NICE"},
    {24, "CAP_SYS_RESOURCE"},
    {25, "CAP_SYS_TIME"},
    {26, "CAP_SYS_TTY_CONFIG"},
    {27, "CAP_MKNOD"},
    {28, "CAP_LEASE"},
    {29, "CAP_AUDIT_WRITE"},
    {30, "CAP_AUDIT_CONTROL"},
    {31, "CAP_SETFCAP"},
    {32, "CAP_MAC_OVERRIDE"},
    {33, "CAP_MAC_ADMIN"},
    {34, "CAP_SYSLOG"},
    {35, "CAP_WAKE_ALARM"},
    {36, "CAP_BLOCK_SUSPEND"},
    {37, "CAP_AUDIT_READ"},
    {38, "CAP_PERFMON"},
    {39, "CAP_BPF"},
    {40, "CAP_CHECKPOINT_RESTORE"},
};

/* Values: include/uapi/linux/prctl.h. */
static const struct option options[] = {
    {1, "PR_SET_PDEATHSIG", "g", NULL, 0, NULL},
    {2, "PR_GET_PDEATHSIG", "i", NULL, 0, NULL},
    {3, "PR_GET_DUMPABLE", "", NULL, 0, NULL},
    {4, "PR_SET_DUMPABLE", "n", dump_modes, COUNT(dump_modes), "SUID_DUMP_???"},
    {7, "PR_GET_KEEPCAPS", "", NULL, 0, NULL},
    {8, "PR_SET_KEEPCAPS", "u", NULL, 0, NULL},
    {13, "PR_GET_TIMING", "", NULL, 0, NULL},
    {14, "PR_SET_TIMING", "u", NULL, 0, NULL},
    {15, "PR_SET_NAME", "s", NULL, 0, NULL},
    {16, "PR_GET_NAME", "S", NULL, 0, NULL},
    {21, "PR_GET_SECCOMP", "", NULL, 0, NULL},
    {22, "PR_SET_SECCOMP", "nf", seccomp_modes, COUNT(seccomp_modes), "SECCOMP_MODE_???"},
    {23, "PR_CAPBSET_READ", "c", NULL, 0, NULL},
    {24, "PR_CAPBSET_DROP", "c", NULL, 0, NULL},
    {26, "PR_SET_TSC", "n", tsc_modes, COUNT(tsc_modes), "PR_TSC_???"},
    {27, "PR_GET_SECUREBITS", "", NULL, 0, NULL},
    {28, "PR_SET_SECUREBITS", "b", securebits, COUNT(securebits), "SECBIT_???"},
    {29, "PR_SET_TIMERSLACK", "u", NULL, 0, NULL},
    {30, "PR_GET_TIMERSLACK", "", NULL, 0, NULL},
    {31, "PR_TASK_PERF_EVENTS_DISABLE", "", NULL, 0, NULL},
    {32, "PR_TASK_PERF_EVENTS_ENABLE", "", NULL, 0, NULL},
    {33, "PR_MCE_KILL", "nxxx", mce_kinds, COUNT(mce_kinds), "PR_MCE_KILL_???"},
    {34, "PR_MCE_KILL_GET", "xxxx", NULL, 0, NULL},
    {35, "PR_SET_MM", "nxxx", mm_fields, COUNT(mm_fields), "PR_SET_MM_???"},
    {36, "PR_SET_CHILD_SUBREAPER", "u", NULL, 0, NULL},
    {37, "PR_GET_CHILD_SUBREAPER", "i", NULL, 0, NULL},
    {38, "PR_SET_NO_NEW_PRIVS", "uxxx", NULL, 0, NULL},
    {39, "PR_GET_NO_NEW_PRIVS", "xxxx", NULL, 0, NULL},
    {40, "PR_GET_TID_ADDRESS", "w", NULL, 0, NULL},
    {41, "PR_SET_THP_DISABLE", "uxxx", NULL, 0, NULL},
    {42, "PR_GET_THP_DISABLE", "xxxx", NULL, 0, NULL},
    {47, "PR_CAP_AMBIENT", "ncxx", ambient_ops, COUNT(ambient_ops), "PR_CAP_AMBIENT_???"},
    {52, "PR_GET_SPECULATION_CTRL", "n", speculations, COUNT(speculations), "PR_SPEC_???"},
    {53, "PR_SET_SPECULATION_CTRL", "nx", speculations, COUNT(speculations), "PR_SPEC_???"},
    {57, "PR_SET_IO_FLUSHER", "uxxx", NULL, 0, NULL},
    {58, "PR_GET_IO_FLUSHER", "xxxx", NULL, 0, NULL},
    {59, "PR_SET_SYSCALL_USER_DISPATCH", "nxxp", dispatch_modes, COUNT(dispatch_modes), "PR_SYS_DISPATCH_???"},
    {0x53564d41, "PR_SET_VMA", "npup", vma_ops, COUNT(vma_ops), "PR_SET_VMA_???"},
    {0x59616d61, "PR_SET_PTRACER", "d", NULL, 0, NULL},
};

static void filled_int(const struct call *call, struct text *out, uint64_t addr)
{
    int value;

    if (call_succeeded(call) && mem_read(call->mem, addr, &value, sizeof value) == 0)
        text_addf(out, "[%d]", value);
    else
        sys_pointer(out, addr);
}

static void filled_word(const struct call *call, struct text *out, uint64_t addr)
{
    uint64_t value;

    if (call_succeeded(call) && mem_read_word(call->mem, addr, &value) == 0)
        text_addf(out, "[%#llx]", (unsigned long long)value);
    else
        sys_pointer(out, addr);
}

/* Names of threads are at most 15 bytes (prctl(2)). */
static void thread_name(const struct call *call, struct text *out, uint64_t addr)
{
    enum { NAME_BYTES = 15 };

    sys_string_at(out, call->mem, addr, NAME_BYTES);
}

static void filled_name(const struct call *call, struct text *out, uint64_t addr)
{
    if (call_succeeded(call))
        thread_name(call, out, addr);
    else
        sys_pointer(out, addr);
}

static void signal_or_number(struct text *out, uint64_t value)
{
    const char *name = value <= 64 ? signal_name((int)value) : NULL;

    if (name)
        text_add(out, name);
    else
        text_addf(out, "%llu", (unsigned long long)value);
}

static void argument(const struct call *call, const struct option *option, char letter, struct text *out)
{
    uint64_t value = call_word(call, call->i);

    switch (letter) {
    case 'u':
        text_addf(out, "%llu", (unsigned long long)value);
        return;
    case 'd':
        text_addf(out, "%d", (int)value);
        return;
    case 'p':
        sys_pointer(out, value);
        return;
    case 'g':
        signal_or_number(out, value);
        return;
    case 's':
        thread_name(call, out, value);
        return;
    case 'S':
        filled_name(call, out, value);
        return;
    case 'i':
        filled_int(call, out, value);
        return;
    case 'w':
        filled_word(call, out, value);
        return;
    case 'c':
        sys_name(out, capabilities, COUNT(capabilities), value, "CAP_???");
        return;
    case 'n':
        sys_name(out, option->names, option->name_count, value, option->kind);
        return;
    case 'b':
        sys_flags(out, option->names, option->name_count, value, option->kind);
        return;
    default:
        text_addf(out, "%#llx", (unsigned long long)value);
    }
}

/* PR_SET_SECCOMP: strict mode has no more arguments, filter mode a program, unknown modes the bare words. */
static const char *seccomp_args(const struct call *call)
{
    uint64_t mode = call_word(call, 1);

    return mode == 1 ? "n" : mode == 2 ? "nf" : "nxxx";
}

void sys_prctl(const struct call *call, struct text out[6])
{
    struct call inner = *call;
    const struct option *option = NULL;
    const char *args = "xxxx";
    unsigned value = (unsigned)call->args[0];

    for (size_t i = 0; i < COUNT(options) && !option; i++)
        if (options[i].value == value)
            option = &options[i];
    if (option) {
        text_add(&out[0], option->name);
        args = option->names == seccomp_modes ? seccomp_args(call) : option->args;
    } else {
        sys_unknown(&out[0], value, "PR_???");
    }
    for (inner.i = 1; args[inner.i - 1]; inner.i++)
        if (args[inner.i - 1] == 'f')
            sys_filter(&inner, &out[inner.i]);
        else
            argument(&inner, option, args[inner.i - 1], &out[inner.i]);
}
