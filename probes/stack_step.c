/* Steps that need no table: signal trampolines without unwind information (musl, Go), and frame pointers (code made at
 * run time, stripped assembler). */
#include "stack_parts.h"

#include <string.h>

enum {
    FRAME_MOST = 8 * 1024 * 1024, /* no frame is larger than a usual stack */
    CONTEXT_REGISTERS = 40,       /* offset of the registers in a ucontext_t */
};

/* In the order of ucontext_t's gregs (sys/ucontext.h of x86-64), by their DWARF numbers. */
static const uint8_t context_order[] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16};

enum unwind_step step_signal(const struct mem *mem, struct unwind *unwind)
{
    /* mov $15,%rax or %eax (rt_sigreturn); syscall */
    static const unsigned char wide[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05},
                               narrow[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
    uint64_t registers[STACK_REGISTERS];
    unsigned char code[sizeof wide];

    if (mem_read(mem, unwind->value[UNWIND_IP], code, sizeof code) ||
        (memcmp(code, wide, sizeof wide) && memcmp(code, narrow, sizeof narrow)))
        return UNWIND_NONE;
    /* The handler's return has taken the trampoline's address off: the ucontext_t comes next (struct rt_sigframe,
     * arch/x86/include/asm/sigframe.h of the kernel). */
    if (mem_read(mem, unwind->value[UNWIND_SP] + CONTEXT_REGISTERS, registers, sizeof registers))
        return UNWIND_END;
    *unwind = (struct unwind){.exact = true};
    for (unsigned i = 0; i < STACK_REGISTERS; i++)
        unwind_set(unwind, context_order[i], registers[i]);
    return UNWIND_OK;
}

/* Whether the instruction before ADDR can be a call: what a return address has before it, and little else. */
static bool after_call(const struct mem *mem, uint64_t addr)
{
    unsigned char code[7];

    if (addr < sizeof code || mem_read(mem, addr - sizeof code, code, sizeof code))
        return false;
    if (code[2] == 0xe8) /* call rel32 */
        return true;
    /* call *r/m: ff /2, with two to seven bytes */
    for (size_t length = 2; length <= 7; length++) {
        const unsigned char *at = code + sizeof code - length;

        if (at[0] == 0xff && (at[1] >> 3 & 7) == 2)
            return true;
    }
    return false;
}

bool step_can_return_to(const struct modules *modules, const struct mem *mem, uint64_t addr)
{
    const struct region *region = modules_region(modules, addr);

    return region && region->executable && after_call(mem, addr);
}

enum unwind_step step_frame_pointer(const struct modules *modules, const struct mem *mem, struct unwind *unwind)
{
    uint64_t fp = unwind->value[UNWIND_FP], sp = unwind->value[UNWIND_SP], words[2];

    if (!unwind_knows(unwind, UNWIND_FP) || fp < sp || fp - sp > FRAME_MOST || fp % 8 ||
        mem_read(mem, fp, words, sizeof words))
        return UNWIND_NONE;
    if (!step_can_return_to(modules, mem, words[1]))
        return UNWIND_NONE;
    *unwind = (struct unwind){0};
    unwind_set(unwind, UNWIND_FP, words[0]);
    unwind_set(unwind, UNWIND_SP, fp + 16);
    unwind_set(unwind, UNWIND_IP, words[1]);
    return UNWIND_OK;
}
