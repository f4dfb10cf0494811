#include "redact_shape.h"

#include "redact.h"

#include <string.h>
#include <strings.h>

enum {
    RANDOM_SHORTEST = 24, /* characters of a random string that stands alone */
    BASE64_SHORTEST = 40, /* with slashes in it, which paths have too */
    NAME_LONGEST = 128,   /* of what a value is assigned to */
    WORD_LETTERS = 5,     /* small letters in a row, twice: somebody gave that name */
    PEM_LABEL = 80,       /* bytes of a BEGIN line */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_upper(c) || is_lower(c);
}

static bool is_name(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

/* --- by name --- */

static bool ends_with(const char *word, size_t length, const char *end)
{
    size_t n = strlen(end);

    return length >= n && strncasecmp(word + length - n, end, n) == 0;
}

/* A part of a name, as "_", "-" and a change to a capital divide it: "api", "key" of apiKey. "KEYBOARD" and "AUTHOR"
 * are other words. */
static bool is_secret_word(const char *word, size_t length)
{
    static const char *const ends[] = {"TOKEN",      "KEY",    "SECRET",     "PASSWORD",     "PASSWD",
                                       "PASSPHRASE", "COOKIE", "CREDENTIAL", "CREDENTIALS",  "COOKIES",
                                       "SECRETS",    "TOKENS", "BEARER",     "AUTHORIZATION"};
    static const char *const whole[] = {"AUTH", "AUTHORIZATION", "PASS", "PWD", "PRIVATE", "SIGNATURE", "KEYS"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(word, length, ends[i]))
            return true;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (length == strlen(whole[i]) && strncasecmp(word, whole[i], length) == 0)
            return true;
    return false;
}

static bool any_word(const char *name, size_t length, bool (*test)(const char *word, size_t length))
{
    for (size_t start = 0; start < length;) {
        size_t end = start + 1;

        while (end < length && name[end] != '_' && name[end] != '-' && name[end] != '.' &&
               !(is_lower(name[end - 1]) && is_upper(name[end])))
            end++;
        if (test(name + start, end - start))
            return true;
        start = end < length && !is_alnum(name[end]) ? end + 1 : end;
    }
    return false;
}

bool redact_secret_name(const char *name, size_t length)
{
    static const char *const places[] = {"SOCK", "FILE", "PATH", "DIR", "HOME", "PROGRAM", "ASKPASS", "TYPE"};

    /* the working directory's own variables, and names that tell where a secret is or what kind it has */
    if ((length == 3 && strncmp(name, "PWD", 3) == 0) || (length == 6 && strncmp(name, "OLDPWD", 6) == 0))
        return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (ends_with(name, length, places[i]))
            return false;
    return any_word(name, length, is_secret_word);
}

static bool is_password_word(const char *word, size_t length)
{
    return ends_with(word, length, "PASSWORD") || ends_with(word, length, "PASSWD") ||
           ends_with(word, length, "PASSPHRASE") || (length == 4 && strncasecmp(word, "PASS", 4) == 0);
}

bool redact_password_name(const char *name, size_t length)
{
    return any_word(name, length, is_password_word);
}

/* The length of the value at VALUE: to the closing quote, or to where a word of a text or a command ends. */
static size_t value_length(const char *value, size_t *quote)
{
    *quote = value[0] == '"' || value[0] == '\'';
    if (*quote)
        return strcspn(value + 1, value[0] == '"' ? "\"\n" : "'\n");
    return strcspn(value, " \t\r\n\"'`,;&|<>)");
}

/* Of "name: value", which is prose more often than not: what is no plain word. */
bool redact_value_like(const char *value, size_t length)
{
    bool digit = false, upper = false, lower = false;

    for (size_t i = 0; i < length; i++) {
        digit |= is_digit(value[i]);
        upper |= i && is_upper(value[i]);
        lower |= is_lower(value[i]);
    }
    return length >= 8 && (digit || (upper && lower));
}

/* A header's line: "Authorization: Bearer …", "Cookie: a=b; c=d". */
static bool is_header(const char *name, size_t length)
{
    return ends_with(name, length, "Authorization") || ends_with(name, length, "Cookie");
}

/* The word behind an option: "--api-key value", or the next of a list of arguments, "--api-key", "value". A path is
 * where a key is, not the key. NAME is the option's, without dashes. */
static size_t option_value_at(const char *name, size_t length, size_t shortest, size_t *skip)
{
    const char *value = name + length;
    bool listed = strncmp(value, "\", \"", 4) == 0, password = redact_password_name(name, length);
    size_t quote = 0, n;

    if (!listed && *value != ' ')
        return 0;
    value += listed ? 4 : strspn(value, " ");
    n = listed ? strcspn(value, "\"") : value_length(value, &quote);
    if (n < shortest || value[quote] == '-' || (!password && value[quote] == '/') ||
        (!password && !listed && !quote && !redact_value_like(value, n)))
        return 0;
    *skip = (size_t)(value - name) + quote;
    return n;
}

/* NAME=value, NAME="value", "name": "value", name: value, name is value, Authorization: rest of the line. AT is the
 * name's first letter. */
static size_t named_at(const char *text, size_t at, size_t shortest, size_t *skip)
{
    const char *name = text + at, *value;
    size_t length = 0, quote, n;
    bool colon, header;

    if (*name == '-') /* an option's name begins behind its dashes */
        return 0;
    while (length < NAME_LONGEST && (is_name(name[length]) || (name[length] == '.' && is_alnum(name[length + 1]))))
        length++;
    if (!length || !redact_secret_name(name, length))
        return 0;
    if (at && text[at - 1] == '-' && (n = option_value_at(name, length, shortest, skip)))
        return n;
    value = name + length;
    if (*value == '"' || *value == '\'')
        value++;
    if (strncmp(value, " is ", 4) == 0 &&
        !(at && text[at - 1] == '/')) /* "the password is …"; "/bin/passwd is …" not */
        value += 3;
    else if (*value != '=' && *value != ':')
        return 0;
    colon = *value++ != '=';
    if (colon)
        value += strspn(value, " ");
    n = value_length(value, &quote);
    header = colon && !quote && is_header(name, length);
    if (header)
        n = strcspn(value, "\r\n\"'");
    if (n < shortest || (colon && !quote && !header && !redact_value_like(value, n)))
        return 0;
    *skip = (size_t)(value - name) + quote;
    return n;
}

/* --- by shape --- */

/* How issuers begin their keys, and how many characters follow at least. */
static size_t issued_at(const char *s)
{
    static const struct {
        const char *start;
        size_t least;
    } shapes[] = {
        {"ghp_", 30},        {"gho_", 30},     {"ghu_", 30},     {"ghs_", 30},     {"ghr_", 30},
        {"github_pat_", 30}, {"glpat-", 16},   {"gldt-", 16},    {"glrt-", 16},    {"npm_", 30},
        {"pypi-AgE", 20},    {"xoxb-", 10},    {"xoxp-", 10},    {"xoxa-", 10},    {"xoxr-", 10},
        {"xoxs-", 10},       {"xapp-", 10},    {"AKIA", 16},     {"ASIA", 16},     {"sk-", 20},
        {"sk_live_", 10},    {"sk_test_", 10}, {"rk_live_", 10}, {"rk_test_", 10}, {"AIza", 30},
        {"ya29.", 20},       {"SG.", 30},      {"hf_", 30},      {"dop_v1_", 30},  {"shpat_", 20},
        {"shpss_", 20},      {"hvs.", 20},     {"eyJ", 20},      {"age1", 50},     {"AGE-SECRET-KEY-1", 20},
        {"dckr_pat_", 20},   {"lin_api_", 20}, {"sntrys_", 20},  {"PMAK-", 30},    {"EAACEdEose0cBA", 10},
        {"whsec_", 20},
    };

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t start = strlen(shapes[i].start), n = start;

        if (strncmp(s, shapes[i].start, start) != 0)
            continue;
        while (is_name(s[n]) || s[n] == '.' || s[n] == '=')
            n++;
        while (n > start && s[n - 1] == '.')
            n--;
        if (n - start >= shapes[i].least)
            return n;
    }
    return 0;
}

