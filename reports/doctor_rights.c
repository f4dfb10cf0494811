/* What the kernel, and the policies laid over it, let the programs do: sandboxes, debuggers, new system calls. */
#include "doctor_parts.h"

#include "namespaces.h"
#include "remedy.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/policy.h>
#include <probes/proc.h>
#include <probes/userns.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_LIMIT = 16384, CAPABILITY_SYS_PTRACE = 19 };

/* The number behind KEY in the status of this process; -1 where there is none. */
static int own_status(const char *key)
{
    CLEANUP_FREE char *text = proc_read("/proc/self/status", STATUS_LIMIT, NULL);
    const char *line = text ? strstr(text, key) : NULL;

    return line ? atoi(line + strlen(key)) : -1;
}

static const char *step_words(enum userns_step step)
{
    static const char *const words[] = {[USERNS_NEW] = "unshare(CLONE_NEWUSER)",
                                        [USERNS_MAP] = "writing its uid_map",
                                        [USERNS_INSIDE] = "unshare(CLONE_NEWPID|CLONE_NEWNET) in it"};

    return words[step];
}

/* Chromium's other way, for systems without: a helper beside the program that is set-user-ID root. */
static bool has_helper(const struct program_found *program)
{
    static const char *const names[] = {"chrome-sandbox", "chrome_sandbox"};

    for (size_t i = 0; program->directory && i < sizeof names / sizeof *names; i++) {
        CLEANUP_FREE char *path = path_join(program->directory, names[i]);
        struct stat st;

        if (stat(path, &st) == 0 && st.st_uid == 0 && st.st_mode & S_ISUID && st.st_mode & S_IXOTH)
            return true;
    }
    return false;
}

static void tell_namespaces(struct doctor *doctor)
{
    const struct program_found *desktop = doctor_program(doctor, PROGRAM_DESKTOP);
    enum userns_step step;
    int error = userns_try(&step);
    const char *setting = NULL, *why;
    bool chrooted = false, helped = desktop && has_helper(desktop);
    char *advice;

    if (!error) {
        doctor_line(
            doctor, TABLE_GOOD, "user namespaces",
            (struct doctor_line){xstrdup("they can be made, and a sandbox's others in them (tried)"), NULL, NULL});
        return;
    }
    why = namespaces_refused(getpid(), "", error, &setting, &chrooted);
    if (!doctor_has_proc())
        why = "a chroot, a policy or a setting forbids them, which does not show without /proc";
    else if (own_status("\nSeccomp:\t") == 2 && (error == EPERM || error == EOWNERDEAD) && !setting && !chrooted)
        why = "a seccomp policy is on, which may refuse them, or the kernel or a security module does";
    advice = chrooted  ? xstrdup("run the programs outside the chroot, or enter it with pivot_root(2) (bwrap, unshare)")
             : setting ? xstrdup("allow them, as root, for the whole system")
                       : xstrdup("allow them to this user; in a container: to the container (docker run --security-opt "
                                 "seccomp=unconfined, or a profile that allows unshare and clone)");
    doctor_line(
        doctor, desktop && !helped && geteuid() ? TABLE_BAD : TABLE_WARNING, "user namespaces",
        (struct doctor_line){xasprintf("refused: %s failed with %s, since %s; %s", step_words(step),
                                       error == EOWNERDEAD ? "its process being killed" : strerrorname_np(error), why,
                                       helped    ? "VS Code's sandbox has its set-user-ID helper instead"
                                       : desktop ? "VS Code's sandbox cannot start without"
                                                 : "sandboxes (VS Code's windows, bwrap) need them"),
                             advice, setting ? xasprintf("sysctl -w %s", setting) : NULL});
}

/* Chromium's browser process ends itself (content/browser/zygote_host): "Running as root without --no-sandbox is not
 * supported". */
static void tell_root(struct doctor *doctor)
{
    if (geteuid() || !doctor_program(doctor, PROGRAM_DESKTOP))
        return;
    doctor_line(doctor, TABLE_WARNING, "user",
                (struct doctor_line){xstrdup("root: VS Code's windows do not start for root without --no-sandbox and "
                                             "--user-data-dir"),
                                     xstrdup("start it as an ordinary user"), NULL});
}

