/* The shadow loader against the real one: for the programs of this machine, the same libraries, from the same files, in
 * the same order, and no fault where the real loader has none. */
#include "loadbed.h"

#include <elf.h>

enum { AT_LEAST = 200, LIST_LIMIT = 400 };

struct listing {
    char *paths[LIST_LIMIT];
    size_t count;
    bool not_found;
};

/* "\tlibm.so.6 => /lib/libm.so.6 (0x…)" or "\t/lib64/ld-linux-x86-64.so.2 (0x…)"; the vdso is no file. */
static void read_line(struct listing *l, char *line)
{
    char *path = strstr(line, " => "), *end;

    if (strstr(line, "not found"))
        l->not_found = true;
    path = path ? path + 4 : line + strspn(line, "\t ");
    end = strstr(path, " (0x");
    if (!end || path[0] != '/' || l->count == LIST_LIMIT)
        return;
    *end = '\0';
    l->paths[l->count++] = xstrdup(path);
}

static void list_real(const char *interp, const char *program, struct listing *ret)
{
    CLEANUP_FREE char *command = xasprintf("'%s' --list '%s'", interp, program);
    CLEANUP_FREE char *text = output_of(command, NULL);
    char *save = NULL;

    *ret = (struct listing){0};
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        read_line(ret, line);
}

static bool same(const struct load *load, const struct listing *real)
{
    bool fault = false;

    for (size_t i = 0; i < load->fault_count; i++)
        fault |= !load->faults[i]->warning;
    if (load->object_count != real->count + 1 || fault != real->not_found)
        return false;
    for (size_t i = 0; i < real->count; i++)
        if (strcmp(load->objects[i + 1]->path, real->paths[i]) != 0)
            return false;
    return true;
}

static void explain(const char *program, const struct load *load, const struct listing *real)
{
    printf("differs: %s\n", program);
    for (size_t i = 0; i + 1 < load->object_count || i < real->count; i++)
        printf("  %-50s | %s\n", i + 1 < load->object_count ? load->objects[i + 1]->path : "",
               i < real->count ? real->paths[i] : "");
    for (size_t i = 0; i < load->fault_count; i++)
        printf("  fault %d: %s of %s\n", load->faults[i]->kind, load->faults[i]->name, load->faults[i]->subject->path);
}

static bool is_compared(const char *path)
{
    const struct elffile *elf = elffile_get("", path), *own = elffile_get("", "/proc/self/exe");
    bool yes = elf->state == ELFFILE_OK && elf->interp && elf->machine == own->machine && elf->class == own->class &&
               strstr(elf->interp, "ld-linux");

    elffile_put(elf);
    elffile_put(own);
    return yes;
}

static void compare(const char *program, size_t *programs, size_t *differences)
{
    struct load *load = load_with(program, NULL);
    struct listing real;

    list_real(load->interp, program, &real);
    (*programs)++;
    if (!same(load, &real)) {
        (*differences)++;
        explain(program, load, &real);
    }
    for (size_t i = 0; i < real.count; i++)
        free(real.paths[i]);
    load_destroy(load);
}

static void compare_directory(const char *directory, size_t *programs, size_t *differences)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        CLEANUP_FREE char *path = path_join(directory, entry->d_name);
        char real[PATH_MAX];

        /* by its own name only: --list takes $ORIGIN from the name that it is given, the kernel from the file */
        if (entry->d_type != DT_LNK && !strchr(path, '\'') && realpath(path, real) && is_compared(real))
            compare(real, programs, differences);
    }
    if (dir)
        closedir(dir);
}

START_TEST(programs_of_this_machine)
{
    static const char *const directories[] = {"/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/lib/git-core"};
    size_t programs = 0, differences = 0;

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        compare_directory(directories[i], &programs, &differences);
    printf("%zu programs, %zu differences\n", programs, differences);
    fflush(stdout);
    elffile_forget_all();
    ck_assert_uint_eq(differences, 0);
    ck_assert_uint_ge(programs, AT_LEAST);
}
END_TEST

/* --- bindings -------------------------------------------------------------------------------------------------- */

struct log_line {
    const char *from, *to, *symbol, *version;
};

