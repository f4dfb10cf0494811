#include "line_signal.h"

#include <linux/audit.h>
#include <signal.h>

struct code {
    int signal; /* 0: any */
    int code;
    const char *name;
};

/* Values: include/uapi/asm-generic/siginfo.h; written out, because not every C library has all of them. */
static const struct code codes[] = {
    {0, 0, "SI_USER"},
    {0, 0x80, "SI_KERNEL"},
    {0, -1, "SI_QUEUE"},
    {0, -2, "SI_TIMER"},
    {0, -3, "SI_MESGQ"},
    {0, -4, "SI_ASYNCIO"},
    {0, -5, "SI_SIGIO"},
    {0, -6, "SI_TKILL"},
    {0, -7, "SI_DETHREAD"},
    {0, -60, "SI_ASYNCNL"},
    {SIGILL, 1, "ILL_ILLOPC"},
    {SIGILL, 2, "ILL_ILLOPN"},
    {SIGILL, 3, "ILL_ILLADR"},
    {SIGILL, 4, "ILL_ILLTRP"},
    {SIGILL, 5, "ILL_PRVOPC"},
    {SIGILL, 6, "ILL_PRVREG"},
    {SIGILL, 7, "ILL_COPROC"},
    {SIGILL, 8, "ILL_BADSTK"},
    {SIGILL, 9, "ILL_BADIADDR"},
    {SIGFPE, 1, "FPE_INTDIV"},
    {SIGFPE, 2, "FPE_INTOVF"},
    {SIGFPE, 3, "FPE_FLTDIV"},
    {SIGFPE, 4, "FPE_FLTOVF"},
    {SIGFPE, 5, "FPE_FLTUND"},
    {SIGFPE, 6, "FPE_FLTRES"},
    {SIGFPE, 7, "FPE_FLTINV"},
    {SIGFPE, 8, "FPE_FLTSUB"},
    {SIGFPE, 14, "FPE_FLTUNK"},
    {SIGFPE, 15, "FPE_CONDTRAP"},
    {SIGSEGV, 1, "SEGV_MAPERR"},
    {SIGSEGV, 2, "SEGV_ACCERR"},
    {SIGSEGV, 3, "SEGV_BNDERR"},
    {SIGSEGV, 4, "SEGV_PKUERR"},
    {SIGSEGV, 5, "SEGV_ACCADI"},
    {SIGSEGV, 6, "SEGV_ADIDERR"},
    {SIGSEGV, 7, "SEGV_ADIPERR"},
    {SIGSEGV, 8, "SEGV_MTEAERR"},
    {SIGSEGV, 9, "SEGV_MTESERR"},
    {SIGBUS, 1, "BUS_ADRALN"},
    {SIGBUS, 2, "BUS_ADRERR"},
    {SIGBUS, 3, "BUS_OBJERR"},
    {SIGBUS, 4, "BUS_MCEERR_AR"},
    {SIGBUS, 5, "BUS_MCEERR_AO"},
    {SIGTRAP, 1, "TRAP_BRKPT"},
    {SIGTRAP, 2, "TRAP_TRACE"},
    {SIGTRAP, 3, "TRAP_BRANCH"},
    {SIGTRAP, 4, "TRAP_HWBKPT"},
    {SIGTRAP, 5, "TRAP_UNK"},
    {SIGTRAP, 6, "TRAP_PERF"},
    {SIGCHLD, 1, "CLD_EXITED"},
    {SIGCHLD, 2, "CLD_KILLED"},
    {SIGCHLD, 3, "CLD_DUMPED"},
    {SIGCHLD, 4, "CLD_TRAPPED"},
    {SIGCHLD, 5, "CLD_STOPPED"},
    {SIGCHLD, 6, "CLD_CONTINUED"},
    {SIGIO, 1, "POLL_IN"},
    {SIGIO, 2, "POLL_OUT"},
    {SIGIO, 3, "POLL_MSG"},
    {SIGIO, 4, "POLL_ERR"},
    {SIGIO, 5, "POLL_PRI"},
    {SIGIO, 6, "POLL_HUP"},
    {SIGSYS, 1, "SYS_SECCOMP"},
    {SIGSYS, 2, "SYS_USER_DISPATCH"},
};
enum { CHILD_EXITED = 1, FROM_QUEUE = -1, FROM_TIMER = -2, FROM_KERNEL = 0x80, FROM_FILTER = 1 };

