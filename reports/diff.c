#include "diff.h"

#include "explain.h"
#include "homes.h"
#include "wording.h"

#include <probes/alloc.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

enum { FILES_TOLD = 20 };

static char *put_back(char *taken)
{
    char *text = homes_put_back(taken);

    free(taken);
    return text;
}

struct difference *diff_add(struct diff *diff, enum difference_rank rank, const char *kind, char *what, char *good,
                            char *bad)
{
    struct difference *difference = array_add(&diff->list, &diff->count, &diff->cap, sizeof *difference);

    *difference = (struct difference){.rank = rank, .kind = kind};
    difference->what = put_back(what);
    difference->good = put_back(good);
    difference->bad = put_back(bad);
    return difference;
}

/* ---- the system ---- */

static void compare_fact(struct diff *diff, const char *what, const char *good, const char *bad)
{
    if (good && bad && strcmp(good, bad) != 0)
        diff_add(diff, RANK_SYSTEM, "system", xstrdup(what), xstrdup(good), xstrdup(bad));
}

static char *libc_of(const struct report *report)
{
    if (!report->libc.family || strcmp(report->libc.family, "unknown") == 0)
        return NULL;
    return report->libc.version ? xasprintf("%s %s", report->libc.family, report->libc.version)
                                : xstrdup(report->libc.family);
}

static bool of_libc(const struct cause *cause)
{
    switch (cause ? cause->kind : CAUSE_KIND_COUNT) {
    case CAUSE_SYMBOL_VERSION_MISSING:
    case CAUSE_SYMBOL_MISSING:
    case CAUSE_LOADER_LIBC_SKEW:
    case CAUSE_LIBC_FAMILY_MISMATCH:
    case CAUSE_STATIC_TLS_EXHAUSTED:
    case CAUSE_EXECSTACK_REFUSED:
        return true;
    default:
        return false;
    }
}

static void compare_systems(struct diff *diff, const struct cause *cause)
{
    const struct report *good = diff->good.report, *bad = diff->bad.report;
    CLEANUP_FREE char *of_good = libc_of(good), *of_bad = libc_of(bad);

    if (of_good && of_bad && strcmp(of_good, of_bad) != 0)
        diff_add(diff, of_libc(cause) ? RANK_EXPLAINS : RANK_SYSTEM, "libc", xstrdup("C library"),
                 steal_pointer(&of_good), steal_pointer(&of_bad));
    compare_fact(diff, "distribution", good->distribution, bad->distribution);
    compare_fact(diff, "machine", good->machine, bad->machine);
    compare_fact(diff, "kernel", good->kernel, bad->kernel);
    compare_fact(diff, "context", good->context, bad->context);
}

/* ---- programs ---- */

static bool comparable(const struct diff *diff, const char *good, const char *bad)
{
    CLEANUP_FREE char *a = NULL, *b = NULL;

    if (strcmp(good, bad) == 0)
        return true;
    a = run_comparable(&diff->good.run, good);
    b = run_comparable(&diff->bad.run, bad);
    return strcmp(a, b) == 0;
}

static char *status_text(const struct run_program *program)
{
    if (!program->ended)
        return xstrdup("was still running");
    if (WIFSIGNALED(program->status)) {
        const char *name = signal_name(WTERMSIG(program->status));

        return name ? xstrdup(name) : xasprintf("signal %d", WTERMSIG(program->status));
    }
    return xasprintf("status %d", WEXITSTATUS(program->status));
}

static char *words_of(const struct strings *argv)
{
    char *words = xstrdup("");

    for (size_t i = 0; i < argv->n; i++) {
        char *longer = xasprintf("%s%s%s", words, i ? " " : "", argv->v[i]);

        free(words);
        words = longer;
    }
    return words;
}

static bool same_words(const struct diff *diff, const struct strings *good, const struct strings *bad)
{
    if (good->n != bad->n)
        return false;
    for (size_t i = 1; i < good->n; i++)
        if (!comparable(diff, good->v[i], bad->v[i]))
            return false;
    return true;
}

static char *program_text(const struct run_program *program)
{
    return strcmp(program->called, program->exe) == 0 ? xstrdup(program->exe)
                                                      : xasprintf("%s, which is %s", program->called, program->exe);
}

