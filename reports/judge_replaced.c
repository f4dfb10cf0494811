/* A library whose file was replaced while the process had it loaded, as an upgrade does: the loader answers for the old
 * one, which is mapped, and the files tell of the new one. What the loader says then is believed, and the mappings say
 * why the file does not bear it out. */
#include "judge.h"

#include "told.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/maps.h>

static const struct object *object_called(const struct load *load, const char *name)
{
    const struct object *object = name && name[0] == '/' ? load_find(load, name) : NULL;

    for (size_t i = 0; !object && name && i < load->object_count; i++)
        if (strcmp(path_base(load->objects[i]->path), path_base(name)) == 0)
            object = load->objects[i];
    return object;
}

/* The symbols of the subject that carry the version. */
static void list_symbols(struct fault *fault)
{
    const struct elffile *elf = fault->subject->elf;

    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *symbol = &elf->symbols[i];

        if (symbol->defined || !symbol->version || strcmp(symbol->version, fault->name) != 0)
            continue;
        fault->symbols = xreallocarray(fault->symbols, fault->symbol_count + 1, sizeof *fault->symbols);
        fault->symbols[fault->symbol_count++] = symbol->name;
    }
}

struct suspect *judge_replaced(struct process *process, const struct maps *maps, const struct load *load,
                               const struct told *told, uint64_t n, uint64_t t_ns)
{
    const struct object *provider = object_called(load, told->object), *needer = object_called(load, told->needer);
    struct fault fault = {.kind = FAULT_VERSION, .subject = needer, .name = told->version, .provider = provider};
    struct finding finding = {.kind = CAUSE_SYMBOL_VERSION_MISSING,
                              .process = process,
                              .load = load,
                              .fault = &fault,
                              .missing = told->version,
                              .replaced = true};
    struct suspect *suspect;

    if (!told->version || !provider || !needer || maps_has(maps, process->root, provider->path) != 0)
        return NULL;
    finding.subject = needer->path;
    finding.provider = provider->path;
    list_symbols(&fault);
    suspect = suspect_add(process, AT_DLOPEN, &finding, n, t_ns);
    free(fault.symbols);
    if (!suspect)
        return NULL;
    strings_add(&suspect->needles, xstrdup(told->version));
    strings_add(&suspect->needles, xstrdup(needer->path));
    return suspect;
}
