/* The scripts of a reproduction. */
#include "repro_script.h"

#include "repro_state.h"

#include <probes/alloc.h>

#include <string.h>

char *repro_quote(const char *word)
{
    size_t quotes = 0;
    char *quoted, *out;

    for (const char *p = word; *p; p++)
        quotes += *p == '\'';
    out = quoted = xmalloc(strlen(word) + 3 * quotes + 3);
    *out++ = '\'';
    for (const char *p = word; *p; p++) {
        if (*p == '\'') {
            memcpy(out, "'\\''", 4);
            out += 4;
        } else {
            *out++ = *p;
        }
    }
    memcpy(out, "'", 2);
    return quoted;
}

/* CDPATH would send cd elsewhere; $0 without a slash means the working directory (sh repro.sh). */
void repro_script_start(FILE *out, const char *what, const char *directory)
{
    fprintf(out,
            "#!/bin/sh\n"
            "# Made by glibctrace: %s\n"
            "# Needs a shell and env; run it as any user. The files are stubs without code or data of anyone's.\n"
            "unset CDPATH\n"
            "case $0 in */*) cd -- \"${0%%/*}\" || exit 125 ;; esac\n"
            "cd %s || exit 125\n",
            what, directory);
}

/* Lines that go on in a copy, if CONDITION (a command) fails: files that are another's, a directory that nobody may
 * write to. put_back() takes the copy away again and ends with the status in $code ($status is zsh's own). */
static void put_copy(FILE *out, const char *condition)
{
    fprintf(out,
            "copy=\n"
            "%s 2>/dev/null || {\n"
            "    copy=$(mktemp -d) && cp -R . \"$copy\" && chmod -R u+w \"$copy\" && cd \"$copy\" || exit 125\n"
            "}\n",
            condition);
}

static void put_back(FILE *out)
{
    fputs("[ -z \"$copy\" ] || rm -rf \"$copy\"\n"
          "exit $code\n",
          out);
}

/* As an ordinary user the mode alone does it. Root is bound by it only without CAP_DAC_OVERRIDE (capabilities(7)): the
 * capabilities are given up, or are those of another user namespace. The bits are taken here and not in the file, since
 * nobody could pack that. */
void repro_script_forbidden(FILE *out, const char *file, const char *command, const char *mend)
{
    CLEANUP_FREE char *quoted = repro_quote(file);

    fprintf(out,
            "file=%s\n"
            "set --\n"
            "if [ \"$(id -u)\" = 0 ]; then\n"
            "    set -- setpriv --inh-caps=-all --bounding-set=-all\n"
            "    \"$@\" true 2>/dev/null || set -- unshare -U\n"
            "    \"$@\" true 2>/dev/null || {\n"
            "        echo 'modes do not bind root: run this as another user, or install setpriv' >&2\n"
            "        exit 125\n"
            "    }\n"
            "fi\n",
            quoted);
    put_copy(out, "chmod 000 \"$file\"");
    fprintf(out,
            "chmod 000 \"$file\" || exit 125\n"
            "%s"
            "ls -ld \"./$file\"\n"
            "\"$@\" %s\n"
            "code=$?\n"
            "chmod 644 \"$file\"\n",
            mend, command);
    put_back(out);
}

/* A file system in memory, in a mount namespace of its own (unshare(1)), that goes when the program ends. In a chroot /
 * is no mount point, so that its propagation cannot be changed: what is mounted may be seen outside, and is taken away.
 */
void repro_script_mounted(FILE *out, const char *mount, const char *options, const char *inside, const char *command)
{
    CLEANUP_FREE char *quoted = repro_quote(mount);

    fprintf(out,
            "mount=%s\n"
            "command -v unshare >/dev/null || {\n"
            "    echo 'a mount is needed: install unshare (of util-linux)' >&2\n"
            "    exit 125\n"
            "}\n"
            "set -- unshare -m\n"
            "[ \"$(id -u)\" = 0 ] || set -- unshare -r -m\n"
            "\"$@\" true 2>/dev/null || set -- \"$@\" --propagation unchanged\n",
            quoted);
    put_copy(out, "mkdir -p \"./$mount\"");
    fprintf(out,
            "export mount\n"
            "\"$@\" sh -c 'mount -t tmpfs -o %s none \"./$mount\" && %s\"$@\"\n"
            "    code=$?\n"
            "    umount \"./$mount\"\n"
            "    exit $code' sh %s\n"
            "code=$?\n",
            options, inside, command);
    put_back(out);
}

