#include "displace.h"

#include "breaks_table.h"
#include "state.h"
#include "stop.h"

#include <probes/alloc.h>
#include <probes/maps.h>
#include <probes/memimage.h>

#include <elf.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    SLOT = 16, /* bytes: an instruction, in two words */
    SLOTS_MOST = 4,
    PAGE = 4096,
    FLAG_TRAP = 1 << 8, /* Intel SDM vol. 1, 3.4.3.3 */
    LATER_MOST = 8,     /* more than the signals that a step leaves unblocked */
};

struct slot {
    pid_t tid;           /* of the thread that steps there, or 0 */
    uint64_t point_addr; /* whose instruction stands there, or 0 */
};

struct displace {
    uint64_t start_addr;
    unsigned count; /* 0: there is no place */
    uint8_t original[SLOTS_MOST * SLOT];
    struct slot slots[SLOTS_MOST];
};

enum step_state {
    STEP_WAITS,     /* for a slot; it stands */
    STEP_UNDER_WAY, /* between its restart and the trap */
    STEP_TRAP_DUE,  /* it has been done, and the thread is as if at its own place; the trap is still to come */
};

struct step {
    enum step_state state;
    uint64_t ticket; /* who waits longest comes first */
    uint64_t point_addr, slot_addr;
    struct displaced plan;
    uint64_t base, mask; /* what the register that stands in for %rip holds, and the signals that are blocked */
    siginfo_t later[LATER_MOST];
    unsigned later_count; /* signals that came meanwhile */
};

/* --- the place ------------------------------------------------------------------------------------------------------
 */

static bool is_code(const struct mapping *mapping)
{
    return strcmp(mapping->permissions, "r-xp") == 0 && mapping->name[0] == '/';
}

/* The image whose code lies at the mapping I: its file's first mapping is where its header is. */
static int image_of(const struct mem *mem, const struct mapping *mappings, size_t i, struct memimage *ret)
{
    size_t first = i;

    while (mappings[first].offset && first && strcmp(mappings[first - 1].name, mappings[i].name) == 0)
        first--;
    return mappings[first].offset ? -1 : memimage_at(mem, mappings[first].start, ret);
}

/* What is left of the last page of MAPPING behind the segment that it is of: *SIZE bytes at the address returned. */
static uint64_t rest_of(const struct memimage *image, const struct mapping *mapping, uint64_t *size)
{
    uint64_t end = 0;

    for (size_t i = 0; i < image->segment_count; i++) {
        const struct memimage_segment *segment = &image->segments[i];
        uint64_t start = image->bias + segment->vaddr;

        if (segment->type != PT_LOAD || start >= mapping->end || start + segment->memory_size <= mapping->start)
            continue;
        if (end || !(segment->flags & PF_X)) /* two of them in there */
            return 0;
        end = start + segment->memory_size;
    }
    end = (end + SLOT - 1) & ~(uint64_t)(SLOT - 1);
    if (end <= mapping->start || end >= mapping->end || mapping->end - end >= PAGE)
        return 0;
    *size = mapping->end - end;
    return end;
}

static bool take_place(const struct mem *mem, const struct mapping *mappings, size_t i, struct displace *displace)
{
    struct memimage image;
    uint64_t size = 0;

    if (!is_code(&mappings[i]) || image_of(mem, mappings, i, &image) < 0)
        return false;
    displace->start_addr = rest_of(&image, &mappings[i], &size);
    memimage_deinit(&image);
    displace->count = size / SLOT < SLOTS_MOST ? (unsigned)(size / SLOT) : SLOTS_MOST;
    if (!displace->start_addr || !displace->count ||
        mem_read(mem, displace->start_addr, displace->original, (size_t)displace->count * SLOT) < 0)
        displace->count = 0;
    return displace->count;
}

/* The loader's code is there as long as the process is, and so is the program's own. */
static struct displace *displace_create(struct session *session, const struct task *task)
{
    const struct space *space = task->group->space;
    struct displace *displace = xcalloc(1, sizeof *displace);
    struct mem mem = break_mem(session, task->tid);
    char link[64], exe[PAGE];
    size_t count;
    struct mapping *mappings = mappings_read(task->tid, &count);

    snprintf(link, sizeof link, "/proc/%d/exe", (int)task->tid);
    ssize_t n = readlink(link, exe, sizeof exe - 1);

    exe[n > 0 ? n : 0] = 0;
    for (size_t i = 0; mappings && i < count && !displace->count; i++)
        if (mappings[i].start >= space->loader_base && mappings[i].start < space->loader_end)
            take_place(&mem, mappings, i, displace);
    for (size_t i = 0; mappings && i < count && !displace->count; i++)
        if (strcmp(mappings[i].name, exe) == 0)
            take_place(&mem, mappings, i, displace);
    if (mappings)
        mappings_free(mappings, count);
    return displace;
}

