/* What runtimes and checks before a start say in sentences of their own. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

/* "Missing GLIBC >= 2.28! from /lib/x86_64-linux-gnu/libc-2.17.so", of VS Code's server (its check-requirements.sh). */
static bool by_requirements(struct pasted *pasted, const char *line)
{
    static const char *const series[] = {"GLIBC", "GLIBCXX"};
    const char *at = strstr(line, "Missing "), *from = at ? strstr(at, "! from ") : NULL;

    for (size_t i = 0; at && i < sizeof series / sizeof *series; i++) {
        size_t n = strlen(series[i]);
        const char *number = at + 8 + n + 4;

        if (strncmp(at + 8, series[i], n) != 0 || strncmp(at + 8 + n, " >= ", 4) != 0)
            continue;
        pasted->provider = from ? pasted_word(from + 7, strcspn(from + 7, " ,")) : NULL;
        pasted_found(pasted, CAUSE_SYMBOL_VERSION_MISSING, xstrdup("node"),
                     xasprintf("%s_%.*s", series[i], (int)strspn(number, "0123456789."), number), 0.8);
        return true;
    }
    return false;
}

/* "Fatal glibc error: CPU does not support x86-64-v2" (sysdeps/x86/dl-get-cpu-features.c and the like). */
static bool by_libc(struct pasted *pasted, const char *line)
{
    static const char words[] = "CPU does not support ";
    const char *at = strstr(line, words);

    if (!at || !strstr(line, "glibc"))
        return false;
    at += sizeof words - 1;
    pasted_found(pasted, CAUSE_CPU_LEVEL_TOO_LOW, xstrdup(pasted->process->exe), pasted_word(at, strcspn(at, " ,")),
                 0.9);
    return true;
}

/* A native part of another build of the runtime: what the runtime wants is not said. */
static bool by_other_build(struct pasted *pasted, const char *line)
{
    static const char ruby[] = "incompatible library version - ";
    const char *at = strstr(line, ruby);

    if (at && strstr(line, "(LoadError)"))
        pasted_found(pasted, CAUSE_MODULE_ABI_MISMATCH,
                     pasted_word(at + sizeof ruby - 1, strcspn(at + sizeof ruby - 1, " ")),
                     xstrdup("the ABI of this ruby"), 0.45);
    else if (strstr(line, "loadable library and perl binaries are mismatched"))
        pasted_found(pasted, CAUSE_MODULE_ABI_MISMATCH, xstrdup("perl"), xstrdup("the ABI of this perl"), 0.45);
    else
        return false;
    return true;
}

/* "no foo in java.library.path: /a:/b" is libfoo.so. */
static bool by_java(struct pasted *pasted, const char *line)
{
    const char *end = strstr(line, " in java.library.path"), *at = end;
    CLEANUP_FREE char *name = NULL;

    while (at && at > line && at[-1] != ' ')
        at--;
    name = end && at - 3 >= line && strncmp(at - 3, "no ", 3) == 0 ? pasted_word(at, (size_t)(end - at)) : NULL;
    if (name)
        pasted_found(pasted, CAUSE_LIBRARY_MISSING, xstrdup("java"), xasprintf("lib%s.so", name), 0.8);
    return name != NULL;
}

/* "Can't load AMD 64-bit .so on a AARCH64-bit platform: /x.so" (java.lang.ClassLoader). */
static bool by_java_machine(struct pasted *pasted, const char *line)
{
    static const struct {
        const char *platform, *name;
    } machines[] = {{"AARCH64", "aarch64"}, {"AMD 64", "x86_64"}, {"IA 32", "i386"}, {"ARM", "arm"}};
    const char *at = strstr(line, "Can't load "), *on = at ? strstr(at, " .so on a") : NULL, *path;

    if (!on || !(path = strstr(on, "platform: ")))
        return false;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (strstr(on, machines[i].platform)) {
            pasted->provider = pasted_word(path + 10, strcspn(path + 10, " "));
            pasted_found(pasted, CAUSE_WRONG_ARCHITECTURE, xstrdup("java"), xstrdup(machines[i].name), 0.85);
            return true;
        }
    return true;
}

