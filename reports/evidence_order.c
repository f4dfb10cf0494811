/* In which order the lines of several files stand as one text. */
#include "evidence_set.h"

#include "strace_line.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 1 << 16,  /* bytes */
    WINDOWS_MOST = 256 /* of files that are read in turns */
};

/* ---- reading ---- */

static int fill(struct set_file *file, struct err *err)
{
    CLEANUP_CLOSE int fd = file->in ? -1 : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int from = file->in ? fileno(file->in) : fd;
    ssize_t n = -1;

    if (!file->window)
        file->window = xmalloc(WINDOW + 1);
    memmove(file->window, file->window + file->from, file->to - file->from);
    file->to -= file->from;
    file->from = 0;
    if (from >= 0)
        n = pread(from, file->window + file->to, WINDOW - file->to, (off_t)file->at);
    if (n < 0)
        return err_errno(err, errno, "%s cannot be read", file->path);
    file->at += (size_t)n;
    file->to += (size_t)n;
    file->over = n == 0;
    return 0;
}

/* The next line of FILE, or a piece of one that is too long: 1; 0 at its end. It stays where it is until the next
 * call. */
static int next(struct set_file *file, struct set_piece *ret, struct err *err)
{
    const char *newline = NULL;

    if (file->window)
        newline = memchr(file->window + file->from, '\n', file->to - file->from);
    while (!newline && !file->over && (!file->window || file->to - file->from < WINDOW)) {
        if (fill(file, err) < 0)
            return -1;
        newline = memchr(file->window + file->from, '\n', file->to - file->from);
    }
    *ret = (struct set_piece){.file = file, .data = file->window + file->from, .begins = !file->within};
    ret->size = newline ? (size_t)(newline - ret->data) + 1 : file->to - file->from;
    if (!ret->size)
        return 0;
    file->from += ret->size;
    file->within = !newline;
    return 1;
}

/* What next() gave comes again. */
static void take_back(struct set_file *file, const struct set_piece *piece)
{
    file->from -= piece->size;
    file->within = !piece->begins;
}

/* It goes on later, and needs no memory until then. */
static void rest_here(struct set_file *file)
{
    file->at -= file->to - file->from;
    file->from = file->to = 0;
    file->over = false;
    free(steal_pointer(&file->window));
}

static void start_again(struct set_file *file)
{
    free(steal_pointer(&file->window));
    file->at = file->from = file->to = 0;
    file->over = file->within = false;
}

/* PIECE as a line of strace's; false where it is none. COPY: room for WINDOW + 1 bytes. */
static bool parse(const struct set_piece *piece, char *copy, struct strace_line *ret)
{
    size_t size = piece->size - (piece->data[piece->size - 1] == '\n');

    if (!piece->begins)
        return false;
    memcpy(copy, piece->data, size);
    copy[size] = '\0';
    strace_parse(copy, size, NULL, NULL, ret);
    return ret->kind != STRACE_NOTHING;
}

/* A file that ends within a line must not run into the next one. */
static int end_line(struct set_file *file, int (*put)(void *, const struct set_piece *, struct err *), void *ctx,
                    struct err *err)
{
    const struct set_piece newline = {.file = file, .data = "\n", .size = 1};
    bool within = file->within;

    start_again(file);
    return within ? put(ctx, &newline, err) : 0;
}

/* ---- by time ---- */

/* The files that have lines left, the one with the earliest on top. */
struct heap {
    struct set_file **v;
    size_t n;
};

static bool before(const struct set_file *a, const struct set_file *b)
{
    return a->next_ns != b->next_ns ? a->next_ns < b->next_ns : a < b;
}

static void sink_down(struct heap *heap, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < heap->n; child++)
            if (before(heap->v[child], heap->v[least]))
                least = child;
        if (least == i)
            return;
        struct set_file *moved = heap->v[i];

        heap->v[i] = heap->v[least];
        heap->v[least] = moved;
        i = least;
    }
}

/* Hands out FILE's lines up to the next one with a time later than UNTIL. Its time is in FILE then; 0 at the end. */
static int put_until(struct set_file *file, uint64_t until, char *copy,
                     int (*put)(void *, const struct set_piece *, struct err *), void *ctx, struct err *err)
{
    struct set_piece piece;
    struct strace_line line;
    int result;

    while ((result = next(file, &piece, err)) > 0) {
        if (parse(&piece, copy, &line) && line.has_time && line.t_ns > file->next_ns) {
            file->next_ns = line.t_ns;
            if (line.t_ns > until) {
                take_back(file, &piece);
                return 1;
            }
        }
        if (put(ctx, &piece, err) < 0)
            return -1;
    }
    return result < 0 || end_line(file, put, ctx, err) < 0 ? -1 : 0;
}

