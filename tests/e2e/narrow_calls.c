/* A 32-bit x86 program without a C library (which a test machine may not have for it): the calls that such programs
 * make differently. Built with -m32 -nostdlib -static. */

static long call(long number, long a, long b, long c, long d, long e)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
    return ret;
}

enum {
    NR_EXIT = 1,
    NR_OPEN = 5,
    NR_EXECVE = 11,
    NR_CHDIR = 12,
    NR_ACCESS = 33,
    NR_READLINK = 85,
    NR_STAT = 106,
    NR_LSTAT = 107,
    NR_CLONE = 120,
    NR_STAT64 = 195,
    NR_LSTAT64 = 196,
    NR_EXIT_GROUP = 252,
    NR_OPENAT = 295,
    NR_FSTATAT64 = 300,
    NR_CONNECT = 362,
    NR_STATX = 383,
};

static char buffer[512];
static unsigned char address[16] = {2, 0, 0, 80, 127, 0, 0, 1};
static char *words[] = {"prog", "0123456789012345678901234567890123456789", 0};

void _start(void)
{
    call(NR_OPEN, (long)"absent/x", 0102, 0644, 0, 0);
    call(NR_OPEN, (long)"absent/x", 0102000, 0, 0, 0);
    call(NR_OPENAT, -100, (long)"absent/x", 02000000, 0, 0);
    call(NR_CHDIR, (long)"absent", 0, 0, 0, 0);
    call(NR_ACCESS, (long)"absent", 5, 0, 0, 0);
    call(NR_READLINK, (long)"absent", (long)buffer, sizeof buffer, 0, 0);
    call(NR_READLINK, (long)"/proc/self/cwd", (long)buffer, 7, 0, 0);
    call(NR_STAT, (long)"/", (long)buffer, 0, 0, 0);
    call(NR_LSTAT, (long)"absent", (long)buffer, 0, 0, 0);
    call(NR_STAT64, (long)"/dev/null", (long)buffer, 0, 0, 0);
    call(NR_LSTAT64, (long)"/", (long)buffer, 0, 0, 0);
    call(NR_FSTATAT64, -100, (long)"/", (long)buffer, 0x100, 0);
    call(NR_FSTATAT64, -100, (long)"absent", (long)buffer, 0, 0);
    call(NR_STATX, -100, (long)"absent", 0, 0xfff, (long)buffer);
    call(NR_CONNECT, 77, (long)address, 16, 0, 0);
    call(NR_EXECVE, (long)"absent", (long)words, (long)words, 0, 0);
    call(NR_CLONE, 0x01000800, 0x1000, 0, 0, 0x5000);
    call(NR_EXIT_GROUP, 5, 0, 0, 0, 0);
}