/* The password of scheme://user:password@host; AT is the "://". */
static size_t url_password_at(const char *s, size_t *skip)
{
    size_t user, length;

    if (strncmp(s, "://", 3) != 0)
        return 0;
    user = 3 + strcspn(s + 3, " \t\n/?#\"'<>@:");
    if (s[user] != ':')
        return 0;
    length = strcspn(s + user + 1, " \t\n/?#\"'<>@");
    if (!length || s[user + 1 + length] != '@')
        return 0;
    *skip = user + 1;
    return length;
}

/* A private key in PEM (RFC 7468): all up to its end, or up to the end of the text. */
static size_t pem_at(const char *s, size_t *skip)
{
    const char *mark =
        strncmp(s, "-----BEGIN ", 11) == 0 ? memmem(s, strnlen(s, PEM_LABEL), "PRIVATE KEY-----", 16) : NULL;
    const char *end;

    if (!mark)
        return 0;
    end = strstr(mark + 16, "-----END ");
    *skip = (size_t)(mark + 16 - s);
    return end ? (size_t)(end - mark) - 16 : strlen(mark + 16);
}

/* Characters of a base64 or base64url string; a slash only where SLASH. */
static bool is_base64(char c, bool slash)
{
    return is_alnum(c) || c == '+' || c == '-' || c == '_' || (slash && c == '/');
}

