#include "report.h"

#include <string.h>

const struct renderer *const renderers[] = {&renderer_text, &renderer_json,    &renderer_markdown, &renderer_html,
                                            &renderer_dot,  &renderer_mermaid, &renderer_sarif,    NULL};

const struct renderer *renderer_for(const char *file)
{
    size_t length = strlen(file);

    if (strcmp(file, "-") == 0)
        return &renderer_text;
    for (size_t i = 0; renderers[i]; i++) {
        size_t ending = strlen(renderers[i]->ending);

        if (length >= ending && strcmp(file + length - ending, renderers[i]->ending) == 0)
            return renderers[i];
    }
    return NULL;
}
