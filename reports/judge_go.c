/* Where a Go program says that it panicked: the goroutine's own traceback (runtime/traceback.go), which knows more than
 * a stack of machine frames does. */
#include "judge.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

/* Frames of the runtime stand above the one that is meant. */
static bool of_runtime(const char *function)
{
    return strncmp(function, "panic(", 6) == 0 || strncmp(function, "runtime.", 8) == 0 ||
           strncmp(function, "runtime/", 8) == 0;
}

/* "\t/src/main.go:12 +0x1d": the path and the line. */
static bool position(const char *line, struct frame *frame)
{
    const char *colon = line[0] == '\t' ? strrchr(line, ':') : NULL;

    if (!colon || !isdigit((unsigned char)colon[1]))
        return false;
    frame->file = xstrndup(line + 1, (size_t)(colon - line - 1));
    frame->line = (unsigned)strtoul(colon + 1, NULL, 10);
    return true;
}

size_t go_frames(const struct process *process, struct frame **ret)
{
    const struct strings *words = &process->words;
    size_t count = 0, cap = 0, i = 0;

    *ret = NULL;
    if (process->words_kind != WORDS_GO)
        return 0;
    while (i < words->n && strncmp(words->v[i], "goroutine ", 10) != 0)
        i++;
    for (i++; i + 1 < words->n && strncmp(words->v[i], "goroutine ", 10) != 0; i += 2) {
        const char *function = words->v[i];
        const char *open = strrchr(function, '('),
                   *made = strncmp(function, "created by ", 11) == 0 ? function + 11 : NULL;
        struct frame frame = {0};

        if ((!open && !made) || !position(words->v[i + 1], &frame))
            break;
        frame.symbol = made ? xstrndup(made, strcspn(made, " ")) : xstrndup(function, (size_t)(open - function));
        if (of_runtime(function) && !count) {
            free(frame.symbol);
            free(frame.file);
            continue;
        }
        *(struct frame *)array_add(ret, &count, &cap, sizeof frame) = frame;
    }
    return count;
}

char *go_place(const struct process *process)
{
    struct frame *frames;
    size_t count = go_frames(process, &frames);
    char *place = count ? xasprintf("%s (%s:%u)", frames[0].symbol, path_base(frames[0].file), frames[0].line) : NULL;

    frames_free(frames, count);
    return place;
}
