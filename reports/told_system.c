#include "told_system.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

enum { WORD_MOST = 128 };

/* Of two systems in one text nobody knows which one failed. */
static void take(struct told_system *system, char **to, const char *what, const char *value, size_t size)
{
    CLEANUP_FREE char *taken = size && size < WORD_MOST ? xstrndup(value, size) : NULL;

    if (!taken)
        return;
    if (!*to)
        *to = steal_pointer(&taken);
    else if (strcmp(*to, taken) != 0 && !system->other)
        system->other = xasprintf("%s %s and %s %s", what, *to, what, taken);
}

static size_t version_length(const char *p)
{
    size_t n = strspn(p, "0123456789.");

    while (n && p[n - 1] == '.')
        n--;
    return isdigit((unsigned char)*p) ? n : 0;
}

static void take_libc(struct told_system *system, const char *family, const char *version, const char *from)
{
    size_t n = version_length(version);

    if (!n)
        return;
    if (!system->family) {
        system->family = xstrdup(family);
        system->from = from;
    }
    if (strcmp(system->family, family) == 0)
        take(system, &system->version, family, version, n);
}

static const char *behind(const char *line, const char *words)
{
    size_t n = strlen(words);

    return strncmp(line, words, n) == 0 ? line + n : NULL;
}

static void read_libc(struct told_system *system, const char *line)
{
    const char *at = behind(line, "ldd ("), *last = strrchr(line, ' ');

    if (at && last && last[-1] == ')')
        take_libc(system, "glibc", last + 1, "ldd --version");
    else if ((at = behind(line, "glibc ")) && strlen(at) == version_length(at))
        take_libc(system, "glibc", at, "getconf GNU_LIBC_VERSION");
    else if (behind(line, "GNU C Library (") && (at = strstr(line, "release version ")))
        take_libc(system, "glibc", at + strlen("release version "), "the words of its libc.so.6");
    else if (behind(line, "musl libc (") && !system->family) {
        system->family = xstrdup("musl");
        system->from = "ldd";
    } else if (system->family && strcmp(system->family, "musl") == 0 && (at = behind(line, "Version ")))
        take_libc(system, "musl", at, "ldd");
}

static bool is_machine(const char *word, size_t size)
{
    static const char *const names[] = {"x86_64", "aarch64", "i686", "i386", "armv7l", "riscv64", "ppc64le", "s390x"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && strncmp(word, names[i], size) == 0)
            return true;
    return false;
}

/* "Linux HOST 5.10.0-8-amd64 #1 SMP … x86_64 GNU/Linux" (uname -a). */
static void read_uname(struct told_system *system, const char *line)
{
    const char *host = behind(line, "Linux "), *kernel = host ? strchr(host, ' ') : NULL, *p;

    if (!kernel || !isdigit((unsigned char)kernel[1]) || !strchr(kernel, '#'))
        return;
    take(system, &system->kernel, "Linux", kernel + 1, strcspn(kernel + 1, " "));
    for (p = kernel; *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (is_machine(p, strcspn(p, " "))) {
            take(system, &system->machine, "machine", p, strcspn(p, " "));
            return;
        }
    }
}

void told_system_read(struct told_system *system, const char *line)
{
    const char *at;

    switch (*line) { /* most lines are none of these */
    case 'l':
    case 'g':
    case 'G':
    case 'm':
    case 'V':
        read_libc(system, line);
        break;
    case 'L':
        read_uname(system, line);
        break;
    case 'P':
        if ((at = behind(line, "PRETTY_NAME=")))
            take(system, &system->distribution, "", at + strspn(at, "\"'"), strcspn(at + strspn(at, "\"'"), "\"'"));
        break;
    case 'D':
        if ((at = behind(line, "Description:")))
            take(system, &system->distribution, "", at + strspn(at, " \t"), strlen(at + strspn(at, " \t")));
        break;
    case 'x':
    case 'a':
    case 'i':
    case 'r':
    case 'p':
    case 's':
        if (is_machine(line, strlen(line)))
            take(system, &system->machine, "machine", line, strlen(line));
        break;
    default:
        break;
    }
}

void told_system_deinit(struct told_system *system)
{
    free(system->family);
    free(system->version);
    free(system->kernel);
    free(system->machine);
    free(system->distribution);
    free(system->other);
    *system = (struct told_system){0};
}
