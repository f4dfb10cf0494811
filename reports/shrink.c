#include "shrink.h"

/* Takes away what is left of [FROM, TO), if all of that can go: whether it could. */
static bool take(bool *gone, size_t from, size_t to, bool (*holds)(void *ctx, const bool *gone), void *ctx)
{
    for (size_t i = from; i < to; i++)
        gone[i] = true;
    if (holds(ctx, gone))
        return true;
    for (size_t i = from; i < to; i++)
        gone[i] = false;
    return false;
}

/* The end of the next run of SIZE things at most that are still there, which begins at *FROM. */
static size_t next_run(size_t count, const bool *gone, size_t size, size_t *from)
{
    size_t to;

    while (*from < count && gone[*from])
        ++*from;
    for (to = *from; to < count && to - *from < size && !gone[to];)
        to++;
    return to;
}

bool shrink(size_t count, bool *gone, bool (*holds)(void *ctx, const bool *gone), void *ctx, size_t tries)
{
    bool went = false;

    for (size_t size = count; size; size = size > 1 ? (size + 1) / 2 : went) {
        went = false;
        for (size_t from = 0, to; (to = next_run(count, gone, size, &from)) > from; from = to) {
            if (!tries--)
                return false;
            went |= take(gone, from, to, holds, ctx);
        }
    }
    return true;
}
