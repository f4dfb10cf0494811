/* PATH of a login shell. */
#include "login.h"

#include "alloc.h"
#include "path.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 256 * 1024, DIRECTORIES_MOST = 128, VARIABLES_MOST = 64, DEPTH_MOST = 3, FILES_MOST = 128 };

struct setting {
    char *name, *value;
};

struct reader {
    const char *root, *home;
    struct setting settings[VARIABLES_MOST];
    size_t setting_count, files;
    struct login_path *ret;
    bool marks; /* what is read now adds nothing: it only tells of what was added */
};

static void read_file(struct reader *reader, const char *path, int depth);

static const char *setting_of(const struct reader *reader, const char *name, size_t size)
{
    if (size == 4 && strncmp(name, "HOME", 4) == 0)
        return reader->home;
    for (size_t i = reader->setting_count; i-- > 0;)
        if (strlen(reader->settings[i].name) == size && strncmp(reader->settings[i].name, name, size) == 0)
            return reader->settings[i].value;
    return NULL;
}

static size_t name_length(const char *s)
{
    size_t n = 0;

    while (isalnum((unsigned char)s[n]) || s[n] == '_')
        n++;
    return n;
}

/* TEXT (SIZE bytes) with its variables replaced and quotes taken away; NULL where that cannot be known. malloced. */
static char *expand(const struct reader *reader, const char *text, size_t size)
{
    char *out = xstrdup("");

    for (size_t i = 0; i < size && out;) {
        const char *value = NULL;
        size_t length = 1;
        char *longer;

        if (text[i] == '"' || text[i] == '\'') {
            i++;
            continue;
        }
        if (text[i] == '~' && !*out && (i + 1 == size || text[i + 1] == '/')) {
            value = reader->home;
        } else if (text[i] == '$') {
            bool braced = i + 1 < size && text[i + 1] == '{';
            const char *name = text + i + 1 + braced;

            length = name_length(name);
            value = length && (!braced || name[length] == '}') ? setting_of(reader, name, length) : NULL;
            length += 1 + 2 * (size_t)braced;
        } else if (strchr("`(){};&|<>*?", text[i])) {
            value = NULL;
        } else {
            longer = xasprintf("%s%c", out, text[i]);
            free(out);
            out = longer;
            i++;
            continue;
        }
        longer = value && strlen(out) + strlen(value) < 4096 ? xasprintf("%s%s", out, value) : NULL;
        free(out);
        out = longer;
        i += length;
    }
    return out;
}

static void add(struct reader *reader, const char *path, const char *file)
{
    bool managed = strstr(file, "/environment.d/") != NULL;
    struct login_directory *one;
    CLEANUP_FREE char *clean = path[0] == '/' ? path_join("/", path) : NULL;

    if (!clean || reader->ret->count >= DIRECTORIES_MOST)
        return;
    for (size_t i = 0; i < reader->ret->count; i++)
        if (strcmp(reader->ret->directories[i].path, clean) == 0) {
            reader->ret->directories[i].managed |= managed;
            return;
        }
    if (reader->marks)
        return;
    one = array_add(&reader->ret->directories, &reader->ret->count, &reader->ret->cap, sizeof *one);
    one->path = steal_pointer(&clean);
    one->file = xstrdup(file);
    one->managed = managed;
}

/* Where a word of a shell ends: blanks and separators, but for those in quotes. */
static size_t word_length(const char *s)
{
    char quote = 0;
    size_t n = 0;

    for (; s[n]; n++) {
        if (quote)
            quote = s[n] == quote ? 0 : quote;
        else if (s[n] == '"' || s[n] == '\'')
            quote = s[n];
        else if (isspace((unsigned char)s[n]) || s[n] == ';' || s[n] == '&' || s[n] == ')')
            break;
    }
    return n;
}

static void take_list(struct reader *reader, const char *list, size_t size, const char *file)
{
    for (size_t at = 0; at < size;) {
        size_t end = at;
        int braces = 0;

        while (end < size && (list[end] != ':' || braces)) {
            braces += list[end] == '{';
            braces -= list[end] == '}';
            end++;
        }
        CLEANUP_FREE char *path = expand(reader, list + at, end - at);

        if (path)
            add(reader, path, file);
        at = end + 1;
    }
}

static void take_setting(struct reader *reader, const char *name, size_t name_size, const char *value, size_t size)
{
    char *text = reader->setting_count < VARIABLES_MOST && size < 1024 ? expand(reader, value, size) : NULL;

    if (text)
        reader->settings[reader->setting_count++] = (struct setting){xstrndup(name, name_size), text};
}

/* ". FILE", "source FILE"; nvm(1)'s script chooses among what is installed. */
static void take_source(struct reader *reader, const char *word, const char *file, int depth)
{
    CLEANUP_FREE char *path = expand(reader, word, word_length(word));
    CLEANUP_FREE char *versions = NULL;
    struct dirent *entry;
    size_t n = 0;
    DIR *stream;
    int fd;

    if (!path || path[0] != '/')
        return;
    if (strcmp(path_base(path), "nvm.sh") != 0) {
        read_file(reader, path, depth + 1);
        return;
    }
    CLEANUP_FREE char *directory = path_dir(path);

    versions = path_join(directory, "versions/node");
    fd = path_open(reader->root, versions);
    stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream && fd >= 0)
        close(fd);
    while (stream && n++ < FILES_MOST && (entry = readdir(stream))) {
        CLEANUP_FREE char *bin = xasprintf("%s/%s/bin", versions, entry->d_name);

        if (entry->d_name[0] != '.')
            add(reader, bin, file);
    }
    if (stream)
        closedir(stream);
}

