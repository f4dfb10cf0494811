/* What each kind of change is, as lines of sh that run in root/, and the command that is run then. */
#include "repro_trial.h"

#include "repro_script.h"
#include "text.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct making {
    struct plan *plan;
    const struct remedy *remedy;
    struct text change; /* lines of sh */
    char *command;      /* NULL: the one that fails */
};

static const struct mini_object *target_of(const struct scenario *scenario)
{
    return scenario->mend_object < scenario->object_count ? scenario->objects[scenario->mend_object] : NULL;
}

/* Where the file that is missing or broken stands, below root/ and mended/ alike; malloced, or NULL. */
static char *place_of(const struct plan *plan)
{
    if (plan->scenario->way == SCENARIO_COMMAND)
        return xasprintf("bin/%s", plan->scenario->command);
    for (size_t i = 0; i < plan->file_count; i++)
        if (plan->files[i].mended)
            return xstrdup(plan->files[i].path + strlen("mended/"));
    return NULL;
}

static void add_words(struct making *making, const char *name, const char *value)
{
    CLEANUP_FREE char *quoted = repro_quote(value);

    text_addf(&making->change, "%s=%s\n", name, quoted);
}

static bool drop(struct making *making)
{
    const struct plan *plan = making->plan;

    if (!plan->library_path || plan->sealed)
        return false;
    making->command = repro_file_command(plan, "bin", plan->program, NULL, NULL);
    return true;
}

static bool move_away(struct making *making)
{
    const struct mini_object *wrong = target_of(making->plan->scenario);

    if (!wrong || wrong->directory != 1)
        return false;
    add_words(making, "file", wrong->name);
    text_add(&making->change, "mv \"wrong/$file\" \"wrong/$file.old\" || exit 125\n");
    return true;
}

/* The good copy is in elsewhere/ already where the failure needs that, or in lib/, which is searched too late; else it
 * is put there. */
static bool add_library_path(struct making *making)
{
    const struct plan *plan = making->plan;
    const struct mini_object *target = target_of(plan->scenario);
    const char *directory = target && target->directory == 1 ? "lib" : "elsewhere";
    CLEANUP_FREE char *place = place_of(plan), *list = NULL;

    if (!target || plan->sealed || plan->forbidden || plan->mended_program || plan->control_preload)
        return false;
    list = plan->library_path ? xasprintf("%s:%s", directory, plan->library_path) : xstrdup(directory);
    if (target->directory == 0) {
        if (!place)
            return false;
        add_words(making, "file", place);
        text_add(&making->change, "mkdir -p elsewhere && cp -p \"../mended/$file\" elsewhere/ || exit 125\n");
    }
    making->command = repro_file_command(plan, "bin", plan->program, list, NULL);
    return true;
}

static bool add_link(struct making *making)
{
    const struct mini_object *target = target_of(making->plan->scenario);

    if (!target || target->directory != 2)
        return false;
    add_words(making, "file", target->name);
    text_add(&making->change, "mkdir -p lib && ln -s \"../elsewhere/$file\" \"lib/$file\" || exit 125\n");
    return true;
}

/* What stands there goes first, but where it is a dangling link, which gets its target back. */
static bool put(struct making *making)
{
    CLEANUP_FREE char *place = place_of(making->plan);

    if (!place || making->plan->control_preload)
        return false;
    add_words(making, "file", place);
    text_add(&making->change, "to=./$file\n"
                              "if [ -h \"$to\" ]; then\n"
                              "    at=$(readlink \"$to\")\n"
                              "    [ \"$at\" = \"${to##*/}\" ] || to=${to%/*}/$at\n"
                              "fi\n"
                              "[ ! -h \"$to\" ] || rm \"$to\" || exit 125\n"
                              "mkdir -p \"${to%/*}\" && cp -p \"../mended/$file\" \"$to\" || exit 125\n");
    return true;
}

static bool relink(struct making *making)
{
    CLEANUP_FREE char *place = place_of(making->plan);

    if (!place || making->plan->control_preload)
        return false;
    add_words(making, "file", place);
    text_add(&making->change, "[ -h \"./$file\" ] && cp -p \"../mended/$file\" \"./$file.found\" && rm \"./$file\" &&\n"
                              "    ln -s \"${file##*/}.found\" \"./$file\" || exit 125\n");
    return true;
}

static bool permit(struct making *making)
{
    const struct plan *plan = making->plan;

    if (plan->forbidden)
        return true; /* script_text() does it, behind the ban */
    if (plan->scenario->way != SCENARIO_EXECUTE || plan->scenario->objects[0]->defect != MINI_NO_PERMISSION)
        return false;
    add_words(making, "file", plan->program);
    text_add(&making->change, "chmod +x \"./$file\" || exit 125\n");
    return true;
}

static bool edit_script(struct making *making)
{
    const struct plan *plan = making->plan;
    bool clean = making->remedy->trial == TRIAL_CLEAN;

    if (plan->scenario->way != SCENARIO_SCRIPT || (!clean && !making->remedy->trial_text))
        return false;
    add_words(making, "file", plan->scenario->script_name);
    if (clean) {
        text_add(&making->change, "sed -i 's/\\r$//' \"./$file\" || exit 125\n");
    } else {
        CLEANUP_FREE char *line = xasprintf("1s|^.*|#!%s|", making->remedy->trial_text);

        add_words(making, "line", line);
        text_add(&making->change, "sed -i \"$line\" \"./$file\" || exit 125\n");
    }
    return true;
}

