/* Names from debug information that is not installed, when all is over: a server may take its time, and no program
 * stands still for it. */
#include "report.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/codefile.h>
#include <probes/debuginfod.h>

enum {
    WAIT_MS = 15000, /* for servers, in all */
    INLINED_MOST = 16,
    FRAMES_MOST = 1024,
};

struct known {
    char *build_id;
    struct codefile *file; /* NULL: it cannot be had */
};

struct late {
    struct known *known;
    size_t count, cap;
    unsigned left_ms;
};

/* DEBUG is of the object with that BUILD_ID. */
static bool is_of(const struct codefile *debug, const char *build_id)
{
    const uint8_t *id;
    size_t n = codefile_build_id(debug, &id);

    if (strlen(build_id) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char hex[3];

        snprintf(hex, sizeof hex, "%02x", id[i]);
        if (strncmp(hex, build_id + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

static struct codefile *file_of(struct late *late, const char *build_id)
{
    struct known *known;
    int fd;

    for (size_t i = 0; i < late->count; i++)
        if (strcmp(late->known[i].build_id, build_id) == 0)
            return late->known[i].file;
    known = array_add(&late->known, &late->count, &late->cap, sizeof *known);
    known->build_id = xstrdup(build_id);
    fd = debuginfod_open(build_id, &late->left_ms);
    known->file = fd >= 0 ? codefile_open(fd) : NULL;
    if (known->file && !is_of(known->file, build_id)) {
        codefile_close(known->file);
        known->file = NULL;
    }
    return known->file;
}

/* What FRAME is, inlined functions apart: their number, 0 where no more is known than before. */
static size_t name_frame(struct late *late, const struct frame *frame, struct frame names[INLINED_MOST])
{
    bool open = frame->build_id && !frame->file && !frame->inlined;
    struct codefile *file = open ? file_of(late, frame->build_id) : NULL;
    size_t count = file ? codefile_names(file, frame->offset - frame->after_call, names, INLINED_MOST) : 0;

    for (size_t i = 0; i < count; i++) {
        names[i].ip_addr = frame->ip_addr;
        names[i].object = xstrdup_or_null(frame->object);
        names[i].offset = frame->offset;
        names[i].into = names[i].into ? frame->offset - names[i].into : 0;
        names[i].inlined = i + 1 < count;
        if (!names[i].symbol && i + 1 == count)
            names[i].symbol = xstrdup_or_null(frame->symbol);
    }
    return count;
}

static void name_stack(struct late *late, struct cause *cause)
{
    struct frame *named = NULL, names[INLINED_MOST];
    size_t count = 0, cap = 0;

    for (size_t i = 0; i < cause->stack_count && count < FRAMES_MOST; i++) {
        size_t n = name_frame(late, &cause->stack[i], names);

        for (size_t k = 0; k < n; k++)
            *(struct frame *)array_add(&named, &count, &cap, sizeof *named) = names[k];
        if (n)
            frame_deinit(&cause->stack[i]);
        else
            *(struct frame *)array_add(&named, &count, &cap, sizeof *named) = cause->stack[i];
    }
    free(cause->stack);
    cause->stack = named;
    cause->stack_count = count;
}

void report_name_stacks(struct report *report)
{
    struct late late = {.left_ms = WAIT_MS};

    for (size_t i = 0; i < report->cause_count; i++)
        if (report->causes[i]->stack_count)
            name_stack(&late, report->causes[i]);
    for (size_t i = 0; i < late.count; i++) {
        free(late.known[i].build_id);
        codefile_close(late.known[i].file);
    }
    free(late.known);
}
