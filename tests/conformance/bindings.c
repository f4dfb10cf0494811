/* Compares what the real loader bound, line by line, with what the shadow loader says that it binds.
 *
 *     bindings [--root DIR] [--cwd DIR] [--env NAME=VALUE]... [--loader PATH] PROGRAM LOG
 *
 * LOG is of LD_DEBUG=files,scopes,bindings (LD_DEBUG_OUTPUT). The order of dlopens and dlcloses is taken from it, and
 * of a dlopen's mode what can be seen in it. Prints one line of counts, then a line for each difference; its exit
 * status says only whether it could compare. */
#include "debuglog.h"

#include <probes/alloc.h>
#include <probes/load.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* What a line was compared as; what a difference is. */
enum outcome {
    EQUAL_EAGER,     /* a relocation made when its object was loaded, in the loader's order */
    EQUAL_LAZY,      /* a call that was bound when it was made */
    EQUAL_AGAIN,     /* a relocation seen before: two threads, or a dlsym of the same name */
    EQUAL_DLSYM,     /* no relocation of the object: dlsym, or the loader's own */
    VDSO,            /* the loader's own look into the vdso; no object of a file asks */
    FORKED,          /* said by a forked child, whose later dlopens are not the parent's */
    TORN,            /* two threads wrote at once */
    DIFFERS_TARGET,  /* another object has it */
    DIFFERS_ORDER,   /* a relocation out of the loader's order */
    DIFFERS_OBJECT,  /* an object that the model does not have */
    DIFFERS_MISSING, /* the model binds it, the loader did not */
    DIFFERS_SCOPE,   /* other search lists */
    DIFFERS_LOAD,    /* a dlopen or dlclose that ends otherwise */
    OUTCOMES,
};

static const char *const outcome_names[OUTCOMES] = {
    [EQUAL_EAGER] = "eager",
    [EQUAL_LAZY] = "lazy",
    [EQUAL_AGAIN] = "again",
    [EQUAL_DLSYM] = "dlsym",
    [VDSO] = "vdso",
    [FORKED] = "forked",
    [TORN] = "torn",
    [DIFFERS_TARGET] = "TARGET",
    [DIFFERS_ORDER] = "ORDER",
    [DIFFERS_OBJECT] = "OBJECT",
    [DIFFERS_MISSING] = "MISSING",
    [DIFFERS_SCOPE] = "SCOPE",
    [DIFFERS_LOAD] = "LOAD",
};

/* The relocations of one object, and how far the log is with them. */
struct progress {
    struct binding *bindings;
    size_t count, next;
    bool *seen;
    bool known;
};

struct comparison {
    struct debuglog log;
    struct load *load;
    const char *program_name; /* as the log calls it: argv[0] */
    long pid;
    bool started;              /* the scopes of the start are told */
    struct progress *progress; /* by object->index */
    size_t progress_count;
    struct object **roots; /* by line: what a dlopen that ends there should have opened */
    size_t pending;        /* dlopens that have begun and not ended */
    size_t counts[OUTCOMES], scopes;
    char *details;
};

__attribute__((format(printf, 3, 4))) static void count(struct comparison *c, enum outcome outcome, const char *format,
                                                        ...)
{
    va_list ap;

    c->counts[outcome]++;
    if (!format)
        return;
    va_start(ap, format);
    CLEANUP_FREE char *text = xvasprintf(format, ap);
    va_end(ap);
    char *longer = xasprintf("%s%s: %s\n", c->details, outcome_names[outcome], text);
    free(c->details);
    c->details = longer;
}

/* Those that are there first; those of a failed dlopen have been there too. */
static struct object *object_of(const struct comparison *c, const char *name, unsigned space)
{
    struct object *gone = NULL;

    if (c->program_name && !strcmp(name, c->program_name) && space == 0)
        return c->load->objects[0];
    for (size_t i = c->load->object_count; i-- > 0;) {
        struct object *object = c->load->objects[i];

        if (strcmp(object->path, name) != 0 || (object->space != space && object->why != OBJECT_INTERP))
            continue;
        if (load_is_there(c->load, object))
            return object;
        if (!gone)
            gone = object;
    }
    return gone;
}

