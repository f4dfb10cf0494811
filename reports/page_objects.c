/* What was loaded. A process that executes another program begins a new list; one that was only forked has its
 * parent's. Each object hangs from the one that needed or opened it first, as the link map says (struct event_loader);
 * an edge that broke is put where the cause says it is, also where nothing of it ever came into the link map. */
#include "page.h"

#include "model.h"
#include "page_text.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <string.h>

enum {
    PROGRAMS_MOST = 2000,
    OBJECTS_MOST = 2000, /* of one program */
    OBJECTS_OF_ALL = 40000,
    DEPTH_MOST = 48,
    SHOWN_MOST = 40, /* programs besides those of the causes */
};

struct held {
    char *path;
    enum object_reason reason;
    unsigned space;
    uint64_t base_addr;
    size_t parent; /* index of the object that it hangs from, always a smaller one; its own where there is none */
    bool gone;     /* it has been unloaded */
};

struct program {
    pid_t pid;
    uint64_t n; /* of the event that began it */
    char *exe;  /* or NULL */
    char *name;
    struct held *objects;
    size_t count, cap;
    size_t left_out;
};

/* A process runs what its parent ran when it was forked. */
struct forked {
    pid_t pid;
    uint64_t n;
    size_t program;
};

struct page_objects {
    struct program *programs;
    size_t count, cap;
    struct forked *forked;
    size_t forked_count, forked_cap;
    size_t total;
    bool full;
};

struct page_objects *page_objects_create(void)
{
    return xcalloc(1, sizeof(struct page_objects));
}

void page_objects_destroy(struct page_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        struct program *program = &objects->programs[i];

        for (size_t k = 0; k < program->count; k++)
            free(program->objects[k].path);
        free(program->objects);
        free(program->exe);
        free(program->name);
    }
    free(objects->programs);
    free(objects->forked);
    free(objects);
}

/* --- taking --- */

/* What PID runs at event N, or NULL. */
static struct program *program_at(const struct page_objects *objects, pid_t pid, uint64_t n)
{
    struct program *own = NULL;

    for (size_t i = objects->count; i-- > 0 && !own;)
        if (objects->programs[i].pid == pid && objects->programs[i].n <= n)
            own = &objects->programs[i];
    for (size_t i = objects->forked_count; i-- > 0;)
        if (objects->forked[i].pid == pid && objects->forked[i].n <= n && (!own || objects->forked[i].n > own->n))
            return &objects->programs[objects->forked[i].program];
    return own;
}

/* EVENT's process runs another program from now on. */
static struct program *begin(struct page_objects *objects, const struct event *event)
{
    const struct event_process *process = event->type == EVENT_PROCESS ? &event->process : NULL;
    struct program *program;

    if (objects->count >= PROGRAMS_MOST) {
        objects->full = true;
        return NULL;
    }
    program = array_add(&objects->programs, &objects->count, &objects->cap, sizeof *program);
    *program = (struct program){.pid = event->pid, .n = event->n};
    if (process && process->image) {
        program->exe = xstrdup_or_null(process->image->exe);
        program->name = page_program(process->image->exe, process->image->argv);
    }
    return program;
}

static void fork_of(struct page_objects *objects, const struct event *event)
{
    const struct program *of = program_at(objects, event->process.parent, event->n);
    struct forked *forked;

    if (!of || objects->forked_count >= PROGRAMS_MOST)
        return;
    forked = array_add(&objects->forked, &objects->forked_count, &objects->forked_cap, sizeof *forked);
    *forked = (struct forked){.pid = event->pid, .n = event->n, .program = (size_t)(of - objects->programs)};
}

static size_t find(const struct program *program, const char *path, unsigned space)
{
    size_t i = 0;

    while (i < program->count && (program->objects[i].gone || program->objects[i].space != space ||
                                  strcmp(program->objects[i].path, path) != 0))
        i++;
    return i;
}

static void loaded(struct page_objects *objects, struct program *program, const struct event_loader *said)
{
    struct held *object;
    size_t parent, own = program->count;

    if (program->count >= OBJECTS_MOST || objects->total >= OBJECTS_OF_ALL) {
        program->left_out++;
        return;
    }
    parent = said->by ? find(program, said->by, said->space) : own;
    if (said->by && parent == own) /* asked for from another namespace */
        for (parent = 0; parent < own && strcmp(program->objects[parent].path, said->by) != 0;)
            parent++;
    objects->total++;
    object = array_add(&program->objects, &program->count, &program->cap, sizeof *object);
    *object = (struct held){.path = xstrdup(said->object),
                            .reason = said->reason,
                            .space = said->space,
                            .base_addr = said->base_addr,
                            .parent = parent};
}

