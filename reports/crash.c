#include "crash.h"

#include <probes/alloc.h>
#include <probes/cpu.h>
#include <probes/memimage.h>
#include <probes/opcode.h>
#include <probes/path.h>

#include <signal.h>
#include <string.h>

enum {
    LINES_BEFORE = 3,
    LINES_AFTER = 3,
    MESSAGE_READ = 4096,
    FRAME_SEARCHED = 65536, /* bytes above the stack pointer in which a handler's signal frame is looked for */
};

struct crash *crash_create(void)
{
    struct crash *crash = xcalloc(1, sizeof *crash);

    crash->references = 1;
    crash->file_size = -1;
    return crash;
}

struct crash *crash_get(struct crash *crash)
{
    crash->references++;
    return crash;
}

void crash_put(struct crash *crash)
{
    if (!crash || --crash->references)
        return;
    for (size_t i = 0; i < crash->line_count; i++)
        free(crash->lines[i].text);
    for (size_t i = 0; i < crash->thread_count; i++) {
        free(crash->threads[i].name);
        free(crash->threads[i].unread);
        frames_free(crash->threads[i].stack, crash->threads[i].stack_count);
    }
    free(crash->lines);
    free(crash->threads);
    free(crash->thread_name);
    free(crash->sender_name);
    free(crash->address);
    free(crash->file);
    free(crash->gone);
    free(crash->object);
    free(crash->message);
    free(crash->call);
    free(crash->feature_read);
    free(crash);
}

bool crash_signal(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGABRT ||
           signal == SIGTRAP || signal == SIGSYS;
}

const char *crash_instruction(const struct crash *crash)
{
    for (size_t i = 0; i < crash->line_count; i++)
        if (crash->lines[i].here)
            return crash->lines[i].text;
    return NULL;
}

/* ---- the code ---- */

/* What the disassembler does not know: newer than it, or no instruction at all. */
static char *bytes_text(const uint8_t *bytes, size_t n)
{
    char text[3 * 8 + 1] = "";

    for (size_t i = 0; i < n && i < 8; i++)
        snprintf(text + 3 * i, sizeof text - 3 * i, " %02x", bytes[i]);
    return xasprintf("(not known:%s …)", text);
}

static void line_add(struct crash *crash, size_t *cap, uint64_t addr, char *taken, bool here)
{
    struct crash_line *line = array_add(&crash->lines, &crash->line_count, cap, sizeof *line);

    *line = (struct crash_line){addr, taken, here};
}

/* Whether instructions that begin at FROM lead exactly to AT; the number of them. */
static size_t leads_to(struct disassembler *disassembler, const struct crash *crash, size_t from, size_t at)
{
    size_t count = 0;

    while (from < at) {
        CLEANUP_FREE char *text = NULL;
        unsigned size = instruction_text(disassembler, crash->code_bytes + from, at - from, 0, &text);

        if (!size)
            return 0;
        from += size;
        count++;
    }
    return from == at ? count : 0;
}

/* Where the instructions before AT begin. x86 code cannot be read backwards; but it falls into step: decoded from far
 * enough away, whatever the first bytes were, the last few instructions are mostly right. The start that is farthest
 * away and leads to AT is taken. */
static size_t start_of_lines(struct disassembler *disassembler, const struct crash *crash, size_t first, size_t at)
{
    for (size_t from = first; from < at; from++)
        if (leads_to(disassembler, crash, from, at))
            return from;
    return at;
}

static void look_at_code(struct crash *crash, struct disassembler *disassembler)
{
    size_t at = CRASH_CODE_BEFORE, end = at + crash->code_after, cap = 0;
    size_t from = start_of_lines(disassembler, crash, at - crash->code_before, at);
    size_t before = leads_to(disassembler, crash, from, at);

    for (size_t after = 0; from < end && after <= LINES_AFTER;) {
        uint64_t addr = crash->ip_addr - CRASH_CODE_BEFORE + from;
        char *text = NULL;
        unsigned size = instruction_text(disassembler, crash->code_bytes + from, end - from, addr, &text);

        if (!size && from != at)
            break;
        if (from < at && before-- > LINES_BEFORE)
            free(text);
        else
            line_add(crash, &cap, addr, size ? text : bytes_text(crash->code_bytes + from, end - from), from == at);
        if (!size)
            break;
        from += size;
        after += from > at;
    }
}