static struct progress *progress_of(struct comparison *c, const struct object *object)
{
    struct progress *p;

    if (object->index >= c->progress_count) {
        size_t n = c->load->object_count;

        c->progress = xreallocarray(c->progress, n, sizeof *c->progress);
        memset(c->progress + c->progress_count, 0, (n - c->progress_count) * sizeof *c->progress);
        c->progress_count = n;
    }
    p = &c->progress[object->index];
    if (!p->known) {
        p->known = true;
        p->count = load_bindings(c->load, object, &p->bindings);
        p->seen = xcalloc(p->count + 1, sizeof *p->seen);
    }
    return p;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool is_for(const struct binding *b, const struct log_line *line)
{
    return !strcmp(b->reference->name, line->symbol) && same_text(b->reference->version, line->version);
}

/* The loader looks at each but those that it remembers or that nobody defines (it says nothing of these). */
static bool is_silent(const struct binding *b)
{
    return b->lazy || b->again || !b->to;
}

static const char *path_of(const struct object *object)
{
    return object ? object->path : "nothing";
}

static void check(struct comparison *c, enum outcome equal, const struct log_line *line, const struct object *real,
                  const struct object *model)
{
    if (real == model && real)
        count(c, equal, NULL);
    else
        count(c, DIFFERS_TARGET, "%s asks for %s@%s: %s has it, not %s", line->a, line->symbol,
              line->version ? line->version : "", line->b, path_of(model));
}

/* ld.so takes malloc and its family from the program's scope when all is relocated (__rtld_malloc_init_real() of
 * elf/dl-minimal.c), as data: a program's PLT entry will do. */
static bool is_own_malloc(const struct comparison *c, const struct object *from, const struct log_line *line)
{
    return from == c->load->objects[0] && (!strcmp(line->symbol, "malloc") || !strcmp(line->symbol, "calloc") ||
                                           !strcmp(line->symbol, "realloc") || !strcmp(line->symbol, "free"));
}

/* No relocation that waits for it: dlsym of a handle or of the caller's scope, a second thread, or the loader itself.
 */
static void compare_other(struct comparison *c, enum outcome as, const struct object *from, const struct object *to,
                          const struct log_line *line)
{
    static const enum lookup_class classes[] = {LOOKUP_DLSYM, LOOKUP_DATA, LOOKUP_CALL};
    const struct object *answer = NULL;

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        answer = load_lookup(c->load, from, line->symbol, line->version, classes[i], NULL);
        if (answer == to)
            break;
    }
    check(c, as, line, to, answer);
}

static void compare_lazy(struct comparison *c, struct progress *p, size_t i, const struct object *from,
                         const struct object *to, const struct log_line *line)
{
    const struct object *now = load_lookup(c->load, from, line->symbol, line->version, p->bindings[i].class, NULL);

    if (now != to && is_own_malloc(c, from, line)) {
        compare_other(c, EQUAL_DLSYM, from, to, line);
        return;
    }
    p->seen[i] = true;
    check(c, EQUAL_LAZY, line, to, now);
}