/* Libraries that a runtime or a check before a start names in a sentence of its own. */
static bool by_check(struct pasted *pasted, const char *line)
{
    static const struct {
        const char *before, *behind;
    } sentences[] = {
        {"The required library ", " could not be found"}, /* .NET's host */
        {"No usable version of ", " was found"},          /* .NET: libssl */
        {"Couldn't find a valid ", " package installed"}, /* .NET: ICU */
    };

    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        const char *at = strstr(line, sentences[i].before), *name = at ? at + strlen(sentences[i].before) : NULL;
        const char *end = name ? strstr(name, sentences[i].behind) : NULL;
        size_t n = end ? (size_t)(end - name) : 0;

        if (!n || memchr(name, ' ', n))
            continue;
        pasted_found(pasted, CAUSE_LIBRARY_MISSING, xstrdup(pasted->process->exe),
                     strncmp(name, "ICU", n) == 0 ? xstrdup("libicu") : pasted_word(name, n), 0.75);
        return true;
    }
    return false;
}

/* A list under "Missing libraries:" (playwright), one a line, in a frame. */
static bool by_list(struct pasted *pasted, const char *line)
{
    const struct process *process = pasted->process;
    const char *at = strstr(line, "lib");
    size_t n = at ? strcspn(at, " ") : 0;

    if (!n || strspn(line, " |\xe2\x95\x91") != (size_t)(at - line) || !memmem(at, n, ".so", 3) ||
        at[n + strspn(at + n, " |\xe2\x95\x91")])
        return false;
    for (const struct output_line *before = pasted->line; before-- > process->lines;)
        if (strstr(before->text, "Missing libraries:")) {
            pasted_found(pasted, CAUSE_LIBRARY_MISSING, xstrdup(process->exe), pasted_word(at, n), 0.75);
            return true;
        }
    return false;
}

/* elf/dl-call-libc-early-init.c: a libc.so.6 that has not what this loader calls. */
static bool by_loader(struct pasted *pasted, const char *line)
{
    if (!strstr(line, "Inconsistency detected by ld.so") || !strstr(line, "_dl_call_libc_early_init"))
        return false;
    pasted_found(pasted, CAUSE_LOADER_LIBC_SKEW, xstrdup(pasted->process->exe),
                 xstrdup("__libc_early_init@GLIBC_PRIVATE"), 0.85);
    return true;
}

/* "dlopen(): error loading libfuse.so.2" (AppImage's runtime). */
static bool by_appimage(struct pasted *pasted, const char *line)
{
    static const char words[] = "dlopen(): error loading ";
    const char *at = strstr(line, words);

    if (!at)
        return false;
    at += sizeof words - 1;
    pasted_found(pasted, CAUSE_LIBRARY_MISSING, xstrdup(pasted->process->exe), pasted_word(at, strcspn(at, " ")), 0.85);
    return true;
}

/* libfuse needs a device, and a program that is set-user-ID. */
static bool by_fuse(struct pasted *pasted, const char *line)
{
    static const char device[] = "fuse: device not found", tool[] = "fuse: failed to exec ";
    const char *at = strstr(line, tool);
    CLEANUP_FREE char *name = NULL;

    if (strstr(line, device)) {
        pasted_found(pasted, CAUSE_FILE_MISSING, xstrdup(pasted->process->exe), xstrdup("/dev/fuse"), 0.85);
        return true;
    }
    if (!at)
        return false;
    name = pasted_word(at + sizeof tool - 1, strcspn(at + sizeof tool - 1, ": "));
    if (name && strstr(line, "No such file"))
        pasted_found(pasted, CAUSE_COMMAND_NOT_FOUND, xstrdup(pasted->process->exe), xstrdup(name), 0.85);
    else if (name && strstr(line, "Permission denied"))
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup(pasted->process->exe), xstrdup(name), 0.8);
    return true;
}

