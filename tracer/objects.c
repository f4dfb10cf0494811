/* Which objects a process has loaded, and why: what the link map says, what the objects need, what was to be preloaded,
 * and who has asked the loader's open function for what.
 *
 * Where there are breakpoints (programs that we launched, when somebody reads of it) the loader itself says when
 * something has changed, one stop for each dlopen. Elsewhere nothing may be written: the link map is read again at the
 * next call after code was mapped or unmapped, while the thread stands there anyway, and at the end. */
#include "objects.h"

#include "bindings.h"
#include "state.h"

#include <probes/alloc.h>
#include <probes/instruction.h>
#include <probes/linkmap.h>
#include <probes/proc.h>

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    /* The flags of dlopen(3); others are the loader's own (include/dlfcn.h of glibc). */
    OPEN_FLAGS = 0xffff,
    PRELOAD_FILE_MOST = 65536,
    OPENINGS_MOST = 16,
    AWAIT_MOST = 20,      /* milliseconds */
    STATE_WORD = 3,       /* r_state in struct r_debug */
    STATE_CONSISTENT = 0, /* RT_CONSISTENT of link.h */
};

/* What a thread has asked the loader's open function for last. */
struct opening {
    pid_t tid; /* 0: unused */
    char *caller;
    uint64_t flags;
};

struct objects {
    struct memory memory;
    struct mem mem;
    char *exe;     /* of the program, inside its root, or NULL */
    char *preload; /* LD_PRELOAD of its environment, or NULL */
    struct auxv auxv;
    struct linkmap own; /* where there is no watch that has one (watch.h) */
    bool known;         /* it has been made */
    bool armed;         /* the loader says when something changes: objects_changed() */
    bool open_armed;    /* its open function was looked for */
    bool settled;       /* the start is over: everything that the program needs is there */
    bool follow;        /* without breakpoints: changes are looked for */
    bool dirty;         /* without breakpoints: something may have come or gone since */
    bool inherited;     /* a fork's, in which nothing has come or gone since */
    struct opening openings[OPENINGS_MOST];
    unsigned opening_next;
};

/* The link map of TASK's process, which is looked at by way of TASK from here on. */
static struct linkmap *linkmap_of(struct task *task)
{
    struct objects *objects = task->group->space->objects;
    struct linkmap *linkmap = watch_map(task);

    objects->memory.tid = task->tid;
    if (linkmap)
        return linkmap;
    if (!objects->known) {
        const struct linkmap_process process = {.pid = task->group->pid, .mem = &objects->mem, .exe = objects->exe};

        linkmap_init(&process, &objects->auxv, &objects->own);
        objects->known = true;
    }
    return &objects->own;
}

/* Whether the loader is changing the link map of the program's own namespace. */
static bool at_work(const struct objects *objects, const struct linkmap *linkmap)
{
    uint32_t state = STATE_CONSISTENT;

    mem_read(&objects->mem, linkmap->debug_addr + STATE_WORD * (uint64_t)objects->mem.word_size, &state, sizeof state);
    return linkmap->source != LINKMAP_OF_FILES && state != STATE_CONSISTENT;
}

/* --- who asks -------------------------------------------------------------------------------------------------------
 */

static const char *path_at(struct linkmap *linkmap, uint64_t addr)
{
    const struct linkmap_object *object = linkmap_at(linkmap, addr);

    return object ? object->path : NULL;
}

static void on_open(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    struct objects *objects = task->group->space->objects;
    const bool *hidden = ctx;
    uint64_t caller = 0;
    struct opening *opening = NULL;

    (void)session;
    if (!objects)
        return;
    for (unsigned i = 0; i < OPENINGS_MOST; i++)
        if (objects->openings[i].tid == task->tid)
            opening = &objects->openings[i];
    if (!opening)
        opening = &objects->openings[objects->opening_next++ % OPENINGS_MOST];
    if (*hidden) /* _dl_open (file, mode, caller, namespace, …) */
        caller = watch_argument(hit, 2);
    else
        mem_read_word(hit->mem, hit->registers->dwarf[REGISTER_SP], &caller);
    free(opening->caller);
    opening->tid = task->tid;
    opening->caller = xstrdup_or_null(path_at(linkmap_of(task), caller));
    opening->flags = watch_argument(hit, 1) & OPEN_FLAGS;
}

