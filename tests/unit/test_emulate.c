/* The emulator against the processor: a child steps over each instruction with many register values, and all registers,
 * flags and memory must be as the emulator has them. */
#include "stepbed.h"

static void compare(const char *bytes, size_t size, uint64_t seed)
{
    static unsigned char before[AREA], stepped[AREA], emulated[AREA];
    struct iovec code = {area, size}, local = {(void *)(uintptr_t)bytes, size}, whole = {area, AREA};
    uint64_t addr = (uint64_t)(uintptr_t)area, undefined = 0;
    struct arch_registers first, ours, real;
    struct instruction instruction;
    int status;

    fill(&seed);
    ck_assert_int_eq(process_vm_writev(child, &local, 1, &code, 1, 0), (ssize_t)size);
    fetch(&first);
    prepare(&first, addr, &seed);
    snapshot(before);
    put(&first);
    ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP, "step: %#x", status);
    fetch(&real);
    snapshot(stepped);
    ck_assert_int_eq(process_vm_writev(child, &(struct iovec){before, AREA}, 1, &whole, 1, 0), AREA);

    ours = first;
    instruction_decode(disassembler, (const uint8_t *)bytes, size, addr, &instruction);
    ck_assert_uint_eq(instruction.size, size);
    ck_assert_msg(emulate(&instruction, addr, &memory, &ours), "byte %#x… is not emulated", (unsigned char)bytes[0]);
    snapshot(emulated);
    if (instruction.kind == INSTRUCTION_AND || instruction.kind == INSTRUCTION_OR ||
        instruction.kind == INSTRUCTION_XOR || instruction.kind == INSTRUCTION_TEST)
        undefined = 0x10; /* AF */
    ck_assert_mem_eq(stepped, emulated, AREA);
    ck_assert_mem_eq(real.dwarf, ours.dwarf, sizeof real.dwarf);
    /* The stepping itself sets the trap flag. */
    ck_assert_uint_eq(real.flags & ~undefined & ~0x100UL, ours.flags & ~undefined);
}

