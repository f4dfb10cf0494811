/* Names of errors and signals: what the kernel's numbers are called, in strace's spelling.
 *
 * Numbers are Linux's for x86 and arm (include/uapi/asm-generic/errno.h, include/linux/errno.h, signal(7)); where one
 * number has two names (EAGAIN, EDEADLK, EOPNOTSUPP, SIGABRT, SIGIO) it is the one that strace prints. The tables are
 * ours, because the C library's own names need glibc 2.32 and know nothing of the kernel's internal restart codes. */
#include "event.h"

#include <errno.h>
#include <string.h>

static const char *const errors[] = {
    [EPERM] = "EPERM",
    [ENOENT] = "ENOENT",
    [ESRCH] = "ESRCH",
    [EINTR] = "EINTR",
    [EIO] = "EIO",
    [ENXIO] = "ENXIO",
    [E2BIG] = "E2BIG",
    [ENOEXEC] = "ENOEXEC",
    [EBADF] = "EBADF",
    [ECHILD] = "ECHILD",
    [EAGAIN] = "EAGAIN",
    [ENOMEM] = "ENOMEM",
    [EACCES] = "EACCES",
    [EFAULT] = "EFAULT",
    [ENOTBLK] = "ENOTBLK",
    [EBUSY] = "EBUSY",
    [EEXIST] = "EEXIST",
    [EXDEV] = "EXDEV",
    [ENODEV] = "ENODEV",
    [ENOTDIR] = "ENOTDIR",
    [EISDIR] = "EISDIR",
    [EINVAL] = "EINVAL",
    [ENFILE] = "ENFILE",
    [EMFILE] = "EMFILE",
    [ENOTTY] = "ENOTTY",
    [ETXTBSY] = "ETXTBSY",
    [EFBIG] = "EFBIG",
    [ENOSPC] = "ENOSPC",
    [ESPIPE] = "ESPIPE",
    [EROFS] = "EROFS",
    [EMLINK] = "EMLINK",
    [EPIPE] = "EPIPE",
    [EDOM] = "EDOM",
    [ERANGE] = "ERANGE",
    [EDEADLK] = "EDEADLK",
    [ENAMETOOLONG] = "ENAMETOOLONG",
    [ENOLCK] = "ENOLCK",
    [ENOSYS] = "ENOSYS",
    [ENOTEMPTY] = "ENOTEMPTY",
    [ELOOP] = "ELOOP",
    [ENOMSG] = "ENOMSG",
    [EIDRM] = "EIDRM",
    [ECHRNG] = "ECHRNG",
    [EL2NSYNC] = "EL2NSYNC",
    [EL3HLT] = "EL3HLT",
    [EL3RST] = "EL3RST",
    [ELNRNG] = "ELNRNG",
    [EUNATCH] = "EUNATCH",
    [ENOCSI] = "ENOCSI",
    [EL2HLT] = "EL2HLT",
    [EBADE] = "EBADE",
    [EBADR] = "EBADR",
    [EXFULL] = "EXFULL",
    [ENOANO] = "ENOANO",
    [EBADRQC] = "EBADRQC",
    [EBADSLT] = "EBADSLT",
    [EBFONT] = "EBFONT",
    [ENOSTR] = "ENOSTR",
    [ENODATA] = "ENODATA",
    [ETIME] = "ETIME",
    [ENOSR] = "ENOSR",
    [ENONET] = "ENONET",
    [ENOPKG] = "ENOPKG",
    [EREMOTE] = "EREMOTE",
    [ENOLINK] = "ENOLINK",
    [EADV] = "EADV",
    [ESRMNT] = "ESRMNT",
    [ECOMM] = "ECOMM",
    [EPROTO] = "EPROTO",
    [EMULTIHOP] = "EMULTIHOP",
    [EDOTDOT] = "EDOTDOT",
    [EBADMSG] = "EBADMSG",
    [EOVERFLOW] = "EOVERFLOW",
    [ENOTUNIQ] = "ENOTUNIQ",
    [EBADFD] = "EBADFD",
    [EREMCHG] = "EREMCHG",
    [ELIBACC] = "ELIBACC",
    [ELIBBAD] = "ELIBBAD",
    [ELIBSCN] = "ELIBSCN",
    [ELIBMAX] = "ELIBMAX",
    [ELIBEXEC] = "ELIBEXEC",
    [EILSEQ] = "EILSEQ",
    [ERESTART] = "ERESTART",
    [ESTRPIPE] = "ESTRPIPE",
    [EUSERS] = "EUSERS",
    [ENOTSOCK] = "ENOTSOCK",
    [EDESTADDRREQ] = "EDESTADDRREQ",
    [EMSGSIZE] = "EMSGSIZE",
    [EPROTOTYPE] = "EPROTOTYPE",
    [ENOPROTOOPT] = "ENOPROTOOPT",
    [EPROTONOSUPPORT] = "EPROTONOSUPPORT",
    [ESOCKTNOSUPPORT] = "ESOCKTNOSUPPORT",
    [EOPNOTSUPP] = "EOPNOTSUPP",
    [EPFNOSUPPORT] = "EPFNOSUPPORT",
    [EAFNOSUPPORT] = "EAFNOSUPPORT",
    [EADDRINUSE] = "EADDRINUSE",
    [EADDRNOTAVAIL] = "EADDRNOTAVAIL",
    [ENETDOWN] = "ENETDOWN",
    [ENETUNREACH] = "ENETUNREACH",
    [ENETRESET] = "ENETRESET",
    [ECONNABORTED] = "ECONNABORTED",
    [ECONNRESET] = "ECONNRESET",
    [ENOBUFS] = "ENOBUFS",
    [EISCONN] = "EISCONN",
    [ENOTCONN] = "ENOTCONN",
    [ESHUTDOWN] = "ESHUTDOWN",
    [ETOOMANYREFS] = "ETOOMANYREFS",
    [ETIMEDOUT] = "ETIMEDOUT",
    [ECONNREFUSED] = "ECONNREFUSED",
    [EHOSTDOWN] = "EHOSTDOWN",
    [EHOSTUNREACH] = "EHOSTUNREACH",
    [EALREADY] = "EALREADY",
    [EINPROGRESS] = "EINPROGRESS",
    [ESTALE] = "ESTALE",
    [EUCLEAN] = "EUCLEAN",
    [ENOTNAM] = "ENOTNAM",
    [ENAVAIL] = "ENAVAIL",
    [EISNAM] = "EISNAM",
    [EREMOTEIO] = "EREMOTEIO",
    [EDQUOT] = "EDQUOT",
    [ENOMEDIUM] = "ENOMEDIUM",
    [EMEDIUMTYPE] = "EMEDIUMTYPE",
    [ECANCELED] = "ECANCELED",
    [ENOKEY] = "ENOKEY",
    [EKEYEXPIRED] = "EKEYEXPIRED",
    [EKEYREVOKED] = "EKEYREVOKED",
    [EKEYREJECTED] = "EKEYREJECTED",
    [EOWNERDEAD] = "EOWNERDEAD",
    [ENOTRECOVERABLE] = "ENOTRECOVERABLE",
    [ERFKILL] = "ERFKILL",
    [EHWPOISON] = "EHWPOISON",
};

