#include "opcode.h"

#include <string.h>

/* Intel SDM volume 2 (chapters 2 to 6), Intel 319433 (Architecture Instruction Set Extensions), Intel 355828 (APX), AMD
 * APM volumes 3 and 4. */
enum encoding { LEGACY, VEX, EVEX, XOP };
enum { P0 = 1, P66 = 2, PF3 = 4, PF2 = 8, PANY = 15 };                     /* the mandatory prefix, a set */
enum { W0 = 1, W1 = 2, WANY = 3 };                                         /* REX.W and its like, a set */
enum { MEM = 1, REG = 2, ANY = 3 };                                        /* what the ModRM byte names, a set */
enum { L128 = 1, L256 = 2, L512 = 4, LANY = 7, EACH = -1, PREFIXES = 14 }; /* vector lengths, a set; any number */

struct parsed {
    enum encoding encoding;
    unsigned map, opcode, prefix, w, length;
    bool has_modrm;
    uint8_t modrm;
    unsigned scalar; /* EVEX bits that only the promoted instructions of APX may have */
};

/* An instruction, or several whose opcodes follow each other. */
struct row {
    enum encoding encoding;
    unsigned char map, first, last, prefixes, w, lengths, operand;
    signed char reg, rm; /* fields of the ModRM byte, or EACH */
    const char *feature;
};