static bool is_ud(const uint8_t *bytes, size_t n)
{
    return n >= 2 && bytes[0] == 0x0f && (bytes[1] == 0x0b || bytes[1] == 0xb9 || bytes[1] == 0xff); /* ud2, ud1, ud0 */
}

static void look_at_trap(struct crash *crash, struct disassembler *disassembler)
{
    const uint8_t *bytes = crash->code_bytes + CRASH_CODE_BEFORE;
    size_t n = crash->code_after;

    if (crash->signal == SIGTRAP) {
        /* The processor has gone on behind int3. */
        crash->trap = crash->code_before && bytes[-1] == 0xcc ? TRAP_BREAKPOINT : TRAP_NONE;
    } else if (crash->signal == SIGILL && n) {
        crash->feature = instruction_feature(disassembler, bytes, n);
        if (is_ud(bytes, n))
            crash->trap = TRAP_UD;
        else if (crash->feature && cpu_has(crash->feature) == 0)
            crash->trap = TRAP_ABSENT;
        else if (opcode_is_of_kernel(bytes, n))
            crash->trap = TRAP_PRIVILEGED;
        else if (!crash_instruction(crash) || crash_instruction(crash)[0] == '(')
            crash->trap = TRAP_NO_INSTRUCTION;
    }
}

/* ---- the address ---- */

/* The place that the instruction touches and that agrees with what the kernel says. */
static const struct touched *touched_at(const struct crash *crash, const struct touched *touched, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (crash->info_addr - touched[i].addr < (touched[i].size ? touched[i].size : 1))
            return &touched[i];
    /* String instructions and large copies stop on the way. */
    return count == 1 ? &touched[0] : NULL;
}

static enum crash_use use_of(const struct touched *touched)
{
    return !touched ? USE_UNKNOWN : touched->writes ? USE_WRITE : touched->reads ? USE_READ : USE_UNKNOWN;
}

/* A general protection fault: si_addr is 0 and means nothing (arch/x86/kernel/traps.c, exc_general_protection); what
 * can be wrong with the instruction is looked for. */
static void look_at_protection(struct crash *crash, struct disassembler *disassembler, const struct touched *touched,
                               size_t count)
{
    const uint8_t *bytes = crash->code_bytes + CRASH_CODE_BEFORE;

    for (size_t i = 0; i < count; i++) {
        uint64_t top = touched[i].addr >> 47;
        bool wrong = top && top != 0x1ffff, skewed = touched[i].aligned && touched[i].addr % touched[i].size;

        if (!wrong && !skewed)
            continue;
        crash->has_addr = crash->computed = true;
        crash->addr = touched[i].addr;
        crash->use = use_of(&touched[i]);
        crash->trap = wrong ? TRAP_NONE : TRAP_UNALIGNED;
        return;
    }
    if (crash->code_after && instruction_privileged(disassembler, bytes, crash->code_after))
        crash->trap = TRAP_PRIVILEGED;
}

static void look_at_use(struct crash *crash, struct disassembler *disassembler)
{
    const uint8_t *bytes = crash->code_bytes + CRASH_CODE_BEFORE;
    struct touched touched[TOUCHED_MOST];
    size_t count = 0;

    if (crash->signal != SIGSEGV && crash->signal != SIGBUS)
        return;
    if (crash->has_general && disassembler && crash->code_after)
        count = instruction_touches(disassembler, bytes, crash->code_after, crash->general.dwarf, touched);
    if (crash->code == SI_KERNEL) {
        if (disassembler)
            look_at_protection(crash, disassembler, touched, count);
        return;
    }
    if (crash->code <= 0)
        return; /* sent, no fault */
    crash->has_addr = true;
    crash->addr = crash->info_addr;
    crash->use = crash->addr == crash->ip_addr ? USE_EXECUTE : use_of(touched_at(crash, touched, count));
}

/* The file that is mapped at the address, and how long it is now. */
static void look_at_file(struct crash *crash, const struct address *address, const char *root)
{
    const struct mapping *map = &address->mapping;
    struct stat st;

    if (!map->name || map->name[0] != '/')
        return;
    crash->file = xstrdup(map->name);
    crash->file_offset = crash->addr - map->start + map->offset;
    if (path_stat(root, map->name, &st) == 0)
        crash->file_size = st.st_size;
}

