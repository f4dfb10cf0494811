/* What crash records are made of: addresses, processor features, what an instruction touches, where a result goes. */
#include <probes/address.h>
#include <probes/alloc.h>
#include <probes/cpu.h>
#include <probes/flow.h>
#include <probes/instruction.h>
#include <reports/crash.h>

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static enum address_what what_is(struct addresses *addresses, const void *p, struct address *ret)
{
    address_look(addresses, (uint64_t)(uintptr_t)p, ret);
    return ret->what;
}

START_TEST(test_addresses)
{
    static const char constant[] = "read-only";
    static char variable[16];
    char local = 0, *heap = malloc(64);
    struct addresses *addresses = addresses_read(getpid());
    struct address address;

    ck_assert_ptr_nonnull(addresses);
    addresses_stack(addresses, getpid(), (uint64_t)(uintptr_t)&local);
    ck_assert_int_eq(what_is(addresses, NULL, &address), ADDRESS_NULL);
    ck_assert_int_eq(what_is(addresses, (void *)0xfff8UL, &address), ADDRESS_NULL);
    ck_assert_uint_eq(address.distance, 0xfff8);
    ck_assert_int_eq(what_is(addresses, (void *)0x0000800000000000UL, &address), ADDRESS_NON_CANONICAL);
    ck_assert_int_eq(what_is(addresses, (void *)0x4141414141414141UL, &address), ADDRESS_NON_CANONICAL);
    ck_assert_int_eq(what_is(addresses, (void *)0xffff800000000000UL, &address), ADDRESS_KERNEL);
    ck_assert_int_eq(what_is(addresses, (void *)0x00007fffffffe000UL, &address), ADDRESS_UNMAPPED);
    ck_assert_int_eq(what_is(addresses, constant, &address), ADDRESS_READ_ONLY);
    ck_assert_int_eq(what_is(addresses, variable, &address), ADDRESS_DATA);
    ck_assert_int_eq(what_is(addresses, (void *)(uintptr_t)what_is, &address), ADDRESS_CODE);
    ck_assert_int_eq(what_is(addresses, &local, &address), ADDRESS_STACK);
    ck_assert_int_eq(address.thread, getpid());
    ck_assert_ptr_nonnull(addresses_libc(addresses));
    addresses_destroy(addresses);
    free(heap);
}
END_TEST

START_TEST(test_past_the_end_and_no_access)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct addresses *addresses;
    struct address address;
    char *text;

    ck_assert(p != MAP_FAILED && munmap(p + 4096, 4096) == 0 && mprotect(p + 8192, 4096, PROT_NONE) == 0);
    addresses = addresses_read(getpid());
    ck_assert_int_eq(what_is(addresses, p + 4096 + 24, &address), ADDRESS_PAST);
    ck_assert_uint_eq(address.distance, 24);
    ck_assert_int_eq(what_is(addresses, p + 8192, &address), ADDRESS_NO_ACCESS);
    /* The same page is a guard where a thread's stack stands above it, and the thread has come down to it. */
    addresses_stack(addresses, 4711, (uint64_t)(uintptr_t)p + 12288 - 100);
    ck_assert_int_eq(what_is(addresses, p + 12288 - 100, &address), ADDRESS_BELOW_STACK);
    ck_assert_int_eq(address.thread, 4711);
    text = address_text(&address, getpid());
    ck_assert_str_eq(text, "below the end of the stack of thread 4711: the stack is used up");
    free(text);
    addresses_destroy(addresses);
    munmap(p, 4 * 4096);
}
END_TEST

START_TEST(test_no_mappings)
{
    struct address address;
    char *text;

    ck_assert_ptr_null(addresses_read(0));
    address_look(NULL, 0x5000000, &address);
    ck_assert_int_eq(address.what, ADDRESS_UNKNOWN);
    text = address_text(&address, 1);
    ck_assert_ptr_nonnull(strstr(text, "not known"));
    free(text);
    address_look(NULL, 16, &address);
    ck_assert_int_eq(address.what, ADDRESS_NULL);
}
END_TEST

START_TEST(test_processor)
{
    __builtin_cpu_init();
    ck_assert_int_eq(cpu_has("AVX2"), !!__builtin_cpu_supports("avx2"));
    ck_assert_int_eq(cpu_has("AVX512F"), !!__builtin_cpu_supports("avx512f"));
    ck_assert_int_eq(cpu_has("BMI2"), !!__builtin_cpu_supports("bmi2"));
    ck_assert_int_eq(cpu_has("SSE2"), 1);
    ck_assert_int_eq(cpu_has("NO SUCH THING"), -1);
    ck_assert_uint_eq(cpu_level_of("AVX2"), 3);
    ck_assert_uint_eq(cpu_level_of("XOP"), 0);
    ck_assert_uint_ge(cpu_level(), 1);
}
END_TEST