static void unloaded(struct program *program, const struct event_loader *said)
{
    for (size_t i = program->count; i-- > 0;) {
        struct held *object = &program->objects[i];

        if (object->gone || object->base_addr != said->base_addr || strcmp(object->path, said->object) != 0)
            continue;
        object->gone = true;
        return;
    }
}

void page_objects_take(struct page_objects *objects, const struct event *event)
{
    struct program *program;

    if (event->type == EVENT_PROCESS && event->process.image)
        begin(objects, event);
    else if (event->type == EVENT_PROCESS && event->process.what == PROCESS_START && event->process.parent)
        fork_of(objects, event);
    if (event->type != EVENT_LOADER || !event->loader.object)
        return;
    if (event->loader.what != LOADER_LOADED && event->loader.what != LOADER_UNLOADED)
        return;
    program = program_at(objects, event->pid, event->n);
    if (!program && !(program = begin(objects, event)))
        return;
    if (event->loader.what == LOADER_LOADED)
        loaded(objects, program, &event->loader);
    else
        unloaded(program, &event->loader);
}

/* --- an edge that broke --- */

struct edge {
    size_t from;       /* the object that asked; program->count: none of them */
    const char *never; /* or this one, which never came into the link map, and hangs from FROM */
    const struct cause *cause;
};

static bool is_of_loading(const struct cause *cause)
{
    switch (cause->kind) {
    case CAUSE_SYMBOL_VERSION_MISSING:
    case CAUSE_SYMBOL_MISSING:
    case CAUSE_LIBRARY_MISSING:
    case CAUSE_LIBRARY_OFF_PATH:
    case CAUSE_LIBRARY_SHADOWED:
    case CAUSE_LOADER_LIBC_SKEW:
    case CAUSE_LIBC_FAMILY_MISMATCH:
    case CAUSE_INTERPRETER_MISSING:
    case CAUSE_WRONG_ARCHITECTURE:
    case CAUSE_CPU_LEVEL_TOO_LOW:
    case CAUSE_OBJECT_CORRUPT:
    case CAUSE_STATIC_TLS_EXHAUSTED:
    case CAUSE_EXECSTACK_REFUSED:
    case CAUSE_MODULE_ABI_MISMATCH:
        return true;
    case CAUSE_SYMLINK_LOOP:
    case CAUSE_SYMLINK_DANGLING:
    case CAUSE_PERMISSION_DENIED:
    case CAUSE_NOEXEC_MOUNT:
        return (cause->missing && library_like(cause->missing)) || (cause->subject && library_like(cause->subject));
    default:
        return false;
    }
}

static size_t find_any(const struct program *program, const char *path)
{
    size_t i = 0;

    while (i < program->count && strcmp(program->objects[i].path, path) != 0)
        i++;
    return i;
}

static struct edge edge_of(const struct program *program, const struct cause *cause)
{
    struct edge edge = {.from = program->count, .cause = cause};

    if (cause->subject)
        edge.from = find_any(program, cause->subject);
    if (edge.from < program->count)
        return edge;
    edge.never = cause->subject;
    for (size_t i = cause->chain.n; i-- > 0 && edge.from == program->count;)
        edge.from = find_any(program, cause->chain.v[i]);
    return edge;
}

/* What CAUSE's process ran when it failed. */
static const struct program *program_of(const struct page_objects *objects, const struct cause *cause)
{
    uint64_t n = cause->evidence_count ? 0 : UINT64_MAX;

    for (size_t i = 0; i < cause->evidence_count; i++)
        n = cause->evidence[i] > n ? cause->evidence[i] : n;
    return program_at(objects, cause->pid, n);
}

/* --- the tree --- */

/* One program's tree on its way out. */
struct tree {
    const struct program *program;
    struct edge edges[8];
    size_t edge_count;
    const bool *broken; /* by object: it, or what hangs from it, has an edge that broke */
    FILE *out;
};

static const char *reason_words(enum object_reason reason)
{
    static const char *const words[] = {
        [REASON_UNKNOWN] = "",
        [REASON_PROGRAM] = "the program",
        [REASON_LOADER] = "the loader",
        [REASON_VDSO] = "from the kernel",
        [REASON_PRELOADED] = "preloaded",
        [REASON_NEEDED] = "",
        [REASON_DLOPENED] = "opened while it ran",
    };

    return words[reason];
}

