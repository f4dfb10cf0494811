#include "report_rename.h"

#include "report_each.h"
#include "text.h"

#include <probes/alloc.h>

#include <string.h>

struct rename {
    const char *place, *before, *whole;
};

static void change(void *ctx, char **string)
{
    const struct rename *names = ctx;
    size_t length = strlen(names->place);
    struct text text = {0};
    const char *at = *string, *found;

    if (!strstr(at, names->place))
        return;
    for (; (found = strstr(at, names->place)); at = found + length) {
        text_addn(&text, at, (size_t)(found - at));
        if (found[length] == '/' && found[length + 1]) {
            text_add(&text, names->before);
            found++;
        } else {
            text_add(&text, names->whole);
        }
    }
    text_add(&text, at);
    free(*string);
    *string = text.v;
}

void report_rename(struct report *report, size_t first, const char *place, const char *before, const char *whole)
{
    struct rename names = {place, before, whole};

    report_each_string(report, first, change, &names);
}