/* Emulators open the loader that a program names themselves: "qemu-x86_64: Could not open
 * '/lib64/ld-linux-x86-64.so.2': No such file or directory", "rosetta error: failed to open elf at
 * /lib64/ld-linux-x86-64.so.2". */
static bool by_emulator(struct pasted *pasted, const char *line)
{
    const char *at = strstr(line, "/ld-linux"), *start = at ? at : strstr(line, "/ld-musl-"), *end;

    if (!start || (strncmp(line, "qemu-", 5) != 0 && strncmp(line, "rosetta error", 13) != 0))
        return false;
    end = start + strcspn(start, " '\"");
    while (start > line && !strchr(" '\"", start[-1]))
        start--;
    pasted_found(pasted, CAUSE_INTERPRETER_MISSING, xstrdup(pasted->process->exe),
                 pasted_word(start, (size_t)(end - start)), 0.85);
    return true;
}

/* What stands behind WORDS in a line of PROCESS's, between quotes or up to a blank; malloced, or NULL. */
static char *told_elsewhere(const struct process *process, const char *words)
{
    for (size_t i = 0; i < process->line_count; i++) {
        const char *at = strstr(process->lines[i].text, words);

        if (at)
            return pasted_word(at + strlen(words), strcspn(at + strlen(words), "'\" "));
    }
    return NULL;
}

/* Python that does not find its own library prints what its variables are (Python/pathconfig.c); Go says what it has
 * looked at: "go: cannot find GOROOT directory: /x". */
static bool by_home(struct pasted *pasted, const char *line)
{
    static const char goroot[] = "cannot find GOROOT directory: ";
    const char *at = strstr(line, goroot);

    if (at && (at[sizeof goroot - 1] == '/' || at[sizeof goroot] == ':')) {
        CLEANUP_FREE char *path = pasted_word(at + sizeof goroot - 1, strcspn(at + sizeof goroot - 1, " '\""));

        pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, xstrdup("go"), path ? xasprintf("GOROOT=%s", path) : NULL, 0.8);
        return true;
    }
    if (strstr(line, "No module named 'encodings'") || strstr(line, "the filesystem encoding")) {
        CLEANUP_FREE char *home = told_elsewhere(pasted->process, "PYTHONHOME = '");

        pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, xstrdup("python3"),
                     home ? xasprintf("PYTHONHOME=%s", home) : NULL, 0.85);
        return true;
    }
    return false;
}

/* What libstdc++ throws where the locale of the environment is not there; which variable is seldom told. */
static bool by_locale(struct pasted *pasted, const char *line)
{
    static const char *const variables[] = {"LC_ALL=", "LC_CTYPE=", "LANG="};
    CLEANUP_FREE char *value = NULL;
    size_t i = 0;

    if (!strstr(line, "locale::facet::_S_create_c_locale name not valid"))
        return false;
    while (i < sizeof variables / sizeof *variables && !(value = told_elsewhere(pasted->process, variables[i])))
        i++;
    pasted_found(pasted, CAUSE_ENVIRONMENT_WRONG, pasted_crash_program(pasted->process),
                 value ? xasprintf("%s%s", variables[i], value) : xstrdup("LC_ALL"), value ? 0.8 : 0.7);
    return true;
}

bool pasted_runtime(struct pasted *pasted, const char *line)
{
    return by_requirements(pasted, line) || by_libc(pasted, line) || by_java(pasted, line) ||
           by_appimage(pasted, line) || by_fuse(pasted, line) || by_emulator(pasted, line) || by_home(pasted, line) ||
           by_locale(pasted, line) || by_other_build(pasted, line) || by_java_machine(pasted, line) ||
           by_check(pasted, line) || by_list(pasted, line) || by_loader(pasted, line);
}
