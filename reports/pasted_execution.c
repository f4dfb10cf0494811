/* Programs that could not be executed, in the words of shells, env(1), runtimes and container tools. */
#include "pasted.h"

#include <string.h>

#include <probes/alloc.h>

/* PATH was executed and something that is wanted for it is not there. KNOWN: it was the kernel's own answer for a file
 * that exists; else it may be the file itself. */
static void not_started(struct pasted *pasted, char *path, bool known)
{
    struct pasted_proof proof;

    if (!path)
        return;
    pasted_proof_of(pasted->process, path, &proof);
    if (proof.target) {
        pasted_found(pasted, CAUSE_SYMLINK_DANGLING, pasted_speaker(pasted, pasted->text), xstrdup(proof.target), 0.85);
    } else if (proof.interpreter && proof.script) {
        pasted_found(pasted, CAUSE_SCRIPT_INTERPRETER_MISSING, xstrdup(path),
                     xasprintf("%s%s", proof.interpreter, proof.carriage_return ? "\r" : ""), 0.85);
    } else if (proof.interpreter) {
        pasted_found(pasted, CAUSE_INTERPRETER_MISSING, xstrdup(path), xstrdup(proof.interpreter), 0.9);
    } else if (known || proof.there) {
        bool script = script_like(path) || proof.script;

        pasted_found(pasted, script ? CAUSE_SCRIPT_INTERPRETER_MISSING : CAUSE_INTERPRETER_MISSING, xstrdup(path),
                     xstrdup("what it is to be run by"), 0.45);
    } else {
        pasted_found(pasted, CAUSE_FILE_MISSING, pasted_speaker(pasted, pasted->text), xstrdup(path), 0.45);
    }
    pasted_proof_deinit(&proof);
    free(path);
}

void pasted_not_found(struct pasted *pasted, char *name)
{
    size_t n = name ? strlen(name) : 0;

    if (!n || strpbrk(name, " \t")) {
        free(name);
        return;
    }
    if (strchr(name, '/')) {
        not_started(pasted, name, false);
        return;
    }
    if (n > 2 && (strcmp(name + n - 2, "\\r") == 0 || strcmp(name + n - 2, "^M") == 0)) { /* env(1) of a script */
        strcpy(name + n - 2, "\r");
        pasted_found(pasted, CAUSE_SCRIPT_INTERPRETER_MISSING, pasted_speaker(pasted, pasted->text), name, 0.85);
        return;
    }
    /* ".x" was to be "./x" */
    pasted_found(pasted, CAUSE_COMMAND_NOT_FOUND, pasted_speaker(pasted, pasted->text), name, *name == '.' ? 0.4 : 0.9);
}

static bool ends_with(const char *line, const char *end)
{
    size_t n = strlen(line), m = strlen(end);

    while (n && strchr(" \t\r.", line[n - 1]))
        n--;
    return n >= m && strncmp(line + n - m, end, m) == 0;
}

/* Ubuntu's command_not_found_handle: "Command 'x' not found, but can be installed with:", "The program 'x' is currently
 * not installed." */
static bool by_handle(struct pasted *pasted, const char *line)
{
    const char *at = strncmp(line, "Command '", 9) == 0 && strstr(line, "' not found")          ? line + 9
                     : strncmp(line, "The program '", 13) == 0 && strstr(line, "not installed") ? line + 13
                                                                                                : NULL;

    if (at)
        pasted_found(pasted, CAUSE_COMMAND_NOT_FOUND, xstrdup("bash"), pasted_word(at, strcspn(at, "'")), 0.9);
    return at != NULL;
}

/* "./build.sh: 3: x: not found": a shell that runs a script says its line. */
static bool numbers_line(const char *line)
{
    const char *at = strstr(line, ": ");

    return at && strspn(at + 2, "0123456789") && strncmp(at + 2 + strspn(at + 2, "0123456789"), ": ", 2) == 0;
}

/* What such a shell says of the first bytes of a program that is for another machine, where it takes it for a script.
 */
