/* Extensions by their encodings: the bytes are those that binutils makes of the instruction behind them. */
#include <probes/opcode.h>
#include <probes/cpu.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void same(const char *feature, const char *expected, size_t i)
{
    ck_assert_msg(feature == expected || (feature && expected && strcmp(feature, expected) == 0), "case %zu: %s", i,
                  feature ? feature : "none");
}

START_TEST(test_extensions)
{
    static const struct {
        const char *feature;
        uint8_t bytes[15];
    } cases[] = {
        {"AVX512_VP2INTERSECT", {0x62, 0xf2, 0x57, 0x48, 0x68, 0xd6}},   /* vp2intersectd %zmm6,%zmm5,%k2 */
        {"AVX512_VP2INTERSECT", {0x62, 0xf2, 0xd7, 0x08, 0x68, 0x10}},   /* vp2intersectq (%rax),%xmm5,%k2 */
        {"SGX", {0x0f, 0x01, 0xcf}},                                     /* encls */
        {"SGX", {0x0f, 0x01, 0xd7}},                                     /* enclu */
        {"MOVDIR64B", {0x66, 0x0f, 0x38, 0xf8, 0x06}},                   /* movdir64b (%rsi),%rax */
        {"MOVDIRI", {0x0f, 0x38, 0xf9, 0x06}},                           /* movdiri %eax,(%rsi) */
        {"AMX-TILE", {0xc4, 0xe2, 0x78, 0x49, 0x06}},                    /* ldtilecfg (%rsi) */
        {"AMX-TILE", {0xc4, 0xe2, 0x7b, 0x4b, 0x0c, 0x0e}},              /* tileloadd (%rsi,%rcx,1),%tmm1 */
        {"AMX-TILE", {0xc4, 0xe2, 0x7a, 0x4b, 0x0c, 0x0e}},              /* tilestored %tmm1,(%rsi,%rcx,1) */
        {"AMX-TILE", {0xc4, 0xe2, 0x7b, 0x49, 0xd0}},                    /* tilezero %tmm2 */
        {"AMX-TILE", {0xc4, 0xe2, 0x78, 0x49, 0xc0}},                    /* tilerelease */
        {"AMX-INT8", {0xc4, 0xe2, 0x7b, 0x5e, 0xd1}},                    /* tdpbssd %tmm0,%tmm1,%tmm2 */
        {"AMX-BF16", {0xc4, 0xe2, 0x7a, 0x5c, 0xd1}},                    /* tdpbf16ps %tmm0,%tmm1,%tmm2 */
        {"AMX-FP16", {0xc4, 0xe2, 0x7b, 0x5c, 0xd1}},                    /* tdpfp16ps %tmm0,%tmm1,%tmm2 */
        {"AVX-IFMA", {0xc4, 0xe2, 0xf5, 0xb4, 0xc2}},                    /* {vex} vpmadd52luq %ymm2,%ymm1,%ymm0 */
        {"AVX-VNNI", {0xc4, 0xe2, 0x75, 0x50, 0xc2}},                    /* {vex} vpdpbusd %ymm2,%ymm1,%ymm0 */
        {"AVX-VNNI-INT8", {0xc4, 0xe2, 0x77, 0x50, 0xc2}},               /* vpdpbssd %ymm2,%ymm1,%ymm0 */
        {"AVX-NE-CONVERT", {0xc4, 0xe2, 0x7e, 0xb1, 0x06}},              /* vbcstnebf162ps (%rsi),%ymm0 */
        {"AVX-NE-CONVERT", {0xc4, 0xe2, 0x7a, 0x72, 0xc1}},              /* {vex} vcvtneps2bf16 %xmm1,%xmm0 */
        {"SERIALIZE", {0x0f, 0x01, 0xe8}},                               /* serialize */
        {"HRESET", {0xf3, 0x0f, 0x3a, 0xf0, 0xc0, 0x01}},                /* hreset $0x1 */
        {"TSXLDTRK", {0xf2, 0x0f, 0x01, 0xe8}},                          /* xsusldtrk */
        {"TSXLDTRK", {0xf2, 0x0f, 0x01, 0xe9}},                          /* xresldtrk */
        {"UINTR", {0xf3, 0x0f, 0x01, 0xec}},                             /* uiret */
        {"UINTR", {0xf3, 0x0f, 0x01, 0xed}},                             /* testui */
        {"UINTR", {0xf3, 0x0f, 0xc7, 0xf0}},                             /* senduipi %rax */
        {"WAITPKG", {0xf3, 0x0f, 0xae, 0xf0}},                           /* umonitor %rax */
        {"WAITPKG", {0xf2, 0x0f, 0xae, 0xf0}},                           /* umwait %eax */
        {"WAITPKG", {0x66, 0x0f, 0xae, 0xf0}},                           /* tpause %eax */
        {"ENQCMD", {0xf2, 0x0f, 0x38, 0xf8, 0x06}},                      /* enqcmd (%rsi),%rax */
        {"KL", {0xf3, 0x0f, 0x38, 0xdc, 0x06}},                          /* aesenc128kl (%rsi),%xmm0 */
        {"KL", {0xf3, 0x0f, 0x38, 0xd8, 0x06}},                          /* aesencwide128kl (%rsi) */
        {"KL", {0xf3, 0x0f, 0x38, 0xfb, 0xc0}},                          /* encodekey256 %eax,%eax */
        {"KL", {0xf3, 0x0f, 0x38, 0xdc, 0xc8}},                          /* loadiwkey %xmm0,%xmm1 */
        {"CMPCCXADD", {0xc4, 0xe2, 0x79, 0xe6, 0x0e}},                   /* cmpbexadd %eax,%ecx,(%rsi) */
        {"RAO-INT", {0x0f, 0x38, 0xfc, 0x06}},                           /* aadd %eax,(%rsi) */
        {"WRMSRNS", {0x0f, 0x01, 0xc6}},                                 /* wrmsrns */
        {"MSRLIST", {0xf2, 0x0f, 0x01, 0xc6}},                           /* rdmsrlist */
        {"PCONFIG", {0x0f, 0x01, 0xc5}},                                 /* pconfig */
        {"AVX512-FP16", {0x62, 0xf5, 0x74, 0x48, 0x58, 0xc2}},           /* vaddph %zmm2,%zmm1,%zmm0 */
        {"AVX512-FP16", {0x62, 0xf6, 0x75, 0x48, 0x98, 0xc2}},           /* vfmadd132ph %zmm2,%zmm1,%zmm0 */
        {"AVX512-FP16", {0x62, 0xf3, 0x74, 0x48, 0xc2, 0xca, 0x00}},     /* vcmpeqph %zmm2,%zmm1,%k1 */
        {"AVX512-FP16", {0x62, 0xf6, 0x77, 0x48, 0x56, 0xda}},           /* vfcmaddcph %zmm2,%zmm1,%zmm3 */
        {"AVX512-FP16", {0x62, 0xf5, 0x7d, 0x48, 0x5b, 0xc1}},           /* vcvtph2dq %ymm1,%zmm0 */
        {"AVX512-FP16", {0x62, 0xf3, 0x7c, 0x48, 0x26, 0xc1, 0x00}},     /* vgetmantph $0x0,%zmm1,%zmm0 */
        {"AVX512-FP16", {0x62, 0xf5, 0x7d, 0x08, 0x6e, 0xc0}},           /* vmovw %eax,%xmm0 */
        {"AVX512_4FMAPS", {0x62, 0xf2, 0x7f, 0x48, 0x9a, 0x20}},         /* v4fmaddps (%rax),%zmm0,%zmm4 */
        {"AVX512_4VNNIW", {0x62, 0xf2, 0x7f, 0x48, 0x52, 0x20}},         /* vp4dpwssd (%rax),%zmm0,%zmm4 */
        {"AVX512_BF16", {0x62, 0xf2, 0x76, 0x48, 0x52, 0xc2}},           /* vdpbf16ps %zmm2,%zmm1,%zmm0 */
        {"AVX512_BF16", {0x62, 0xf2, 0x77, 0x48, 0x72, 0xc2}},           /* vcvtne2ps2bf16 %zmm2,%zmm1,%zmm0 */
        {"AVX512_VNNI", {0x62, 0xf2, 0x75, 0x48, 0x50, 0xc2}},           /* vpdpbusd %zmm2,%zmm1,%zmm0 */
        {"AVX512_BITALG", {0x62, 0xf2, 0x7d, 0x48, 0x54, 0xc1}},         /* vpopcntb %zmm1,%zmm0 */
        {"AVX512_VPOPCNTDQ", {0x62, 0xf2, 0xfd, 0x48, 0x55, 0xc1}},      /* vpopcntq %zmm1,%zmm0 */
        {"AVX512_BITALG", {0x62, 0xf2, 0x75, 0x48, 0x8f, 0xca}},         /* vpshufbitqmb %zmm2,%zmm1,%k1 */
        {"AVX512_VBMI2", {0x62, 0xf2, 0x7d, 0x48, 0x63, 0xc8}},          /* vpcompressb %zmm1,%zmm0 */
        {"AVX512_VBMI2", {0x62, 0xf2, 0x75, 0x48, 0x71, 0xc2}},          /* vpshldvd %zmm2,%zmm1,%zmm0 */
        {"AVX512_VBMI2", {0x62, 0xf3, 0x75, 0x48, 0x71, 0xc2, 0x01}},    /* vpshldd $0x1,%zmm2,%zmm1,%zmm0 */
        {"AVX512VBMI", {0x62, 0xf2, 0x75, 0x48, 0x8d, 0xc2}},            /* vpermb %zmm2,%zmm1,%zmm0 */
        {"AVX512VBMI", {0x62, 0xf2, 0xf5, 0x48, 0x83, 0xc2}},            /* vpmultishiftqb %zmm2,%zmm1,%zmm0 */
        {"AVX512IFMA", {0x62, 0xf2, 0xf5, 0x48, 0xb4, 0xc2}},            /* vpmadd52luq %zmm2,%zmm1,%zmm0 */
        {"VAES", {0xc4, 0xe2, 0x75, 0xdc, 0xc2}},                        /* vaesenc %ymm2,%ymm1,%ymm0 */
        {"VAES", {0x62, 0xf2, 0x75, 0x48, 0xdc, 0xc2}},                  /* vaesenc %zmm2,%zmm1,%zmm0 */
        {"VPCLMULQDQ", {0xc4, 0xe3, 0x75, 0x44, 0xc2, 0x00}},            /* vpclmullqlqdq %ymm2,%ymm1,%ymm0 */
        {"GFNI", {0x66, 0x0f, 0x38, 0xcf, 0xca}},                        /* gf2p8mulb %xmm2,%xmm1 */
        {"GFNI", {0x62, 0xf3, 0xf5, 0x48, 0xce, 0xc2, 0x00}},            /* vgf2p8affineqb $0x0,%zmm2,%zmm1,%zmm0 */
        {"GFNI", {0xc4, 0xe2, 0x75, 0xcf, 0xc2}},                        /* vgf2p8mulb %ymm2,%ymm1,%ymm0 */
        {"CLWB", {0x66, 0x0f, 0xae, 0x36}},                              /* clwb (%rsi) */
        {"CLFLUSHOPT", {0x66, 0x0f, 0xae, 0x3e}},                        /* clflushopt (%rsi) */
        {"RDPID", {0xf3, 0x0f, 0xc7, 0xf8}},                             /* rdpid %rax */
        {"PKU", {0x0f, 0x01, 0xee}},                                     /* rdpkru */
        {"PTWRITE", {0xf3, 0x0f, 0xae, 0xe0}},                           /* ptwrite %eax */
        {"MONITORX", {0x0f, 0x01, 0xfa}},                                /* monitorx %rax,%ecx,%edx */
        {"CLZERO", {0x0f, 0x01, 0xfc}},                                  /* clzero */
        {"RDPRU", {0x0f, 0x01, 0xfd}},                                   /* rdpru */
        {"LWP", {0x8f, 0xe9, 0xf8, 0x12, 0xc0}},                         /* llwpcb %rax */
        {"LWP", {0x8f, 0xea, 0x70, 0x12, 0xc0, 0x00, 0x00, 0x00, 0x00}}, /* lwpins $0x0,%eax,%ecx */
        {"XSAVEOPT", {0x0f, 0xae, 0x36}},                                /* xsaveopt (%rsi) */
        {"CX16", {0x48, 0x0f, 0xc7, 0x0e}},                              /* cmpxchg16b (%rsi) */
        {"CET_SS", {0xf3, 0x48, 0x0f, 0xae, 0xe8}},                      /* incsspq %rax */
        {"CET_SS", {0x48, 0x0f, 0x38, 0xf6, 0x06}},                      /* wrssq %rax,(%rsi) */
        {"FSGSBASE", {0xf3, 0x48, 0x0f, 0xae, 0xc0}},                    /* rdfsbase %rax */
        {NULL, {0x0f, 0x10, 0xc8}},                                      /* movups %xmm0,%xmm1 */
        {NULL, {0xc5, 0xf4, 0x58, 0xd0}},                                /* vaddps %ymm0,%ymm1,%ymm2 */
        {NULL, {0x62, 0xf1, 0x74, 0x48, 0x58, 0xd0}},                    /* vaddps %zmm0,%zmm1,%zmm2 */
        {NULL, {0x0f, 0xae, 0xe8}},                                      /* lfence */
        {NULL, {0x0f, 0xae, 0xf0}},                                      /* mfence */
        {NULL, {0x0f, 0xae, 0xf8}},                                      /* sfence */
        {NULL, {0x90}},                                                  /* nop */
        {"RDTSCP", {0x0f, 0x01, 0xf9}},                                  /* rdtscp */
        {NULL, {0x62, 0xf2, 0xf5, 0x48, 0x8d, 0xc2}},                    /* vpermw %zmm2,%zmm1,%zmm0 */
        {NULL, {0x62, 0xf2, 0xf5, 0x48, 0x75, 0xc2}},                    /* vpermi2w %zmm2,%zmm1,%zmm0 */
        {NULL, {0x66, 0x0f, 0x38, 0xdc, 0xc8}},                          /* aesenc %xmm0,%xmm1 */
        {NULL, {0x0f, 0x38, 0xcb, 0xc8}},                                /* sha256rnds2 %xmm0,%xmm0,%xmm1 */
        {NULL, {0x0f, 0x38, 0xf0, 0x06}},                                /* movbe (%rsi),%eax */
        {NULL, {0xf2, 0x0f, 0x38, 0xf1, 0xc8}},                          /* crc32 %eax,%ecx */
        {NULL, {0x66, 0x0f, 0x38, 0xf6, 0xc8}},                          /* adcx %eax,%ecx */
        {NULL, {0x0f, 0xae, 0x16}},                                      /* ldmxcsr (%rsi) */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        same(opcode_feature(cases[i].bytes, sizeof cases[i].bytes), cases[i].feature, i);
        if (cases[i].feature)
            ck_assert_int_ge(cpu_has(cases[i].feature), 0);
    }
}
END_TEST