static const struct row legacy_rows[] = {
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 0, "SGX"}, /* enclv */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 1, 7, "SGX"}, /* encls */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 2, 7, "SGX"}, /* enclu */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 5, "PCONFIG"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 6, "WRMSRNS"},
    {LEGACY, 1, 0x01, 0x01, PF3 | PF2, WANY, LANY, REG, 0, 6, "MSRLIST"},
    {LEGACY, 1, 0x01, 0x01, PF3 | PF2, WANY, LANY, REG, 1, 2, "FRED"}, /* eretu, erets */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 5, 0, "SERIALIZE"},
    {LEGACY, 1, 0x01, 0x01, PF2, WANY, LANY, REG, 5, 0, "TSXLDTRK"},  /* xsusldtrk */
    {LEGACY, 1, 0x01, 0x01, PF2, WANY, LANY, REG, 5, 1, "TSXLDTRK"},  /* xresldtrk */
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 0, "CET_SS"},    /* setssbsy */
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 2, "CET_SS"},    /* saveprevssp */
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, MEM, 5, EACH, "CET_SS"}, /* rstorssp */
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 4, "UINTR"},     /* uiret, testui, clui, stui */
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 5, "UINTR"},
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 6, "UINTR"},
    {LEGACY, 1, 0x01, 0x01, PF3, WANY, LANY, REG, 5, 7, "UINTR"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 5, 6, "PKU"}, /* rdpkru, wrpkru */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 5, 7, "PKU"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 1, "RDTSCP"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 2, "MONITORX"}, /* monitorx, mwaitx */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 3, "MONITORX"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 4, "CLZERO"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 5, "RDPRU"},
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 6, "INVLPGB"}, /* invlpgb, tlbsync */
    {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 7, 7, "INVLPGB"},
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, REG, 5, EACH, "CET_SS"},              /* incssp */
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, MEM, 6, EACH, "CET_SS"},              /* clrssbsy */
    {LEGACY, 1, 0xae, 0xae, P66 | PF3 | PF2, WANY, LANY, REG, 6, EACH, "WAITPKG"}, /* tpause, umonitor, umwait */
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, ANY, 4, EACH, "PTWRITE"},
    {LEGACY, 1, 0xae, 0xae, P66, WANY, LANY, MEM, 6, EACH, "CLWB"},
    {LEGACY, 1, 0xae, 0xae, P66, WANY, LANY, MEM, 7, EACH, "CLFLUSHOPT"},
    {LEGACY, 1, 0xae, 0xae, P0, WANY, LANY, MEM, 4, EACH, "XSAVE"}, /* xsave, xrstor */
    {LEGACY, 1, 0xae, 0xae, P0, WANY, LANY, MEM, 5, EACH, "XSAVE"},
    {LEGACY, 1, 0xae, 0xae, P0, WANY, LANY, MEM, 6, EACH, "XSAVEOPT"},
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, REG, 0, EACH, "FSGSBASE"},
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, REG, 1, EACH, "FSGSBASE"},
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, REG, 2, EACH, "FSGSBASE"},
    {LEGACY, 1, 0xae, 0xae, PF3, WANY, LANY, REG, 3, EACH, "FSGSBASE"},
    {LEGACY, 1, 0xc7, 0xc7, P0, W1, LANY, MEM, 1, EACH, "CX16"}, /* cmpxchg16b */
    {LEGACY, 1, 0xc7, 0xc7, P0, WANY, LANY, MEM, 4, EACH, "XSAVEC"},
    {LEGACY, 1, 0xc7, 0xc7, PF3, WANY, LANY, REG, 6, EACH, "UINTR"}, /* senduipi */
    {LEGACY, 1, 0xc7, 0xc7, PF3, WANY, LANY, REG, 7, EACH, "RDPID"},
    {LEGACY, 2, 0x8a, 0x8b, P0 | P66, WANY, LANY, MEM, EACH, EACH, "MOVRS"},
    {LEGACY, 2, 0xcf, 0xcf, P66, WANY, LANY, ANY, EACH, EACH, "GFNI"},
    {LEGACY, 2, 0xd8, 0xd8, PF3, WANY, LANY, MEM, 0, EACH, "KL"}, /* the wide ones */
    {LEGACY, 2, 0xd8, 0xd8, PF3, WANY, LANY, MEM, 1, EACH, "KL"},
    {LEGACY, 2, 0xd8, 0xd8, PF3, WANY, LANY, MEM, 2, EACH, "KL"},
    {LEGACY, 2, 0xd8, 0xd8, PF3, WANY, LANY, MEM, 3, EACH, "KL"},
    {LEGACY, 2, 0xdc, 0xdf, PF3, WANY, LANY, MEM, EACH, EACH, "KL"},     /* aesenc128kl … */
    {LEGACY, 2, 0xdc, 0xdc, PF3, WANY, LANY, REG, EACH, EACH, "KL"},     /* loadiwkey */
    {LEGACY, 2, 0xfa, 0xfb, PF3, WANY, LANY, REG, EACH, EACH, "KL"},     /* encodekey128, encodekey256 */
    {LEGACY, 2, 0xf5, 0xf5, P66, WANY, LANY, MEM, EACH, EACH, "CET_SS"}, /* wruss */
    {LEGACY, 2, 0xf6, 0xf6, P0, WANY, LANY, MEM, EACH, EACH, "CET_SS"},  /* wrss */
    {LEGACY, 2, 0xf8, 0xf8, P66, WANY, LANY, MEM, EACH, EACH, "MOVDIR64B"},
    {LEGACY, 2, 0xf8, 0xf8, PF3 | PF2, WANY, LANY, MEM, EACH, EACH, "ENQCMD"},
    {LEGACY, 2, 0xf8, 0xf8, PF3 | PF2, WANY, LANY, REG, EACH, EACH, "USER_MSR"},
    {LEGACY, 2, 0xf9, 0xf9, P0, WANY, LANY, MEM, EACH, EACH, "MOVDIRI"},
    {LEGACY, 2, 0xfc, 0xfc, PANY, WANY, LANY, MEM, EACH, EACH, "RAO-INT"},
    {LEGACY, 3, 0xce, 0xcf, P66, WANY, LANY, ANY, EACH, EACH, "GFNI"},
    {LEGACY, 3, 0xf0, 0xf0, PF3, WANY, LANY, REG, 0, 0, "HRESET"},
};

