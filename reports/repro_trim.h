/* What a scenario's objects are in its reproduction: the same without whatever the failure does not need. Needs that
 * are met, libraries that are not part of the scenario, definitions that nobody asks for: all of these could be taken
 * away from the reproduction without a change, and so they are not in it. */
#ifndef GLIBCTRACE_REPORTS_REPRO_TRIM_H
#define GLIBCTRACE_REPORTS_REPRO_TRIM_H

#include "scenario.h"

/* OBJECT, trimmed; the caller's. */
struct mini_object *trim_object(const struct scenario *scenario, const struct mini_object *object);
/* The name of OBJECT's file: that by which it is asked for. */
const char *trim_file_name(const struct scenario *scenario, const struct mini_object *object);
/* Whether OBJECT is what is meant by ASKED. A name that holds a slash is asked for as a path; its last component counts
 * here. */
bool trim_answers_to(const struct mini_object *object, const char *asked);
bool trim_asks_for(const struct mini_object *object, const char *name);
bool trim_anyone_asks_for(const struct scenario *scenario, const char *name);
bool trim_defines(const struct mini_object *object, const struct mini_symbol *symbol);
/* musl's loader takes some names for itself and loads no file (load_library in ldso/dynlink.c). */
bool trim_is_musl_itself(const struct scenario *scenario, const struct mini_object *object);

#endif