static bool takes_for_script(struct pasted *pasted, const char *line)
{
    const char *end = strstr(line, ": not found");
    char *name = end ? pasted_field_before(line, end) : NULL;
    const char *p = name ? name + strspn(name, "\x7f^?") : "";
    bool taken = strncmp(p, "ELF", 3) == 0 && (p > name || (unsigned char)p[3] < ' ' || (unsigned char)p[3] > '~');

    free(name);
    if (taken)
        pasted_no_executable(pasted, pasted_word(line, strcspn(line, ":")), false);
    return taken;
}

/* A shell was refused PATH, which is taken: by its mode, unless that lets everybody, as is shown, and its mount not.
 */
static void refused(struct pasted *pasted, char *path)
{
    char *point = path && pasted_all_may_run(pasted->process, path) ? pasted_noexec_shown(pasted->process, path) : NULL;

    if (!point) {
        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup_or_null(path), path, 0.88);
        return;
    }
    pasted->provider = pasted->found ? pasted->provider : xstrdup(path);
    pasted_found(pasted, CAUSE_NOEXEC_MOUNT, path, point, 0.9);
}

static bool by_shell(struct pasted *pasted, const char *line)
{
    static const char *const behind[] = {
        "command not found: ", "Unknown command: ", "unknown command: ", "fish: Unknown command "};
    const char *at;

    if (takes_for_script(pasted, line))
        return true;
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++)
        if ((at = strstr(line, behind[i])) && !strchr(at + strlen(behind[i]), ' ') &&
            (i == 0 || strncmp(line, "fish", 4) == 0 || at == line)) {
            pasted_not_found(pasted, pasted_word(at + strlen(behind[i]), strlen(at + strlen(behind[i]))));
            return true;
        }
    if ((at = strstr(line, ": command not found")) || (at = strstr(line, ": Command not found"))) {
        pasted_not_found(pasted, pasted_field_before(line, at));
        return true;
    }
    /* "sh: 1: x: not found", "/bin/sh: x: not found": nothing else is said of a library or symbol */
    if (ends_with(line, ": not found") && strncmp(line, "Error", 5) != 0 && !strstr(line, "symbol")) {
        char *who = pasted_speaker(pasted, line);

        at = strstr(line, ": not found");
        if (judge_is_shell(who) || strcmp(who, "sudo") == 0 || strcmp(who, "make") == 0 || numbers_line(line))
            pasted_not_found(pasted, pasted_field_before(line, at));
        free(who);
        return true;
    }
    return false;
}

/* "exec: "go": executable file not found in $PATH" (os/exec of Go, container runtimes). */
static bool by_go(struct pasted *pasted, const char *line)
{
    const char *at = strstr(line, ": executable file not found in $PATH"), *start = at;

    if (!at)
        return false;
    while (start > line && !strchr(" \t", start[-1]))
        start--;
    pasted_found(pasted, CAUSE_COMMAND_NOT_FOUND, pasted_speaker(pasted, line),
                 pasted_word(start, (size_t)(at - start)), 0.9);
    return true;
}

static bool mentions(const struct process *process, const char *words)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (strstr(process->lines[i].text, words))
            return true;
    return false;
}

/* Runtimes that start programs: "spawn x ENOENT", Python's subprocess. */
static bool by_runtime(struct pasted *pasted, const char *line)
{
    static const char file[] = "FileNotFoundError: [Errno 2] No such file or directory: ";
    const char *at = strstr(line, "spawn "), *end = at ? strstr(at, " ENOENT") : NULL;

    if (at && !end && (end = strstr(at, " EACCES"))) {
        char *path = pasted_word(at + 6, (size_t)(end - at - 6));

        pasted_found(pasted, CAUSE_PERMISSION_DENIED, xstrdup_or_null(path), path, 0.85);
        return true;
    }
    if (end && end > at + 6) {
        pasted_not_found(pasted, pasted_word(at + 6, (size_t)(end - at - 6)));
        return true;
    }
    at = strstr(line, file);
    if (at && mentions(pasted->process, "_execute_child")) {
        at += sizeof file - 1;
        pasted_not_found(pasted, pasted_word(at, strlen(at)));
        return true;
    }
    return false;
}