static void compare_line(struct comparison *c, const struct log_line *line)
{
    const struct object *from = object_of(c, line->a, line->a_space), *to = object_of(c, line->b, line->b_space);
    bool again = false;
    struct progress *p;

    if (!strncmp(line->a, "linux-", 6)) {
        count(c, VDSO, NULL);
        return;
    }
    if (!from || !to) {
        count(c, DIFFERS_OBJECT, "%s [%u] asks %s [%u] for %s", line->a, line->a_space, line->b, line->b_space,
              line->symbol);
        return;
    }
    p = progress_of(c, from);
    while (p->next < p->count && (is_silent(&p->bindings[p->next]) || p->seen[p->next]))
        p->next++;
    if (p->next < p->count && is_for(&p->bindings[p->next], line)) {
        p->seen[p->next] = true;
        check(c, EQUAL_EAGER, line, to, p->bindings[p->next].to);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!is_for(&p->bindings[i], line))
            continue;
        again = true;
        if (p->bindings[i].lazy && !p->seen[i]) {
            compare_lazy(c, p, i, from, to, line);
            return;
        }
    }
    for (size_t i = p->next; i < p->count; i++)
        if (is_for(&p->bindings[i], line) && !is_silent(&p->bindings[i]) && !p->seen[i]) {
            p->seen[i] = true;
            count(c, DIFFERS_ORDER, "%s: %s, where %s should be", line->a, line->symbol,
                  p->bindings[p->next].reference->name);
            return;
        }
    compare_other(c, again ? EQUAL_AGAIN : EQUAL_DLSYM, from, to, line);
}

/* ---- dlopen and dlclose ---- */

/* Where the dlopen that begins in line I ends, or 0. */
static size_t end_of(const struct comparison *c, size_t i)
{
    const struct log_line *begin = &c->log.lines[i];
    bool made = false;

    for (size_t k = i + 1; k < c->log.count; k++) {
        const struct log_line *line = &c->log.lines[k];

        /* nothing was made of it, or it is asked for once more: it has failed */
        if (line->kind == LINE_LOADED_BY && (!made || (line->a_space == begin->a_space && !strcmp(line->a, begin->a))))
            return 0;
        made |= line->kind == LINE_GENERATED && line->a_space == begin->a_space && !strcmp(line->a, begin->a);
        if (line->kind == LINE_OPENING && line->a_space == begin->a_space &&
            (!strcmp(path_base(line->a), path_base(begin->a)) || !made))
            return k;
    }
    return 0;
}

static bool has_word(const char *list, const char *word, bool first)
{
    size_t n = strlen(word);

    for (const char *s = list + strspn(list, " "); *s; s += strspn(s, " ")) {
        size_t length = strcspn(s, " ");

        if (length == n && !strncmp(s, word, n))
            return true;
        if (first)
            return false;
        s += length;
    }
    return false;
}

/* The scopes that the loader shows before it relocates: with RTLD_DEEPBIND there are two lists, its own first. */
static bool is_deep(const struct comparison *c, size_t begin, size_t end)
{
    const struct log_line *lines = c->log.lines;
    const char *root = lines[end].a;

    for (size_t i = begin; i < end; i++)
        if (lines[i].kind == LINE_OBJECT && !strcmp(lines[i].a, root))
            return i + 2 < end && lines[i + 1].kind == LINE_SCOPE && has_word(lines[i + 1].a, root, true) &&
                   lines[i + 2].kind == LINE_SCOPE && !has_word(lines[i + 2].a, root, true) &&
                   !(i + 3 < end && lines[i + 3].kind == LINE_SCOPE);
    return false;
}

static bool space_exists(const struct comparison *c, unsigned space)
{
    for (size_t i = 0; i < c->load->object_count; i++)
        if (c->load->objects[i]->space == space && load_is_there(c->load, c->load->objects[i]))
            return true;
    return false;
}

static struct object *open_file(struct comparison *c, const char *file, int mode, const struct log_line *line)
{
    struct load_open open = {.file = file, .mode = mode, .space = line->a_space};
    struct object *root = NULL;

    open.caller = line->b ? object_of(c, line->b, line->b_space) : NULL;
    if (!space_exists(c, line->a_space))
        open.space = LOAD_SPACE_NEW;
    load_dlopen(c->load, &open, &root);
    return root;
}

/* A dlopen that never ends has failed; only what is bound at once can fail. */
static void begin_open(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    size_t end = end_of(c, i);
    int mode = !end ? RTLD_NOW : is_deep(c, i, end) ? RTLD_LAZY | RTLD_DEEPBIND : RTLD_LAZY;
    struct object *root = open_file(c, line->a, mode, line);

    c->pending += end != 0;
    if (end) {
        c->roots[end] = root;
        if (!root)
            count(c, DIFFERS_LOAD, "dlopen of %s: opens %s, not nothing", line->a, c->log.lines[end].a);
    }
}