static void tell_seccomp(struct doctor *doctor)
{
    int mode = own_status("\nSeccomp:\t");

    if (mode < 0)
        doctor_line(doctor, TABLE_PLAIN, "seccomp",
                    (struct doctor_line){xstrdup("not known: /proc/self/status does not say"), NULL, NULL});
    else if (mode == 0)
        doctor_line(doctor, TABLE_GOOD, "seccomp", (struct doctor_line){xstrdup("no policy is on"), NULL, NULL});
    else if (!policy_is_harsh())
        doctor_line(doctor, TABLE_GOOD, "seccomp",
                    (struct doctor_line){xstrdup("a policy is on; the calls that newer C libraries try first are "
                                                 "allowed, or answered as an old kernel would"),
                                         NULL, NULL});
    else
        doctor_line(
            doctor, TABLE_BAD, "seccomp",
            (struct doctor_line){xstrdup("a policy is on that refuses clone3, statx, openat2 or faccessat2 with "
                                         "EPERM: programs of newer C libraries (2.34 and later) fail there"),
                                 xstrdup("update the container's manager and its libseccomp, which then answer "
                                         "ENOSYS; or, where what runs there is trusted, start it without"),
                                 xstrdup("docker run --security-opt seccomp=unconfined …")});
}

static void tell_privileges(struct doctor *doctor)
{
    if (own_status("\nNoNewPrivs:\t") != 1)
        return;
    doctor_line(doctor, TABLE_WARNING, "no_new_privs",
                (struct doctor_line){xstrdup("it is on: sudo, and the helper of a sandbox, get no rights"),
                                     xstrdup("start the shell outside of that service or container "
                                             "(NoNewPrivileges=no, without --security-opt no-new-privileges)"),
                                     NULL});
}

/* Documentation/admin-guide/LSM/Yama.rst */
static const char *yama_words(int scope)
{
    static const char *const words[] = {"every process of this user may be traced",
                                        ("a process may trace those that it started: dlv debug and dlv test work, dlv "
                                         "attach, gdb -p and glibctrace -p need root"),
                                        "only root may trace", "nobody may trace"};

    return scope < 0 ? doctor_has_proc() ? "this kernel has no Yama" : "Yama's setting does not show without /proc"
                     : words[scope > 3 ? 3 : scope];
}

static void tell_ptrace(struct doctor *doctor)
{
    int scope = proc_yama_scope(), error = doctor->request->ptrace_error, traced = own_status("\nTracerPid:\t");
    bool capable = proc_capable(CAPABILITY_SYS_PTRACE);

    if (error)
        doctor_line(doctor, TABLE_BAD, "ptrace",
                    (struct doctor_line){xasprintf("a child of one's own may not be traced (tried: %s; %s): debuggers "
                                                   "do not work",
                                                   strerrorname_np(error), yama_words(scope)),
                                         scope >= 3 ? xstrdup("take 3 out of /etc/sysctl.d and boot again: until then "
                                                              "nothing takes it back")
                                         : scope == 2 ? xstrdup("allow it, as root")
                                                      : xstrdup("let the container trace: --cap-add SYS_PTRACE, and a "
                                                                "seccomp policy that allows ptrace"),
                                         scope == 2 ? xstrdup("sysctl -w kernel.yama.ptrace_scope=0") : NULL});
    else if (scope >= 1 && !capable)
        doctor_line(doctor, TABLE_WARNING, "ptrace",
                    (struct doctor_line){xasprintf("children may be traced (tried); kernel.yama.ptrace_scope is %d: %s",
                                                   scope, yama_words(scope)),
                                         xstrdup("to attach to running programs, as root, until the next boot:"),
                                         xstrdup("sysctl -w kernel.yama.ptrace_scope=0")});
    else
        doctor_line(
            doctor, TABLE_GOOD, "ptrace",
            (struct doctor_line){xasprintf("children may be traced (tried); %s", yama_words(scope)), NULL, NULL});
    if (traced > 0)
        doctor_line(doctor, TABLE_WARNING, "traced",
                    (struct doctor_line){xasprintf("process %d traces this one: no debugger works below it", traced),
                                         xstrdup("ask outside of that tracer"), NULL});
}

/* Set-user-ID programs and their like are no business of these programs; a security module that binds this process is.
 */
static void tell_confinement(struct doctor *doctor)
{
    CLEANUP_FREE char *label = proc_read("/proc/self/attr/current", 4096, NULL);
    char *end = label ? strpbrk(label, "\n") : NULL;

    if (end)
        *end = '\0';
    if (!label || !*label || strcmp(label, "unconfined") == 0 || strstr(label, "unconfined_t") ||
        strcmp(label, "kernel") == 0)
        return;
    doctor_line(doctor, TABLE_WARNING, "security module",
                (struct doctor_line){xasprintf("this process is bound by %s: what is refused here may be allowed "
                                               "elsewhere, and the reverse",
                                               label),
                                     xstrdup("what it refused stands in the kernel's log"),
                                     xstrdup("dmesg | grep -iE 'apparmor|avc'")});
}

void doctor_rights(struct doctor *doctor)
{
    doctor_section(doctor, "rights", "Sandboxes and debuggers");
    tell_root(doctor);
    tell_namespaces(doctor);
    tell_seccomp(doctor);
    tell_privileges(doctor);
    tell_ptrace(doctor);
    tell_confinement(doctor);
}
