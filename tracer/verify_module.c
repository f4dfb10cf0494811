/* The module that the checks are made with: the user's, of which a file to open and a program to launch are chosen, or
 * a scratch one where there is none. */
#include "verify.h"

#include "repro_run.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DEEPEST = 8,         /* directories below the module's that are looked into */
    ENTRIES_MOST = 5000, /* of them, files and all */
    HEAD_MOST = 64 * 1024
};

/* ---- the scratch module ---- */

static const struct {
    const char *name, *text;
} scratch_files[] = {
    {"go.mod", "module glibctrace.invalid/verify\n\ngo 1.16\n"},
    {"main.go", "package main\n\nimport \"fmt\"\n\n// double is twice its argument.\n"
                "func double(n int) int { return 2 * n }\n\nfunc main() { fmt.Println(double(21)) }\n"},
    {"main_test.go", "package main\n\nimport \"testing\"\n\nfunc TestDouble(t *testing.T) {\n\tif double(21) != 42 {\n"
                     "\t\tt.Fatal(\"wrong\")\n\t}\n}\n"},
};

static int write_file(const char *path, const char *text, struct err *err)
{
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;

    if (file && fclose(file) != 0)
        written = false;
    return written ? 0 : err_errno(err, errno, "cannot write %s", path);
}

/* Its directory, malloced, or NULL. */
static char *make_scratch_module(const char *scratch, struct err *err)
{
    CLEANUP_FREE char *directory = xasprintf("%s/module", scratch);

    if (mkdir(directory, 0700) < 0) {
        err_errno(err, errno, "cannot make %s", directory);
        return NULL;
    }
    for (size_t i = 0; i < sizeof scratch_files / sizeof *scratch_files; i++) {
        CLEANUP_FREE char *path = path_join(directory, scratch_files[i].name);

        if (write_file(path, scratch_files[i].text, err) < 0)
            return NULL;
    }
    return steal_pointer(&directory);
}

/* ---- what stands in a file ---- */

struct source {
    bool test;        /* _test.go */
    bool conditional; /* it may not belong to a build for this machine */
    bool main;        /* package main */
    bool functions;
};

