/* Instructions: what functions begin with and calls are followed by, read from their bytes (as `as` makes them). */
#include <probes/alloc.h>
#include <probes/instruction.h>

#include <check.h>
#include <string.h>

enum { ADDR = 0x401000 };

static struct disassembler *disassembler;

static void open_it(void)
{
    disassembler = disassembler_create();
    ck_assert_ptr_nonnull(disassembler);
}

static void close_it(void)
{
    disassembler_destroy(disassembler);
}

static struct instruction decode(const char *bytes, size_t n)
{
    struct instruction instruction;

    instruction_decode(disassembler, (const uint8_t *)bytes, n, ADDR, &instruction);
    return instruction;
}
#define DECODE(literal) decode(literal, sizeof(literal) - 1)

static void expect(const struct operand *operand, enum operand_kind kind, unsigned base, int64_t value)
{
    ck_assert_int_eq(operand->kind, kind);
    ck_assert_uint_eq(operand->base, base);
    ck_assert_int_eq(operand->value, value);
}

START_TEST(beginnings)
{
    struct instruction i = DECODE("\x41\x57\x41\x56"); /* push %r15; … */

    ck_assert_int_eq(i.kind, INSTRUCTION_PUSH);
    ck_assert_uint_eq(i.size, 2);
    expect(&i.from, OPERAND_REGISTER, 15, 0);
    i = DECODE("\x53");
    ck_assert_int_eq(i.kind, INSTRUCTION_PUSH);
    expect(&i.from, OPERAND_REGISTER, 3, 0);
    i = DECODE("\x48\x83\xec\x08");
    ck_assert_int_eq(i.kind, INSTRUCTION_SUB);
    ck_assert_uint_eq(i.width, 8);
    expect(&i.to, OPERAND_REGISTER, REGISTER_SP, 0);
    expect(&i.from, OPERAND_IMMEDIATE, REGISTER_NONE, 8);
    i = DECODE("\x48\x81\xec\x18\x01\x00\x00");
    ck_assert_int_eq(i.kind, INSTRUCTION_SUB);
    expect(&i.from, OPERAND_IMMEDIATE, REGISTER_NONE, 0x118);
    ck_assert_int_eq(DECODE("\xc3").kind, INSTRUCTION_RET);
    ck_assert_int_eq(DECODE("\xf3\x0f\x1e\xfa").kind, INSTRUCTION_NOTHING);
    ck_assert_uint_eq(DECODE("\xf3\x0f\x1e\xfa").size, 4);
    ck_assert_int_eq(DECODE("\x90").kind, INSTRUCTION_NOTHING);
    ck_assert_int_eq(DECODE("\x66\x0f\x1f\x44\x00\x00").kind, INSTRUCTION_NOTHING);
    i = DECODE("\x48\x8b\x14\x24"); /* mov (%rsp),%rdx: musl's dlsym */
    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    expect(&i.to, OPERAND_REGISTER, 1, 0);
    expect(&i.from, OPERAND_MEMORY, REGISTER_SP, 0);
    i = DECODE("\x31\xc9"); /* xor %ecx,%ecx: glibc's vdprintf */
    ck_assert_int_eq(i.kind, INSTRUCTION_XOR);
    ck_assert_uint_eq(i.width, 4);
    expect(&i.to, OPERAND_REGISTER, 2, 0);
    i = DECODE("\xe9\x10\x00\x00\x00"); /* jmp: musl's dlclose */
    ck_assert_int_eq(i.kind, INSTRUCTION_JUMP);
    ck_assert_int_eq(i.from.value, ADDR + 5 + 0x10);
    i = DECODE("\x48\x8b\x15\x71\x61\x15\x00"); /* mov 0x156171(%rip),%rdx: glibc's dlclose */
    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    ck_assert_uint_eq(i.size, 7);
    expect(&i.from, OPERAND_MEMORY, REGISTER_IP, 0x156171);
}
END_TEST

START_TEST(after_calls)
{
    struct instruction i = DECODE("\x48\x89\x44\x24\x08"); /* mov %rax,0x8(%rsp) */

    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    expect(&i.to, OPERAND_MEMORY, REGISTER_SP, 8);
    expect(&i.from, OPERAND_REGISTER, 0, 0);
    i = DECODE("\x48\x89\x04\xdd\x00\x10\x00\x00"); /* mov %rax,0x1000(,%rbx,8) */
    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    expect(&i.to, OPERAND_MEMORY, REGISTER_NONE, 0x1000);
    ck_assert_uint_eq(i.to.index, 3);
    ck_assert_uint_eq(i.to.scale, 8);
    i = DECODE("\x48\x85\xc0");
    ck_assert_int_eq(i.kind, INSTRUCTION_TEST);
    i = DECODE("\x89\xc3");
    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    ck_assert_uint_eq(i.width, 4);
    i = DECODE("\x48\x83\xc4\x10"); /* add $0x10,%rsp */
    ck_assert_int_eq(i.kind, INSTRUCTION_ADD);
    expect(&i.from, OPERAND_IMMEDIATE, REGISTER_NONE, 0x10);
    i = DECODE("\x48\xc7\xc0\xff\xff\xff\xff"); /* mov $-1,%rax */
    ck_assert_int_eq(i.kind, INSTRUCTION_MOVE);
    expect(&i.from, OPERAND_IMMEDIATE, REGISTER_NONE, -1);
    i = DECODE("\x83\x3d\x10\x00\x00\x00\x00"); /* cmpl $0,0x10(%rip) */
    ck_assert_int_eq(i.kind, INSTRUCTION_COMPARE);
    ck_assert_uint_eq(i.width, 4);
    expect(&i.to, OPERAND_MEMORY, REGISTER_IP, 0x10);
    i = DECODE("\xe8\x00\x01\x00\x00");
    ck_assert_int_eq(i.kind, INSTRUCTION_CALL);
    ck_assert_int_eq(i.from.value, ADDR + 5 + 0x100);
    i = DECODE("\x48\x8d\x3d\x00\x01\x00\x00"); /* lea 0x100(%rip),%rdi */
    ck_assert_int_eq(i.kind, INSTRUCTION_LEA);
    expect(&i.from, OPERAND_MEMORY, REGISTER_IP, 0x100);
    i = DECODE("\x5b");
    ck_assert_int_eq(i.kind, INSTRUCTION_POP);
    expect(&i.to, OPERAND_REGISTER, 3, 0);
}
END_TEST

