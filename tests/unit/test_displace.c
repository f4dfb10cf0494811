/* Instructions at another place than their own, against the same ones at it: a child steps over each with many register
 * values, and all registers, flags and memory must be alike. */
#include "stepbed.h"

#include <tracer/displace.h>

enum { SLOT_AT = 32 }; /* in the area, behind the original, both outside of what is compared */

static void put_code(size_t at, const void *bytes, size_t size)
{
    struct iovec local = {(void *)(uintptr_t)bytes, size}, remote = {area + at, size};

    ck_assert_int_eq(process_vm_writev(child, &local, 1, &remote, 1, 0), (ssize_t)size);
}

/* The number of a signal that comes instead of the step's trap, or 0. */
static int step(void)
{
    int status;

    ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSTOPPED(status));
    return WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

static void compare(const char *bytes, size_t size, uint64_t seed)
{
    static unsigned char before[AREA], here[AREA], there[AREA];
    uint64_t addr = (uint64_t)(uintptr_t)area, slot_addr = addr + SLOT_AT;
    struct arch_registers first, real, ours;
    struct displaced plan;

    fill(&seed);
    put_code(0, bytes, size);
    fetch(&first);
    prepare(&first, addr, &seed);
    first.dwarf[REGISTER_RESULT] = addr + 2048; /* %rax: where an indirect branch goes to */
    snapshot(before);
    put(&first);
    int signal = step();

    fetch(&real);
    snapshot(here);
    put_code(0, before, AREA);

    instruction_displace(disassembler, (const uint8_t *)bytes, size, addr, &plan);
    ck_assert_uint_eq(plan.size, size);
    put_code(SLOT_AT, plan.bytes, plan.size);
    ours = first;
    ours.dwarf[REGISTER_IP] = slot_addr;
    if (plan.base != REGISTER_NONE)
        ours.dwarf[plan.base] = addr + size;
    put(&ours);
    ck_assert_int_eq(step(), signal);
    fetch(&ours);
    bool done = displace_settle(&plan, addr, slot_addr, plan.base != REGISTER_NONE ? first.dwarf[plan.base] : 0,
                                !signal, &ours);

    ck_assert(done == !signal);
    if (done && plan.calls)
        write_child(NULL, ours.dwarf[REGISTER_SP], addr + size, 8);
    snapshot(there);
    ck_assert_mem_eq(here + CODE, there + CODE, AREA - CODE);
    ck_assert_mem_eq(real.dwarf, ours.dwarf, sizeof real.dwarf);
    ck_assert_uint_eq(real.flags & ~0x100UL, ours.flags & ~0x100UL);
}

struct code {
    const char *bytes;
    size_t size;
};
#define ROW(literal)                                                                                                   \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

