#include "watch.h"

#include "objects.h"
#include "state.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    STRING_MOST = 4096,
    WORD = 8,
    STATE_OFFSET = 24,    /* of r_state in struct r_debug */
    STATE_CONSISTENT = 0, /* RT_CONSISTENT of link.h */
};

uint64_t watch_argument(const struct break_hit *hit, unsigned i)
{
    return hit->registers->dwarf[arch_native.arguments[i]];
}

uint64_t watch_result(const struct break_hit *hit)
{
    return hit->registers->dwarf[arch_native.result];
}

char *watch_string(const struct break_hit *hit, uint64_t addr)
{
    return addr ? memory_string(hit->mem, addr, STRING_MOST) : NULL;
}

/* Old programs ask for the old version, which may be another function. */
static const char *const versions[] = {NULL, "GLIBC_2.2.5", "GLIBC_2.3.4"};
enum { VERSIONS = sizeof versions / sizeof *versions };

void watch_learn(struct image_ref *image, const char *name)
{
    for (size_t i = 0; i < VERSIONS; i++)
        images_symbol(image, name, versions[i]);
}

bool watch_function(struct session *session, struct task *task, struct image_ref *image, const char *name,
                    const struct break_handler *handler)
{
    bool set = false;

    for (size_t i = 0; i < VERSIONS; i++) {
        uint64_t addr = images_symbol(image, name, versions[i]);

        if (addr)
            set |= breaks_add(session, task, addr, handler);
    }
    return set;
}

/* --- the link map ---------------------------------------------------------------------------------------------------
 */

static struct watch *watch_of(const struct task *task)
{
    struct watch *watch = task->group->space->watch;

    if (!watch)
        return NULL;
    watch->memory.tid = task->tid;
    memory_pages_drop(watch->memory.pages);
    return watch;
}

static void make_linkmap(struct watch *watch, const struct task *task)
{
    const struct linkmap_process process = {.pid = task->group->pid, .mem = &watch->mem, .exe = watch->exe};

    linkmap_init(&process, &watch->auxv, &watch->linkmap);
    watch->known = true;
    watch->stale = true;
}

struct linkmap *watch_map(struct task *task)
{
    struct watch *watch = watch_of(task);

    if (!watch)
        return NULL;
    if (!watch->known)
        make_linkmap(watch, task);
    return &watch->linkmap;
}

struct linkmap *watch_linkmap(struct task *task)
{
    struct watch *watch = task->group->space->watch;

    if (!watch_map(task))
        return NULL;
    if (watch->linkmap.source == LINKMAP_OF_FILES && !watch->still)
        return NULL;
    if (watch->stale)
        linkmap_update(&watch->linkmap);
    watch->stale = !watch->told_of_changes;
    return &watch->linkmap;
}

bool watch_hears(const struct task *task)
{
    const struct space *space = task->group->space;

    return space->watch && space->watch->hears && space->breaks && !breaks_closed(space->breaks);
}

const char *watch_object(struct task *task, uint64_t addr)
{
    struct linkmap *linkmap = watch_linkmap(task);
    const struct linkmap_object *object = linkmap ? linkmap_at(linkmap, addr) : NULL;

    return object ? object->path : NULL;
}

/* --- arming ---------------------------------------------------------------------------------------------------------
 */

/* By what it was opened as, which a soname mostly is. */
static bool named(const struct linkmap_object *object, const char *soname)
{
    const char *slash = strrchr(object->name, '/');

    return strcmp(slash ? slash + 1 : object->name, soname) == 0;
}

void watch_libc(struct session *session, struct task *task, struct image_ref *image)
{
    struct watch *watch = task->group->space->watch;
    bool later = image->known && watch->libc_count < sizeof watch->libc_addrs / sizeof *watch->libc_addrs;

    if (later) {
        watch->libc_addrs[watch->libc_count++] = image->base_addr;
        if (!images_learned(image)) {
            errors_learn_libc(image);
            calls_learn(image);
        }
    }
    watch->armed = true;
    if (!later || watch->asked)
        calls_arm(session, task, image);
    if (!later || watch->spoken)
        errors_arm_libc(session, task, image);
}

static void arm_libcs(struct session *session, struct task *task,
                      void (*arm)(struct session *session, struct task *task, struct image_ref *image))
{
    const struct watch *watch = watch_of(task);
    struct image_ref image;

    for (unsigned i = 0; i < watch->libc_count; i++)
        if (images_at(session, &watch->mem, watch->libc_addrs[i], &image) == 0) {
            arm(session, task, &image);
            images_drop(&image);
        }
}

void watch_asked(struct session *session, struct task *task)
{
    struct watch *watch = task->group->space->watch;

    if (watch->asked)
        return;
    watch->asked = true;
    arm_libcs(session, task, calls_arm);
}

void watch_spoken(struct session *session, struct task *task)
{
    struct watch *watch = task->group->space->watch;

    if (!watch || watch->spoken)
        return;
    watch->spoken = true;
    arm_libcs(session, task, errors_arm_libc);
}

static bool known_libc(const struct watch *watch, const struct image_ref *image)
{
    for (unsigned i = 0; i < watch->libc_count; i++)
        if (watch->libc_addrs[i] == image->base_addr)
            return true;
    return false;
}

static void arm_object(struct session *session, struct task *task, struct linkmap *linkmap,
                       const struct linkmap_object *object)
{
    struct image_ref ref;
    struct memimage image;

    if (object->kind != LINKMAP_LIBRARY || (!named(object, "libc.so.6") && !named(object, "libdl.so.2")) ||
        linkmap_image(linkmap, object, &image) < 0)
        return;
    images_of(session, &image, &ref);
    if (!known_libc(task->group->space->watch, &ref)) {
        watch_asked(session, task); /* its mapping was not seen, and so nobody else's was */
        watch_libc(session, task, &ref);
    }
    images_drop(&ref);
    memimage_deinit(&image);
}

