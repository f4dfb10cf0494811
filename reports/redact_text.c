/* Replacing in a text what the redactor knows, and what looks like an address or a secret. */
#include "redact_parts.h"

#include "redact_address.h"
#include "redact_argv.h"
#include "redact_shape.h"
#include "text.h"

#include <probes/alloc.h>

#include <string.h>

enum {
    VALUE_SHORTEST = 4,  /* of NAME=value: shorter ones are settings ("--key=2") */
    CUT_SHORTEST = 6,    /* what is left of a secret where a string was cut */
    SECRET_SHORTEST = 6, /* of one in a command line that is hidden wherever it stands */
    SECRET_LONGEST = 4096,
    LITERALS_MOST = 2000, /* of addresses that are numbered; further ones are all alike */
};

/* What is beyond ASCII ends a word, since it may be a quotation mark or a colon of some language: rather one name too
 * many is hidden. */
static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
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

/* Of a secret, how much of it stands at S where a string was cut there: all up to the end, or up to strace's "...". */
static size_t cut_secret_at(const struct literal *literal, const char *s)
{
    size_t n = 0;

    while (n < literal->length && s[n] == literal->from[n])
        n++;
    if (n == literal->length || (n >= CUT_SHORTEST && (!s[n] || strncmp(s + n, "\"...", 4) == 0)))
        return n;
    return 0;
}

/* How many bytes at TEXT + AT are LITERAL, as a word of its kind; 0: none. */
static size_t literal_at(const struct literal *literal, const char *text, size_t at)
{
    const char *s = text + at;
    char before = at ? text[at - 1] : ' ', after;
    bool is = false;

    if (literal->rule == RULE_SECRET)
        return cut_secret_at(literal, s);
    if (strncmp(s, literal->from, literal->length) != 0)
        return 0;
    after = s[literal->length];
    switch (literal->rule) {
    case RULE_HOME:
        is = !is_word(after) && after != '-' && (after != '.' || !is_word(s[literal->length + 1])) &&
             path_begins(text, at);
        break;
    case RULE_HOST:
    case RULE_ADDRESS:
        is = !is_word(before) && !is_word(after) && before != '-' && after != '-';
        break;
    default:
        is = !is_word(before) && !is_word(after);
    }
    return is ? literal->length : 0;
}

static struct literal *find_literal(const struct redactor *redactor, const char *text, size_t at, size_t *length)
{
    for (size_t i = 0; redactor->begins[(unsigned char)text[at]] && i < redactor->count; i++)
        if ((*length = literal_at(&redactor->literals[i], text, at)))
            return &redactor->literals[i];
    return NULL;
}

/* ---- addresses are learnt where they are seen ---- */

void redactor_keep(struct redactor *redactor, const char *text)
{
    strings_add(&redactor->kept, xstrdup(text));
}

static bool is_kept(const struct redactor *redactor, const char *s, size_t length)
{
    for (size_t i = 0; i < redactor->kept.n; i++) {
        const char *at = memmem(redactor->kept.v[i], strlen(redactor->kept.v[i]), s, length);

        if (at && !is_word(at[length]) && (at == redactor->kept.v[i] || !is_word(at[-1])))
            return true;
    }
    return false;
}

/* "user1", "$HOME2": what was replaced stays as it is. */
static bool is_replacement(const char *name)
{
    size_t length = strcspn(name, "0123456789");

    return name[length] && !name[length + strspn(name + length, "0123456789")] &&
           (strncmp(name, "user", length) == 0 || strncmp(name, "host", length) == 0);
}

static void learn_address(struct redactor *redactor, enum address_kind kind, const char *s, size_t length)
{
    static const struct {
        enum rule rule;
        const char *word;
    } ways[] = {[ADDRESS_NETWORK] = {RULE_ADDRESS, "address"},
                [ADDRESS_MAIL] = {RULE_ADDRESS, "address"},
                [ADDRESS_HOST] = {RULE_HOST, "host"},
                [ADDRESS_PERSON] = {RULE_USER, "user"}};
    CLEANUP_FREE char *name = xstrndup(s, length);

    if (redact_has(redactor, s, length) || is_kept(redactor, s, length) ||
        (kind == ADDRESS_PERSON && (redact_anonymous(name) || is_replacement(name))))
        return;
    if (kind == ADDRESS_MAIL) /* the sender's hosts are called by it, too */
        redact_add_domain(redactor, strchr(name, '@') + 1);
    redact_add(redactor, ways[kind].rule, s, length,
               redactor->count < LITERALS_MOST ? redact_next_word(redactor, ways[kind].rule, ways[kind].word)
                                               : xasprintf("[%s]", ways[kind].word));
}

