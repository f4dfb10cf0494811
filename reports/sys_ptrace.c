/* ptrace(2), whose arguments mean something else for each request. */
#include "sys.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

enum shape {
    ADDR_DATA,    /* two pointers */
    ALONE,        /* the request only */
    PID_ONLY,     /* request and process */
    DATA_ONLY,    /* no address */
    ADDR_SIGNAL,  /* data is a signal to deliver */
    ADDR_OPTIONS, /* data is a set of PTRACE_O_ */
    SIZE_DATA,    /* the address is a size */
    NOTE_DATA,    /* the address is a kind of register set */
};

static const struct request {
    unsigned value;
    const char *name;
    enum shape shape;
} requests[] = {
    {0, "PTRACE_TRACEME", ALONE},
    {1, "PTRACE_PEEKTEXT", ADDR_DATA},
    {2, "PTRACE_PEEKDATA", ADDR_DATA},
    {3, "PTRACE_PEEKUSER", ADDR_DATA},
    {4, "PTRACE_POKETEXT", ADDR_DATA},
    {5, "PTRACE_POKEDATA", ADDR_DATA},
    {6, "PTRACE_POKEUSER", ADDR_DATA},
    {7, "PTRACE_CONT", ADDR_SIGNAL},
    {8, "PTRACE_KILL", PID_ONLY},
    {9, "PTRACE_SINGLESTEP", ADDR_SIGNAL},
    {12, "PTRACE_GETREGS", DATA_ONLY},
    {13, "PTRACE_SETREGS", DATA_ONLY},
    {14, "PTRACE_GETFPREGS", DATA_ONLY},
    {15, "PTRACE_SETFPREGS", DATA_ONLY},
    {16, "PTRACE_ATTACH", PID_ONLY},
    {17, "PTRACE_DETACH", ADDR_SIGNAL},
    {18, "PTRACE_GETFPXREGS", ADDR_DATA},
    {19, "PTRACE_SETFPXREGS", ADDR_DATA},
    {21, "PTRACE_OLDSETOPTIONS", ADDR_OPTIONS},
    {24, "PTRACE_SYSCALL", ADDR_SIGNAL},
    {25, "PTRACE_GET_THREAD_AREA", ADDR_DATA},
    {26, "PTRACE_SET_THREAD_AREA", ADDR_DATA},
    {30, "PTRACE_ARCH_PRCTL", ADDR_DATA},
    {31, "PTRACE_SYSEMU", ADDR_SIGNAL},
    {32, "PTRACE_SYSEMU_SINGLESTEP", ADDR_SIGNAL},
    {33, "PTRACE_SINGLEBLOCK", ADDR_SIGNAL},
    {0x4200, "PTRACE_SETOPTIONS", ADDR_OPTIONS},
    {0x4201, "PTRACE_GETEVENTMSG", ADDR_DATA},
    {0x4202, "PTRACE_GETSIGINFO", ADDR_DATA},
    {0x4203, "PTRACE_SETSIGINFO", ADDR_DATA},
    {0x4204, "PTRACE_GETREGSET", NOTE_DATA},
    {0x4205, "PTRACE_SETREGSET", NOTE_DATA},
    {0x4206, "PTRACE_SEIZE", ADDR_OPTIONS},
    {0x4207, "PTRACE_INTERRUPT", PID_ONLY},
    {0x4208, "PTRACE_LISTEN", PID_ONLY},
    {0x4209, "PTRACE_PEEKSIGINFO", ADDR_DATA},
    {0x420a, "PTRACE_GETSIGMASK", SIZE_DATA},
    {0x420b, "PTRACE_SETSIGMASK", SIZE_DATA},
    {0x420c, "PTRACE_SECCOMP_GET_FILTER", SIZE_DATA},
    {0x420d, "PTRACE_SECCOMP_GET_METADATA", SIZE_DATA},
    {0x420e, "PTRACE_GET_SYSCALL_INFO", SIZE_DATA},
    {0x420f, "PTRACE_GET_RSEQ_CONFIGURATION", ADDR_DATA},
};

static const struct name_of options[] = {
    {0x1, "PTRACE_O_TRACESYSGOOD"},         {0x2, "PTRACE_O_TRACEFORK"},     {0x4, "PTRACE_O_TRACEVFORK"},
    {0x8, "PTRACE_O_TRACECLONE"},           {0x10, "PTRACE_O_TRACEEXEC"},    {0x20, "PTRACE_O_TRACEVFORKDONE"},
    {0x40, "PTRACE_O_TRACEEXIT"},           {0x80, "PTRACE_O_TRACESECCOMP"}, {0x100000, "PTRACE_O_EXITKILL"},
    {0x200000, "PTRACE_O_SUSPEND_SECCOMP"},
};

static const struct name_of notes[] = {{1, "NT_PRSTATUS"}, {2, "NT_FPREGSET"}, {0x202, "NT_X86_XSTATE"}};

static void address_text(const struct call *call, struct text *out, enum shape shape)
{
    uint64_t addr = call_word(call, 2);

    if (shape == SIZE_DATA)
        text_addf(out, "%llu", (unsigned long long)addr);
    else if (shape == NOTE_DATA)
        sys_name(out, notes, COUNT(notes), addr, "NT_???");
    else
        sys_pointer(out, addr);
}

static void data_text(const struct call *call, struct text *out, enum shape shape)
{
    uint64_t data = call_word(call, 3);
    const char *name = data <= 64 ? signal_name((int)data) : NULL;

    if (shape == ADDR_OPTIONS)
        sys_flags(out, options, COUNT(options), data, "PTRACE_O_???");
    else if (shape == ADDR_SIGNAL && name)
        text_add(out, name);
    else if (shape == ADDR_SIGNAL)
        text_addf(out, "%d", (int)data);
    else
        sys_pointer(out, data);
}

void sys_ptrace(const struct call *call, struct text out[6])
{
    const struct request *request = NULL;
    enum shape shape = ADDR_DATA;
    uint64_t value = call_word(call, 0);

    for (size_t i = 0; i < COUNT(requests) && !request; i++)
        if (requests[i].value == value)
            request = &requests[i];
    if (request) {
        text_add(out++, request->name);
        shape = request->shape;
    } else {
        sys_unknown(out++, value, "PTRACE_???");
    }
    if (shape == ALONE)
        return;
    text_addf(out++, "%d", (int)call->args[1]);
    if (shape == PID_ONLY)
        return;
    if (shape != DATA_ONLY)
        address_text(call, out++, shape);
    data_text(call, out, shape);
}
