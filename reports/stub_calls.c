#include "stub_calls.h"

#include "stub_parts.h"

#include <probes/alloc.h>

#include <arpa/inet.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum {
    BASE = 0x400000, /* where it is loaded: fixed, so that addresses can be written into it */
    HEADER = 24,     /* -error, status, size of the words, where they begin, number of steps, 0: 32 bits each */
    STEP = 56, /* number of the call (32 bits), how (8), which arguments are the kept result (8), 16 bits, six words */
    STEPS_MOST = 64,
    BYTES_MOST = 4096, /* of one argument */
    ROOM = 128,
};

/* ---- the program ---- */

/* Writes what WORD points at behind all the rest; its place in the file. */
static uint64_t put_item(struct stub *stub, const struct stub_word *word)
{
    uint64_t at, bytes = stub->size;
    size_t size = word->is == WORD_VECTOR ? strlen(word->bytes) + 1 : word->value;

    stub_put(stub, word->bytes, size);
    stub_align(stub, 8);
    at = stub->size;
    if (word->is == WORD_VECTOR) {
        stub_put_word(stub, BASE + bytes);
        stub_put_word(stub, 0);
        return at;
    }
    if (word->is == WORD_FILTER) {
        stub_put_number(stub, word->value / sizeof(struct sock_filter), 8);
        stub_put_word(stub, BASE + bytes);
        return at;
    }
    return bytes;
}

static void put_step(struct stub *stub, const struct stub_step *step, const uint64_t *items)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < 6; i++)
        kept |= step->args[i].is == WORD_KEPT ? 1U << i : 0;
    stub_put32(stub, (uint32_t)step->call);
    stub_put_number(stub, step->how, 1);
    stub_put_number(stub, kept, 1);
    stub_put16(stub, 0);
    for (unsigned i = 0; i < 6; i++)
        stub_put_number(stub, items[i] ? BASE + items[i] : step->args[i].value, 8);
}

static void put_header(struct stub *stub, const struct stub_calls *calls)
{
    stub_put32(stub, (uint32_t)-calls->error);
    stub_put32(stub, calls->status);
    stub_put32(stub, strlen(calls->words));
    stub_put32(stub, HEADER + STEP * calls->count);
    stub_put32(stub, calls->count);
    stub_put32(stub, 0);
}

static bool wants_room(const struct stub_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++)
        for (unsigned j = 0; j < 6; j++)
            if (calls->steps[i].args[j].is == WORD_ROOM)
                return true;
    return false;
}

/* Writes the place that may be written to, where a step wants it; the end of the file. */
static size_t put_room(struct stub *stub, const struct stub_calls *calls, uint64_t (*items)[6])
{
    size_t at = stub->size;

    if (!wants_room(calls))
        return at;
    for (size_t i = 0; i < calls->count; i++)
        for (unsigned j = 0; j < 6; j++)
            if (calls->steps[i].args[j].is == WORD_ROOM)
                items[i][j] = at + calls->steps[i].args[j].value;
    stub_put_number(stub, ROOM - 8, 8);
    stub_put(stub, NULL, ROOM - 8);
    return stub->size;
}

/* Header and steps, over the room that was left for them, once it is known where their bytes are. */
static void put_calls(struct stub *stub, const struct stub_calls *calls)
{
    uint64_t items[STEPS_MOST][6] = {{0}};
    size_t start = stub->size, end;

    stub_put(stub, NULL, HEADER + STEP * calls->count);
    stub_put(stub, calls->words, strlen(calls->words));
    stub_align(stub, 8);
    for (size_t i = 0; i < calls->count; i++)
        for (unsigned j = 0; j < 6; j++)
            if (calls->steps[i].args[j].bytes)
                items[i][j] = put_item(stub, &calls->steps[i].args[j]);
    end = put_room(stub, calls, items);
    stub->size = start;
    put_header(stub, calls);
    for (size_t i = 0; i < calls->count; i++)
        put_step(stub, &calls->steps[i], items[i]);
    stub->size = end;
}

static int check(const struct stub_calls *calls, const struct stub_machine *machine, struct err *err)
{
    if (!machine->calls.size)
        return err_set(err, "no reproduction: the instructions of this machine are not known");
    if (calls->count > STEPS_MOST)
        return err_set(err, "no reproduction: more than %d calls", STEPS_MOST);
    for (size_t i = 0; i < calls->count; i++)
        for (unsigned j = 0; j < 6; j++) {
            const struct stub_word *word = &calls->steps[i].args[j];

            if (word->bytes && word->is != WORD_VECTOR && word->value > BYTES_MOST)
                return err_set(err, "no reproduction: an argument of more than %d bytes", BYTES_MOST);
        }
    return 0;
}

