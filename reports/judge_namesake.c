/* Which of several variables that have the same path in them a program has read.
 *
 * Certificates are named by SSL_CERT_FILE, CURL_CA_BUNDLE, NODE_EXTRA_CA_CERTS and more, all set to one file: one that
 * is not there is one thing to change, and the program has met it by one of them. */
#include "environment.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <probes/alloc.h>

enum {
    NAME_LEAST = 3,
    NAME_MOST = 256,
    PIECE = 1 << 20,
    NAMESAKES = 8,         /* of more than so many nothing is read */
    READ_MOST = 256 << 20, /* of an executable: node's has 100 MB */
};

/* "NODE_…" of node, "PIP_…" of pip, "PYTHON…" of python3.11. */
static bool begins_with_program(const struct variable *variable, const char *path)
{
    const char *name = path ? path_base(path) : "";
    size_t n = 0;

    while (n < variable->name_size && isalpha((unsigned char)name[n]) &&
           toupper((unsigned char)name[n]) == variable->entry[n])
        n++;
    return n >= NAME_LEAST && !isalpha((unsigned char)name[n]);
}

static bool of_program(const struct process *image, const struct variable *variable)
{
    if (begins_with_program(variable, image->exe))
        return true;
    for (size_t i = 0; i < image->argv.n && i < 3; i++) /* "python3 -m pip" */
        if (begins_with_program(variable, image->argv.v[i]))
            return true;
    return false;
}

static bool in_words(const struct process *image, const struct variable *variable)
{
    for (size_t i = image->line_count; i-- > 0;)
        if (words_word(image->lines[i].text, variable->entry, variable->name_size))
            return true;
    return false;
}

/* Its executable's own bytes have the name. */
static bool in_bytes(const struct process *image, const struct variable *variable)
{
    CLEANUP_CLOSE int fd = image->exe ? path_open(image->root, image->exe) : -1;
    CLEANUP_FREE char *piece = NULL, *key = NULL;
    size_t kept = 0;
    ssize_t n;

    key = xasprintf("name:%.*s:%s", (int)variable->name_size, variable->entry, image->exe ? image->exe : "");
    if (path_nowhere(image->root))
        return image->seen && answers_value(image->seen, key);

    if (fd < 0 || variable->name_size > NAME_MOST)
        return false;
    piece = xmalloc(PIECE + NAME_MOST);
    for (size_t at = 0; at < READ_MOST && (n = pread(fd, piece + kept, PIECE, (off_t)at)) > 0; at += (size_t)n) {
        size_t size = kept + (size_t)n;

        if (memmem(piece, size, variable->entry, variable->name_size)) {
            if (image->seen)
                answers_note(image->seen, key, "has");
            return true;
        }
        kept = size < variable->name_size ? size : variable->name_size - 1;
        memmove(piece, piece + size - kept, kept);
    }
    return false;
}

static int nearness(const struct process *image, const struct variable *variable)
{
    if (in_words(image, variable))
        return 3;
    return of_program(image, variable) ? 2 : in_bytes(image, variable);
}

bool lead_is_nearer(const struct process *image, const struct variable *one, const struct variable *than)
{
    return nearness(image, one) > nearness(image, than);
}

bool lead_has_path(const struct process *image, const struct variable *variable, const char *path)
{
    struct strings paths;
    bool found = false;

    variable_paths(variable->value, image->cwd, &paths);
    for (size_t i = 0; i < paths.n && !found; i++)
        found = strcmp(paths.v[i], path) == 0;
    strings_deinit(&paths);
    return found;
}

static bool too_many(const struct process *image, const char *path)
{
    size_t count = 0;

    for (size_t i = 0; i < image->env.n && count <= NAMESAKES; i++) {
        struct variable variable;

        count += variable_of(image->env.v[i], &variable) && lead_has_path(image, &variable, path);
    }
    return count > NAMESAKES;
}

bool lead_is_outdone(const struct process *image, const struct variable *variable, const char *path)
{
    bool before = true, many = too_many(image, path);

    for (size_t i = 0; i < image->env.n; i++) {
        struct variable other;

        if (image->env.v[i] == variable->entry) {
            before = false;
            continue;
        }
        if (variable_of(image->env.v[i], &other) && lead_has_path(image, &other, path) &&
            (many ? before
                  : lead_is_nearer(image, &other, variable) || (before && !lead_is_nearer(image, variable, &other))))
            return true;
    }
    return false;
}
