/* The menu's entries for the editors: .desktop files (the Desktop Entry Specification), of which the first of a name
 * along the data directories counts. Is there what they would start? */
#include "doctor_parts.h"
#include "doctor_session.h"

#include "remedy.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 256 * 1024, ENTRIES_MOST = 20000, LAUNCHERS_MOST = 16 };

struct launcher {
    char *exec;    /* the line, its escapes undone */
    char *program; /* what it starts, "env" and its variables passed over */
    char *wanted;  /* without which it is not shown (TryExec), or NULL */
    bool hidden;
};

/* The escapes that hold for all values: "\\s", "\\n", "\\t", "\\r", "\\\\". */
static char *unescaped(const char *value, size_t n)
{
    static const char letters[] = "sntr\\", bytes[] = " \n\t\r\\";
    char *text = xmalloc(n + 1), *to = text;

    for (size_t i = 0; i < n; i++) {
        const char *letter = value[i] == '\\' && i + 1 < n ? strchr(letters, value[i + 1]) : NULL;

        *to++ = letter ? bytes[letter - letters] : value[i];
        i += letter != NULL;
    }
    *to = '\0';
    return text;
}

/* The value of KEY in the group [Desktop Entry]; malloced, or NULL. */
static char *entry_value(const char *text, const char *key)
{
    const char *group = strstr(text, "[Desktop Entry]"), *end = group ? strstr(group + 1, "\n[") : NULL;
    size_t n = strlen(key);

    for (const char *at = group; at && (!end || at < end); at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const char *value = at + n;

        if (strncmp(at, key, n) != 0)
            continue;
        value += strspn(value, " \t");
        if (*value != '=')
            continue;
        value += 1 + strspn(value + 1, " \t");
        return unescaped(value, strcspn(value, "\r\n"));
    }
    return NULL;
}

/* The next word of an Exec line, quotes undone; malloced, or NULL at its end. */
static char *next_word(const char **line)
{
    const char *at = *line + strspn(*line, " \t");
    char *word = xmalloc(strlen(at) + 1), *to = word;
    bool quoted = false, any = *at != '\0';

    for (; *at && (quoted || (*at != ' ' && *at != '\t')); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at == '\\' && at[1])
            *to++ = *++at;
        else
            *to++ = *at;
    }
    *to = '\0';
    *line = at;
    if (any)
        return word;
    free(word);
    return NULL;
}

static char *program_of(const char *exec)
{
    bool env = false;

    for (char *word; (word = next_word(&exec)); free(word)) {
        if (strcmp(path_base(word), "env") == 0 && !env)
            env = true;
        else if (env && (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0)) /* env(1): a word of their own behind */
            free(next_word(&exec));
        else if (!env || (!strchr(word, '=') && *word != '-'))
            return word;
    }
    return NULL;
}

static bool read_launcher(const char *path, struct launcher *ret)
{
    CLEANUP_CLOSE int fd = path_open("", path);
    CLEANUP_FREE char *text = fd >= 0 ? xcalloc(1, FILE_MOST + 1) : NULL;
    ssize_t n = fd >= 0 ? read(fd, text, FILE_MOST) : -1;
    CLEANUP_FREE char *hidden = NULL;

    *ret = (struct launcher){0};
    if (n <= 0 || !(ret->exec = entry_value(text, "Exec")))
        return false;
    hidden = entry_value(text, "Hidden");
    ret->hidden = hidden && strcmp(hidden, "true") == 0;
    ret->program = program_of(ret->exec);
    ret->wanted = entry_value(text, "TryExec");
    return ret->program != NULL;
}

static void launcher_deinit(struct launcher *launcher)
{
    free(launcher->exec);
    free(launcher->program);
    free(launcher->wanted);
}

static bool is_there(struct doctor *doctor, const char *program)
{
    const char *list = doctor_variable(doctor, "PATH");
    CLEANUP_FREE char *found = NULL;
    struct stat st;

    if (strchr(program, '/'))
        return stat(program, &st) == 0 && S_ISREG(st.st_mode) && access(program, X_OK) == 0;
    found = path_program(list ? list : "/usr/local/bin:/usr/bin:/bin", program);
    return found != NULL;
}

static void tell_launcher(struct doctor *doctor, const char *path, const char *name)
{
    struct launcher launcher;
    bool good = read_launcher(path, &launcher) && !launcher.hidden && doctor_is_concerned(path_base(launcher.program));
    bool shown = good && (!launcher.wanted || !*launcher.wanted || is_there(doctor, launcher.wanted));
    CLEANUP_FREE char *word = remedy_word(path);

    if (shown && is_there(doctor, launcher.program))
        doctor_line(doctor, TABLE_GOOD, name,
                    (struct doctor_line){xasprintf("%s starts %s", path, launcher.exec), NULL, NULL});
    else if (shown)
        doctor_line(doctor, TABLE_BAD, name,
                    (struct doctor_line){
                        xasprintf("%s would start %s, which is not there or not executable", path, launcher.program),
                        xstrdup("install the program again, or take the entry away"), xasprintf("rm %s", word)});
    else if (good)
        doctor_line(
            doctor, TABLE_WARNING, name,
            (struct doctor_line){xasprintf("%s is shown in no menu: %s, which it names as TryExec, is not there "
                                           "or not executable",
                                           path, launcher.wanted),
                                 xstrdup("install the program again, or mend the entry"), NULL});
    launcher_deinit(&launcher);
}

static bool was_told(struct strings *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i], name) == 0)
            return true;
    strings_add(names, xstrdup(name));
    return false;
}

static void look_in(struct doctor *doctor, const char *data, struct strings *names)
{
    CLEANUP_FREE char *directory = path_join(data, "applications");
    DIR *dir = opendir(directory);
    int seen = 0;

    for (const struct dirent *entry; dir && seen++ < ENTRIES_MOST && (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        CLEANUP_FREE char *path = path_join(directory, entry->d_name);

        if (n > 8 && strcmp(entry->d_name + n - 8, ".desktop") == 0 && !was_told(names, entry->d_name))
            tell_launcher(doctor, path, entry->d_name);
    }
    if (dir)
        closedir(dir);
}

void doctor_launchers(struct doctor *doctor)
{
    const char *own = doctor_variable(doctor, "XDG_DATA_HOME"), *list = doctor_variable(doctor, "XDG_DATA_DIRS");
    CLEANUP_FREE char *home = own && *own == '/' ? xstrdup(own)
                              : doctor->home     ? path_join(doctor->home, ".local/share")
                                                 : NULL;
    CLEANUP_FREE char *copy = xstrdup(list ? list : "/usr/local/share:/usr/share:/var/lib/snapd/desktop");
    struct strings names = {0};
    char *rest = NULL;

    if (home)
        look_in(doctor, home, &names);
    for (char *one = strtok_r(copy, ":", &rest); one; one = strtok_r(NULL, ":", &rest))
        if (*one == '/')
            look_in(doctor, one, &names);
    strings_deinit(&names);
}