/* Operands at %rip lie 0x171 bytes behind, those at %rdi, %rsp and %rbp in the area. */
static const struct code instructions[] = {
    ROW("\x90"),                                         /* nop */
    ROW("\x55"),                                         /* push %rbp */
    ROW("\xc3"),                                         /* ret */
    ROW("\xc2\x10\x00"),                                 /* ret $16 */
    ROW("\xf3\xc3"),                                     /* rep ret */
    ROW("\xc9"),                                         /* leave */
    ROW("\xc8\x10\x00\x00"),                             /* enter $16,$0 */
    ROW("\x74\x66"),                                     /* je */
    ROW("\x75\x10"),                                     /* jne */
    ROW("\x7f\xf0"),                                     /* jg, backwards */
    ROW("\x0f\x82\x10\x01\x00\x00"),                     /* jb */
    ROW("\x75\xfe"),                                     /* jne to itself */
    ROW("\xe3\x10"),                                     /* jrcxz */
    ROW("\x67\xe3\x10"),                                 /* jecxz */
    ROW("\xe2\x10"),                                     /* loop */
    ROW("\xe0\xf0"),                                     /* loopne */
    ROW("\xe9\x10\x00\x00\x00"),                         /* jmp */
    ROW("\xf2\xe9\x10\x00\x00\x00"),                     /* bnd jmp */
    ROW("\xe8\x10\x00\x00\x00"),                         /* call */
    ROW("\x66\x66\x48\xe8\x10\x00\x00\x00"),             /* data16 data16 rex.W call, as for __tls_get_addr */
    ROW("\xff\xe0"),                                     /* jmp *%rax */
    ROW("\x3e\xff\xe0"),                                 /* notrack jmp *%rax */
    ROW("\xff\xd0"),                                     /* call *%rax */
    ROW("\x0f\xb6\x47\x08"),                             /* movzbl 8(%rdi),%eax */
    ROW("\x0f\xb6\x05\x71\x01\x00\x00"),                 /* movzbl 0x171(%rip),%eax */
    ROW("\x45\x0f\xbe\x0d\x71\x01\x00\x00"),             /* movsbl 0x171(%rip),%r9d */
    ROW("\x48\x8b\x35\x71\x01\x00\x00"),                 /* mov 0x171(%rip),%rsi */
    ROW("\x48\x8b\x3d\x71\x01\x00\x00"),                 /* mov 0x171(%rip),%rdi */
    ROW("\x4c\x8b\x3d\x71\x01\x00\x00"),                 /* mov 0x171(%rip),%r15 */
    ROW("\x48\x8d\x35\x71\x01\x00\x00"),                 /* lea 0x171(%rip),%rsi */
    ROW("\x88\x1d\x71\x01\x00\x00"),                     /* mov %bl,0x171(%rip) */
    ROW("\x40\x88\x35\x71\x01\x00\x00"),                 /* mov %sil,0x171(%rip) */
    ROW("\x88\x35\x71\x01\x00\x00"),                     /* mov %dh,0x171(%rip) */
    ROW("\x66\x89\x35\x71\x01\x00\x00"),                 /* mov %si,0x171(%rip) */
    ROW("\x80\x3d\x71\x01\x00\x00\x05"),                 /* cmpb $5,0x171(%rip) */
    ROW("\x83\x05\x71\x01\x00\x00\x05"),                 /* addl $5,0x171(%rip) */
    ROW("\x48\x81\x05\x71\x01\x00\x00\x01\x02\x03\x04"), /* addq $0x4030201,0x171(%rip) */
    ROW("\xff\x35\x71\x01\x00\x00"),                     /* push 0x171(%rip) */
    ROW("\x8f\x05\x71\x01\x00\x00"),                     /* pop 0x171(%rip) */
    ROW("\xf0\x48\x0f\xb1\x35\x72\x01\x00\x00"),         /* lock cmpxchg %rsi,0x172(%rip) */
    ROW("\xf0\x48\x0f\xc1\x3d\x71\x01\x00\x00"),         /* lock xadd %rdi,0x171(%rip) */
    ROW("\x48\x87\x1d\x71\x01\x00\x00"),                 /* xchg %rbx,0x171(%rip) */
    ROW("\x0f\xc7\x0d\x71\x01\x00\x00"),                 /* cmpxchg8b 0x171(%rip): %rbx is in it */
    ROW("\x0f\x95\x05\x71\x01\x00\x00"),                 /* setne 0x171(%rip) */
    ROW("\x0f\x44\x05\x71\x01\x00\x00"),                 /* cmove 0x171(%rip),%eax */
    ROW("\x48\xd1\x25\x71\x01\x00\x00"),                 /* shlq 0x171(%rip) */
    ROW("\x48\xf7\x1d\x71\x01\x00\x00"),                 /* negq 0x171(%rip) */
    ROW("\x0f\x11\x05\x72\x01\x00\x00"),                 /* movups %xmm0,0x172(%rip) */
    ROW("\x66\x44\x0f\x7f\x3d\x77\x01\x00\x00"),         /* movdqa %xmm15,0x177(%rip): aligned here, and in the slot */
    ROW("\xf3\x0f\x6f\x05\x71\x01\x00\x00"),             /* movdqu 0x171(%rip),%xmm0 */
    ROW("\xc5\xfa\x7f\x05\x71\x01\x00\x00"),             /* vmovdqu %xmm0,0x171(%rip) */
    ROW("\xdd\x1d\x71\x01\x00\x00"),                     /* fstpl 0x171(%rip) */
    ROW("\xa4"),                                         /* movsb: faults, %rsi being no address */
    ROW("\xaa"),                                         /* stosb */
    ROW("\x48\x99"),                                     /* cqto */
    ROW("\x48\x0f\xba\xe0\x05"),                         /* bt $5,%rax */
    ROW("\x48\xc1\xe0\x03"),                             /* shl $3,%rax */
    ROW("\x64\x8b\x04\x25\x00\x00\x00\x00"),             /* mov %fs:0,%eax */
    ROW("\x0f\x1f\x84\x00\x00\x00\x00\x00"),             /* nopl */
    /* These fault. */
    ROW("\x0f\x0b"),             /* ud2 */
    ROW("\xf4"),                 /* hlt */
    ROW("\x8b\x06"),             /* mov (%rsi),%eax */
    ROW("\xff\x16"),             /* call *(%rsi) */
    ROW("\xff\x26"),             /* jmp *(%rsi) */
    ROW("\x48\xf7\x7e\x10"),     /* idivq 16(%rsi) */
    ROW("\x0f\x29\x44\x24\x01"), /* movaps %xmm0,1(%rsp): not aligned */
};

