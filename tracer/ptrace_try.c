/* Whether this process may trace at all: it is tried. */
#include "ptrace.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a child of our own may be traced: 0 or the errno value. The child only waits to be killed. */
int ptrace_try(void)
{
    pid_t child = fork();
    int error, status;

    if (child < 0)
        return 0; /* nothing was tried */
    if (child == 0)
        for (;;)
            pause();
    error = ptrace_seize(child, true);
    kill(child, SIGKILL);
    while (waitpid(child, &status, __WALL) == child ? WIFSTOPPED(status) : errno == EINTR)
        ptrace_restart(child, RESTART_CONT, 0); /* it stops once more at its exit, if it is traced */
    return -error;
}
