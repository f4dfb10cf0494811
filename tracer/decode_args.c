/* Arguments that are more than a number: strings, vectors, addresses, what is written. All of it is the program's own
 * memory and may be anything, so every length is bounded. */
#include "state.h"

#include <probes/alloc.h>
#include <probes/proc.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum {
    VECTOR_LIMIT = 1024,       /* arguments kept of one execve */
    VECTOR_BYTES = 128 * 1024, /* and bytes */
    OUTPUT_LIMIT = 64 * 1024,  /* bytes of one write */
    IOV_LIMIT = 1024,          /* UIO_MAXIOV, uio.h of the kernel */
};

static uint64_t word_at(const struct mem *mem, const void *words, size_t i)
{
    uint32_t narrow;
    uint64_t wide;

    if (mem->word_size == 4) {
        memcpy(&narrow, (const char *)words + i * 4, 4);
        return narrow;
    }
    memcpy(&wide, (const char *)words + i * 8, 8);
    return wide;
}

char **args_vector(const struct mem *mem, uint64_t addr)
{
    size_t count = 0, cap = 0, bytes = 0;
    char **v = NULL;
    CLEANUP_FREE char *words = xmalloc(VECTOR_LIMIT * mem->word_size);
    /* A short read is the rule: the vector stands near the end of the stack. */
    ssize_t got = addr ? mem->read(mem->ctx, addr, words, VECTOR_LIMIT * mem->word_size) : -1;

    for (size_t i = 0; got > 0 && i < (size_t)got / mem->word_size && bytes < VECTOR_BYTES; i++) {
        uint64_t string_addr = word_at(mem, words, i);
        char *s = string_addr ? memory_string(mem, string_addr, VECTOR_BYTES - bytes) : NULL;

        if (!s)
            break;
        *(char **)array_add(&v, &count, &cap, sizeof *v) = s;
        bytes += strlen(s) + 1;
    }
    if (!v)
        return NULL;
    array_add(&v, &count, &cap, sizeof *v);
    return v;
}

static char *unix_address(const char *path, size_t size)
{
    if (size && !path[0]) { /* an abstract name has no end but its length (unix(7)) */
        CLEANUP_FREE char *name = xstrndup(path + 1, size - 1);
        return xasprintf("unix:@%s", name);
    }
    return xasprintf("unix:%.*s", (int)strnlen(path, size), path);
}

char *args_address(const struct mem *mem, uint64_t addr, uint64_t size)
{
    struct sockaddr_storage address = {0};
    size_t n = size < sizeof address ? (size_t)size : sizeof address;
    char text[INET6_ADDRSTRLEN];

    if (n < sizeof address.ss_family || mem_read(mem, addr, &address, n) < 0)
        return NULL;
    if (address.ss_family == AF_UNIX) {
        const struct sockaddr_un *name = (const struct sockaddr_un *)&address;
        size_t start = offsetof(struct sockaddr_un, sun_path);

        return unix_address(name->sun_path, n > start ? n - start : 0);
    }
    if (address.ss_family == AF_INET && n >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *name = (const struct sockaddr_in *)&address;

        inet_ntop(AF_INET, &name->sin_addr, text, sizeof text);
        return xasprintf("%s:%u", text, (unsigned)ntohs(name->sin_port));
    }
    if (address.ss_family == AF_INET6 && n >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)&address;

        inet_ntop(AF_INET6, &name->sin6_addr, text, sizeof text);
        return xasprintf("[%s]:%u", text, (unsigned)ntohs(name->sin6_port));
    }
    return NULL;
}

static char *gather(const struct mem *mem, uint64_t iov_addr, uint64_t count, size_t *size, size_t *whole)
{
    size_t n = count < IOV_LIMIT ? (size_t)count : IOV_LIMIT;
    CLEANUP_FREE char *words = xmalloc(n * 2 * mem->word_size + 1);
    char *data = xmalloc(OUTPUT_LIMIT);

    if (n && mem_read(mem, iov_addr, words, n * 2 * mem->word_size) < 0)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t length = word_at(mem, words, 2 * i + 1);
        size_t room = OUTPUT_LIMIT - *size, wanted = length < room ? (size_t)length : room;
        ssize_t got = wanted ? mem->read(mem->ctx, word_at(mem, words, 2 * i), data + *size, wanted) : 0;

        if (got < 0)
            break;
        *whole += (size_t)(length < SSIZE_MAX ? length : SSIZE_MAX);
        *size += (size_t)got;
    }
    return data;
}