/* Seen by a tracer only: the kernel turns them into a restart or into EINTR before the program runs on. */
enum { INTERNAL_FIRST = 512 };
static const char *const internal_errors[] = {
    [512 - INTERNAL_FIRST] = "ERESTARTSYS",
    [513 - INTERNAL_FIRST] = "ERESTARTNOINTR",
    [514 - INTERNAL_FIRST] = "ERESTARTNOHAND",
    [515 - INTERNAL_FIRST] = "ENOIOCTLCMD",
    [516 - INTERNAL_FIRST] = "ERESTART_RESTARTBLOCK",
    [517 - INTERNAL_FIRST] = "EPROBE_DEFER",
    [518 - INTERNAL_FIRST] = "EOPENSTALE",
    [519 - INTERNAL_FIRST] = "ENOPARAM",
    [521 - INTERNAL_FIRST] = "EBADHANDLE",
    [522 - INTERNAL_FIRST] = "ENOTSYNC",
    [523 - INTERNAL_FIRST] = "EBADCOOKIE",
    [524 - INTERNAL_FIRST] = "ENOTSUPP",
    [525 - INTERNAL_FIRST] = "ETOOSMALL",
    [526 - INTERNAL_FIRST] = "ESERVERFAULT",
    [527 - INTERNAL_FIRST] = "EBADTYPE",
    [528 - INTERNAL_FIRST] = "EJUKEBOX",
    [529 - INTERNAL_FIRST] = "EIOCBQUEUED",
    [530 - INTERNAL_FIRST] = "ERECALLCONFLICT",
    [531 - INTERNAL_FIRST] = "ENOGRACE",
};

