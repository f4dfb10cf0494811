#include "stack.h"

#include <stdlib.h>

void frames_free(struct frame *frames, size_t count)
{
    for (size_t i = 0; frames && i < count; i++) {
        free(frames[i].object);
        free(frames[i].symbol);
        free(frames[i].file);
    }
    free(frames);
}
