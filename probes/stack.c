#include "stack.h"

#include "alloc.h"
#include "codefile.h"
#include "gostack.h"
#include "instruction.h"
#include "stack_parts.h"
#include "v8stack.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

enum {
    FRAMES_MOST = 128,
    PLACES_KEPT = 16384,
    INLINED_MOST = 16,
    JUMPS_MOST = 16,         /* from one stack to another: signal stacks, goroutines */
    WINDOW_SIZE = 32 * 1024, /* of a standing thread's stack that is read in one go */
};

/* What is told of one address, found out once. */
struct place {
    uint64_t addr; /* that was looked up */
    struct frame frames[INLINED_MOST];
    size_t count;
    UT_hash_handle hh;
};

struct stacks {
    struct modules modules;
    bool read, stale;
    bool fresh; /* read for the stack that is being unwound */
    struct place *places;
    struct disassembler *disassembler;
    const struct v8stack *v8; /* of the module whose code is V8's, or NULL */
    char *const *absent;      /* paths of objects that were not there yet */
    size_t absent_count;
    const struct mem *process; /* for tables, while a stack is unwound */
};

void frame_deinit(struct frame *frame)
{
    free(frame->object);
    free(frame->symbol);
    free(frame->file);
    free(frame->build_id);
}

void frames_free(struct frame *frames, size_t count)
{
    for (size_t i = 0; frames && i < count; i++)
        frame_deinit(&frames[i]);
    free(frames);
}

static struct frame frame_copy(const struct frame *frame)
{
    struct frame copy = *frame;

    copy.object = xstrdup_or_null(frame->object);
    copy.symbol = xstrdup_or_null(frame->symbol);
    copy.file = xstrdup_or_null(frame->file);
    copy.build_id = xstrdup_or_null(frame->build_id);
    return copy;
}

struct frame *frames_copy(const struct frame *frames, size_t count)
{
    struct frame *copy = count ? xcalloc(count, sizeof *copy) : NULL;

    for (size_t i = 0; i < count; i++)
        copy[i] = frame_copy(&frames[i]);
    return copy;
}

struct stacks *stacks_create(pid_t pid, const char *root)
{
    struct stacks *stacks = xcalloc(1, sizeof *stacks);

    modules_init(&stacks->modules, pid, root);
    return stacks;
}

static void forget_places(struct stacks *stacks)
{
    struct place *place, *next;

    HASH_ITER(hh, stacks->places, place, next)
    {
        HASH_DEL(stacks->places, place);
        for (size_t i = 0; i < place->count; i++)
            frame_deinit(&place->frames[i]);
        free(place);
    }
}

void stacks_destroy(struct stacks *stacks)
{
    if (!stacks)
        return;
    forget_places(stacks);
    modules_deinit(&stacks->modules);
    disassembler_destroy(stacks->disassembler);
    free(stacks);
}

void stacks_stale(struct stacks *stacks)
{
    stacks->stale = true;
}

void stacks_absent(struct stacks *stacks, char *const *absent, size_t count)
{
    stacks->absent = absent;
    stacks->absent_count = count;
}

static bool is_absent(const struct stacks *stacks, uint64_t addr)
{
    const struct region *region = modules_region(&stacks->modules, addr);

    for (size_t i = 0; region && region->module && i < stacks->absent_count; i++)
        if (strcmp(stacks->absent[i], region->module->path) == 0)
            return true;
    return false;
}

static void refresh(struct stacks *stacks, const struct mem *mem)
{
    if (stacks->read && !stacks->stale)
        return;
    forget_places(stacks);
    stacks->read = modules_read(&stacks->modules, mem) == 0;
    stacks->stale = false;
    stacks->fresh = true;
    stacks->v8 = NULL;
    for (size_t i = 0; i < stacks->modules.module_count && !stacks->v8; i++)
        stacks->v8 = stacks->modules.modules[i]->v8;
}

/* --- names --- */

/* Go's own table is better than what DWARF says of Go code, and a stripped program has it. */
static struct gostack *go_of(struct stacks *stacks, struct module *module)
{
    const struct codefile *file = module->go_sought ? NULL : modules_file(&stacks->modules, module, stacks->process);

    if (file)
        module->go = gostack_create(file, module->bias, stacks->process);
    module->go_sought = true;
    return module->go;
}

static size_t name_place(struct stacks *stacks, struct module *module, uint64_t addr, struct frame *frames)
{
    const struct gostack *go = go_of(stacks, module);
    struct codefile *file;
    size_t count;

    if (go && gostack_name(go, stacks->process, addr, &frames[0]))
        return 1;
    file = modules_names_file(&stacks->modules, module, stacks->process);
    count = file ? codefile_names(file, addr - module->bias, frames, INLINED_MOST) : 0;
    for (size_t i = 0; i < count; i++) {
        frames[i].inlined = i + 1 < count;
        frames[i].into += frames[i].into ? module->bias : 0;
    }
    return count;
}