/* Of an object that is there already nothing is said at the beginning; where it was only needed so far, its scopes come
 * first, and then its end. */
static void open_known(struct comparison *c, size_t i)
{
    size_t end = i;

    while (end < c->log.count && c->log.lines[end].kind != LINE_OPENING && c->log.lines[end].kind != LINE_LOADED_BY)
        end++;
    if (end < c->log.count && c->log.lines[end].kind == LINE_OPENING && !c->roots[end] &&
        !strcmp(c->log.lines[end].a, c->log.lines[i].a))
        c->roots[end] = open_file(c, c->log.lines[i].a, RTLD_LAZY, &c->log.lines[i]);
}

static void end_open(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    struct object *root = c->roots[i];

    if (!root)
        root = open_file(c, line->a, RTLD_LAZY, line);
    else if (c->pending)
        c->pending--;
    if (root && root != c->load->objects[0] && strcmp(root->path, line->a) != 0)
        count(c, DIFFERS_LOAD, "dlopen: opens %s, not %s", line->a, root->path);
}

/* The first of a run is the one that was opened, the others are what it needs. */
static void made_global(struct comparison *c, size_t i)
{
    const struct log_line *line = &c->log.lines[i];
    struct object *root;

    if (i && c->log.lines[i - 1].kind == LINE_GLOBAL)
        return;
    root = open_file(c, line->a, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL, line);
    if (root)
        load_dlclose(c->load, root);
    else
        count(c, DIFFERS_LOAD, "%s [%u] becomes global, and is not there", line->a, line->a_space);
}

/* One of a run of unloaded objects: whoever of them is held by a handle has lost it. Then the model must let go too. */
static void destroyed(struct comparison *c, size_t i)
{
    if (i && c->log.lines[i - 1].kind == LINE_DESTROYED)
        return;
    for (size_t k = i; k < c->log.count && c->log.lines[k].kind == LINE_DESTROYED; k++) {
        struct object *object = object_of(c, c->log.lines[k].a, c->log.lines[k].a_space);

        for (int n = 0; object && load_is_there(c->load, object) && n < 100; n++)
            load_dlclose(c->load, object);
    }
    for (size_t k = i; k < c->log.count && c->log.lines[k].kind == LINE_DESTROYED; k++) {
        const struct log_line *line = &c->log.lines[k];
        const struct object *object = object_of(c, line->a, line->a_space);

        if (object && load_is_there(c->load, object))
            count(c, DIFFERS_LOAD, "dlclose: %s goes, and should stay", line->a);
    }
}

/* ---- scopes ---- */

struct listing {
    const struct comparison *c;
    size_t list;
    char *text;
};

static void add_member(void *ctx, size_t list, const struct object *member)
{
    struct listing *l = ctx;

    if (list != l->list)
        return;
    char *longer = xasprintf("%s %s", l->text, member == l->c->load->objects[0] ? l->c->program_name : member->path);
    free(l->text);
    l->text = longer;
}

static void compare_scope(struct comparison *c, const struct log_line *object, const struct log_line *line)
{
    struct listing l = {.c = c, .list = line->n};
    const struct object *of = object_of(c, object->a, object->a_space);

    if (!of) {
        if (strncmp(object->a, "linux-", 6) != 0)
            count(c, DIFFERS_OBJECT, "%s [%u] has a scope", object->a, object->a_space);
        return;
    }
    if (!load_is_there(c->load, of)) /* what is shown before a dlopen fails */
        return;
    l.text = xstrdup("");
    load_scopes(c->load, of, add_member, &l);
    c->scopes++;
    if (strcmp(l.text, line->a) != 0)
        count(c, DIFFERS_SCOPE, "%s list %u:%s, not%s", object->a, line->n, line->a, l.text);
    free(l.text);
}

/* ---- the whole log ---- */