static bool is_line(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

/* Behind comments and blank lines, up to the package clause; *CONDITIONAL where a build constraint is among them. */
static const char *package_clause(const char *at, bool *conditional)
{
    while (*at) {
        at += strspn(at, " \t\r\n");
        if (is_line(at, "/*")) {
            at = strstr(at, "*/");
            if (!at)
                return NULL;
            at += 2;
            continue;
        }
        if (!is_line(at, "//"))
            return is_line(at, "package") && isblank((unsigned char)at[7]) ? at + 7 : NULL;
        *conditional |= is_line(at, "//go:build") || is_line(at, "// +build");
        at += strcspn(at, "\n");
    }
    return NULL;
}

/* Whether PATH is a Go file that can be read. */
static bool read_source(const char *path, struct source *ret)
{
    CLEANUP_FREE char *text = proc_read(path, HEAD_MOST, NULL);
    const char *name = path_base(path), *clause, *under;
    size_t n = strlen(name);

    *ret = (struct source){0};
    clause = text ? package_clause(text, &ret->conditional) : NULL;
    if (!clause)
        return false;
    clause += strspn(clause, " \t");
    ret->main = is_line(clause, "main") && !isalnum((unsigned char)clause[4]) && clause[4] != '_';
    ret->functions = strstr(clause, "\nfunc ") != NULL;
    ret->test = n > 8 && strcmp(name + n - 8, "_test.go") == 0;
    under = strchr(name, '_'); /* "x_windows.go" is for Windows alone */
    ret->conditional |= under && under != name + n - 8;
    ret->conditional |= under && !ret->test;
    return true;
}

/* ---- the choice ---- */

struct choice {
    char *open, *launch, *tested; /* a file, a directory with a program, one with tests */
    int score;
};

static void weigh(struct choice *choice, const char *path)
{
    struct source source;
    int score;

    if (!read_source(path, &source))
        return;
    score = 1 + 4 * !source.conditional + 2 * !source.test + source.functions;
    if (score > choice->score) {
        choice->score = score;
        free(choice->open);
        choice->open = xstrdup(path);
    }
    if (!choice->launch && source.main && !source.conditional && !source.test)
        choice->launch = path_dir(path);
    if (!choice->tested && source.test && !source.conditional)
        choice->tested = path_dir(path);
}

static int by_kind_and_name(const FTSENT **one, const FTSENT **other)
{
    bool first = (*one)->fts_info == FTS_D, second = (*other)->fts_info == FTS_D;

    return first != second ? first - second : strcmp((*one)->fts_name, (*other)->fts_name);
}

/* What go does not take for a part of the module (`go help packages`), and what is not the user's own. */
static bool is_elsewhere(const FTSENT *entry)
{
    CLEANUP_FREE char *module = xasprintf("%s/go.mod", entry->fts_path);

    return *entry->fts_name == '.' || *entry->fts_name == '_' || strcmp(entry->fts_name, "testdata") == 0 ||
           strcmp(entry->fts_name, "vendor") == 0 || strcmp(entry->fts_name, "node_modules") == 0 ||
           access(module, F_OK) == 0;
}

static void choose(const char *directory, struct choice *ret)
{
    char *const roots[] = {(char *)directory, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_kind_and_name);
    FTSENT *entry;

    *ret = (struct choice){0};
    for (int seen = 0; tree && seen < ENTRIES_MOST && (entry = fts_read(tree)); seen++) {
        size_t n = strlen(entry->fts_name);

        if (entry->fts_info == FTS_D && entry->fts_level > 0 && (entry->fts_level > DEEPEST || is_elsewhere(entry)))
            fts_set(tree, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_F && n > 3 && strcmp(entry->fts_name + n - 3, ".go") == 0)
            weigh(ret, entry->fts_path);
    }
    if (tree)
        fts_close(tree);
}

/* DIRECTORY or the nearest above it in which NAME is, malloced, or NULL. */
static char *above_with(const char *directory, const char *name)
{
    CLEANUP_FREE char *at = xstrdup(directory);

    for (;;) {
        CLEANUP_FREE char *file = path_join(at, name);
        char *above;

        if (access(file, F_OK) == 0)
            return steal_pointer(&at);
        if (strcmp(at, "/") == 0)
            return NULL;
        above = path_dir(at);
        free(at);
        at = above;
    }
}

/* The first module of the workspace in DIRECTORY whose go.mod is there, malloced, or NULL (go.dev/ref/mod#workspaces:
 * "use ./a" and "use (" with one a line). */
static char *used_module(const char *directory)
{
    CLEANUP_FREE char *file = path_join(directory, "go.work"), *text = proc_read(file, HEAD_MOST, NULL);
    bool within = false;

    for (char *line = text, *next; line && *line; line = next) {
        CLEANUP_FREE char *module = NULL, *mod = NULL;
        char quote[2] = "";
        size_t n;

        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        line += strspn(line, " \t");
        if (strncmp(line, "use", 3) == 0 && (isblank((unsigned char)line[3]) || line[3] == '('))
            line += 3 + strspn(line + 3, " \t");
        else if (!within)
            continue;
        within = (within && *line != ')') || *line == '(';
        quote[0] = *line == '"' || *line == '`' ? *line++ : '\0';
        n = strcspn(line, *quote ? quote : " \t\r");
        if (!n || strchr("()", *line) || strncmp(line, "//", 2) == 0)
            continue;
        line[n] = '\0';
        module = *line == '/' ? xstrdup(line) : path_join(directory, line);
        mod = path_join(module, "go.mod");
        if (access(mod, F_OK) == 0)
            return realpath(module, NULL);
    }
    return NULL;
}

/* ---- all of it ---- */

/* NAME stands here, or else in DIRECTORY. */
static int take_named(const char *name, const char *directory, char **place, struct err *err)
{
    CLEANUP_FREE char *below = NULL;
    char *found;

    if (!name)
        return 0;
    below = path_join(directory, name);
    found = realpath(name, NULL);
    if (!found && errno == ENOENT && *name != '/')
        found = realpath(below, NULL);
    free(*place);
    *place = found;
    return found ? 0 : err_errno(err, errno, "verify: %s", name);
}

/* What there is below DIRECTORY; where that has no Go file, in all of the module. False: it has none at all. */
static bool choose_of_module(struct verify_module *ret, struct choice *choice)
{
    choose(ret->directory, choice);
    if (choice->open || strcmp(ret->directory, ret->root) == 0)
        return choice->open != NULL;
    choose(ret->root, choice);
    if (choice->open) {
        free(ret->directory);
        ret->directory = xstrdup(ret->root);
    }
    return choice->open != NULL;
}

static int take_module(struct verify_module *ret, const struct choice *chosen, struct err *err)
{
    struct choice choice = *chosen;

    ret->tested = xstrdup(ret->directory);
    ret->open = choice.open;
    ret->launch = choice.launch ? choice.launch : choice.tested;
    ret->mode = choice.launch ? "debug" : "test";
    if (choice.launch)
        free(choice.tested);
    if (ret->launch)
        return 0;
    ret->launch = make_scratch_module(ret->scratch, err);
    if (!ret->launch)
        return -1;
    ret->launched_from = xstrdup(ret->launch); /* which is no part of the module */
    ret->mode = "debug";
    return 0;
}

/* A scratch module for all that the user names nothing for; a file of the user's is opened where it is. */
static int take_scratch(struct verify_module *ret, bool opens, const char *why, struct err *err)
{
    ret->own = why;
    ret->launch = make_scratch_module(ret->scratch, err);
    if (!ret->launch)
        return -1;
    ret->tested = xstrdup(ret->launch);
    if (!opens) {
        free(ret->directory);
        ret->directory = xstrdup(ret->launch);
    }
    free(ret->root);
    ret->root = xstrdup(ret->directory);
    ret->open = path_join(ret->launch, "main.go");
    return 0;
}

/* The module that holds for DIRECTORY, or one of its workspace. */
static void find_module(struct verify_module *ret)
{
    CLEANUP_FREE char *work = NULL, *used = NULL;

    ret->root = above_with(ret->directory, "go.mod");
    work = ret->root ? NULL : above_with(ret->directory, "go.work");
    used = work ? used_module(work) : NULL;
    if (!used)
        return;
    free(ret->directory);
    ret->directory = xstrdup(used);
    ret->root = steal_pointer(&work);
}

int verify_module_open(const char *directory, const char *open, const char *launch, struct verify_module *ret,
                       struct err *err)
{
    CLEANUP_FREE char *named = NULL;
    struct choice choice = {0};
    struct stat st;
    int status;

    *ret = (struct verify_module){.mode = "debug"};
    ret->directory = realpath(directory ? directory : ".", NULL);
    if (!ret->directory || stat(ret->directory, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_errno(err, ret->directory ? ENOTDIR : errno, "verify: %s", directory ? directory : ".");
    ret->scratch = repro_scratch_make(err);
    if (!ret->scratch)
        return -1;
    named = xstrdup(ret->directory);
    find_module(ret);
    if (!ret->root)
        status = take_scratch(ret, open != NULL, "there is no go.mod", err);
    else if (choose_of_module(ret, &choice))
        status = take_module(ret, &choice, err);
    else
        status = take_scratch(ret, open != NULL, "there is no Go file in the module", err);
    if (status < 0 || take_named(open, named, &ret->open, err) < 0)
        return -1;
    return take_named(launch, named, &ret->launch, err);
}

void verify_module_close(struct verify_module *module)
{
    if (module->scratch)
        repro_scratch_remove(module->scratch);
    for (size_t i = 0; i < module->temporary.n; i++)
        repro_scratch_remove(module->temporary.v[i]);
    strings_deinit(&module->temporary);
    free(module->directory);
    free(module->tested);
    free(module->root);
    free(module->open);
    free(module->launch);
    free(module->launched_from);
    free(module->scratch);
}

/* ---- places in a text ---- */

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Words of some languages behind which a name is declared. */
static bool declares(const char *word, size_t n)
{
    static const char *const words[] = {"func", "function", "def",  "fn",     "class", "struct", "type", "interface",
                                        "int",  "void",     "char", "double", "const", "var",    "let",  "enum"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && strncmp(words[i], word, n) == 0)
            return true;
    return false;
}

/* UTF-16 units of N bytes of UTF-8: the protocol's columns. */
static unsigned units(const char *bytes, size_t n)
{
    unsigned count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((bytes[i] & 0xc0) != 0x80) + ((unsigned char)bytes[i] >= 0xf0);
    return count;
}

static size_t places_of(const char *text, bool declared, struct verify_place *ret, size_t most)
{
    const char *line = text, *before = NULL;
    size_t count = 0, before_n = 0;
    unsigned number = 0;

    for (const char *at = text; *at && count < most;) {
        size_t n = 0;

        while (is_name(at[n]))
            n++;
        if (n && !isdigit((unsigned char)*at)) {
            bool wanted = before && declares(before, before_n);

            if (wanted == declared && !declares(at, n))
                ret[count++] = (struct verify_place){number, units(line, (size_t)(at - line))};
            before = at;
            before_n = n;
        }
        if (!n && strchr("(=;{", *at))
            before = NULL;
        at += n ? n : 1;
        if (!n && at[-1] == '\n') {
            line = at;
            number++;
        }
    }
    return count;
}

size_t verify_places(const char *text, struct verify_place *ret, size_t most)
{
    size_t count = places_of(text, true, ret, most);

    return count + places_of(text, false, ret + count, most - count);
}
