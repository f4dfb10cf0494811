/* interpreter-missing, script-interpreter-missing: execve(2) answers ENOENT for a file that is there, because what it
 * must be run by is not. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

static bool carriage_return(const char *name)
{
    size_t n = strlen(name);

    return n && name[n - 1] == '\r';
}

static void tell_script(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject);
    CLEANUP_FREE char *bare = xstrdup(finding->interpreter);

    if (carriage_return(finding->interpreter)) {
        bare[strlen(bare) - 1] = '\0';
        cause->summary = xasprintf("%s cannot be executed: its first line ends with a carriage return (a Windows line "
                                   "end), so that the kernel looks for a program whose name ends with one.",
                                   subject);
        cause_fact(cause, "it needs", "%s followed by a carriage return (\\r)", bare);
    } else {
        cause->summary =
            xasprintf("%s cannot be executed: the program of its first line, %s, is not there.", subject, bare);
        cause_fact(cause, "it needs", "%s   (its #! line)", bare);
    }
    remedy_script(finding, cause);
    if (!carriage_return(finding->interpreter) && finding->interpreter[0] == '/')
        remedy_ask(finding, cause, ASK_FILE, finding->interpreter, NULL);
    if (!carriage_return(finding->interpreter))
        cause_remedy(cause, PROOF_KNOWN, "install %s, or name the right program in the first line of %s", bare,
                     finding->subject);
    cause->scenario = scenario_create(SCENARIO_SCRIPT);
    cause->scenario->script_name = xstrdup(subject);
    cause->scenario->script_line = xasprintf("#!%s", finding->interpreter);
}

static void tell_elf(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject), *interp = finding->interpreter;
    bool musl = strncmp(path_base(interp), "ld-musl-", 8) == 0;
    struct mini_object *stub;

    cause->summary = xasprintf("%s is there, but cannot be executed: the dynamic loader that it names, %s, is not.",
                               subject, interp);
    cause_fact(cause, "it needs", "%s   (PT_INTERP)", interp);
    remedy_other_loader(finding, cause);
    remedy_ask(finding, cause, ASK_LOADER, interp, NULL);
    if (musl)
        cause_remedy(cause, PROOF_KNOWN, "or use its glibc build: this one was built for musl (Alpine)");
    else if (strncmp(interp, "/lib/ld-linux.so.2", 18) == 0)
        cause_remedy(cause, PROOF_KNOWN, "or use its 64-bit build: this one is a 32-bit program");
    else
        cause_remedy(cause, PROOF_KNOWN, "install the C library that it was built for, or use a build for this system");
    if (finding->elf) {
        cause->scenario = scenario_create(SCENARIO_EXECUTE);
        stub = scenario_object(cause->scenario, subject);
        mini_object_fit(stub, finding->elf);
        stub->interp = xstrdup(interp);
        cause->scenario->mended = mini_object_copy(stub);
        free(cause->scenario->mended->interp);
        cause->scenario->mended->interp = NULL;
    }
}

void cause_interpreter_tell(const struct finding *finding, struct cause *cause)
{
    if (finding->kind == CAUSE_INTERPRETER_MISSING)
        tell_elf(finding, cause);
    else
        tell_script(finding, cause);
    cause_fact(cause, "the kernel", "%s: ENOENT, although %s is there", finding->call ? finding->call : "execve",
               finding->subject);
    cause->detail = xasprintf("%s(\"%s\") answered ENOENT. The file exists; what is missing is the program that the "
                              "kernel must start for it: %s.",
                              finding->call ? finding->call : "execve",
                              finding->path ? finding->path : finding->subject, finding->interpreter);
}