/* "env: ‘x’: No such file or directory", "nohup: failed to run command 'x': No such file …", "exec /x: no such file …":
 * at the beginning of the line, or of what somebody passes on. */
static bool by_tool(struct pasted *pasted, const char *line)
{
    static const char *const tools[] = {"env: can't execute ",
                                        "env: ",
                                        "/usr/bin/env: ",
                                        "xargs: ",
                                        "execvp: ",
                                        "make: ",
                                        "nice: ",
                                        "exec failed: ",
                                        "failed to run command ",
                                        "failed to execute ",
                                        "unable to execute ",
                                        "cannot run ",
                                        "Can't stat ",
                                        "exec: ",
                                        "fork/exec ",
                                        "exec "};
    const char *at = strcasestr(line, ": no such file or directory"), *from;
    size_t n;

    for (size_t i = 0; at && i < sizeof tools / sizeof *tools; i++) {
        n = strlen(tools[i]);
        from = strstr(line, tools[i]);
        if (!from || (from != line && (from < line + 2 || strncmp(from - 2, ": ", 2) != 0)) || from + n >= at)
            continue;
        if (memmem(from, (size_t)(at - from), ": stat ", 7)) /* runc has looked: it is not there (execvp's search) */
            return false;
        if (!strstr(line, "***")) /* make's targets */
            pasted_not_found(pasted, pasted_word(from + n, (size_t)(at - from) - n));
        return true;
    }
    return false;
}

/* The path of a shell's message: "bash: line 1: ./x: …" up to AT; zsh has it behind ("zsh: permission denied: ./x"). */
static char *path_before(const char *line, const char *at)
{
    char *path = pasted_field_before(line, at);

    if (path && !strchr(path, '/')) {
        free(path);
        return NULL;
    }
    return path;
}

/* Of "fork/exec ./x", "Failed at step EXEC spawning /x", "exec /x" the last word. */
static char *last_word(char *field)
{
    char *last = field ? strrchr(field, ' ') : NULL;

    if (last)
        memmove(field, last + 1, strlen(last + 1) + 1);
    return field;
}

void pasted_no_executable(struct pasted *pasted, char *path, bool binary)
{
    struct pasted_proof proof;
    const char *told = pasted_machine(pasted->process), *machine = told ? told : "x86_64";

    if (!path)
        return;
    pasted_proof_of(pasted->process, path, &proof);
    if (proof.empty)
        pasted_found(pasted, CAUSE_OBJECT_CORRUPT, xstrdup(path), xstrdup(path), 0.85);
    else if (!proof.machine || strcmp(proof.machine, machine) != 0)
        pasted_found(pasted, CAUSE_WRONG_ARCHITECTURE, xstrdup(path), xstrdup(machine),
                     proof.machine       ? 0.92
                     : script_like(path) ? 0.4
                     : binary || told    ? 0.7
                                         : 0.55);
    pasted->provider = pasted->found ? xstrdup(path) : NULL;
    pasted_proof_deinit(&proof);
    free(path);
}

/* A carriage return as it is, where the terminal showed it as "^M". */
static char *as_interpreter(char *name)
{
    size_t n = name ? strlen(name) : 0;

    if (n > 2 && strcmp(name + n - 2, "^M") == 0)
        strcpy(name + n - 2, "\r");
    return name;
}

/* bash: "./x: /bin/nope: bad interpreter: No such file ..."; zsh: "./x: bad interpreter: /bin/nope: no such file ...".
 */
static void bad_interpreter(struct pasted *pasted, const char *line, const char *at)
{
    const char *behind = at + strlen(": bad interpreter: "), *end = strstr(behind, ": ");
    char *before = at > line ? pasted_field_before(line, at) : NULL, *missing, *script;

    if (*behind == '/') {
        missing = pasted_word(behind, end ? (size_t)(end - behind) : strlen(behind));
        script = before;
    } else {
        const char *start = before ? strstr(line, before) : NULL;

        missing = before;
        script = start && start > line + 2 ? pasted_field_before(line, start - 2) : NULL;
    }
    missing = as_interpreter(missing);
    if (!script) /* the beginning of the message was left out */
        script = xstrdup_or_null(pasted->process->exe);
    pasted_found(pasted, CAUSE_SCRIPT_INTERPRETER_MISSING, script, missing, 0.9);
}

