/* `glibctrace check`: what the kernel would do with a file that is to be executed; and of a script, whether the program
 * of its first line would load, env(1)'s as well (check_parts.h). */
#include "check_parts.h"

#include "judge.h"

#include <probes/alloc.h>
#include <probes/execfile.h>
#include <probes/load.h>
#include <probes/tree.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

enum { SCRIPTS_MOST = 6 /* five for one execve(2), and the program */ };
#define ON_ANOTHERS_PATH 0.7 /* what PATH is in a root, nobody has said */

bool check_is_secure(const struct check_request *request, const char *path)
{
    return !request->copied && execfile_is_secure(check_root(request), path);
}

static int execution_error(const struct execfile *file)
{
    switch (file->verdict) {
    case EXECFILE_INTERP_ABSENT:
    case EXECFILE_SCRIPT_ABSENT:
        return ENOENT;
    case EXECFILE_NOT_PERMITTED:
    case EXECFILE_NOEXEC_MOUNT:
        return EACCES;
    case EXECFILE_OTHER_MACHINE:
    case EXECFILE_BROKEN:
        return file->asker ? ELIBBAD : ENOEXEC;
    case EXECFILE_TOO_DEEP:
        return ELOOP;
    default:
        return 0;
    }
}

/* What keeps the file from being executed and yet is nothing that FILE would fail of where it is to run. */
static bool is_of_here(const struct check_request *request, const char *path, bool script, const struct execfile *file)
{
    bool own = strcmp(file->path, path) == 0 && file->elf;

    if (!script && (request->against || request->guests) && (!own || file->verdict == EXECFILE_INTERP_ABSENT))
        return true; /* another C library has another loader */
    switch (file->verdict) {
    case EXECFILE_OTHER_MACHINE:
        /* Which machine a root is for, what is in it says. An x86-64 kernel runs i386's files unless it was built not
         * to (CONFIG_IA32_EMULATION), which nobody can see without a try. */
        return own &&
               (*request->root || request->against || (file->elf->machine == EM_386 && file->elf->class == ELFCLASS32));
    case EXECFILE_NOEXEC_MOUNT: /* as an image may be mounted, and what was unpacked to be looked at */
        return *check_root(request) || request->copied;
    default:
        return false;
    }
}

/* Some libraries can be executed, too: they need not be. */
static bool is_for_others(const char *path, const struct elffile *elf)
{
    return elf->type == ET_DYN && (elf->soname || tree_called_library(path));
}

enum check_execution check_execution(const struct check_request *request, const char *path, const struct elffile *elf,
                                     bool script, struct report *report)
{
    const char *root = check_root(request);
    const struct check_request asked = {.root = root, .env = request->env, .cwd = request->cwd};
    size_t first = report->cause_count;
    struct execfile file;
    bool mode, here;
    int error;

    execfile_inspect(root, path, NULL, 0, &file);
    error = execution_error(&file);
    mode = file.verdict == EXECFILE_NOT_PERMITTED && strcmp(file.path, path) == 0;
    here =
        is_of_here(request, path, script, &file) || ((mode || elf->interp_bad) && !script && is_for_others(path, elf));
    execfile_deinit(&file);
    if (!error || here)
        return EXECUTION_GOES;
    /* one of many may be for whoever installs it to permit */
    if (mode && request->brief)
        return EXECUTION_UNPERMITTED;
    check_judge_execution(&asked, path, error, report);
    return report->cause_count > first ? EXECUTION_REFUSED : EXECUTION_GOES;
}

/* ---- the program of a script's first line ---- */

static bool is_known(const struct strings *list, const char *path)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (strcmp(list->v[i], path) == 0)
            return true;
    return false;
}

/* The program at PATH is what runs it. */
static void check_program(const struct check_request *request, const char *path, struct report *report)
{
    const struct load_request asked = {.root = check_root(request),
                                       .program = path,
                                       .cwd = request->cwd,
                                       .env = request->env,
                                       .secure = check_is_secure(request, path)};
    struct load *load;

    if (is_known(request->sound, path) || load_create(&asked, &load, NULL) < 0)
        return;
    if (check_would_fail(load, false))
        check_judge_loading(&(struct check_request){.root = asked.root, .env = asked.env, .cwd = asked.cwd}, path, NULL,
                            load->objects[0]->elf, report);
    else if (request->sound)
        strings_add(request->sound, xstrdup(path));
    load_destroy(load);
}

/* The next word of *AT, as env(1) -S splits it, in *RET (malloced); false: there is none, or one that only a run could
 * tell. */
static bool next_word(const char **at, char **ret)
{
    size_t size;

    *at += strspn(*at, " \t");
    size = strcspn(*at, " \t");
    *ret = NULL;
    if (!size || strcspn(*at, "\\\"'$#") < size)
        return false;
    *ret = xstrndup(*at, size);
    *at += size;
    return true;
}

