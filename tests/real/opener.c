/* Opens the files that it is given, each as node opens an add-on, and says how that went: "opens FILE", or what
 * dlerror(3) has. Made by test_builds.py with a copy of the symbols that add-ons take from node, and of what every C
 * library has: so it runs on all of them. */
#include <dlfcn.h>
#include <stddef.h>

extern int puts(const char *);
extern void exit(int) __attribute__((noreturn));
extern int fflush(void *);

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        void *handle = dlopen(argv[i], RTLD_LAZY);

        puts(handle ? "opens" : dlerror());
        failed |= !handle;
    }
    fflush(NULL);
    return failed;
}

#ifndef STARTED /* without the C library's own start files, which are of its release */
__attribute__((used)) static void begin(long *stack)
{
    exit(main((int)stack[0], (char **)(stack + 1)));
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#endif