/* fish tells of it in lines of its own: "Failed to execute process './x'. Reason:". */
static char *fish_tried(const struct pasted *pasted)
{
    const struct process *process = pasted->process;

    for (size_t i = process->line_count; i-- > 0;)
        if (&process->lines[i] < pasted->line && strstr(process->lines[i].text, "Failed to execute process "))
            return pasted_quoted(process->lines[i].text);
    return NULL;
}

static bool by_kernel(struct pasted *pasted, const char *line)
{
    const char *at;

    if ((at = strstr(line, ": bad interpreter: "))) {
        bad_interpreter(pasted, line, at);
        return true;
    }
    if (strncmp(line, "bad interpreter: /", 18) == 0) {
        const char *path = line + 17;

        pasted_found(pasted, CAUSE_SCRIPT_INTERPRETER_MISSING, xstrdup_or_null(pasted->process->exe),
                     as_interpreter(pasted_word(path, strcspn(path, ": "))), 0.8);
        return true;
    }
    if ((at = strstr(line, ": cannot execute: required file not found"))) {
        not_started(pasted, pasted_field_before(line, at), true);
        return true;
    }
    if ((at = strstr(line, ": cannot execute binary file"))) {
        pasted_no_executable(pasted, pasted_field_before(line, at), true);
        return true;
    }
    if ((at = strcasestr(line, "exec format error"))) {
        bool behind = strncmp(at + 17, ": '", 3) == 0 || strncmp(at + 17, ": ./", 4) == 0 ||
                      strncmp(at + 17, ": /", 3) == 0; /* Python's, zsh's */
        char *path = behind                            ? pasted_word(at + 19, strlen(at + 19))
                     : strncmp(line, "exec: ", 6) == 0 ? fish_tried(pasted)
                     : at > line && at[-1] == '[' && strstr(line, ": cannot execute")
                         ? pasted_field_before(line, strstr(line, ": cannot execute")) /* ksh's */
                     : strstr(line, "exec user process caused")       ? xstrdup_or_null(pasted->process->exe)
                     : at > line + 2 && strncmp(at - 2, ": ", 2) == 0 ? last_word(pasted_field_before(line, at - 2))
                                                                      : NULL;

        pasted_no_executable(pasted, path, false);
        return true;
    }
    return false;
}

/* A shell's word for a path that it was to run. */
static bool by_path(struct pasted *pasted, const char *line)
{
    char *who = pasted_speaker(pasted, line);
    bool shell = judge_is_shell(who) || strstr(line, ": line "), taken = false;
    const char *at;

    free(who);
    if (!shell)
        return false;
    if ((at = strstr(line, ": No such file or directory"))) {
        char *path = path_before(line, at);

        taken = path != NULL && !strstr(line, "cd: ") && !strstr(line, "source: ");
        if (taken)
            not_started(pasted, path, false);
        else
            free(path);
    } else if ((at = strstr(line, ": no such file or directory: ")) && strncmp(line, "zsh", 3) == 0) {
        not_started(pasted, pasted_word(at + 29, strlen(at + 29)), false);
        taken = true;
    } else if ((at = strstr(line, ": permission denied: "))) {
        char *path = pasted_word(at + 21, strlen(at + 21));

        refused(pasted, path);
        taken = true;
    } else if ((at = strstr(line, ": cannot execute [Permission denied]")) ||
               (at = strstr(line, ": Permission denied"))) {
        char *path = path_before(line, at);

        taken = path != NULL;
        refused(pasted, path);
    }
    return taken;
}

bool pasted_execution(struct pasted *pasted, const char *line)
{
    return by_kernel(pasted, line) || by_handle(pasted, line) || by_go(pasted, line) || by_shell(pasted, line) ||
           by_tool(pasted, line) || by_runtime(pasted, line) || by_path(pasted, line);
}