START_TEST(test_features)
{
    static const struct {
        const char *feature;
        uint8_t bytes[15];
    } cases[] = {
        {"AVX512F", {0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc1}},
        {"AVX512BW", {0x62, 0xf1, 0x7f, 0x28, 0x6f, 0x00}},
        {"AVX512ER", {0x62, 0xf2, 0x7d, 0x48, 0xc8, 0xc1}},
        {"AVX512-FP16", {0x62, 0xf5, 0x7c, 0x48, 0x58, 0xc1}},
        {"AMX-TILE", {0xc4, 0xe2, 0x78, 0x49, 0xc0}},
        {"AVX2", {0xc5, 0xfd, 0xfe, 0xc1}},
        {"BMI2", {0xc4, 0xe2, 0xfb, 0xf5, 0xc1}},
        {"TBM", {0x8f, 0xe9, 0x78, 0x01, 0xc8}},
        {"XOP", {0x8f, 0xe9, 0x78, 0x90, 0xc0}},
        {"3DNOW", {0x0f, 0x0f, 0xc1, 0x9e}},
        {"RTM", {0xc7, 0xf8}},
        {"POPCNT", {0xf3, 0x48, 0x0f, 0xb8, 0xc0}},
        {NULL, {0x0f, 0x0b}},
        {NULL, {0x48, 0x89, 0xc3}},
    };
    struct disassembler *disassembler = disassembler_create();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *feature = instruction_feature(disassembler, cases[i].bytes, sizeof cases[i].bytes);

        ck_assert_msg(feature == cases[i].feature ||
                          (feature && cases[i].feature && !strcmp(feature, cases[i].feature)),
                      "case %zu: %s", i, feature ? feature : "none");
    }
    disassembler_destroy(disassembler);
}
END_TEST

START_TEST(test_touched)
{
    static const struct {
        uint8_t bytes[15];
        uint64_t addr;
        unsigned size;
        bool reads, writes, aligned;
    } cases[] = {
        {{0xc7, 0x40, 0x08, 1, 0, 0, 0}, 0x18, 4, false, true, false},        /* movl $1, 8(%rax) */
        {{0x8b, 0x04, 0x8f}, 0x5020, 4, true, false, false},                  /* movl (%rdi,%rcx,4), %eax */
        {{0x0f, 0x29, 0x44, 0x24, 0x08}, 0x7008, 16, false, true, true},      /* movaps %xmm0, 8(%rsp) */
        {{0x50}, 0x6ff8, 8, false, true, false},                              /* push %rax */
        {{0xc3}, 0x7000, 8, true, false, false},                              /* ret */
        {{0xaa}, 0x5000, 1, false, true, false},                              /* stosb */
        {{0x48, 0x8b, 0x05, 0x10, 0, 0, 0}, 0x400017, 8, true, false, false}, /* movq 0x10(%rip), %rax */
    };
    uint64_t registers[REGISTER_IP + 1] = {[0] = 0x10, [2] = 8, [5] = 0x5000, [7] = 0x7000, [16] = 0x400000};
    struct disassembler *disassembler = disassembler_create();
    struct touched touched[TOUCHED_MOST];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(instruction_touches(disassembler, cases[i].bytes, 15, registers, touched), 1);
        ck_assert_msg(touched[0].addr == cases[i].addr && touched[0].size == cases[i].size &&
                          touched[0].reads == cases[i].reads && touched[0].writes == cases[i].writes &&
                          touched[0].aligned == cases[i].aligned,
                      "case %zu: 0x%llx", i, (unsigned long long)touched[0].addr);
    }
    /* lea touches nothing; a segment's base is not known. */
    ck_assert_uint_eq(
        instruction_touches(disassembler, (const uint8_t[15]){0x48, 0x8d, 0x40, 8}, 15, registers, touched), 0);
    ck_assert_uint_eq(
        instruction_touches(disassembler, (const uint8_t[15]){0x64, 0x48, 0x8b, 0x00}, 15, registers, touched), 0);
    ck_assert(instruction_privileged(disassembler, (const uint8_t[15]){0xf4}, 15));
    ck_assert(!instruction_privileged(disassembler, (const uint8_t[15]){0x90}, 15));
    disassembler_destroy(disassembler);
}
END_TEST

static ssize_t read_here(void *ctx, uint64_t addr, void *buf, size_t n)
{
    (void)ctx;
    memcpy(buf, (const void *)(uintptr_t)addr, n);
    return (ssize_t)n;
}