/* Whether the loader is at work in the program's own namespace: the first of its two calls tells of nothing yet. */
static bool at_work(const struct watch *watch)
{
    uint32_t state = STATE_CONSISTENT;

    mem_read(&watch->mem, watch->linkmap.debug_addr + STATE_OFFSET, &state, sizeof state);
    return state != STATE_CONSISTENT;
}

/* The function that the loader calls before and after each change of its link map. */
static void on_change(struct session *session, struct task *task, const struct break_hit *hit, const void *ctx)
{
    struct watch *watch = watch_of(task);
    struct linkmap *linkmap;

    (void)ctx;
    (void)hit;
    if (!watch)
        return;
    lookups_forget(watch);
    watch_map(task);
    if (at_work(watch))
        return;
    watch->stale = true;
    linkmap = watch_linkmap(task);
    if (!linkmap)
        return;
    objects_changed(session, task);
    if (!linkmap->consistent)
        return;
    if (watch->musl) {
        lookups_bound(session, task, linkmap);
        return;
    }
    for (size_t i = 0; i < linkmap->count; i++)
        if (linkmap->objects[i].fresh)
            arm_object(session, task, linkmap, &linkmap->objects[i]);
}

static const struct break_handler change_handler = {on_change, NULL};

/* The image of the loader: at AT_BASE, or the program itself where it was run as a command. */
static int loader_image(struct session *session, const struct watch *watch, struct memimage *command,
                        struct image_ref *ret)
{
    *command = (struct memimage){0};
    if (watch->auxv.base)
        return images_at(session, &watch->mem, watch->auxv.base, ret);
    if (memimage_of_headers(&watch->mem, watch->auxv.phdr, watch->auxv.phnum, command) < 0)
        return -1;
    images_of(session, command, ret);
    if (images_symbol(ret, "_dl_debug_state", NULL))
        return 0;
    images_drop(ret);
    memimage_deinit(command);
    return -1;
}

/* A program without a loader is only looked at where somebody wants to know of calls: its symbol table may be large. */
static void arm_still(struct session *session, struct task *task, struct watch *watch)
{
    struct memimage image;

    if (watch->auxv.base || !session->options->texts ||
        memimage_of_headers(&watch->mem, watch->auxv.phdr, watch->auxv.phnum, &image) < 0)
        return;
    watch->still = true;
    calls_arm_program(session, task, image.bias);
    memimage_deinit(&image);
}

static void arm(struct session *session, struct task *task, struct watch *watch, const struct stat *file)
{
    struct memimage command;
    struct image_ref loader;

    if (loader_image(session, watch, &command, &loader) < 0) {
        arm_still(session, task, watch);
        return;
    }
    watch->musl = images_symbol(&loader, "_dl_debug_addr", NULL) != 0;
    watch->prints_itself = images_symbol(&loader, "_dl_fatal_printf", NULL) != 0;
    if (watch->musl) {
        musl_arm(session, task, &loader);
        calls_arm(session, task, &loader);
    } else {
        watch->asked = imports_ask(session, &(struct imports_object){.file = file,
                                                                     .mem = &watch->mem,
                                                                     .headers_addr = watch->auxv.phdr,
                                                                     .header_count = watch->auxv.phnum});
        watch->hears = errors_arm_loader(session, task, &loader);
    }
    /* Two stops for each program, which only pay where somebody wants to read of them. */
    if (session->options->texts)
        watch->told_of_changes = watch_function(session, task, &loader, "_dl_debug_state", &change_handler);
    lookups_arm(session, task, &loader);
    images_drop(&loader);
    memimage_deinit(&command);
}

void watch_exec(struct session *session, struct task *task, const struct proc_image *image)
{
    struct space *space = task->group->space;

    if (session->attach || !session->recording || task->group->abi != ABI_NATIVE || space->watch)
        return;
    struct watch *watch = xcalloc(1, sizeof *watch);

    space->watch = watch;
    if (!session->pages)
        session->pages = memory_pages_create();
    memory_pages_drop(session->pages);
    watch->memory = (struct memory){.tid = task->tid, .fallback = session->memory.fallback, .pages = session->pages};
    watch->mem = memory_mem(&watch->memory, WORD);
    watch->exe = xstrdup_or_null(image->exe);
    watch->auxv = image->auxv;
    watch->libc_fd = -1;
    arm(session, task, watch, &image->file);
}

struct watch *watch_copy(const struct watch *watch, pid_t pid)
{
    struct watch *copy;

    if (!watch)
        return NULL;
    copy = xmemdup(watch, sizeof *watch);
    copy->mem = memory_mem(&copy->memory, WORD);
    copy->exe = xstrdup_or_null(watch->exe);
    copy->calls = 0;
    copy->map_names = NULL;
    copy->put_off = put_off_copy(watch->put_off);
    copy->known = watch->told_of_changes && watch->known;
    copy->linkmap = (struct linkmap){0}; /* it tells of another process: made when it is needed, … */
    if (copy->known)                     /* … but for what has been told of it */
        linkmap_copy(&watch->linkmap, &(struct linkmap_process){.pid = pid, .mem = &copy->mem, .exe = copy->exe},
                     &copy->linkmap);
    return copy;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    lookups_forget(watch);
    put_off_destroy(watch->put_off);
    linkmap_deinit(&watch->linkmap);
    free(watch->exe);
    free(watch);
}