static const struct row vex_rows[] = {
    {VEX, 2, 0x48, 0x48, P66, W0, L128, REG, EACH, EACH, "AMX-TF32"},
    {VEX, 2, 0x49, 0x49, P0 | P66, W0, L128, MEM, 0, EACH, "AMX-TILE"}, /* ldtilecfg, sttilecfg */
    {VEX, 2, 0x49, 0x49, P0, W0, L128, REG, 0, 0, "AMX-TILE"},          /* tilerelease */
    {VEX, 2, 0x49, 0x49, PF2, W0, L128, REG, EACH, 0, "AMX-TILE"},      /* tilezero */
    {VEX, 2, 0x4a, 0x4a, P66 | PF2, W0, L128, MEM, EACH, EACH, "AMX-MOVRS"},
    {VEX, 2, 0x4b, 0x4b, P66 | PF3 | PF2, W0, L128, MEM, EACH, 4, "AMX-TILE"},
    {VEX, 2, 0x50, 0x53, P66, W0, L128 | L256, ANY, EACH, EACH, "AVX-VNNI"},
    {VEX, 2, 0x50, 0x51, P0 | PF3 | PF2, W0, L128 | L256, ANY, EACH, EACH, "AVX-VNNI-INT8"},
    {VEX, 2, 0x5c, 0x5c, PF3, W0, L128, REG, EACH, EACH, "AMX-BF16"},
    {VEX, 2, 0x5c, 0x5c, PF2, W0, L128, REG, EACH, EACH, "AMX-FP16"},
    {VEX, 2, 0x5e, 0x5e, PANY, W0, L128, REG, EACH, EACH, "AMX-INT8"},
    {VEX, 2, 0x6c, 0x6c, P0 | P66, W0, L128, REG, EACH, EACH, "AMX-COMPLEX"},
    {VEX, 2, 0x72, 0x72, PF3, W0, L128 | L256, ANY, EACH, EACH, "AVX-NE-CONVERT"},
    {VEX, 2, 0xb0, 0xb0, PANY, W0, L128 | L256, MEM, EACH, EACH, "AVX-NE-CONVERT"},
    {VEX, 2, 0xb1, 0xb1, P66 | PF3, W0, L128 | L256, MEM, EACH, EACH, "AVX-NE-CONVERT"},
    {VEX, 2, 0xb4, 0xb5, P66, W1, L128 | L256, ANY, EACH, EACH, "AVX-IFMA"},
    {VEX, 2, 0xcb, 0xcd, PF2, W0, L256, REG, EACH, EACH, "SHA512"},
    {VEX, 2, 0xcf, 0xcf, P66, W0, L128 | L256, ANY, EACH, EACH, "GFNI"},
    {VEX, 2, 0xd2, 0xd3, P0 | P66 | PF3, W0, L128 | L256, ANY, EACH, EACH, "AVX-VNNI-INT16"},
    {VEX, 2, 0xda, 0xda, P0 | P66, W0, L128, ANY, EACH, EACH, "SM3"},
    {VEX, 2, 0xda, 0xda, PF3 | PF2, W0, L128 | L256, ANY, EACH, EACH, "SM4"},
    {VEX, 2, 0xdc, 0xdf, P66, WANY, L256, ANY, EACH, EACH, "VAES"},
    {VEX, 2, 0xe0, 0xef, P66, WANY, L128, MEM, EACH, EACH, "CMPCCXADD"},
    {VEX, 3, 0x44, 0x44, P66, WANY, L256, ANY, EACH, EACH, "VPCLMULQDQ"},
    {VEX, 3, 0xce, 0xcf, P66, W1, L128 | L256, ANY, EACH, EACH, "GFNI"},
    {VEX, 3, 0xde, 0xde, P66, W0, L128, ANY, EACH, EACH, "SM3"},
    {VEX, 5, 0xfd, 0xfd, PANY, W0, L128, REG, EACH, EACH, "AMX-FP8"},
    {VEX, 7, 0xf8, 0xf8, PF3 | PF2, W0, L128, REG, 0, EACH, "USER_MSR"},
    {XOP, 9, 0x12, 0x12, P0, WANY, LANY, REG, 0, EACH, "LWP"}, /* llwpcb, slwpcb */
    {XOP, 9, 0x12, 0x12, P0, WANY, LANY, REG, 1, EACH, "LWP"},
    {XOP, 10, 0x12, 0x12, P0, WANY, LANY, ANY, 0, EACH, "LWP"}, /* lwpins, lwpval */
    {XOP, 10, 0x12, 0x12, P0, WANY, LANY, ANY, 1, EACH, "LWP"},
};