static void plan(struct session *session, struct breakpoint *point, const struct break_code *code)
{
    size_t at = (size_t)(point->addr - code->start_addr), n = code->size > at ? code->size - at : 0;
    uint8_t bytes[INSTRUCTION_LONGEST];

    point->planned = true;
    n = n < sizeof bytes ? n : sizeof bytes;
    if (!n || !session->disassembler)
        return;
    memcpy(bytes, code->bytes + at, n);
    bytes[0] = point->original;
    instruction_displace(session->disassembler, bytes, n, point->addr, &point->displaced);
}

bool displace_can(struct session *session, struct task *task, struct breakpoint *point, const struct break_code *code)
{
    struct breaks *breaks = task->group->space->breaks;

    if (!point->planned)
        plan(session, point, code);
    if (!point->displaced.size)
        return false;
    if (!breaks->displace)
        breaks->displace = displace_create(session, task);
    return breaks->displace->count;
}

/* --- slots ----------------------------------------------------------------------------------------------------------
 */

static uint64_t address_of(const struct displace *displace, unsigned i)
{
    return displace->start_addr + (uint64_t)i * SLOT;
}

static int put_original(const struct displace *displace, unsigned i, pid_t tid)
{
    return break_put(tid, address_of(displace, i), displace->original + (size_t)i * SLOT, SLOT);
}

/* A free one, for preference one that has what is needed already; or NULL. */
static struct slot *free_slot(struct displace *displace, uint64_t point_addr)
{
    struct slot *found = NULL;

    for (unsigned i = 0; i < displace->count; i++) {
        struct slot *slot = &displace->slots[i];

        if (!slot->tid && (!found || slot->point_addr == point_addr))
            found = slot;
    }
    return found;
}

static int fill(const struct displace *displace, struct slot *slot, const struct task *task)
{
    unsigned i = (unsigned)(slot - displace->slots);
    const struct step *step = task->step;
    uint8_t bytes[SLOT];

    if (slot->point_addr == step->point_addr)
        return 0;
    memcpy(bytes, displace->original + (size_t)i * SLOT, SLOT);
    memcpy(bytes, step->plan.bytes, step->plan.size);
    slot->point_addr = 0;
    if (break_put(task->tid, address_of(displace, i), bytes, SLOT) < 0)
        return -1;
    slot->point_addr = step->point_addr;
    return 0;
}

static void release(struct task *task)
{
    const struct breaks *breaks = task->group->space->breaks;
    struct displace *displace = breaks ? breaks->displace : NULL;

    for (unsigned i = 0; displace && i < displace->count; i++) {
        if (displace->slots[i].tid != task->tid)
            continue;
        displace->slots[i].tid = 0;
        if (breaks->closed && displace->slots[i].point_addr && put_original(displace, i, task->tid) == 0)
            displace->slots[i].point_addr = 0;
    }
}

void displace_restore(struct session *session, const struct breaks *breaks, pid_t tid)
{
    struct displace *displace = breaks->displace;
    struct mem mem = break_mem(session, tid);
    uint8_t bytes[SLOT];

    for (unsigned i = 0; displace && i < displace->count; i++) {
        bool ours = !displace->slots[i].tid;

        if (ours && mem_read(&mem, address_of(displace, i), bytes, SLOT) == 0 &&
            memcmp(bytes, displace->original + (size_t)i * SLOT, SLOT) != 0)
            put_original(displace, i, tid);
        if (ours)
            displace->slots[i].point_addr = 0;
    }
}

struct displace *displace_copy(const struct displace *displace)
{
    struct displace *copy = displace ? xmemdup(displace, sizeof *displace) : NULL;

    if (copy)
        memset(copy->slots, 0, sizeof copy->slots);
    return copy;
}

void displace_destroy(struct displace *displace)
{
    free(displace);
}

/* --- from a hit to its end ------------------------------------------------------------------------------------------
 */

/* While it steps it gets only signals that the instruction itself may cause: those must not be blocked (the kernel
 * would take their handlers away, see traps.h), nor may the trap. */
static uint64_t step_mask(uint64_t mask)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP};
    uint64_t all = ~(uint64_t)0;

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] == SIGTRAP || !(mask >> (own[i] - 1) & 1))
            all &= ~((uint64_t)1 << (own[i] - 1));
    return all;
}

