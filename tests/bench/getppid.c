/* getppid N [filter]: N calls that no tracer asks about. With "filter" a seccomp filter of one instruction, which
 * allows everything, is installed first: no tracer that uses a filter can cost less than that (seccomp(2)). */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int install_filter(void)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = allow};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 0;

    if (argc > 2 && install_filter())
        return 1;
    for (long i = 0; i < n; i++)
        syscall(SYS_getppid);
    return 0;
}
