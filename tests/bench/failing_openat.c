/* failing_openat N: N calls of openat(2) that fail with ENOENT, as a search does that finds nothing. */
#include <fcntl.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 0;

    for (long i = 0; i < n; i++)
        if (openat(AT_FDCWD, "/usr/lib/nowhere/libnothing.so.1", O_RDONLY | O_CLOEXEC) >= 0)
            return 1;
    return 0;
}
