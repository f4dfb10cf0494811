/* Causes that are known from a log alone: the sentences of cause_*.c tell of files, and there are none at hand. */
#include "judge.h"

#include <probes/alloc.h>

#include <string.h>

bool judge_logged_cut(const char *name)
{
    size_t n = strlen(name);

    return n >= 3 && strcmp(name + n - 3, "...") == 0;
}

/* What is missing has no name, or half of one. */
static char *cut_sentence(const struct finding *finding)
{
    const char *subject = path_base(finding->subject);

    switch (finding->kind) {
    case CAUSE_SYMBOL_VERSION_MISSING:
        return xasprintf("%s needs a version that %s does not define; its name was cut off before the log was written "
                         "(strace's -s keeps more).",
                         subject, finding->provider ? path_base(finding->provider) : "what it was loaded with");
    case CAUSE_INTERPRETER_MISSING:
    case CAUSE_SCRIPT_INTERPRETER_MISSING:
        return xasprintf("%s is there and cannot be executed: what it wants to be run by is not there; the log does "
                         "not show what that is.",
                         subject);
    default:
        return xasprintf("%s could not be loaded: it needs a symbol or a version that nothing it was loaded with "
                         "defines; the log does not have its whole name (strace's -s keeps more).",
                         subject);
    }
}

/* %1 the subject's name, %2 what is missing, %3 the provider's name, %4 where a copy stands. */
static char *sentence(const struct finding *finding)
{
    const char *subject = path_base(finding->subject), *missing = finding->missing;
    const char *provider = finding->provider ? path_base(finding->provider) : "what it was loaded with";

    if (judge_logged_cut(missing))
        return cut_sentence(finding);
    switch (finding->kind) {
    case CAUSE_SYMBOL_VERSION_MISSING:
        return xasprintf("%s needs %s, which %s does not define.", subject, missing, provider);
    case CAUSE_SYMBOL_MISSING:
        return xasprintf("%s needs the symbol %s, which nothing that was loaded with it defines.", subject, missing);
    case CAUSE_LIBRARY_MISSING:
        return xasprintf("%s needs %s, which the loader did not find.", subject, missing);
    case CAUSE_LIBRARY_OFF_PATH:
        return xasprintf("%s needs %s, which stood at %s, where the loader did not look.", subject, missing,
                         finding->elsewhere);
    case CAUSE_LIBRARY_SHADOWED:
        if (!finding->elsewhere)
            return xasprintf("%s needs %s, which the %s that was taken first, %s, lacks.", subject, missing, provider,
                             finding->provider);
        return xasprintf("%s needs %s, which the %s that was taken lacks; the one at %s has it.", subject, missing,
                         provider, finding->elsewhere);
    case CAUSE_LOADER_LIBC_SKEW:
        return xasprintf("ld.so and libc.so.6 are of different builds: %s wants %s, which is between the two.", subject,
                         missing);
    case CAUSE_LIBC_FAMILY_MISMATCH:
        return xasprintf("%s was built for another C library than the one that runs: it wants %s.", subject, missing);
    case CAUSE_WRONG_ARCHITECTURE:
        return xasprintf("%s, which %s needs, is not for %s.", provider, subject, missing);
    case CAUSE_CPU_LEVEL_TOO_LOW:
        return strncmp(missing, "x86-64-v", 8) == 0
                   ? xasprintf("%s needs a processor of level %s.", provider, missing)
                   : xasprintf("%s needs %s than the processor has; the log does not show which.", provider, missing);
    case CAUSE_OBJECT_CORRUPT:
        return xasprintf("%s, which %s needs, is no sound ELF file.", path_base(missing), subject);
    case CAUSE_STATIC_TLS_EXHAUSTED:
        return xasprintf("%s wants thread-local storage at a fixed place, and there is none left.", provider);
    case CAUSE_EXECSTACK_REFUSED:
        return xasprintf("%s asks for an executable stack and does not get it.", provider);
    case CAUSE_NOEXEC_MOUNT:
        return xasprintf("%s stands on %s, which is mounted noexec.", provider, missing);
    case CAUSE_SYMLINK_LOOP:
        return xasprintf("%s needs %s, where links lead in a circle.", subject, missing);
    case CAUSE_SYMLINK_DANGLING:
        return xasprintf("%s needs what a link points at that is not there: %s.", subject, missing);
    case CAUSE_PERMISSION_DENIED:
        return xasprintf("%s needs %s, and may not read it.", subject, missing);
    default:
        return NULL;
    }
}

/* Of the loader, or of a file that itself would have to be looked at. */
static bool about_files(const struct finding *finding)
{
    switch (finding->kind) {
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_SYMLINK_DANGLING:
    case CAUSE_PERMISSION_DENIED:
        return !finding->walk && !finding->path;
    default:
        return true;
    }
}

/* The files are at hand, and were no use: the words stand alone. */
static bool by_words_only(const struct finding *finding)
{
    return finding->process->by_words && !finding->load && !finding->walk && !finding->path;
}

bool judge_logged_tells(const struct finding *finding, struct cause *cause)
{
    char *summary;

    if (finding->said) {
        cause->summary = xstrdup(finding->said);
        cause->detail = xstrdup("Read from words that were pasted: nothing else is known of it.");
        cause_fact(cause, "it needs", "%s", finding->missing);
        return true;
    }
    if (!(path_nowhere(finding->process->root) || by_words_only(finding)) || !about_files(finding) || finding->crash)
        return false;
    summary = sentence(finding);
    if (!summary)
        return false;
    cause->summary = summary;
    if (finding->process->at_hand)
        cause->detail =
            xstrdup("Read from a log: what the loader or the kernel said there, and from the files as they are "
                    "now, as far as these are known.");
    else
        cause->detail = xstrdup("Read from a log: what the loader or the kernel said there, and what was noted of the "
                                "files then; the files themselves could not be looked at.");
    cause_fact(cause, "it needs", "%s", finding->missing);
    if (finding->provider)
        cause_fact(cause, "it gets", "%s", finding->provider);
    if (finding->contradicted)
        cause_fact(cause, "but", "%s", finding->contradicted);
    if (finding->elsewhere)
        cause_fact(cause, "would do", "%s", finding->elsewhere);
    return true;
}
