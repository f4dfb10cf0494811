#include "bindings.h"

#include <probes/slots.h>
#include <reports/line_loader.h>

struct table {
    FILE *out;
    pid_t pid;
    struct text text;
};

static const char *path_of(const struct linkmap_object *object)
{
    return object->path ? object->path : object->name;
}

static void take(void *ctx, const struct slot *slot)
{
    struct table *table = ctx;
    struct event_lookup lookup = {
        .symbol = slot->symbol,
        .version = slot->version,
        .from = path_of(slot->from),
        .to = slot->to                   ? path_of(slot->to)
              : slot->state == SLOT_LAZY ? "not bound yet"
                                         : NULL,
        .instead = slot->state == SLOT_UNKNOWN ? "it leads to no object that is loaded" : NULL,
    };

    text_clear(&table->text);
    text_addf(&table->text, "[pid %5d] ", (int)table->pid);
    line_lookup_add(&lookup, false, &table->text);
    text_addc(&table->text, '\n');
    fwrite(table->text.v, 1, table->text.n, table->out);
}

void bindings_write(FILE *out, pid_t pid, struct linkmap *linkmap)
{
    struct table table = {.out = out, .pid = pid};
    struct slots_result result;

    if (linkmap->source == LINKMAP_OF_FILES) {
        fprintf(out, "[pid %5d] --- it has no dynamic loader, and no bindings ---\n", (int)pid);
    } else {
        slots_read(linkmap, false, &(struct slot_sink){take, &table}, &result);
        fprintf(out, "[pid %5d] --- %zu references bound, %zu not yet, %zu of weak ones to nothing, %zu not known",
                (int)pid, result.bound, result.lazy, result.none, result.unknown);
        if (result.unread || linkmap->damaged)
            fprintf(out, "; the tables of %zu objects could not be read", result.unread);
        fprintf(out, " ---\n");
    }
    fflush(out);
    text_deinit(&table.text);
}
