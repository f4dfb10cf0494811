#include "address.h"

#include "alloc.h"
#include "path.h"

#include <inttypes.h>
#include <string.h>

enum {
    LINES_READ = 200000,
    NULL_END = 65536,
    NEAR = 65536, /* how far past its end a mapping is still meant */
    STACK_STEP =
        131072, /* how far below the stack pointer a function may reach (large frames are probed page by page) */
};

struct stack_pointer {
    pid_t tid;
    uint64_t sp_addr;
};

struct addresses {
    struct mapping *maps; /* by address, as the kernel lists them */
    size_t count, cap;
    struct stack_pointer *stacks;
    size_t stack_count, stack_cap;
};

struct addresses *addresses_read(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)pid);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    struct addresses *addresses = xcalloc(1, sizeof *addresses);
    size_t size = 0;

    for (int i = 0; file && i < LINES_READ && getline(&line, &size, file) > 0; i++) {
        struct mapping one = {0};
        int at = 0;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &one.start, &one.end, one.permissions,
                   &one.offset, &at) < 4)
            continue;
        one.name = xstrndup(line + at, strcspn(line + at, "\n"));
        *(struct mapping *)array_add(&addresses->maps, &addresses->count, &addresses->cap, sizeof one) = one;
    }
    if (!addresses->count) {
        addresses_destroy(addresses);
        return NULL;
    }
    return addresses;
}

void addresses_destroy(struct addresses *addresses)
{
    if (!addresses)
        return;
    for (size_t i = 0; i < addresses->count; i++)
        free(addresses->maps[i].name);
    free(addresses->maps);
    free(addresses->stacks);
    free(addresses);
}

void addresses_stack(struct addresses *addresses, pid_t tid, uint64_t sp_addr)
{
    struct stack_pointer *one;

    if (!addresses)
        return;
    one = array_add(&addresses->stacks, &addresses->stack_count, &addresses->stack_cap, sizeof *one);
    *one = (struct stack_pointer){tid, sp_addr};
}

