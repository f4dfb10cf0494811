#include "redact_argv.h"

#include "redact_client.h"
#include "redact_parts.h"
#include "redact_shape.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

enum {
    WORD_MOST = 16 << 10, /* bytes of a word that are read; the rest is hidden */
    NAME_LONGEST = 128,
    DEPTH_MOST = 4,        /* of quotes in quotes */
    SETTING_SHORTEST = 4,  /* of NAME=value: shorter ones are settings ("--key=2") */
    TOKEN_SHORTEST = 20,   /* of a word of letters and digits that nobody has thought of */
    HEX_SHORTEST = 32,     /* the same in hexadecimal */
    BASE64_SHORTEST = 16,  /* the same with base64's padding */
    BASE32_SHORTEST = 16,  /* and of capitals and digits alone */
    SLASHED_SHORTEST = 24, /* with slashes, which paths have too */
    GLUED_SHORTEST = 6,    /* of what is glued to -p in a command line of any program */
    UUID_LENGTH = 36,
};

/* What is known of each byte of a word. */
enum mark { MARK_NONE, MARK_SECRET, MARK_PLAIN };

/* A word, or a part of one that is read as a command line. */
struct line {
    const char *text;
    size_t size;
    char *marks; /* of TEXT */
};

/* What is expected of the next word. */
struct reading {
    const struct client *client; /* the program whose line it is, where it is known */
    enum client_value next;
};

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static void mark(const struct line *line, size_t at, size_t length, enum mark as)
{
    for (size_t i = at; i < at + length && i < line->size; i++)
        if (line->marks[i] != MARK_SECRET)
            line->marks[i] = (char)as;
}

/* ---- NAME=value, "name": "value", Name: value ---- */

static size_t skip_blanks(const struct line *line, size_t at)
{
    while (at < line->size && (line->text[at] == ' ' || line->text[at] == '\t'))
        at++;
    return at;
}

/* A quote, with the backslashes before it where it stands in a string: its length, or 0. */
static size_t quote_at(const struct line *line, size_t at)
{
    size_t n = 0;

    while (at + n < line->size && line->text[at + n] == '\\' && n < 8)
        n++;
    return at + n < line->size && (line->text[at + n] == '"' || line->text[at + n] == '\'') ? n + 1 : 0;
}

/* Up to the QUOTE (LENGTH bytes) that ends what begins at AT, or to the end. */
static size_t quoted_length(const struct line *line, size_t at, const char *quote, size_t length)
{
    for (size_t i = at; i + length <= line->size; i++) {
        if (strncmp(line->text + i, quote, length) == 0)
            return i - at;
        if (length == 1 && line->text[i] == '\\')
            i++;
    }
    return line->size - at;
}

/* Of a list or an object: to the bracket that closes it, or to the end. */
static size_t nested_length(const struct line *line, size_t at)
{
    size_t depth = 0, i = at;

    for (; i < line->size; i++) {
        depth += line->text[i] == '{' || line->text[i] == '[';
        if ((line->text[i] == '}' || line->text[i] == ']') && --depth == 0)
            return i + 1 - at;
    }
    return i - at;
}

static size_t bare_length(const struct line *line, size_t at)
{
    size_t n = 0;

    while (at + n < line->size && !strchr(" \t\r\n\"'`,;&|<>)}]", line->text[at + n]))
        n++;
    return n;
}

/* The value that begins at AT, of which a name says that it is secret. COLON: "name: value", which is prose more often
 * than not. */
static void mark_value(const struct line *line, size_t at, bool password, bool colon)
{
    size_t quote = quote_at(line, at), n;
    bool nested = at < line->size && (line->text[at] == '{' || line->text[at] == '[');

    if (strncmp(line->text + at + quote, HIDDEN, strlen(HIDDEN)) == 0)
        return;
    if (quote)
        n = quoted_length(line, at + quote, line->text + at, quote);
    else
        n = nested ? nested_length(line, at) : bare_length(line, at);
    if (colon && !quote && !nested && !password && !redact_value_like(line->text + at, n))
        return;
    if (n >= (password ? 1 : SETTING_SHORTEST))
        mark(line, at + quote, n, password ? MARK_PLAIN : MARK_SECRET);
}