/* The first real-time signals are the C library's own (32 and 33 in glibc), so strace counts from the kernel's
 * SIGRTMIN, which is 32, not from the C library's. */
static const char *const signals[] = {
    [1] = "SIGHUP",    [2] = "SIGINT",     [3] = "SIGQUIT",   [4] = "SIGILL",     [5] = "SIGTRAP",   [6] = "SIGABRT",
    [7] = "SIGBUS",    [8] = "SIGFPE",     [9] = "SIGKILL",   [10] = "SIGUSR1",   [11] = "SIGSEGV",  [12] = "SIGUSR2",
    [13] = "SIGPIPE",  [14] = "SIGALRM",   [15] = "SIGTERM",  [16] = "SIGSTKFLT", [17] = "SIGCHLD",  [18] = "SIGCONT",
    [19] = "SIGSTOP",  [20] = "SIGTSTP",   [21] = "SIGTTIN",  [22] = "SIGTTOU",   [23] = "SIGURG",   [24] = "SIGXCPU",
    [25] = "SIGXFSZ",  [26] = "SIGVTALRM", [27] = "SIGPROF",  [28] = "SIGWINCH",  [29] = "SIGIO",    [30] = "SIGPWR",
    [31] = "SIGSYS",   [32] = "SIGRTMIN",  [33] = "SIGRT_1",  [34] = "SIGRT_2",   [35] = "SIGRT_3",  [36] = "SIGRT_4",
    [37] = "SIGRT_5",  [38] = "SIGRT_6",   [39] = "SIGRT_7",  [40] = "SIGRT_8",   [41] = "SIGRT_9",  [42] = "SIGRT_10",
    [43] = "SIGRT_11", [44] = "SIGRT_12",  [45] = "SIGRT_13", [46] = "SIGRT_14",  [47] = "SIGRT_15", [48] = "SIGRT_16",
    [49] = "SIGRT_17", [50] = "SIGRT_18",  [51] = "SIGRT_19", [52] = "SIGRT_20",  [53] = "SIGRT_21", [54] = "SIGRT_22",
    [55] = "SIGRT_23", [56] = "SIGRT_24",  [57] = "SIGRT_25", [58] = "SIGRT_26",  [59] = "SIGRT_27", [60] = "SIGRT_28",
    [61] = "SIGRT_29", [62] = "SIGRT_30",  [63] = "SIGRT_31", [64] = "SIGRT_32",
};

enum {
    ERROR_COUNT = sizeof errors / sizeof errors[0],
    INTERNAL_COUNT = sizeof internal_errors / sizeof internal_errors[0],
    SIGNAL_COUNT = sizeof signals / sizeof signals[0],
};

/* Index of NAME in TABLE, or -1. A few hundred comparisons: only readers of logs ask, once a failed line. */
static int table_index(const char *const *table, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (table[i] && strcmp(table[i], name) == 0)
            return i;
    return -1;
}

const char *errno_name(int error)
{
    if (error > 0 && error < ERROR_COUNT)
        return errors[error];
    if (error >= INTERNAL_FIRST && error < INTERNAL_FIRST + INTERNAL_COUNT)
        return internal_errors[error - INTERNAL_FIRST];
    return NULL;
}

int errno_value(const char *name)
{
    int i = table_index(errors, ERROR_COUNT, name);

    if (i >= 0)
        return i;
    i = table_index(internal_errors, INTERNAL_COUNT, name);
    if (i >= 0)
        return INTERNAL_FIRST + i;
    if (strcmp(name, "EWOULDBLOCK") == 0)
        return EWOULDBLOCK;
    if (strcmp(name, "EDEADLOCK") == 0)
        return EDEADLK;
    return strcmp(name, "ENOTSUP") == 0 ? EOPNOTSUPP : 0;
}

const char *signal_name(int signal)
{
    return signal > 0 && signal < SIGNAL_COUNT ? signals[signal] : NULL;
}

int signal_value(const char *name)
{
    int i = table_index(signals, SIGNAL_COUNT, name);

    if (i >= 0)
        return i;
    if (strcmp(name, "SIGIOT") == 0)
        return 6;
    return strcmp(name, "SIGPOLL") == 0 ? 29 : 0;
}
