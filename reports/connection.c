/* Connections: what came of each connect(2), also where it did not wait for the answer (part of model.h).
 *
 * A socket that does not block gives EINPROGRESS; the program asks for the outcome later, by getsockopt(SO_ERROR) of
 * the same descriptor (connect(2)). Both are put together here, so that a judge sees one call with one error. */
#include "model_parts.h"

#include "syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <probes/alloc.h>

enum { SOCKETS_KEPT = 256, SERVICES_KEPT = 256 };

static struct socket *socket_find(const struct process *process, int fd)
{
    for (const struct process *at = process; at; at = at->parent) {
        for (size_t i = at->socket_count; i-- > 0;)
            if (at->sockets[i].fd == fd)
                return &at->sockets[i];
        if (at->executed)
            break; /* a fork shares its parent's descriptors until it executes something */
    }
    return NULL;
}

static struct socket *socket_of(struct process *process, int fd)
{
    struct socket *found = NULL;

    for (size_t i = process->socket_count; i-- > 0 && !found;)
        if (process->sockets[i].fd == fd)
            found = &process->sockets[i];
    if (!found && process->socket_count >= SOCKETS_KEPT) {
        free(process->sockets[0].target);
        memmove(process->sockets, process->sockets + 1, --process->socket_count * sizeof *process->sockets);
    }
    if (!found)
        found = array_add(&process->sockets, &process->socket_count, &process->socket_cap, sizeof *found);
    found->fd = fd;
    return found;
}

void model_forget_sockets(struct process *process)
{
    for (size_t i = 0; i < process->socket_count; i++)
        free(process->sockets[i].target);
    process->socket_count = 0;
}

/* The address without what differs between the ways to one server: "[::1]:80" and "127.0.0.1:80" are the ways to port
 * 80, and an X server listens at a path, at the same name in the abstract namespace and at port 6000 and more
 * (Xserver(1)). */
char *connection_service(const char *target)
{
    static const char x11[] = "/tmp/.X11-unix/X";
    const char *port = strrchr(target, ':');

    if (strncmp(target, "unix:", 5) != 0)
        return xstrdup(port ? port : target);
    target += 5;
    if (*target == '@')
        target++;
    if (strncmp(target, x11, sizeof x11 - 1) == 0 && strlen(target) < sizeof x11 + 3)
        return xasprintf(":%d", 6000 + atoi(target + sizeof x11 - 1));
    return xstrdup(target);
}

static bool same_service(const char *a, const char *b)
{
    CLEANUP_FREE char *x = connection_service(a), *y = connection_service(b);

    return strcmp(x, y) == 0;
}

/* The server was reached: what failed on another way to it was got over. */
static void reached(struct model *model, struct process *process, const char *target, uint64_t n)
{
    struct service *service = NULL;

    for (size_t i = 0; i < process->failure_count; i++) {
        struct failure *failure = &process->failures[i];

        if (failure->target && !failure->done_n && failure->desc->family == FAMILY_NETWORK &&
            same_service(failure->target, target))
            failure->done_n = n;
    }
    for (size_t i = 0; i < model->service_count && !service; i++)
        if (strcmp(model->services[i].target, target) == 0)
            service = &model->services[i];
    if (!service) {
        if (model->service_count >= SERVICES_KEPT)
            return;
        service = array_add(&model->services, &model->service_count, &model->service_cap, sizeof *service);
        service->target = xstrdup(target);
    }
    service->n = n;
}

bool model_reached(const struct model *model, const char *target, uint64_t n)
{
    for (size_t i = 0; i < model->service_count; i++)
        if (model->services[i].n > n && same_service(model->services[i].target, target))
            return true;
    return false;
}

/* Datagrams: "connecting" says nothing about a server (getaddrinfo(3) sorts addresses by it). */
static bool is_stream(const struct process *process, int fd)
{
    const struct socket *socket = socket_find(process, fd);

    return !socket || socket->type != SOCK_DGRAM;
}