/* What stands behind a secret name that ends at AT. */
static void mark_named(const struct line *line, size_t start, size_t at)
{
    bool password = redact_password_name(line->text + start, at - start), colon;
    size_t quote = quote_at(line, at);

    at = skip_blanks(line, at + quote);
    if (at >= line->size || !strchr(":=", line->text[at]))
        return;
    colon = line->text[at] == ':' && !quote;
    at += line->text[at] == ':' && at + 1 < line->size && line->text[at + 1] == '=' ? 2 : 1;
    if (at < line->size && line->text[at] == '=') /* a comparison */
        return;
    at += at < line->size && line->text[at] == '>' ? 1 : 0;
    at = skip_blanks(line, at);
    if (colon && start == 0) /* a header's line */
        mark(line, at, line->size - at, MARK_SECRET);
    else
        mark_value(line, at, password, colon);
}

static void mark_names(const struct line *line)
{
    for (size_t at = 0; at < line->size;) {
        size_t n = 0;

        while (at + n < line->size && n < NAME_LONGEST &&
               (is_name(line->text[at + n]) || (line->text[at + n] == '.' && n)))
            n++;
        if (n && redact_secret_name(line->text + at, n))
            mark_named(line, at, at + n);
        at += n ? n : 1;
    }
}

/* A word that is NAME=value as a whole, whatever the value has in it. */
static void mark_assignment(const struct line *line)
{
    size_t start = strspn(line->text, "-"), n = strcspn(line->text, "=");
    bool password;

    if (n <= start || n >= line->size || memchr(line->text, '\n', line->size) ||
        !redact_secret_name(line->text + start, n - start))
        return;
    password = redact_password_name(line->text + start, n - start);
    for (size_t i = start; i < n; i++)
        if (!is_name(line->text[i]) && line->text[i] != '.')
            return;
    if (line->size - n - 1 >= (password ? 1 : SETTING_SHORTEST))
        mark(line, n + 1, line->size - n - 1, password ? MARK_PLAIN : MARK_SECRET);
}

/* ---- words that nobody has thought of ---- */

struct looks {
    size_t digits, uppers, lowers, hex, base32, changes, marks, words;
};

static int sort_of(char c)
{
    return isdigit((unsigned char)c) ? 0 : isupper((unsigned char)c) ? 1 : islower((unsigned char)c) ? 2 : 3;
}

static struct looks look_at(const char *s, size_t length)
{
    struct looks looks = {0};
    size_t run = 0;

    for (size_t i = 0; i < length; i++) {
        int sort = sort_of(s[i]);

        looks.digits += sort == 0;
        looks.uppers += sort == 1;
        looks.lowers += sort == 2;
        looks.marks += sort == 3;
        looks.hex += isxdigit((unsigned char)s[i]) != 0;
        looks.base32 += sort == 1 || (s[i] >= '2' && s[i] <= '7');
        looks.changes += i && sort != sort_of(s[i - 1]);
        run = sort == 2 ? run + 1 : 0;
        looks.words += run == 5; /* small letters in a row, twice: somebody gave that name */
    }
    return looks;
}

