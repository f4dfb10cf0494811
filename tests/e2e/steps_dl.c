/* A libdl.so.2 whose functions begin with instructions that only the processor can do, each in front of the C library's
 * own function. What a compiler makes of such a library with -fno-plt begins with the same jump. */
__asm__(".symver real_dlopen, dlopen@GLIBC_2.34\n"
        ".symver real_dlsym, dlsym@GLIBC_2.34\n"
        ".symver real_dlvsym, dlvsym@GLIBC_2.34\n"
        ".symver real_dlclose, dlclose@GLIBC_2.34\n"
        ".text\n"
        ".globl dlopen, dlsym, dlvsym, dlclose, dl_mend\n"
        ".type dlopen, @function\n.type dlsym, @function\n.type dlvsym, @function\n.type dlclose, @function\n"
        ".type dl_mend, @function\n"
        /* An indirect jump through an address that counts from where it stands. */
        "dlopen: jmp *real_dlopen@GOTPCREL(%rip)\n"
        ".size dlopen, .-dlopen\n"
        /* Faults where the name does. */
        "dlsym: movzbl (%rsi), %eax\n push %rax\n call *real_dlsym@GOTPCREL(%rip)\n pop %rdx\n ret\n"
        ".size dlsym, .-dlsym\n"
        /* Faults where the divisor is 0; another register takes the place of %rip meanwhile. */
        "dlvsym: divb divisor(%rip)\n push %rax\n call *real_dlvsym@GOTPCREL(%rip)\n pop %rdx\n ret\n"
        ".size dlvsym, .-dlvsym\n"
        /* Faults always. */
        "dlclose: ud2\n push %rax\n call *real_dlclose@GOTPCREL(%rip)\n pop %rdx\n ret\n"
        ".size dlclose, .-dlclose\n"
        "dl_mend: movb $1, divisor(%rip)\n ret\n"
        ".data\n"
        "divisor: .byte 0\n");