/* By which its debug information is asked for elsewhere; NULL where it is here. malloced. */
static char *wanted_id(const struct module *module)
{
    if (!module->file || codefile_complete(module->file) || !module->build_id_size)
        return NULL;
    char *hex = xcalloc(1, 2 * module->build_id_size + 1);

    for (size_t i = 0; i < module->build_id_size; i++)
        snprintf(hex + 2 * i, 3, "%02x", module->build_id[i]);
    return hex;
}

static const char *object_of(const struct region *region)
{
    if (region->module)
        return region->module->path;
    return region->name[0] && strncmp(region->name, "[anon:", 6) != 0 ? region->name : "[anon]";
}

static const struct place *place_of(struct stacks *stacks, uint64_t addr)
{
    const struct region *region = modules_region(&stacks->modules, addr);
    struct place *place;

    HASH_FIND(hh, stacks->places, &addr, sizeof addr, place);
    if (place)
        return place;
    if (HASH_COUNT(stacks->places) >= PLACES_KEPT)
        forget_places(stacks);
    place = xcalloc(1, sizeof *place);
    place->addr = addr;
    place->count = region && region->module ? name_place(stacks, region->module, addr, place->frames) : 0;
    if (!place->count)
        place->count = 1;
    for (size_t i = 0; region && i < place->count; i++) {
        place->frames[i].object = xstrdup(object_of(region));
        if (region->module && !place->frames[i].file)
            place->frames[i].build_id = wanted_id(region->module);
        place->frames[i].offset = region->module ? region->module->bias : region->start;
    }
    HASH_ADD(hh, stacks->places, addr, sizeof addr, place);
    return place;
}

/* Appends what is at UNWIND's address. In a place, "offset" and "into" are what is to be taken off it. */
static size_t add_frames(struct stacks *stacks, const struct unwind *unwind, struct frame *frames, size_t room)
{
    const struct place *place = place_of(stacks, unwind_lookup(unwind));
    uint64_t ip = unwind->value[UNWIND_IP];
    size_t i;

    for (i = 0; i < place->count && i < room; i++) {
        frames[i] = frame_copy(&place->frames[i]);
        frames[i].ip_addr = ip;
        frames[i].after_call = place->addr != ip;
        frames[i].offset = frames[i].object ? ip - frames[i].offset : 0;
        frames[i].into = frames[i].into ? ip - frames[i].into : 0;
    }
    return i;
}

/* --- the walk --- */

static struct disassembler *disassembler_of(struct stacks *stacks)
{
    if (!stacks->disassembler)
        stacks->disassembler = disassembler_create();
    return stacks->disassembler;
}

/* *DESCRIBED: some table knows that code. */
static enum unwind_step step(struct stacks *stacks, const struct mem *mem, struct unwind *unwind, bool *described)
{
    uint64_t addr = unwind_lookup(unwind);
    const struct region *region = modules_region(&stacks->modules, addr);
    struct module *module = region ? region->module : NULL;
    enum unwind_step how = UNWIND_NONE;
    struct codefile *file;

    if (module && go_of(stacks, module)) {
        how = step_signal(mem, unwind); /* runtime.sigreturn */
        if (how == UNWIND_NONE)
            how = gostack_unwind(module->go, stacks->process, mem, unwind);
    }
    if (how == UNWIND_NONE && module && (file = modules_file(&stacks->modules, module, stacks->process)) != NULL)
        how = codefile_unwind(file, addr - module->bias, module->bias, mem, unwind);
    *described = how != UNWIND_NONE;
    if (how == UNWIND_NONE)
        how = step_signal(mem, unwind);
    /* Code made at run time keeps frame pointers; what a compiler made without tables may not. */
    if (how == UNWIND_NONE && module)
        how = step_forward(&stacks->modules, mem, disassembler_of(stacks), unwind);
    if (how == UNWIND_NONE && region && region->executable)
        how = step_frame_pointer(&stacks->modules, mem, unwind);
    return how;
}

/* What a frame without tables may be: JavaScript, whose engine keeps the function in it. FP is that frame's. */
static void name_script(struct stacks *stacks, const struct mem *mem, uint64_t addr, uint64_t fp, struct frame *frame)
{
    const struct region *region = modules_region(&stacks->modules, addr);
    struct module *module = region ? region->module : NULL;
    struct frame name = {0};

    if (module && !module->v8_sought) {
        module->v8_sought = true;
        if (module->file)
            module->v8 = v8stack_create(module->file, module->bias, stacks->process);
        stacks->v8 = module->v8 ? module->v8 : stacks->v8;
    }
    if (!stacks->v8 || !v8stack_name(stacks->v8, stacks->process, mem, fp, &name))
        return;
    free(frame->file);
    frame->file = name.file;
    frame->line = 0;
    if (name.symbol) {
        free(frame->symbol);
        frame->symbol = name.symbol;
        frame->into = 0;
    }
}

static bool can_run(const struct stacks *stacks, uint64_t addr)
{
    const struct region *region = modules_region(&stacks->modules, addr);

    return region && region->executable;
}

