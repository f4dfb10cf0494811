/* ABIs of runtimes, from their files. */
#include "runtime.h"

#include "alloc.h"
#include "elffile.h"
#include "path.h"

#include <ctype.h>
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, TAIL = 256, GO_TAIL = 64 << 10, SCAN_MOST = 512 << 20, NAMES_MOST = 100000 };

/* The first place of WORD in the file, and at most TAIL bytes from there: how many were read, 0 where it is not in it.
 */
static size_t scan_more(const char *root, const char *path, const char *word, size_t word_size, unsigned char *ret,
                        size_t tail)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    CLEANUP_FREE unsigned char *chunk = xmalloc(CHUNK + TAIL);
    ssize_t n;

    for (uint64_t at = 0; fd >= 0 && at < SCAN_MOST && (n = pread(fd, chunk, CHUNK + TAIL, (off_t)at)) > 0;
         at += CHUNK) {
        const unsigned char *found = memmem(chunk, (size_t)n, word, word_size);
        ssize_t got = found ? pread(fd, ret, tail, (off_t)at + (found - chunk)) : 0;

        if (found)
            return got > 0 ? (size_t)got : 0;
        if (n < CHUNK)
            break;
    }
    return 0;
}

static size_t scan(const char *root, const char *path, const char *word, size_t word_size, unsigned char *ret)
{
    return scan_more(root, path, word, word_size, ret, TAIL);
}

static const char node_name[] = "node_register_module_v";

static unsigned number_behind(const char *name)
{
    unsigned long number = strtoul(name + sizeof node_name - 1, NULL, 10);

    return number < 100000 ? (unsigned)number : 0;
}

unsigned runtime_node(const char *root, const char *path)
{
    unsigned char bytes[TAIL + 1] = {0};

    return scan(root, path, node_name, sizeof node_name - 1, bytes) ? number_behind((char *)bytes) : 0;
}

unsigned runtime_node_wanted(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get(root, path);
    unsigned number = 0;

    for (size_t i = 0; i < elf->symbol_count && !number; i++)
        if (elf->symbols[i].defined && elf->symbols[i].name &&
            strncmp(elf->symbols[i].name, node_name, sizeof node_name - 1) == 0)
            number = number_behind(elf->symbols[i].name);
    elffile_put(elf);
    return number;
}

char *runtime_node_version(const char *root, const char *path)
{
    static const char word[] = "node.js/v";
    unsigned char bytes[TAIL + 1] = {0};
    size_t n = sizeof word - 1, start = n, size = scan(root, path, word, n, bytes);

    while (n < size && n < start + 32 && (isalnum(bytes[n]) || bytes[n] == '.' || bytes[n] == '-' || bytes[n] == '+'))
        n++;
    return n > start && isdigit(bytes[start]) ? xstrndup((char *)bytes + start, n - start) : NULL;
}

static const char go_magic[] = "\xff Go buildinf:\x08"; /* debug/buildinfo */

/* 14 bytes of magic, the size of a pointer, flags; since Go 1.18 (flag 2) strings follow at byte 32, each with its
 * length before it. What is older has pointers there, and is not read. */
char *runtime_go(const char *root, const char *path)
{
    unsigned char bytes[TAIL] = {0};
    size_t size = scan(root, path, go_magic, 15, bytes);
    size_t length = size > 33 && bytes[15] & 2 ? bytes[32] : 0;

    if (length < 3 || length > 64 || 33 + length > size || strncmp((char *)bytes + 33, "go", 2) != 0)
        return NULL;
    return xstrndup((char *)bytes + 33, length);
}

bool runtime_glibc(const char *root, const char *path)
{
    static const char cache[] = "glibc-ld.so.cache", tunables[] = "GLIBC_TUNABLES";
    unsigned char bytes[TAIL];

    return scan(root, path, cache, sizeof cache - 1, bytes) && scan(root, path, tunables, sizeof tunables - 1, bytes);
}

/* The value of a line "KEY\tVALUE[\t…]" of TEXT, malloced, or NULL. */
static char *go_field(const char *text, const char *key, int field)
{
    size_t size = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *value = line + size;

        if (strncmp(line, key, size) != 0 || *value++ != '\t')
            continue;
        for (; field > 0 && *value && *value != '\n'; value++)
            field -= *value == '\t';
        return field == 0 && value[strcspn(value, "\t\n")] ? xstrndup(value, strcspn(value, "\t\n")) : NULL;
    }
    return NULL;
}

