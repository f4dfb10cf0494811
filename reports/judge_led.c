/* Which variable led to a path that is not there: found by its value, whatever its name.
 *
 * That a path begins with a variable's value says little: HOME stands before every dotfile. The variable is to be
 * changed where the whole of what it names is absent, or is not what is meant; a file that is missing in a tree that is
 * there is missing. */
#include "environment.h"

#include "sight.h"
#include "syscall.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

void lead_deinit(struct lead *lead)
{
    free(lead->path);
    *lead = (struct lead){0};
}

/* What a tree must have in it to be what the variable means; NULL: a program that misses anything in it has been sent
 * to the wrong one. From the programs' own documentation (go help environment, git(1), python3(1) …). */
static const struct tree {
    const char *name, *has;
} trees[] = {
    {"GOROOT", "src"},         {"GOTOOLDIR", "compile"}, {"JAVA_HOME", "bin/java"},     {"PYTHONHOME", NULL},
    {"GIT_DIR", "HEAD"},       {"GIT_EXEC_PATH", "git"}, {"VIRTUAL_ENV", "bin/python"}, {"M2_HOME", "bin/mvn"},
    {"MAVEN_HOME", "bin/mvn"}, {"ANT_HOME", "bin/ant"},  {"GRADLE_HOME", "bin/gradle"}, {"CONDA_PREFIX", "bin"},
    {"CUDA_HOME", "bin/nvcc"}, {"JDK_HOME", "bin/javac"}};

static const struct tree *tree_of(const struct variable *variable)
{
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        if (variable_is(variable, trees[i].name))
            return &trees[i];
    return NULL;
}

bool lead_is_tree(const struct variable *variable)
{
    return tree_of(variable) != NULL;
}

bool lead_not_meant(const struct process *image, const struct variable *variable, const char *path)
{
    const struct tree *tree = tree_of(variable);
    CLEANUP_FREE char *inside = tree && tree->has ? path_join(path, tree->has) : NULL;

    return tree && (!inside || sight_reason(image, inside, NULL) == PATH_ABSENT);
}

/* The program says itself that the variable is at fault. */
static bool says_so(const struct process *image, const struct variable *variable, const char *path)
{
    for (size_t i = image->line_count; i-- > 0;) {
        const char *line = image->lines[i].text;

        if (words_object(line) && words_word(line, variable->entry, variable->name_size) && words_path(line, path))
            return true;
    }
    return false;
}

static bool named_in_words(const struct process *image, const char *path)
{
    for (size_t i = image->line_count; i-- > 0;)
        if (words_path(image->lines[i].text, path))
            return true;
    return false;
}

/* Whether the part NAMED of VARIABLE's value is what is wrong with PATH, which is not there. */
static bool at_fault(const struct process *image, const struct variable *variable, const char *named,
                     enum variable_fit fit, enum lead_fault *fault)
{
    enum path_reason reason;
    struct stat st;