static void compare_program(struct diff *diff, const struct run_program *good, const struct run_program *bad)
{
    CLEANUP_FREE char *end_good = status_text(good), *end_bad = status_text(bad);

    if (!comparable(diff, good->called, bad->called) || !comparable(diff, good->exe, bad->exe))
        diff_add(diff, RANK_PROGRAM, "program", xstrdup(good->name), program_text(good), program_text(bad));
    if (!same_words(diff, &good->argv, &bad->argv))
        diff_add(diff, RANK_PROGRAM, "argument", xstrdup(good->name), words_of(&good->argv), words_of(&bad->argv));
    if (strcmp(end_good, end_bad) != 0)
        diff_add(diff, RANK_STATUS, "exit-status", xstrdup(good->name), steal_pointer(&end_good),
                 steal_pointer(&end_bad));
}

static void program_alone(struct diff *diff, const struct run_program *program, bool in_good)
{
    char *ran = xasprintf("%s was executed", program->called), *not = xstrdup("was not executed");

    diff_add(diff, RANK_PROGRAM, "program", xstrdup(program->name), in_good ? ran : not, in_good ? not : ran);
}

/* ---- variables ---- */

static const char *value_of(const struct run_program *program, const char *entry)
{
    size_t n = strcspn(entry, "=");

    for (size_t i = 0; i < program->env.n; i++)
        if (strncmp(program->env.v[i], entry, n) == 0 && program->env.v[i][n] == '=')
            return program->env.v[i] + n + 1;
    return NULL;
}

/* It was set, to a value that the log has not. */
static bool left_out(const struct run_program *program, const char *entry)
{
    size_t n = strcspn(entry, "=");

    for (size_t i = 0; i < program->env_left.n; i++)
        if (strlen(program->env_left.v[i]) == n && strncmp(program->env_left.v[i], entry, n) == 0)
            return true;
    return false;
}

static bool told_already(const struct diff *diff, const char *name, const char *good, const char *bad)
{
    for (size_t i = 0; i < diff->count; i++) {
        const struct difference *other = &diff->list[i];

        if (strcmp(other->kind, "environment") == 0 && strcmp(other->what, name) == 0 &&
            strcmp(other->good, good) == 0 && strcmp(other->bad, bad) == 0)
            return true;
    }
    return false;
}

static void compare_variable(struct diff *diff, const struct cause *cause, const char *entry, const char *good,
                             const char *bad)
{
    CLEANUP_FREE char *name = xstrndup(entry, strcspn(entry, "="));
    const char *of_good = good ? good : "not set", *of_bad = bad ? bad : "not set";

    if (good && bad && comparable(diff, good, bad))
        return;
    if (told_already(diff, name, of_good, of_bad))
        return;
    diff_add(diff,
             diff_variable_explains(diff, cause, name, good ? good : "", bad ? bad : "") ? RANK_EXPLAINS
                                                                                         : RANK_ENVIRONMENT,
             "environment", xstrdup(name), xstrdup(of_good), xstrdup(of_bad));
}

static void compare_environment(struct diff *diff, const struct cause *cause, const struct run_program *good,
                                const struct run_program *bad)
{
    for (size_t i = 0; i < good->env.n; i++)
        if (!left_out(bad, good->env.v[i]))
            compare_variable(diff, cause, good->env.v[i], strchr(good->env.v[i], '=') + 1,
                             value_of(bad, good->env.v[i]));
    for (size_t i = 0; i < bad->env.n; i++)
        if (!value_of(good, bad->env.v[i]) && !left_out(good, bad->env.v[i]))
            compare_variable(diff, cause, bad->env.v[i], NULL, strchr(bad->env.v[i], '=') + 1);
}

/* ---- libraries ---- */

static char *object_text(const struct run_object *object)
{
    char *text = xstrdup(object->path);

    for (size_t i = 0; i < object->versions.n; i++) {
        char *longer = xasprintf("%s%s%s", text, i ? ", " : ", goes up to ", object->versions.v[i]);

        free(text);
        text = longer;
    }
    return text;
}

static bool same_object(const struct diff *diff, const struct run_object *good, const struct run_object *bad)
{
    if (!comparable(diff, good->path, bad->path) ||
        (good->versions.n && bad->versions.n && good->versions.n != bad->versions.n))
        return false;
    for (size_t i = 0; i < good->versions.n && i < bad->versions.n; i++)
        if (strcmp(good->versions.v[i], bad->versions.v[i]) != 0)
            return false;
    return true;
}

static bool library_told(const struct diff *diff, const char *name, const char *good, const char *bad)
{
    for (size_t i = 0; i < diff->count; i++)
        if (strcmp(diff->list[i].kind, "library") == 0 && strcmp(diff->list[i].what, name) == 0 &&
            strcmp(diff->list[i].good, good) == 0 && strcmp(diff->list[i].bad, bad) == 0)
            return true;
    return false;
}