/* What must be left to the processor. */
START_TEST(others)
{
    ck_assert_int_eq(DECODE("\x64\x48\x8b\x04\x25\x00\x00\x00\x00").kind, INSTRUCTION_OTHER); /* mov %fs:0,%rax */
    ck_assert_uint_eq(DECODE("\x64\x48\x8b\x04\x25\x00\x00\x00\x00").size, 9);
    ck_assert_int_eq(DECODE("\xff\x25\x00\x01\x00\x00").kind, INSTRUCTION_OTHER); /* jmp *0x100(%rip) */
    ck_assert_int_eq(DECODE("\xff\xd0").kind, INSTRUCTION_OTHER);                 /* call *%rax */
    ck_assert_int_eq(DECODE("\x74\x10").kind, INSTRUCTION_OTHER);                 /* je */
    ck_assert_int_eq(DECODE("\x66\x89\xc3").kind, INSTRUCTION_OTHER);             /* mov %ax,%bx */
    ck_assert_int_eq(DECODE("\x88\xc3").kind, INSTRUCTION_OTHER);                 /* mov %al,%bl */
    ck_assert_int_eq(DECODE("\x67\x48\x8b\x00").kind, INSTRUCTION_OTHER);         /* mov (%eax),%rax */
    ck_assert_int_eq(DECODE("\xf0\x48\x01\x18").kind, INSTRUCTION_OTHER);         /* lock add %rbx,(%rax) */
    ck_assert_int_eq(DECODE("\xc2\x08\x00").kind, INSTRUCTION_OTHER);             /* ret $8 */
    ck_assert_int_eq(DECODE("\xcc").kind, INSTRUCTION_OTHER);
    ck_assert_uint_eq(DECODE("\x48\x83").size, 0); /* cut off */
    ck_assert_uint_eq(decode("", 0).size, 0);
    ck_assert_uint_eq(DECODE("\x06").size, 0); /* not in 64-bit mode */
}
END_TEST

START_TEST(texts)
{
    char *text;

    ck_assert_uint_eq(instruction_text(disassembler, (const uint8_t *)"\x48\x8b\x14\x24", 4, ADDR, &text), 4);
    ck_assert_str_eq(text, "movq (%rsp), %rdx");
    free(text);
    ck_assert_uint_eq(instruction_text(disassembler, (const uint8_t *)"\xc3", 1, ADDR, &text), 1);
    ck_assert_str_eq(text, "retq");
    free(text);
    ck_assert_uint_eq(instruction_text(disassembler, (const uint8_t *)"\x06", 1, ADDR, &text), 0);
    ck_assert_ptr_null(text);
    /* The order of operands that texts want is not that of decoding. */
    ck_assert_int_eq(DECODE("\x48\x83\xec\x08").to.kind, OPERAND_REGISTER);
}
END_TEST

/* All two-byte beginnings with a tail: nothing is too odd to be looked at, and no length is more than was given. */
START_TEST(anything)
{
    uint8_t bytes[INSTRUCTION_LONGEST] = {0};
    struct instruction i;
    char *text;

    for (unsigned first = 0; first < 0x10000; first++) {
        size_t n = first % sizeof bytes + 1;

        bytes[0] = (uint8_t)(first >> 8);
        bytes[1] = (uint8_t)first;
        bytes[2] = (uint8_t)(first * 7);
        instruction_decode(disassembler, bytes, n, ADDR, &i);
        ck_assert_uint_le(i.size, n);
        ck_assert(i.size || i.kind == INSTRUCTION_OTHER);
        ck_assert_uint_eq(instruction_text(disassembler, bytes, n, ADDR, &text), i.size);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("instruction");
    TCase *all = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    tcase_add_checked_fixture(all, open_it, close_it);
    tcase_add_test(all, beginnings);
    tcase_add_test(all, after_calls);
    tcase_add_test(all, others);
    tcase_add_test(all, texts);
    tcase_add_test(all, anything);
    suite_add_tcase(suite, all);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