static bool off_mount(struct making *making)
{
    const struct plan *plan = making->plan;

    if (!plan->sealed)
        return false;
    if (plan->scenario->way == SCENARIO_EXECUTE)
        making->command = repro_file_command(plan, ".", plan->program, NULL, NULL);
    else
        making->command = repro_file_command(plan, "bin", plan->program, "lib", NULL);
    return true;
}

static bool add_path(struct making *making)
{
    CLEANUP_FREE char *place = place_of(making->plan);

    /* A stub that stands for another program than a shell does not search, it looks in bin/. */
    if (making->plan->scenario->way != SCENARIO_COMMAND || making->plan->caller)
        return false;
    add_words(making, "file", place);
    text_add(&making->change, "mkdir -p elsewhere && cp -p \"../mended/$file\" elsewhere/ || exit 125\n");
    making->plan->more_path = ":elsewhere";
    return true;
}

/* Before whatever else is in the environment of the command. */
static bool set_variable(struct making *making)
{
    CLEANUP_FREE char *failing = repro_failing_command(making->plan);
    CLEANUP_FREE char *set = making->remedy->trial_text ? repro_quote(making->remedy->trial_text) : NULL;

    if (!set || making->plan->scenario->way != SCENARIO_LOAD || strncmp(failing, "env -i ", 7) != 0)
        return false;
    making->command = xasprintf("env -i %s %s", set, failing + 7);
    return true;
}

static bool preload(struct making *making)
{
    const struct plan *plan = making->plan;
    const struct mini_object *target = target_of(plan->scenario);
    CLEANUP_FREE char *path = target ? xasprintf("lib/%s", target->name) : NULL;

    if (!target || plan->scenario->way != SCENARIO_LOAD || target->directory || plan->sealed)
        return false;
    making->command = repro_file_command(plan, "bin", plan->program, plan->library_path, path);
    return true;
}

static bool make_change(struct making *making)
{
    static bool (*const ways[])(struct making *) = {
        [TRIAL_DROP] = drop,           [TRIAL_AWAY] = move_away,    [TRIAL_LIBRARY_PATH] = add_library_path,
        [TRIAL_LINK] = add_link,       [TRIAL_PUT] = put,           [TRIAL_RELINK] = relink,
        [TRIAL_PERMIT] = permit,       [TRIAL_CLEAN] = edit_script, [TRIAL_SHEBANG] = edit_script,
        [TRIAL_OFF_MOUNT] = off_mount, [TRIAL_PATH] = add_path,     [TRIAL_SET] = set_variable,
        [TRIAL_PRELOAD] = preload,
    };
    enum trial trial = making->remedy->trial;

    if (trial == TRIAL_REMOUNT)
        return making->plan->sealed != NULL;
    return trial < sizeof ways / sizeof *ways && ways[trial] && ways[trial](making);
}

static char *script_text(struct making *making)
{
    const struct plan *plan = making->plan;
    CLEANUP_FREE char *command =
        making->command ? steal_pointer(&making->command) : repro_failing_command(making->plan);
    bool remount = making->remedy->trial == TRIAL_REMOUNT;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        alloc_failed();
    repro_script_start(out, "repro.sh with a remedy applied.", "root");
    if (making->change.v)
        fputs(making->change.v, out);
    if (plan->forbidden && making->remedy->trial == TRIAL_PERMIT)
        repro_script_forbidden(out, plan->forbidden, command, "chmod a+r \"$file\" || exit 125\n");
    else if (plan->forbidden)
        repro_script_forbidden(out, plan->forbidden, command, "");
    else if (plan->sealed && making->remedy->trial != TRIAL_OFF_MOUNT)
        repro_script_sealed(out, plan->scenario->mount, plan->sealed, command,
                            remount ? "mount -o remount,exec \"./$mount\" && " : "");
    else
        fprintf(out, "exec %s\n", command);
    if (fclose(out) != 0)
        alloc_failed();
    return text;
}

static int put_script(const char *directory, const char *text, struct err *err)
{
    CLEANUP_FREE char *path = xasprintf("%s/try.sh", directory);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    size_t size = strlen(text);

    if (fd < 0 || write(fd, text, size) != (ssize_t)size)
        return err_errno(err, errno, "cannot write %s", path);
    return 0;
}

int repro_trial_write(const struct scenario *scenario, const struct remedy *remedy, const char *directory,
                      struct err *err)
{
    struct plan plan;
    struct making making = {.plan = &plan, .remedy = remedy};
    struct repro repro;
    int status = plan_make(scenario, &plan, err);

    if (status == 0 && !make_change(&making))
        status = err_set(err, "the remedy cannot be shown in this reproduction");
    if (status == 0)
        status = repro_write(scenario, directory, true, NULL, &repro, err);
    if (status == 0) {
        CLEANUP_FREE char *text = script_text(&making);

        status = put_script(directory, text, err);
    }
    text_deinit(&making.change);
    free(making.command);
    plan_deinit(&plan);
    return status;
}