static void learn_addresses(struct redactor *redactor, const char *bytes)
{
    if (!strpbrk(bytes, ".:@/"))
        return;
    for (size_t at = 0; bytes[at];) {
        size_t length;
        enum address_kind kind = redact_address_at(bytes, at, &length);

        if (kind)
            learn_address(redactor, kind, bytes + at, length);
        at += kind ? length : 1;
    }
}

static char *replace_literals(struct redactor *redactor, const char *bytes)
{
    struct text out = {0};

    text_add(&out, "");
    for (size_t at = 0; bytes[at];) {
        size_t length;
        struct literal *literal = find_literal(redactor, bytes, at, &length);

        if (!literal) {
            text_addc(&out, bytes[at++]);
            continue;
        }
        text_add(&out, literal->to);
        literal->hits++;
        at += length;
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

        if (!length || is_kept(redactor, bytes + at + skip, length)) {
            text_addc(&out, bytes[at++]);
            continue;
        }
        text_addn(&out, bytes + at, skip);
        if (length == strlen(HIDDEN) && strncmp(bytes + at + skip, HIDDEN, length) == 0)
            redactor->secrets--; /* it was replaced before */
        text_add(&out, HIDDEN);
        redactor->secrets++;
        at += skip + length;
    }
    return out.v;
}

char *redactor_text(struct redactor *redactor, const char *bytes)
{
    CLEANUP_FREE char *known = NULL;

    learn_addresses(redactor, bytes);
    known = replace_literals(redactor, bytes);
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
    redactor->secrets += hidden != NULL;
    return redactor_text(redactor, hidden ? hidden : bytes);
}

void redactor_end(struct redactor *redactor)
{
    free(steal_pointer(&redactor->option));
}

/* ---- command lines ---- */

struct hiding {
    struct redactor *redactor;
    const char *const *argv;
    struct text out; /* of WORD, up to AT */
    size_t word, at;
    struct strings *ret;
};

static void hide_rest(struct hiding *hiding)
{
    const char *word = hiding->argv[hiding->word];

    text_add(&hiding->out, word + hiding->at);
    strings_add(hiding->ret, redactor_text(hiding->redactor, hiding->out.v));
    text_clear(&hiding->out);
    hiding->word++;
    hiding->at = 0;
}

static void hide_part(void *ctx, const struct redact_argv_part *part)
{
    struct hiding *hiding = ctx;
    const char *word;

    while (hiding->word < part->word)
        hide_rest(hiding);
    word = hiding->argv[hiding->word];
    text_addn(&hiding->out, word + hiding->at, part->at - hiding->at);
    text_add(&hiding->out, HIDDEN);
    hiding->redactor->secrets += strncmp(word + part->at, HIDDEN, part->length) != 0;
    hiding->at = part->at + part->length;
}

void redactor_argv(struct redactor *redactor, const char *const *argv, struct strings *ret)
{
    struct hiding hiding = {.redactor = redactor, .argv = argv, .ret = ret};

    redact_argv_find(argv, hide_part, &hiding);
    while (argv && argv[hiding.word])
        hide_rest(&hiding);
    text_deinit(&hiding.out);
}

struct learning {
    struct redactor *redactor;
    const char *const *argv;
};

/* A name of a file stands in too many strings that a report is about. */
static bool looks_like_file(const char *s)
{
    const char *dot = strrchr(s, '.');

    return strchr(s, '/') || (dot && dot[1] && strlen(dot) <= 5);
}

static void learn_part(void *ctx, const struct redact_argv_part *part)
{
    const struct learning *learning = ctx;
    CLEANUP_FREE char *secret = xstrndup(learning->argv[part->word] + part->at, part->length);

    if (strlen(secret) >= SECRET_SHORTEST && strlen(secret) <= SECRET_LONGEST && !looks_like_file(secret) &&
        learning->redactor->count < LITERALS_MOST && !strstr(secret, HIDDEN) &&
        !redact_has(learning->redactor, secret, strlen(secret)))
        redact_add(learning->redactor, RULE_SECRET, secret, strlen(secret), xstrdup(HIDDEN));
}

void redactor_add_argv(struct redactor *redactor, const char *const *argv)
{
    struct learning learning = {redactor, argv};

    redact_argv_find(argv, learn_part, &learning);
}
