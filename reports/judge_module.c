/* Native modules that the runtime does not take: the loader had nothing against them. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/runtime.h>

enum { LINES_READ = 64 };

static bool (*const readers[])(const struct process *process, const struct output_line *line,
                               struct module_mismatch *ret) = {module_node, module_python, module_go, module_perl};

static struct suspect *accuse(struct process *process, const struct module_mismatch *mismatch, uint64_t n,
                              uint64_t t_ns)
{
    struct finding finding = {.kind = CAUSE_MODULE_ABI_MISMATCH,
                              .process = process,
                              .subject = mismatch->object ? mismatch->object
                                         : process->exe   ? process->exe
                                                          : "",
                              .missing = mismatch->wanted,
                              .path = mismatch->object,
                              .mismatch = mismatch};
    struct suspect *suspect = suspect_add(process, AT_DLOPEN, &finding, n, t_ns);

    if (suspect) {
        suspect->sure = mismatch->sure;
        suspect->last_act = true;
    }
    return suspect;
}

static const struct load_act *act_of(const struct process *process, const char *path)
{
    for (size_t i = process->act_count; path && i-- > 0;)
        if (!process->acts[i].error && strcmp(process->acts[i].path, path) == 0)
            return &process->acts[i];
    return NULL;
}

static bool read_line(struct process *process, const struct output_line *line)
{
    bool known = false;

    for (size_t i = 0; i < sizeof readers / sizeof *readers && !known; i++) {
        struct module_mismatch mismatch = {0};

        known = readers[i](process, line, &mismatch);
        if (known) {
            const struct load_act *act = act_of(process, mismatch.object);
            struct suspect *suspect =
                accuse(process, &mismatch, act ? act->n : line->n, act ? act->t_ns : process->end_ns);

            if (suspect) {
                suspect->cause->words = xstrdup(mismatch.words ? mismatch.words : line->text);
                cause_evidence(suspect->cause, line->n);
                if (mismatch.object)
                    strings_add(&suspect->needles, xstrdup(path_base(mismatch.object)));
            }
        }
        module_deinit(&mismatch);
    }
    return known;
}

/* ---- a symbol of the runtime's own that this version of it does not have ---- */

static bool is_extension(const struct process *process, const char *path)
{
    const struct elffile *elf = elffile_get(process->root, path);
    bool found = false;

    for (size_t i = 0; i < elf->symbol_count; i++)
        found |= elf->symbols[i].defined && elf->symbols[i].name && strncmp(elf->symbols[i].name, "PyInit_", 7) == 0;
    elffile_put(elf);
    return found;
}

/* Any Python 3 that defines its interface to extensions at all has this one. */
static bool has_interface(const struct process *process)
{
    const struct elffile *elf = process->exe ? elffile_get(process->root, process->exe) : NULL;
    bool found = elf && elffile_lookup(elf, "PyModule_Create2", NULL);

    if (elf)
        elffile_put(elf);
    for (size_t i = 0; i < process->act_count && !found; i++) {
        CLEANUP_FREE char *abi = runtime_python(process->acts[i].path);

        if (!abi || process->acts[i].error)
            continue;
        elf = elffile_get(process->root, process->acts[i].path);
        found = elffile_lookup(elf, "PyModule_Create2", NULL) != NULL;
        elffile_put(elf);
    }
    return found;
}

static bool of_python(const char *symbol)
{
    /* what Python looks for in the module is none that the module looks for in Python */
    return strncmp(symbol, "PyInit_", 7) != 0 && (strncmp(symbol, "Py", 2) == 0 || strncmp(symbol, "_Py", 3) == 0);
}

/* The suspect at INDEX, by the name that it deserves. */
static void rename_symbol(struct process *process, size_t index, char *abi)
{
    struct cause *old = process->suspects[index].cause;
    struct module_mismatch mismatch = {
        .object = old->subject,
        .wanted = abi,
        .built = runtime_python_tag(path_base(old->subject)),
        .helps = "install the build of it for this Python, or run it with the Python that it was built for",
        .command = "python3 -m pip install --force-reinstall PACKAGE",
        .sure = process->suspects[index].said_n || process->line_count ? 0.93 : 0.7};
    uint64_t n = process->suspects[index].n;
    struct suspect *suspect = accuse(process, &mismatch, n, process->end_ns);

    if (suspect) {
        strings_add(&suspect->cause->symbols, xstrdup(old->missing));
        cause_fact(suspect->cause, "it needs", "%s", old->missing);
        suspect->told_n = process->suspects[index].told_n;
        suspect->certain = process->suspects[index].certain;
        suspect->coped = process->suspects[index].coped;
        strings_add(&suspect->needles, xstrdup(old->missing));
        process->suspects[index].renamed = true;
    }
    free(mismatch.built);
}

static void rename_symbols(struct process *process)
{
    CLEANUP_FREE char *abi = module_python_abi(process);
    size_t count = process->suspect_count;

    for (size_t i = 0; abi && i < count; i++) {
        const struct cause *cause = process->suspects[i].cause;

        if (cause->kind == CAUSE_SYMBOL_MISSING && of_python(cause->missing) && is_extension(process, cause->subject) &&
            has_interface(process))
            rename_symbol(process, i, abi);
    }
}

/* The runtime asked the module for its entry points by several names, which may all be absent: that is how it came to
 * the words that it said, and no failure of its own. */
static void take_entry_points_back(struct process *process)
{
    for (size_t i = 0; i < process->suspect_count; i++)
        for (size_t k = 0; k < process->suspect_count; k++) {
            const struct cause *module = process->suspects[i].cause;
            struct suspect *symbol = &process->suspects[k];

            if (module->kind == CAUSE_MODULE_ABI_MISMATCH && symbol->cause->kind == CAUSE_SYMBOL_MISSING &&
                strcmp(module->subject, symbol->cause->subject) == 0)
                symbol->coped = true;
        }
}

void judge_modules(struct process *process)
{
    size_t first = process->line_count > LINES_READ ? process->line_count - LINES_READ : 0;

    if (process_owner(process) != process || !process->executed)
        return;
    rename_symbols(process);
    for (size_t i = first; i < process->line_count; i++)
        if (process->lines[i].n >= process->exec_n && process->lines[i].by != BY_LOADER &&
            read_line(process, &process->lines[i]))
            break;
    take_entry_points_back(process);
}
