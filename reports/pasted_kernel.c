/* What the kernel's log, the audit log and systemd's journal say of programs. */
#include "pasted.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <probes/alloc.h>

/* ---- traps: arch/x86/kernel/traps.c ---- */

/* "traps: app[4711] general protection fault ip:… in libfoo.so.1[7f…+1000]": the object, or the program. */
static char *trapped(const char *line)
{
    const char *in = strstr(line, " in "), *name = in ? in + 4 : NULL, *open;
    size_t n = name ? strcspn(name, "[ ,") : 0;

    if (n && name[n] == '[')
        return xstrndup(name, n);
    open = strchr(line, '[');
    name = open;
    while (name && name > line && !isspace((unsigned char)name[-1]))
        name--;
    return open ? pasted_word(name, (size_t)(open - name)) : NULL;
}

static bool by_trap(struct pasted *pasted, const char *line)
{
    static const struct {
        const char *words, *signal;
    } traps[] = {
        {" general protection fault", "SIGSEGV"},
        {" general protection ip:", "SIGSEGV"},
        {" trap invalid opcode", "SIGILL"},
        {" trap divide error", "SIGFPE"},
        {" trap int3", "SIGTRAP"},
        {" trap stack segment", "SIGBUS"},
    };
    const char *at = strstr(line, "traps: ");

    if (!at && strstr(line, "] trap ") == NULL && strstr(line, "] general protection") == NULL)
        return false;
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++)
        if (strstr(line, traps[i].words)) {
            pasted_found(pasted, CAUSE_CRASH, trapped(at ? at + 7 : line), xstrdup(traps[i].signal), 0.85);
            return true;
        }
    return false;
}

/* ---- the audit log ---- */

/* The value of KEY ("name="), with or without quotes; malloced, or NULL. */
static char *value_of(const char *line, const char *key)
{
    for (const char *at = line; (at = strstr(at, key)); at++) {
        if (at > line && at[-1] != ' ')
            continue;
        at += strlen(key);
        return *at == '"' ? pasted_word(at + 1, strcspn(at + 1, "\"")) : pasted_word(at, strcspn(at, " "));
    }
    return NULL;
}

/* Those that filters are known to refuse, by their numbers on x86-64. */
static const char *refused_call(long number)
{
    static const struct {
        long number;
        const char *name;
    } calls[] = {
        {SYS_clone3, "clone3"},
        {SYS_statx, "statx"},
        {SYS_openat2, "openat2"},
        {SYS_faccessat2, "faccessat2"},
        {SYS_rseq, "rseq"},
        {SYS_memfd_create, "memfd_create"},
        {SYS_clone, "clone"},
        {SYS_io_uring_setup, "io_uring_setup"},
        {SYS_unshare, "unshare"},
        {SYS_close_range, "close_range"},

        {SYS_pidfd_open, "pidfd_open"},
        {SYS_mount, "mount"},
        {SYS_userfaultfd, "userfaultfd"},
        {SYS_bpf, "bpf"},
        {SYS_perf_event_open, "perf_event_open"},
        {SYS_keyctl, "keyctl"},
        {SYS_personality, "personality"},
        {SYS_getrandom, "getrandom"},
        {SYS_set_mempolicy, "set_mempolicy"},
        {SYS_mbind, "mbind"},
        {SYS_process_vm_readv, "process_vm_readv"},
        {SYS_membarrier, "membarrier"},
        {SYS_sched_setaffinity, "sched_setaffinity"},
        {SYS_fork, "fork"},
        {SYS_vfork, "vfork"},
        {SYS_execve, "execve"},
        {SYS_socket, "socket"},
    };

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number)
            return calls[i].name;
    return NULL;
}

/* type=1326 (AUDIT_SECCOMP): a filter has ended it, or raised SIGSYS. */
static bool by_filter(struct pasted *pasted, const char *line)
{
    CLEANUP_FREE char *number = value_of(line, "syscall="), *signal = value_of(line, "sig="),
                      *arch = value_of(line, "arch=");
    const char *name = NULL;

    if ((!strstr(line, "type=1326") && !strstr(line, "type=SECCOMP")) || !number)
        return false;
    if (arch && strcasecmp(arch, "c000003e") == 0)
        name = refused_call(strtol(number, NULL, 10));
    if (name && signal && strcmp(signal, "0") != 0)
        pasted_found(pasted, CAUSE_SYSCALL_BLOCKED, value_of(line, "comm="), xstrdup(name), 0.88);
    return true;
}

/* What a security module refuses: AppArmor's, SELinux's lines. Much of that is borne. */
static bool by_module(struct pasted *pasted, const char *line)
{
    CLEANUP_FREE char *name = NULL;

    if (!strstr(line, "apparmor=\"DENIED\"") && !strstr(line, "avc:  denied") && !strstr(line, "avc: denied"))
        return false;
    if (strstr(line, "userns_create")) {
        pasted_found(pasted, CAUSE_SANDBOX_UNAVAILABLE, value_of(line, "comm="), xstrdup("user namespaces"), 0.8);
        return true;
    }
    name = value_of(line, strstr(line, "apparmor=") ? "name=" : "path=");
    if (name && *name == '/')
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, value_of(line, "comm="), xstrdup(name), 0.7);
    return true;
}

/* ---- systemd: src/core/execute.c, service.c ---- */

/* "x.service: Failed at step EXEC spawning /opt/x/run: No such file or directory". Of other steps (CHDIR, NAMESPACE,
 * USER) the error is of something else than the program. */
static bool by_step(struct pasted *pasted, const char *line)
{
    static const char step[] = "Failed at step ", locate[] = ": Failed to locate executable ";
    const char *at = strstr(line, locate), *end;

    if (at && (end = strstr(at, ": No such file"))) { /* it looks whether the file is there */
        at += sizeof locate - 1;
        pasted_found(pasted, CAUSE_FILE_MISSING, pasted_speaker(pasted, line), pasted_word(at, (size_t)(end - at)),
                     0.85);
        return true;
    }
    at = strstr(line, step);
    if (!at)
        return false;
    if (strncmp(at + sizeof step - 1, "EXEC ", 5) != 0)
        return true;
    at = strstr(at, "spawning ");
    end = at ? strstr(at, ": No such file") : NULL;
    if (end)
        pasted_not_found(pasted, pasted_word(at + 9, (size_t)(end - at - 9)));
    return end != NULL;
}

static bool by_manager(struct pasted *pasted, const char *line)
{
    if (!strstr(line, "killed by the OOM killer") && !strstr(line, "Failed with result 'oom-kill'"))
        return false;
    pasted_found(pasted, CAUSE_RESOURCE_LIMIT, pasted_speaker(pasted, line), xstrdup("ENOMEM"), 0.6);
    return true;
}

bool pasted_kernel(struct pasted *pasted, const char *line)
{
    return by_trap(pasted, line) || by_filter(pasted, line) || by_module(pasted, line) || by_step(pasted, line) ||
           by_manager(pasted, line);
}