static int put_nothing(void *ctx, const struct set_piece *piece, struct err *err)
{
    (void)ctx;
    (void)piece;
    (void)err;
    return 0;
}

static int by_time(struct evidence_set *set, char *copy, int (*put)(void *, const struct set_piece *, struct err *),
                   void *ctx, struct err *err)
{
    CLEANUP_FREE struct set_file **v = xcalloc(set->count, sizeof(struct set_file *));
    struct heap heap = {.v = v};
    size_t windows = 0;
    int left;

    for (size_t i = 0; i < set->count; i++) { /* up to the first time: what is before that is looked for again */
        struct set_file *file = &set->files[i];

        if (!file->timed)
            continue;
        if (put_until(file, 0, copy, put_nothing, NULL, err) < 0)
            return -1;
        start_again(file);
        v[heap.n++] = file;
    }
    for (size_t i = heap.n; i-- > 0;)
        sink_down(&heap, i);
    while (heap.n) {
        struct set_file *file = v[0];
        uint64_t until = UINT64_MAX;

        for (size_t i = 1; i <= 2 && i < heap.n; i++)
            until = v[i]->next_ns < until ? v[i]->next_ns : until;
        windows += !file->window;
        left = put_until(file, until, copy, put, ctx, err);
        if (left < 0)
            return -1;
        if (left && windows > WINDOWS_MOST)
            rest_here(file);
        windows -= !file->window;
        file->done = !left;
        if (!left)
            v[0] = v[--heap.n];
        sink_down(&heap, 0);
    }
    return 0;
}

/* ---- by descent ---- */

static int by_number(const void *a, const void *b)
{
    const struct set_file *one = *(struct set_file *const *)a, *other = *(struct set_file *const *)b;

    return (one->pid > other->pid) - (one->pid < other->pid);
}

/* The files of strace's by their numbers. */
struct index {
    struct set_file **v;
    size_t n;
};

static struct set_file *file_of(const struct index *index, int64_t pid)
{
    const struct set_file key = {.pid = (pid_t)pid}, *at = &key;
    struct set_file **found = bsearch(&at, index->v, index->n, sizeof *index->v, by_number);

    return found ? *found : NULL;
}

static bool is_call(const struct strace_line *line, const char *name)
{
    return line->name_size == strlen(name) && memcmp(line->name, name, line->name_size) == 0;
}

static bool makes(const struct strace_line *line)
{
    return is_call(line, "clone") || is_call(line, "clone3") || is_call(line, "fork") || is_call(line, "vfork");
}

/* Who came into being in LINE of FILE, or NULL. */
static struct set_file *made(const struct index *index, const struct set_file *file, const struct strace_line *line)
{
    struct strace_result result;

    if (!makes(line))
        return NULL;
    if (line->kind == STRACE_UNFINISHED)
        return file->made_last;
    result = strace_result(line->result);
    return line->kind == STRACE_CALL && result.returned && result.value > 0 ? file_of(index, result.value) : NULL;
}

/* Whose end LINE tells of, or NULL. */
static struct set_file *reaped(const struct index *index, const struct strace_line *line)
{
    const char *pid = line->args ? strstr(line->args, "si_pid=") : NULL;

    if (pid && (line->kind == STRACE_SIGNAL || is_call(line, "waitid")))
        return file_of(index, atoll(pid + 7));
    if (line->kind == STRACE_CALL && (is_call(line, "wait4") || is_call(line, "waitpid"))) {
        struct strace_result result = strace_result(line->result);

        return result.returned && result.value > 0 ? file_of(index, result.value) : NULL;
    }
    return NULL;
}

static bool descends(const struct set_file *file, const struct set_file *from)
{
    while (file && file != from)
        file = file->parent;
    return file;
}

static void adopt(struct set_file *parent, struct set_file *child)
{
    if (descends(parent, child))
        return;
    child->parent = parent;
    if (parent->last_child)
        parent->last_child->next = child;
    else
        parent->child = child;
    parent->last_child = child;
}

/* Who is whose child, and heard of. */
static int relate(const struct index *index, char *copy, struct err *err)
{
    for (size_t i = 0; i < index->n; i++) {
        struct set_file *file = index->v[i], *other;
        struct set_piece piece;
        struct strace_line line;
        int result;

        while ((result = next(file, &piece, err)) > 0) {
            if (!parse(&piece, copy, &line))
                continue;
            file->making = line.kind == STRACE_UNFINISHED ? makes(&line) : file->making && line.kind != STRACE_CALL;
            other = made(index, file, &line);
            if (other && !other->parent && other != file) {
                adopt(file, other);
                other->waited = strstr(line.args, "CLONE_THREAD") != NULL; /* it goes on with it */
            }
            other = reaped(index, &line);
            if (other && other->parent == file)
                other->waited = true;
        }
        if (result < 0)
            return -1;
        start_again(file);
    }
    return 0;
}