static const struct {
    const char *bytes;
    size_t size;
} instructions[] = {
#define ROW(literal)                                                                                                   \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }
    ROW("\x90"),                                     /* nop */
    ROW("\xf3\x0f\x1e\xfa"),                         /* endbr64 */
    ROW("\x55"),                                     /* push %rbp */
    ROW("\x41\x57"),                                 /* push %r15 */
    ROW("\x54"),                                     /* push %rsp: its value before */
    ROW("\x5b"),                                     /* pop %rbx */
    ROW("\x5c"),                                     /* pop %rsp */
    ROW("\xc3"),                                     /* ret */
    ROW("\xe9\x10\x00\x00\x00"),                     /* jmp */
    ROW("\xeb\xf0"),                                 /* jmp, backwards */
    ROW("\xe8\x40\x00\x00\x00"),                     /* call */
    ROW("\x48\x83\xec\x08"),                         /* sub $8,%rsp */
    ROW("\x48\x81\xec\xd8\x00\x00\x00"),             /* sub $0xd8,%rsp */
    ROW("\x48\x83\xc4\x10"),                         /* add $0x10,%rsp */
    ROW("\x48\x01\xd8"),                             /* add %rbx,%rax */
    ROW("\x01\xd8"),                                 /* add %ebx,%eax */
    ROW("\x48\x29\xd8"),                             /* sub %rbx,%rax */
    ROW("\x29\xd8"),                                 /* sub %ebx,%eax */
    ROW("\x2b\x04\x24"),                             /* sub (%rsp),%eax */
    ROW("\x48\x03\x04\x24"),                         /* add (%rsp),%rax */
    ROW("\x48\x01\x47\x08"),                         /* add %rax,8(%rdi) */
    ROW("\x31\xc9"),                                 /* xor %ecx,%ecx */
    ROW("\x48\x31\xd8"),                             /* xor %rbx,%rax */
    ROW("\x48\x21\xd8"),                             /* and %rbx,%rax */
    ROW("\x48\x83\xe4\xf0"),                         /* and $-16,%rsp */
    ROW("\x09\xd8"),                                 /* or %ebx,%eax */
    ROW("\x48\x83\xc8\xff"),                         /* or $-1,%rax */
    ROW("\x48\x85\xc0"),                             /* test %rax,%rax */
    ROW("\x85\xd8"),                                 /* test %ebx,%eax */
    ROW("\xa9\x00\x00\x00\x80"),                     /* test $0x80000000,%eax */
    ROW("\x48\x39\xd8"),                             /* cmp %rbx,%rax */
    ROW("\x39\xd8"),                                 /* cmp %ebx,%eax */
    ROW("\x48\x83\xf8\xff"),                         /* cmp $-1,%rax */
    ROW("\x48\x83\x3c\x24\x00"),                     /* cmpq $0,(%rsp) */
    ROW("\x83\x7f\x04\x80"),                         /* cmpl $-128,4(%rdi) */
    ROW("\x48\x89\xc3"),                             /* mov %rax,%rbx */
    ROW("\x89\xc3"),                                 /* mov %eax,%ebx */
    ROW("\x48\x63\xc8"),                             /* movslq %eax,%rcx */
    ROW("\x48\x63\x4c\x24\x04"),                     /* movslq 4(%rsp),%rcx */
    ROW("\x48\x98"),                                 /* cltq */
    ROW("\x48\x8b\x14\x24"),                         /* mov (%rsp),%rdx */
    ROW("\x8b\x54\x24\x08"),                         /* mov 8(%rsp),%edx */
    ROW("\x48\x8b\x15\x71\x01\x00\x00"),             /* mov 0x171(%rip),%rdx */
    ROW("\x48\x89\x05\x71\x01\x00\x00"),             /* mov %rax,0x171(%rip) */
    ROW("\x48\x89\x44\x24\x08"),                     /* mov %rax,8(%rsp) */
    ROW("\x89\x45\xf8"),                             /* mov %eax,-8(%rbp) */
    ROW("\x48\x89\x04\xf7"),                         /* mov %rax,(%rdi,%rsi,8) */
    ROW("\xc7\x44\x24\x08\x05\x00\x00\x80"),         /* movl $0x80000005,8(%rsp) */
    ROW("\x48\xc7\x44\x24\x08\x05\x00\x00\x80"),     /* movq $-0x7ffffffb,8(%rsp) */
    ROW("\xb8\x05\x00\x00\x80"),                     /* mov $0x80000005,%eax */
    ROW("\x48\xc7\xc0\xff\xff\xff\xff"),             /* mov $-1,%rax */
    ROW("\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08"), /* movabs */
    ROW("\x48\x8d\x3d\x00\x01\x00\x00"),             /* lea 0x100(%rip),%rdi */
    ROW("\x48\x8d\x44\xb7\xfc"),                     /* lea -4(%rdi,%rsi,4),%rax */
    ROW("\x8d\x44\x24\x08"),                         /* lea 8(%rsp),%eax */
#undef ROW
};

START_TEST(as_the_processor)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        compare(instructions[_i].bytes, instructions[_i].size, seed * 0x9e3779b97f4a7c15);
}
END_TEST

/* What would fault, and what only the processor can do, changes nothing. */
START_TEST(refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {{"\x48\x8b\x00", 3}, {"\x48\x89\x18", 3}, {"\x55", 1},     {"\xc3", 1},
                {"\x5b", 1},         {"\x0f\x05", 2},     {"\xff\xd0", 2}, {"\x48\x03\x00", 3}};
    struct arch_registers before, after;
    struct instruction instruction;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        before = (struct arch_registers){.dwarf = {[0] = 16, [REGISTER_SP] = 32}};
        after = before;
        instruction_decode(disassembler, (const uint8_t *)rows[i].bytes, rows[i].size, 0x1000, &instruction);
        ck_assert_uint_eq(instruction.size, rows[i].size);
        ck_assert(!emulate(&instruction, 0x1000, &memory, &after));
        ck_assert_mem_eq(&before, &after, sizeof before);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emulate");
    TCase *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(all, start, end);
    tcase_add_loop_test(all, as_the_processor, 0, sizeof instructions / sizeof *instructions);
    tcase_add_test(all, refused);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