static void compare_one(struct comparison *c, size_t i, const struct log_line *object)
{
    const struct log_line *line = &c->log.lines[i];
    struct object *closed;

    switch (line->kind) {
    case LINE_OBJECT:
        if (!c->program_name)
            c->program_name = line->a;
        else if (c->started && !c->pending)
            open_known(c, i);
        break;
    case LINE_BINDING:
        c->started = true;
        compare_line(c, line);
        break;
    case LINE_TORN:
        count(c, TORN, NULL);
        break;
    case LINE_LOADED_BY:
        begin_open(c, i);
        break;
    case LINE_OPENING:
        end_open(c, i);
        break;
    case LINE_GLOBAL:
        made_global(c, i);
        break;
    case LINE_CLOSING:
        closed = object_of(c, line->a, 0);
        if (closed)
            load_dlclose(c->load, closed);
        break;
    case LINE_DESTROYED:
        destroyed(c, i);
        break;
    case LINE_SCOPE:
        if (object)
            compare_scope(c, object, line);
        break;
    default:
        break;
    }
}

static void compare(struct comparison *c)
{
    const struct log_line *object = NULL;

    c->pid = c->log.count ? c->log.lines[0].pid : 0;
    for (size_t i = 0; i < c->log.count; i++) {
        const struct log_line *line = &c->log.lines[i];

        if (line->pid != c->pid) {
            if (line->kind == LINE_BINDING)
                count(c, FORKED, NULL);
            continue;
        }
        if (line->kind == LINE_OBJECT)
            object = line;
        compare_one(c, i, object);
    }
}

/* What the model binds and the log does not have. ld.so relocates itself only where it must (rtld_multiple_ref). */
static void count_missing(struct comparison *c)
{
    for (size_t i = 0; i < c->load->object_count; i++) {
        const struct object *object = c->load->objects[i];
        struct progress *p;

        if (!load_is_there(c->load, object))
            continue;
        p = progress_of(c, object);
        for (size_t k = 0; k < p->count; k++)
            if (!is_silent(&p->bindings[k]) && !p->seen[k])
                count(c, DIFFERS_MISSING, "%s: %s of %s", object->path, p->bindings[k].reference->name,
                      p->bindings[k].to->path);
    }
}

static void print(const struct comparison *c)
{
    for (size_t i = 0; i < OUTCOMES; i++)
        printf("%s=%zu ", outcome_names[i], c->counts[i]);
    printf("scopes=%zu objects=%zu second=%d\n%s", c->scopes, c->load->object_count, c->log.second, c->details);
}

int main(int argc, char **argv)
{
    struct load_request request = {.root = "", .cwd = "/"};
    struct comparison c = {.details = xstrdup("")};
    const char **env = xcalloc((size_t)argc + 1, sizeof *env);
    int i = 1, envs = 0;
    struct err err;

    for (; i + 3 < argc && argv[i][0] == '-'; i += 2)
        if (!strcmp(argv[i], "--root"))
            request.root = argv[i + 1];
        else if (!strcmp(argv[i], "--cwd"))
            request.cwd = argv[i + 1];
        else if (!strcmp(argv[i], "--loader"))
            request.loader = argv[i + 1];
        else if (!strcmp(argv[i], "--env"))
            env[envs++] = argv[i + 1];
    request.env = env;
    if (i + 2 != argc || !debuglog_read(argv[i + 1], &c.log))
        return 2;
    request.program = argv[i];
    if (load_create(&request, &c.load, &err)) {
        fprintf(stderr, "bindings: %s\n", err.text);
        return 2;
    }
    c.roots = xcalloc(c.log.count + 1, sizeof(struct object *));
    compare(&c);
    count_missing(&c);
    print(&c);
    for (size_t k = 0; k < c.progress_count; k++) {
        free(c.progress[k].bindings);
        free(c.progress[k].seen);
    }
    free(c.progress);
    free(c.roots);
    free(c.details);
    load_destroy(c.load);
    debuglog_deinit(&c.log);
    elffile_forget_all();
    free(env);
    return 0;
}
