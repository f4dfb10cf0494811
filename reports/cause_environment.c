/* environment-wrong: a variable points at something that is not there or not what is meant. */
#include "environment.h"

#include "remedy.h"
#include "scenario.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

enum { SIMILAR = 3 };

static const char *fault_text(const struct lead *lead)
{
    switch (lead->fault) {
    case LEAD_NOT_MEANT:
        return "is not what is meant there";
    case LEAD_FOREIGN:
        return "is another user's";
    default:
        return "is not there";
    }
}

/* The part alone where the value has more in it. */
static void tell_summary(const struct lead *lead, const char *subject, struct cause *cause)
{
    const struct variable *variable = &lead->variable;

    if (lead->fault == LEAD_UNSET)
        cause->summary = xasprintf("%s needs to be told by the variable %.*s, which is not set or empty.", subject,
                                   (int)variable->name_size, variable->entry);
    else if (!lead->path)
        cause->summary = xasprintf("%s does not take what the variable %.*s is set to: %s.", subject,
                                   (int)variable->name_size, variable->entry, variable->value);
    else if (strcmp(lead->path, variable->value) == 0)
        cause->summary = xasprintf("%s was led by the variable %.*s to %s, which %s.", subject,
                                   (int)variable->name_size, variable->entry, lead->path, fault_text(lead));
    else
        cause->summary =
            xasprintf("%s was led by the variable %.*s (%s) to %s, which %s.", subject, (int)variable->name_size,
                      variable->entry, variable->value, lead->path, fault_text(lead));
}

static void tell_origin(const struct finding *finding, struct cause *cause)
{
    const struct process *process = finding->process;

    for (size_t i = 0; i < process->env.n; i++) {
        if (process->env.v[i] != finding->lead->variable.entry)
            continue;
        if (i < process->env_by.n && *process->env_by.v[i])
            cause_fact(cause, "set by", "%s", process->env_by.v[i]);
        else if (i < process->env_by.n)
            cause_fact(cause, "set by", "whoever started it: it was there from the beginning");
        return;
    }
}

/* Mending one of them may not do. */
static void tell_namesakes(const struct finding *finding, struct cause *cause)
{
    const struct lead *lead = finding->lead;

    for (size_t i = 0; lead->path && i < finding->process->env.n; i++) {
        struct variable other;

        if (finding->process->env.v[i] != lead->variable.entry && variable_of(finding->process->env.v[i], &other) &&
            lead_has_path(finding->process, &other, lead->path))
            cause_fact(cause, "also set to it", "%.*s", (int)other.name_size, other.entry);
    }
}

static void tell_nearby(const struct finding *finding, struct cause *cause)
{
    const char *path = finding->lead->path;
    size_t count = 0;
    char **names = path[0] == '/' ? path_nearby(finding->process->root, path, SIMILAR, &count) : NULL;

    for (size_t i = 0; i < count; i++) {
        cause_fact(cause, i ? "or" : "nearby", "%s", names[i]);
        free(names[i]);
    }
    free(names);
}

static void tell_remedies(const struct finding *finding, struct cause *cause)
{
    const struct variable *variable = &finding->lead->variable;
    struct remedy *remedy;

    if (finding->lead->fault == LEAD_UNSET) {
        cause_remedy(cause, PROOF_KNOWN, "run it where there is a display, and set %.*s to its name, such as :0",
                     (int)variable->name_size, variable->entry);
        return;
    }
    remedy = cause_remedy(cause, PROOF_KNOWN, "do without %.*s: let %s use what it uses then", (int)variable->name_size,
                          variable->entry, path_base(finding->subject));

    strings_addf(&remedy->commands, "unset %.*s", (int)variable->name_size, variable->entry);
    if (!finding->lead->path)
        cause_remedy(cause, PROOF_KNOWN, "or set it to something that %s knows", path_base(finding->subject));
    else if (finding->lead->fault == LEAD_FOREIGN)
        cause_remedy(cause, PROOF_KNOWN, "or set it to a directory of this user's own");
    else
        remedy_add(cause, PROOF_KNOWN, finding->lead->fault == LEAD_ABSENT ? TRIAL_PUT : TRIAL_NONE, NULL,
                   "or set it to where the thing is, or put that at %s", finding->lead->path);
}

