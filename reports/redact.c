#include "redact.h"

#include "redact_shape.h"
#include "text.h"

#include <probes/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#define HIDDEN "[redacted]"

enum {
    VALUE_SHORTEST = 4,   /* of NAME=value: shorter ones are settings ("--key=2") */
    LITERAL_SHORTEST = 8, /* of an environment value that is hidden wherever it stands */
    WORD_SHORTEST = 6,    /* the same for a value that is called a password */
    NAME_SHORTEST = 3,    /* of user and host names */
    PASSWD_MAX = 1 << 20,
};

enum rule { RULE_HOME, RULE_USER, RULE_HOST, RULE_SECRET, RULE_COUNT };

/* A string that is replaced wherever it stands as a word of its kind. */
struct literal {
    enum rule rule;
    char *from, *to;
    size_t length;
};

struct redactor {
    struct literal *literals; /* longest first within a rule's priority: see add_literal() */
    size_t count, cap;
    size_t numbers[RULE_COUNT]; /* how many names of each kind there are */
    uint64_t hits[RULE_COUNT];  /* how many were replaced */
    char *option;               /* the string before, where the callback's next one is its value; or NULL */
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
    free(redactor->option);
    free(redactor);
}

/* --- whom to hide --- */

/* Accounts and machines that say nothing about a person, and words that reports are full of. */
static bool is_anonymous(const char *name)
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
static void add_literal(struct redactor *redactor, enum rule rule, const char *from, size_t length, char *to_taken)
{
    size_t at = 0;

    array_add(&redactor->literals, &redactor->count, &redactor->cap, sizeof *redactor->literals);
    while (at + 1 < redactor->count && redactor->literals[at].length >= length)
        at++;
    memmove(&redactor->literals[at + 1], &redactor->literals[at],
            (redactor->count - 1 - at) * sizeof *redactor->literals);
    redactor->literals[at] =
        (struct literal){.rule = rule, .from = xstrndup(from, length), .to = to_taken, .length = length};
}

static bool has_literal(const struct redactor *redactor, const char *from, size_t length)
{
    for (size_t i = 0; i < redactor->count; i++)
        if (redactor->literals[i].length == length && strncmp(redactor->literals[i].from, from, length) == 0)
            return true;
    return false;
}

/* The next word of a kind: "user1", "user2". */
static char *next_word(struct redactor *redactor, enum rule rule, const char *word)
{
    return xasprintf("%s%zu", word, ++redactor->numbers[rule]);
}

void redactor_add_home(struct redactor *redactor, const char *home)
{
    size_t length = strlen(home);
    CLEANUP_FREE char *word = NULL;

    while (length > 1 && home[length - 1] == '/')
        length--;
    if (home[0] != '/' || length == 1 || strcmp(home, "/nonexistent") == 0 || has_literal(redactor, home, length))
        return;
    word = next_word(redactor, RULE_HOME, "$HOME");
    if (redactor->numbers[RULE_HOME] == 1)
        word[strlen("$HOME")] = '\0'; /* the first one is what a shell makes of the word */
    add_literal(redactor, RULE_HOME, home, length, steal_pointer(&word));
}

void redactor_add_user(struct redactor *redactor, const char *user)
{
    if (!is_anonymous(user) && !has_literal(redactor, user, strlen(user)))
        add_literal(redactor, RULE_USER, user, strlen(user), next_word(redactor, RULE_USER, "user"));
}

void redactor_add_host(struct redactor *redactor, const char *host)
{
    size_t first = strcspn(host, ".");
    CLEANUP_FREE char *label = xstrndup(host, first);

    CLEANUP_FREE char *word = NULL;

    if (is_anonymous(label) || has_literal(redactor, label, first))
        return;
    word = next_word(redactor, RULE_HOST, "host");
    if (host[first]) /* with its domain, which says as much */
        add_literal(redactor, RULE_HOST, host, strlen(host), xstrdup(word));
    add_literal(redactor, RULE_HOST, label, first, steal_pointer(&word));
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

void redactor_add_environment(struct redactor *redactor, const char *const *env)
{
    for (; env && *env; env++) {
        size_t length = strcspn(*env, "=");
        const char *value = *env + length + ((*env)[length] == '=');
        CLEANUP_FREE char *name = xstrndup(*env, length);

        if (strcmp(name, "HOME") == 0)
            redactor_add_home(redactor, value);
        else if (strcmp(name, "USER") == 0 || strcmp(name, "LOGNAME") == 0 || strcmp(name, "SUDO_USER") == 0)
            redactor_add_user(redactor, value);
        else if (redact_secret_name(*env, length) && is_telling(*env, length, value) &&
                 !has_literal(redactor, value, strlen(value)))
            add_literal(redactor, RULE_SECRET, value, strlen(value), xstrdup(HIDDEN));
    }
}

/* One line of passwd(5): name:password:UID:GID:GECOS:directory:shell. The first word of GECOS is not taken: it is a
 * common word too often. */
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
}