static const bool is_hidden = true, is_exported = false;
static const struct break_handler hidden_handler = {on_open, &is_hidden}, exported_handler = {on_open, &is_exported};

/* glibc's _dl_open is behind dlopen and dlmopen and also what libc itself asks (for NSS modules, libgcc_s, gconv); musl
 * has only dlopen, which others watch as well. */
static void arm_open(struct session *session, struct task *task, struct linkmap *linkmap)
{
    struct memimage_hidden hidden;
    struct image_ref ref;
    struct memimage image;

    for (size_t i = 0; i < linkmap->count; i++) {
        const struct linkmap_object *object = &linkmap->objects[i];

        if (object->kind != LINKMAP_LOADER || linkmap_image(linkmap, object, &image) < 0)
            continue;
        images_of(session, &image, &ref);
        if (linkmap->musl)
            watch_function(session, task, &ref, "dlopen", &exported_handler);
        else if (memimage_hidden(&image, &hidden) == 0 && hidden.open_addr)
            breaks_add(session, task, hidden.open_addr, &hidden_handler);
        images_drop(&ref);
        memimage_deinit(&image);
        break;
    }
}

/* --- why ------------------------------------------------------------------------------------------------------------
 */

static bool listed(struct linkmap *linkmap, struct linkmap_object *object, const char *text, const char *separators)
{
    for (const char *s = text + strspn(text, separators); *s; s += strspn(s, separators)) {
        size_t n = strcspn(s, separators);
        CLEANUP_FREE char *name = xstrndup(s, n);

        s += n;
        if (linkmap_answers(linkmap, object, name))
            return true;
    }
    return false;
}

/* ld.so(8); in /etc/ld.so.preload, which is glibc's alone, a '#' begins a comment. */
static char *preload_file(const struct task *task)
{
    CLEANUP_CLOSE int fd = path_open(task->place->root, "/etc/ld.so.preload");
    char *text = fd < 0 ? NULL : xcalloc(1, PRELOAD_FILE_MOST + 1);

    if (!text || read(fd, text, PRELOAD_FILE_MOST) <= 0) {
        free(text);
        return NULL;
    }
    for (char *hash = strchr(text, '#'); hash; hash = strchr(hash, '#'))
        while (*hash && *hash != '\n')
            *hash++ = ' ';
    return text;
}

static bool preloaded(const char *preload, struct linkmap *linkmap, struct linkmap_object *object, const char *file)
{
    return (preload && listed(linkmap, object, preload, linkmap->musl ? ": \t\n\v\f\r" : " :")) ||
           (file && !linkmap->musl && listed(linkmap, object, file, ": \t\n"));
}

static const struct opening *opening_of(const struct objects *objects, pid_t tid)
{
    for (unsigned i = 0; i < OPENINGS_MOST; i++)
        if (objects->openings[i].tid == tid)
            return &objects->openings[i];
    return NULL;
}

/* One pass over what is new. */
struct telling {
    const struct objects *objects;
    struct linkmap *linkmap;
    const struct opening *opening; /* that brought it, or NULL */
    char *preload_file;            /* its text, or NULL */
    bool start;                    /* all of it may have come with the program's start */
    unsigned opened_space;         /* namespace of the object that was asked for, … */
    bool opened;                   /* … once that has been told */
};

