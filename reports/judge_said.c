/* The loader's own words as a program passes them on: dlerror(3) in an exception, a log line, a traceback.
 *
 * A dlsym() that finds nothing makes no system call. If the program then says in the loader's words (elf/dl-lookup.c:
 * "%s: undefined symbol: %s%s%s" with ", version ") which symbol was missing and comes to harm, that is believed where
 * the model agrees that no object of the process has it. The words are recognised by their shape and by the names in
 * them; dlerror() translates some messages, not this one's names. */
#include "judge.h"

#include <string.h>

#include <probes/alloc.h>

struct said {
    char *object; /* before the colon: the object that was asked, or NULL */
    char *symbol, *version;
};

static const char *const shapes[] = {": undefined symbol: ", ": symbol not found: "};

static char *word_at(const char *p, const char *stop)
{
    size_t n = strcspn(p, stop);

    while (n && strchr(".,;:'\")", p[n - 1]))
        n--;
    return n ? xstrndup(p, n) : NULL;
}

/* The path that ends where the shape begins: from the last blank before it. */
static char *object_before(const char *line, const char *at)
{
    const char *start = at;

    while (start > line && !strchr(" \t'\"(", start[-1]))
        start--;
    return at > start ? xstrndup(start, (size_t)(at - start)) : NULL;
}

static bool said_parse(const char *line, struct said *ret)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const char *at = strstr(line, shapes[i]), *version;

        if (!at)
            continue;
        *ret = (struct said){.object = object_before(line, at), .symbol = word_at(at + strlen(shapes[i]), " \t,\r")};
        version = strstr(at, ", version ");
        if (version)
            ret->version = word_at(version + strlen(", version "), " \t\r");
        return ret->symbol != NULL;
    }
    return false;
}

static void said_deinit(struct said *said)
{
    free(said->object);
    free(said->symbol);
    free(said->version);
}

static const struct object *object_named(const struct load *load, const char *name)
{
    const struct object *object = name && name[0] == '/' ? load_find(load, name) : NULL;

    for (size_t i = 0; !object && name && i < load->object_count; i++)
        if (strcmp(path_base(load->objects[i]->path), path_base(name)) == 0)
            object = load->objects[i];
    return object;
}

static bool defined_anywhere(const struct load *load, const struct said *said)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (elffile_lookup(load->objects[i]->elf, said->symbol, said->version))
            return true;
    return false;
}

void judge_said(struct process *process, const struct load *load)
{
    for (size_t i = process->line_count; i-- > 0;) {
        const struct output_line *line = &process->lines[i];
        struct said said;

        if (line->by == BY_LOADER || !said_parse(line->text, &said))
            continue;
        const struct object *object = object_named(load, said.object);

        if (object ? !elffile_lookup(object->elf, said.symbol, said.version) : !defined_anywhere(load, &said)) {
            CLEANUP_FREE char *missing =
                said.version ? xasprintf("%s@%s", said.symbol, said.version) : xstrdup(said.symbol);
            struct fault fault = {.kind = FAULT_SYMBOL,
                                  .subject = object ? object : load->objects[0],
                                  .name = said.symbol,
                                  .version = said.version,
                                  .lazy = true};
            struct finding finding = {.kind = CAUSE_SYMBOL_MISSING,
                                      .subject = fault.subject->path,
                                      .missing = missing,
                                      .process = process,
                                      .load = load,
                                      .fault = &fault};
            struct suspect *suspect = suspect_add(process, AT_DLOPEN, &finding, line->n, process->end_ns);

            if (suspect)
                strings_add(&suspect->needles, xstrdup(said.symbol));
        }
        said_deinit(&said);
        return; /* the last words count */
    }
}
