#include "breaks_table.h"

#include "displace.h"
#include "emulate.h"
#include "state.h"
#include "traps.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    /* Calls that one thread waits for. What is deeper has most likely been left by a longjmp on a stack of its own. */
    AWAITED_MOST = 512,
    STACK_MOST = 8 << 20, /* bytes: what lies further away is another stack, of which nothing is concluded */
};

/* --- setting -------------------------------------------------------------------------------------------------------
 */

static bool byte_at(const struct mem *mem, uint64_t addr, unsigned char *ret)
{
    return mem_read(mem, addr, ret, 1) == 0;
}

static bool allowed(const struct session *session, const struct task *task)
{
    const struct breaks *breaks = task->group->space->breaks;

    return !session->attach && session->recording && !session->detaching && task->group->abi == ABI_NATIVE &&
           !(breaks && breaks->closed);
}

/* Every process has the same few functions. A jump's target depends on where it stands. */
static bool recall(const struct session *session, const uint8_t *bytes, size_t n, struct instruction *ret)
{
    for (size_t i = 0; i < DECODED_MOST && n == sizeof session->decoded[i].bytes; i++)
        if (session->decoded[i].instruction.size && memcmp(session->decoded[i].bytes, bytes, n) == 0) {
            *ret = session->decoded[i].instruction;
            return true;
        }
    return false;
}

static void remember(struct session *session, const uint8_t *bytes, size_t n, const struct instruction *instruction)
{
    struct decoded *place = &session->decoded[session->decodings % DECODED_MOST];

    if (n != sizeof place->bytes || instruction->kind == INSTRUCTION_JUMP || instruction->kind == INSTRUCTION_CALL)
        return;
    session->decodings++;
    memcpy(place->bytes, bytes, n);
    place->instruction = *instruction;
}

static void decode(struct session *session, const struct break_code *code, struct breakpoint *point)
{
    size_t at = (size_t)(point->addr - code->start_addr), n = code->size > at ? code->size - at : 0;
    uint8_t bytes[INSTRUCTION_LONGEST];

    if (point->decoded || !n)
        return;
    if (!session->disassembler)
        session->disassembler = disassembler_create();
    n = n < sizeof bytes ? n : sizeof bytes;
    memcpy(bytes, code->bytes + at, n);
    bytes[0] = point->original;
    point->decoded = true;
    if (!session->disassembler || recall(session, bytes, n, &point->first))
        return;
    instruction_decode(session->disassembler, bytes, n, point->addr, &point->first);
    remember(session, bytes, n, &point->first);
}

/* The breakpoint at ADDR, made where there is none; NULL where memory cannot be read or another's trap stands there. */
static struct breakpoint *point_at(struct session *session, struct task *task, uint64_t addr, struct break_code *code)
{
    struct space *space = task->group->space;
    struct breakpoint *point = break_find(space->breaks, addr);

    if (point && point->armed && point->decoded)
        return point;
    if (!break_code_of(session, task->tid, addr, code))
        return NULL;
    unsigned char original = code->bytes[addr - code->start_addr];

    if (point && point->armed)
        return point;
    if (original == arch_native.trap)
        return NULL;
    if (point && point->original != original) { /* another object has come to that place */
        point->original = original;
        point->decoded = point->planned = false;
    }
    if (point)
        return point;
    if (!space->breaks) {
        space->breaks = xcalloc(1, sizeof *space->breaks);
        space->breaks->closed = space->ignores_trap;
    }
    if (space->breaks->closed)
        return NULL;
    point = xcalloc(1, sizeof *point);
    point->addr = addr;
    point->original = original;
    HASH_ADD(hh, space->breaks->by_addr, addr, sizeof point->addr, point);
    return point;
}

/* Whether threads can go on from POINT with the trap in its place. */
static bool can_pass(struct session *session, struct task *task, struct breakpoint *point,
                     const struct break_code *code)
{
    decode(session, code, point);
    return point->first.kind != INSTRUCTION_OTHER || displace_can(session, task, point, code);
}

static void tell_refused(struct session *session, struct task *task, struct breakpoint *point,
                         const struct break_code *code)
{
    CLEANUP_FREE char *text = NULL;
    size_t at = (size_t)(point->addr - code->start_addr);

    if (point->refused || !session->disassembler || code->size <= at)
        return;
    point->refused = true;
    instruction_text(session->disassembler, code->bytes + at, code->size - at, point->addr, &text);
    session_note(session, task,
                 "has no breakpoint at %#llx, where one is wanted: its instruction (%s) can be done nowhere else",
                 (unsigned long long)point->addr, text ? text : "not known");
}

