/* The sink of the live view: which events, and whether their process must be named. */
#include "line.h"

#include "syscall.h"

#include <probes/alloc.h>

#include <string.h>
#include <sys/wait.h>
#include <uthash.h>

static const struct {
    const char *word;
    unsigned kind;
} kinds[] = {
    {"failed", LINE_FAILED},   {"files", LINE_FILES},     {"loader", LINE_LOADER},
    {"lookups", LINE_LOOKUPS}, {"process", LINE_PROCESS}, {"all", LINE_ALL},
};

static unsigned word_kind(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strlen(kinds[i].word) == n && memcmp(kinds[i].word, word, n) == 0)
            return kinds[i].kind;
    return 0;
}

int line_set_parse(const char *words, unsigned *ret, struct err *err)
{
    unsigned set = 0;

    if (!words || !words[0]) {
        *ret = LINE_FAILED;
        return 0;
    }
    while (true) {
        size_t n = strcspn(words, ",");
        unsigned kind = word_kind(words, n);

        if (!kind)
            return err_set(err, "unknown kind of event '%.*s': failed, files, loader, lookups, process or all",
                           n > 40 ? 40 : (int)n, words);
        set |= kind;
        if (!words[n])
            break;
        words += n + 1;
    }
    *ret = set;
    return 0;
}

static bool restarts(int error)
{
    return error >= 512 && error <= 516;
}

/* dlclose answers 0 where it went well, the others a handle or an address. */
static bool call_failed(const struct event_loader *call)
{
    return call->name && strcmp(call->name, "dlclose") == 0 ? call->ret != 0 : call->ret == 0;
}

static bool is_failure(const struct event *event)
{
    switch (event->type) {
    case EVENT_SYSCALL:
        return event->syscall.returned && event->syscall.error && !restarts(event->syscall.error);
    case EVENT_SIGNAL:
        return event->signal.fatal;
    case EVENT_PROCESS:
        return event->process.what == PROCESS_NOTE ||
               (event->process.what == PROCESS_EXIT && event->process.status != 0);
    case EVENT_LOADER: /* an object that comes or goes is no failure */
        return event->loader.what == LOADER_ERROR || (event->loader.what == LOADER_CALL && call_failed(&event->loader));
    case EVENT_LOOKUP:
        return !event->lookup.to;
    case EVENT_OUTPUT:
        return false;
    }
    return false;
}

static unsigned syscall_kinds(const struct event_syscall *call)
{
    unsigned ret = 0;

    if (call->desc->path_arg >= 0 || call->desc->family == FAMILY_FILE)
        ret |= LINE_FILES;
    if (call->by == BY_LOADER)
        ret |= LINE_LOADER;
    if (call->desc->family == FAMILY_PROCESS)
        ret |= LINE_PROCESS;
    return ret;
}

bool line_wanted(unsigned set, const struct event *event)
{
    if (set & LINE_ALL || (set & LINE_FAILED && is_failure(event)))
        return true;
    switch (event->type) {
    case EVENT_SYSCALL:
        return set & syscall_kinds(&event->syscall);
    case EVENT_SIGNAL:
    case EVENT_PROCESS:
        return set & LINE_PROCESS;
    case EVENT_LOADER:
        return set & LINE_LOADER;
    case EVENT_LOOKUP:
        return set & LINE_LOOKUPS;
    case EVENT_OUTPUT:
        return event->output.by == BY_LOADER && set & LINE_LOADER;
    }
    return false;
}

struct live { /* a process and how many threads of it are there */
    pid_t pid;
    size_t threads;
    bool searching;   /* launched, and nothing has been executed yet */
    struct text held; /* its lines since then */
    UT_hash_handle hh;
};

struct line_view {
    FILE *out;
    unsigned set;
    bool colour;
    struct live *processes;
    size_t threads; /* of all */
    struct text text;
};

