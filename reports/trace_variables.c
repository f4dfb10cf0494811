#include "trace_variables.h"

#include "environment.h"
#include "log.h"

#include <probes/alloc.h>

#include <string.h>

bool trace_variables_has(const struct trace_variables *variables, const char *entry)
{
    for (size_t i = 0; i < variables->entries.n; i++)
        if (strcmp(variables->entries.v[i], entry) == 0)
            return true;
    return false;
}

void trace_variables_deinit(struct trace_variables *variables)
{
    strings_deinit(&variables->entries);
    *variables = (struct trace_variables){0};
}

static void keep(struct trace_variables *variables, const char *entry)
{
    if (!trace_variables_has(variables, entry))
        strings_add(&variables->entries, xstrdup(entry));
}

/* ---- of a cause ---- */

static bool in_text(const char *text, const char *entry)
{
    return text && words_word(text, entry, strcspn(entry, "="));
}

static bool in_texts(const struct strings *texts, const char *entry)
{
    for (size_t i = 0; i < texts->n; i++)
        if (in_text(texts->v[i], entry))
            return true;
    return false;
}

/* The report shows it already. */
static bool is_told(const struct cause *cause, const char *entry)
{
    bool told = in_text(cause->summary, entry) || in_text(cause->detail, entry) || in_text(cause->words, entry);

    for (size_t i = 0; i < cause->fact_count && !told; i++)
        told = in_text(cause->facts[i].text, entry);
    for (size_t i = 0; i < cause->place_count && !told; i++)
        told = in_text(cause->places[i].from, entry);
    for (size_t i = 0; i < cause->remedy_count && !told; i++)
        told = in_text(cause->remedies[i].title, entry) || in_texts(&cause->remedies[i].commands, entry);
    return told;
}

/* HOME has half of all files beneath it. */
static bool names_places(const struct variable *variable)
{
    return !variable_is(variable, "HOME");
}

/* TEXT, which may be a file, has PATH in it, alone or with more of a path behind it. */
static bool tells_of(const char *text, const char *path)
{
    return text && words_path(text, path);
}

/* What CAUSE tells lies where VALUE leads. */
static bool leads_to(const char *value, const char *cwd, const struct cause *cause)
{
    struct strings paths;
    bool leads = false;

    variable_paths(value, cwd, &paths);
    for (size_t i = 0; i < paths.n && !leads; i++) {
        const char *path = paths.v[i];

        leads = tells_of(cause->subject, path) || tells_of(cause->provider, path) || tells_of(cause->missing, path) ||
                tells_of(cause->summary, path) || tells_of(cause->detail, path) || tells_of(cause->words, path);
    }
    strings_deinit(&paths);
    return leads;
}

static bool matters(const struct cause *cause, const struct process *process, const char *entry)
{
    struct variable variable;

    if (strcmp(cause->missing, entry) == 0 || is_told(cause, entry))
        return true;
    return variable_of(entry, &variable) && names_places(&variable) && leads_to(variable.value, process->cwd, cause);
}

static void keep_of(struct trace_variables *variables, const struct cause *cause, const struct process *process)
{
    for (size_t i = 0; i < process->env.n; i++)
        if (matters(cause, process, process->env.v[i]))
            keep(variables, process->env.v[i]);
}

/* ---- where there is no cause ---- */

enum { ENTRIES_MOST = 512 }; /* that are looked at, of all programs together */

struct entry {
    char *text;
    struct strings paths; /* in its value */
    bool led;
};

struct leading {
    struct entry *entries;
    size_t count, cap;
};

static void learn_entry(struct leading *leading, const char *text, const char *cwd)
{
    const char *equals = strchr(text, '=');
    struct entry *entry;

    for (size_t i = 0; i < leading->count; i++)
        if (strcmp(leading->entries[i].text, text) == 0)
            return;
    if (!equals || leading->count >= ENTRIES_MOST)
        return;
    entry = array_add(&leading->entries, &leading->count, &leading->cap, sizeof *leading->entries);
    *entry = (struct entry){.text = xstrdup(text)};
    variable_paths(equals + 1, cwd, &entry->paths);
}

