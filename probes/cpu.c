#include "cpu.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

enum where { EAX, EBX, ECX, EDX };
enum {
    XMM_YMM = 0x6,
    ZMM = 0xe6,
    TILES = 0x60000
}; /* of XCR0: state that the kernel saves, or the instructions trap */

static const struct feature {
    const char *name;
    uint32_t leaf, part;
    enum where where;
    unsigned bit;
    unsigned state; /* bits of XCR0 that it needs */
    unsigned level;
} features[] = {
    {"FPU", 1, 0, EDX, 0, 0, 1},
    {"CMOV", 1, 0, EDX, 15, 0, 1},
    {"MMX", 1, 0, EDX, 23, 0, 1},
    {"SSE", 1, 0, EDX, 25, 0, 1},
    {"SSE2", 1, 0, EDX, 26, 0, 1},
    {"SSE3", 1, 0, ECX, 0, 0, 2},
    {"SSSE3", 1, 0, ECX, 9, 0, 2},
    {"SSE4.1", 1, 0, ECX, 19, 0, 2},
    {"SSE4.2", 1, 0, ECX, 20, 0, 2},
    {"POPCNT", 1, 0, ECX, 23, 0, 2},
    {"AVX", 1, 0, ECX, 28, XMM_YMM, 3},
    {"F16C", 1, 0, ECX, 29, XMM_YMM, 3},
    {"FMA", 1, 0, ECX, 12, XMM_YMM, 3},
    {"MOVBE", 1, 0, ECX, 22, 0, 3},
    {"LZCNT", 0x80000001, 0, ECX, 5, 0, 3},
    {"BMI1", 7, 0, EBX, 3, 0, 3},
    {"BMI2", 7, 0, EBX, 8, 0, 3},
    {"AVX2", 7, 0, EBX, 5, XMM_YMM, 3},
    {"AVX512F", 7, 0, EBX, 16, ZMM, 4},
    {"AVX512DQ", 7, 0, EBX, 17, ZMM, 4},
    {"AVX512CD", 7, 0, EBX, 28, ZMM, 4},
    {"AVX512BW", 7, 0, EBX, 30, ZMM, 4},
    {"AVX512VL", 7, 0, EBX, 31, ZMM, 4},
    {"AVX512PF", 7, 0, EBX, 26, ZMM, 0},
    {"AVX512ER", 7, 0, EBX, 27, ZMM, 0},
    {"AVX512-FP16", 7, 0, EDX, 23, ZMM, 0},
    {"AMX-TILE", 7, 0, EDX, 24, TILES, 0},
    {"AVX512IFMA", 7, 0, EBX, 21, ZMM, 0},
    {"AVX512VBMI", 7, 0, ECX, 1, ZMM, 0},
    {"AVX512_VBMI2", 7, 0, ECX, 6, ZMM, 0},
    {"AVX512_VNNI", 7, 0, ECX, 11, ZMM, 0},
    {"AVX512_BITALG", 7, 0, ECX, 12, ZMM, 0},
    {"AVX512_VPOPCNTDQ", 7, 0, ECX, 14, ZMM, 0},
    {"AVX512_4VNNIW", 7, 0, EDX, 2, ZMM, 0},
    {"AVX512_4FMAPS", 7, 0, EDX, 3, ZMM, 0},
    {"AVX512_VP2INTERSECT", 7, 0, EDX, 8, ZMM, 0},
    {"AVX512_BF16", 7, 1, EAX, 5, ZMM, 0},
    {"AVX10.2", 7, 1, EDX, 19, ZMM, 0}, /* that of AVX10 at all */
    {"GFNI", 7, 0, ECX, 8, 0, 0},
    {"VAES", 7, 0, ECX, 9, XMM_YMM, 0},
    {"VPCLMULQDQ", 7, 0, ECX, 10, XMM_YMM, 0},
    {"AVX-VNNI", 7, 1, EAX, 4, XMM_YMM, 0},
    {"AVX-IFMA", 7, 1, EAX, 23, XMM_YMM, 0},
    {"AVX-VNNI-INT8", 7, 1, EDX, 4, XMM_YMM, 0},
    {"AVX-NE-CONVERT", 7, 1, EDX, 5, XMM_YMM, 0},
    {"AVX-VNNI-INT16", 7, 1, EDX, 10, XMM_YMM, 0},
    {"SHA512", 7, 1, EAX, 0, XMM_YMM, 0},
    {"SM3", 7, 1, EAX, 1, XMM_YMM, 0},
    {"SM4", 7, 1, EAX, 2, XMM_YMM, 0},
    {"AMX-BF16", 7, 0, EDX, 22, TILES, 0},
    {"AMX-INT8", 7, 0, EDX, 25, TILES, 0},
    {"AMX-FP16", 7, 1, EAX, 21, TILES, 0},
    {"AMX-COMPLEX", 7, 1, EDX, 8, TILES, 0},
    {"AMX-FP8", 0x1e, 1, EAX, 4, TILES, 0},
    {"AMX-TF32", 0x1e, 1, EAX, 6, TILES, 0},
    {"AMX-MOVRS", 0x1e, 1, EAX, 8, TILES, 0},
    {"APX", 7, 1, EDX, 21, 0x80000, 0},
    {"RAO-INT", 7, 1, EAX, 3, 0, 0},
    {"CMPCCXADD", 7, 1, EAX, 7, 0, 0},
    {"FRED", 7, 1, EAX, 17, 0, 0},
    {"WRMSRNS", 7, 1, EAX, 19, 0, 0},
    {"HRESET", 7, 1, EAX, 22, 0, 0},
    {"MSRLIST", 7, 1, EAX, 27, 0, 0},
    {"MOVRS", 7, 1, EAX, 31, 0, 0},
    {"USER_MSR", 7, 1, EDX, 15, 0, 0},
    {"PKU", 7, 0, ECX, 4, 0, 0}, /* switched on by the kernel */
    {"WAITPKG", 7, 0, ECX, 5, 0, 0},
    {"CET_SS", 7, 0, ECX, 7, 0, 0},
    {"RDPID", 7, 0, ECX, 22, 0, 0},
    {"KL", 7, 0, ECX, 23, 0, 0},
    {"MOVDIRI", 7, 0, ECX, 27, 0, 0},
    {"MOVDIR64B", 7, 0, ECX, 28, 0, 0},
    {"ENQCMD", 7, 0, ECX, 29, 0, 0},
    {"UINTR", 7, 0, EDX, 5, 0, 0},
    {"SERIALIZE", 7, 0, EDX, 14, 0, 0},
    {"TSXLDTRK", 7, 0, EDX, 16, 0, 0},
    {"PCONFIG", 7, 0, EDX, 18, 0, 0},
    {"CLFLUSHOPT", 7, 0, EBX, 23, 0, 0},
    {"CLWB", 7, 0, EBX, 24, 0, 0},
    {"CX16", 1, 0, ECX, 13, 0, 0},
    {"XSAVE", 1, 0, ECX, 27, 0, 0}, /* switched on by the kernel */
    {"XSAVEOPT", 0xd, 1, EAX, 0, 0, 0},
    {"XSAVEC", 0xd, 1, EAX, 1, 0, 0},
    {"PTWRITE", 0x14, 0, EBX, 4, 0, 0},
    {"LWP", 0x80000001, 0, ECX, 15, 0, 0},
    {"MONITORX", 0x80000001, 0, ECX, 29, 0, 0},
    {"RDTSCP", 0x80000001, 0, EDX, 27, 0, 0},
    {"CLZERO", 0x80000008, 0, EBX, 0, 0, 0},
    {"INVLPGB", 0x80000008, 0, EBX, 3, 0, 0},
    {"RDPRU", 0x80000008, 0, EBX, 4, 0, 0},
    {"AES", 1, 0, ECX, 25, 0, 0},
    {"PCLMUL", 1, 0, ECX, 1, 0, 0},
    {"RDRAND", 1, 0, ECX, 30, 0, 0},
    {"RDSEED", 7, 0, EBX, 18, 0, 0},
    {"ADX", 7, 0, EBX, 19, 0, 0},
    {"SHA", 7, 0, EBX, 29, 0, 0},
    {"SGX", 7, 0, EBX, 2, 0, 0},
    {"HLE", 7, 0, EBX, 4, 0, 0},
    {"RTM", 7, 0, EBX, 11, 0, 0},
    {"SMAP", 7, 0, EBX, 20, 0, 0},
    {"FSGSBASE", 7, 0, EBX, 0, 0, 0},
    {"SSE4A", 0x80000001, 0, ECX, 6, 0, 0},
    {"XOP", 0x80000001, 0, ECX, 11, XMM_YMM, 0},
    {"FMA4", 0x80000001, 0, ECX, 16, XMM_YMM, 0},
    {"TBM", 0x80000001, 0, ECX, 21, 0, 0},
    {"3DNOW", 0x80000001, 0, EDX, 31, 0, 0},
};

