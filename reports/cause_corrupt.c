/* object-corrupt: empty, truncated or not an ELF file at all. */
#include "judge.h"
#include "remedy.h"
#include "scenario.h"

#include <string.h>

#include <probes/alloc.h>

static char *what_it_is(const struct elffile *elf, const struct fault *fault)
{
    if (!elf)
        return xstrdup("is no ELF file that can be used");
    switch (elf->state) {
    case ELFFILE_EMPTY:
        return xstrdup("is empty");
    case ELFFILE_SHORT:
        return xasprintf("is cut off: %llu bytes, less than its own headers", (unsigned long long)elf->file_size);
    case ELFFILE_TRUNCATED:
        return xasprintf("is truncated at %llu bytes%s%s", (unsigned long long)elf->file_size, elf->why ? ": " : "",
                         elf->why ? elf->why : "");
    case ELFFILE_NOT_ELF:
        return xasprintf("is not an ELF file: it begins with \"%s\"", elf->starts);
    case ELFFILE_NOT_REGULAR:
        return xstrdup(S_ISDIR(elf->st.st_mode) ? "is a directory" : "is not a regular file");
    case ELFFILE_OK: /* the loader has more to ask of it */
        if (fault && fault->kind == FAULT_NOT_FOUND && fault->search.fault >= 0 &&
            fault->search.places[fault->search.fault].why)
            return xasprintf("cannot be loaded as a library: %s", fault->search.places[fault->search.fault].why);
        return xasprintf("is malformed%s%s", elf->interp_bad ? ": " : "", elf->interp_bad ? elf->interp_bad : "");
    default:
        return xasprintf("is malformed%s%s", elf->why ? ": " : "", elf->why ? elf->why : "");
    }
}

static void tell_scenario(const struct finding *finding, struct cause *cause)
{
    struct mini_object *stub;

    if (!finding->elf)
        return;
    stub = finding->fault && finding->fault->kind == FAULT_NOT_FOUND ? tell_needed_scenario(finding, cause)
                                                                     : tell_executed_scenario(finding, cause);
    stub->defect = finding->elf->state == ELFFILE_EMPTY     ? MINI_EMPTY
                   : finding->elf->state == ELFFILE_NOT_ELF ? MINI_TEXT
                                                            : MINI_CUT;
}

/* A clone made without git-lfs(1) has small text files in the place of large ones. */
static void tell_pointer(const struct finding *finding, struct cause *cause, const char *file)
{
    CLEANUP_FREE char *directory = path_dir(file);
    CLEANUP_FREE char *word = remedy_word(directory);

    if (finding->elf && finding->elf->state == ELFFILE_NOT_ELF && strcmp(finding->elf->starts, "version https://") == 0)
        remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("git -C %s lfs pull", word),
                   "fetch the file itself: this is a pointer to it, of Git's large file storage");
}

void cause_corrupt_tell(const struct finding *finding, struct cause *cause)
{
    CLEANUP_FREE char *is = what_it_is(finding->elf, finding->fault);
    const char *file = finding->provider ? finding->provider : finding->missing;

    if (finding->fault && finding->fault->kind == FAULT_NOT_FOUND)
        cause->summary = xasprintf("%s needs %s, but the file that is there, %s, %s.", path_base(finding->subject),
                                   finding->fault->name, file, is);
    else if (finding->provider && strcmp(finding->provider, finding->subject) != 0)
        cause->summary = xasprintf("%s cannot be executed: the dynamic loader that it names, %s, %s.",
                                   path_base(finding->subject), file, is);
    else
        cause->summary = xasprintf("%s cannot be run: it %s.", file, is);
    cause_fact(cause, "the file", "%s   %s", file, is);
    if (finding->fault)
        tell_search(cause, &finding->fault->search);
    cause->detail = xasprintf("%s %s.", file, is);
    remedy_sound_copy(finding, cause);
    tell_pointer(finding, cause, file);
    remedy_ask(finding, cause, ASK_OWNER, file, NULL);
    remedy_add(cause, PROOF_KNOWN, TRIAL_PUT, NULL,
               "install or copy %s again: what is there was damaged or never was a program file", file);
    tell_scenario(finding, cause);
}