static void reason_of(struct telling *telling, struct linkmap_object *object, struct event_loader *ret)
{
    static const enum object_reason of_kind[] = {
        [LINKMAP_PROGRAM] = REASON_PROGRAM, [LINKMAP_LOADER] = REASON_LOADER, [LINKMAP_VDSO] = REASON_VDSO};
    const struct linkmap_object *needed_by;

    ret->reason = of_kind[object->kind];
    if (ret->reason != REASON_UNKNOWN || !object->map_addr)
        return;
    if (telling->opening)
        ret->flags = telling->opening->flags;
    /* The object that was asked for comes before all that it needs. */
    if (telling->opening && !telling->opened) {
        telling->opened = true;
        telling->opened_space = object->space;
        ret->reason = REASON_DLOPENED;
        ret->by = telling->opening->caller;
        return;
    }
    if (telling->start && object->space == 0 &&
        preloaded(telling->objects->preload, telling->linkmap, object, telling->preload_file)) {
        ret->reason = REASON_PRELOADED;
        return;
    }
    needed_by = linkmap_needed_by(telling->linkmap, object);
    if (needed_by) {
        ret->reason = REASON_NEEDED;
        ret->by = needed_by->path;
    } else if (!telling->objects->armed && object->space == 0) {
        ret->reason = REASON_DLOPENED; /* what nobody needs was asked for */
    }
}

static void emit(struct session *session, const struct task *task, enum loader_what what,
                 const struct linkmap_object *object, struct event_loader loader)
{
    struct event event = {.type = EVENT_LOADER, .loader = loader};

    event.loader.what = what;
    event.loader.object = object->path ? object->path : object->name;
    event.loader.base_addr = object->base_addr;
    event.loader.space = object->space;
    session_emit(session, task, &event);
}

/* Tells what has come and gone in the link map as it was last read. */
static void tell(struct session *session, struct task *task, struct linkmap *linkmap)
{
    struct objects *objects = task->group->space->objects;
    struct telling telling = {.objects = objects, .linkmap = linkmap, .start = !objects->settled || !objects->armed};

    if (!telling.start)
        telling.opening = opening_of(objects, task->tid);
    for (size_t i = 0; i < linkmap->gone_count; i++)
        if (linkmap->gone[i].told)
            emit(session, task, LOADER_UNLOADED, &linkmap->gone[i], (struct event_loader){0});
    objects->inherited &= !linkmap->gone_count;
    linkmap_forget_gone(linkmap);
    for (size_t i = 0; i < linkmap->count; i++) {
        struct event_loader loader = {0};

        if (linkmap->objects[i].told)
            continue;
        if (telling.start && !telling.preload_file)
            telling.preload_file = preload_file(task);
        reason_of(&telling, &linkmap->objects[i], &loader);
        linkmap->objects[i].told = true;
        objects->inherited = false;
        emit(session, task, LOADER_LOADED, &linkmap->objects[i], loader);
    }
    free(telling.preload_file);
}

/* --- when -----------------------------------------------------------------------------------------------------------
 */

void objects_changed(struct session *session, struct task *task)
{
    struct objects *objects = task->group->space->objects;
    struct linkmap *linkmap;

    if (!objects || !session->recording)
        return;
    linkmap = linkmap_of(task);
    tell(session, task, linkmap);
    objects->settled = true;
    if (!objects->open_armed)
        arm_open(session, task, linkmap);
    objects->open_armed = true;
}

static bool has_program(const struct linkmap *linkmap)
{
    for (size_t i = 0; i < linkmap->count; i++)
        if (linkmap->objects[i].kind == LINKMAP_PROGRAM)
            return true;
    return false;
}

/* Whether the call brings or takes code. */
static bool changes_code(struct linkmap *linkmap, const struct syscall_stop *stop)
{
    if (stop->abi != ABI_NATIVE)
        return false;
    if (stop->number == SYS_mmap)
        return (stop->args[2] & PROT_EXEC) && !(stop->args[3] & MAP_ANONYMOUS);
    return stop->number == SYS_munmap && linkmap_at(linkmap, stop->args[0]);
}