/* The index of the first mapping that ends above ADDR, or their number. */
static size_t first_above(const struct addresses *addresses, uint64_t addr)
{
    size_t low = 0, high = addresses->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (addresses->maps[middle].end > addr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct mapping *addresses_at(const struct addresses *addresses, uint64_t addr)
{
    size_t i = addresses ? first_above(addresses, addr) : 0;

    return addresses && i < addresses->count && addresses->maps[i].start <= addr ? &addresses->maps[i] : NULL;
}

const struct mapping *addresses_head(const struct addresses *addresses, const struct mapping *mapping)
{
    for (size_t i = 0; i < addresses->count && mapping->name[0]; i++)
        if (strcmp(addresses->maps[i].name, mapping->name) == 0)
            return &addresses->maps[i];
    return mapping;
}

const struct mapping *addresses_libc(const struct addresses *addresses)
{
    for (size_t i = 0; addresses && i < addresses->count; i++) {
        const char *name = path_base(addresses->maps[i].name);

        if (strcmp(name, "libc.so.6") == 0 || (strncmp(name, "libc-2.", 7) == 0 && strstr(name, ".so")))
            return &addresses->maps[i];
    }
    return NULL;
}

/* The thread whose stack MAP is, going by the stack pointers; 0: none that we know. */
static pid_t thread_on(const struct addresses *addresses, const struct mapping *map)
{
    for (size_t i = 0; i < addresses->stack_count; i++)
        if (addresses->stacks[i].sp_addr >= map->start && addresses->stacks[i].sp_addr <= map->end)
            return addresses->stacks[i].tid;
    return 0;
}

/* A thread whose stack pointer has come down to ADDR, which lies below the mapping STACK. */
static pid_t thread_below(const struct addresses *addresses, uint64_t addr, const struct mapping *stack)
{
    for (size_t i = 0; i < addresses->stack_count; i++) {
        uint64_t sp = addresses->stacks[i].sp_addr;

        if (sp < stack->end && sp <= addr + STACK_STEP && addr <= sp + STACK_STEP)
            return addresses->stacks[i].tid;
    }
    return 0;
}

static bool no_access(const struct mapping *map)
{
    return strncmp(map->permissions, "---", 3) == 0;
}

static bool writable(const struct mapping *map)
{
    return map->permissions[1] == 'w';
}

/* Below a thread's stack lies a mapping without access, the guard page (pthread_attr_setguardsize(3)); below the main
 * thread's the kernel leaves a gap (mmap_region's stack_guard_gap). */
static bool below_stack(const struct addresses *addresses, size_t above, uint64_t addr, struct address *ret)
{
    const struct mapping *stack = above < addresses->count ? &addresses->maps[above] : NULL;
    const struct mapping *guard = stack && stack->start <= addr ? stack : NULL;

    if (guard && !no_access(guard))
        return false;
    if (guard) {
        stack = above + 1 < addresses->count ? stack + 1 : NULL;
        if (!stack || stack->start != guard->end)
            return false;
    }
    if (!stack || !writable(stack) || (!guard && strcmp(stack->name, "[stack]") != 0))
        return false;
    ret->thread = thread_below(addresses, addr, stack);
    if (!ret->thread)
        return false;
    ret->what = ADDRESS_BELOW_STACK;
    ret->mapping = *stack;
    return true;
}

static bool past(const struct addresses *addresses, size_t above, uint64_t addr, struct address *ret)
{
    const struct mapping *before = above ? &addresses->maps[above - 1] : NULL;

    if (!before || no_access(before) || addr - before->end >= NEAR)
        return false;
    ret->what = ADDRESS_PAST;
    ret->mapping = *before;
    ret->distance = addr - before->end;
    return true;
}

static void look_inside(const struct addresses *addresses, const struct mapping *map, struct address *ret)
{
    ret->mapping = *map;
    if (no_access(map)) {
        ret->what = ADDRESS_NO_ACCESS;
    } else if (map->permissions[2] == 'x') {
        ret->what = ADDRESS_CODE;
    } else if (!writable(map)) {
        ret->what = ADDRESS_READ_ONLY;
    } else if (strcmp(map->name, "[heap]") == 0) {
        ret->what = ADDRESS_HEAP;
    } else {
        ret->thread = map->name[0] == 0 || strcmp(map->name, "[stack]") == 0 ? thread_on(addresses, map) : 0;
        ret->what = ret->thread || strcmp(map->name, "[stack]") == 0 ? ADDRESS_STACK : ADDRESS_DATA;
    }
}

void address_look(const struct addresses *addresses, uint64_t addr, struct address *ret)
{
    uint64_t top = addr >> 47;
    size_t above;

    *ret = (struct address){.addr = addr};
    if (addr < NULL_END) {
        ret->what = ADDRESS_NULL;
        ret->distance = addr;
    } else if (top == 0x1ffff) {
        ret->what = ADDRESS_KERNEL;
    } else if (top) {
        ret->what = ADDRESS_NON_CANONICAL;
    } else if (addresses) {
        above = first_above(addresses, addr);
        if (below_stack(addresses, above, addr, ret))
            return;
        if (above < addresses->count && addresses->maps[above].start <= addr)
            look_inside(addresses, &addresses->maps[above], ret);
        else if (!past(addresses, above, addr, ret))
            ret->what = ADDRESS_UNMAPPED;
    }
}

static char *stack_text(const struct address *address, pid_t pid)
{
    if (address->thread == pid || (!address->thread && strcmp(address->mapping.name, "[stack]") == 0))
        return xstrdup("the stack of the main thread");
    if (address->thread)
        return xasprintf("the stack of thread %d", (int)address->thread);
    return xstrdup("a stack");
}

static char *memory_text(const struct mapping *map, const char *what)
{
    if (strcmp(map->name, "[heap]") == 0)
        return xstrdup("the heap");
    if (strcmp(map->name, "[stack]") == 0)
        return xstrdup("the stack of the main thread");
    if (map->name[0])
        return xasprintf("%s %s", what, map->name);
    return xstrdup("anonymous memory");
}

char *address_text(const struct address *address, pid_t pid)
{
    CLEANUP_FREE char *of = NULL;

    switch (address->what) {
    case ADDRESS_NULL:
        return address->distance ? xasprintf("a null pointer and %llu", (unsigned long long)address->distance)
                                 : xstrdup("a null pointer");
    case ADDRESS_NON_CANONICAL:
        return xstrdup("no address at all: its bits 63 to 47 are not all alike (not canonical)");
    case ADDRESS_KERNEL:
        return xstrdup("in the kernel's half of the addresses");
    case ADDRESS_BELOW_STACK:
        of = stack_text(address, pid);
        return xasprintf("below the end of %s: the stack is used up", of);
    case ADDRESS_PAST:
        of = memory_text(&address->mapping, "the mapping of");
        return xasprintf("nothing is mapped there; %llu bytes before it ends %s", (unsigned long long)address->distance,
                         of);
    case ADDRESS_UNMAPPED:
        return xstrdup("nothing is mapped there");
    case ADDRESS_NO_ACCESS:
        of = memory_text(&address->mapping, "memory of");
        return xasprintf("%s that may not be touched (PROT_NONE)", of);
    case ADDRESS_CODE:
        return address->mapping.name[0] ? memory_text(&address->mapping, "code of")
                                        : xstrdup("code made at run time, in anonymous memory");
    case ADDRESS_READ_ONLY:
        return address->mapping.name[0] ? memory_text(&address->mapping, "read-only memory of")
                                        : xstrdup("read-only anonymous memory");
    case ADDRESS_STACK:
        return stack_text(address, pid);
    case ADDRESS_HEAP:
    case ADDRESS_DATA:
        return memory_text(&address->mapping, "writable memory of");
    case ADDRESS_UNKNOWN:
        break;
    }
    return xstrdup("not known: the mappings could not be read");
}
