#include "redact_parts.h"

#include "redact_shape.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

enum {
    LITERAL_SHORTEST = 8, /* of an environment value that is hidden wherever it stands */
    WORD_SHORTEST = 6,    /* the same for a value that is called a password */
    NAME_SHORTEST = 3,    /* of user and host names */
    FILE_MAX = 1 << 20,   /* bytes of passwd(5) and resolv.conf(5) that are read */
};

struct redactor *redactor_create(void)
{
    return xcalloc(1, sizeof(struct redactor));
}

void redactor_destroy(struct redactor *redactor)
{
    if (!redactor)
        return;
    for (size_t i = 0; i < redactor->count; i++) {
        free(redactor->literals[i].from);
        free(redactor->literals[i].to);
    }
    free(redactor->literals);
    strings_deinit(&redactor->kept);
    free(redactor->option);
    free(redactor);
}

/* --- whom to hide --- */

/* Accounts and machines that say nothing about a person, and words that reports are full of. */
bool redact_anonymous(const char *name)
{
    static const char *const names[] = {
        "root",   "nobody", "daemon", "user",   "users",      "guest",   "admin",  "administrator", "test",
        "tester", "dev",    "node",   "python", "ubuntu",     "debian",  "fedora", "alpine",        "vscode",
        "code",   "coder",  "runner", "build",  "builder",    "jenkins", "docker", "podman",        "codespace",
        "gitpod", "app",    "home",   "work",   "localhost",  "host",    "linux",  "container",     "buildkitsandbox",
        "lib",    "usr",    "bin",    "opt",    "tmp",        "var",     "etc",    "src",           "www-data",
        "games",  "git",    "gopls",  "local",  "localdomain"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strlen(name) < NAME_SHORTEST;
}

/* FROM is replaced by TO_TAKEN from now on. Longer ones stand first, so that a home below another home, or a name that
 * begins with another, is found whole. */
void redact_add(struct redactor *redactor, enum rule rule, const char *from, size_t length, char *to_taken)
{
    size_t at = 0;

    array_add(&redactor->literals, &redactor->count, &redactor->cap, sizeof *redactor->literals);
    while (at + 1 < redactor->count && redactor->literals[at].length >= length)
        at++;
    memmove(&redactor->literals[at + 1], &redactor->literals[at],
            (redactor->count - 1 - at) * sizeof *redactor->literals);
    redactor->literals[at] =
        (struct literal){.rule = rule, .from = xstrndup(from, length), .to = to_taken, .length = length};
    redactor->begins[(unsigned char)from[0]] = true;
}

bool redact_has(const struct redactor *redactor, const char *from, size_t length)
{
    for (size_t i = 0; i < redactor->count; i++)
        if (redactor->literals[i].length == length && strncmp(redactor->literals[i].from, from, length) == 0)
            return true;
    return false;
}

/* The next word of a kind: "user1", "user2". */
char *redact_next_word(struct redactor *redactor, enum rule rule, const char *word)
{
    return xasprintf("%s%zu", word, ++redactor->numbers[rule]);
}

void redactor_add_home(struct redactor *redactor, const char *home)
{
    size_t length = strlen(home);
    CLEANUP_FREE char *word = NULL;

    while (length > 1 && home[length - 1] == '/')
        length--;
    if (home[0] != '/' || length == 1 || strcmp(home, "/nonexistent") == 0 || redact_has(redactor, home, length))
        return;
    word = redact_next_word(redactor, RULE_HOME, "$HOME");
    if (redactor->numbers[RULE_HOME] == 1)
        word[strlen("$HOME")] = '\0'; /* the first one is what a shell makes of the word */
    redact_add(redactor, RULE_HOME, home, length, steal_pointer(&word));
}

void redactor_add_user(struct redactor *redactor, const char *user)
{
    if (!redact_anonymous(user) && !redact_has(redactor, user, strlen(user)))
        redact_add(redactor, RULE_USER, user, strlen(user), redact_next_word(redactor, RULE_USER, "user"));
}

/* Of a provider of mail for everybody. */
static bool is_public(const char *domain)
{
    static const char *const names[] = {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com",
                                        "yahoo.com", "github.com",     "debian.org",  "users.noreply.github.com"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(domain, names[i]) == 0)
            return true;
    return false;
}

/* One of a single label ("local", "lan") is everybody's. */
void redact_add_domain(struct redactor *redactor, const char *domain)
{
    if (strchr(domain, '.') && !is_public(domain) && !redact_has(redactor, domain, strlen(domain)))
        redact_add(redactor, RULE_HOST, domain, strlen(domain), xasprintf("domain%zu", ++redactor->domains));
}

void redactor_add_host(struct redactor *redactor, const char *host)
{
    size_t first = strcspn(host, ".");
    CLEANUP_FREE char *label = xstrndup(host, first);

    CLEANUP_FREE char *word = NULL;

    if (host[first])
        redact_add_domain(redactor, host + first + 1);
    if (redact_anonymous(label) || redact_has(redactor, label, first))
        return;
    word = redact_next_word(redactor, RULE_HOST, "host");
    if (host[first]) /* with its domain, which says as much */
        redact_add(redactor, RULE_HOST, host, strlen(host), xstrdup(word));
    redact_add(redactor, RULE_HOST, label, first, steal_pointer(&word));
}

/* A value that may be looked for in every string without hiding half the report. */
static bool is_telling(const char *name, size_t name_length, const char *value)
{
    size_t length = strlen(value);
    bool password = redact_password_name(name, name_length);
    bool mixed = strpbrk(value, "0123456789") || strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") ||
                 strpbrk(value, "!#$%&*+;<=>?@^~ ");

    if (value[0] == '/' || strcmp(value, HIDDEN) == 0)
        return false;
    return password ? length >= WORD_SHORTEST : length >= LITERAL_SHORTEST && mixed;
}

static bool is_user_variable(const char *name)
{
    static const char *const names[] = {"USER",     "LOGNAME",         "SUDO_USER",
                                        "USERNAME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

void redactor_add_environment(struct redactor *redactor, const char *const *env)
{
    for (; env && *env; env++) {
        size_t length = strcspn(*env, "=");
        const char *value = *env + length + ((*env)[length] == '=');
        CLEANUP_FREE char *name = xstrndup(*env, length);

        if (strcmp(name, "HOME") == 0)
            redactor_add_home(redactor, value);
        else if (strcmp(name, "HOSTNAME") == 0 || strcmp(name, "HOST") == 0)
            redactor_add_host(redactor, value);
        else if (is_user_variable(name))
            redactor_add_user(redactor, value);
        else if (redact_secret_name(*env, length) && is_telling(*env, length, value) &&
                 !redact_has(redactor, value, strlen(value)))
            redact_add(redactor, RULE_SECRET, value, strlen(value), xstrdup(HIDDEN));
    }
}

/* The environments of the command and of all that it starts may hold secrets that ours does not (-E, -u, -p), and so
 * may what they are called with. */
static void learn_event(void *ctx, const struct event *event)
{
    struct redactor *redactor = ctx;

    if (event->type == EVENT_PROCESS && event->process.image) {
        redactor_add_environment(redactor, event->process.image->env);
        redactor_add_argv(redactor, event->process.image->argv);
    } else if (event->type == EVENT_SYSCALL && event->syscall.argv && event->syscall.error) {
        redactor_add_argv(redactor, event->syscall.argv);
    }
}

struct sink redactor_sink(struct redactor *redactor)
{
    return (struct sink){learn_event, redactor};
}

/* One line of passwd(5): name:password:UID:GID:GECOS:directory:shell. Of GECOS a name of several words is taken: a
 * single one is a common word too often. */
static void add_passwd_line(struct redactor *redactor, char *line, uid_t uid)
{
    char *fields[7] = {line}, *end;
    size_t count = 1;

    for (char *s = line; *s && count < 7; s++)
        if (*s == ':') {
            *s = '\0';
            fields[count++] = s + 1;
        }
    if (count < 6 || strtoul(fields[2], &end, 10) != uid || *end || !*fields[2])
        return;
    redactor_add_user(redactor, fields[0]);
    redactor_add_home(redactor, fields[5]);
    fields[4][strcspn(fields[4], ",")] = '\0';
    if (uid && strchr(fields[4], ' '))
        redactor_add_user(redactor, fields[4]);
}

/* "search a.example b.example", "domain a.example" (resolv.conf(5)). */
static void add_resolver_line(struct redactor *redactor, char *line, uid_t uid)
{
    char *rest = line, *word;

    (void)uid;
    word = strtok_r(line, " \t\n", &rest);
    if (!word || (strcmp(word, "search") != 0 && strcmp(word, "domain") != 0))
        return;
    while ((word = strtok_r(NULL, " \t\n", &rest)))
        redact_add_domain(redactor, word);
}

/* Hands the lines of FILE, which may be absent, to TAKE. */
static void each_line(struct redactor *redactor, const char *file,
                      void (*take)(struct redactor *redactor, char *line, uid_t uid), uid_t uid)
{
    CLEANUP_FCLOSE FILE *in = fopen(file, "re");
    CLEANUP_FREE char *line = NULL;
    size_t cap = 0, total = 0;
    ssize_t length;

    while (in && total < FILE_MAX && (length = getline(&line, &cap, in)) > 0) {
        total += (size_t)length;
        line[strcspn(line, "\n")] = '\0';
        take(redactor, line, uid);
    }
}

void redactor_add_here(struct redactor *redactor, const char *const *env, const char *passwd, uid_t uid)
{
    struct utsname uts;

    redactor_add_environment(redactor, env);
    each_line(redactor, passwd, add_passwd_line, uid);
    each_line(redactor, "/etc/resolv.conf", add_resolver_line, uid);
    if (uname(&uts) == 0)
        redactor_add_host(redactor, uts.nodename);
}

/* --- what was replaced --- */

static void tell(struct strings *ret, const char *what, const char *word, uint64_t hits)
{
    if (hits)
        strings_addf(ret, "%s, as %s: %llu time%s", what, word, (unsigned long long)hits, hits == 1 ? "" : "s");
}

/* "address2" before "address10". */
static int by_word(const void *a, const void *b)
{
    const struct literal *const *first = a, *const *second = b;

    if ((*first)->rule != (*second)->rule)
        return (*first)->rule < (*second)->rule ? -1 : 1;
    return strverscmp((*first)->to, (*second)->to);
}

void redactor_tell(const struct redactor *redactor, struct strings *ret)
{
    static const char *const what[RULE_COUNT] = {[RULE_HOME] = "home directory",
                                                 [RULE_USER] = "user name",
                                                 [RULE_HOST] = "host or domain name",
                                                 [RULE_ADDRESS] = "address",
                                                 [RULE_SECRET] = "what looks like a secret"};
    CLEANUP_FREE const struct literal **sorted = xcalloc(redactor->count + 1, sizeof *sorted);
    uint64_t hits = 0;

    strings_deinit(ret);
    *ret = (struct strings){0};
    for (size_t i = 0; i < redactor->count; i++)
        sorted[i] = &redactor->literals[i];
    qsort(sorted, redactor->count, sizeof *sorted, by_word);
    for (size_t i = 0; i < redactor->count; i++) {
        hits += sorted[i]->hits;
        if (sorted[i + 1] && strcmp(sorted[i + 1]->to, sorted[i]->to) == 0)
            continue;
        if (sorted[i]->rule != RULE_SECRET) { /* the last rule: its words are all alike */
            tell(ret, what[sorted[i]->rule], sorted[i]->to, hits);
            hits = 0;
        }
    }
    tell(ret, what[RULE_SECRET], HIDDEN, hits + redactor->secrets);
}