void objects_poll(struct session *session, struct task *task, const struct syscall_stop *stop)
{
    struct objects *objects = task->group->space->objects;

    if (!objects || objects->armed || !objects->follow || !session->recording)
        return;
    struct linkmap *linkmap = linkmap_of(task);

    if (objects->dirty && !at_work(objects, linkmap)) {
        linkmap_update(linkmap);
        if (has_program(linkmap)) {
            objects->dirty = false;
            tell(session, task, linkmap);
            objects->settled = true;
        }
    }
    if (stop && !objects->dirty)
        objects->dirty = changes_code(linkmap, stop);
}

void objects_exec(struct session *session, struct task *task, const struct proc_image *image)
{
    struct space *space = task->group->space;
    struct objects *objects;

    if (!session->recording || space->objects || !image->class || task->group->abi > ABI_COMPAT)
        return;
    objects = xcalloc(1, sizeof *objects);
    space->objects = objects;
    objects->memory.tid = task->tid;
    objects->mem = memory_mem(&objects->memory, arch_native.abis[task->group->abi].word_size);
    objects->exe = xstrdup_or_null(image->exe);
    objects->preload = xstrdup_or_null(env_value((const char *const *)image->env, "LD_PRELOAD"));
    objects->auxv = image->auxv;
    /* Two stops for each program: only where somebody reads of them. */
    objects->armed = space->watch && space->watch->told_of_changes;
    objects->follow = objects->dirty = session->attach || (session->options->texts && !objects->armed);
    objects_poll(session, task, NULL);
}

struct objects *objects_copy(const struct objects *objects, pid_t pid)
{
    struct objects *copy;

    if (!objects)
        return NULL;
    copy = xmemdup(objects, sizeof *objects);
    copy->memory.tid = pid;
    copy->mem = memory_mem(&copy->memory, objects->mem.word_size);
    copy->exe = xstrdup_or_null(objects->exe);
    copy->preload = xstrdup_or_null(objects->preload);
    copy->inherited = true;
    memset(copy->openings, 0, sizeof copy->openings);
    if (objects->known)
        linkmap_copy(&objects->own, &(struct linkmap_process){.pid = pid, .mem = &copy->mem, .exe = copy->exe},
                     &copy->own);
    return copy;
}

void objects_destroy(struct objects *objects)
{
    if (!objects)
        return;
    for (unsigned i = 0; i < OPENINGS_MOST; i++)
        free(objects->openings[i].caller);
    linkmap_deinit(&objects->own);
    free(objects->exe);
    free(objects->preload);
    free(objects);
}

void objects_at_end(struct session *session, struct task *task, bool harm)
{
    struct objects *objects = task->group->space->objects;
    FILE *bindings = session->options->bindings;

    if (!objects || !session->recording || (objects->armed && objects->settled && !bindings) ||
        (!objects->armed && !objects->follow && !harm && !bindings))
        return;
    struct linkmap *linkmap = linkmap_of(task);

    linkmap_update(linkmap);
    /* A program without a loader has nothing that came or went. */
    if (objects->follow || objects->armed || harm)
        tell(session, task, linkmap);
    if (bindings && !objects->inherited)
        bindings_write(bindings, task->group->pid, linkmap);
}

/* Waits a little for a loader that is at work; nobody is held meanwhile. */
static void await_loader(struct task *task)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    const struct objects *objects = task->group->space->objects;
    const struct linkmap *linkmap = linkmap_of(task);

    for (int i = 0; i < AWAIT_MOST && at_work(objects, linkmap); i++)
        nanosleep(&moment, NULL);
}

void objects_at_stop(struct session *session)
{
    struct task *task, *next;

    HASH_ITER(hh, session->tasks.by_tid, task, next)
    if (task->group && task->tid == task->group->pid && !task->leaving && !task->group->told_exiting &&
        task->group->space->objects) {
        await_loader(task);
        objects_at_end(session, task, false);
    }
}