bool breaks_add(struct session *session, struct task *task, uint64_t addr, const struct break_handler *handler)
{
    struct break_code code;
    struct breakpoint *point = allowed(session, task) ? point_at(session, task, addr, &code) : NULL;

    if (!point || point->handler_count == HANDLERS_MOST)
        return false;
    for (unsigned i = 0; i < point->handler_count; i++)
        if (point->handlers[i].hit == handler->hit && point->handlers[i].ctx == handler->ctx)
            return true;
    if (!can_pass(session, task, point, &code)) {
        tell_refused(session, task, point, &code);
        return false;
    }
    if (break_arm(session, task->tid, point, &code) < 0)
        return false;
    point->handlers[point->handler_count++] = *handler;
    return true;
}

static void settle(struct session *session, struct task *task, uint64_t addr)
{
    struct breakpoint *point = break_find(task->group->space->breaks, addr);

    if (point && !break_wanted(point))
        break_disarm(session, task->tid, point);
}

void breaks_remove(struct session *session, struct task *task, uint64_t addr, const struct break_handler *handler)
{
    struct breakpoint *point = break_find(task->group->space->breaks, addr);

    for (unsigned i = 0; point && i < point->handler_count; i++)
        if (point->handlers[i].hit == handler->hit && point->handlers[i].ctx == handler->ctx) {
            point->handlers[i] = point->handlers[--point->handler_count];
            break;
        }
    settle(session, task, addr);
}

/* --- returns -------------------------------------------------------------------------------------------------------
 */

/* Takes the awaited call I off TASK's list; its breakpoint is left to the caller of this. */
static struct awaited take(struct task *task, size_t i)
{
    struct awaited awaited = task->awaited[i];
    struct breakpoint *point = break_find(task->group->space->breaks, awaited.addr);

    memmove(&task->awaited[i], &task->awaited[i + 1], (task->awaited_count - i - 1) * sizeof *task->awaited);
    task->awaited_count--;
    if (point && point->waiting)
        point->waiting--;
    return awaited;
}

static void abandon(struct session *session, struct task *task, size_t i)
{
    struct awaited awaited = take(task, i);

    awaited.back(session, task, NULL, awaited.data);
    settle(session, task, awaited.addr);
}

/* Calls whose frames lie below SP_ADDR on the same stack are over, however they ended. */
static void drop_passed(struct session *session, struct task *task, uint64_t sp_addr)
{
    for (size_t i = task->awaited_count; i-- > 0;) {
        uint64_t sp = task->awaited[i].sp_addr;

        if (sp <= sp_addr && sp_addr - sp < STACK_MOST)
            abandon(session, task, i);
    }
}

bool breaks_at_return(struct session *session, struct task *task, const struct break_hit *hit,
                      const struct break_return *ret)
{
    uint64_t sp = hit->registers->dwarf[REGISTER_SP], addr;

    if (!allowed(session, task) || mem_read_word(hit->mem, sp, &addr) < 0)
        return false;
    drop_passed(session, task, sp);
    while (task->awaited_count >= AWAITED_MOST)
        abandon(session, task, 0);
    struct break_code code;
    struct breakpoint *point = point_at(session, task, addr, &code);

    if (!point || break_arm(session, task->tid, point, &code) < 0)
        return false;
    if (ret->keep && !point->kept)
        point->kept = can_pass(session, task, point, &code);
    struct awaited *awaited =
        array_add(&task->awaited, &task->awaited_count, &task->awaited_cap, sizeof *task->awaited);

    *awaited = (struct awaited){.addr = addr, .sp_addr = sp, .back = ret->back, .data = ret->data};
    point->waiting++;
    return true;
}

/* The call that has returned to HIT's address, if it is one that was waited for. */
static void come_back(struct session *session, struct task *task, const struct break_hit *hit)
{
    uint64_t sp = hit->registers->dwarf[REGISTER_SP] - BREAK_WORD; /* the return took its address off the stack */

    for (size_t i = task->awaited_count; i-- > 0;) {
        if (task->awaited[i].addr != hit->addr || task->awaited[i].sp_addr != sp)
            continue;
        struct awaited awaited = take(task, i);

        awaited.back(session, task, hit, awaited.data);
        break;
    }
    drop_passed(session, task, sp);
}

void breaks_forget(struct task *task)
{
    while (task->awaited_count) {
        struct awaited awaited = take(task, task->awaited_count - 1);

        awaited.back(NULL, task, NULL, awaited.data);
    }
    displace_forget(task);
    free(task->awaited);
    task->awaited = NULL;
    task->awaited_cap = 0;
}

/* --- hits ----------------------------------------------------------------------------------------------------------
 */