/* Newer than the assembler: by hand, from Intel 355828 and 319433. */
START_TEST(test_newest)
{
    static const struct {
        const char *feature;
        uint8_t bytes[15];
    } cases[] = {
        {"APX", {0xd5, 0x18, 0x89, 0xc0}},                       /* mov %r16,%rax, with REX2 */
        {"APX", {0xd5, 0x08, 0x50}},                             /* pushp %rax */
        {"APX", {0x62, 0xf4, 0x7c, 0x18, 0x01, 0xc3}},           /* add %eax,%ebx,%eax */
        {"AVX10.2", {0x62, 0xf3, 0x75, 0x48, 0x52, 0xc2, 0x00}}, /* vminmaxps */
        {"SHA512", {0xc4, 0xe2, 0x77, 0xcb, 0xc2}},              /* vsha512rnds2 */
        {"SM3", {0xc4, 0xe2, 0x70, 0xda, 0xc2}},                 /* vsm3msg1 */
        {"SM4", {0xc4, 0xe2, 0x72, 0xda, 0xc2}},                 /* vsm4key4 */
        {"AMX-COMPLEX", {0xc4, 0xe2, 0x71, 0x6c, 0xd0}},         /* tcmmimfp16ps */
        {"USER_MSR", {0xf2, 0x0f, 0x38, 0xf8, 0xc1}},            /* urdmsr */
        {NULL, {0xd5, 0x0a, 0x90, 0x90}},                        /* what was aad */
        {NULL, {0xd5, 0x18, 0x40, 0xc0}},                        /* reserved */
        {NULL, {0x62, 0xf4, 0x7c, 0x18, 0x05, 0xc3}},            /* no such opcode in map 4 */
        {NULL, {0x66, 0xc4, 0xe2, 0x77, 0xcb, 0xc2}},            /* 66 before VEX */
        {NULL, {0xf0, 0x66, 0x0f, 0x38, 0xf8, 0x06}},            /* lock */
        {NULL, {0x66, 0x0f, 0x38, 0xf8, 0xc6}},                  /* movdir64b of a register */
        {NULL, {0xc4, 0xe2, 0x73, 0xcb, 0xc2}},                  /* vsha512rnds2 of 128 bits */
        {NULL, {0xc4, 0xff, 0, 0, 0}},                           /* map 31 */
        {NULL, {0x06}},
        {NULL, {0x0f, 0x0b}},
        {NULL, {0x0f, 0x04}},
        {NULL, {0x62, 0xf0, 0, 0, 0}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        same(opcode_feature(cases[i].bytes, sizeof cases[i].bytes), cases[i].feature, i);
}
END_TEST

START_TEST(test_kernels_own)
{
    static const uint8_t clac[] = {0x0f, 0x01, 0xca}, vmread[] = {0x0f, 0x78, 0xc0}, vmxon[] = {0xf3, 0x0f, 0xc7, 0x36},
                         ud2[] = {0x0f, 0x0b, 0x90}, rdrand[] = {0x0f, 0xc7, 0xf0};

    ck_assert(opcode_is_of_kernel(clac, sizeof clac));
    ck_assert(opcode_is_of_kernel(vmread, sizeof vmread));
    ck_assert(opcode_is_of_kernel(vmxon, sizeof vmxon));
    ck_assert(!opcode_is_of_kernel(ud2, sizeof ud2));
    ck_assert(!opcode_is_of_kernel(rdrand, sizeof rdrand));
}
END_TEST

/* Whatever the bytes and wherever they end. */
START_TEST(test_hostile)
{
    uint8_t *bytes;

    srandom(1);
    for (int i = 0; i < 200000; i++) {
        size_t n = (size_t)random() % 16;

        bytes = malloc(n ? n : 1); /* of that very size, for ASan */
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)random();
        if (n && i % 2)
            bytes[0] = (uint8_t) "\xc4\xc5\x62\x8f\xd5\x0f\x66\xf3"[random() % 8];
        opcode_feature(bytes, n);
        opcode_is_of_kernel(bytes, n);
        free(bytes);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("opcode");
    TCase *tcase = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, test_extensions);
    tcase_add_test(tcase, test_newest);
    tcase_add_test(tcase, test_kernels_own);
    tcase_add_test(tcase, test_hostile);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