/* Either may be NULL: not loaded there. */
static void compare_object(struct diff *diff, const struct cause *cause, const char *name,
                           const struct run_object *good, const struct run_object *bad)
{
    CLEANUP_FREE char *of_good = good ? object_text(good) : xstrdup("not loaded");
    CLEANUP_FREE char *of_bad = bad ? object_text(bad) : xstrdup("not loaded");

    if ((good && bad && same_object(diff, good, bad)) || library_told(diff, name, of_good, of_bad))
        return;
    diff_add(diff, diff_library_explains(cause, name) ? RANK_EXPLAINS : RANK_LIBRARY, "library", xstrdup(name),
             steal_pointer(&of_good), steal_pointer(&of_bad));
}

/* A library of another name in the same place of a moment. */
static bool twin_of(const struct diff *diff, const struct run_object *alone, const struct run_program *other,
                    bool in_good)
{
    const struct run_object *object, *next;

    HASH_ITER(hh, other->objects, object, next)
    if (in_good ? comparable(diff, alone->path, object->path) : comparable(diff, object->path, alone->path))
        return true;
    return false;
}

static void compare_libraries(struct diff *diff, const struct cause *cause, const struct run_program *good,
                              const struct run_program *bad)
{
    const struct run_object *object, *next;

    HASH_ITER(hh, good->objects, object, next)
    {
        const struct run_object *other = run_program_object(bad, object->name);

        if (other || !twin_of(diff, object, bad, true))
            compare_object(diff, cause, object->name, object, other);
    }
    HASH_ITER(hh, bad->objects, object, next)
    if (!run_program_object(good, object->name) && !twin_of(diff, object, good, false))
        compare_object(diff, cause, object->name, NULL, object);
}

/* ---- files ---- */

/* The comparable paths of the files that one side alone has, counted: those that stand on the other side as well are
 * the same file under another name. */
struct loose {
    char *path;
    int good, bad;
    UT_hash_handle hh;
};

static void loose_add(struct loose **list, const struct run *run, const char *path, bool in_good)
{
    CLEANUP_FREE char *key = run_comparable_file(run, path);
    struct loose *loose;

    HASH_FIND_STR(*list, key, loose);
    if (!loose) {
        loose = xcalloc(1, sizeof *loose);
        loose->path = steal_pointer(&key);
        HASH_ADD_KEYPTR(hh, *list, loose->path, strlen(loose->path), loose);
    }
    loose->good += in_good;
    loose->bad += !in_good;
}

/* Whether a program asks for one of these hangs on what its descriptors are, on the processor, on the time. */
static bool of_the_kernel(const char *path)
{
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0;
}

static bool is_loose(struct loose *list, const struct run *run, const char *path)
{
    CLEANUP_FREE char *key = run_comparable_file(run, path);
    struct loose *loose;

    HASH_FIND_STR(list, key, loose);
    return loose && !of_the_kernel(path) && (!loose->good || !loose->bad);
}

/* Its own file, or that of an object in it: whether a program opens one of these once more, to read what it maps, is
 * the chance of its threads (node's do). */
static bool mapped_in(const struct run_program *program, const char *path)
{
    const struct run_object *object = run_program_object(program, path_base(path));

    return strcmp(program->exe, path) == 0 || (object && strcmp(object->path, path) == 0);
}

static void loose_deinit(struct loose *list)
{
    struct loose *loose, *next;

    HASH_ITER(hh, list, loose, next)
    {
        HASH_DEL(list, loose);
        free(loose->path);
        free(loose);
    }
}

static char *file_text(const struct run_file *file)
{
    const char *error = file && !file->found ? errno_name(file->error) : NULL;

    return xstrdup(!file ? "not asked for" : file->found ? "there" : error ? error : "failed");
}

static void add_file(struct diff *diff, const struct cause *cause, const char *path, const struct run_file *good,
                     const struct run_file *bad, size_t *told)
{
    bool explains = cause && cause->missing && strcmp(cause->missing, path) == 0;

    for (size_t i = 0; i < diff->count; i++)
        if (strcmp(diff->list[i].kind, "file") == 0 && strcmp(diff->list[i].what, path) == 0)
            return;
    if (!explains && *told >= FILES_TOLD) {
        diff->files_left++;
        return;
    }
    *told += 1;
    diff_add(diff, explains ? RANK_EXPLAINS : RANK_FILE, "file", xstrdup(path), file_text(good), file_text(bad));
}