char *args_output(const struct mem *mem, const struct call *call, const uint64_t args[6], size_t *size, size_t *whole)
{
    *size = *whole = 0;
    if (call->kind == CALL_WRITEV)
        return gather(mem, args[1], args[2], size, whole);
    if (call->kind == CALL_SENDMSG) {
        char header[4 * 8]; /* struct msghdr: name, namelen, iov, iovlen */

        if (mem_read(mem, args[1], header, 4 * mem->word_size) < 0)
            return NULL;
        return gather(mem, word_at(mem, header, 2), word_at(mem, header, 3), size, whole);
    }
    size_t n = args[2] < OUTPUT_LIMIT ? (size_t)args[2] : OUTPUT_LIMIT;
    char *data = xmalloc(n + 1);
    ssize_t got = n ? mem->read(mem->ctx, args[1], data, n) : 0;

    *size = got > 0 ? (size_t)got : 0;
    *whole = (size_t)(args[2] < SSIZE_MAX ? args[2] : SSIZE_MAX);
    return data;
}

/* The directory that a relative path starts at: DIRFD_ARG's, or the working directory. malloced or NULL. */
static char *base_directory(struct task *task)
{
    const struct pending *pending = &task->pending;

    if (pending->desc->dirfd_arg >= 0 && (int)pending->args[pending->desc->dirfd_arg] != AT_FDCWD) {
        char *base = proc_fd_path(task->tid, (int)pending->args[pending->desc->dirfd_arg]);

        if (base && base[0] == '/')
            return base;
        free(base);
        return NULL;
    }
    return xstrdup_or_null(place_cwd(task));
}

static void read_path(struct task *task)
{
    struct pending *pending = &task->pending;

    if (pending->string[0] == '/') {
        pending->path = path_join("/", pending->string);
    } else if (pending->string[0] || pending->call->kind == CALL_EXECVEAT) {
        CLEANUP_FREE char *base = base_directory(task);

        if (base)
            pending->path = path_join(base, pending->string);
    }
}

static void read_clone_flags(struct pending *pending, const struct mem *mem)
{
    const char *name = pending->desc->name;

    if (pending->call->kind == CALL_CLONE3)
        mem_read(mem, pending->args[0], &pending->clone_flags, sizeof pending->clone_flags);
    else if (!strcmp(name, "vfork"))
        pending->clone_flags = CLONE_VFORK | CLONE_VM;
    else if (!strcmp(name, "clone"))
        pending->clone_flags = pending->args[0];
}

void args_read(struct session *session, struct task *task, const struct mem *mem)
{
    struct pending *pending = &task->pending;
    const struct syscall_desc *desc = pending->desc;

    if (desc->flags_arg >= 0)
        pending->flags = pending->args[desc->flags_arg];
    if (desc->path_arg >= 0) {
        pending->string = memory_string(mem, pending->args[desc->path_arg], PATH_MAX);
        if (pending->string)
            read_path(task);
        if (task->pinned && pending->string && !strncmp(pending->string, "/proc/", 6))
            pin_release(&session->pin, &session->tasks, task, 0);
    }
    switch (pending->call->kind) {
    case CALL_OPENAT2: /* struct open_how begins with its flags (openat2(2)) */
        pending->flags = 0;
        mem_read(mem, pending->args[2], &pending->flags, sizeof pending->flags);
        break;
    case CALL_EXECVE:
        pending->argv = args_vector(mem, pending->args[1]);
        break;
    case CALL_EXECVEAT:
        pending->argv = args_vector(mem, pending->args[2]);
        break;
    case CALL_CLONE:
    case CALL_CLONE3:
        read_clone_flags(pending, mem);
        pending->flags = pending->clone_flags;
        break;
    default:
        if (!strcmp(desc->name, "creat"))
            pending->flags = O_CREAT | O_WRONLY | O_TRUNC; /* creat(2) */
    }
}
