#include "json_line.h"

#include "utf8.h"

#include <probes/alloc.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

enum { MEMBERS_MOST = 256, ITEMS_MOST = 1 << 20, DEPTH_MOST = 32 };

struct scan {
    struct json_line *line;
    char *at, *end;  /* *end is a NUL */
    const char *why; /* what is wrong, once something is */
};

static bool parse_value(struct scan *scan, struct json_value *ret, int depth);

static bool fail(struct scan *scan, const char *why)
{
    scan->why = why;
    return false;
}

static void skip_space(struct scan *scan)
{
    while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n')
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    skip_space(scan);
    if (*scan->at != c || scan->at == scan->end)
        return false;
    scan->at++;
    return true;
}

static int hex4(const char *s)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int c = tolower((unsigned char)s[i]);

        if (!isxdigit(c))
            return -1;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* The code point of \uXXXX, of which scan->at is behind the u; half a surrogate pair is U+FFFD. */
static bool parse_unicode(struct scan *scan, uint32_t *ret)
{
    int high = hex4(scan->at), low;

    if (high < 0)
        return fail(scan, "no hexadecimal digits after \\u");
    scan->at += 4;
    *ret = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    *ret = 0xfffd;
    if (high > 0xdbff || scan->at[0] != '\\' || scan->at[1] != 'u')
        return true;
    low = hex4(scan->at + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return true;
    scan->at += 6;
    *ret = 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
    return true;
}

/* An escape at scan->at, behind its backslash; *TO is where its bytes go. A decoded one is never the longer. */
static bool parse_escape(struct scan *scan, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = *scan->at ? strchr(letters, *scan->at) : NULL;
    uint32_t point;

    if (letter) {
        *(*to)++ = meanings[letter - letters];
        scan->at++;
        return true;
    }
    if (*scan->at != 'u')
        return fail(scan, "an escape that JSON does not have");
    scan->at++;
    if (!parse_unicode(scan, &point))
        return false;
    *to += utf8_put(point, *to);
    return true;
}

/* Bytes from S on that stand for themselves. */
static size_t plain_length(const char *s)
{
    size_t n = 0;

    while ((unsigned char)s[n] >= ' ' && (unsigned char)s[n] < 0x80 && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

static bool parse_string(struct scan *scan, const char **string, size_t *size)
{
    char *to = scan->at;
    uint32_t point;

    *string = to;
    while (true) {
        size_t n = plain_length(scan->at);

        if (!n && *scan->at & 0x80)
            n = utf8_decode(scan->at, &point);
        if (n && to != scan->at)
            memmove(to, scan->at, n);
        to += n;
        scan->at += n;
        if (*scan->at == '"')
            break;
        if (*scan->at == '\\') {
            scan->at++;
            if (!parse_escape(scan, &to))
                return false;
        } else if (!n) {
            return fail(scan, *scan->at & 0x80 ? "bytes that are no UTF-8"
                                               : "a string that does not end, or a control character in it");
        }
    }
    scan->at++;
    *to = '\0';
    *size = (size_t)(to - *string);
    return true;
}

static bool parse_number(struct scan *scan, double *ret)
{
    char *end;
    size_t n = strspn(scan->at, "+-0123456789.eE");

    if (!n || n > 64 || *scan->at == '+' || *scan->at == '.')
        return fail(scan, "something that is no value");
    *ret = strtod(scan->at, &end); /* the locale is C's: nobody calls setlocale(3) */
    if (end != scan->at + n || !isfinite(*ret))
        return fail(scan, "a number that is none");
    scan->at = end;
    return true;
}

static bool parse_word(struct scan *scan, struct json_value *ret)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i].word);

        if (strncmp(scan->at, words[i].word, n) != 0)
            continue;
        scan->at += n;
        ret->type = words[i].type;
        return true;
    }
    ret->type = JSON_NUMBER;
    return parse_number(scan, &ret->number);
}

/* Items of an array inside the object's own arrays are checked, not kept. */
static bool parse_array(struct scan *scan, struct json_value *ret, int depth)
{
    bool kept = depth == 1;

    *ret = (struct json_value){.type = kept ? JSON_ARRAY : JSON_NESTED, .first = scan->line->item_count};
    if (take(scan, ']'))
        return true;
    do {
        struct json_value item = {0};

        if (!parse_value(scan, &item, depth + 1))
            return false;
        ret->number++;
        if (!kept)
            continue;
        if (scan->line->item_count >= ITEMS_MOST)
            return fail(scan, "too many items");
        struct json_value *place =
            array_add(&scan->line->items, &scan->line->item_count, &scan->line->item_cap, sizeof *place);

        *place = item;
        ret->size++;
    } while (take(scan, ','));
    return take(scan, ']') || fail(scan, "an array that does not end");
}