const char *line_signal_code(int signal, int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code && (!codes[i].signal || codes[i].signal == signal))
            return codes[i].name;
    return NULL;
}

static void add_name(struct text *out, const char *key, const char *name, int value)
{
    if (name)
        text_addf(out, "%s%s", key, name);
    else
        text_addf(out, "%s%d", key, value);
}

static void add_pointer(struct text *out, const char *key, uint64_t addr)
{
    if (addr)
        text_addf(out, "%s%#llx", key, (unsigned long long)addr);
    else
        text_addf(out, "%sNULL", key);
}

/* Clock ticks are hundredths of a second on all our machines (USER_HZ, sysconf(3) _SC_CLK_TCK). */
static void add_ticks(struct text *out, const char *key, int64_t ticks)
{
    text_addf(out, "%s%lld", key, (long long)ticks);
    if (ticks > 0)
        text_addf(out, " /* %lld.%02lld s */", (long long)ticks / 100, (long long)ticks % 100);
}

static void add_child(struct text *out, const struct event_signal *signal)
{
    bool exited = signal->code == CHILD_EXITED;

    text_addf(out, ", si_pid=%d, si_uid=%u", signal->child, signal->uid);
    add_name(out, ", si_status=", exited ? NULL : signal_name(signal->status), signal->status);
    add_ticks(out, ", si_utime=", signal->utime);
    add_ticks(out, ", si_stime=", signal->stime);
}

static void add_refused_call(struct text *out, const struct event_signal *signal)
{
    const char *arch = signal->arch == AUDIT_ARCH_X86_64    ? "AUDIT_ARCH_X86_64"
                       : signal->arch == AUDIT_ARCH_I386    ? "AUDIT_ARCH_I386"
                       : signal->arch == AUDIT_ARCH_AARCH64 ? "AUDIT_ARCH_AARCH64"
                                                            : NULL;

    add_pointer(out, ", si_call_addr=", signal->fault_addr);
    text_addf(out, ", si_syscall=%d", signal->call);
    if (arch)
        text_addf(out, ", si_arch=%s", arch);
    else
        text_addf(out, ", si_arch=%#x", signal->arch);
}

/* Codes above 0 are the kernel's own and mean something else for each signal. */
static void add_kernel_fields(struct text *out, const struct event_signal *signal)
{
    switch (signal->signal) {
    case SIGCHLD:
        add_child(out, signal);
        break;
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
        add_pointer(out, ", si_addr=", signal->fault_addr);
        break;
    case SIGIO:
        if (signal->code != FROM_KERNEL)
            text_addf(out, ", si_band=%lld, si_fd=%d", (long long)signal->band, signal->fd);
        break;
    case SIGSYS:
        if (signal->code == FROM_FILTER)
            add_refused_call(out, signal);
        break;
    default:
        if (signal->sender || signal->uid)
            text_addf(out, ", si_pid=%d, si_uid=%u", signal->sender, signal->uid);
    }
}

static void add_value(struct text *out, uint64_t value)
{
    text_addf(out, ", si_int=%d", (int)(uint32_t)value);
    add_pointer(out, ", si_ptr=", value);
}

void line_signal_add(const struct event_signal *signal, struct text *out)
{
    const char *name = signal_name(signal->signal);

    add_name(out, "--- ", name, signal->signal);
    add_name(out, " {si_signo=", name, signal->signal);
    add_name(out, ", si_code=", line_signal_code(signal->signal, signal->code), signal->code);
    if (signal->code > 0) {
        add_kernel_fields(out, signal);
    } else if (signal->code == FROM_TIMER) {
        text_addf(out, ", si_timerid=%#x, si_overrun=%d", (unsigned)signal->timer, signal->overrun);
        add_value(out, signal->value);
    } else {
        text_addf(out, ", si_pid=%d, si_uid=%u", signal->sender, signal->uid);
        if (signal->code == FROM_QUEUE)
            add_value(out, signal->value);
    }
    text_add(out, "} ---");
}