/* The second string is the module's, between two marks of 16 bytes (cmd/go/internal/modload, ModInfoProg); its length
 * is a varint (encoding/binary). "path\t…\nmod\t…\tv0.16.1\th1:…\n…" (runtime/debug, BuildInfo.String) */
bool runtime_go_main(const char *root, const char *path, char **package, char **version)
{
    CLEANUP_FREE unsigned char *bytes = xcalloc(1, GO_TAIL + 1);
    size_t size = scan_more(root, path, go_magic, 15, bytes, GO_TAIL), at, length = 0;
    unsigned shift = 0;
    const char *text;

    *package = *version = NULL;
    if (size < 34 || !(bytes[15] & 2) || bytes[32] >= 128)
        return false;
    at = 33 + bytes[32];
    do {
        if (at >= size || shift > 21)
            return false;
        length |= (size_t)(bytes[at] & 127) << shift;
        shift += 7;
    } while (bytes[at++] & 128);
    if (length < 32 || at + 16 >= size)
        return false;
    length = length - 32 < size - at - 16 ? length - 32 : size - at - 16;
    bytes[at + 16 + length] = '\0';
    text = (const char *)bytes + at + 16;
    *package = go_field(text, "path", 0);
    *version = go_field(text, "mod", 1);
    if (*version && strcmp(*version, "(devel)") == 0) {
        free(*version);
        *version = NULL;
    }
    return *package != NULL;
}

/* PERL_API_VERSION_STRING stands alone in it, as does the "v5.36.0" that XS handshakes compare. */
char *runtime_perl(const char *root, const char *path)
{
    unsigned char bytes[TAIL + 1] = {0};
    size_t size = scan(root, path, "\0v5.", 4, bytes), n = 4;

    while (n < size && (isdigit(bytes[n]) || bytes[n] == '.'))
        n++;
    return size && n < size && bytes[n] == '\0' && n < 16 ? xstrndup((char *)bytes + 1, n - 1) : NULL;
}

char *runtime_python(const char *path)
{
    const char *name = path_base(path), *version;
    unsigned major, minor;
    int end = 0;
    char flags[4] = "";

    if (strncmp(name, "lib", 3) == 0)
        name += 3;
    if (strncmp(name, "python", 6) != 0)
        return NULL;
    version = name + 6;
    if (sscanf(version, "%1u.%2u%n%3[dmtu]", &major, &minor, &end, flags) < 2 || major != 3)
        return NULL;
    if (version[end + (int)strlen(flags)] != '\0' && strncmp(version + end + strlen(flags), ".so", 3) != 0)
        return NULL;
    return xasprintf("cpython-%u%u%s", major, minor, flags);
}

char *runtime_python_tag(const char *name)
{
    const char *dot = strchr(name, '.'), *end = dot ? strchr(dot + 1, '.') : NULL;
    size_t size;

    if (!end || strcmp(end, ".so") != 0)
        return NULL;
    dot++;
    if (strncmp(dot, "cpython-", 8) != 0 && strncmp(dot, "pypy", 4) != 0)
        return NULL;
    size = strcspn(dot, "-.");
    if (dot[size] == '-' && strncmp(dot, "cpython", 7) == 0)
        size += 1 + strcspn(dot + size + 1, "-.");
    return xstrndup(dot, size);
}

char *runtime_python_other(const char *root, const char *directory, const char *name, const char *wanted)
{
    int fd = path_open(root, directory);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    size_t size = strlen(name), seen = 0;
    char *best = NULL;
    bool usable = false;
    struct dirent *entry;

    if (!stream && fd >= 0)
        close(fd);
    while (stream && seen++ < NAMES_MOST && (entry = readdir(stream))) {
        CLEANUP_FREE char *tag = NULL;

        if (strncmp(entry->d_name, name, size) != 0 || entry->d_name[size] != '.')
            continue;
        tag = runtime_python_tag(entry->d_name);
        usable |= tag ? strcmp(tag, wanted) == 0
                      : strcmp(entry->d_name + size, ".so") == 0 || strcmp(entry->d_name + size, ".abi3.so") == 0;
        if (!tag || strcmp(tag, wanted) == 0 || (best && strcmp(entry->d_name, path_base(best)) > 0))
            continue;
        free(best);
        best = path_join(directory, entry->d_name);
    }
    if (stream)
        closedir(stream);
    if (usable)
        free(steal_pointer(&best));
    return best;
}
