#include "strace_value.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMED(name)                                                                                                    \
    {                                                                                                                  \
#name, (uint64_t)(name)                                                                                        \
    }

/* Those that somebody asks for. Sorted. */
static const struct {
    const char *name;
    uint64_t value;
} names[] = {
    NAMED(AF_INET),
    NAMED(AF_INET6),
    NAMED(AF_NETLINK),
    NAMED(AF_PACKET),
    NAMED(AF_UNIX),
    NAMED(AT_FDCWD),
    NAMED(CLONE_FILES),
    NAMED(CLONE_FS),
    NAMED(CLONE_NEWCGROUP),
    NAMED(CLONE_NEWIPC),
    NAMED(CLONE_NEWNET),
    NAMED(CLONE_NEWNS),
    NAMED(CLONE_NEWPID),
    NAMED(CLONE_NEWUSER),
    NAMED(CLONE_NEWUTS),
    NAMED(CLONE_SIGHAND),
    NAMED(CLONE_THREAD),
    NAMED(CLONE_VFORK),
    NAMED(CLONE_VM),
    NAMED(MFD_HUGETLB),
    NAMED(O_APPEND),
    NAMED(O_CLOEXEC),
    NAMED(O_CREAT),
    NAMED(O_DIRECTORY),
    NAMED(O_EXCL),
    NAMED(O_NOCTTY),
    NAMED(O_NOFOLLOW),
    NAMED(O_NONBLOCK),
    NAMED(O_PATH),
    NAMED(O_RDONLY),
    NAMED(O_RDWR),
    NAMED(O_TRUNC),
    NAMED(O_WRONLY),
    NAMED(PROT_EXEC),
    NAMED(PROT_READ),
    NAMED(PROT_WRITE),
    {"PR_SET_SECCOMP", 22},
    NAMED(R_OK),
    {"SECCOMP_GET_ACTION_AVAIL", 2},
    {"SECCOMP_GET_NOTIF_SIZES", 3},
    {"SECCOMP_SET_MODE_FILTER", 1},
    {"SECCOMP_SET_MODE_STRICT", 0},
    NAMED(SOCK_CLOEXEC),
    NAMED(SOCK_DGRAM),
    NAMED(SOCK_NONBLOCK),
    NAMED(SOCK_RAW),
    NAMED(SOCK_SEQPACKET),
    NAMED(SOCK_STREAM),
    NAMED(W_OK),
    NAMED(X_OK),
    {"__O_TMPFILE", 020000000},
};

static uint64_t value_of(const char *name, size_t n)
{
    size_t low = 0, high = sizeof names / sizeof *names;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *known = names[middle].name;
        int order = *name != *known ? (unsigned char)*name - (unsigned char)*known : strncmp(name, known, n);

        if (!order && known[n])
            order = -1;
        if (!order)
            return names[middle].value;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

static bool name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static uint64_t flags_at(const char *p)
{
    uint64_t value = 0;

    for (;;) {
        size_t n = 0;

        if (isdigit((unsigned char)*p))
            return value | strtoull(p, NULL, 0);
        while (name_byte(p[n]))
            n++;
        if (!n)
            return value;
        value |= value_of(p, n);
        if (p[n] != '|')
            return value;
        p += n + 1;
    }
}

uint64_t strace_number(const char *p)
{
    const char *flags;

    if (isdigit((unsigned char)*p) || *p == '-')
        return *p == '-' ? (uint64_t)strtoll(p, NULL, 0) : strtoull(p, NULL, 0);
    if (isupper((unsigned char)*p) || *p == '_')
        return flags_at(p);
    flags = strstr(p, "flags=");
    return flags ? flags_at(flags + 6) : 0;
}

/* ---- strings ---- */

static const char *escape(const char *p, struct text *out)
{
    static const char letters[] = "tnvfrabe\"\\'", values[] = "\t\n\v\f\r\a\b\033\"\\'";
    const char *letter = *p ? strchr(letters, *p) : NULL;
    int value = 0, digits = 0;

    if (letter) {
        text_addc(out, values[letter - letters]);
        return p + 1;
    }
    if (*p == 'x') {
        for (p++; digits < 2 && isxdigit((unsigned char)*p); p++, digits++)
            value = value * 16 + (isdigit((unsigned char)*p) ? *p - '0' : (*p | 32) - 'a' + 10);
    } else {
        for (; digits < 3 && *p >= '0' && *p <= '7'; p++, digits++)
            value = value * 8 + (*p - '0');
    }
    if (digits)
        text_addc(out, (char)value);
    else
        text_addc(out, '\\');
    return p;
}

const char *strace_string(const char *p, struct text *out, bool *cut)
{
    *cut = false;
    if (*p != '"')
        return NULL;
    for (p++; *p && *p != '"';) {
        size_t n = strcspn(p, "\"\\");

        text_addn(out, p, n);
        p += n;
        if (*p == '\\')
            p = escape(p + 1, out);
    }
    if (!*p) {
        *cut = true;
        return p;
    }
    *cut = strncmp(p + 1, "...", 3) == 0;
    return p + (*cut ? 4 : 1);
}

bool strace_annotation(const char *p, struct text *out)
{
    const char *end;

    p += strcspn(p, "<,(");
    if (*p != '<' || p[1] != '/')
        return false;
    for (p++, end = p; *end && *end != '>' && *end != '<';) /* "</dev/full<char 1:7>>" of -yy */
        end++;
    while (p < end) {
        if (*p == '\\')
            p = escape(p + 1, out);
        else
            text_addc(out, *p++);
    }
    return true;
}

/* ---- addresses ---- */

static bool unix_address(const char *p, struct text *out)
{
    const char *path = strstr(p, "sun_path=");
    bool cut;

    p = path ? path + 9 : strchr(p, ',');
    if (!p)
        return false;
    p += path ? 0 : strspn(p, ", ");
    if (strncmp(p, "path=", 5) == 0)
        p += 5;
    text_add(out, *p == '@' ? "unix:@" : "unix:");
    return strace_string(*p == '@' ? p + 1 : p, out, &cut) != NULL;
}

bool strace_address(const char *p, struct text *out)
{
    const char *port = strstr(p, "port=htons("), *name;
    bool six = strstr(p, "AF_INET6") != NULL, cut;

    if (strstr(p, "AF_UNIX") || strstr(p, "AF_LOCAL") || strstr(p, "AF_FILE"))
        return unix_address(p, out);
    name = six ? strstr(p, "inet_pton(AF_INET6, \"") : strstr(p, "inet_addr(\"");
    if (!port || !name)
        return false;
    name += six ? 20 : 10;
    text_add(out, six ? "[" : "");
    strace_string(name, out, &cut);
    text_addf(out, six ? "]:%lu" : ":%lu", strtoul(port + 11, NULL, 10));
    return true;
}
