/* A process's memory as one stack's unwinding sees it: the stack itself as it was read in one piece, other stacks by
 * pages, and the process behind them. */
#include "alloc.h"
#include "stack_parts.h"

#include <string.h>

static const unsigned char *page_of(const struct stack_snapshot *snapshot, uint64_t page)
{
    for (size_t i = 0; i < snapshot->page_count; i++)
        if (snapshot->page_addr[i] == page)
            return snapshot->bytes + snapshot->size + i * STACK_SNAPSHOT_PAGE;
    return NULL;
}

/* What was read from another stack, for who unwinds this later. */
static void note_page(struct stack_window *window, uint64_t page)
{
    struct stack_pages *pages = window->pages;
    const struct region *region = modules_region(window->modules, page);

    /* Of memory that was mapped since nothing is known yet. */
    if ((region && !region->writable) || pages->count == STACK_SNAPSHOT_PAGES)
        return;
    for (size_t i = 0; i < pages->count; i++)
        if (pages->addr[i] == page)
            return;
    if (mem_read(window->under, page, pages->bytes[pages->count], STACK_SNAPSHOT_PAGE) == 0)
        pages->addr[pages->count++] = page;
}

/* Of an earlier moment: its pages, and what cannot have changed since. */
static ssize_t read_past(const struct stack_window *window, uint64_t addr, void *buf, size_t n)
{
    uint64_t at = addr % STACK_SNAPSHOT_PAGE, page = addr - at;
    const unsigned char *kept = page_of(window->past, page);
    const struct region *region;

    if (kept) {
        if (n > STACK_SNAPSHOT_PAGE - at)
            n = STACK_SNAPSHOT_PAGE - at;
        memcpy(buf, kept + at, n);
        return (ssize_t)n;
    }
    region = modules_region(window->modules, addr);
    if (!region || region->writable)
        return -1;
    if (n > region->end - addr)
        n = region->end - addr;
    return window->under->read(window->under->ctx, addr, buf, n);
}

static ssize_t window_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
    struct stack_window *window = ctx;
    uint64_t at = addr - window->base;

    if (at < window->size) {
        if (n > window->size - at)
            n = window->size - at;
        memcpy(buf, window->bytes + at, n);
        return (ssize_t)n;
    }
    if (window->past)
        return read_past(window, addr, buf, n);
    if (window->pages)
        note_page(window, addr - addr % STACK_SNAPSHOT_PAGE);
    return window->under->read(window->under->ctx, addr, buf, n);
}

struct mem stack_window_mem(struct stack_window *window)
{
    return (struct mem){.read = window_read, .ctx = window, .word_size = window->under->word_size};
}

struct stack_snapshot *stack_snapshot_take(const struct mem *mem, const struct stack_registers *registers)
{
    struct stack_snapshot *snapshot = xmalloc(sizeof *snapshot + STACK_SNAPSHOT_MOST);
    ssize_t n = mem->read(mem->ctx, registers->sp_addr, snapshot->bytes, STACK_SNAPSHOT_MOST);

    if (n <= 0) {
        free(snapshot);
        return NULL;
    }
    *snapshot = (struct stack_snapshot){
        .references = 1, .registers = *registers, .base_addr = registers->sp_addr, .size = (size_t)n};
    return n < STACK_SNAPSHOT_MOST ? xrealloc(snapshot, sizeof *snapshot + (size_t)n) : snapshot;
}

struct stack_snapshot *stack_snapshot_add(struct stack_snapshot *taken, const struct stack_pages *pages)
{
    size_t more = pages->count * STACK_SNAPSHOT_PAGE;

    taken = xrealloc(taken, sizeof *taken + taken->size + more);
    memcpy(taken->bytes + taken->size, pages->bytes, more);
    memcpy(taken->page_addr, pages->addr, sizeof taken->page_addr);
    taken->page_count = pages->count;
    return taken;
}

struct stack_snapshot *stack_snapshot_keep(struct stack_snapshot *snapshot)
{
    snapshot->references++;
    return snapshot;
}

void stack_snapshot_drop(struct stack_snapshot *snapshot)
{
    if (snapshot && !--snapshot->references)
        free(snapshot);
}