static void put_kind(FILE *out, const struct cause *cause)
{
    for (const char *s = cause_kind_name(cause->kind); *s; s++)
        fputc(*s == '-' ? ' ' : *s, out);
}

static void put_missing(FILE *out, const struct edge *edge)
{
    const struct cause *cause = edge->cause;
    bool itself = cause->missing && cause->subject && strcmp(cause->missing, cause->subject) == 0;

    fputs("<li class=\"broken\"><span class=\"leaf\"><span class=\"mark\" aria-hidden=\"true\">✗</span> ", out);
    if (!itself)
        page_element(out, "<b>", cause->missing ? cause->missing : "?", "</b> ");
    fputs("<span class=\"why\">", out);
    put_kind(out, cause);
    if (cause->provider && !itself)
        page_element(out, ", asked of ", cause->provider, "");
    fputs("</span></span></li>\n", out);
}

static void put_edges(const struct tree *tree, size_t from)
{
    for (size_t i = 0; i < tree->edge_count; i++) {
        const struct edge *edge = &tree->edges[i];

        if (edge->from != from)
            continue;
        if (!edge->never) {
            put_missing(tree->out, edge);
            continue;
        }
        fputs("<li class=\"broken\"><details open><summary>", tree->out);
        page_path(tree->out, edge->never);
        fputs(" <span class=\"why\">did not come to be loaded</span></summary>\n<ul>\n", tree->out);
        put_missing(tree->out, edge);
        fputs("</ul>\n</details></li>\n", tree->out);
    }
}

static bool has_edge(const struct tree *tree, size_t from)
{
    for (size_t i = 0; i < tree->edge_count; i++)
        if (tree->edges[i].from == from)
            return true;
    return false;
}

static bool has_children(const struct tree *tree, size_t of)
{
    for (size_t i = of + 1; i < tree->program->count; i++)
        if (tree->program->objects[i].parent == of)
            return true;
    return has_edge(tree, of);
}

/* An object that was asked for something and does not have it. */
static void put_lacks(const struct tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->edge_count; i++) {
        const struct cause *cause = tree->edges[i].cause;
        bool of_content = cause->kind == CAUSE_SYMBOL_VERSION_MISSING || cause->kind == CAUSE_SYMBOL_MISSING ||
                          cause->kind == CAUSE_LIBRARY_SHADOWED || cause->kind == CAUSE_LOADER_LIBC_SKEW;

        if (of_content && cause->provider && cause->missing && strcmp(cause->provider, path) == 0)
            page_element(tree->out, " <span class=\"lacks\">lacks ", cause->missing, "</span>");
    }
}

static void put_name(const struct tree *tree, size_t at)
{
    const struct held *object = &tree->program->objects[at];
    const char *words = reason_words(object->reason);

    page_path(tree->out, object->path);
    if (*words)
        fprintf(tree->out, " <span class=\"why\">%s</span>", words);
    if (object->space)
        fprintf(tree->out, " <span class=\"why\">namespace %u</span>", object->space);
    if (object->gone)
        fputs(" <span class=\"why\">unloaded later</span>", tree->out);
    put_lacks(tree, object->path);
}

static void put_object(const struct tree *tree, size_t at, int depth)
{
    FILE *out = tree->out;

    fprintf(out, "<li%s>", tree->broken[at] ? " class=\"to-broken\"" : "");
    if (!has_children(tree, at) || depth >= DEPTH_MOST) {
        fputs("<span class=\"leaf\">", out);
        put_name(tree, at);
        fputs(depth >= DEPTH_MOST ? " …</span></li>\n" : "</span></li>\n", out);
        return;
    }
    fputs(depth < 2 || tree->broken[at] ? "<details open><summary>" : "<details><summary>", out);
    put_name(tree, at);
    fputs("</summary>\n<ul>\n", out);
    put_edges(tree, at); /* what broke comes first: it is what the reader looks for */
    for (size_t i = at + 1; i < tree->program->count; i++)
        if (tree->program->objects[i].parent == at)
            put_object(tree, i, depth + 1);
    fputs("</ul>\n</details></li>\n", out);
}