/* A thread may end the process before the call that made it has returned: strace tells of that call "<unfinished ...>)
 * =
 * ?", without a number. Where one call ended so, and one file has nobody who made it, they belong together. */
static void relate_unfinished(const struct index *index)
{
    struct set_file *maker = NULL, *orphan = NULL;
    size_t makers = 0, orphans = 0;

    for (size_t i = 0; i < index->n; i++)
        if (index->v[i]->making) {
            maker = index->v[i];
            makers++;
        }
    for (size_t i = 0; makers == 1 && i < index->n; i++)
        if (!index->v[i]->parent && !descends(maker, index->v[i])) {
            orphan = index->v[i];
            orphans++;
        }
    if (orphans != 1)
        return;
    adopt(maker, orphan);
    maker->made_last = orphan;
    orphan->waited = true;
}

/* Hands out the lines of FILE; of those that it makes and waits for, theirs where they come. 1 and *ret: such a one has
 * come; 0: the file is at its end. */
static int put_up_to_child(const struct index *index, struct set_file *file, char *copy,
                           int (*put)(void *, const struct set_piece *, struct err *), void *ctx, struct set_file **ret,
                           struct err *err)
{
    struct set_piece piece;
    struct strace_line line;
    int result;

    while ((result = next(file, &piece, err)) > 0) {
        if (put(ctx, &piece, err) < 0)
            return -1;
        *ret = parse(&piece, copy, &line) ? made(index, file, &line) : NULL;
        if (*ret && (*ret)->parent == file && (*ret)->waited && !(*ret)->done)
            return 1;
    }
    return result < 0 || end_line(file, put, ctx, err) < 0 ? -1 : 0;
}

/* The next of FILE's children whose lines are not out yet, or NULL. */
static struct set_file *left_over(struct set_file *file)
{
    while (file->child && file->child->done)
        file->child = file->child->next;
    return file->child;
}

static int put_tree(const struct index *index, struct set_file *root, char *copy,
                    int (*put)(void *, const struct set_piece *, struct err *), void *ctx, struct err *err)
{
    struct set_file *at = root, *child = NULL;

    root->done = true;
    while (at) {
        int result =
            at->over && at->from == at->to && !at->window ? 0 : put_up_to_child(index, at, copy, put, ctx, &child, err);

        if (result < 0)
            return -1;
        if (!result) {
            at->over = true;
            child = left_over(at);
        }
        if (child)
            child->done = true;
        if (child && result)
            rest_here(at);
        at = child ? child : at == root ? NULL : at->parent;
        child = NULL;
    }
    return 0;
}

static int by_descent(struct evidence_set *set, char *copy, int (*put)(void *, const struct set_piece *, struct err *),
                      void *ctx, struct err *err)
{
    CLEANUP_FREE struct set_file **v = xcalloc(set->count, sizeof(struct set_file *));
    struct index index = {.v = v};

    for (size_t i = 0; i < set->count; i++)
        if (set->files[i].strace && set->files[i].bare && set->files[i].pid)
            v[index.n++] = &set->files[i];
    if (!index.n)
        return 0;
    qsort(v, index.n, sizeof *v, by_number);
    if (relate(&index, copy, err) < 0)
        return -1;
    relate_unfinished(&index);
    for (size_t i = 0; i < index.n; i++)
        if (!v[i]->parent && put_tree(&index, v[i], copy, put, ctx, err) < 0)
            return -1;
    return 0;
}

/* ---- */

/* All of strace's have times: one that has none has no place among them. */
static bool timed(const struct evidence_set *set)
{
    bool any = false;

    for (size_t i = 0; i < set->count; i++)
        if (set->files[i].strace && set->files[i].pid && !(set->files[i].timed))
            return false;
        else
            any |= set->files[i].timed;
    return any;
}

int evidence_order(struct evidence_set *set, int (*put)(void *ctx, const struct set_piece *piece, struct err *err),
                   void *ctx, struct err *err)
{
    CLEANUP_FREE char *copy = xmalloc(WINDOW + 1);
    int result = set->count < 2 ? 0
                 : timed(set)   ? by_time(set, copy, put, ctx, err)
                                : by_descent(set, copy, put, ctx, err);

    for (size_t i = 0; result >= 0 && i < set->count; i++) { /* the rest as it was given */
        struct set_file *file = &set->files[i];
        struct set_piece piece;

        if (file->done)
            continue;
        while ((result = next(file, &piece, err)) > 0)
            if (put(ctx, &piece, err) < 0)
                return -1;
        if (result >= 0)
            result = end_line(file, put, ctx, err);
    }
    return result;
}