static bool begins(const char **line, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*line, word, n) != 0)
        return false;
    *line += n;
    *line += strspn(*line, " \t");
    return true;
}

static void read_statement(struct reader *reader, const char *line, const char *file, int depth)
{
    size_t name;

    line += strspn(line, " \t{");
    while (begins(&line, "export ") || begins(&line, "then ") || begins(&line, "do ") || begins(&line, "else ") ||
           begins(&line, "typeset -U ") || begins(&line, "declare -x ") || begins(&line, "*) "))
        ;
    if (begins(&line, ". ") || begins(&line, "\\. ") || begins(&line, "source ")) {
        take_source(reader, line, file, depth);
        return;
    }
    if (begins(&line, "fish_add_path ") || begins(&line, "pathmunge ")) { /* fish(1); Fedora's /etc/profile */
        while (*line == '-')
            line += word_length(line) + strspn(line + word_length(line), " \t");
        take_list(reader, line, word_length(line), file);
        return;
    }
    name = name_length(line);
    if (!name || line[name] != '=')
        return;
    if (name == 4 && strncmp(line, "PATH", 4) == 0)
        take_list(reader, line + 5, word_length(line + 5), file);
    else
        take_setting(reader, line, name, line + name + 1, word_length(line + name + 1));
}

/* "[ -s x ] && . x", "a=b; PATH=c": each statement of a line; what is in quotes is not looked at closely. */
static void read_line(struct reader *reader, char *line, const char *file, int depth)
{
    char *comment = line[strspn(line, " \t")] == '#' ? line : strstr(line, " #");

    if (comment)
        *comment = '\0';
    for (char *at = line; at && *at;) {
        size_t n = 0;
        char quote = 0;

        for (; at[n]; n++) {
            if (quote)
                quote = at[n] == quote ? 0 : quote;
            else if (at[n] == '"' || at[n] == '\'')
                quote = at[n];
            else if (at[n] == ';' || (at[n] == '&' && at[n + 1] == '&') || (at[n] == '|' && at[n + 1] == '|'))
                break;
        }
        CLEANUP_FREE char *statement = xstrndup(at, n);

        read_statement(reader, statement, file, depth);
        at += n + strspn(at + n, ";&|");
    }
}

static void read_file(struct reader *reader, const char *path, int depth)
{
    CLEANUP_CLOSE int fd = depth > DEPTH_MOST || reader->files++ >= FILES_MOST ? -1 : path_open(reader->root, path);
    CLEANUP_FREE char *text = fd >= 0 ? xcalloc(1, FILE_MOST + 1) : NULL;
    ssize_t size = fd >= 0 ? read(fd, text, FILE_MOST) : -1;
    char *line, *rest = text;

    if (size <= 0)
        return;
    while ((line = strsep(&rest, "\n")))
        read_line(reader, line, path, depth);
}

static int plain_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_directory(struct reader *reader, const char *path)
{
    CLEANUP_CLOSE int fd = path_open(reader->root, path); /* a link may not lead out of the root */
    CLEANUP_FREE char *real = xasprintf("/proc/self/fd/%d", fd);
    struct dirent **entries = NULL;
    int count = fd < 0 ? 0 : scandir(real, &entries, plain_file, alphasort);

    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *file = path_join(path, entries[i]->d_name);

        read_file(reader, file, 0);
        free(entries[i]);
    }
    free(entries);
}

void login_path_read(const char *root, const char *home, struct login_path *ret)
{
    /* pam_env(8), bash(1), zsh(1) and fish(1), environment.d(5) */
    static const char *const own[] = {".profile", ".bash_profile",   ".bash_login",
                                      ".bashrc",  ".zshenv",         ".zprofile",
                                      ".zshrc",   ".zlogin",         ".config/fish/config.fish",
                                      ".kshrc",   ".pam_environment"};
    /* for the user manager alone, of all users; a login shell has nothing of them */
    static const char *const managers[] = {"/etc/environment.d", "/run/environment.d", "/usr/local/lib/environment.d",
                                           "/usr/lib/environment.d"};
    struct reader reader = {.root = root, .home = home && home[0] == '/' ? home : NULL, .ret = ret};

    *ret = (struct login_path){0};
    read_file(&reader, "/etc/environment", 0);
    read_file(&reader, "/etc/profile", 0);
    read_directory(&reader, "/etc/profile.d");
    read_file(&reader, "/etc/bash.bashrc", 0);
    read_file(&reader, "/etc/zsh/zshenv", 0);
    read_file(&reader, "/etc/zsh/zprofile", 0);
    for (size_t i = 0; reader.home && i < sizeof own / sizeof *own; i++) {
        CLEANUP_FREE char *path = path_join(reader.home, own[i]);

        read_file(&reader, path, 0);
    }
    if (reader.home) {
        CLEANUP_FREE char *directory = path_join(reader.home, ".config/environment.d");

        read_directory(&reader, directory);
    }
    reader.marks = true;
    for (size_t i = 0; i < sizeof managers / sizeof *managers; i++)
        read_directory(&reader, managers[i]);
    for (size_t i = 0; i < reader.setting_count; i++) {
        free(reader.settings[i].name);
        free(reader.settings[i].value);
    }
}

void login_path_deinit(struct login_path *path)
{
    for (size_t i = 0; i < path->count; i++) {
        free(path->directories[i].path);
        free(path->directories[i].file);
    }
    free(path->directories);
    *path = (struct login_path){0};
}
