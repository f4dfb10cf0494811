/* timed COMMAND [ARG...]: runs COMMAND with its output thrown away and prints its wall time in nanoseconds, its largest
 * resident set (of it and what it waited for) in KiB, and its wait status. Small itself, so that what it adds to
 * ru_maxrss (a child starts with its parent's pages) does not show. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void run(char **argv)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    execvp(argv[0], argv);
    _exit(127);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    long long start, end;
    int status;
    pid_t pid;

    if (argc < 2)
        return 2;
    start = now_ns();
    pid = fork();
    if (pid < 0)
        return 2;
    if (pid == 0)
        run(argv + 1);
    if (wait4(pid, &status, 0, &usage) != pid)
        return 2;
    end = now_ns();
    printf("%lld %ld %d\n", end - start, usage.ru_maxrss, status);
    return 0;
}
