/* Calls that need a right which the process does not have: a capability (capabilities(7)), for a port below 1024 too.
 *
 * Programs give up rights, and ask whether they have some, all the time. One is suspected where nothing else is, and
 * the program ended with the C library's words for that error, or right after. */
#include "environment.h"

#include "judge.h"
#include "syscall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <probes/alloc.h>

static const struct {
    const char *call, *capability;
} rights[] = {
    {"acct", "CAP_SYS_PACCT"},
    {"adjtimex", "CAP_SYS_TIME"},
    {"bpf", "CAP_BPF"},
    {"chroot", "CAP_SYS_CHROOT"},
    {"clock_adjtime", "CAP_SYS_TIME"},
    {"clock_settime", "CAP_SYS_TIME"},
    {"delete_module", "CAP_SYS_MODULE"},
    {"finit_module", "CAP_SYS_MODULE"},
    {"init_module", "CAP_SYS_MODULE"},
    {"ioperm", "CAP_SYS_RAWIO"},
    {"iopl", "CAP_SYS_RAWIO"},
    {"mount", "CAP_SYS_ADMIN"},
    {"open_by_handle_at", "CAP_DAC_READ_SEARCH"},
    {"perf_event_open", "CAP_PERFMON"},
    {"quotactl", "CAP_SYS_ADMIN"},
    {"reboot", "CAP_SYS_BOOT"},
    {"sched_setattr", "CAP_SYS_NICE"},
    {"sched_setparam", "CAP_SYS_NICE"},
    {"sched_setscheduler", "CAP_SYS_NICE"},
    {"setdomainname", "CAP_SYS_ADMIN"},
    {"setgid", "CAP_SETGID"},
    {"setgroups", "CAP_SETGID"},
    {"sethostname", "CAP_SYS_ADMIN"},
    {"setpriority", "CAP_SYS_NICE"},
    {"setregid", "CAP_SETGID"},
    {"setresgid", "CAP_SETGID"},
    {"setresuid", "CAP_SETUID"},
    {"setreuid", "CAP_SETUID"},
    {"settimeofday", "CAP_SYS_TIME"},
    {"setuid", "CAP_SETUID"},
    {"swapoff", "CAP_SYS_ADMIN"},
    {"swapon", "CAP_SYS_ADMIN"},
    {"syslog", "CAP_SYSLOG"},
    {"umount2", "CAP_SYS_ADMIN"},
};

static bool is(const struct failure *failure, const char *name)
{
    return strcmp(failure->desc->name, name) == 0;
}

const char *judge_right_of(const struct failure *failure)
{
    if (failure->policy)
        return NULL;
    /* ports below net.ipv4.ip_unprivileged_port_start (ip(7)) */
    if (is(failure, "bind") && failure->error == EACCES)
        return failure->target && strncmp(failure->target, "unix:", 5) != 0 ? "CAP_NET_BIND_SERVICE" : NULL;
    if (failure->error != EPERM && !(is(failure, "setpriority") && failure->error == EACCES))
        return NULL;
    if (is(failure, "socket"))
        return (failure->args[1] & 0xf) == SOCK_RAW || failure->args[0] == AF_PACKET ? "CAP_NET_RAW" : NULL;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        if (is(failure, rights[i].call))
            return rights[i].capability;
    return NULL;
}

/* The last one that was refused, and not got over by the same call later. */
static const struct failure *refused(const struct process *process)
{
    const struct failure *last = NULL;

    for (size_t i = 0; i < process->failure_count; i++) {
        const struct failure *failure = &process->failures[i];

        if (!failure->done_n && judge_right_of(failure) && (!last || failure->last_n > last->last_n))
            last = failure;
    }
    return last;
}

void judge_rights(struct process *process)
{
    const struct process *image = process_owner(process);
    const struct failure *failure =
        image->exe && !image->suspect_count && process_gave_up(process) ? refused(process) : NULL;
    struct suspect *suspect;

    if (!failure)
        return;
    struct finding finding = {.kind = CAUSE_PERMISSION_DENIED,
                              .process = image,
                              .subject = image->exe,
                              .missing = (is(failure, "bind") || is(failure, "chroot")) && failure->target
                                             ? failure->target
                                             : judge_right_of(failure),
                              .call = failure->desc->name,
                              .error = failure->error,
                              .failure = failure};

    suspect = suspect_add(process, AT_CALL, &finding, failure->n, failure->t_ns);
    if (!suspect)
        return;
    suspect_needles(suspect, failure->error);
    suspect_failure(suspect, process, failure);
    suspect->last_act = false; /* to be told that it may not is not to need it */
}