void repro_script_sealed(FILE *out, const char *mount, const char *file, const char *command, const char *mend)
{
    CLEANUP_FREE char *quoted = repro_quote(file);
    CLEANUP_FREE char *inside = xasprintf("cp \"./$file\" \"./$mount/\" && %s", mend);

    fprintf(out, "file=%s\nexport file\n", quoted);
    repro_script_mounted(out, mount, "noexec", inside, command);
}

/* "No such file or directory" is said of some files that are there: so this one is shown first. */
static void put_shown(FILE *out, const char *file, const char *command)
{
    CLEANUP_FREE char *path = xasprintf("./%s", file);
    CLEANUP_FREE char *quoted = repro_quote(path);

    fprintf(out, "ls -ld %s || exit 125\nexec %s\n", quoted, command);
}

/* The program that the kernel looks for, malloced: PT_INTERP, or what is behind "#!"; NULL where that is not the
 * matter.
 */
static char *wanted_program(const struct scenario *scenario)
{
    const char *line = scenario->script_line;

    if (scenario->way == SCENARIO_SCRIPT) {
        line += strlen("#!");
        line += strspn(line, " \t");
        return xstrndup(line, strcspn(line, " \t\n"));
    }
    if (scenario->way == SCENARIO_EXECUTE && scenario->objects[0]->interp && scenario->objects[0]->defect == MINI_SOUND)
        return xstrdup(scenario->objects[0]->interp);
    return NULL;
}

/* A path that is written in the file is asked of whatever system this is run on. Where it is there, it is hidden by an
 * empty directory in a mount namespace; the shell, which is loaded, executes the file itself then. */
static void put_hidden(FILE *out, const char *wanted, const char *name)
{
    CLEANUP_FREE char *directory = path_dir(wanted), *file = xasprintf("./%s", name);
    CLEANUP_FREE char *quoted = repro_quote(wanted), *from = repro_quote(directory), *program = repro_quote(file);

    fprintf(out,
            "if [ -e %s ]; then\n"
            "    set -- unshare -m\n"
            "    [ \"$(id -u)\" = 0 ] || set -- unshare -r -m\n"
            "    \"$@\" true 2>/dev/null || {\n"
            "        echo %s' is there, and cannot be hidden: unshare -m does not work here' >&2\n"
            "        exit 125\n"
            "    }\n"
            "    exec \"$@\" sh -c 'mount -t tmpfs none \"$1\" || exit 125; exec \"$2\"' sh %s %s\n"
            "fi\n",
            quoted, quoted, from, program);
}

/* A shell is asked for the command. PATH is there so that no other machine's default one counts. */
static char *shell_command(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    CLEANUP_FREE char *shell = repro_quote(scenario->shell);
    CLEANUP_FREE char *name = repro_quote(path_base(scenario->shell));
    CLEANUP_FREE char *word = repro_quote(scenario->command);
    CLEANUP_FREE char *text = repro_quote(word);
    const char *applet = strcmp(path_base(scenario->shell), "busybox") == 0 ? " sh" : "";

    /* The shell may stand elsewhere there (/bin or /usr/bin). Relative: a colon in the name of the directory would part
     * it. */
    return xasprintf("env -i PATH=bin%s \"$(command -v %s || command -v %s)\"%s -c %s",
                     plan->more_path ? plan->more_path : "", shell, name, applet, text);
}

/* The variable that names the file which is opened, in the environment that env(1) makes. */
static char *set_variable(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    CLEANUP_FREE char *before = repro_quote(scenario->before ? scenario->before : "");
    CLEANUP_FREE char *named = scenario->inside ? xasprintf("data/%s", scenario->objects[1]->name) : NULL;
    CLEANUP_FREE char *path = repro_quote(named ? named : plan->call.path);
    CLEANUP_FREE char *after = repro_quote(scenario->after ? scenario->after : "");

    return xasprintf("%s=%s\"$PWD/\"%s%s ", scenario->variable, before, path, after);
}