int stub_calls_build(const struct stub_calls *calls, struct stub_file *ret, struct err *err)
{
    const struct stub_machine *machine = stub_machine_native();
    struct mini_object object = {.class = machine->class, .data = machine->data, .machine = machine->machine};
    struct stub stub = {.object = &object, .machine = machine, .wide = true};
    struct part all;

    *ret = (struct stub_file){0};
    if (check(calls, machine, err) < 0)
        return -1;
    object.program = true;
    stub.headers.size = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
    stub_put(&stub, NULL, stub.headers.size);
    stub_align(&stub, 8);
    stub.code.at = stub.size;
    stub_put(&stub, machine->calls.bytes, machine->calls.size);
    put_calls(&stub, calls);
    all = (struct part){0, stub.size};
    stub.size = 0;
    stub_put_ehdr(&stub, ET_EXEC, BASE + stub.code.at, 2);
    stub_put_phdr(&stub, PT_LOAD, PF_R | PF_X | (wants_room(calls) ? PF_W : 0), all, BASE, machine->page);
    stub_put_phdr(&stub, PT_GNU_STACK, PF_R | PF_W, (struct part){0, 0}, 0, 16);
    *ret = (struct stub_file){stub.bytes, all.size};
    return 0;
}

/* ---- one call on a file or a server ---- */

union address {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* TEXT ("unix:data/x", "unix:@x", "127.0.0.1:80", "[::1]:80") as the kernel takes it; its size, 0 where it is none. */
static size_t address_of(const char *text, union address *ret)
{
    const char *colon = strrchr(text, ':');
    CLEANUP_FREE char *host = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
    size_t size = strlen(text);

    memset(ret, 0, sizeof *ret);
    if (strncmp(text, "unix:", 5) == 0 && size - 5 < sizeof ret->un.sun_path) {
        ret->un.sun_family = AF_UNIX;
        memcpy(ret->un.sun_path, text + 5, size - 5);
        if (text[5] != '@')
            return offsetof(struct sockaddr_un, sun_path) + size - 5 + 1;
        ret->un.sun_path[0] = '\0'; /* an abstract name: its length counts (unix(7)) */
        return offsetof(struct sockaddr_un, sun_path) + size - 5;
    }
    if (host && inet_pton(AF_INET, host, &ret->in.sin_addr) == 1) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons((uint16_t)atoi(colon + 1));
        return sizeof ret->in;
    }
    if (host && host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        ret->in6.sin6_family = AF_INET6;
        ret->in6.sin6_port = htons((uint16_t)atoi(colon + 1));
        return inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) == 1 ? sizeof ret->in6 : 0;
    }
    return 0;
}

static struct stub_word number(uint64_t value)
{
    return (struct stub_word){.value = value};
}

static struct stub_word string(const char *text)
{
    return (struct stub_word){WORD_BYTES, strlen(text) + 1, text};
}

static const struct stub_word kept = {.is = WORD_KEPT};

/* An ordinary user may not listen on ports below 1024 (ip(7)): then it is whichever is free. */
static bool reserved(union address *to)
{
    in_port_t *port = to->any.sa_family == AF_INET ? &to->in.sin_port : &to->in6.sin6_port;

    if (to->any.sa_family == AF_UNIX || ntohs(*port) >= 1024)
        return false;
    *port = 0;
    return true;
}

/* The socket twice where the program is its own server: one listens, the other is connected. */
static size_t connect_steps(const struct stub_call *call, union address *to, size_t size, struct stub_step *ret)
{
    const struct stub_word name = {WORD_ROOM, 8, NULL}, name_size = {WORD_ROOM, 0, NULL};
    const struct stub_word where = {WORD_BYTES, size, to};
    const struct stub_step socket = {
        SYS_socket, STEP_KEEP, {number(to->any.sa_family), number(SOCK_STREAM | SOCK_CLOEXEC)}};
    const struct stub_step unlink = {SYS_unlinkat, STEP_ANY, {number((uint64_t)AT_FDCWD), string(to->un.sun_path)}};
    bool file = to->any.sa_family == AF_UNIX && to->un.sun_path[0], free_port;
    size_t n = 0;

    if (!call->serves) {
        ret[n++] = socket;
        ret[n++] = (struct stub_step){SYS_connect, STEP_WATCHED, {kept, where, number(size)}};
        return n;
    }
    free_port = reserved(to);
    if (file)
        ret[n++] = unlink;
    ret[n++] = socket;
    ret[n++] = (struct stub_step){SYS_bind, 0, {kept, where, number(size)}};
    ret[n++] = (struct stub_step){SYS_listen, 0, {kept, number(1)}};
    if (free_port)
        ret[n++] = (struct stub_step){SYS_getsockname, 0, {kept, name, name_size}};
    ret[n++] = socket;
    ret[n++] = (struct stub_step){SYS_connect, 0, {kept, free_port ? name : where, number(size)}};
    if (file)
        ret[n++] = unlink;
    return n;
}

int stub_caller(const struct stub_call *call, struct stub_file *ret, struct err *err)
{
    const char *name = call->bare ? path_base(call->path) : call->path;
    struct stub_step steps[8];
    union address to;
    size_t size = call->connects ? address_of(call->path, &to) : 0, count = 1;

    *ret = (struct stub_file){0};
    if (call->connects && !size)
        return err_set(err, "no reproduction: %.200s is no address that a program of a few instructions can write",
                       call->path);
    if (call->connects)
        count = connect_steps(call, &to, size, steps);
    else if (call->opens)
        steps[0] = (struct stub_step){SYS_openat, STEP_WATCHED, {number((uint64_t)AT_FDCWD), string(call->path)}};
    else
        steps[0] = (struct stub_step){SYS_execve, STEP_WATCHED, {string(call->path), {WORD_VECTOR, 0, name}}};
    return stub_calls_build(&(struct stub_calls){steps, count, call->error, call->status, call->words}, ret, err);
}
