/* What apt knows of packages that are not installed: its lists (sources.list(5), /var/lib/apt/lists) of packages, of
 * the commands in them (command-not-found's cnf_Commands) and of their files (Contents, where apt-file is installed).
 *
 * A library's package is also known by its name (Debian Policy 8.1: libfoo.so.2 is in libfoo2), and that counts where
 * the lists have a package of that name. */
#include "alloc.h"
#include "packages_parts.h"

#include <ctype.h>
#include <string.h>

#define LISTS "/var/lib/apt/lists"
enum { NAMES_MOST = 4 };

struct hunt {
    const struct package_wish *wish;
    const char *const *names; /* of packages */
    size_t count;
    const char *architecture;
    bool others; /* which lists are looked at: PART's of that architecture */
    const char *part;
    bool (*read)(struct hunt *hunt, struct packed *list);
    size_t left;
    struct package *ret;
};

static const char *architecture_of(const char *machine)
{
    static const char *const pairs[][2] = {
        {"x86_64", "amd64"}, {"i386", "i386"}, {"aarch64", "arm64"}, {"riscv64", "riscv64"}, {"x32", "x32"}};

    for (size_t i = 0; machine && i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(machine, pairs[i][0]) == 0)
            return pairs[i][1];
    return machine ? NULL : "amd64";
}

/* "…_binary-amd64_Packages.lz4", "…_cnf_Commands-amd64", "…_Contents-amd64.gz". */
static bool is_list(const struct hunt *hunt, const char *name)
{
    const char *part = strstr(name, hunt->part);
    size_t n = strlen(hunt->architecture);

    if (!part || strncmp(part + strlen(hunt->part), hunt->architecture, n) != 0)
        return false;
    part += strlen(hunt->part) + n;
    return strcmp(hunt->part, "_binary-") == 0 ? strncmp(part, "_Packages", 9) == 0 && (!part[9] || part[9] == '.')
                                               : !*part || *part == '.';
}

static bool look(void *ctx, const char *name, int fd)
{
    struct hunt *hunt = ctx;
    struct packed *list;
    bool found;

    if (!is_list(hunt, name) || !hunt->left) {
        close(fd);
        return true;
    }
    list = packed_open(fd, hunt->left);
    found = list && hunt->read(hunt, list);
    packed_close(list);
    return !found;
}

static bool hunt_in(struct hunt *hunt, const char *root, const char *part, bool (*read)(struct hunt *, struct packed *))
{
    hunt->part = part;
    hunt->read = read;
    hunt->left = DATABASE_MOST;
    directory_each(root, LISTS, look, hunt);
    return hunt->ret->name != NULL;
}

static char *with_architecture(const struct hunt *hunt, const char *name, size_t n)
{
    return strcmp(hunt->architecture, "amd64") == 0 ? xstrndup(name, n)
                                                    : xasprintf("%.*s:%s", (int)n, name, hunt->architecture);
}

/* ---- lists of packages ---- */

static bool is_wanted(const struct hunt *hunt, const char *name)
{
    for (size_t i = 0; i < hunt->count; i++)
        if (strcmp(hunt->names[i], name) == 0)
            return true;
    return false;
}

static bool read_packages(struct hunt *hunt, struct packed *list)
{
    struct package *ret = hunt->ret;
    const char *line;

    while ((line = packed_line(list, NULL))) {
        if (!ret->name && strncmp(line, "Package: ", 9) == 0 && is_wanted(hunt, line + 9))
            ret->name = with_architecture(hunt, line + 9, strlen(line + 9));
        else if (ret->name && strncmp(line, "Version: ", 9) == 0)
            ret->version = xstrdup(line + 9);
        if (ret->name && (!*line || ret->version))
            break;
    }
    ret->says = "apt's lists of packages";
    return ret->name != NULL;
}

bool apt_named(const char *root, const char *const *names, size_t count, const char *architecture, struct package *ret)
{
    struct hunt hunt = {.names = names, .count = count, .architecture = architecture, .ret = ret};

    return hunt_in(&hunt, root, "_binary-", read_packages);
}

