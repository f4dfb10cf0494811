/* Symbol lookups under musl, live. The function that does them is hidden, but before musl calls _dl_debug_state() it
 * has bound all that it has loaded, and no code of that has run yet (__dls3() and dlopen() of ldso/dynlink.c): what
 * stands in the slots is what the lookups gave. Only what a lazy dlopen could not find is put off, and looked for again
 * at each later one (prepare_lazy(), redo_lazy_relocs()). */
#include "watch.h"

#include "state.h"

#include <probes/alloc.h>
#include <probes/slots.h>

#include <string.h>

enum { PUT_OFF_MOST = 65536 };

struct put_off {
    uint64_t *slots; /* addresses */
    size_t count, cap;
};

struct telling {
    struct session *session;
    struct task *task;
    struct put_off *put_off;
};

void put_off_destroy(struct put_off *put_off)
{
    if (put_off)
        free(put_off->slots);
    free(put_off);
}

struct put_off *put_off_copy(const struct put_off *put_off)
{
    struct put_off *copy;

    if (!put_off)
        return NULL;
    copy = xmemdup(put_off, sizeof *put_off);
    copy->slots = xmemdup(put_off->slots, put_off->count * sizeof *put_off->slots);
    copy->cap = copy->count;
    return copy;
}

static bool take_back(struct put_off *put_off, uint64_t slot_addr)
{
    for (size_t i = 0; i < put_off->count; i++)
        if (put_off->slots[i] == slot_addr) {
            put_off->slots[i] = put_off->slots[--put_off->count];
            return true;
        }
    return false;
}

static const char *path_of(const struct linkmap_object *object)
{
    return object ? object->path ? object->path : object->name : NULL;
}

static void emit(struct session *session, struct task *task, const struct event_lookup *lookup)
{
    struct event event = {.type = EVENT_LOOKUP, .lookup = *lookup};

    session_emit(session, task, &event);
}

static void take(void *ctx, const struct slot *slot)
{
    struct telling *telling = ctx;
    struct put_off *put_off = telling->put_off;
    bool missed = slot->state == SLOT_UNKNOWN;

    /* Of an object that was told before, only what is new. */
    if (slot->from->bound_told && (missed || !take_back(put_off, slot->slot_addr)))
        return;
    if (missed && put_off->count < PUT_OFF_MOST)
        *(uint64_t *)array_add(&put_off->slots, &put_off->count, &put_off->cap, sizeof slot->slot_addr) =
            slot->slot_addr;
    emit(telling->session, telling->task,
         &(struct event_lookup){
             .symbol = slot->symbol,
             .version = slot->version,
             .from = path_of(slot->from),
             .to = path_of(slot->to),
             .instead = missed ? "it is looked for again at each dlopen" : NULL,
         });
}

void lookups_bound(struct session *session, struct task *task, struct linkmap *linkmap)
{
    struct watch *watch = task->group->space->watch;
    struct slots_result result;
    struct telling telling = {session, task, NULL};

    if (!session->options->lookups || !session->recording)
        return;
    if (!watch->put_off)
        watch->put_off = xcalloc(1, sizeof *watch->put_off);
    telling.put_off = watch->put_off;
    for (size_t i = 0; i < linkmap->count; i++)
        linkmap->objects[i].fresh = !linkmap->objects[i].bound_told || watch->put_off->count;
    slots_read(linkmap, true, &(struct slot_sink){take, &telling}, &result);
    for (size_t i = 0; i < linkmap->count; i++)
        linkmap->objects[i].bound_told = true;
}

void lookups_missed(struct session *session, struct task *task, const char *from, const char *symbol)
{
    const char *exe = task->group->space->watch->exe;

    if (!session->options->lookups || !session->recording || !from || !symbol)
        return;
    /* The program is called what it was called as. */
    if (exe && strcmp(path_base(from), path_base(exe)) == 0)
        from = exe;
    emit(session, task, &(struct event_lookup){.symbol = symbol, .from = from});
}

void lookups_asked(struct session *session, struct task *task, const struct event_loader *call)
{
    CLEANUP_FREE char *from = xstrdup_or_null(call->object);
    const char *to = call->ret ? watch_object(task, call->ret) : NULL;

    /* A thread's own variable lies in no object. */
    if (!session->options->lookups || !session->recording || !call->symbol || (call->ret && !to))
        return;
    emit(session, task,
         &(struct event_lookup){.symbol = call->symbol, .version = call->version, .from = from, .to = to});
}