char *repro_file_command(const struct plan *plan, const char *directory, const char *name, const char *libraries,
                         const char *preload)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", directory, name);
    CLEANUP_FREE char *file = repro_quote(path);
    CLEANUP_FREE char *preloaded = preload ? repro_quote(preload) : NULL;
    CLEANUP_FREE char *list = libraries ? repro_quote(libraries) : NULL;
    bool sets = plan->scenario->variable && !(plan->scenario->variable_path && list); /* which mends it */
    CLEANUP_FREE char *set = sets ? set_variable(plan) : NULL;

    return xasprintf("env -i %s%s%s%s%s%s%s%s", set ? set : "", list ? "LD_LIBRARY_PATH=" : "", list ? list : "",
                     list ? " " : "", preloaded ? "LD_PRELOAD=" : "", preloaded ? preloaded : "", preloaded ? " " : "",
                     file);
}

char *repro_failing_command(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;

    if (plan->caller)
        return repro_file_command(plan, ".", plan->caller, NULL, NULL);
    if (scenario->way == SCENARIO_COMMAND)
        return shell_command(plan);
    if (scenario->way == SCENARIO_SCRIPT)
        return repro_file_command(plan, ".", scenario->script_name, NULL, NULL);
    if (plan->sealed && scenario->way == SCENARIO_EXECUTE)
        return repro_file_command(plan, scenario->mount, plan->program, NULL, NULL);
    return repro_file_command(plan, scenario->way == SCENARIO_LOAD ? "bin" : ".", plan->program, plan->library_path,
                              NULL);
}

static char *mended_command(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;

    if (scenario->way == SCENARIO_CONNECT || scenario->way == SCENARIO_STATE)
        return repro_file_command(plan, ".", plan->caller, NULL, NULL);
    if (plan->caller)
        return repro_file_command(plan, "../root", plan->caller, NULL, NULL);
    if (scenario->way == SCENARIO_COMMAND)
        return shell_command(plan);
    if (scenario->way == SCENARIO_SCRIPT)
        return repro_file_command(plan, ".", scenario->script_name, NULL, NULL);
    if (scenario->way == SCENARIO_EXECUTE)
        return repro_file_command(plan, ".", plan->program, NULL, NULL);
    return repro_file_command(plan, plan->mended_program ? "bin" : "../root/bin", plan->program,
                              plan->control_library_path, plan->control_preload);
}

char *repro_script(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    CLEANUP_FREE char *wanted = wanted_program(scenario);
    CLEANUP_FREE char *command = repro_failing_command(plan);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        alloc_failed();
    repro_script_start(out, "a failure in miniature. The exit status is that of the failing program.", "root");
    if (wanted && wanted[0] == '/' && !plan->caller && !plan->sealed)
        put_hidden(out, wanted, scenario->way == SCENARIO_SCRIPT ? scenario->script_name : plan->program);
    if (plan->forbidden)
        repro_script_forbidden(out, plan->forbidden, command, "");
    else if (plan->sealed)
        repro_script_sealed(out, scenario->mount, plan->sealed, command, "");
    else if (plan->shown)
        put_shown(out, plan->shown, command);
    else if (scenario->way == SCENARIO_STATE)
        repro_state_put_command(out, scenario, false, command);
    else
        fprintf(out, "exec %s\n", command);
    if (fclose(out) != 0)
        alloc_failed();
    return text;
}

char *repro_control_script(const struct plan *plan)
{
    const struct scenario *scenario = plan->scenario;
    CLEANUP_FREE char *command = plan->control_in_root ? repro_failing_command(plan) : mended_command(plan);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        alloc_failed();
    repro_script_start(out, "the same as repro.sh with the cause mended. It exits with 0.",
                       plan->control_in_root ? "root" : "mended");
    if (scenario->way == SCENARIO_STATE) {
        repro_state_put_command(out, scenario, true, command);
    } else if (scenario->way == SCENARIO_CONNECT && strncmp(plan->call.path, "unix:", 5) == 0) {
        put_copy(out, "[ -w data ]"); /* where it puts its socket */
        fprintf(out, "%s\ncode=$?\n", command);
        put_back(out);
    } else {
        fprintf(out, "exec %s\n", command);
    }
    if (fclose(out) != 0)
        alloc_failed();
    return text;
}