static struct live *find(const struct line_view *view, pid_t pid)
{
    struct live *live;

    HASH_FIND_INT(view->processes, &pid, live);
    return live;
}

static void arrive(struct line_view *view, pid_t pid)
{
    struct live *live = find(view, pid);

    if (!live) {
        live = xcalloc(1, sizeof *live);
        live->pid = pid;
        HASH_ADD_INT(view->processes, pid, live);
    }
    live->threads++;
    view->threads++;
}

static void live_destroy(struct line_view *view, struct live *live)
{
    HASH_DEL(view->processes, live);
    text_deinit(&live->held);
    free(live);
}

/* All but LEFT of its threads are gone. */
static void leave(struct line_view *view, pid_t pid, size_t left)
{
    struct live *live = find(view, pid);

    if (!live || live->threads < left)
        return;
    view->threads -= live->threads - left;
    live->threads = left;
    if (!left)
        live_destroy(view, live);
}

/* The command's search along PATH is ours, not the program's: strace does not show it. Its failing attempts are told
 * only where none succeeds. */
static bool hold(const struct line_view *view, const struct event *event)
{
    struct live *live = find(view, event->pid);

    return live && live->searching && event->type == EVENT_SYSCALL && event->syscall.error &&
           strcmp(event->syscall.desc->name, "execve") == 0;
}

static void put(struct line_view *view, const struct text *text)
{
    if (text->n)
        fwrite(text->v, 1, text->n, view->out);
}

static void count_before(struct line_view *view, const struct event *event)
{
    struct live *live;

    if (event->type != EVENT_PROCESS)
        return;
    switch (event->process.what) {
    case PROCESS_START:
        arrive(view, event->pid);
        live = find(view, event->pid);
        live->searching = !event->process.parent && !event->process.image;
        break;
    case PROCESS_THREAD:
        arrive(view, event->pid);
        break;
    case PROCESS_EXEC:
        leave(view, event->pid, 1); /* execve(2): all other threads are destroyed */
        if ((live = find(view, event->pid)))
            live->searching = false;
        break;
    case PROCESS_EXIT:
        if ((live = find(view, event->pid)) && live->searching)
            put(view, &live->held);
        break;
    default:
        break;
    }
}

/* The last line of a process or thread still names it. */
static void count_after(struct line_view *view, const struct event *event)
{
    const struct live *live = event->type == EVENT_PROCESS ? find(view, event->pid) : NULL;

    if (!live)
        return;
    if (event->process.what == PROCESS_EXIT || event->process.what == PROCESS_DETACHED)
        leave(view, event->pid, 0);
    else if (event->process.what == PROCESS_THREAD_EXIT)
        leave(view, event->pid, live->threads - 1);
}

bool line_view_wants(const struct line_view *view, const struct event *event)
{
    return line_wanted(view->set, event) && !hold(view, event);
}

static void view_event(void *ctx, const struct event *event)
{
    struct line_view *view = ctx;

    count_before(view, event);
    if (line_wanted(view->set, event)) {
        const struct line_options options = {.colour = view->colour, .pid = view->threads > 1};

        text_clear(&view->text);
        if (hold(view, event)) {
            line_add(event, &options, &find(view, event->pid)->held);
        } else {
            line_add(event, &options, &view->text);
            line_stack_add(event, &view->text);
            put(view, &view->text);
        }
    }
    count_after(view, event);
}

struct line_view *line_view_create(FILE *out, unsigned set, bool colour, struct sink *ret)
{
    struct line_view *view = xcalloc(1, sizeof *view);

    view->out = out;
    view->set = set;
    view->colour = colour;
    *ret = (struct sink){view_event, view};
    return view;
}

void line_view_destroy(struct line_view *view)
{
    struct live *live, *next;

    if (!view)
        return;
    HASH_ITER(hh, view->processes, live, next)
    live_destroy(view, live);
    text_deinit(&view->text);
    free(view);
}