START_TEST(as_at_its_own_place)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        compare(instructions[_i].bytes, instructions[_i].size, seed * 0x9e3779b97f4a7c15);
}
END_TEST

static const struct code bound[] = {
    ROW("\x0f\x05"),                     /* syscall */
    ROW("\x0f\x34"),                     /* sysenter */
    ROW("\xcd\x80"),                     /* int $0x80 */
    ROW("\xcc"),                         /* int3 */
    ROW("\xf1"),                         /* int1 */
    ROW("\x9c"),                         /* pushf */
    ROW("\x66\x9d"),                     /* popfw */
    ROW("\x9d"),                         /* popf */
    ROW("\x48\xcf"),                     /* iretq */
    ROW("\xcb"),                         /* lret */
    ROW("\xff\x2f"),                     /* ljmp *(%rdi) */
    ROW("\xff\x1f"),                     /* lcall *(%rdi) */
    ROW("\x8e\xd0"),                     /* mov %eax,%ss */
    ROW("\xf3\xa4"),                     /* rep movsb */
    ROW("\xf3\x48\xab"),                 /* rep stosq */
    ROW("\xf2\xae"),                     /* repne scasb */
    ROW("\x66\xf3\xa5"),                 /* rep movsw */
    ROW("\xc7\xf8\x00\x00\x00\x00"),     /* xbegin */
    ROW("\x0f\x01\xd5"),                 /* xend */
    ROW("\x66\xe9\x00\x00\x00\x00"),     /* jmp of 16 bits, for some */
    ROW("\x67\x8b\x05\x00\x01\x00\x00"), /* mov 0x100(%eip),%eax */
    ROW("\x06"),                         /* none at all */
    ROW("\x48\x8b\x05"),                 /* cut off */
    ROW(""),
};

START_TEST(bound_to_its_place)
{
    struct displaced plan = {.size = 1};

    instruction_displace(disassembler, (const uint8_t *)bound[_i].bytes, bound[_i].size, 0x1000, &plan);
    ck_assert_uint_eq(plan.size, 0);
}
END_TEST

/* What this processor may not have: the register that stands in for %rip is none of its operands, and its prefix names
 * it. */
START_TEST(newer_encodings)
{
    static const struct {
        struct code code;
        const char *expected;
        unsigned char base;
    } rows[] = {
        {ROW("\xc5\xf8\x28\x05\x10\x00\x00\x00"), "vmovaps 0x10(%rsi), %xmm0", 4},
        {ROW("\xc4\xe2\x79\x0c\x05\x10\x00\x00\x00"), "vpermilps 0x10(%rsi), %xmm0, %xmm0", 4},
        {ROW("\xc4\x62\x79\x0c\x3d\x10\x00\x00\x00"), "vpermilps 0x10(%rsi), %xmm0, %xmm15", 4},
        {ROW("\xc4\xe2\xc8\xf2\x05\x10\x00\x00\x00"), "andnq 0x10(%rdi), %rsi, %rax", 5},
        {ROW("\xc4\xe2\xc0\xf2\x35\x10\x00\x00\x00"), "andnq 0x10(%rbx), %rdi, %rsi", 3},
        {ROW("\xc4\xe2\xc8\xf2\x3d\x10\x00\x00\x00"), "andnq 0x10(%rbx), %rsi, %rdi", 3},
        {ROW("\x62\xf1\x7c\x48\x28\x05\x10\x00\x00\x00"), "vmovaps 0x10(%rsi), %zmm0", 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct displaced plan;
        char *text;

        instruction_displace(disassembler, (const uint8_t *)rows[i].code.bytes, rows[i].code.size, 0x1000, &plan);
        ck_assert_uint_eq(plan.size, rows[i].code.size);
        ck_assert_uint_eq(plan.base, rows[i].base);
        instruction_text(disassembler, plan.bytes, plan.size, 0x2000, &text);
        ck_assert_str_eq(text, rows[i].expected);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("displace");
    TCase *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(all, start, end);
    tcase_add_loop_test(all, as_at_its_own_place, 0, sizeof instructions / sizeof *instructions);
    tcase_add_loop_test(all, bound_to_its_place, 0, sizeof bound / sizeof *bound);
    tcase_add_test(all, newer_encodings);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