/* Where the stack could not be followed at all: the place of the instruction. */
static void look_at_frame(struct crash *crash, const struct mapping *at)
{
    struct crash_thread *first = crash->thread_count ? &crash->threads[0] : NULL;

    if (!first || first->stack_count || !crash->ip_addr)
        return;
    first->stack = xcalloc(1, sizeof *first->stack);
    first->stack_count = 1;
    first->stack[0].ip_addr = crash->ip_addr;
    if (!at)
        return;
    first->stack[0].object = xstrdup(crash->object);
    first->stack[0].offset = crash->ip_addr - at->start + at->offset;
}

/* What glibc printed before it called abort(): __abort_msg (assert/assert.c, sysdeps/posix/libc_fatal.c) points at the
 * size of a mapping and the text in it. */
static char *abort_message(const struct addresses *addresses, const struct mem *mem)
{
    const struct mapping *libc = addresses_libc(addresses);
    struct memimage image;
    struct memimage_symbol symbol;
    uint64_t at = 0;
    uint32_t size = 0;
    char *message = NULL;

    if (!libc || memimage_at(mem, libc->start, &image) < 0)
        return NULL;
    if (memimage_symbol(&image, "__abort_msg", "GLIBC_PRIVATE", &symbol) == 0 &&
        mem_read_word(&image.mem, symbol.addr, &at) == 0 && at && mem_read(mem, at, &size, sizeof size) == 0 &&
        size > sizeof size)
        message = mem_read_string(mem, at + sizeof size, size < MESSAGE_READ ? size : MESSAGE_READ, NULL);
    memimage_deinit(&image);
    return message;
}

static void look_at_address(struct crash *crash, const struct mem *mem, const char *root)
{
    struct addresses *addresses = addresses_read(crash->pid);
    const struct mapping *at = addresses_at(addresses, crash->ip_addr);
    struct address address;

    if (at)
        crash->object = xstrdup(at->name[0] ? at->name : "[anon]");
    look_at_frame(crash, at);
    /* abort() in the first process of a PID namespace, which no signal ends, goes on to a privileged instruction. */
    if (crash->signal == SIGABRT || crash->trap == TRAP_PRIVILEGED)
        crash->message = abort_message(addresses, mem);
    addresses_stack(addresses, crash->tid, crash->sp_addr);
    if (crash->has_addr) {
        address_look(addresses, crash->addr, &address);
        crash->what = address.what;
        crash->distance = address.distance;
        crash->stack_of = address.thread;
        crash->address = address_text(&address, crash->pid);
        look_at_file(crash, &address, root);
    }
    addresses_destroy(addresses);
}

void crash_look(struct crash *crash, const struct mem *mem, const char *root)
{
    struct disassembler *disassembler = crash->has_general ? disassembler_create() : NULL;

    if (disassembler && crash->code_before + crash->code_after)
        look_at_code(crash, disassembler);
    if (disassembler && crash->code > 0)
        look_at_trap(crash, disassembler);
    look_at_use(crash, disassembler);
    look_at_address(crash, mem, root);
    disassembler_destroy(disassembler);
}

bool crash_stood_at(const struct crash *crash, uint64_t ip_addr)
{
    const uint64_t call_size = 2; /* of syscall */

    /* A call that the signal broke off, and that is to be made again, is set back to after we have seen where the
     * thread stands (signal(7), SA_RESTART). */
    return ip_addr == crash->ip_addr || (crash->code <= 0 && ip_addr == crash->ip_addr - call_size);
}

bool crash_in_handler(const struct crash *crash, const struct mem *mem, uint64_t sp_addr)
{
    CLEANUP_FREE uint64_t *words = xmalloc(FRAME_SEARCHED);
    ssize_t got = mem->read(mem->ctx, sp_addr & ~7ULL, words, FRAME_SEARCHED);

    /* gregs[REG_RSP] and gregs[REG_RIP] stand side by side (<sys/ucontext.h>). */
    for (size_t i = 0; got > 0 && i + 1 < (size_t)got / sizeof *words; i++)
        if (words[i] == crash->sp_addr && crash_stood_at(crash, words[i + 1]))
            return true;
    return false;
}