static void tell(struct session *session, struct task *task, struct breakpoint *point, const struct break_hit *hit)
{
    struct break_handler handlers[HANDLERS_MOST];
    unsigned count = point->handler_count;

    memcpy(handlers, point->handlers, sizeof handlers); /* one may add another */
    if (task->awaited_count)
        come_back(session, task, hit);
    for (unsigned i = 0; i < count; i++)
        handlers[i].hit(session, task, hit, handlers[i].ctx);
}

/* The instruction at POINT is left to the processor: because nobody waits there any more, because it is to fault, or
 * because only the processor can do it. Others that are waited for there go on untold. */
static bool give_up(struct session *session, struct task *task, struct breakpoint *point, const struct mem *mem)
{
    unsigned char byte;

    break_disarm(session, task->tid, point);
    point->kept = false;
    if (point->waiting)
        session_note(session, task,
                     "returns from a function at a place that can have no breakpoint while other threads "
                     "are to return there: what they get back is not seen");
    point->waiting = 0;
    return byte_at(mem, point->addr, &byte) && byte != arch_native.trap;
}

/* On from POINT as if nothing stood there. False where that cannot be: its memory is closed to us. */
static bool pass(struct session *session, struct task *task, struct breakpoint *point, const struct mem *mem,
                 struct arch_registers *registers, bool sent)
{
    const struct emulate_memory memory = {.mem = mem, .write = break_write, .ctx = &task->tid};
    bool emulated = false;
    struct break_code code;

    if (point->armed && break_wanted(point)) {
        if (!point->decoded && break_code_read(mem, point->addr, &code))
            decode(session, &code, point);
        emulated = emulate(&point->first, point->addr, &memory, registers);
        task->passed_addr = point->addr;
        if (!emulated && (point->planned || break_code_read(mem, point->addr, &code)) &&
            displace_can(session, task, point, &code) && displace_begin(session, task, point, registers, sent))
            return true;
    }
    if (!emulated && !give_up(session, task, point, mem))
        return false;
    return ptrace_set_registers(task->tid, registers) == 0;
}

/* A hit whose instruction was called off (displace.h), after what came between. */
static bool told_already(struct task *task, const struct break_hit *hit)
{
    uint64_t sp_addr = hit->registers->dwarf[REGISTER_SP];
    bool again = task->told_addr == hit->addr && task->told_sp_addr == sp_addr;

    if (again || sp_addr > task->told_sp_addr)
        task->told_addr = 0;
    return again;
}

enum origin { OURS, SENT, MERGED };

/* Whose SIGTRAP it is: a trap's; one that was sent (kill(2)), or a step's or a debug register's (TRAP_TRACE,
 * TRAP_HWBKPT); or one that was sent and waited, blocked, when the thread came to our trap: the kernel then forces that
 * one upon it and makes no other (legacy_queue() in kernel/signal.c). */
static enum origin origin_of(const struct task *task, const struct breakpoint *point)
{
    siginfo_t info;

    if (ptrace_signal_info(task->tid, &info) < 0)
        return SENT;
    if (info.si_code == SI_KERNEL)
        return OURS;
    /* Behind an instruction of one byte it may just have gone on from here. */
    bool ambiguous = point->first.size == 1 && task->passed_addr == point->addr;

    return point->armed && info.si_code <= 0 && !ambiguous ? MERGED : SENT;
}

bool breaks_hit(struct session *session, struct task *task, bool *sent)
{
    struct space *space = task->group->space;
    struct arch_registers registers;

    if (!space->breaks || task->group->abi != ABI_NATIVE || ptrace_registers(task->tid, &registers) < 0)
        return false;
    struct breakpoint *point = break_find(space->breaks, registers.dwarf[REGISTER_IP] - 1);
    struct memory memory = {.tid = task->tid, .fallback = session->memory.fallback};
    struct mem mem = memory_mem(&memory, BREAK_WORD);
    unsigned char byte;

    *sent = false;
    if (!point)
        return false;
    enum origin origin = origin_of(task, point);

    if (origin == SENT)
        return false;
    *sent = origin == MERGED;
    if (!point->armed && byte_at(&mem, point->addr, &byte) && byte == arch_native.trap)
        return false; /* ours is out, this is the program's own */
    registers.dwarf[REGISTER_IP] = point->addr;
    const struct break_hit hit = {.addr = point->addr, .registers = &registers, .mem = &mem};

    pin_stop(&session->pin, &session->tasks, task);
    traps_mend(session, task, sent);
    if (!session->recording || session->detaching)
        breaks_lift(session, task);
    else if (point->armed && !told_already(task, &hit))
        tell(session, task, point, &hit);
    return pass(session, task, point, &mem, &registers, *sent);
}
