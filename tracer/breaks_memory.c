/* Breakpoints as bytes: in and out of a program's memory, in a fork's copy of it, and out for good. */
#include "breaks_table.h"

#include "displace.h"
#include "state.h"

#include <probes/alloc.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

struct breakpoint *break_find(const struct breaks *breaks, uint64_t addr)
{
    struct breakpoint *point = NULL;

    if (breaks)
        HASH_FIND(hh, breaks->by_addr, &addr, sizeof addr, point);
    return point;
}

bool break_wanted(const struct breakpoint *point)
{
    return point->handler_count || point->kept || point->waiting;
}

struct mem break_mem(struct session *session, pid_t tid)
{
    session->memory.tid = tid;
    return memory_mem(&session->memory, BREAK_WORD);
}

static int poke_by_file(pid_t tid, uint64_t addr, const void *bytes, size_t n)
{
    char name[64];

    snprintf(name, sizeof name, "/proc/%d/mem", (int)tid);
    CLEANUP_CLOSE int fd = open(name, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && pwrite(fd, bytes, n, (off_t)addr) == (ssize_t)n ? 0 : -1;
}

bool break_code_read(const struct mem *mem, uint64_t addr, struct break_code *ret)
{
    ret->start_addr = addr & ~(uint64_t)(BREAK_WORD - 1);
    ssize_t n = mem->read(mem->ctx, ret->start_addr, ret->bytes, sizeof ret->bytes);

    ret->size = n > 0 ? (size_t)n : 0;
    return ret->size > addr - ret->start_addr;
}

/* Puts TO where FROM stands. PTRACE_POKEDATA wants a thread that stands and words; the file wants neither, but a kernel
 * may be told not to let it write (proc_mem.force_override). */
static int replace(pid_t tid, const struct break_code *code, uint64_t addr, unsigned char from, unsigned char to)
{
    size_t at = (size_t)(addr - code->start_addr);
    uint64_t word;

    if (code->size <= at || code->bytes[at] != from)
        return -1;
    memcpy(&word, code->bytes, sizeof word);
    ((unsigned char *)&word)[at] = to;
    return code->size >= sizeof word && ptrace_poke(tid, code->start_addr, word) == 0 ? 0
                                                                                      : poke_by_file(tid, addr, &to, 1);
}

int break_put(pid_t tid, uint64_t addr, const void *bytes, size_t n)
{
    uint64_t word;

    for (size_t at = 0; at < n; at += BREAK_WORD) {
        memcpy(&word, (const char *)bytes + at, sizeof word);
        if (ptrace_poke(tid, addr + at, word) < 0)
            return poke_by_file(tid, addr + at, (const char *)bytes + at, n - at);
    }
    return 0;
}

int break_write(void *ctx, uint64_t addr, uint64_t value, unsigned width)
{
    const pid_t *tid = ctx;
    struct iovec local = {&value, width}, remote = {(void *)(uintptr_t)addr, width};

    /* Never across a page: what is written by half would have to be taken back. */
    if ((addr & 4095) + width > 4096)
        return -1;
    if (process_vm_writev(*tid, &local, 1, &remote, 1, 0) == (ssize_t)width)
        return 0;
    /* A stack that has yet to grow, or no such call here. */
    return width == BREAK_WORD ? ptrace_poke(*tid, addr, value) : -1;
}

static bool has_trap(const struct mem *mem, const struct breakpoint *point)
{
    unsigned char byte;

    return mem_read(mem, point->addr, &byte, 1) == 0 && byte == arch_native.trap;
}

void breaks_prepare(struct session *session, const struct task *task, const uint64_t *addrs, size_t count)
{
    struct iovec local[PREPARED_MOST], remote[PREPARED_MOST];

    breaks_prepared(session);
    if (count > PREPARED_MOST || session->memory.fallback)
        return;
    for (size_t i = 0; i < count; i++) {
        struct break_code *code = &session->prepared[i];

        code->start_addr = addrs[i] & ~(uint64_t)(BREAK_WORD - 1);
        code->size = sizeof code->bytes;
        local[i] = (struct iovec){code->bytes, sizeof code->bytes};
        remote[i] = (struct iovec){(void *)(uintptr_t)code->start_addr, sizeof code->bytes};
    }
    ssize_t got = process_vm_readv(task->tid, local, count, remote, count, 0);

    session->prepared_tid = task->tid;
    session->prepared_count = got > 0 ? (size_t)got / sizeof session->prepared[0].bytes : 0;
}

void breaks_prepared(struct session *session)
{
    session->prepared_count = 0;
}

bool break_code_of(struct session *session, pid_t tid, uint64_t addr, struct break_code *ret)
{
    struct mem mem = break_mem(session, tid);

    for (size_t i = 0; i < session->prepared_count && session->prepared_tid == tid; i++)
        if (session->prepared[i].start_addr == (addr & ~(uint64_t)(BREAK_WORD - 1))) {
            *ret = session->prepared[i];
            return true;
        }
    return break_code_read(&mem, addr, ret);
}

/* What was read before a trap was put in there is what it was. */
static void forget_prepared(struct session *session, uint64_t addr)
{
    for (size_t i = 0; i < session->prepared_count; i++)
        if (addr - session->prepared[i].start_addr < sizeof session->prepared[i].bytes)
            session->prepared[i].start_addr = 1; /* no word begins there */
}

int break_arm(struct session *session, pid_t tid, struct breakpoint *point, const struct break_code *code)
{
    forget_prepared(session, point->addr);
    if (!point->armed && replace(tid, code, point->addr, point->original, arch_native.trap) == 0)
        point->armed = true;
    return point->armed ? 0 : -1;
}

void break_disarm(struct session *session, pid_t tid, struct breakpoint *point)
{
    struct mem mem = break_mem(session, tid);

    struct break_code code;

    if (!point->armed)
        return;
    if (!break_code_read(&mem, point->addr, &code) ||
        replace(tid, &code, point->addr, arch_native.trap, point->original) == 0)
        point->armed = false;
    else
        point->armed = has_trap(&mem, point);
}

/* --- a fork's copy --- */

struct breaks *breaks_copy(const struct breaks *breaks)
{
    struct breaks *copy;
    struct breakpoint *point, *next, *one;

    if (!breaks)
        return NULL;
    copy = xcalloc(1, sizeof *copy);
    *copy = *breaks;
    copy->by_addr = NULL;
    copy->displace = displace_copy(breaks->displace);
    HASH_ITER(hh, breaks->by_addr, point, next)
    {
        one = xmemdup(point, sizeof *point);
        one->waiting = 0; /* the child's only thread starts with none of its parent's calls */
        HASH_ADD(hh, copy->by_addr, addr, sizeof one->addr, one);
    }
    return copy;
}

void breaks_destroy(struct breaks *breaks)
{
    struct breakpoint *point, *next;

    if (!breaks)
        return;
    HASH_ITER(hh, breaks->by_addr, point, next)
    {
        HASH_DEL(breaks->by_addr, point);
        free(point);
    }
    displace_destroy(breaks->displace);
    free(breaks);
}

/* Between the copying of memory and its telling other threads may have set some, or taken some out. */
void breaks_recheck(struct session *session, struct task *task)
{
    struct space *space = task->group->space;
    struct mem mem = break_mem(session, task->tid);
    struct breakpoint *point, *next;
    struct break_code code;

    space->recheck = false;
    if (!space->breaks)
        return;
    displace_restore(session, space->breaks, task->tid);
    HASH_ITER(hh, space->breaks->by_addr, point, next)
    {
        point->armed = has_trap(&mem, point);
        if (!break_wanted(point))
            break_disarm(session, task->tid, point);
        else if (!point->armed && break_code_read(&mem, point->addr, &code))
            break_arm(session, task->tid, point, &code);
    }
}

/* All of BREAKS that are wanted stand in the memory of TID: with randomised addresses that is a copy of theirs. */
static bool stand_in(struct session *session, const struct breaks *breaks, pid_t tid)
{
    struct mem mem = break_mem(session, tid);
    struct breakpoint *point, *next;
    size_t count = 0;

    if (!breaks)
        return false;
    HASH_ITER(hh, breaks->by_addr, point, next)
    {
        if (!point->handler_count || !point->armed)
            continue;
        if (!has_trap(&mem, point))
            return false;
        count++;
    }
    return count > 0;
}

struct space *breaks_origin(struct session *session, pid_t tid)
{
    struct group *group;

    for (group = session->tasks.by_pid; group; group = group->hh.next)
        if (stand_in(session, group->space->breaks, tid))
            return group->space;
    for (size_t i = 0; i < BURIED_MOST; i++)
        if (session->buried[i] && stand_in(session, session->buried[i]->breaks, tid))
            return session->buried[i];
    return NULL;
}

void breaks_bury(struct session *session, struct space *space)
{
    struct space **place = &session->buried[session->burials++ % BURIED_MOST];

    if (!space->breaks)
        return;
    space_put(*place);
    *place = space_get(space);
}

void breaks_unbury(struct session *session)
{
    for (size_t i = 0; i < BURIED_MOST; i++) {
        space_put(session->buried[i]);
        session->buried[i] = NULL;
    }
}

void breaks_clean(struct session *session, const struct space *parent, pid_t tid)
{
    struct mem mem = break_mem(session, tid);
    struct breakpoint *point, *next;
    struct break_code code;

    if (!parent)
        parent = breaks_origin(session, tid);
    if (!parent || !parent->breaks)
        return;
    displace_restore(session, parent->breaks, tid);
    HASH_ITER(hh, parent->breaks->by_addr, point, next)
    if (break_code_read(&mem, point->addr, &code))
        replace(tid, &code, point->addr, arch_native.trap, point->original);
}

/* --- out for good --- */

bool breaks_closed(const struct breaks *breaks)
{
    return breaks->closed;
}

void breaks_lift(struct session *session, struct task *task)
{
    struct breaks *breaks = task->group->space->breaks;
    struct mem mem = break_mem(session, task->tid);
    struct breakpoint *point, *next;

    if (!breaks)
        return;
    breaks->closed = true;
    HASH_ITER(hh, breaks->by_addr, point, next)
    {
        point->handler_count = point->waiting = 0;
        point->kept = false;
        point->armed = has_trap(&mem, point);
        break_disarm(session, task->tid, point);
    }

    displace_restore(session, breaks, task->tid);
    task->group->space->recheck = false;
}

void breaks_lift_all(struct session *session)
{
    struct task *task;

    for (task = session->tasks.by_tid; task; task = task->hh.next)
        if (task->group && task->group->space->breaks && !task->group->space->breaks->closed)
            breaks_lift(session, task);
}
