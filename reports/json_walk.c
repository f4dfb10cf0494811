#include "json_walk.h"

#include "text.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <string.h>

struct walker {
    const char *at, *end;
    void (*value)(void *ctx, const char *const *names, size_t depth, const char *value);
    void *ctx;
    const char *names[JSON_WALK_DEPTH];
    size_t depth;
};

static bool any_value(struct walker *walker);

static void blanks(struct walker *walker)
{
    while (walker->at < walker->end && strchr(" \t\r\n", *walker->at) && *walker->at)
        walker->at++;
}

static bool taken(struct walker *walker, char c)
{
    blanks(walker);
    if (walker->at >= walker->end || *walker->at != c)
        return false;
    walker->at++;
    return true;
}

static bool four_digits(struct walker *walker, unsigned *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, walker->at++) {
        if (walker->at >= walker->end || !isxdigit((unsigned char)*walker->at))
            return false;
        *ret = *ret * 16 + (isdigit((unsigned char)*walker->at) ? (unsigned)(*walker->at - '0')
                                                                : (unsigned)((*walker->at | 32) - 'a' + 10));
    }
    return true;
}

static void add_letter(struct text *text, unsigned code)
{
    if (code < 0x80) {
        text_addc(text, (char)code);
    } else if (code < 0x800) {
        text_addc(text, (char)(0xc0 | code >> 6));
        text_addc(text, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        text_addc(text, (char)(0xe0 | code >> 12));
        text_addc(text, (char)(0x80 | (code >> 6 & 0x3f)));
        text_addc(text, (char)(0x80 | (code & 0x3f)));
    } else {
        text_addc(text, (char)(0xf0 | code >> 18));
        text_addc(text, (char)(0x80 | (code >> 12 & 0x3f)));
        text_addc(text, (char)(0x80 | (code >> 6 & 0x3f)));
        text_addc(text, (char)(0x80 | (code & 0x3f)));
    }
}

/* What follows a backslash. */
static bool escape(struct walker *walker, struct text *text)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *letter;
    unsigned code, low;

    if (walker->at >= walker->end)
        return false;
    letter = *walker->at ? strchr(letters, *walker->at) : NULL;
    if (letter) {
        text_addc(text, meant[letter - letters]);
        walker->at++;
        return true;
    }
    if (*walker->at++ != 'u' || !four_digits(walker, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && walker->end - walker->at >= 6 && memcmp(walker->at, "\\u", 2) == 0) {
        walker->at += 2;
        if (!four_digits(walker, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code) /* a NUL would end the string */
        add_letter(text, code);
    return true;
}

/* A string, malloced; NULL where none stands there. */
static char *string(struct walker *walker)
{
    struct text text = {0};

    if (!taken(walker, '"'))
        return NULL;
    text_add(&text, "");
    while (walker->at < walker->end && *walker->at != '"') {
        char c = *walker->at++;

        if (c == '\\' ? escape(walker, &text) : c != '\0') {
            if (c != '\\')
                text_addc(&text, c);
            continue;
        }
        text_deinit(&text);
        return NULL;
    }
    if (!taken(walker, '"')) {
        text_deinit(&text);
        return NULL;
    }
    return text.v;
}

static bool below(struct walker *walker, const char *name)
{
    bool sound;

    if (walker->depth >= JSON_WALK_DEPTH)
        return false;
    walker->names[walker->depth++] = name;
    sound = any_value(walker);
    walker->depth--;
    return sound;
}

static bool object(struct walker *walker)
{
    if (taken(walker, '}'))
        return true;
    do {
        CLEANUP_FREE char *name = string(walker);

        if (!name || !taken(walker, ':') || !below(walker, name))
            return false;
    } while (taken(walker, ','));
    return taken(walker, '}');
}

static bool array(struct walker *walker)
{
    size_t index = 0;

    if (taken(walker, ']'))
        return true;
    do {
        CLEANUP_FREE char *name = xasprintf("%zu", index++);

        if (!below(walker, name))
            return false;
    } while (taken(walker, ','));
    return taken(walker, ']');
}

/* A number, or true, false, null. */
static bool word(struct walker *walker)
{
    const char *start = walker->at;
    CLEANUP_FREE char *text = NULL;

    while (walker->at < walker->end &&
           (isalnum((unsigned char)*walker->at) || (*walker->at && strchr("+-.", *walker->at))))
        walker->at++;
    if (walker->at == start)
        return false;
    text = xstrndup(start, (size_t)(walker->at - start));
    walker->value(walker->ctx, walker->names, walker->depth, text);
    return true;
}

static bool any_value(struct walker *walker)
{
    blanks(walker);
    if (walker->at < walker->end && *walker->at == '"') {
        CLEANUP_FREE char *text = string(walker);

        if (text)
            walker->value(walker->ctx, walker->names, walker->depth, text);
        return text != NULL;
    }
    if (taken(walker, '{'))
        return object(walker);
    return taken(walker, '[') ? array(walker) : word(walker);
}

bool json_walk(const char *text, size_t size,
               void (*value)(void *ctx, const char *const *names, size_t depth, const char *value), void *ctx)
{
    struct walker walker = {.at = text, .end = text + size, .value = value, .ctx = ctx};

    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, which some editors leave */
        walker.at += 3;
    if (!any_value(&walker))
        return false;
    blanks(&walker);
    return walker.at == walker.end;
}