static bool is_uuid(const char *s, size_t length)
{
    for (size_t i = 0; length == UUID_LENGTH && i < length; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    return length == UUID_LENGTH;
}

/* S: LENGTH characters of a name or of base64, PADDED with that many "=". */
static bool looks_drawn(const char *s, size_t length, size_t padded, bool slashed)
{
    struct looks looks = look_at(s, length);
    size_t letters = looks.uppers + looks.lowers;

    if (slashed)
        return length >= SLASHED_SHORTEST && looks.words < 2 && looks.digits >= 2 && looks.uppers * 7 >= length &&
               looks.lowers * 7 >= length && looks.changes * 100 >= length * 40;
    if (is_uuid(s, length))
        return true;
    if (looks.hex == length)
        return length >= HEX_SHORTEST && looks.digits && letters;
    if (padded && padded < 3 && length + padded >= BASE64_SHORTEST && (length + padded) % 4 == 0 && !looks.marks)
        return looks.uppers && looks.lowers;
    if (looks.base32 == length)
        return length >= BASE32_SHORTEST && looks.digits >= 2 && looks.changes >= 4;
    return length >= TOKEN_SHORTEST && looks.words < 2 && looks.digits >= 2 && letters >= 4 &&
           looks.digits * 12 >= length && looks.changes * 100 >= length * 25 && looks.marks * 6 <= length;
}

static bool is_base64(char c)
{
    return is_name(c) || c == '+';
}

/* A name that a compiler has made. */
static bool is_mangled(const char *s)
{
    return strncmp(s, "_Z", 2) == 0 || strncmp(s, "_R", 2) == 0 || strncmp(s, "_D", 2) == 0 || strncmp(s, "ZN", 2) == 0;
}

/* The run that begins at AT, where none did before: a component of a path has been given a place to be found at. */
static size_t mark_run(const struct line *line, size_t at)
{
    const char *s = line->text + at;
    size_t most = line->size - at, n = 0, slashed = 0, padded = 0;
    char before = at ? line->text[at - 1] : ' ';

    while (n < most && is_base64(s[n]))
        n++;
    while (slashed < most && (is_base64(s[slashed]) || s[slashed] == '/'))
        slashed++;
    while (n + padded < most && s[n + padded] == '=')
        padded++;
    if (strchr("/.~$@", before) || is_mangled(s))
        return slashed;
    if (slashed > n) {
        bool file = slashed < most && s[slashed] == '.';

        if (!file && looks_drawn(s, slashed, 0, true))
            mark(line, at, slashed, MARK_SECRET);
        return slashed;
    }
    if (n + padded + 1 < most && s[n] == '.' && isalnum((unsigned char)s[n + 1])) /* a file's name */
        return n;
    if (looks_drawn(s, n, n + padded < most && is_base64(s[n + padded]) ? 0 : padded, false))
        mark(line, at, n + padded, MARK_SECRET);
    return n;
}

static void mark_shapes(const struct line *line)
{
    for (size_t at = 0; at < line->size;) {
        size_t n = 0;

        while (at < line->size && line->text[at] == '-') /* an option's */
            at++;
        if (at < line->size && is_base64(line->text[at]))
            n = mark_run(line, at);
        else if (at < line->size && line->text[at] == '/') /* a path from its root: to its end */
            while (at + n < line->size && (is_base64(line->text[at + n]) || strchr("/.", line->text[at + n])))
                n++;
        at += n ? n : 1;
    }
}

/* ---- words by where they stand ---- */

/* user:word@host, with a scheme before it or without. */
static void mark_login(const struct line *line, size_t at, size_t length)
{
    const char *s = line->text + at, *scheme = memmem(s, length, "://", 3);
    size_t start = scheme ? (size_t)(scheme + 3 - s) : 0, colon = start, host = length;

    while (colon < length && s[colon] != ':' && s[colon] != '/' && s[colon] != '@')
        colon++;
    while (host > colon && s[host - 1] != '@')
        host--;
    if (colon >= length || s[colon] != ':' || host <= colon + 2 || host >= length || colon == start ||
        s[colon + 1] == ':' || !(isalnum((unsigned char)s[host]) || s[host] == '['))
        return;
    if (memchr(s + colon + 1, '/', host - colon - 2) && isdigit((unsigned char)s[colon + 1])) /* a port, a path */
        return;
    mark(line, at + colon + 1, host - colon - 2, MARK_PLAIN);
}

/* What comes behind the first of SEPARATORS in a value like user:word. Numbers are groups and ports. */
static void mark_pair(const struct line *line, size_t at, size_t length, const char *separators)
{
    size_t n = 0, digits = 0;

    while (n < length && !strchr(separators, line->text[at + n]))
        n++;
    while (n + 1 + digits < length && isdigit((unsigned char)line->text[at + n + 1 + digits]))
        digits++;
    if (n && n + 1 < length && !(digits == length - n - 1 && strspn(line->text + at, "0123456789") >= n) &&
        line->text[at + n + 1] != '/')
        mark(line, at + n + 1, length - n - 1, MARK_PLAIN);
}

static bool is_port(const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)s[i]) && !strchr(".:/-", s[i]) && strncmp(s + i, "tcp", 3) != 0 &&
            strncmp(s + i, "udp", 3) != 0 && (i == 0 || !strchr("tcud", s[i - 1])))
            return false;
    return true;
}

static void mark_as(const struct line *line, size_t at, size_t length, enum client_value value)
{
    switch (value) {
    case VALUE_PASSWORD:
        mark(line, at, length, MARK_PLAIN);
        break;
    case VALUE_SECRET: /* a path says where it is */
        if (line->text[at] != '/')
            mark(line, at, length, MARK_PLAIN);
        break;
    case VALUE_PAIR:
        mark_pair(line, at, length, ":%,");
        break;
    case VALUE_LOGIN: /* of any program: what it means is not known */
        mark_pair(line, at, length, ":");
        break;
    case VALUE_NO_PORT:
        if (!is_port(line->text + at, length))
            mark(line, at, length, MARK_PLAIN);
        break;
    case VALUE_NONE:
        break;
    }
}

/* What a program that nobody knows may mean by -pX. */
static bool is_glued_password(const char *s, size_t length)
{
    struct looks looks = look_at(s, length);

    if (length < GLUED_SHORTEST || looks.digits == length || client_known_word(s, length))
        return false;
    return !memchr(s, '/', length) && !memchr(s, '=', length) && !memchr(s, '.', length) && !is_port(s, length);
}