static void put_tree(const struct program *program, const struct report *report, const struct page_objects *objects,
                     FILE *out)
{
    CLEANUP_FREE bool *broken = xcalloc(program->count + 1, sizeof *broken);
    struct tree tree = {.program = program, .broken = broken, .out = out};

    for (size_t i = 0; i < report->cause_count && tree.edge_count < sizeof tree.edges / sizeof *tree.edges; i++)
        if (is_of_loading(report->causes[i]) && program_of(objects, report->causes[i]) == program)
            tree.edges[tree.edge_count++] = edge_of(program, report->causes[i]);
    for (size_t i = program->count; i-- > 0;) { /* parents come before their children */
        broken[i] |= has_edge(&tree, i);
        if (broken[i] && program->objects[i].parent < i)
            broken[program->objects[i].parent] = true;
    }
    fputs("<ul class=\"tree\">\n", out);
    put_edges(&tree, program->count);
    for (size_t i = 0; i < program->count; i++)
        if (program->objects[i].parent >= i)
            put_object(&tree, i, 0);
    fputs("</ul>\n", out);
    if (program->left_out)
        fprintf(out, "<p class=\"note\">%zu more objects are only in trace.jsonl.</p>\n", program->left_out);
}

static void put_program(const struct page_objects *objects, const struct program *program, size_t alike,
                        const struct report *report, bool open, FILE *out)
{
    CLEANUP_FREE char *count = wording_number(program->count), *times = wording_number(alike);

    fprintf(out, "<details class=\"program\"%s><summary>", open ? " open" : "");
    page_element(out, "<b>", program->name ? program->name : "?", "</b>");
    if (alike == 1)
        fprintf(out, " <span class=\"why\">process %d, ", (int)program->pid);
    else
        fprintf(out, " <span class=\"why\">%s processes, ", times);
    fprintf(out, "%s object%s%s</span></summary>\n", count, program->count == 1 ? "" : "s", alike == 1 ? "" : " each");
    put_tree(program, report, objects, out);
    fputs("</details>\n", out);
}

static bool is_of_cause(const struct page_objects *objects, const struct program *program, const struct report *report)
{
    for (size_t i = 0; i < report->cause_count; i++)
        if (program_of(objects, report->causes[i]) == program)
            return true;
    return false;
}

static bool same_string(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool are_alike(const struct program *a, const struct program *b)
{
    if (a->count != b->count || !same_string(a->exe, b->exe) || !same_string(a->name, b->name))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->objects[i].parent != b->objects[i].parent || a->objects[i].gone != b->objects[i].gone ||
            strcmp(a->objects[i].path, b->objects[i].path) != 0)
            return false;
    return true;
}

/* Program I of those that are of no cause, and how many of the later ones are like it: they are set in TOLD. */
static size_t count_alike(const struct page_objects *objects, size_t i, bool *told)
{
    size_t alike = 1;

    for (size_t k = i + 1; k < objects->count; k++) {
        if (told[k] || !are_alike(&objects->programs[i], &objects->programs[k]))
            continue;
        told[k] = true;
        alike++;
    }
    return alike;
}

/* Those of the causes stand open before the others; of equal ones one is shown. */
void page_objects_put(const struct page_objects *objects, const struct report *report, FILE *out)
{
    CLEANUP_FREE bool *told = xcalloc(objects->count + 1, sizeof *told);
    size_t shown = 0, left_out = 0;

    if (!objects->total)
        return;
    fputs("<section id=\"loaded\">\n<h2>What was loaded</h2>\n"
          "<p class=\"note\">Each object hangs from the one that asked for it first.</p>\n",
          out);
    for (size_t i = 0; i < objects->count; i++) {
        told[i] = is_of_cause(objects, &objects->programs[i], report);
        if (told[i])
            put_program(objects, &objects->programs[i], 1, report, true, out);
    }
    for (size_t i = 0; i < objects->count; i++) {
        const struct program *program = &objects->programs[i];
        size_t alike;

        if (!program->count || told[i])
            continue;
        alike = count_alike(objects, i, told);
        if (shown++ < SHOWN_MOST)
            put_program(objects, program, alike, report, !report->cause_count && shown == 1, out);
        else
            left_out++;
    }
    if (left_out)
        fprintf(out, "<p class=\"note\">%zu more programs are only in trace.jsonl.</p>\n", left_out);
    if (objects->full)
        fprintf(out, "<p class=\"note\">What the programs after the first %d loaded is only in trace.jsonl.</p>\n",
                PROGRAMS_MOST);
    fputs("</section>\n", out);
}