/* Pieces of functions, from behind a call to the place in question; never executed. */
__asm__(".pushsection .text\n"
        "flow_direct: movl (%rax), %ecx\n nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop\n"
        "flow_spilled: movq %rax, -8(%rbp)\n movq $0, -16(%rbp)\n call flow_direct\n movq -8(%rbp), %rdx\n"
        "flow_spilled_to: movl 8(%rdx), %ecx\n"
        "flow_other: movq %rax, -8(%rbp)\n movq -24(%rbp), %rdx\n"
        "flow_other_to: movl 8(%rdx), %ecx\n"
        "flow_int: movl %eax, -4(%rbp)\n movslq -4(%rbp), %rdx\n"
        "flow_int_to: movl (%rdx), %ecx\n"
        "flow_kept: movq %rax, %rbx\n testq %rbx, %rbx\n call flow_direct\n movq %rbx, %rdi\n movl $5, %esi\n call "
        "flow_direct\n"
        "flow_kept_to: movq %rbx, %rax\n"
        "flow_lost: movq %rax, %rsi\n call flow_direct\n movq $0, %rdi\n call flow_direct\n"
        "flow_lost_to: nop\n"
        "flow_tested: testq %rax, %rax\n jne flow_direct\n movq -32(%rbp), %rdi\n call flow_direct\n"
        "flow_tested_to: nop\n"
        "flow_global: movq %rax, flow_room(%rip)\n xorl %eax, %eax\n movq flow_room(%rip), %rax\n"
        "flow_global_to: jmp *(%rax)\n nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop\n"
        "flow_handle: movq %rax, %rdi\n leaq flow_room(%rip), %rsi\n call flow_direct\n movq %rax, %rdx\n"
        "flow_handle_to: call *%rdx\n nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop; nop\n"
        ".popsection\n"
        ".pushsection .bss\n flow_room: .zero 8\n .popsection\n");
extern char flow_direct[], flow_spilled[], flow_spilled_to[], flow_other[], flow_other_to[], flow_int[], flow_int_to[],
    flow_kept[], flow_kept_to[], flow_lost[], flow_lost_to[], flow_tested[], flow_tested_to[], flow_global[],
    flow_global_to[], flow_handle[], flow_handle_to[];

START_TEST(test_flow)
{
    static const struct {
        const char *from, *to;
        enum flow_use use;
        enum flow flow;
    } cases[] = {
        {flow_direct, flow_direct, FLOW_POINTER, FLOW_YES},
        {flow_spilled, flow_spilled_to, FLOW_POINTER, FLOW_YES},
        {flow_other, flow_other_to, FLOW_POINTER, FLOW_NO},
        {flow_int, flow_int_to, FLOW_POINTER, FLOW_NO},
        {flow_kept, flow_kept_to, FLOW_ARGUMENTS, FLOW_YES},
        {flow_lost, flow_lost_to, FLOW_ARGUMENTS, FLOW_NO},
        {flow_tested, flow_tested_to, FLOW_ARGUMENTS, FLOW_TESTED},
        {flow_global, flow_global_to, FLOW_POINTER, FLOW_YES},
        {flow_handle, flow_handle_to, FLOW_POINTER, FLOW_YES},
        {flow_handle, flow_handle_to + 2, FLOW_TARGET, FLOW_YES},
        {flow_handle_to, flow_handle, FLOW_POINTER, FLOW_UNKNOWN}, /* backwards */
    };
    const struct mem mem = {.read = read_here, .word_size = 8};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(flow_follow(&mem, (uint64_t)(uintptr_t)cases[i].from, (uint64_t)(uintptr_t)cases[i].to,
                                  cases[i].use) == cases[i].flow,
                      "case %zu", i);
}
END_TEST

/* A stack that ends after 64 words. */
static ssize_t read_words(void *ctx, uint64_t addr, void *buf, size_t n)
{
    size_t size = 64 * sizeof(uint64_t);

    if (addr >= size)
        return -1;
    if (n > size - addr)
        n = size - addr;
    memcpy(buf, (const char *)ctx + addr, n);
    return (ssize_t)n;
}

START_TEST(test_handler_frame)
{
    uint64_t stack[64] = {0};
    const struct mem mem = {.read = read_words, .ctx = stack, .word_size = 8};
    struct crash *crash = crash_create();

    crash->sp_addr = 0x7ffc00001000;
    crash->ip_addr = 0x401234;
    ck_assert(!crash_in_handler(crash, &mem, 16));
    stack[62] = crash->sp_addr;
    stack[63] = crash->ip_addr;
    ck_assert(crash_in_handler(crash, &mem, 16));
    stack[63] -= 2; /* a call that is made again */
    ck_assert(crash_in_handler(crash, &mem, 16));
    ck_assert(!crash_in_handler(crash, &mem, 63 * 8));
    ck_assert(!crash_in_handler(crash, &mem, 1 << 20));
    crash_put(crash_get(crash));
    ck_assert(crash_signal(SIGSEGV) && crash_signal(SIGABRT) && !crash_signal(SIGTERM) && !crash_signal(SIGKILL));
    crash_put(crash);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crash");
    TCase *tcase = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, test_addresses);
    tcase_add_test(tcase, test_past_the_end_and_no_access);
    tcase_add_test(tcase, test_no_mappings);
    tcase_add_test(tcase, test_processor);
    tcase_add_test(tcase, test_features);
    tcase_add_test(tcase, test_touched);
    tcase_add_test(tcase, test_flow);
    tcase_add_test(tcase, test_handler_frame);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
