/* symlink-loop, symlink-dangling: a symbolic link on the way leads back to itself, or to nothing (path_resolution(7)).
 * The loader itself says "No such file or directory" for a loop: it reports the errno of the last directory that it
 * tried. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

static void tell_links(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; finding->walk && i < finding->walk->link_count && i < 6; i++)
        cause_fact(cause, i ? "then" : "the link", "%s", finding->walk->links[i]);
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *library = tell_needed_scenario(finding, cause);

    if (finding->kind == CAUSE_SYMLINK_LOOP) {
        library->defect = MINI_LOOP;
        library->link_text = xstrdup(library->name);
    } else {
        library->defect = MINI_DANGLING;
        library->link_text = xstrdup(path_base(finding->missing));
    }
}

/* ELOOP is what execve(2) says of scripts, too, whose programs are scripts (exec_binprm() of fs/exec.c). */
static void tell_scripts(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject), *next = finding->interpreter;

    if (strcmp(next, finding->subject) == 0)
        cause->summary =
            xasprintf("%s cannot be executed: its first line names itself as the program to run it.", subject);
    else
        cause->summary = xasprintf("%s cannot be executed: the program of its first line, %s, is a script, too, and so "
                                   "on, more than five deep.",
                                   subject, next);
    cause_fact(cause, "it needs", "%s   (its #! line)", next);
    cause_fact(cause, "mind", "the kernel says ELOOP (\"Too many levels of symbolic links\"); no link is meant");
    cause->detail = xstrdup(cause->summary);
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, NULL,
               "name a program, or a script for one, in the first line of %s: the kernel follows five", subject);
}

void cause_link_tell(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject);
    const char *asked = finding->place ? finding->place->path : finding->path;
    bool loop = finding->kind == CAUSE_SYMLINK_LOOP;
    const char *at = finding->walk && finding->walk->at ? finding->walk->at : asked;
    bool sound;

    if (loop && finding->interpreter) {
        tell_scripts(finding, cause);
        return;
    }
    if (loop)
        cause->summary =
            xasprintf("%s needs %s, but %s is a symbolic link that leads back to itself.", subject, asked, at);
    else
        cause->summary = xasprintf("%s needs %s, but the symbolic link %s points at %s, which is not there.", subject,
                                   asked, at, finding->missing);
    cause_fact(cause, "it needs", "%s", asked);
    tell_links(finding, cause);
    if (finding->fault)
        tell_search(cause, &finding->fault->search);
    if (loop && finding->fault)
        cause_fact(cause, "mind", "the loader says \"No such file or directory\" here; the kernel said ELOOP");
    cause->detail =
        xasprintf("%s cannot be followed: %s at %s.", asked, loop ? "a loop of symbolic links" : "a dangling link", at);
    remedy_sound_copy(finding, cause);
    sound = cause->remedy_count > 0;
    remedy_ask(finding, cause, ASK_CHOICE, at, NULL);
    if (!loop)
        remedy_ask(finding, cause, ASK_FILE, finding->missing, NULL);
    remedy_ask(finding, cause, ASK_OWNER, at, NULL);
    if (!sound)
        remedy_link(finding, cause, at);
    if (finding->fault)
        tell_scenario(finding, cause);
}