    *fault = fit == FIT_EXACT && sight_stat(image, named, &st) == 0 ? LEAD_NOT_MEANT : LEAD_ABSENT;
    if (fit == FIT_EXACT)
        return true;
    if (fit == FIT_ABOVE)
        return named_in_words(image, named);
    reason = sight_reason(image, named, NULL);
    if (reason == PATH_ABSENT || reason == PATH_NOT_DIRECTORY || reason == PATH_DANGLING)
        return true;
    *fault = LEAD_NOT_MEANT;
    if (reason != PATH_OK)
        return false;
    if (lead_not_meant(image, variable, named) || says_so(image, variable, named))
        return true;
    /* A file where a directory is meant. */
    return sight_stat(image, named, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool names_user_place(const struct variable *variable)
{
    return variable_is(variable, "HOME") || strncmp(variable->entry, "XDG_", 4) == 0 ||
           variable_is(variable, "XAUTHORITY") || variable_is(variable, "ICEAUTHORITY");
}

struct asked {
    const char *string; /* as passed */
    const struct process *image;
    const struct cred *cred;
    const char *cwd;
    const char *path;
    bool refused; /* EACCES, EPERM: it is there */
};

/* PATH, or the nearest directory above it that is there, belongs to another user. */
static bool of_another_user(const struct process *image, const char *path, const struct cred *cred)
{
    CLEANUP_FREE char *at = xstrdup(path);
    struct stat st;
    char *slash;

    while (sight_stat(image, at, &st) < 0) {
        slash = strrchr(at, '/');
        if (!slash || slash == at)
            return false;
        *slash = '\0';
    }
    return st.st_uid != cred->uid;
}

/* PATH is an argument of IMAGE and of all that it comes from: no shell has made it of a variable. */
static bool was_typed(const struct process *image, const char *path)
{
    for (const struct process *up = image; up; up = up->parent) {
        bool typed = false;

        for (size_t i = 1; i < up->argv.n && !typed; i++)
            typed = strcmp(up->argv.v[i], path) == 0;
        if (up->executed && !typed)
            return false;
    }
    return true;
}

/* What is refused lies in a place of one's own that is another user's: HOME after su(1), XDG_RUNTIME_DIR after sudo.
 * A path that was given as an argument came from there. */
static bool foreign(const struct process *image, const struct variable *variable, const char *named,
                    const struct asked *asked)
{
    if (!names_user_place(variable) || !asked->cred || asked->cred->uid == 0)
        return false;
    return !was_typed(image, asked->path) && of_another_user(image, named, asked->cred);
}

/* A file's name alone, which is looked for in the working directory. */
static bool bare_name(const struct variable *variable, const char *string)
{
    return string && strlen(string) >= 4 && !strchr(string, '/') && strchr(string, '.') &&
           strcmp(variable->value, string) == 0;
}

/* PATH is the file of the module NAME ("A::B" is A/B with an ending). */
static bool is_module_file(const char *path, const char *name, size_t size)
{
    CLEANUP_FREE char *file = xcalloc(1, size + 3);
    size_t n = 0, whole = strlen(path);
    const char *dot = strrchr(path_base(path), '.');

    file[n++] = '/';
    for (size_t i = 0; i < size; i++) {
        bool twice = name[i] == ':' && i + 1 < size && name[i + 1] == ':';

        file[n++] = twice ? '/' : name[i];
        i += twice;
    }
    if (dot)
        whole = (size_t)(dot - path);
    return dot && whole >= n && strncmp(path + whole - n, file, n) == 0;
}

/* PERL5OPT=-MA::B: a module that an option in the value names, and no argument does. */
static bool names_module(const struct asked *asked, const struct variable *variable)
{
    for (const char *p = variable->value; *p; p += strspn(p, " \t")) {
        size_t n = strcspn(p, " \t");
        const char *name = p + 2;
        size_t size = n > 2 && p[0] == '-' && isalpha((unsigned char)p[1]) ? strcspn(name, " \t=") : 0;
        CLEANUP_FREE char *word = xstrndup(size ? name : "", size);
        bool typed = false;

        for (size_t i = 1; i < asked->image->argv.n; i++)
            typed |= strstr(asked->image->argv.v[i], word) != NULL;
        if (size >= 3 && !typed && is_module_file(asked->path, name, size))
            return true;
        p += n;
    }
    return false;
}

static int worth(const struct asked *asked, const struct variable *variable, const char *named, enum variable_fit fit)
{
    int points = (int)fit * 4;

    for (size_t i = asked->image->line_count; i-- > 0;)
        if (words_word(asked->image->lines[i].text, variable->entry, variable->name_size)) {
            points += 16;
            break;
        }
    return points + (strcmp(variable->value, named) == 0 ? 2 : 0);
}

/* gcc tells its passes in COLLECT_GCC_OPTIONS what it tells them as arguments, too: words that were typed once. */
static bool repeats_arguments(const struct process *image, const struct variable *variable, const char *path)
{
    if (!strpbrk(variable->value, " \t"))
        return false;
    for (size_t i = 1; i < image->argv.n; i++)
        if (words_path(image->argv.v[i], path))
            return true;
    return false;
}

/* Of two that fit as well. */
static bool goes_before(const struct process *image, const struct variable *variable, const char *path,
                        const struct lead *than)
{
    return strcmp(path, than->path) == 0 ? lead_is_nearer(image, variable, &than->variable)
                                         : strlen(path) > strlen(than->path);
}

static void consider(const struct asked *asked, const struct variable *variable, int *best, struct lead *ret)
{
    struct strings paths;

    variable_paths(variable->value, asked->cwd, &paths);
    for (size_t i = 0; i < paths.n; i++) {
        enum variable_fit fit = variable_fit(paths.v[i], asked->path);
        enum lead_fault fault = LEAD_FOREIGN;
        int points;

        if (fit == FIT_NONE || repeats_arguments(asked->image, variable, paths.v[i]))
            continue;
        if (asked->refused ? !foreign(asked->image, variable, paths.v[i], asked)
                           : !at_fault(asked->image, variable, paths.v[i], fit, &fault))
            continue;
        points = worth(asked, variable, paths.v[i], fit);
        if (points < *best || (points == *best && !goes_before(asked->image, variable, paths.v[i], ret)))
            continue;
        *best = points;
        lead_deinit(ret);
        *ret = (struct lead){*variable, xstrdup(paths.v[i]), fault};
    }
    strings_deinit(&paths);
}

static bool search(const struct asked *asked, struct lead *ret)
{
    int best = -1;

    for (size_t i = 0; i < asked->image->env.n; i++) {
        struct variable variable;

        if (!variable_of(asked->image->env.v[i], &variable))
            continue;
        consider(asked, &variable, &best, ret);
        if (best < 0 && !asked->refused && (bare_name(&variable, asked->string) || names_module(asked, &variable))) {
            best = 0;
            *ret = (struct lead){variable, xstrdup(asked->path), LEAD_ABSENT};
        }
    }
    return best >= 0;
}

bool judge_led(struct finding *finding, const struct process *actor, const struct attempt *attempt, struct lead *ret)
{
    struct asked asked = {
        .string = attempt->string, .image = finding->process, .cred = process_cred(actor), .cwd = attempt->cwd};
    CLEANUP_FREE char *path = path_join("/", attempt->path);
    size_t size = strlen(path);

    *ret = (struct lead){0};
    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
    asked.path = path;
    asked.refused = finding->kind == CAUSE_PERMISSION_DENIED;
    if ((finding->kind != CAUSE_FILE_MISSING && !asked.refused) || !search(&asked, ret))
        return false;
    finding->kind = CAUSE_ENVIRONMENT_WRONG;
    finding->missing = ret->variable.entry;
    finding->lead = ret;
    return true;
}

/* It is on this system, and a list that was set to find it names nothing that is there: the list is to be mended. Where
 * it is nowhere, or the list names directories that are there, the loader's own kinds say more. */
bool judge_led_library(struct finding *finding, struct lead *ret)
{
    const struct process *image = finding->process;
    struct variable variable;
    struct strings paths;

    *ret = (struct lead){0};
    for (size_t i = 0; i < image->env.n && !ret->path; i++) {
        bool any = false;

        if (!variable_of(image->env.v[i], &variable) || !variable_is(&variable, "LD_LIBRARY_PATH"))
            continue;
        variable_paths(variable.value, image->cwd, &paths);
        for (size_t k = 0; k < paths.n; k++)
            any |= sight_known(image, paths.v[k], NULL) != PATH_ABSENT;
        if (paths.n && !any)
            *ret = (struct lead){variable, xstrdup(paths.v[0]), LEAD_ABSENT};
        strings_deinit(&paths);
    }
    if (!ret->path || image->secure)
        return false;
    finding->kind = CAUSE_ENVIRONMENT_WRONG;
    finding->missing = ret->variable.entry;
    finding->lead = ret;
    return true;
}