/* The address as it is, a path of the file system absolute; NULL where there is none. malloced. */
static char *target_of(const struct event *event)
{
    const char *result = event->syscall.result;

    if (!result || strcmp(result, "unix:") == 0)
        return NULL;
    if (strncmp(result, "unix:", 5) == 0 && result[5] != '@' && result[5] != '/' && event->cwd) {
        CLEANUP_FREE char *path = path_join(event->cwd, result + 5);

        return xasprintf("unix:%s", path);
    }
    /* IPv4 through a socket of IPv6, as Java does it (ipv6(7)). */
    if (strncmp(result, "[::ffff:", 8) == 0 && strchr(result, '.')) {
        const char *end = strchr(result, ']');

        return end ? xasprintf("%.*s%s", (int)(end - result - 8), result + 8, end + 1) : NULL;
    }
    return xstrdup(result);
}

static void on_connect(struct model *model, struct process *process, const struct event *told)
{
    CLEANUP_FREE char *target = target_of(told);
    struct event event = *told;
    struct event_syscall *call = &event.syscall;
    int fd = (int)call->args[0];

    call->result = target;
    if (!target || !is_stream(process, fd))
        return;
    if (call->error == EINPROGRESS) {
        struct socket *socket = socket_of(process, fd);

        free(socket->target);
        socket->target = steal_pointer(&target);
        socket->n = told->n;
        socket->t_ns = told->t_ns;
        return;
    }
    if (call->error != EALREADY && call->error != EISCONN && call->error != EINTR)
        model_call(model, process, &event);
    if (!call->error || call->error == EISCONN)
        reached(model, process, target, event.n);
}

static void on_outcome(struct model *model, struct process *process, const struct event *event)
{
    struct socket *socket = socket_find(process, (int)event->syscall.args[0]);
    struct event later = *event;

    if (!socket || !socket->target || event->syscall.error)
        return;
    if (event->syscall.result) { /* it is the call that failed, and its stack tells what for */
        later.n = socket->n;
        later.t_ns = socket->t_ns;
    }
    later.syscall.desc = syscall_by_name("connect");
    later.syscall.error = event->syscall.result ? errno_value(event->syscall.result) : 0;
    later.syscall.result = socket->target;
    memset(later.syscall.args, 0, sizeof later.syscall.args);
    later.syscall.args[0] = event->syscall.args[0];
    memset(later.syscall.text, 0, sizeof later.syscall.text);
    model_call(model, process, &later);
    if (!later.syscall.error)
        reached(model, process, socket->target, event->n);
    free(socket->target);
    socket->target = NULL;
}

/* A socket with a name in the file system is a file to be made (unix(7)): what is wrong with its path is told as of any
 * other. */
static void on_bind(struct model *model, struct process *process, const struct event *told)
{
    CLEANUP_FREE char *target = target_of(told);
    struct event event = *told;
    bool file = target && strncmp(target, "unix:/", 6) == 0;

    event.syscall.result = target;
    if (file && told->syscall.error != EADDRINUSE) {
        event.syscall.path = target + 5;
        event.syscall.string = told->syscall.result + 5;
        model_file_call(process, &event);
    } else {
        model_call(model, process, &event);
    }
}

void model_connection(struct model *model, struct process *process, const struct event *event)
{
    const struct event_syscall *call = &event->syscall;
    const char *name = call->desc->name;

    if (!call->returned) {
        return;
    } else if (strcmp(name, "connect") == 0) {
        on_connect(model, process, event);
    } else if (strcmp(name, "bind") == 0) {
        on_bind(model, process, event);
    } else if (strcmp(name, "getsockopt") == 0) {
        on_outcome(model, process, event);
    } else {
        if (strcmp(name, "socket") == 0 && !call->error) {
            struct socket *socket = socket_of(process, (int)call->ret);

            socket->type = (int)(call->args[1] & 0xf); /* the rest are flags (socket(2)) */
            free(socket->target);
            socket->target = NULL;
        }
        model_call(model, process, event);
    }
}