/* Whether LENGTH characters look drawn at random rather than named by a person: all three kinds of characters, and a
 * change of kind more often than words in capitals and digits have it. Hexadecimal has two kinds at most, and stays. */
static bool is_random(const char *s, size_t length)
{
    size_t digits = 0, uppers = 0, lowers = 0, changes = 0, marks = 0, run = 0, words = 0;

    for (size_t i = 0; i < length; i++) {
        int kind = is_digit(s[i]) ? 0 : is_upper(s[i]) ? 1 : is_lower(s[i]) ? 2 : 3;
        int before = !i ? kind : is_digit(s[i - 1]) ? 0 : is_upper(s[i - 1]) ? 1 : is_lower(s[i - 1]) ? 2 : 3;

        digits += kind == 0;
        uppers += kind == 1;
        lowers += kind == 2;
        marks += kind == 3;
        changes += kind != before;
        run = kind == 2 ? run + 1 : 0;
        words += run == WORD_LETTERS;
    }
    return words < 2 && digits * 20 >= length && uppers * 7 >= length && lowers * 7 >= length && marks * 8 <= length &&
           changes * 100 >= length * 42;
}

/* Names that compilers and linkers make: Itanium C++, Rust, D. */
static bool is_mangled(const char *s)
{
    return strncmp(s, "_Z", 2) == 0 || strncmp(s, "__Z", 3) == 0 || strncmp(s, "_R", 2) == 0 ||
           strncmp(s, "_D", 2) == 0 || strncmp(s, "ZN", 2) == 0;
}

static size_t random_at(const char *text, size_t at)
{
    const char *s = text + at;
    size_t length = 0, slashed = 0;

    /* a component of a path, the rest of a name or of a larger token: whoever made it gave it a place to be found at */
    if (at && (is_base64(text[at - 1], true) || text[at - 1] == '.' || text[at - 1] == '@' || text[at - 1] == '$'))
        return 0;
    while (is_base64(s[length], false))
        length++;
    while (is_base64(s[slashed], true))
        slashed++;
    if (is_mangled(s) || s[0] == '/' || s[0] == '.')
        return 0;
    if (slashed > length) {
        length = slashed;
        if (length < BASE64_SHORTEST)
            return 0;
    }
    if (s[length] == '.' && is_alnum(s[length + 1])) /* a file name */
        return 0;
    if (length < RANDOM_SHORTEST || !is_random(s, length))
        return 0;
    while (s[length] == '=')
        length++;
    return length;
}

size_t redact_secret_at(const char *text, size_t at, size_t shortest, size_t *skip)
{
    const char *s = text + at;
    bool begins = !at || !is_name(text[at - 1]) || (text[at - 1] == '-' && (at < 2 || !is_alnum(text[at - 2])));
    size_t length;

    *skip = 0;
    if (*s == '-' && (length = pem_at(s, skip)))
        return length;
    if (*s == ':' && (length = url_password_at(s, skip)))
        return length;
    if (!begins)
        return 0;
    if ((length = issued_at(s)))
        return length;
    if ((length = named_at(text, at, shortest, skip)))
        return length;
    return random_at(text, at);
}