static const struct row evex_rows[] = {
    {EVEX, 2, 0x50, 0x53, P66, W0, LANY, ANY, EACH, EACH, "AVX512_VNNI"},
    {EVEX, 2, 0x50, 0x51, P0 | PF3 | PF2, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 2, 0x52, 0x52, P0, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 2, 0x52, 0x52, PF3, W0, LANY, ANY, EACH, EACH, "AVX512_BF16"},
    {EVEX, 2, 0x52, 0x53, PF2, W0, L512, MEM, EACH, EACH, "AVX512_4VNNIW"},
    {EVEX, 2, 0x54, 0x54, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_BITALG"},
    {EVEX, 2, 0x55, 0x55, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VPOPCNTDQ"},
    {EVEX, 2, 0x62, 0x63, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 2, 0x68, 0x68, PF2, WANY, LANY, ANY, EACH, EACH, "AVX512_VP2INTERSECT"},
    {EVEX, 2, 0x70, 0x70, P66, W1, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 2, 0x71, 0x71, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 2, 0x72, 0x72, P66, W1, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 2, 0x72, 0x72, PF3 | PF2, W0, LANY, ANY, EACH, EACH, "AVX512_BF16"},
    {EVEX, 2, 0x73, 0x73, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 2, 0x75, 0x75, P66, W0, LANY, ANY, EACH, EACH, "AVX512VBMI"}, /* vpermi2b, vpermt2b, vpermb */
    {EVEX, 2, 0x7d, 0x7d, P66, W0, LANY, ANY, EACH, EACH, "AVX512VBMI"},
    {EVEX, 2, 0x83, 0x83, P66, W1, LANY, ANY, EACH, EACH, "AVX512VBMI"},
    {EVEX, 2, 0x8d, 0x8d, P66, W0, LANY, ANY, EACH, EACH, "AVX512VBMI"},
    {EVEX, 2, 0x8f, 0x8f, P66, W0, LANY, ANY, EACH, EACH, "AVX512_BITALG"},
    {EVEX, 2, 0x9a, 0x9b, PF2, W0, LANY, MEM, EACH, EACH, "AVX512_4FMAPS"},
    {EVEX, 2, 0xaa, 0xab, PF2, W0, LANY, MEM, EACH, EACH, "AVX512_4FMAPS"},
    {EVEX, 2, 0xb4, 0xb5, P66, W1, LANY, ANY, EACH, EACH, "AVX512IFMA"},
    {EVEX, 2, 0xcf, 0xcf, P66, W0, LANY, ANY, EACH, EACH, "GFNI"},
    {EVEX, 2, 0xd2, 0xd3, P0 | P66 | PF3, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 2, 0xdc, 0xdf, P66, WANY, LANY, ANY, EACH, EACH, "VAES"},
    {EVEX, 3, 0x08, 0x08, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"}, /* vrndscaleph and the like */
    {EVEX, 3, 0x0a, 0x0a, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 3, 0x26, 0x27, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 3, 0x44, 0x44, P66, WANY, LANY, ANY, EACH, EACH, "VPCLMULQDQ"},
    {EVEX, 3, 0x52, 0x53, PANY, WANY, LANY, ANY, EACH, EACH, "AVX10.2"}, /* vminmaxps and the like */
    {EVEX, 3, 0x56, 0x57, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 3, 0x66, 0x67, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 3, 0x70, 0x70, P66, W1, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 3, 0x71, 0x71, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 3, 0x72, 0x72, P66, W1, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 3, 0x73, 0x73, P66, WANY, LANY, ANY, EACH, EACH, "AVX512_VBMI2"},
    {EVEX, 3, 0xc2, 0xc2, P0 | PF3, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 3, 0xce, 0xcf, P66, W1, LANY, ANY, EACH, EACH, "GFNI"},
    {EVEX, 5, 0x10, 0x11, PF3, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x1d, 0x1d, P0 | P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x2a, 0x2a, PF3, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x2c, 0x2d, PF3, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x2e, 0x2f, P0, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x2e, 0x2f, P66, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 5, 0x51, 0x51, P0 | PF3, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x58, 0x59, P0 | PF3, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x5a, 0x5a, PANY, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x5b, 0x5b, P0 | P66 | PF3, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x5c, 0x5f, P0 | PF3, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x51, 0x51, P66, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 5, 0x58, 0x59, P66, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 5, 0x5c, 0x5f, P66, W0, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 5, 0x68, 0x6d, PANY, WANY, LANY, ANY, EACH, EACH, "AVX10.2"},
    {EVEX, 5, 0x6e, 0x6e, P66, WANY, L128, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x6f, 0x6f, PF2, WANY, LANY, MEM, EACH, EACH, "MOVRS"},
    {EVEX, 5, 0x7e, 0x7e, P66, WANY, L128, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x78, 0x79, P0 | P66 | PF3, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x7a, 0x7a, P66 | PF2, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x7b, 0x7b, P66 | PF3, WANY, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x7c, 0x7c, P0 | P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 5, 0x7d, 0x7d, PANY, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x13, 0x13, P0 | P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x2c, 0x2d, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x42, 0x43, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x4c, 0x4f, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x56, 0x57, PF3 | PF2, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0x96, 0x9f, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0xa6, 0xaf, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0xb6, 0xbf, P66, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
    {EVEX, 6, 0xd6, 0xd7, PF3 | PF2, W0, LANY, ANY, EACH, EACH, "AVX512-FP16"},
};

static unsigned vex_prefix(uint8_t byte)
{
    return 1u << (byte & 3); /* none, 66, f3, f2: in the order of P0 … PF2 */
}

/* The opcode byte and what follows it; AT is the opcode's offset. */
static bool parse_rest(const uint8_t *bytes, size_t n, size_t at, struct parsed *ret)
{
    if (at >= n)
        return false;
    ret->opcode = bytes[at];
    ret->has_modrm = at + 1 < n;
    ret->modrm = ret->has_modrm ? bytes[at + 1] : 0;
    return true;
}

/* Before VEX, EVEX and XOP no prefix may stand but one of a segment or an address size (SDM 2.3.2). */
static bool parse_vector(const uint8_t *bytes, size_t n, size_t at, struct parsed *ret)
{
    const uint8_t *p = bytes + at;

    if (p[0] == 0xc5 && n - at > 2) {
        *ret = (struct parsed){VEX, .map = 1, .prefix = vex_prefix(p[1]), .w = W0, .length = 1u << (p[1] >> 2 & 1)};
        return parse_rest(bytes, n, at + 2, ret);
    }
    if ((p[0] == 0xc4 || p[0] == 0x8f) && n - at > 3) {
        *ret = (struct parsed){p[0] == 0xc4 ? VEX : XOP, .map = p[1] & 0x1f, .prefix = vex_prefix(p[2]),
                               .w = p[2] & 0x80 ? W1 : W0, .length = 1u << (p[2] >> 2 & 1)};
        return (p[0] == 0xc4 || ret->map >= 8) && parse_rest(bytes, n, at + 3, ret);
    }
    if (p[0] == 0x62 && n - at > 4) {
        *ret = (struct parsed){EVEX,
                               .map = p[1] & 7,
                               .prefix = vex_prefix(p[2]),
                               .w = p[2] & 0x80 ? W1 : W0,
                               .length = 1u << (p[3] >> 5 & 3),
                               .scalar = (p[1] & 8) | !(p[2] & 4)};
        return parse_rest(bytes, n, at + 4, ret);
    }
    return false;
}

/* Of the prefixes the one that belongs to the opcode: f2 or f3, the last one; else 66 (SDM 2.1.2). */
static bool parse_legacy(const uint8_t *bytes, size_t n, size_t at, unsigned prefix, struct parsed *ret)
{
    bool rex = (bytes[at] & 0xf0) == 0x40;

    *ret = (struct parsed){LEGACY, .prefix = prefix, .w = rex && (bytes[at] & 8) ? W1 : W0, .length = L128};
    at += rex;
    if (at + 1 >= n || bytes[at++] != 0x0f)
        return false;
    ret->map = bytes[at] == 0x38 ? 2 : bytes[at] == 0x3a ? 3 : 1;
    return parse_rest(bytes, n, at + (ret->map > 1), ret);
}

/* AT: behind the prefixes of old. */
static bool parse(const uint8_t *bytes, size_t n, size_t *at, struct parsed *ret)
{
    bool operand_size = false, lock = false;
    unsigned repeat = 0;

    for (*at = 0; *at < n && *at < PREFIXES; (*at)++) {
        if (bytes[*at] == 0x66)
            operand_size = true;
        else if (bytes[*at] == 0xf0)
            lock = true;
        else if (bytes[*at] == 0xf2 || bytes[*at] == 0xf3)
            repeat = bytes[*at] == 0xf2 ? PF2 : PF3;
        else if (!memchr("\x2e\x36\x3e\x26\x64\x65\x67", bytes[*at], 7))
            break;
    }
    if (*at >= n || lock)
        return false;
    if (memchr("\xc4\xc5\x62\x8f", bytes[*at], 4))
        return !operand_size && !repeat && parse_vector(bytes, n, *at, ret);
    return parse_legacy(bytes, n, *at, repeat ? repeat : operand_size ? P66 : P0, ret);
}

static bool fits(const struct row *row, const struct parsed *is)
{
    unsigned operand = is->modrm >= 0xc0 ? REG : MEM;

    return row->encoding == is->encoding && row->map == is->map && is->opcode >= row->first &&
           is->opcode <= row->last && (row->prefixes & is->prefix) && (row->w & is->w) && is->has_modrm &&
           (row->operand & operand) &&
           /* With bit 4 of its last prefix byte EVEX has a rounding mode where the length stands. */
           ((row->lengths & is->length) || row->encoding == EVEX) &&
           (row->reg == EACH || row->reg == (is->modrm >> 3 & 7)) && (row->rm == EACH || row->rm == (is->modrm & 7));
}

static const char *find(const struct row *rows, size_t count, const struct parsed *is)
{
    for (size_t i = 0; i < count; i++)
        if (fits(&rows[i], is))
            return rows[i].feature;
    return NULL;
}

/* REX2 (APX) is written where one of the registers 16 to 31 is named, by pushp and popp, and by jmpabs; its first byte
 * was aad(d) before 64 bits. */
static bool is_rex2(const uint8_t *bytes, size_t n, size_t at)
{
    enum { MORE_REGISTERS = 0x70, W = 8, MAP_1 = 0x80, PUSH = 0x50, POP_LAST = 0x5f, JMPABS = 0xa1 };
    uint8_t payload, opcode;

    if (at + 2 >= n || bytes[at] != 0xd5)
        return false;
    payload = bytes[at + 1];
    opcode = bytes[at + 2];
    if (payload & MORE_REGISTERS)
        return (payload & MAP_1) || (opcode >> 4 != 4 && opcode >> 4 != 7 && opcode >> 4 != 0xa && opcode >> 4 != 0xe);
    return !(payload & MAP_1) && ((payload & W && opcode >= PUSH && opcode <= POP_LAST) || opcode == JMPABS);
}

/* EVEX map 4 holds what APX has promoted: the old arithmetic, with a new destination or without flags. */
static bool is_promoted(const uint8_t *evex, const struct parsed *is)
{
    static const uint8_t others[] = {0x24, 0x2c, 0x60, 0x61, 0x65, 0x66, 0x69, 0x6b, 0x80, 0x81, 0x83, 0x84,
                                     0x85, 0x88, 0x8f, 0xa5, 0xad, 0xaf, 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3,
                                     0xf0, 0xf1, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfc, 0xfe, 0xff};
    bool arithmetic = is->opcode < 0x40 && (is->opcode & 7) < 4, condition = is->opcode >> 4 == 4;

    return is->encoding == EVEX && is->map == 4 && !(evex[3] & 0xe0) &&
           (arithmetic || condition || memchr(others, (int)is->opcode, sizeof others));
}

const char *opcode_feature(const uint8_t *bytes, size_t n)
{
    struct parsed is;
    size_t at = 0;
    bool parsed = parse(bytes, n, &at, &is);

    if (at < n && is_rex2(bytes, n, at))
        return "APX";
    if (!parsed)
        return NULL;
    if (is_promoted(bytes + at, &is))
        return "APX";
    if (is.encoding == EVEX)
        return is.scalar ? NULL : find(evex_rows, sizeof evex_rows / sizeof *evex_rows, &is);
    return is.encoding == LEGACY ? find(legacy_rows, sizeof legacy_rows / sizeof *legacy_rows, &is)
                                 : find(vex_rows, sizeof vex_rows / sizeof *vex_rows, &is);
}

bool opcode_is_of_kernel(const uint8_t *bytes, size_t n)
{
    static const struct row rows[] = {
        {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 2, NULL}, /* vmlaunch, vmresume, vmxoff */
        {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 3, NULL},
        {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 0, 4, NULL},
        {LEGACY, 1, 0x01, 0x01, P0, WANY, LANY, REG, 1, EACH, NULL},             /* monitor, mwait, clac, stac, encls */
        {LEGACY, 1, 0x37, 0x37, P0, WANY, LANY, ANY, EACH, EACH, NULL},          /* getsec */
        {LEGACY, 1, 0x78, 0x79, P0, WANY, LANY, ANY, EACH, EACH, NULL},          /* vmread, vmwrite */
        {LEGACY, 1, 0xaa, 0xaa, PANY, WANY, LANY, ANY, EACH, EACH, NULL},        /* rsm */
        {LEGACY, 1, 0xc7, 0xc7, P0 | P66 | PF3, WANY, LANY, MEM, 6, EACH, NULL}, /* vmptrld, vmclear, vmxon */
        {LEGACY, 1, 0xc7, 0xc7, P0, WANY, LANY, MEM, 7, EACH, NULL},             /* vmptrst */
        {LEGACY, 2, 0x80, 0x81, P66, WANY, LANY, MEM, EACH, EACH, NULL},         /* invept, invvpid */
    };
    struct parsed is;
    size_t at = 0;

    if (!parse(bytes, n, &at, &is) || is.encoding != LEGACY)
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (fits(&rows[i], &is))
            return true;
    return false;
}