void redactor_add_here(struct redactor *redactor, const char *const *env, const char *passwd, uid_t uid)
{
    CLEANUP_FCLOSE FILE *in = fopen(passwd, "re");
    CLEANUP_FREE char *line = NULL;
    size_t cap = 0, total = 0;
    struct utsname uts;
    ssize_t length;

    redactor_add_environment(redactor, env);
    while (in && total < PASSWD_MAX && (length = getline(&line, &cap, in)) > 0) {
        total += (size_t)length;
        line[strcspn(line, "\n")] = '\0';
        add_passwd_line(redactor, line, uid);
    }
    if (uname(&uts) == 0)
        redactor_add_host(redactor, uts.nodename);
}

/* --- replacing --- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (c & 0x80);
}

/* Whether the path at AT in TEXT begins there, rather than being the tail of a longer path ("/srv/root/home/x" does not
 * hold the home "/home/x"); a compiler's "-L/home/x" does. */
static bool path_begins(const char *text, size_t at)
{
    size_t start = at;

    while (start && !strchr(" \t\n\"'`=:,;()[]{}<>|&", text[start - 1]))
        start--;
    return !memchr(text + start, '/', at - start);
}

static bool literal_at(const struct literal *literal, const char *text, size_t at)
{
    const char *s = text + at;
    char before = at ? text[at - 1] : ' ', after;

    if (strncmp(s, literal->from, literal->length) != 0)
        return false;
    after = s[literal->length];
    switch (literal->rule) {
    case RULE_HOME:
        return !is_word(after) && after != '-' && (after != '.' || !is_word(s[literal->length + 1])) &&
               path_begins(text, at);
    case RULE_USER:
        return !is_word(before) && !is_word(after);
    case RULE_HOST:
        return !is_word(before) && !is_word(after) && before != '-' && after != '-';
    default:
        return true;
    }
}

static const struct literal *find_literal(const struct redactor *redactor, const char *text, size_t at)
{
    for (size_t i = 0; i < redactor->count; i++)
        if (literal_at(&redactor->literals[i], text, at))
            return &redactor->literals[i];
    return NULL;
}

static char *replace_literals(struct redactor *redactor, const char *bytes)
{
    struct text out = {0};

    text_add(&out, "");
    for (size_t at = 0; bytes[at];) {
        const struct literal *literal = find_literal(redactor, bytes, at);

        if (!literal) {
            text_addc(&out, bytes[at++]);
            continue;
        }
        text_add(&out, literal->to);
        redactor->hits[literal->rule]++;
        at += literal->length;
    }
    return out.v;
}

/* The parts that look like secrets, by name or by shape (redact_shape.c). */
static char *replace_secrets(struct redactor *redactor, const char *bytes)
{
    struct text out = {0};

    text_add(&out, "");
    for (size_t at = 0; bytes[at];) {
        size_t skip, length = redact_secret_at(bytes, at, VALUE_SHORTEST, &skip);

        if (!length) {
            text_addc(&out, bytes[at++]);
            continue;
        }
        text_addn(&out, bytes + at, skip);
        if (length == strlen(HIDDEN) && strncmp(bytes + at + skip, HIDDEN, length) == 0)
            redactor->hits[RULE_SECRET]--; /* it was replaced before */
        text_add(&out, HIDDEN);
        redactor->hits[RULE_SECRET]++;
        at += skip + length;
    }
    return out.v;
}

char *redactor_text(struct redactor *redactor, const char *bytes)
{
    CLEANUP_FREE char *known = replace_literals(redactor, bytes);

    return replace_secrets(redactor, known);
}

/* WORD is an option without "=" whose next word is its value: "--api-key", "-password". */
static bool is_secret_option(const char *word)
{
    size_t dashes = strspn(word, "-");

    return dashes && !strchr(word, '=') && redact_secret_name(word + dashes, strlen(word + dashes));
}

/* "password=…" whole, with what would end a value in a text; WORD is without its dashes. */
static bool is_secret_assignment(const char *word)
{
    size_t name = strcspn(word, "=");

    if (!name || !word[name] || !redact_secret_name(word, name))
        return false;
    return strlen(word + name + 1) >= (redact_password_name(word, name) ? 1 : VALUE_SHORTEST);
}

/* The value behind such an option; a path says where a secret is, and stays unless it is a password. */
static bool is_option_value(const char *option, const char *word)
{
    const char *name = option + strspn(option, "-");

    return word[0] != '-' && (word[0] != '/' || redact_password_name(name, strlen(name)));
}

