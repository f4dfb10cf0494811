/* command-not-found: a program that was looked for on PATH is not there. */
#include "environment.h"
#include "remedy.h"
#include "scenario.h"
#include "sight.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/login.h>

enum { SIMILAR = 3 };

static bool is_shell(const char *exe)
{
    static const char *const names[] = {"sh", "dash", "bash", "ash", "busybox", "ksh", "mksh", "zsh", "yash"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(path_base(exe), names[i]) == 0)
            return true;
    return false;
}

static void tell_places(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->episode->count; i++) {
        const struct attempt *attempt = finding->episode->attempts[i];
        struct path_walk walk;

        sight_walk(attempt, NULL, &walk);
        cause_place(cause, attempt->path, "PATH", path_reason_text(walk.reason), false);
        path_walk_deinit(&walk);
    }
}

static void tell_nearby(const struct finding *finding, struct cause *cause)
{
    for (size_t i = 0; i < finding->episode->count; i++) {
        size_t count = 0;
        char **names = path_nearby(finding_root(finding), finding->episode->attempts[i]->path, SIMILAR, &count);

        for (size_t k = 0; k < count; k++) {
            if (k == 0)
                cause_fact(cause, "nearby", "%s", names[k]);
            free(names[k]);
        }
        free(names);
        if (count)
            return;
    }
}

/* An executable file NAME in DIRECTORY; its path, malloced, or NULL. */
static char *there(const struct process *process, const char *directory, const char *name)
{
    char *path = path_join(directory, name);
    struct stat st;

    if (path_stat(process->root, path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) &&
        path_permits(&st, process_cred(process) ? process_cred(process) : &(struct cred){.override = true}, X_OK))
        return path;
    free(path);
    return NULL;
}

static void tell_login_directory(const struct finding *finding, const struct login_directory *directory,
                                 const char *path, struct cause *cause)
{
    const char *searched = process_env(finding->process, "PATH");
    CLEANUP_FREE char *list = xasprintf("%s:%s", directory->path, searched && *searched ? searched : "/usr/bin:/bin");

    free(cause->summary);
    cause->summary =
        xasprintf("%s looked for the program %s on PATH; it is in %s, which a login shell has on PATH (%s) "
                  "but this process has not.",
                  path_base(finding->subject), finding->missing, directory->path, directory->file);
    cause_fact(cause, "it is at", "%s   on the PATH of a login shell, by %s", path, directory->file);
    remedy_add(cause, PROOF_KNOWN, TRIAL_PATH, remedy_run(finding, "PATH", list),
               "start it from a login shell, or put %s on its PATH", directory->path)
        ->risk = xstrdup("every program that it starts inherits the variable");
    cause_remedy(cause, PROOF_KNOWN,
                 "for all of a desktop session: name it in ~/.config/environment.d or /etc/environment");
}

/* What a login shell finds and this process, started by a desktop session, a service or an editor, does not. */
static bool tell_login(const struct finding *finding, struct cause *cause)
{
    const struct process *process = finding->process;
    struct login_path login;
    bool found = false;

    login_path_read(process->root ? process->root : "", process_env(process, "HOME"), &login);
    for (size_t i = 0; i < login.count && !found; i++) {
        CLEANUP_FREE char *path = there(process, login.directories[i].path, finding->missing);

        found = path != NULL;
        if (path)
            tell_login_directory(finding, &login.directories[i], path, cause);
    }
    login_path_deinit(&login);
    return found;
}

/* EDITOR, CC, PAGER …: the first word of its value is the command. */
static void tell_variable(const struct finding *finding, struct cause *cause)
{
    size_t size = strlen(finding->missing);

    for (size_t i = 0; i < finding->process->env.n; i++) {
        struct variable variable;

        if (variable_of(finding->process->env.v[i], &variable) && size > 1 &&
            strncmp(variable.value, finding->missing, size) == 0 &&
            (!variable.value[size] || variable.value[size] == ' '))
            cause_fact(cause, "named by", "%s", variable.entry);
    }
}

void cause_command_tell(const struct finding *finding, struct cause *cause)
{
    const char *subject = path_base(finding->subject);

    if (finding->process->executed)
        cause->summary = xasprintf("%s looked for the program %s on PATH, and it is in none of its %zu directories.",
                                   subject, finding->missing, finding->episode->count);
    else
        cause->summary = xasprintf("The command %s is in none of the %zu directories of PATH.", finding->missing,
                                   finding->episode->count);
    cause_fact(cause, "it needs", "%s", finding->missing);
    tell_places(finding, cause);
    tell_nearby(finding, cause);
    cause->detail = xasprintf("%s tried %zu directories of PATH for %s; none has a file of that name.",
                              finding->subject, finding->episode->count, finding->missing);
    tell_variable(finding, cause);
    if (!tell_login(finding, cause))
        remedy_command(finding, cause);
    remedy_ask(finding, cause, ASK_COMMAND, finding->missing, NULL);
    cause_remedy(cause, PROOF_KNOWN, "install %s, or put its directory on PATH", finding->missing);
    if (is_shell(finding->subject)) {
        cause->scenario = scenario_create(SCENARIO_COMMAND);
        cause->scenario->shell = xstrdup(finding->subject);
        cause->scenario->command = xstrdup(finding->missing);
    }
}