void displace_forget(struct task *task)
{
    if (!task->step)
        return;
    release(task);
    free(task->step);
    task->step = NULL;
}

/* REGISTERS are those at its own place. */
static int start(struct task *task, struct slot *slot, const struct arch_registers *registers)
{
    struct displace *displace = task->group->space->breaks->displace;
    struct arch_registers changed = *registers;
    struct step *step = task->step;

    if (fill(displace, slot, task) < 0 || ptrace_signal_mask(task->tid, &step->mask) < 0)
        return -1;
    step->slot_addr = address_of(displace, (unsigned)(slot - displace->slots));
    changed.dwarf[REGISTER_IP] = step->slot_addr;
    if (step->plan.base != REGISTER_NONE) {
        step->base = registers->dwarf[step->plan.base];
        changed.dwarf[step->plan.base] = step->point_addr + step->plan.size;
    }
    if (ptrace_set_signal_mask(task->tid, step_mask(step->mask)) < 0)
        return -1;
    if (ptrace_set_registers(task->tid, &changed) < 0) {
        ptrace_set_signal_mask(task->tid, step->mask);
        return -1;
    }
    slot->tid = task->tid;
    step->state = STEP_UNDER_WAY;
    return 0;
}

static void keep_for_later(struct step *step, const siginfo_t *info)
{
    for (unsigned i = 0; i < step->later_count; i++)
        if (step->later[i].si_signo == info->si_signo) /* one that waits already takes no second one in */
            return;
    if (step->later_count < LATER_MOST)
        step->later[step->later_count++] = *info;
}

bool displace_begin(struct session *session, struct task *task, const struct breakpoint *point,
                    const struct arch_registers *registers, bool sent)
{
    struct displace *displace = task->group->space->breaks->displace;
    struct slot *slot = free_slot(displace, point->addr);
    siginfo_t info;

    if (task->step || registers->flags & FLAG_TRAP) /* it steps itself */
        return false;
    task->step = xcalloc(1, sizeof *task->step);
    task->step->point_addr = point->addr;
    task->step->plan = point->displaced;
    task->step->ticket = ++session->tickets;
    if (sent && ptrace_signal_info(task->tid, &info) == 0)
        keep_for_later(task->step, &info);
    if (!slot && ptrace_set_registers(task->tid, registers) == 0) {
        session->waiting = true;
        return true;
    }
    if (slot && start(task, slot, registers) == 0)
        return true;
    displace_forget(task);
    return false;
}

bool displace_settle(const struct displaced *plan, uint64_t addr, uint64_t slot_addr, uint64_t base, bool trapped,
                     struct arch_registers *registers)
{
    bool done = trapped || registers->dwarf[REGISTER_IP] != slot_addr;

    if (!done)
        registers->dwarf[REGISTER_IP] = addr;
    else if (plan->relative)
        registers->dwarf[REGISTER_IP] += addr - slot_addr;
    if (plan->base != REGISTER_NONE)
        registers->dwarf[plan->base] = base;
    registers->flags &= ~(uint64_t)FLAG_TRAP;
    return done;
}

/* REGISTERS and the stack as if the instruction stood at its own place; whether it has been done. */
static bool put_right(const struct task *task, bool trapped, struct arch_registers *registers)
{
    const struct step *step = task->step;
    bool done = displace_settle(&step->plan, step->point_addr, step->slot_addr, step->base, trapped, registers);

    if (done && step->plan.calls)
        ptrace_poke(task->tid, registers->dwarf[REGISTER_SP], step->point_addr + step->plan.size);
    ptrace_set_registers(task->tid, registers);
    return done;
}

/* The signal with which TASK goes on, its step being over. */
static int end(struct task *task)
{
    struct step *step = task->step;
    int signal = 0;

    ptrace_set_signal_mask(task->tid, step->mask);
    for (unsigned i = 0; i < step->later_count; i++)
        if (!signal && ptrace_set_signal_info(task->tid, &step->later[i]) == 0)
            signal = step->later[i].si_signo;
        else
            tgkill(task->group->pid, task->tid, step->later[i].si_signo);
    displace_forget(task);
    return signal;
}

static void send_later(const struct task *task)
{
    for (unsigned i = 0; i < task->step->later_count; i++)
        tgkill(task->group->pid, task->tid, task->step->later[i].si_signo);
}

/* Not done yet: it will come by again, and is told of no second time. */
static void call_off(struct task *task, const struct arch_registers *registers)
{
    struct step *step = task->step;

    task->told_addr = step->point_addr;
    task->told_sp_addr = registers->dwarf[REGISTER_SP];
    ptrace_set_signal_mask(task->tid, step->mask);
    send_later(task);
    displace_forget(task);
}

