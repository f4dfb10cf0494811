/* A JSON document of somebody else's, gone through value by value: for the few that are wanted of a package.json or a
 * signature's manifest. RFC 8259; hostile input: depth is bounded, nothing is copied but strings. json_line.h is for
 * our own logs, where speed counts: it keeps what is one level down, and here four are needed. */
#ifndef GLIBCTRACE_REPORTS_JSON_WALK_H
#define GLIBCTRACE_REPORTS_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>

enum { JSON_WALK_DEPTH = 32 };

/* Calls VALUE for each string, number and word ("true") of TEXT, with the DEPTH names that lead there (in an array:
 * "0", "1", …). Names and values are decoded, and the call's. False where TEXT is no JSON. */
bool json_walk(const char *text, size_t size,
               void (*value)(void *ctx, const char *const *names, size_t depth, const char *value), void *ctx);

#endif