static const struct feature *find(const char *name)
{
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (strcmp(features[i].name, name) == 0)
            return &features[i];
    return NULL;
}

/* XCR0 (xgetbv), 0 where the kernel saves no extended state. */
static uint32_t saved_state(void)
{
    uint32_t regs[4], low, high;

    if (!__get_cpuid(1, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]) || !(regs[ECX] >> 27 & 1))
        return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int has(const struct feature *feature)
{
    uint32_t regs[4];

    if (!__get_cpuid_count(feature->leaf, feature->part, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]) ||
        !(regs[feature->where] >> feature->bit & 1))
        return 0;
    return !feature->state || (saved_state() & feature->state) == feature->state;
}

int cpu_has(const char *feature)
{
    const struct feature *found = find(feature);

    return found ? has(found) : -1;
}

unsigned cpu_level_of(const char *feature)
{
    const struct feature *found = find(feature);

    return found ? found->level : 0;
}

unsigned cpu_level(void)
{
    unsigned level = 4;

    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].level && features[i].level <= level && !has(&features[i]))
            level = features[i].level - 1;
    return level;
}

#else

int cpu_has(const char *feature)
{
    (void)feature;
    return -1;
}

unsigned cpu_level_of(const char *feature)
{
    (void)feature;
    return 0;
}

unsigned cpu_level(void)
{
    return 0;
}

#endif
