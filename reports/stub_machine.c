/* The machines that stubs can be written for. */
#include "stub_machine.h"

#include <elf.h>
#include <string.h>
#include <sys/utsname.h>

#define CODE(...)                                                                                                      \
    {                                                                                                                  \
        .bytes = {__VA_ARGS__}, .size = sizeof((unsigned char[]){__VA_ARGS__})                                         \
    }

/* What makes the calls: a loop over steps, laid out as stub_calls.c says. The instructions stand beside the bytes of
 * each machine. Registers: %rbx and x19 point at the data behind the code, %r12 and x20 hold the kept result, %r13 and
 * x21 point at the step, %r14d and w22 count them. */
static const struct stub_machine machines[] = {
    {
        .uname = "x86_64",
        .loader = "/lib64/ld-linux-x86-64.so.2",
        .libc_base = "GLIBC_2.2.5",
        .class = ELFCLASS64,
        .data = ELFDATA2LSB,
        .machine = EM_X86_64,
        .page = 0x1000,
        .bind = R_X86_64_GLOB_DAT,
        .rela = true,
        /* mov $231,%eax; xor %edi,%edi; syscall */
        .leave = CODE(0xb8, 0xe7, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05),
        /* xor %eax,%eax; ret */
        .back = CODE(0x31, 0xc0, 0xc3),
        /* lea data(%rip),%rbx; xor %r12d,%r12d; lea 24(%rbx),%r13; mov 16(%rbx),%r14d
         * next: xor %edi,%edi; test %r14d,%r14d; je leave; movzbl 5(%r13),%ecx
         * mov 8(%r13),%rdi; test $1,%cl; cmovne %r12,%rdi
         * mov 16(%r13),%rsi; test $2,%cl; cmovne %r12,%rsi
         * mov 24(%r13),%rdx; test $4,%cl; cmovne %r12,%rdx
         * mov 32(%r13),%r10; mov 40(%r13),%r8; mov 48(%r13),%r9; mov (%r13),%eax; syscall
         * movzbl 4(%r13),%ecx; test %rax,%rax; js failed; test $2,%cl; cmovne %rax,%r12
         * advance: add $56,%r13; dec %r14d; jmp next
         * failed: test $4,%cl; jne advance; test $1,%cl; je other; cmp (%rbx),%eax; jne unexpected
         * mov $2,%edi; mov 12(%rbx),%esi; add %rbx,%rsi; mov 8(%rbx),%edx; mov $1,%eax; syscall
         * mov 4(%rbx),%edi; jmp leave; unexpected: test $8,%cl; jne advance; other: mov $125,%edi
         * leave: mov $231,%eax; syscall */
        .calls = CODE(0x48, 0x8d, 0x1d, 0xa1, 0, 0, 0, 0x45, 0x31, 0xe4, 0x4c, 0x8d, 0x6b, 0x18, 0x44, 0x8b, 0x73, 0x10,
                      0x31, 0xff, 0x45, 0x85, 0xf6, 0x0f, 0x84, 0x84, 0, 0, 0, 0x41, 0x0f, 0xb6, 0x4d, 0x05, 0x49, 0x8b,
                      0x7d, 0x08, 0xf6, 0xc1, 0x01, 0x49, 0x0f, 0x45, 0xfc, 0x49, 0x8b, 0x75, 0x10, 0xf6, 0xc1, 0x02,
                      0x49, 0x0f, 0x45, 0xf4, 0x49, 0x8b, 0x55, 0x18, 0xf6, 0xc1, 0x04, 0x49, 0x0f, 0x45, 0xd4, 0x4d,
                      0x8b, 0x55, 0x20, 0x4d, 0x8b, 0x45, 0x28, 0x4d, 0x8b, 0x4d, 0x30, 0x41, 0x8b, 0x45, 0, 0x0f, 0x05,
                      0x41, 0x0f, 0xb6, 0x4d, 0x04, 0x48, 0x85, 0xc0, 0x78, 0x10, 0xf6, 0xc1, 0x02, 0x4c, 0x0f, 0x45,
                      0xe0, 0x49, 0x83, 0xc5, 0x38, 0x41, 0xff, 0xce, 0xeb, 0xa3, 0xf6, 0xc1, 0x04, 0x75, 0xf2, 0xf6,
                      0xc1, 0x01, 0x74, 0x23, 0x3b, 0x03, 0x75, 0x1a, 0xbf, 0x02, 0, 0, 0, 0x8b, 0x73, 0x0c, 0x48, 0x01,
                      0xde, 0x8b, 0x53, 0x08, 0xb8, 0x01, 0, 0, 0, 0x0f, 0x05, 0x8b, 0x7b, 0x04, 0xeb, 0x0a, 0xf6, 0xc1,
                      0x08, 0x75, 0xca, 0xbf, 0x7d, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05),
    },
    {
        .uname = "aarch64",
        .loader = "/lib/ld-linux-aarch64.so.1",
        .libc_base = "GLIBC_2.17",
        .class = ELFCLASS64,
        .data = ELFDATA2LSB,
        .machine = EM_AARCH64,
        .page = 0x10000,
        .bind = R_AARCH64_GLOB_DAT,
        .rela = true,
        /* mov x0,#0; mov x8,#94; svc #0 */
        .leave = CODE(0, 0, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4),
        /* mov x0,#0; ret */
        .back = CODE(0, 0, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6),
        /* adr x19,data; mov x20,#0; add x21,x19,#24; ldr w22,[x19,#16]
         * next: mov x0,#0; cbz w22,leave; ldrb w9,[x21,#5]
         * ldr x0,[x21,#8]; tst w9,#1; csel x0,x20,x0,ne; ldr x1,[x21,#16]; tst w9,#2; csel x1,x20,x1,ne
         * ldr x2,[x21,#24]; tst w9,#4; csel x2,x20,x2,ne; ldp x3,x4,[x21,#32]; ldr x5,[x21,#48]; ldr w8,[x21]; svc #0
         * ldrb w9,[x21,#4]; tbnz x0,#63,failed; tst w9,#2; csel x20,x0,x20,ne
         * advance: add x21,x21,#56; sub w22,w22,#1; b next
         * failed: tbnz w9,#2,advance; tbz w9,#0,other; ldr w10,[x19]; cmp w0,w10; b.ne unexpected
         * mov x0,#2; ldr w1,[x19,#12]; add x1,x1,x19; ldr w2,[x19,#8]; mov x8,#64; svc #0
         * ldr w0,[x19,#4]; b leave; unexpected: tbnz w9,#3,advance; other: mov x0,#125
         * leave: mov x8,#94; svc #0 */
        .calls =
            CODE(0x93, 0x05, 0, 0x10, 0x14, 0, 0x80, 0xd2, 0x75, 0x62, 0, 0x91, 0x76, 0x12, 0x40, 0xb9, 0, 0, 0x80,
                 0xd2, 0xb6, 0x04, 0, 0x34, 0xa9, 0x16, 0x40, 0x39, 0xa0, 0x06, 0x40, 0xf9, 0x3f, 0x01, 0, 0x72, 0x80,
                 0x12, 0x80, 0x9a, 0xa1, 0x0a, 0x40, 0xf9, 0x3f, 0x01, 0x1f, 0x72, 0x81, 0x12, 0x81, 0x9a, 0xa2, 0x0e,
                 0x40, 0xf9, 0x3f, 0x01, 0x1e, 0x72, 0x82, 0x12, 0x82, 0x9a, 0xa3, 0x12, 0x42, 0xa9, 0xa5, 0x1a, 0x40,
                 0xf9, 0xa8, 0x02, 0x40, 0xb9, 0x01, 0, 0, 0xd4, 0xa9, 0x12, 0x40, 0x39, 0xc0, 0, 0xf8, 0xb7, 0x3f,
                 0x01, 0x1f, 0x72, 0x14, 0x10, 0x94, 0x9a, 0xb5, 0xe2, 0, 0x91, 0xd6, 0x06, 0, 0x51, 0xea, 0xff, 0xff,
                 0x17, 0xa9, 0xff, 0x17, 0x37, 0xa9, 0x01, 0, 0x36, 0x6a, 0x02, 0x40, 0xb9, 0x1f, 0, 0x0a, 0x6b, 0x21,
                 0x01, 0, 0x54, 0x40, 0, 0x80, 0xd2, 0x61, 0x0e, 0x40, 0xb9, 0x21, 0, 0x13, 0x8b, 0x62, 0x0a, 0x40,
                 0xb9, 0x08, 0x08, 0x80, 0xd2, 0x01, 0, 0, 0xd4, 0x60, 0x06, 0x40, 0xb9, 0x03, 0, 0, 0x14, 0x09, 0xfe,
                 0x1f, 0x37, 0xa0, 0x0f, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4),
    },
    {.uname = "i686",
     .loader = "/lib/ld-linux.so.2",
     .libc_base = "GLIBC_2.0",
     .class = ELFCLASS32,
     .data = ELFDATA2LSB,
     .machine = EM_386,
     .page = 0x1000,
     .bind = R_386_GLOB_DAT,
     /* mov $252,%eax; xor %ebx,%ebx; int $0x80 */
     .leave = CODE(0xb8, 0xfc, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80),
     /* xor %eax,%eax; ret */
     .back = CODE(0x31, 0xc0, 0xc3)},
    {.loader = "/libx32/ld-linux-x32.so.2",
     .libc_base = "GLIBC_2.16",
     .class = ELFCLASS32,
     .data = ELFDATA2LSB,
     .machine = EM_X86_64,
     .page = 0x1000,
     .bind = R_X86_64_GLOB_DAT,
     .rela = true,
     /* mov $0x400000e7,%eax; xor %edi,%edi; syscall */
     .leave = CODE(0xb8, 0xe7, 0, 0, 0x40, 0x31, 0xff, 0x0f, 0x05),
     /* xor %eax,%eax; ret */
     .back = CODE(0x31, 0xc0, 0xc3)},
    {.uname = "armv7l",
     .loader = "/lib/ld-linux-armhf.so.3",
     .libc_base = "GLIBC_2.4",
     .class = ELFCLASS32,
     .data = ELFDATA2LSB,
     .machine = EM_ARM,
     .flags = EF_ARM_EABI_VER5 | EF_ARM_ABI_FLOAT_HARD,
     .page = 0x10000,
     .bind = R_ARM_GLOB_DAT,
     /* mov r0,#0; mov r7,#248; svc #0 */
     .leave = CODE(0, 0, 0xa0, 0xe3, 0xf8, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef),
     /* mov r0,#0; bx lr */
     .back = CODE(0, 0, 0xa0, 0xe3, 0x1e, 0xff, 0x2f, 0xe1)},
    {.uname = "riscv64",
     .loader = "/lib/ld-linux-riscv64-lp64d.so.1",
     .libc_base = "GLIBC_2.27",
     .class = ELFCLASS64,
     .data = ELFDATA2LSB,
     .machine = EM_RISCV,
     .flags = EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE,
     .page = 0x1000,
     .bind = R_RISCV_64,
     .rela = true,
     /* li a0,0; li a7,94; ecall */
     .leave = CODE(0x13, 0x05, 0, 0, 0x93, 0x08, 0xe0, 0x05, 0x73, 0, 0, 0),
     /* li a0,0; ret */
     .back = CODE(0x13, 0x05, 0, 0, 0x67, 0x80, 0, 0)},
    {.uname = "ppc64le",
     .loader = "/lib64/ld64.so.2",
     .libc_base = "GLIBC_2.17",
     .class = ELFCLASS64,
     .data = ELFDATA2LSB,
     .machine = EM_PPC64,
     .flags = 2, /* ELFv2 */
     .page = 0x10000,
     .bind = R_PPC64_GLOB_DAT,
     .rela = true},
    {.uname = "s390x",
     .loader = "/lib/ld64.so.1",
     .libc_base = "GLIBC_2.2",
     .class = ELFCLASS64,
     .data = ELFDATA2MSB,
     .machine = EM_S390,
     .page = 0x1000,
     .bind = R_390_GLOB_DAT,
     .rela = true,
     .wide_hash = true},
};

enum { MACHINES = sizeof machines / sizeof *machines };

const struct stub_machine *stub_machine_find(unsigned class, unsigned data, unsigned machine)
{
    for (size_t i = 0; i < MACHINES; i++)
        if (machines[i].class == class && machines[i].data == data && machines[i].machine == machine)
            return &machines[i];
    return NULL;
}

const struct stub_machine *stub_machine_native(void)
{
    struct utsname name;

    if (uname(&name) == 0)
        for (size_t i = 0; i < MACHINES; i++)
            if (machines[i].uname && strcmp(machines[i].uname, name.machine) == 0)
                return &machines[i];
    return &machines[0];
}
