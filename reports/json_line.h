/* One JSON object on one line, read in place: for files of a million lines, where a tree of allocated values would cost
 * more than everything else. Hostile input: depth, counts and numbers are bounded. */
#ifndef GLIBCTRACE_REPORTS_JSON_LINE_H
#define GLIBCTRACE_REPORTS_JSON_LINE_H

#include <probes/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,  /* of anything; its items stand at json_line.items */
    JSON_NESTED, /* an object, or an array inside an array: checked and passed over, but that an object in an array has
                    its members at json_line.inner, and one that is a member's own value at json_line.direct */
};

struct json_value {
    enum json_type type;
    const char *string; /* STRING: decoded, NUL-terminated, in the line's own bytes */
    size_t size;        /* STRING: bytes, as "\u0000" may stand inside; ARRAY: number of items; NESTED: of members */
    double number;      /* NUMBER; of any array the number of its items */
    size_t first;       /* ARRAY: index of its first item; NESTED: of its first member */
    bool direct;        /* NESTED: those are in json_line.direct */
};

struct json_member {
    const char *key;
    struct json_value value;
};

struct json_line {
    struct json_member *members;
    size_t count, cap;
    struct json_value *items;
    size_t item_count, item_cap;
    struct json_member *inner;
    size_t inner_count, inner_cap;
    struct json_member *direct;
    size_t direct_count, direct_cap;
};

/* Reads TEXT (N bytes and a NUL), which is changed: the strings are decoded in place and stay valid as long as TEXT.
 * RET is reused from line to line; start with {0}. Below zero with ERR where TEXT is no single JSON object. */
int json_line_parse(struct json_line *ret, char *text, size_t n, struct err *err);
void json_line_deinit(struct json_line *line);

/* The value of KEY (the first one of that name), or NULL. */
const struct json_value *json_line_get(const struct json_line *line, const char *key);
/* Its string, NULL where it is absent or no string. */
const char *json_line_string(const struct json_line *line, const char *key);
/* Its number, DEFAULT where it is absent, no number, no whole number or outside int64_t. */
int64_t json_line_int(const struct json_line *line, const char *key, int64_t otherwise);
/* "0x7f…" as a number, 0 where it is absent or no such string. */
uint64_t json_line_addr(const struct json_line *line, const char *key);
uint64_t json_value_addr(const struct json_value *value);
/* The value of KEY in OBJECT, an item of one of LINE's arrays or the value of one of its keys; or NULL. */
const struct json_value *json_line_within(const struct json_line *line, const struct json_value *object,
                                          const char *key);
bool json_line_true(const struct json_line *line, const char *key);

#endif
