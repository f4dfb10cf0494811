/* The machines that stubs can be written for. */
#include "stub_machine.h"

#include <elf.h>
#include <string.h>
#include <sys/utsname.h>

#define CODE(...)                                                                                                      \
    {                                                                                                                  \
        .bytes = {__VA_ARGS__}, .size = sizeof((unsigned char[]){__VA_ARGS__})                                         \
    }

/* The callers. Where the call gave the expected error: write(2, words), exit_group(status); otherwise exit_group(125).
 * opens: exit_group(0) where it gave a descriptor. Registers: %rbx, x19 point at the data behind the code. */
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
        /* lea data(%rip),%rbx; mov 8(%rbx),%ecx
         * lea 16(%rbx,%rcx),%rdi; mov 12(%rbx),%ecx; add %rdi,%rcx
         * xor %edx,%edx; push %rdx; push %rcx; mov %rsp,%rsi; mov $59,%eax
         * syscall; cmp (%rbx),%eax; jne other; mov $2,%edi
         * lea 16(%rbx),%rsi; mov 8(%rbx),%edx; mov $1,%eax
         * syscall; mov 4(%rbx),%edi; jmp leave; other: mov $125,%edi
         * leave: mov $231,%eax; syscall */
        .exec = CODE(0x48, 0x8d, 0x1d, 0x44, 0, 0, 0, 0x8b, 0x4b, 0x08, 0x48, 0x8d, 0x7c, 0x0b, 0x10, 0x8b, 0x4b, 0x0c,
                     0x48, 0x01, 0xf9, 0x31, 0xd2, 0x52, 0x51, 0x48, 0x89, 0xe6, 0xb8, 0x3b, 0, 0, 0, 0x0f, 0x05, 0x3b,
                     0x03, 0x75, 0x18, 0xbf, 0x02, 0, 0, 0, 0x48, 0x8d, 0x73, 0x10, 0x8b, 0x53, 0x08, 0xb8, 0x01, 0, 0,
                     0, 0x0f, 0x05, 0x8b, 0x7b, 0x04, 0xeb, 0x05, 0xbf, 0x7d, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05),
        /* lea data(%rip),%rbx; mov 8(%rbx),%ecx
         * lea 16(%rbx,%rcx),%rsi; mov $-100,%edi; xor %edx,%edx
         * mov $257,%eax; syscall; xor %edi,%edi; test %eax,%eax
         * jns leave; cmp (%rbx),%eax; jne other; mov $2,%edi
         * lea 16(%rbx),%rsi; mov 8(%rbx),%edx; mov $1,%eax
         * syscall; mov 4(%rbx),%edi; jmp leave; other: mov $125,%edi
         * leave: mov $231,%eax; syscall */
        .open =
            CODE(0x48, 0x8d, 0x1d, 0x44, 0, 0, 0, 0x8b, 0x4b, 0x08, 0x48, 0x8d, 0x74, 0x0b, 0x10, 0xbf, 0x9c, 0xff,
                 0xff, 0xff, 0x31, 0xd2, 0xb8, 0x01, 0x01, 0, 0, 0x0f, 0x05, 0x31, 0xff, 0x85, 0xc0, 0x79, 0x21, 0x3b,
                 0x03, 0x75, 0x18, 0xbf, 0x02, 0, 0, 0, 0x48, 0x8d, 0x73, 0x10, 0x8b, 0x53, 0x08, 0xb8, 0x01, 0, 0, 0,
                 0x0f, 0x05, 0x8b, 0x7b, 0x04, 0xeb, 0x05, 0xbf, 0x7d, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05),
        /* lea data(%rip),%rbx; mov 8(%rbx),%ecx; lea 16(%rbx,%rcx),%r12 (the address)
         * movzwl (%r12),%edi; mov $1,%esi; xor %edx,%edx; mov $41,%eax; syscall
         * test %eax,%eax; js other; mov %eax,%edi; mov %r12,%rsi; mov 12(%rbx),%edx (its size)
         * mov $42,%eax; syscall; xor %edi,%edi; test %eax,%eax; jns leave
         * and then as above */
        .connect = CODE(0x48, 0x8d, 0x1d, 0x5c, 0, 0, 0, 0x8b, 0x4b, 0x08, 0x4c, 0x8d, 0x64, 0x0b, 0x10, 0x41, 0x0f,
                        0xb7, 0x3c, 0x24, 0xbe, 0x01, 0, 0, 0, 0x31, 0xd2, 0xb8, 0x29, 0, 0, 0, 0x0f, 0x05, 0x85, 0xc0,
                        0x78, 0x31, 0x89, 0xc7, 0x4c, 0x89, 0xe6, 0x8b, 0x53, 0x0c, 0xb8, 0x2a, 0, 0, 0, 0x0f, 0x05,
                        0x31, 0xff, 0x85, 0xc0, 0x79, 0x21, 0x3b, 0x03, 0x75, 0x18, 0xbf, 0x02, 0, 0, 0, 0x48, 0x8d,
                        0x73, 0x10, 0x8b, 0x53, 0x08, 0xb8, 0x01, 0, 0, 0, 0x0f, 0x05, 0x8b, 0x7b, 0x04, 0xeb, 0x05,
                        0xbf, 0x7d, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05),
        /* The same socket twice: bind(2) and listen(2) to the first, connect(2) the second; unlink(2) what is there
         * then, where the address is a path's (the family is 1); status 0 where the connect went well, else 125. */
        .serve =
            CODE(0x48, 0x8d, 0x1d, 0x90, 0, 0, 0, 0x8b, 0x4b, 0x08, 0x4c, 0x8d, 0x64, 0x0b, 0x10, 0x44, 0x8b, 0x6b,
                 0x0c, 0x41, 0x0f, 0xb7, 0x3c, 0x24, 0xbe, 0x01, 0, 0, 0, 0x31, 0xd2, 0xb8, 0x29, 0, 0, 0, 0x0f, 0x05,
                 0x41, 0x89, 0xc6, 0x89, 0xc7, 0x4c, 0x89, 0xe6, 0x44, 0x89, 0xea, 0xb8, 0x31, 0, 0, 0, 0x0f, 0x05,
                 0x85, 0xc0, 0x78, 0x4f, 0x44, 0x89, 0xf7, 0xbe, 0x01, 0, 0, 0, 0xb8, 0x32, 0, 0, 0, 0x0f, 0x05, 0x41,
                 0x0f, 0xb7, 0x3c, 0x24, 0xbe, 0x01, 0, 0, 0, 0x31, 0xd2, 0xb8, 0x29, 0, 0, 0, 0x0f, 0x05, 0x89, 0xc7,
                 0x4c, 0x89, 0xe6, 0x44, 0x89, 0xea, 0xb8, 0x2a, 0, 0, 0, 0x0f, 0x05, 0x41, 0x89, 0xc6, 0x66, 0x41,
                 0x83, 0x3c, 0x24, 0x01, 0x75, 0x0c, 0x49, 0x8d, 0x7c, 0x24, 0x02, 0xb8, 0x57, 0, 0, 0, 0x0f, 0x05,
                 0x31, 0xff, 0x45, 0x85, 0xf6, 0x79, 0x05, 0xbf, 0x7d, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05),
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
        .exec = CODE(
            0x13, 0x03, 0, 0x10, 0x62, 0x0a, 0x40, 0xb9, 0x60, 0x42, 0,
            0x91, /* adr x19,data; ldr w2,[x19,#8]; add x0,x19,#16 */
            0, 0, 0x02, 0x8b, 0x63, 0x0e, 0x40, 0xb9, 0x03, 0, 0x03,
            0x8b, /* add x0,x0,x2; ldr w3,[x19,#12]; add x3,x0,x3 */
            0xe3, 0x7f, 0xbf, 0xa9, 0xe1, 0x03, 0, 0x91, 0x02, 0, 0x80,
            0xd2, /* stp x3,xzr,[sp,#-16]!; mov x1,sp; mov x2,#0 */
            0xa8, 0x1b, 0x80, 0xd2, 0x01, 0, 0, 0xd4, 0x63, 0x02, 0x80, 0xb9, /* mov x8,#221; svc #0; ldrsw x3,[x19] */
            0x1f, 0, 0x03, 0xeb, 0x01, 0x01, 0, 0x54, 0x40, 0, 0x80, 0xd2,    /* cmp x0,x3; b.ne other; mov x0,#2 */
            0x61, 0x42, 0, 0x91, 0x62, 0x0a, 0x40, 0xb9, 0x08, 0x08, 0x80,
            0xd2, /* add x1,x19,#16; ldr w2,[x19,#8]; mov x8,#64 */
            0x01, 0, 0, 0xd4, 0x60, 0x06, 0x40, 0xb9, 0x02, 0, 0, 0x14, /* svc #0; ldr w0,[x19,#4]; b leave */
            0xa0, 0x0f, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0,
            0xd4), /* other: mov x0,#125; leave: mov x8,#94; svc #0 */
        .open = CODE(0x33, 0x03, 0, 0x10, 0x62, 0x0a, 0x40, 0xb9, 0x61, 0x42, 0,
                     0x91, /* adr x19,data; ldr w2,[x19,#8]; add x1,x19,#16 */
                     0x21, 0, 0x02, 0x8b, 0x60, 0x0c, 0x80, 0x92, 0x02, 0, 0x80,
                     0xd2, /* add x1,x1,x2; mov x0,#-100; mov x2,#0 */
                     0x08, 0x07, 0x80, 0xd2, 0x01, 0, 0, 0xd4, 0xe4, 0x03, 0, 0xaa, /* mov x8,#56; svc #0; mov x4,x0 */
                     0, 0, 0x80, 0xd2, 0xa4, 0x01, 0xf8, 0x36, 0xe0, 0x03, 0x04,
                     0xaa, /* mov x0,#0; tbz w4,#31,leave; mov x0,x4 */
                     0x63, 0x02, 0x80, 0xb9, 0x1f, 0, 0x03, 0xeb, 0x01, 0x01, 0,
                     0x54, /* ldrsw x3,[x19]; cmp x0,x3; b.ne other */
                     0x40, 0, 0x80, 0xd2, 0x61, 0x42, 0, 0x91, 0x62, 0x0a, 0x40,
                     0xb9, /* mov x0,#2; add x1,x19,#16; ldr w2,[x19,#8] */
                     0x08, 0x08, 0x80, 0xd2, 0x01, 0, 0, 0xd4, 0x60, 0x06, 0x40,
                     0xb9, /* mov x8,#64; svc #0; ldr w0,[x19,#4] */
                     0x02, 0, 0, 0x14, 0xa0, 0x0f, 0x80, 0xd2, 0xc8, 0x0b, 0x80,
                     0xd2,              /* b leave; other: mov x0,#125; leave: mov x8,#94 */
                     0x01, 0, 0, 0xd4), /* svc #0 */
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