/* A library that is where nobody looks, because the variable names a directory that is not there. */
static void library_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *library = tell_needed_scenario(finding, cause);

    library->directory = 2;
    cause->scenario->variable_path = xstrdup(path_base(finding->lead->path));
}

/* What was asked for below what VARIABLE names, where that is no directory or one of something else; NULL otherwise. */
static const char *asked_inside(const struct finding *finding)
{
    const struct lead *lead = finding->lead;
    size_t n = lead->path ? strlen(lead->path) : 0;
    bool beneath = n && finding->path && strncmp(finding->path, lead->path, n) == 0 && finding->path[n] == '/';

    if (!beneath || lead->fault != LEAD_NOT_MEANT)
        return NULL;
    return finding->error == ENOTDIR || (finding->error == ENOENT && lead_is_tree(&lead->variable))
               ? finding->path + n + 1
               : NULL;
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    const struct lead *lead = finding->lead;
    const char *at = lead->path ? strstr(lead->variable.value, lead->path) : NULL;
    const char *inside = asked_inside(finding);
    bool for_loader = strncmp(lead->variable.entry, "LD_", 3) == 0;
    struct mini_object *file;

    if (!at || (lead->fault != LEAD_ABSENT && !inside) || for_loader != (finding->fault && finding->elsewhere))
        return;
    if (finding->fault) {
        library_scenario(finding, cause);
    } else { /* what the loader itself reads, a stub that only opens a file says nothing about */
        cause->scenario = scenario_create(SCENARIO_OPEN);
        scenario_object(cause->scenario, path_base(finding->subject));
        file = scenario_object(cause->scenario, path_base(lead->path));
        file->absent = !inside;
        cause->scenario->inside = xstrdup_or_null(inside);
        cause->scenario->emptied = inside && finding->error == ENOENT;
        cause->scenario->mend_object = 1;
    }
    cause->scenario->variable = xstrndup(lead->variable.entry, lead->variable.name_size);
    /* Of a list for the loader nothing else: what other directories hold is not to be looked at there. */
    cause->scenario->before = xstrndup(lead->variable.value, finding->fault ? 0 : (size_t)(at - lead->variable.value));
    cause->scenario->after = xstrdup(finding->fault ? "" : at + strlen(lead->path));
}

void cause_environment_tell(const struct finding *finding, struct cause *cause)
{
    const struct lead *lead = finding->lead;
    const char *subject = path_base(finding->subject);

    tell_summary(lead, subject, cause);
    if (lead->fault != LEAD_UNSET)
        cause_fact(cause, "it is set", "%s", lead->variable.entry);
    tell_origin(finding, cause);
    tell_namesakes(finding, cause);
    if (finding->path && lead->path && strcmp(finding->path, lead->path) != 0)
        cause_fact(cause, "it needs", "%s", finding->path);
    if (finding->fault) {
        cause_fact(cause, "it needs", "%s", finding->fault->name);
        if (finding->elsewhere)
            cause_fact(cause, "it is at", "%s", finding->elsewhere);
        tell_search(cause, &finding->fault->search);
    } else if (lead->path && lead->fault == LEAD_ABSENT) {
        tell_nearby(finding, cause);
    }
    if (finding->call)
        cause->detail = xasprintf("%s(\"%s\") failed; the path comes from %s in the environment of %s.", finding->call,
                                  finding->path, lead->variable.entry, finding->subject);
    else if (lead->fault == LEAD_UNSET)
        cause->detail = xasprintf("%s says what it lacks, and has no %.*s in its environment, or an empty one.",
                                  finding->subject, (int)lead->variable.name_size, lead->variable.entry);
    else
        cause->detail = xasprintf("%s has %s in its environment, and did not get on with it.", finding->subject,
                                  lead->variable.entry);
    tell_remedies(finding, cause);
    tell_scenario(finding, cause);
}
