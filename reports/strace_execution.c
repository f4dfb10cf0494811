/* Files that could not be executed: execve(2) says hardly why (ENOENT of a file that is there, ENOEXEC of whatever). A
 * shell then looks for itself, and its calls are in the log: what it saw is noted as if we had looked. So such a call
 * is told of when something else comes. */
#include "read_strace.h"

#include "judge.h"
#include "strace_value.h"
#include "syscall.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/path.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void strace_execution_deinit(struct strace_execution *execution)
{
    free(execution->path);
    free(execution->string);
    free(execution->needs);
    strings_deinit(&execution->argv);
    *execution = (struct strace_execution){.size = -1};
}

bool strace_execution_waits(struct strace *strace, struct strace_group *group, const struct event_syscall *call)
{
    struct strace_execution *execution = &group->execution;
    const struct sight *known;
    struct sight sight;

    if ((call->error != ENOENT && call->error != ENOEXEC) || strncmp(call->desc->name, "execve", 6) != 0 || !call->path)
        return false;
    known = strace_seen_of(strace, call, &sight);
    if (known && !known->verdict)
        return false; /* a link that leads nowhere */
    strace_execution_deinit(execution);
    execution->desc = call->desc;
    execution->path = xstrdup(call->path);
    execution->string = xstrdup_or_null(call->string);
    execution->error = call->error;
    execution->ret = call->ret;
    for (const char *const *arg = call->argv; arg && *arg; arg++)
        strings_add(&execution->argv, xstrdup(*arg));
    /* strace has looked for its command itself, and would not have begun without. */
    execution->there = (group->pid == strace->reading->about && !group->exe && !strace->seen_count) ||
                       (known && known->walk); /* by calls before it */
    execution->waits = true;
    return true;
}

/* ---- what is known ---- */

/* Of a file that is there, and of which nothing more is seen: those who write scripts name them so, and keep them
 * short.
 */
static bool like_script(const struct strace_execution *execution)
{
    static const char *const endings[] = {".tcl", ".php", ".lua"}; /* besides */
    enum { ELF_LEAST = 512 };
    const char *dot = strrchr(path_base(execution->path), '.');

    if (script_like(execution->path))
        return true;
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return execution->size >= 0 && execution->size < ELF_LEAST;
}

static void see(const struct strace_group *group, const struct strace_execution *execution, struct sight *ret)
{
    if (execution->verdict) {
        ret->walk = "there";
        ret->verdict = execution->verdict;
        ret->needs = execution->needs;
    } else if (execution->error == ENOEXEC) {
        if (like_script(execution) || judge_is_shell(group->exe)) /* which reads it itself */
            return;
        ret->walk = "unsaid"; /* for another machine, or broken, or a script without a first line that says by what */
        ret->verdict = "other-machine";
        ret->needs = "x86_64";
    } else if (execution->there) {
        ret->walk = "there";
        ret->verdict = like_script(execution) ? "script-interpreter-absent" : "interpreter-absent";
        ret->needs = "...";
    } else if (!execution->absent) {
        ret->verdict = "unsaid"; /* the file, or what it wants to be run by */
    }
}

void strace_tell_execution(struct strace *strace, struct strace_thread *thread)
{
    struct strace_execution *execution = &thread->group->execution;
    struct sight sight = {0};
    struct event event = {.type = EVENT_SYSCALL};

    execution->waits = false;
    strings_add(&execution->argv, NULL);
    execution->argv.n--;
    event.syscall = (struct event_syscall){
        .desc = execution->desc,
        .path = execution->path,
        .string = execution->string,
        .argv = execution->argv.n ? (const char *const *)execution->argv.v : NULL,
        .ret = execution->ret,
        .error = execution->error,
        .returned = true,
        .by = BY_PROGRAM,
    };
    see(thread->group, execution, &sight);
    event.sight = &sight;
    strace_event(strace, thread, &event);
}

/* ---- looking over the shell's shoulder ---- */

static void in_script(struct strace_execution *execution, const struct text *head, bool cut)
{
    const char *p = head->v + 2, *end = head->v + head->n, *name;

    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    for (name = p; p < end && *p && !strchr(" \t\n", *p);)
        p++;
    execution->verdict = "script-interpreter-absent";
    execution->needs =
        p == end && cut ? xasprintf("%.*s...", (int)(p - name), name) : xstrndup(name, (size_t)(p - name));
}

static char *interpreter_in(const struct strace_group *group, const struct text *head)
{
    const char *at = memmem(head->v, head->n, "/ld-", 4), *start = at;
    const unsigned char *bytes = (const unsigned char *)head->v;

    while (start && start > head->v && start[-1] > ' ')
        start--;
    if (at && memchr(at, '\0', (size_t)(head->v + head->n - at)))
        return xstrdup(start);
    if (bytes[4] == 1 && head->n > 18 && bytes[18] == 3) /* ELFCLASS32, EM_386: there is one only */
        return xstrdup("/lib/ld-linux.so.2");
    return xstrdup(group->musl && bytes[4] == 2 ? "/lib64/ld-linux-x86-64.so.2" : "...");
}

static void in_elf(const struct strace_group *group, struct strace_execution *execution, const struct text *head)
{
    const unsigned char *bytes = (const unsigned char *)head->v;
    const char *machine =
        head->n >= 20 ? elffile_machine_known(bytes[4], bytes[18] | (unsigned)bytes[19] << 8, bytes[5]) : NULL;

    if (execution->error == ENOENT) {
        execution->verdict = "interpreter-absent";
        execution->needs = interpreter_in(group, head);
    } else if (machine && strcmp(machine, "x86_64") != 0 && strcmp(machine, "i386") != 0) {
        execution->verdict = "other-machine";
        execution->needs = xstrdup("x86_64");
    } else if (head->n >= 20) {
        execution->verdict = "broken";
    }
}

void strace_execution_read(struct strace *strace, struct strace_thread *thread, const struct strace_call *call,
                           const char *path)
{
    struct strace_group *group = thread->group;
    struct strace_execution *execution = &group->execution;
    bool cut = false;

    if (!execution->path || execution->verdict || !path || strcmp(path, execution->path) != 0 || call->count < 2 ||
        !call->result.returned)
        return;
    text_clear(&strace->data);
    strace_string(call->text[1], &strace->data, &cut);
    if (strace->data.n >= 2 && memcmp(strace->data.v, "#!", 2) == 0 && execution->error == ENOENT)
        in_script(execution, &strace->data, cut);
    else if (strace->data.n >= 5 && memcmp(strace->data.v, "\177ELF", 4) == 0)
        in_elf(group, execution, &strace->data);
    if (execution->verdict) /* busybox executes itself before it looks */
        strace_tell_execution(strace, thread);
}

void strace_execution_follows(struct strace_group *group, const struct strace_call *call, const char *path)
{
    struct strace_execution *execution = &group->execution;

    if (!execution->waits || !path || strcmp(path, execution->path) != 0 || !call->result.returned ||
        strncmp(call->name->name, "execve", 6) == 0)
        return;
    if (call->result.error == ENOENT)
        execution->absent = true;
    else if (!call->result.error)
        execution->there = true;
    if (execution->size < 0 && !call->result.error)
        execution->size = strace_file_size(call);
}
