/* An object that was there and was unloaded, at an address where nothing is mapped any more. */
#include "judge.h"

#include "crash.h"

#include <elf.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/maps.h>

enum { PAGE = 4096 };

static const char *function_at(const struct elffile *elf, uint64_t offset, uint64_t mask)
{
    for (size_t i = 0; i < elf->symbol_count; i++) {
        const struct elf_symbol *symbol = &elf->symbols[i];

        if (symbol->defined && symbol->type == STT_FUNC &&
            (mask ? (symbol->value & mask) == (offset & mask)
                  : offset >= symbol->value && offset - symbol->value < symbol->size))
            return symbol->name;
    }
    return NULL;
}

/* The loader said that it unloaded an object which had been there. */
static char *known(const struct process *process, uint64_t addr)
{
    for (size_t i = process->unloaded_count; i-- > 0;) {
        const struct unloaded *object = &process->unloaded[i];
        const struct elffile *elf;
        const char *function;
        char *text = NULL;

        if (addr < object->base_addr)
            continue;
        elf = elffile_get(process->root, object->path);
        if (elf->state == ELFFILE_OK && addr - object->base_addr < elf->file_size) {
            function = function_at(elf, addr - object->base_addr, 0);
            text = function ? xasprintf("%s of %s", function, object->path) : xstrdup(object->path);
        }
        elffile_put(elf);
        if (text)
            return text;
    }
    return NULL;
}

/* Which objects were unloaded is known (they were opened by the loader, and are not mapped), where they were is not;
 * but objects begin on a page, so a function's place within its page is the same wherever it was. Told if only one
 * object has a function that begins so. */
static char *likely(const struct process *process, uint64_t addr)
{
    struct maps maps;
    char *text = NULL;
    size_t found = 0;

    if (path_nowhere(process->root)) /* another machine's */
        return NULL;
    maps_read(process->pid, &maps);
    for (size_t i = 0; maps.known && i < process->act_count && found < 2; i++) {
        const struct load_act *act = &process->acts[i];
        const struct elffile *elf;
        const char *function;

        if (act->error || maps_has(&maps, process->root, act->path) != 0)
            continue;
        elf = elffile_get(process->root, act->path);
        function = elf->state == ELFFILE_OK ? function_at(elf, addr, PAGE - 1) : NULL;
        if (function && !text)
            text = xasprintf("most likely %s of %s", function, act->path);
        found += function != NULL;
        elffile_put(elf);
    }
    maps_deinit(&maps);
    if (found == 1)
        return text;
    free(text);
    return NULL;
}

void judge_gone(const struct process *process, struct crash *crash)
{
    if (crash->gone || !crash->has_addr || (crash->what != ADDRESS_UNMAPPED && crash->what != ADDRESS_PAST))
        return;
    crash->gone = known(process, crash->addr);
    if (!crash->gone && crash->use == USE_EXECUTE)
        crash->gone = likely(process, crash->addr);
}
