/* permission-denied: mode bits, ownership or a capability forbid it. noexec-mount: the mount options do. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"
#include "syscall.h"

#include <string.h>

#include <probes/alloc.h>

static void tell_mode(const struct finding *finding, struct cause *cause, const char *at)
{
    struct stat st;

    if (path_stat(finding_root(finding), at, &st) == 0)
        cause_fact(cause, "it gets", "%s   mode %04o, owner %u, group %u", at, (unsigned)st.st_mode & 07777,
                   (unsigned)st.st_uid, (unsigned)st.st_gid);
    if (process_cred(finding->process))
        cause_fact(cause, "it runs as", "user %u, group %u", (unsigned)finding->process->cred.uid,
                   (unsigned)finding->process->cred.gid);
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *stub;

    if (finding->fault)
        stub = tell_needed_scenario(finding, cause);
    else if (finding->call && strncmp(finding->call, "execve", 6) == 0)
        stub = tell_executed_scenario(finding, cause);
    else
        return;
    if (finding->kind == CAUSE_NOEXEC_MOUNT)
        cause->scenario->mount = xstrdup(path_base(finding->missing));
    else
        stub->defect = MINI_NO_PERMISSION;
}

/* A call that needs a capability, and no file. */
static void tell_right(const struct finding *finding, struct cause *cause, const char *right)
{
    const char *subject = path_base(finding->subject);
    struct remedy *remedy;

    if (strcmp(finding->call, "bind") == 0)
        cause->summary = xasprintf("%s may not listen at %s: a port this low needs the capability %s.", subject,
                                   finding->missing, right);
    else
        cause->summary =
            xasprintf("%s may not call %s: that needs the capability %s, which this process does not have.", subject,
                      finding->call, right);
    cause_fact(cause, "it needs", "%s", right);
    if (process_cred(finding->process))
        cause_fact(cause, "it runs as", "user %u, group %u", (unsigned)finding->process->cred.uid,
                   (unsigned)finding->process->cred.gid);
    cause->detail = xasprintf("%s(%s) answered %s.", finding->call, finding->failure->text, errno_name(finding->error));
    remedy = cause_remedy(cause, PROOF_KNOWN, "run it as a user that has %s, as root has", right);
    remedy->risk = xstrdup("it has all the other rights of that user, too");
    if (strcmp(finding->call, "bind") == 0)
        cause_remedy(cause, PROOF_KNOWN, "or let it listen at a port from 1024 on");
}

/* execve(2): "EACCES The file or a script interpreter is not a regular file". */
static bool tell_directory(const struct finding *finding, struct cause *cause, const char *file)
{
    struct stat st;

    if (path_stat(finding_root(finding), file, &st) < 0 || !S_ISDIR(st.st_mode))
        return false;
    cause->summary = xasprintf("%s cannot be executed: it is a directory.", file);
    cause->detail = xasprintf("%s is a directory, which no mode makes a program.", file);
    cause_fact(cause, "it needs", "%s", file);
    cause_fact(cause, "misleading", "no mode of it refuses that: it is no program at all");
    cause_remedy(cause, PROOF_KNOWN, "name the program that is meant, or take the directory off its way on PATH");
    return true;
}

void cause_permission_tell(const struct finding *finding, struct cause *cause)
{
    const char *right = finding->failure ? judge_right_of(finding->failure) : NULL;

    if (right) {
        tell_right(finding, cause, right);
        return;
    }
    bool executing = finding->call && strncmp(finding->call, "execve", 6) == 0;
    const char *subject = path_base(finding->subject);
    const char *file = finding->kind != CAUSE_NOEXEC_MOUNT ? finding->missing
                       : finding->fault                    ? finding->provider
                                                           : finding->subject;
    const char *at =
        finding->walk && finding->walk->reason == PATH_DENIED && finding->walk->at ? finding->walk->at : file;

    if (executing && at == file && finding->kind != CAUSE_NOEXEC_MOUNT && tell_directory(finding, cause, file))
        return;
    if (finding->kind == CAUSE_NOEXEC_MOUNT) {
        cause->summary = xasprintf("%s cannot be %s: the file system mounted at %s forbids execution (noexec).", file,
                                   finding->fault ? "loaded as a library" : "executed", finding->missing);
        remedy_noexec(finding, cause);
    } else if (executing && at != file) {
        cause->summary = xasprintf("%s cannot be executed: this user may not enter %s.", file, at);
        remedy_permission(finding, cause, at, X_OK);
    } else if (executing) {
        cause->summary = xasprintf("%s cannot be executed: its permissions do not allow it to this user.", at);
        remedy_permission(finding, cause, at, X_OK);
    } else {
        cause->summary = xasprintf("%s needs %s, which this user is not permitted to use.", subject, file);
        remedy_permission(finding, cause, at, R_OK);
    }
    cause_fact(cause, "it needs", "%s", file);
    tell_mode(finding, cause, at);
    if (finding->fault)
        tell_search(cause, &finding->fault->search);
    cause->detail = xasprintf("%s was refused at %s.", file, at);
    tell_scenario(finding, cause);
}
