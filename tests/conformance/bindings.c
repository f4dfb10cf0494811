/* Compares what the real loader bound, line by line, with what the shadow loader says that it binds.
 *
 *     bindings [--root DIR] [--cwd DIR] [--env NAME=VALUE]... [--loader PATH] [--image N] PROGRAM LOG
 *
 * LOG is of LD_DEBUG=libs,files,scopes,bindings (LD_DEBUG_OUTPUT); where the process has executed other programs, N
 * says which is meant, from 0. The order of dlopens and dlcloses is taken from it, and of a dlopen's mode what can be
 * seen in it. Prints one line of counts, then a line for each difference; its exit status says only whether it could
 * compare. */
#include "compare.h"

#include <probes/alloc.h>

#include <stdlib.h>
#include <string.h>

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
    [DIFFERS_SEARCH] = "SEARCH",
    [DIFFERS_LOAD] = "LOAD",
};

void count(struct comparison *c, enum outcome outcome, const char *format, ...)
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
struct object *object_of(const struct comparison *c, const char *name, unsigned space)
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
    static const enum lookup_class classes[] = {LOOKUP_DLSYM, LOOKUP_DATA, LOOKUP_CALL, LOOKUP_NEXT};
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
    case LINE_FIND:
        compare_search(c, i);
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
    printf("scopes=%zu searches=%zu objects=%zu \n%s", c->scopes, c->searches, c->load->object_count, c->details);
}

int main(int argc, char **argv)
{
    struct load_request request = {.root = "", .cwd = "/"};
    struct comparison c = {.details = xstrdup("")};
    const char **env = xcalloc((size_t)argc + 1, sizeof *env);
    unsigned image = 0;
    int i = 1, envs = 0;
    struct err err;

    for (; i + 3 < argc && argv[i][0] == '-'; i += 2)
        if (!strcmp(argv[i], "--root"))
            request.root = argv[i + 1];
        else if (!strcmp(argv[i], "--cwd"))
            request.cwd = argv[i + 1];
        else if (!strcmp(argv[i], "--loader"))
            request.loader = argv[i + 1];
        else if (!strcmp(argv[i], "--image"))
            image = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--env"))
            env[envs++] = argv[i + 1];
    request.env = env;
    if (i + 2 != argc || !debuglog_read(argv[i + 1], image, &c.log))
        return 2;
    request.program = argv[i];
    c.root = request.root;
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