/* What env(1) would run for the one ARGUMENT that the kernel gives it; malloced, or NULL: not known. */
static char *command_of_env(const char *argument)
{
    static const char *const splits[] = {"-S", "--split-string=", "-vS"};
    const char *at = NULL;

    for (size_t i = 0; argument && i < sizeof splits / sizeof *splits; i++)
        if (strncmp(argument, splits[i], strlen(splits[i])) == 0)
            at = argument + strlen(splits[i]);
    if (!at) /* one word, whatever blanks are in it; an option or a variable leaves the script itself to be run */
        return argument && *argument != '-' && !strchr(argument, '=') ? xstrdup(argument) : NULL;
    for (char *word; next_word(&at, &word); free(word)) {
        bool variable = strchr(word, '=') && strncmp(word, "PATH=", 5) != 0;

        if (*word != '-' && !strchr(word, '='))
            return word;
        if (!variable) { /* another PATH, or another environment */
            free(word);
            return NULL;
        }
    }
    return NULL;
}

/* NAME is searched for as execvp(3) does; *RET: where it is (malloced), or NULL: nowhere. */
static void search_command(const struct check_request *request, const char *name, char **ret)
{
    const char *root = check_root(request), *list = check_search_path(request);

    *ret = NULL;
    for (char *directory; !*ret && (directory = path_list_next(&list)); free(directory)) {
        CLEANUP_FREE char *within = path_join(request->cwd, *directory ? directory : ".");
        CLEANUP_FREE char *path = path_join(*directory == '/' ? directory : within, name);
        struct stat st;

        if (path_stat(root, path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
            *ret = steal_pointer(&path);
    }
}

/* SCRIPT asks ENV for the command NAME, which is nowhere on PATH. */
static void tell_absent(const struct check_request *request, const char *env, const char *name, const char *script,
                        struct report *report)
{
    size_t first = report->cause_count;

    check_judge_command(&(struct check_request){.root = check_root(request), .env = request->env, .cwd = request->cwd},
                        env, name, script, report);
    for (size_t i = first; i < report->cause_count; i++)
        if (*check_root(request) && report->causes[i]->kind == CAUSE_COMMAND_NOT_FOUND)
            report->causes[i]->confidence = ON_ANOTHERS_PATH;
}

/* What the program ENV would run for ARGUMENT: its path, malloced; NULL: nothing, or nobody knows what. */
static char *follow_env(const struct check_request *request, const char *env, const char *argument, const char *script,
                        struct report *report)
{
    CLEANUP_FREE char *name = command_of_env(argument);
    char *path = NULL;

    if (!name || strchr(name, '/'))
        return name ? path_join(request->cwd, name) : NULL;
    search_command(request, name, &path);
    if (!path && !(request->brings && request->brings(request->ctx, name)))
        tell_absent(request, env, name, script, report);
    return path;
}

/* … and the kernel would execute the program at PATH. */
static bool is_executed(const struct check_request *request, const char *path, struct report *report)
{
    const char *root = check_root(request);
    CLEANUP_CLOSE int fd = path_open(root, path);
    CLEANUP_FREE char *script = fd >= 0 ? execfile_script_program(fd) : NULL;
    const struct elffile *elf = elffile_get(root, path);
    enum check_execution execution = EXECUTION_GOES;

    if (script || elf->state != ELFFILE_NOT_ELF)
        execution = check_execution(request, path, elf, script != NULL, report);
    elffile_put(elf);
    return execution == EXECUTION_GOES;
}

void check_script(const struct check_request *request, const char *script, struct report *report)
{
    CLEANUP_FREE char *at = xstrdup(script);

    for (int depth = 0; at && depth < SCRIPTS_MOST; depth++) {
        CLEANUP_CLOSE int fd = path_open(check_root(request), at);
        CLEANUP_FREE char *argument = NULL;
        CLEANUP_FREE char *program = fd >= 0 ? execfile_script_line(fd, &argument) : NULL;
        CLEANUP_FREE char *before = steal_pointer(&at);

        if (!program) { /* an ELF file, then, or nothing that we could tell of */
            if (fd >= 0)
                check_program(request, before, report);
            return;
        }
        if (program[0] != '/' && (request->brief || *check_root(request)))
            return; /* it depends on where it will be started */
        at = *program == '/' ? steal_pointer(&program) : path_join(request->cwd, program);
        if (program && !is_executed(request, at, report))
            return;
        if (strcmp(path_base(at), "env") == 0) {
            CLEANUP_FREE char *env = steal_pointer(&at);

            check_program(request, env, report);
            at = follow_env(request, env, argument, before, report);
            if (at && !is_executed(request, at, report)) /* another execve(2) */
                return;
        }
    }
}