static void done(struct task *task)
{
    release(task);
    task->step->state = STEP_TRAP_DUE;
}

/* The slot itself cannot be executed: none of them will be used again. */
static int no_place(struct session *session, struct task *task, const struct arch_registers *registers)
{
    struct breaks *breaks = task->group->space->breaks;
    struct breakpoint *point = break_find(breaks, task->step->point_addr);

    call_off(task, registers);
    breaks->displace->count = 0;
    if (point)
        break_disarm(session, task->tid, point);
    return 0;
}

/* A signal other than the step's own trap. */
static int on_signal(struct session *session, struct task *task, siginfo_t *info, struct arch_registers *registers)
{
    struct step *step = task->step;
    uint64_t addr = (uint64_t)(uintptr_t)info->si_addr, slot_addr = step->slot_addr;
    bool caused = info->si_code > 0, there = caused && addr >= slot_addr && addr - slot_addr < SLOT;

    if (step->state == STEP_UNDER_WAY && !caused && registers->dwarf[REGISTER_IP] == slot_addr) {
        keep_for_later(step, info); /* sent, and in no hurry */
        return 0;
    }
    if (step->state == STEP_TRAP_DUE || put_right(task, false, registers)) {
        keep_for_later(step, info);
        done(task);
        /* A SIGTRAP that was sent takes the trap's place where both wait (legacy_queue(), kernel/signal.c). */
        return info->si_signo == SIGTRAP ? end(task) : 0;
    }
    if (there && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS))
        return no_place(session, task, registers);
    if (there) { /* SIGILL and SIGFPE tell where the instruction is */
        info->si_addr = (void *)(uintptr_t)(addr - slot_addr + step->point_addr);
        ptrace_set_signal_info(task->tid, info);
    }
    call_off(task, registers);
    return -1;
}

int displace_stop(struct session *session, struct task *task, const struct stop *stop)
{
    struct arch_registers registers;
    siginfo_t info;

    if (task->step->state == STEP_WAITS || ptrace_registers(task->tid, &registers) < 0) {
        displace_forget(task); /* it is being killed */
        return -1;
    }
    if (stop->kind == STOP_SIGNAL && ptrace_signal_info(task->tid, &info) == 0) {
        if (stop->signal != SIGTRAP || info.si_code != TRAP_TRACE)
            return on_signal(session, task, &info, &registers);
        if (task->step->state == STEP_UNDER_WAY)
            put_right(task, true, &registers);
        return end(task);
    }
    if (task->step->state == STEP_TRAP_DUE)
        return -1;
    if (put_right(task, false, &registers))
        done(task);
    else
        call_off(task, &registers);
    return -1;
}

bool displace_restart(struct task *task, bool leaving)
{
    switch (task->step->state) {
    case STEP_WAITS:
        return true;
    case STEP_UNDER_WAY:
        ptrace_restart(task->tid, RESTART_STEP, 0);
        return true;
    default:
        if (leaving) /* the trap would be its end */
            ptrace_restart(task->tid, RESTART_CONT, 0);
        return leaving;
    }
}

static struct task *longest_waiting(const struct session *session)
{
    struct task *task, *found = NULL;

    for (task = session->tasks.by_tid; task; task = task->hh.next) {
        const struct breaks *breaks = task->group ? task->group->space->breaks : NULL;

        if (task->step && task->step->state == STEP_WAITS && breaks &&
            (breaks->closed || !breaks->displace->count || free_slot(breaks->displace, task->step->point_addr)) &&
            (!found || task->step->ticket < found->step->ticket))
            found = task;
    }
    return found;
}

static bool any_waits(const struct session *session)
{
    const struct task *task;

    for (task = session->tasks.by_tid; task; task = task->hh.next)
        if (task->step && task->step->state == STEP_WAITS)
            return true;
    return false;
}

struct task *displace_next(struct session *session)
{
    struct task *task = session->waiting ? longest_waiting(session) : NULL;
    struct arch_registers registers;

    if (!task) {
        session->waiting = session->waiting && any_waits(session);
        return NULL;
    }
    struct breaks *breaks = task->group->space->breaks;
    struct slot *slot = free_slot(breaks->displace, task->step->point_addr);
    struct breakpoint *point = break_find(breaks, task->step->point_addr);

    if (!breaks->closed && slot && ptrace_registers(task->tid, &registers) == 0 && start(task, slot, &registers) == 0)
        return task;
    /* It stands at its own place, where it can do it itself. */
    if (point)
        break_disarm(session, task->tid, point);
    send_later(task);
    displace_forget(task);
    return task;
}