static char *hidden_assignment(const char *word)
{
    return xasprintf("%.*s=" HIDDEN, (int)strcspn(word, "="), word);
}

char *redactor_callback(void *ctx, const char *bytes)
{
    struct redactor *redactor = ctx;
    CLEANUP_FREE char *option = steal_pointer(&redactor->option), *hidden = NULL;

    if (is_secret_option(bytes))
        redactor->option = xstrdup(bytes);
    if (option && is_option_value(option, bytes))
        hidden = xstrdup(HIDDEN);
    else if (is_secret_assignment(bytes + strspn(bytes, "-")) && !strchr(bytes, '\n'))
        hidden = hidden_assignment(bytes);
    redactor->hits[RULE_SECRET] += hidden != NULL;
    return redactor_text(redactor, hidden ? hidden : bytes);
}

/* --- a report --- */

static void redact(struct redactor *redactor, char **string)
{
    char *redacted;

    if (!*string)
        return;
    redacted = redactor_text(redactor, *string);
    free(*string);
    *string = redacted;
}

/* A name without a slash says what is missing and nothing about where: it stays, or two reports of one cause would no
 * longer be alike. */
static void redact_identity(struct redactor *redactor, char **string)
{
    if (*string && strpbrk(*string, "/="))
        redact(redactor, string);
}

static void redact_strings(struct redactor *redactor, struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        redact(redactor, &list->v[i]);
}

static void redact_argv(struct redactor *redactor, struct strings *argv)
{
    for (size_t i = 0; i < argv->n; i++) {
        char *redacted = redactor_callback(redactor, argv->v[i]);

        free(argv->v[i]);
        argv->v[i] = redacted;
    }
    free(steal_pointer(&redactor->option));
}

static void redact_lists(struct redactor *redactor, struct cause *cause)
{
    for (size_t i = 0; i < cause->stack_count; i++) {
        redact(redactor, &cause->stack[i].object);
        redact(redactor, &cause->stack[i].file);
    }
    for (size_t i = 0; i < cause->remedy_count; i++) {
        redact(redactor, &cause->remedies[i].title);
        redact_strings(redactor, &cause->remedies[i].commands);
        redact(redactor, &cause->remedies[i].risk);
    }
    for (size_t i = 0; i < cause->fact_count; i++)
        redact(redactor, &cause->facts[i].text);
    for (size_t i = 0; i < cause->crash_count; i++) {
        redact(redactor, &cause->crash[i].title);
        redact_strings(redactor, &cause->crash[i].lines);
    }
    for (size_t i = 0; i < cause->place_count; i++) {
        redact(redactor, &cause->places[i].path);
        redact(redactor, &cause->places[i].from);
        redact(redactor, &cause->places[i].why);
    }
}

static void redact_cause(struct redactor *redactor, struct cause *cause)
{
    redact_identity(redactor, &cause->subject);
    redact_identity(redactor, &cause->missing);
    redact_identity(redactor, &cause->provider);
    redact(redactor, &cause->exe);
    redact_argv(redactor, &cause->argv);
    redact_strings(redactor, &cause->chain);
    redact(redactor, &cause->summary);
    redact(redactor, &cause->detail);
    redact(redactor, &cause->words);
    redact_lists(redactor, cause);
}

static void tell_hits(const struct redactor *redactor, struct strings *ret)
{
    static const char *const phrases[RULE_COUNT] = {[RULE_HOME] = "home directory, as $HOME",
                                                    [RULE_USER] = "user name, as user1",
                                                    [RULE_HOST] = "host name, as host1",
                                                    [RULE_SECRET] = "what looks like a secret, as " HIDDEN};

    for (int rule = 0; rule < RULE_COUNT; rule++)
        if (redactor->hits[rule])
            strings_addf(ret, "%s: %llu time%s", phrases[rule], (unsigned long long)redactor->hits[rule],
                         redactor->hits[rule] == 1 ? "" : "s");
}

void report_redact(struct report *report, struct redactor *redactor)
{
    redact_argv(redactor, &report->argv);
    redact(redactor, &report->libc.path);
    redact(redactor, &report->libc.from);
    for (size_t i = 0; i < report->cause_count; i++)
        redact_cause(redactor, report->causes[i]);
    redact_strings(redactor, &report->ruled_out);
    redact_strings(redactor, &report->unseen);
    redact(redactor, &report->repro_command);
    redact(redactor, &report->repro_expect);
    redact(redactor, &report->repro_why);
    strings_deinit(&report->redacted);
    tell_hits(redactor, &report->redacted);
}
