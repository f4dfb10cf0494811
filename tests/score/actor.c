/* What a program may do to come to harm, by name: `actor VERB [ARG]`. The verbs come in pairs: one that needs what it
 * asks for and ends with status 3 and its own words where it does not get it, and one (with "try-" before it) that goes
 * on without. It runs on every libc from glibc 2.31 and musl 1.2 on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *verb, *name;
static int optional;

/* The end of whoever cannot go on; whoever can says nothing. */
static int without(const char *what)
{
    if (optional)
        return 0;
    fprintf(stderr, "actor: %s: %s\n", what, strerror(errno));
    return 3;
}

static int read_file(const char *path)
{
    char bytes[64];
    int fd = open(path, O_RDONLY);

    if (fd < 0 || read(fd, bytes, sizeof bytes) < 0)
        return without(path);
    close(fd);
    return 0;
}

static int read_variable(const char *variable)
{
    const char *path = getenv(variable);

    return path ? read_file(path) : 0;
}

static int open_library(const char *file)
{
    if (dlopen(file, RTLD_NOW))
        return 0;
    if (optional)
        return 0;
    fprintf(stderr, "actor: %s\n", dlerror());
    return 3;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    return connect(fd, (void *)&address, sizeof address) < 0 ? without(path) : 0;
}

static int connect_port(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return connect(fd, (void *)&address, sizeof address) < 0 ? without("connect") : 0;
}

static int many_files(const char *path)
{
    for (int i = 0; i < 2000; i++)
        if (open(path, O_RDONLY) < 0)
            return without(path);
    return 0;
}

static int big_memory(const char *size)
{
    void *there = mmap(NULL, strtoull(size, NULL, 0), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return there == MAP_FAILED ? without("cannot allocate memory") : 0;
}

static int fill(const char *path)
{
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), status = 0;

    for (int i = 0; i < 64 && !status && fd >= 0; i++)
        if (write(fd, block, sizeof block) < 0)
            status = without(path);
    if (fd >= 0)
        close(fd), unlink(path);
    return status;
}

static int watch(const char *path)
{
    for (int i = 0; i < 100000; i++) {
        int fd = inotify_init1(IN_CLOEXEC);

        if (fd < 0)
            return without("inotify_init");
        if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
            return without(path);
    }
    return 0;
}

/* As linux/filter.h and linux/seccomp.h have them, which musl's compiler does not find. */
struct step {
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t value;
};
enum { LOAD_WORD = 0x20, JUMP_EQUAL = 0x15, RETURN = 0x06, FILTER_MODE = 2 };
enum { ALLOW = 0x7fff0000, ERRNO = 0x50000 };
#define KILL 0x80000000u

/* A policy that answers the call of that number with ACTION, and allows all others. */
static int forbid(unsigned number, unsigned action)
{
    struct step code[] = {
        {LOAD_WORD, 0, 0, 0}, {JUMP_EQUAL, 0, 1, number}, {RETURN, 0, 0, action}, {RETURN, 0, 0, ALLOW}};
    struct {
        unsigned short length;
        struct step *code;
    } program = {sizeof code / sizeof *code, code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, FILTER_MODE, &program) < 0;
}

static unsigned number_of(const char *call)
{
    return strcmp(call, "statx") == 0            ? 332
           : strcmp(call, "clone3") == 0         ? 435
           : strcmp(call, "io_uring_setup") == 0 ? 425
           : strcmp(call, "memfd_create") == 0   ? 319
                                                 : 0xffff;
}

static int policy(const char *call, unsigned action, char **rest)
{
    if (forbid(number_of(call), action))
        return 98;
    execv(rest[0], rest);
    perror(rest[0]);
    return 127;
}

static int make_call(const char *call)
{
    static unsigned char room[256];
    long answer = strcmp(call, "statx") == 0            ? syscall(332, AT_FDCWD, "/", 0, 0x7ff, room)
                  : strcmp(call, "io_uring_setup") == 0 ? syscall(425, 4, room)
                                                        : syscall(number_of(call), "actor", 1);

    return answer < 0 ? without(call) : 0;
}

static int new_namespace(const char *arg)
{
    (void)arg;
    return unshare(CLONE_NEWUSER) < 0 ? without("cannot make a user namespace for the sandbox") : 0;
}

static int crash(const char *how)
{
    volatile int *nowhere = NULL;

    if (strcmp(how, "null") == 0)
        *nowhere = 1;
    if (strcmp(how, "abort") == 0)
        abort();
    return 0;
}

static const struct act {
    const char *verb;
    int (*act)(const char *arg);
} acts[] = {
    {"read", read_file},    {"variable", read_variable}, {"open", open_library},       {"socket", connect_unix},
    {"port", connect_port}, {"files", many_files},       {"memory", big_memory},       {"fill", fill},
    {"watch", watch},       {"call", make_call},         {"namespace", new_namespace}, {"crash", crash},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        return 99;
    verb = argv[1], name = argv[2];
    if (strcmp(verb, "deny") == 0 || strcmp(verb, "lack") == 0 || strcmp(verb, "kill") == 0)
        return policy(name, verb[0] == 'd' ? ERRNO | EPERM : verb[0] == 'l' ? ERRNO | ENOSYS : KILL, argv + 3);
    if (strncmp(verb, "try-", 4) == 0)
        optional = 1, verb += 4;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(verb, acts[i].verb) == 0) {
            int status = acts[i].act(name);

            if (!status)
                puts("done");
            return status;
        }
    return 99;
}
