/* The machines that stubs can be written for. */
#include "stub_machine.h"

#include <elf.h>
#include <string.h>
#include <sys/utsname.h>

#define CODE(...)                                                                                                      \
    {                                                                                                                  \
        .bytes = {__VA_ARGS__}, .size = sizeof((unsigned char[]){__VA_ARGS__})                                         \
    }

/* The launchers: execve(path, {path, NULL}, NULL); if that gave -ENOEXEC (8): write(2, the words that follow the code),
 * exit_group(126); else exit_group(125). The path stands behind the words. */
static const struct stub_machine machines[] = {
    {.uname = "x86_64",
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
     .exec = CODE(0x48, 0x8d, 0x3d, 0x60, 0, 0, 0, /* lea path(%rip),%rdi */
                  0x31, 0xd2, 0x52, 0x57,          /* xor %edx,%edx; push %rdx; push %rdi */
                  0x48, 0x89, 0xe6,                /* mov %rsp,%rsi */
                  0xb8, 0x3b, 0, 0, 0, 0x0f, 0x05, /* mov $59,%eax; syscall */
                  0x83, 0xf8, 0xf8, 0x75, 0x1f,    /* cmp $-8,%eax; jne other */
                  0xbf, 0x02, 0, 0, 0,             /* mov $2,%edi */
                  0x48, 0x8d, 0x35, 0x1f, 0, 0, 0, /* lea words(%rip),%rsi */
                  0xba, 0x22, 0, 0, 0,             /* mov $34,%edx */
                  0xb8, 0x01, 0, 0, 0, 0x0f, 0x05, /* mov $1,%eax; syscall */
                  0xbf, 0x7e, 0, 0, 0, 0xeb, 0x05, /* mov $126,%edi; jmp leave */
                  0xbf, 0x7d, 0, 0, 0,             /* other: mov $125,%edi */
                  0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05, /* leave: mov $231,%eax; syscall */
                  'c', 'a', 'n', 'n', 'o', 't', ' ', 'e', 'x', 'e', 'c', 'u', 't', 'e', ':', ' ', 'E', 'x', 'e', 'c',
                  ' ', 'f', 'o', 'r', 'm', 'a', 't', ' ', 'e', 'r', 'r', 'o', 'r', '\n')},
    {.uname = "aarch64",
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
     .exec = CODE(0x40, 0x03, 0, 0x50, 0xe0, 0x7f, 0xbf, 0xa9,    /* adr x0,path; stp x0,xzr,[sp,#-16]! */
                  0xe1, 0x03, 0, 0x91, 0x02, 0, 0x80, 0xd2,       /* mov x1,sp; mov x2,#0 */
                  0xa8, 0x1b, 0x80, 0xd2, 0x01, 0, 0, 0xd4,       /* mov x8,#221; svc #0 */
                  0x1f, 0x20, 0, 0xb1, 0x01, 0x01, 0, 0x54,       /* cmn x0,#8; b.ne other */
                  0x40, 0, 0x80, 0xd2, 0x21, 0x01, 0, 0x10,       /* mov x0,#2; adr x1,words */
                  0x42, 0x04, 0x80, 0xd2, 0x08, 0x08, 0x80, 0xd2, /* mov x2,#34; mov x8,#64 */
                  0x01, 0, 0, 0xd4, 0xc0, 0x0f, 0x80, 0xd2,       /* svc #0; mov x0,#126 */
                  0x02, 0, 0, 0x14, 0xa0, 0x0f, 0x80, 0xd2,       /* b leave; other: mov x0,#125 */
                  0xc8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4,       /* leave: mov x8,#94; svc #0 */
                  'c', 'a', 'n', 'n', 'o', 't', ' ', 'e', 'x', 'e', 'c', 'u', 't', 'e', ':', ' ', 'E', 'x', 'e', 'c',
                  ' ', 'f', 'o', 'r', 'm', 'a', 't', ' ', 'e', 'r', 'r', 'o', 'r', '\n')},
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