static bool keep_member(struct scan *scan, const struct json_member *member, int depth)
{
    struct json_line *line = scan->line;
    struct json_member *place;

    if (depth == 0 && line->count >= MEMBERS_MOST)
        return fail(scan, "too many keys");
    if (line->inner_count >= ITEMS_MOST || line->direct_count >= ITEMS_MOST)
        return fail(scan, "too many items");
    if (depth == 0)
        place = array_add(&line->members, &line->count, &line->cap, sizeof *place);
    else if (depth == 1)
        place = array_add(&line->direct, &line->direct_count, &line->direct_cap, sizeof *place);
    else
        place = array_add(&line->inner, &line->inner_count, &line->inner_cap, sizeof *place);
    *place = *member;
    return true;
}

/* The members of the line's own object are kept, those of the objects that it has (depth 1), and those of the objects
 * in its arrays and in such objects (depth 2). */
static bool parse_object(struct scan *scan, int depth)
{
    if (take(scan, '}'))
        return true;
    do {
        struct json_member member = {0};
        size_t size;

        if (!take(scan, '"'))
            return fail(scan, "a key is missing");
        if (!parse_string(scan, &member.key, &size))
            return false;
        if (!take(scan, ':'))
            return fail(scan, "a colon is missing");
        if (!parse_value(scan, &member.value, depth + 1))
            return false;
        if (depth <= 2 && !keep_member(scan, &member, depth))
            return false;
    } while (take(scan, ','));
    return take(scan, '}') || fail(scan, "an object that does not end");
}

static bool parse_value(struct scan *scan, struct json_value *ret, int depth)
{
    if (depth > DEPTH_MOST)
        return fail(scan, "nested too deeply");
    if (take(scan, '"')) {
        ret->type = JSON_STRING;
        return parse_string(scan, &ret->string, &ret->size);
    }
    if (take(scan, '['))
        return parse_array(scan, ret, depth);
    if (take(scan, '{')) {
        bool direct = depth == 1;
        size_t *count = direct ? &scan->line->direct_count : &scan->line->inner_count;

        *ret = (struct json_value){.type = JSON_NESTED, .first = *count, .direct = direct};
        if (!parse_object(scan, depth))
            return false;
        ret->size = *count - ret->first;
        return true;
    }
    return parse_word(scan, ret);
}

int json_line_parse(struct json_line *ret, char *text, size_t n, struct err *err)
{
    struct scan scan = {.line = ret, .at = text, .end = text + n};

    ret->count = ret->item_count = ret->inner_count = ret->direct_count = 0;
    if (!take(&scan, '{'))
        return err_set(err, "no JSON object");
    if (!parse_object(&scan, 0))
        return err_set(err, "%s, at byte %zu", scan.why, (size_t)(scan.at - text) + 1);
    skip_space(&scan);
    if (scan.at != scan.end)
        return err_set(err, "more than one JSON object, at byte %zu", (size_t)(scan.at - text) + 1);
    return 0;
}

void json_line_deinit(struct json_line *line)
{
    free(line->members);
    free(line->items);
    free(line->inner);
    free(line->direct);
    *line = (struct json_line){0};
}

const struct json_value *json_line_get(const struct json_line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++)
        if (strcmp(line->members[i].key, key) == 0)
            return &line->members[i].value;
    return NULL;
}

const struct json_value *json_line_within(const struct json_line *line, const struct json_value *object,
                                          const char *key)
{
    const struct json_member *members = object->direct ? line->direct : line->inner;

    for (size_t i = 0; object->type == JSON_NESTED && i < object->size; i++)
        if (strcmp(members[object->first + i].key, key) == 0)
            return &members[object->first + i].value;
    return NULL;
}

const char *json_line_string(const struct json_line *line, const char *key)
{
    const struct json_value *value = json_line_get(line, key);

    return value && value->type == JSON_STRING ? value->string : NULL;
}

int64_t json_line_int(const struct json_line *line, const char *key, int64_t otherwise)
{
    const struct json_value *value = json_line_get(line, key);

    /* Both ends of int64_t, as doubles: the upper one is 2^63 itself, which does not fit. */
    if (!value || value->type != JSON_NUMBER || value->number < -9223372036854775808.0 ||
        value->number >= 9223372036854775808.0 || value->number != (double)(int64_t)value->number)
        return otherwise;
    return (int64_t)value->number;
}

uint64_t json_value_addr(const struct json_value *value)
{
    char *end;
    unsigned long long addr;

    if (!value || value->type != JSON_STRING || !isxdigit((unsigned char)value->string[0]))
        return 0;
    errno = 0;
    addr = strtoull(value->string, &end, 16);
    return errno || *end ? 0 : addr;
}

uint64_t json_line_addr(const struct json_line *line, const char *key)
{
    return json_value_addr(json_line_get(line, key));
}

bool json_line_true(const struct json_line *line, const char *key)
{
    const struct json_value *value = json_line_get(line, key);

    return value && value->type == JSON_TRUE;
}