/* Something was found at PATH. */
static void follow(struct leading *leading, const char *path)
{
    for (size_t i = 0; i < leading->count; i++) {
        struct entry *entry = &leading->entries[i];

        for (size_t k = 0; k < entry->paths.n && !entry->led; k++) {
            enum variable_fit fit = variable_fit(entry->paths.v[k], path);

            entry->led = fit == FIT_EXACT || fit == FIT_BENEATH;
        }
    }
}

static void leading_event(void *ctx, const struct event *event)
{
    struct leading *leading = ctx;
    const struct image *image = event->type == EVENT_PROCESS ? event->process.image : NULL;

    for (size_t i = 0; image && image->env && image->env[i]; i++)
        learn_entry(leading, image->env[i], image->cwd);
    if (image && image->exe)
        follow(leading, image->exe);
    else if (event->type == EVENT_SYSCALL && event->syscall.path && !event->syscall.error)
        follow(leading, event->syscall.path);
    else if (event->type == EVENT_LOADER && event->loader.what == LOADER_LOADED && event->loader.object)
        follow(leading, event->loader.object);
}

static int keep_leading(struct trace_variables *variables, FILE *raw, struct err *err)
{
    struct leading leading = {0};
    const struct sink sink = {leading_event, &leading};
    int status;

    rewind(raw);
    status = log_read(raw, &sink, NULL, err);
    for (size_t i = 0; i < leading.count; i++) {
        if (leading.entries[i].led)
            keep(variables, leading.entries[i].text);
        strings_deinit(&leading.entries[i].paths);
        free(leading.entries[i].text);
    }
    free(leading.entries);
    return status;
}

int trace_variables_of(const struct report *report, const struct model *model, FILE *raw, struct trace_variables *ret,
                       struct err *err)
{
    *ret = (struct trace_variables){0};
    for (size_t i = 0; i < report->cause_count; i++) {
        const struct process *process = model_process(model, report->causes[i]->pid);

        if (process)
            keep_of(ret, report->causes[i], process);
    }
    return report->cause_count ? 0 : keep_leading(ret, raw, err);
}

/* ---- what is written ---- */

static size_t count_of(const char *const *vector)
{
    size_t n = 0;

    while (vector && vector[n])
        n++;
    return n;
}

static void filter_image(const struct trace_variables *variables, const struct image *image,
                         struct trace_variables_kept *ret)
{
    size_t kept = 0;

    ret->image = *image;
    ret->kept = xcalloc(count_of(image->env) + 1, sizeof *ret->kept);
    for (size_t i = 0; image->env && image->env[i]; i++)
        if (trace_variables_has(variables, image->env[i]))
            ret->kept[kept++] = image->env[i];
        else
            strings_add(&ret->left, xstrndup(image->env[i], strcspn(image->env[i], "=")));
    for (size_t i = 0; image->env_left && image->env_left[i]; i++)
        strings_add(&ret->left, xstrdup(image->env_left[i]));
    strings_add(&ret->left, NULL); /* a vector's end */
    ret->image.env = image->env ? ret->kept : NULL;
    ret->image.env_left = ret->left.n > 1 ? (const char *const *)ret->left.v : NULL;
}

static void filter_noted(const struct trace_variables *variables, const struct sight *sight,
                         struct trace_variables_kept *ret)
{
    size_t noted = 0;

    ret->sight = *sight;
    ret->noted = xcalloc(count_of(sight->variables) + 1, sizeof *ret->noted);
    for (size_t i = 0; sight->variables && sight->variables[i]; i++)
        if (trace_variables_has(variables, sight->variables[i]))
            ret->noted[noted++] = sight->variables[i];
    ret->sight.variables = noted ? ret->noted : NULL;
}

void trace_variables_filter(const struct trace_variables *variables, struct event *event,
                            struct trace_variables_kept *ret)
{
    *ret = (struct trace_variables_kept){0};
    if (event->type != EVENT_PROCESS)
        return;
    if (event->process.image) {
        filter_image(variables, event->process.image, ret);
        event->process.image = &ret->image;
    }
    if (event->sight && event->sight->variables) {
        filter_noted(variables, event->sight, ret);
        event->sight = &ret->sight;
    }
}

void trace_variables_kept_deinit(struct trace_variables_kept *kept)
{
    free(kept->kept);
    free(kept->noted);
    strings_deinit(&kept->left);
}