/* "    123:\tbinding file FROM [0] to TO [0]: normal symbol `NAME' [VERSION]" */
static bool read_binding(char *line, struct log_line *ret)
{
    char *from = strstr(line, "binding file "), *to, *symbol, *end;

    if (!from || !(to = strstr(from, " [0] to ")) || !(symbol = strstr(to, "symbol `")) ||
        !(end = strchr(symbol + 8, '\'')))
        return false;
    ret->from = from + strlen("binding file ");
    *to = '\0';
    ret->to = to + strlen(" [0] to ");
    *strstr(ret->to, " [") = '\0';
    ret->symbol = symbol + 8;
    *end = '\0';
    ret->version = end[1] == ' ' && end[2] == '[' ? end + 3 : NULL;
    if (ret->version)
        *strchr(ret->version, ']') = '\0';
    return true;
}

static struct object *object_at(const struct load *load, const char *path)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (!strcmp(load->objects[i]->path, path))
            return load->objects[i];
    return NULL;
}

/* Only bindings that a relocation of FROM asks for: the loader looks a few names up on its own account, and a COPY
 * relocation does not look at the program. */
static bool is_reference(const struct object *from, const struct log_line *b)
{
    for (size_t i = 0; i < from->elf->symbol_count; i++) {
        const struct elf_symbol *s = &from->elf->symbols[i];

        if (!strcmp(s->name, b->symbol) && !s->by_copy && (s->by_call || s->by_data) &&
            (s->version ? b->version && !strcmp(s->version, b->version) : !b->version))
            return true;
    }
    return false;
}

/* A program at a fixed address that takes a function's address has a PLT entry which stands for the function itself: an
 * undefined symbol with a value. The log names that entry, load_lookup() the definition behind it. */
static bool is_plt_entry(const struct load *load, const struct log_line *b)
{
    const struct elffile *elf = load->objects[0]->elf;

    for (size_t i = 0; i < elf->symbol_count && !strcmp(load->objects[0]->path, b->to); i++)
        if (!elf->symbols[i].defined && elf->symbols[i].value && !strcmp(elf->symbols[i].name, b->symbol))
            return true;
    return false;
}

static void compare_bindings(const char *program, const char *arguments, size_t *bindings, size_t *differences)
{
    CLEANUP_FREE char *command = xasprintf("LD_BIND_NOW=1 LD_DEBUG=bindings %s %s", program, arguments);
    CLEANUP_FREE char *text = output_of(command, NULL);
    struct load *load = load_with(program, NULL);
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct log_line b;
        const struct object *from, *to;

        if (!read_binding(line, &b) || !(from = object_at(load, b.from)) || !object_at(load, b.to) ||
            !is_reference(from, &b) || is_plt_entry(load, &b))
            continue;
        to = load_lookup(load, from, b.symbol, b.version, LOOKUP_CALL, NULL);
        (*bindings)++;
        if (!to || strcmp(to->path, b.to) != 0) {
            (*differences)++;
            printf("differs: %s: %s@%s is bound to %s, not %s\n", b.from, b.symbol, b.version, b.to,
                   to ? to->path : "nothing");
        }
    }
    load_destroy(load);
}

START_TEST(bindings_at_start)
{
    static const char *const programs[][2] = {
        {"/usr/bin/python3", "-c 0"},
        {"/usr/bin/git", "--version"},
        {"/usr/bin/perl", "-e 0"},
        {"/bin/bash", "-c :"},
        {"/bin/ls", "/"},
        {"/usr/bin/ld", "--version"},
        {"/usr/bin/apt-get", "-v"},
        {"/usr/bin/gdb", "--version"},
        {"/usr/bin/node", "--version"},
    };
    size_t bindings = 0, differences = 0;

    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!access(programs[i][0], X_OK))
            compare_bindings(programs[i][0], programs[i][1], &bindings, &differences);
    printf("%zu bindings, %zu differences\n", bindings, differences);
    fflush(stdout);
    elffile_forget_all();
    ck_assert_uint_eq(differences, 0);
    ck_assert_uint_ge(bindings, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conformance");
    TCase *tcase = tcase_create("ld.so --list");

    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_PRELOAD");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, programs_of_this_machine);
    tcase_add_test(tcase, bindings_at_start);
    suite_add_tcase(suite, tcase);
    return bed_run(suite);
}