/* A word that begins with a dash. */
static void read_option(const struct line *line, size_t at, size_t length, struct reading *reading)
{
    const char *s = line->text + at;
    size_t dashes = strspn(s, "-"), name = 0;
    enum client_value value;

    dashes = dashes < length ? dashes : length;
    while (dashes + name < length && is_name(s[dashes + name]))
        name++;
    if (dashes + name == length && redact_secret_name(s + dashes, name)) {
        reading->next = redact_password_name(s + dashes, name) ? VALUE_PASSWORD : VALUE_SECRET;
        return;
    }
    if (dashes == 1 && name && (value = client_letter(reading->client, s[1])) != VALUE_NONE) {
        if (length > 2 && client_glues(reading->client, s[1]))
            mark_as(line, at + 2, length - 2, value);
        else if (length == 2)
            reading->next = value;
        return;
    }
    if (dashes == 1 && length > 2 && s[1] == 'p' && !reading->client && is_glued_password(s + 2, length - 2))
        mark(line, at + 2, length - 2, MARK_PLAIN);
    reading->next = client_option(s, length);
}

static void read_word(const struct line *line, size_t at, size_t length, struct reading *reading)
{
    enum client_value next = reading->next;
    const struct client *client = client_called(line->text + at, length);

    reading->next = VALUE_NONE;
    if (next != VALUE_NONE && length && line->text[at] != '-') {
        mark_as(line, at, length, next);
        return;
    }
    if (client)
        reading->client = client;
    mark_login(line, at, length);
    if (length > 1 && line->text[at] == '-')
        read_option(line, at, length, reading);
    else if (length > 5 && strncmp(line->text + at, "pass:", 5) == 0) /* openssl-passphrase-options(1) */
        mark(line, at + 5, length - 5, MARK_PLAIN);
    else if (length > 3 && strncmp(line->text + at, "/p:", 3) == 0) /* xfreerdp(1) */
        mark(line, at + 3, length - 3, MARK_PLAIN);
}

/* LINE, which has blanks in it, as a shell would take it apart. */
static void read_line(const struct line *line, struct reading *reading, int depth)
{
    for (size_t at = 0; at < line->size;) {
        char c = line->text[at];
        size_t quote = c == '"' || c == '\'', n = 0;

        if (quote) {
            n = quoted_length(line, at + 1, &line->text[at], 1);
            const struct line inner = {line->text + at + 1, n, line->marks + at + 1};
            struct reading own = {.next = VALUE_NONE};

            if (reading->next == VALUE_NONE && depth < DEPTH_MOST && memchr(inner.text, ' ', n))
                read_line(&inner, &own, depth + 1);
            else
                read_word(line, at + 1, n, reading);
            at += n + 2;
            continue;
        }
        if (strchr(";|&()`<>\n", c))
            reading->next = VALUE_NONE;
        while (at + n < line->size && !strchr(" \t\r\n\"';|&()`<>", line->text[at + n]))
            n++;
        if (n)
            read_word(line, at, n, reading);
        at += n ? n : 1;
    }
}

static void tell(const struct line *line, size_t word, void (*found)(void *ctx, const struct redact_argv_part *part),
                 void *ctx)
{
    for (size_t at = 0; at < line->size;) {
        size_t n = 0;

        while (at + n < line->size && line->marks[at + n] == line->marks[at])
            n++;
        if (line->marks[at] != MARK_NONE) {
            const struct redact_argv_part part = {word, at, n, line->marks[at] == MARK_PLAIN};

            found(ctx, &part);
        }
        at += n;
    }
}

void redact_argv_find(const char *const *argv, void (*found)(void *ctx, const struct redact_argv_part *part), void *ctx)
{
    struct reading reading = {.next = VALUE_NONE};

    for (size_t i = 0; argv && argv[i]; i++) {
        size_t size = strlen(argv[i]), most = size < WORD_MOST ? size : WORD_MOST;
        CLEANUP_FREE char *marks = xcalloc(size + 1, 1);
        const struct line line = {argv[i], most, marks}, whole = {argv[i], size, marks};
        bool composite = memchr(argv[i], ' ', most) || memchr(argv[i], '\n', most);

        mark_names(&line);
        mark_assignment(&line);
        mark_shapes(&line);
        if (composite && reading.next == VALUE_NONE) {
            struct reading inner = {.next = VALUE_NONE};

            read_line(&line, &inner, 0);
        } else {
            read_word(&line, 0, most, &reading);
        }
        mark(&whole, most, size - most, MARK_SECRET);
        tell(&whole, i, found, ctx);
    }
}