/* Reads the mappings again, once a stack: code may have been made since. True where that was done. */
static bool look_again(struct stacks *stacks)
{
    if (stacks->fresh)
        return false;
    stacks_stale(stacks);
    refresh(stacks, stacks->process);
    return stacks->read;
}

static bool can_run_now(struct stacks *stacks, uint64_t addr)
{
    return can_run(stacks, addr) || (look_again(stacks) && can_run(stacks, addr));
}

static size_t walk(struct stacks *stacks, const struct mem *mem, struct unwind *unwind, struct frame *frames,
                   size_t room)
{
    size_t count = 0;
    int jumps = 0;

    for (int steps = 0; steps < FRAMES_MOST && count < room; steps++) {
        const struct unwind before = *unwind;
        bool described;
        enum unwind_step how;

        if (is_absent(stacks, unwind_lookup(unwind)))
            break;
        if (frames)
            count += add_frames(stacks, unwind, frames + count, room - count);
        how = step(stacks, mem, unwind, &described);
        if (how == UNWIND_NONE && look_again(stacks))
            how = step(stacks, mem, unwind, &described);
        if (frames && count && !described && unwind_knows(&before, UNWIND_FP))
            name_script(stacks, mem, unwind_lookup(&before), before.value[UNWIND_FP], &frames[count - 1]);
        if (how != UNWIND_OK || !unwind_knows(unwind, UNWIND_SP) || !can_run_now(stacks, unwind_lookup(unwind)))
            break;
        if (unwind->value[UNWIND_SP] <= before.value[UNWIND_SP] && ++jumps > JUMPS_MOST) /* another stack, a circle */
            break;
    }
    return count;
}

/* Without a place for the frames, only the memory is read that they would need. */
static size_t unwind_window(struct stacks *stacks, struct stack_window *window, const struct stack_registers *registers,
                            struct frame *frames, size_t room)
{
    const struct mem mem = stack_window_mem(window);
    struct unwind unwind = {.exact = true};

    stacks->process = window->under;
    stacks->fresh = false;
    refresh(stacks, window->under);
    if (!stacks->read || window->under->word_size != 8)
        return 0;
    window->modules = &stacks->modules;
    for (unsigned i = 0; i < STACK_REGISTERS; i++)
        unwind_set(&unwind, i, registers->dwarf[i]);
    can_run_now(stacks, registers->ip_addr);
    return walk(stacks, &mem, &unwind, frames, room);
}

static size_t unwind_frames(struct stacks *stacks, struct stack_window *window, const struct stack_registers *registers,
                            size_t limit, struct frame **ret)
{
    size_t room = limit < FRAMES_MOST ? limit : FRAMES_MOST, count;

    *ret = xcalloc(room + 1, sizeof **ret);
    count = unwind_window(stacks, window, registers, *ret, room);
    if (!count) {
        free(*ret);
        *ret = NULL;
    }
    return count;
}

size_t stacks_unwind(struct stacks *stacks, const struct mem *mem, const struct stack_registers *registers,
                     size_t limit, struct frame **ret)
{
    CLEANUP_FREE unsigned char *bytes = xmalloc(WINDOW_SIZE);
    ssize_t n = mem->read(mem->ctx, registers->sp_addr, bytes, WINDOW_SIZE);
    struct stack_window window = {
        .under = mem, .bytes = bytes, .base = registers->sp_addr, .size = n > 0 ? (size_t)n : 0};

    return unwind_frames(stacks, &window, registers, limit, ret);
}

size_t stacks_unwind_snapshot(struct stacks *stacks, const struct mem *mem, const struct stack_snapshot *snapshot,
                              size_t limit, struct frame **ret)
{
    struct stack_window window = {
        .under = mem, .bytes = snapshot->bytes, .base = snapshot->base_addr, .size = snapshot->size, .past = snapshot};

    return unwind_frames(stacks, &window, &snapshot->registers, limit, ret);
}

struct stack_snapshot *stacks_snapshot(struct stacks *stacks, const struct mem *mem,
                                       const struct stack_registers *registers)
{
    struct stack_snapshot *snapshot = stack_snapshot_take(mem, registers);
    struct stack_pages pages = {0};
    struct stack_window window = {.under = mem, .pages = &pages};

    if (!snapshot)
        return NULL;
    window.bytes = snapshot->bytes;
    window.base = snapshot->base_addr;
    window.size = snapshot->size;
    unwind_window(stacks, &window, registers, NULL, FRAMES_MOST);
    return stack_snapshot_add(snapshot, &pages);
}

bool stacks_is_go(struct stacks *stacks, const struct mem *mem, uint64_t addr)
{
    const struct region *region;

    stacks->process = mem;
    refresh(stacks, mem);
    region = stacks->read ? modules_region(&stacks->modules, addr) : NULL;
    return region && region->module && go_of(stacks, region->module) && gostack_holds(region->module->go, mem, addr);
}