/* The names that a library's package may have, malloced: "libfoo2", with a digit before it "libfoo1-2"; and since 2024
 * "libfoo2t64", with 64 bits for the time on 32-bit machines. */
static size_t library_names(const char *soname, char *names[NAMES_MOST])
{
    const char *so = strstr(soname, ".so"), *version = so && so[3] == '.' ? so + 4 : NULL;
    CLEANUP_FREE char *stem = so && so > soname ? xstrndup(soname, (size_t)(so - soname)) : NULL;
    size_t count = 0;

    if (!stem || (so[3] && !version))
        return 0;
    if (version) {
        const char *dash = isdigit((unsigned char)stem[strlen(stem) - 1]) ? "-" : "";

        names[count++] = xasprintf("%s%s%s", stem, dash, version);
        names[count++] = xasprintf("%s%s%st64", stem, dash, version);
    } else {
        names[count++] = xstrdup(stem);
    }
    for (size_t i = 0; i < count; i++)
        for (char *p = names[i]; *p; p++)
            *p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
    return count;
}

static bool find_by_name(struct hunt *hunt)
{
    char *names[NAMES_MOST];
    size_t count = library_names(hunt->wish->name, names);
    bool found = count && apt_named(hunt->wish->root, (const char *const *)names, count, hunt->architecture, hunt->ret);

    hunt->ret->by_name = found;

    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return found;
}

/* ---- lists of commands ---- */

static bool among(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; *p;) {
        size_t size = strcspn(p, ",");

        p += strspn(p, " ");
        size = strcspn(p, ", ");
        if (size == n && strncmp(p, word, n) == 0)
            return true;
        p += strcspn(p, ",");
        p += *p == ',';
    }
    return false;
}

static bool read_commands(struct hunt *hunt, struct packed *list)
{
    CLEANUP_FREE char *name = NULL, *version = NULL;
    const char *line;

    while ((line = packed_line(list, NULL))) {
        if (strncmp(line, "name: ", 6) == 0) {
            free(name);
            free(steal_pointer(&version));
            name = xstrdup(line + 6);
        } else if (strncmp(line, "version: ", 9) == 0) {
            free(version);
            version = xstrdup(line + 9);
        } else if (name && strncmp(line, "commands: ", 10) == 0 && among(line + 10, hunt->wish->name)) {
            hunt->ret->name = steal_pointer(&name);
            hunt->ret->version = steal_pointer(&version);
            hunt->ret->says = "command-not-found's list";
            return true;
        }
    }
    return false;
}

/* ---- lists of files ---- */

/* "usr/lib/x86_64-linux-gnu/libfoo.so.2   libs/libfoo2,libs/other": the path may have blanks in it, the packages none.
 */
static bool read_contents(struct hunt *hunt, struct packed *list)
{
    char *line;
    size_t n;

    while ((line = packed_line(list, &n))) {
        char *packages = memrchr(line, ' ', n), *end = packages, *tab = memrchr(line, '\t', n);
        const char *name;

        if (tab > packages)
            packages = end = tab;
        if (!packages)
            continue;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (!wish_matches(hunt->wish, line, (size_t)(end - line)))
            continue;
        packages[1 + strcspn(packages + 1, ",")] = '\0';
        name = strrchr(packages + 1, '/') ? strrchr(packages + 1, '/') + 1 : packages + 1;
        hunt->ret->name = with_architecture(hunt, name, strlen(name));
        hunt->ret->file = xasprintf("/%.*s", (int)(end - line), line);
        hunt->ret->says = "apt's list of files";
        return true;
    }
    return false;
}

bool apt_find(const struct package_wish *wish, struct package *ret)
{
    struct hunt hunt = {.wish = wish, .architecture = architecture_of(wish->machine), .ret = ret};

    if (!hunt.architecture)
        return false;
    if (wish->name && !wish->library && hunt_in(&hunt, wish->root, "_cnf_Commands-", read_commands))
        return true;
    if (hunt_in(&hunt, wish->root, "_Contents-", read_contents))
        return true;
    return wish->library && find_by_name(&hunt);
}