static void compare_files(struct diff *diff, const struct cause *cause, const struct run_program *good,
                          const struct run_program *bad, size_t *told)
{
    const struct run_file *file, *next;
    struct loose *loose = NULL;

    HASH_ITER(hh, good->files, file, next)
    if (!run_program_file(bad, file->path))
        loose_add(&loose, &diff->good.run, file->path, true);
    HASH_ITER(hh, bad->files, file, next)
    if (!run_program_file(good, file->path))
        loose_add(&loose, &diff->bad.run, file->path, false);
    HASH_ITER(hh, good->files, file, next)
    {
        const struct run_file *other = run_program_file(bad, file->path);

        if (other ? other->found != file->found
                  : !mapped_in(bad, file->path) && is_loose(loose, &diff->good.run, file->path))
            add_file(diff, cause, file->path, file, other, told);
    }
    HASH_ITER(hh, bad->files, file, next)
    if (!run_program_file(good, file->path) && !mapped_in(good, file->path) &&
        is_loose(loose, &diff->bad.run, file->path))
        add_file(diff, cause, file->path, NULL, file, told);
    loose_deinit(loose);
}

/* ---- all of it ---- */

static int by_rank(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;

    return x->rank != y->rank ? (int)x->rank - (int)y->rank : 0;
}

static void compare_outcomes(struct diff *diff)
{
    const struct report *good = diff->good.report, *bad = diff->bad.report;
    const char *name = good->argv.n ? path_base(good->argv.v[0]) : "the program";

    if (good->status == bad->status && good->code == bad->code && good->signal == bad->signal)
        return;
    diff_add(diff, RANK_STATUS, "exit-status", xstrdup(name), wording_headline(good), wording_headline(bad));
}

static void compare_runs(struct diff *diff, const struct cause *cause)
{
    const struct run *good = &diff->good.run, *bad = &diff->bad.run;
    CLEANUP_FREE size_t *of_good = NULL, *of_bad = NULL;
    size_t files = 0;

    diff_align(diff, &of_good, &of_bad);
    for (size_t i = 0; i < good->count; i++) {
        const struct run_program *other = of_good[i] == DIFF_ALONE ? NULL : bad->programs[of_good[i]];

        if (!other) {
            program_alone(diff, good->programs[i], true);
            continue;
        }
        compare_program(diff, good->programs[i], other);
        compare_environment(diff, cause, good->programs[i], other);
        compare_libraries(diff, cause, good->programs[i], other);
        compare_files(diff, cause, good->programs[i], other, &files);
    }
    for (size_t i = 0; i < bad->count; i++)
        if (of_bad[i] == DIFF_ALONE)
            program_alone(diff, bad->programs[i], false);
}

static int side_open(const char *name, struct side *side, struct err *err)
{
    const struct sink into = {run_event, &side->run};

    if (evidence_open(name, &side->evidence, err) < 0)
        return -1;
    /* Of what a terminal showed it is not known what happened besides: nothing could be said to be the same. */
    if (side->evidence.log && !side->evidence.reader->whole)
        return err_set(err,
                       "%s: what is compared is a bundle (.tar.zst), the folder that one was unpacked into, or its "
                       "trace.jsonl",
                       name);
    if (side->evidence.log && explain_log(&side->evidence, NULL, &into, &side->own, err) < 0)
        return -1;
    side->report = side->evidence.report ? side->evidence.report : side->own;
    homes_in_report(side->evidence.report ? side->evidence.report : side->own, false); /* as in the run */
    return 0;
}

static void side_close(struct side *side)
{
    evidence_close(&side->evidence);
    report_destroy(side->own);
    run_deinit(&side->run);
}

int diff_open(const char *good, const char *bad, struct diff *ret, struct err *err)
{
    const struct cause *cause;

    *ret = (struct diff){0};
    if (side_open(good, &ret->good, err) < 0 || side_open(bad, &ret->bad, err) < 0)
        return -1;
    cause = diff_causes(ret);
    compare_systems(ret, cause);
    if (ret->good.run.count && ret->bad.run.count)
        compare_runs(ret, cause);
    else
        compare_outcomes(ret);
    if (ret->count) {
        /* a stable order, whatever qsort(3) does with equals */
        for (size_t i = 1; i < ret->count; i++) {
            struct difference moved = ret->list[i];
            size_t at = i;

            for (; at > 0 && by_rank(&ret->list[at - 1], &moved) > 0; at--)
                ret->list[at] = ret->list[at - 1];
            ret->list[at] = moved;
        }
    }
    return 0;
}

void diff_deinit(struct diff *diff)
{
    for (size_t i = 0; i < diff->count; i++) {
        free(diff->list[i].what);
        free(diff->list[i].title);
        free(diff->list[i].good);
        free(diff->list[i].bad);
    }
    free(diff->list);
    side_close(&diff->good);
    side_close(&diff->bad);
    *diff = (struct diff){0};
}
