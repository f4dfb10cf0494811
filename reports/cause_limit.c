/* resource-limit and watch-limit: descriptors, memory, processes, room or watches are used up. */
#include "judge.h"

#include "limit.h"
#include "syscall.h"
#include "wording.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/limits.h>

static bool begins(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* A number of UNIT, in words; malloced. */
static char *amount(const struct limit *limit, uint64_t number)
{
    CLEANUP_FREE char *text = begins(limit->unit, "bytes") ? wording_size(number) : wording_number(number);

    if (number == LIMITS_INFINITE)
        return xstrdup("unlimited");
    return strcmp(limit->unit, "bytes") == 0
               ? xstrdup(text)
               : xasprintf("%s %s", text, begins(limit->unit, "bytes of ") ? limit->unit + 6 : limit->unit);
}

/* ulimit's letter and factor for a resource limit (bash(1)), and systemd's name for it is Limit + what follows RLIMIT_.
 */
static const struct {
    const char *name, *letter;
    uint64_t factor;
} letters[] = {
    {"RLIMIT_NOFILE", "n", 1},  {"RLIMIT_NPROC", "u", 1},      {"RLIMIT_AS", "v", 1024}, {"RLIMIT_DATA", "d", 1024},
    {"RLIMIT_FSIZE", "f", 512}, {"RLIMIT_MEMLOCK", "l", 1024}, {"RLIMIT_CPU", "t", 1},   {"RLIMIT_STACK", "s", 1024},
};

enum { ROOM = 256, STACK_ROOM = 2 << 20 }; /* less is never worth setting a limit to */

static uint64_t enough(const struct limit *limit)
{
    uint64_t least = limit->used + limit->wanted > limit->value ? limit->used + limit->wanted : limit->value;

    if (strcmp(limit->name, "RLIMIT_STACK") == 0 && least < STACK_ROOM)
        least = STACK_ROOM;
    return least < ROOM ? ROOM * 4 : least * 4;
}

static void remedy_resource(const struct limit *limit, struct cause *cause)
{
    struct remedy *remedy = cause_remedy(cause, PROOF_KNOWN, "raise the limit for the shell or service that starts it");
    uint64_t more = enough(limit);
    bool by_root = limit->hard != LIMITS_INFINITE && limit->hard <= limit->value;

    if (!by_root && limit->hard < more)
        more = limit->hard;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (strcmp(letters[i].name, limit->name) == 0)
            strings_addf(&remedy->commands, "ulimit %s%s %llu", by_root ? "-" : "-S", letters[i].letter,
                         (unsigned long long)((more + letters[i].factor - 1) / letters[i].factor));
    if (by_root)
        remedy->risk = xstrdup("it is at its hard limit, which only root can raise");
    cause_remedy(cause, PROOF_KNOWN, "in a systemd unit: Limit%s=%llu", limit->name + strlen("RLIMIT_"),
                 (unsigned long long)enough(limit));
}

static void remedy_sysctl(const struct limit *limit, struct cause *cause)
{
    struct remedy *remedy = cause_remedy(cause, PROOF_KNOWN, "raise the limit");
    const char *name = limit->place ? limit->place : limit->name; /* "… of its user namespace" */

    strings_addf(&remedy->commands, "sysctl -w %.*s=%llu", (int)strcspn(name, " "), name,
                 (unsigned long long)enough(limit));
    remedy->risk = xstrdup(limit->place ? "as root of that namespace"
                                        : "as root, for the whole system, until the next boot (or in /etc/sysctl.d)");
    if (limit->users.n)
        cause_remedy(cause, PROOF_KNOWN, "or end what uses most of it: %s", limit->users.v[0]);
}

/* How much it allows the log does not say. */
static void remedy_unknown(const struct limit *limit, struct cause *cause)
{
    if (strchr(limit->name, ':'))
        cause_remedy(cause, PROOF_KNOWN, "make room in %s, or let it write elsewhere", limit->name + 7);
    else if (strcmp(limit->name, "ENOMEM") == 0)
        cause_remedy(cause, PROOF_KNOWN, "give the machine or container more memory, or let the program use less");
    else
        cause_remedy(cause, PROOF_KNOWN, "raise %s for the shell, service or system that starts it", limit->name);
}

static void remedies(const struct finding *finding, struct cause *cause)
{
    const struct limit *limit = finding->limit;

    if (!limit->value && path_nowhere(finding->process->root))
        remedy_unknown(limit, cause);
    else if (begins(limit->name, "RLIMIT_"))
        remedy_resource(limit, cause);
    else if (begins(limit->name, "ENOSPC:") || begins(limit->name, "EDQUOT:"))
        cause_remedy(cause, PROOF_KNOWN, "make room in %s, or let it write elsewhere", limit->name + 7);
    else if (begins(limit->name, "pids.") || begins(limit->name, "memory."))
        cause_remedy(cause, PROOF_KNOWN, "raise %s of the control group (of the container or service), or use less",
                     limit->name);
    else if (strcmp(limit->name, "ENOMEM") == 0)
        cause_remedy(cause, PROOF_KNOWN, "give the machine or container more memory, or let the program use less");
    else
        remedy_sysctl(limit, cause);
}

static char *full(const struct limit *limit)
{
    bool quota = limit->name[1] == 'D';

    if (quota)
        return xasprintf("the disk quota on %s is used up", limit->name + 7);
    if (limit->value)
        return xasprintf("the file system at %s has no %s left", limit->name + 7,
                         strcmp(limit->unit, "inodes") == 0 ? "inodes" : "room");
    return xasprintf("%s has no room", limit->name + 7);
}

static char *summary(const struct finding *finding)
{
    const struct limit *limit = finding->limit;
    const char *subject = path_base(finding->subject);
    CLEANUP_FREE char *value = amount(limit, limit->value);
    CLEANUP_FREE char *used = amount(limit, limit->used);
    CLEANUP_FREE char *wanted = amount(limit, limit->wanted);
    bool known = limit->value || !path_nowhere(finding->process->root);

    if (begins(limit->name, "ENOSPC:") || begins(limit->name, "EDQUOT:")) {
        CLEANUP_FREE char *what = full(limit);

        return xasprintf("%s cannot write: %s.", subject, what);
    }
    if (!known && strcmp(limit->name, "ENOMEM") == 0)
        return xasprintf("The kernel gives %s no more memory: it asked for %s.", subject, wanted);
    if (!known || (limit->wanted && !limit->used))
        return xasprintf("%s needs more than the limit %s allows%s%s.", subject, limit->name, known ? ": " : "",
                         known ? value : "");
    if (strcmp(limit->name, "ENOMEM") == 0)
        return xasprintf("The kernel gives %s no more memory: it asked for %s, and no limit of its own forbids that.",
                         subject, wanted);
    if (begins(limit->name, "memory."))
        return xasprintf("The kernel has killed %s: its control group has used up its memory (%s, %s).", subject,
                         limit->name, value);
    if (limit->wanted)
        return xasprintf("%s uses %s of memory and asked for %s more; %s allows %s.", subject, used, wanted,
                         limit->name, value);
    if (finding->failure && limit->used)
        return xasprintf("%s needs more than the limit %s allows: %s, and %s are in use.", subject, limit->name, value,
                         used);
    return xasprintf("%s needs more than the limit %s allows: %s.", subject, limit->name, value);
}

void cause_limit_tell(const struct finding *finding, struct cause *cause)
{
    const struct limit *limit = finding->limit;
    const struct failure *failure = finding->failure;
    CLEANUP_FREE char *value = amount(limit, limit->value);
    CLEANUP_FREE char *hard = amount(limit, limit->hard);

    cause->summary = summary(finding);
    if (strcmp(limit->name, "ENOMEM") != 0 && limit->value)
        cause_fact(cause, "it allows", "%s", value);
    if (begins(limit->name, "RLIMIT_") && limit->hard > limit->value)
        cause_fact(cause, "raised to", "%s at most by the program itself (ulimit -H)", hard);
    if (limit->place)
        cause_fact(cause, "met at", "%s", limit->place);
    for (size_t i = 0; i < limit->users.n; i++)
        cause_fact(cause, i ? "and by" : "used by", "%s", limit->users.v[i]);
    if (failure)
        cause->detail =
            xasprintf("%s(%s) failed with %s, %llu time%s%s.", failure->desc->name, failure->text,
                      errno_name(failure->error), (unsigned long long)failure->count, failure->count == 1 ? "" : "s",
                      limit->sure                            ? ""
                      : path_nowhere(finding->process->root) ? "; another limit of that error may be meant"
                                                             : "; what was in use when it was looked at is less "
                                                               "than the limit");
    else if (!finding->process->signal && path_nowhere(finding->process->root))
        cause->detail = xstrdup("A call failed for want of it, and the program said so.");
    else if (!finding->process->signal)
        cause->detail = xstrdup(
            "The call itself is not followed: the program said how it failed, and the limit was found used up.");
    else
        cause->detail = xasprintf("The kernel ended the process; %s was reached.", limit->name);
    remedies(finding, cause);
}
