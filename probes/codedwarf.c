#include "codedwarf.h"

#include "alloc.h"
#include "codeexpr.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <string.h>
#include <uthash.h>

enum {
    UNITS_MOST = 1000000,
    RULES_KEPT = 8192,
    SCOPES_MOST = 64, /* functions inlined into each other */
};

/* A range of addresses and the compilation unit that it is from. */
struct unit {
    uint64_t start, end;
    Dwarf_Off offset;
};

/* How to leave the function at ADDR. */
struct rule {
    uint64_t addr;
    Dwarf_Frame *frame; /* NULL: nothing is known */
    bool signal;
    UT_hash_handle hh;
};

struct codedwarf {
    Elf *elf, *with_info;
    Dwarf *dwarf; /* of with_info; NULL: none, or not asked for yet */
    Dwarf_CFI *eh_frame, *debug_frame;
    struct rule *rules;
    bool listed; /* units */
    struct unit *units;
    size_t unit_count, unit_cap;
};

struct codedwarf *codedwarf_create(struct Elf *elf, struct Elf *with_info)
{
    struct codedwarf *file = xcalloc(1, sizeof *file);

    file->elf = elf;
    file->with_info = with_info;
    return file;
}

void codedwarf_add(struct codedwarf *file, struct Elf *with_info)
{
    if (!file->with_info)
        file->with_info = with_info;
}

static void forget_rules(struct codedwarf *file)
{
    struct rule *rule, *next;

    HASH_ITER(hh, file->rules, rule, next)
    {
        HASH_DEL(file->rules, rule);
        free(rule->frame);
        free(rule);
    }
}

void codedwarf_destroy(struct codedwarf *file)
{
    if (!file)
        return;
    forget_rules(file);
    if (file->eh_frame)
        dwarf_cfi_end(file->eh_frame);
    if (file->dwarf)
        dwarf_end(file->dwarf);
    free(file->units);
    free(file);
}

static Dwarf *dwarf_of(struct codedwarf *file)
{
    if (!file->dwarf && file->with_info) {
        file->dwarf = dwarf_begin_elf(file->with_info, DWARF_C_READ, NULL);
        if (!file->dwarf)
            file->with_info = NULL;
    }
    return file->dwarf;
}

/* --- unwinding: DWARF 5, section 6.4 --- */

static struct rule *rule_of(struct codedwarf *file, uint64_t addr)
{
    struct rule *rule;
    Dwarf *dwarf;

    HASH_FIND(hh, file->rules, &addr, sizeof addr, rule);
    if (rule)
        return rule;
    if (HASH_COUNT(file->rules) >= RULES_KEPT)
        forget_rules(file);
    rule = xcalloc(1, sizeof *rule);
    rule->addr = addr;
    if (!file->eh_frame)
        file->eh_frame = dwarf_getcfi_elf(file->elf);
    if (!file->eh_frame || dwarf_cfi_addrframe(file->eh_frame, addr, &rule->frame)) {
        rule->frame = NULL;
        dwarf = dwarf_of(file);
        file->debug_frame = dwarf ? dwarf_getcfi(dwarf) : NULL;
        if (!file->debug_frame || dwarf_cfi_addrframe(file->debug_frame, addr, &rule->frame))
            rule->frame = NULL;
    }
    if (rule->frame)
        dwarf_frame_info(rule->frame, NULL, NULL, &rule->signal);
    HASH_ADD(hh, file->rules, addr, sizeof addr, rule);
    return rule;
}

static struct codeexpr_value evaluate(const struct codeexpr *expr, const Dwarf_Op *ops, size_t count)
{
    struct codeexpr_op few[8];
    CLEANUP_FREE struct codeexpr_op *many = count > 8 ? xcalloc(count, sizeof *many) : NULL;
    struct codeexpr_op *own = many ? many : few;

    for (size_t i = 0; i < count; i++)
        own[i] = (struct codeexpr_op){ops[i].atom, ops[i].number, ops[i].number2, ops[i].offset};
    return codeexpr_evaluate(expr, own, count);
}

/* The caller's register NUMBER. *UNDEFINED: the rule says that there is no such thing. */
static struct codeexpr_value caller_register(const struct codeexpr *expr, Dwarf_Frame *frame, unsigned number,
                                             bool *undefined)
{
    Dwarf_Op space[3], *ops = NULL;
    struct codeexpr_value value = {0};
    size_t count = 0;

    *undefined = false;
    if (dwarf_frame_register(frame, (int)number, space, &ops, &count))
        return value;
    if (!count) {
        *undefined = ops == space;
        if (!*undefined && unwind_knows(expr->from, number))
            value = (struct codeexpr_value){expr->from->value[number], true, true};
        return value;
    }
    value = evaluate(expr, ops, count);
    if (value.known && !value.is_value)
        value.known = mem_read(expr->mem, value.number, &value.number, 8) == 0;
    return value;
}

enum unwind_step codedwarf_unwind(struct codedwarf *file, uint64_t addr, uint64_t bias, const struct mem *mem,
                                  struct unwind *unwind)
{
    const struct rule *rule = rule_of(file, addr);
    struct codeexpr expr = {.from = unwind, .mem = mem, .bias = bias};
    struct unwind caller = {.exact = rule->signal};
    struct codeexpr_value cfa;
    Dwarf_Op *ops = NULL;
    size_t count = 0;
    bool undefined;

    if (!rule->frame || dwarf_frame_cfa(rule->frame, &ops, &count) || !count)
        return UNWIND_NONE;
    cfa = evaluate(&expr, ops, count);
    if (!cfa.known)
        return UNWIND_NONE;
    expr.cfa = cfa.number;
    for (unsigned i = 0; i < STACK_REGISTERS; i++) {
        struct codeexpr_value value = caller_register(&expr, rule->frame, i, &undefined);

        if (i == UNWIND_IP && undefined)
            return UNWIND_END;
        if (value.known)
            unwind_set(&caller, i, value.number);
    }
    if (!unwind_knows(&caller, UNWIND_IP))
        return UNWIND_NONE;
    if (!unwind_knows(&caller, UNWIND_SP))
        unwind_set(&caller, UNWIND_SP, expr.cfa);
    *unwind = caller;
    return UNWIND_OK;
}

/* --- names by DWARF --- */

static int compare_units(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

/* .debug_aranges is not made by every compiler, and not for all that is linked: the units themselves are asked. */
static void list_units(struct codedwarf *file, Dwarf *dwarf)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die;

    file->listed = true;
    while (file->unit_count < UNITS_MOST && dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0) {
        Dwarf_Addr base = 0, start, end;
        ptrdiff_t at = 0;

        while (file->unit_count < UNITS_MOST && (at = dwarf_ranges(&die, at, &base, &start, &end)) > 0)
            if (start < end)
                *(struct unit *)array_add(&file->units, &file->unit_count, &file->unit_cap, sizeof(struct unit)) =
                    (struct unit){start, end, dwarf_dieoffset(&die)};
    }
    if (file->unit_count)
        qsort(file->units, file->unit_count, sizeof *file->units, compare_units);
}

static bool unit_at(struct codedwarf *file, Dwarf *dwarf, uint64_t addr, Dwarf_Die *ret)
{
    size_t low = 0, high;

    if (!file->listed)
        list_units(file, dwarf);
    for (high = file->unit_count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (file->units[middle].start <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low && addr < file->units[low - 1].end && dwarf_offdie(dwarf, file->units[low - 1].offset, ret);
}

/* "node::binding": the named scopes that DIE was declared in, with "::" behind. */
static char *qualifier(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die declared = *die, *scopes = NULL;
    char *ret = xstrdup("");
    int count;

    for (int i = 0; i < 4; i++)
        if (!dwarf_attr(&declared, DW_AT_abstract_origin, &attribute) &&
            !dwarf_attr(&declared, DW_AT_specification, &attribute))
            break;
        else if (!dwarf_formref_die(&attribute, &declared))
            break;
    count = dwarf_getscopes_die(&declared, &scopes);
    for (int i = 1; i < count && i < SCOPES_MOST; i++) {
        int tag = dwarf_tag(&scopes[i]);
        const char *name = dwarf_diename(&scopes[i]);

        if (!name && tag == DW_TAG_namespace)
            name = "(anonymous namespace)";
        if (!name || (tag != DW_TAG_namespace && tag != DW_TAG_class_type && tag != DW_TAG_structure_type &&
                      tag != DW_TAG_union_type))
            continue;
        char *longer = xasprintf("%s::%s", name, ret);

        free(ret);
        ret = longer;
    }
    free(scopes);
    return ret;
}

static char *function_name(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    CLEANUP_FREE char *before = name ? qualifier(die) : NULL;

    return name ? xasprintf("%s%s", before, name) : NULL;
}

static void called_from(Dwarf_Die *unit, Dwarf_Die *inlined, struct frame *frame)
{
    Dwarf_Attribute attribute;
    Dwarf_Word index = 0, line = 0;
    Dwarf_Files *files;
    const char *name;
    size_t count;

    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0 && line <= 0x7fffffff)
        frame->line = (unsigned)line;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &index) == 0 &&
        dwarf_getsrcfiles(unit, &files, &count) == 0 && index < count &&
        (name = dwarf_filesrc(files, index, NULL, NULL)) != NULL)
        frame->file = xstrdup(name);
}

static void line_at(Dwarf_Die *unit, uint64_t addr, struct frame *frame)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, addr);
    const char *name = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    int number = 0;

    if (!name || dwarf_lineno(line, &number) || number <= 0)
        return;
    frame->file = xstrdup(name);
    frame->line = (unsigned)number;
}

static size_t add_functions(Dwarf_Die *unit, Dwarf_Die *scopes, int scope_count, uint64_t addr, struct frame *frames,
                            size_t limit)
{
    size_t count = 0;
    Dwarf_Die *inlined = NULL;

    for (int i = 0; i < scope_count && count < limit; i++) {
        int tag = dwarf_tag(&scopes[i]);

        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram && tag != DW_TAG_entry_point)
            continue;
        frames[count] = (struct frame){.symbol = function_name(&scopes[i])};
        if (inlined)
            called_from(unit, inlined, &frames[count]);
        else
            line_at(unit, addr, &frames[count]);
        count++;
        if (tag != DW_TAG_inlined_subroutine)
            return count;
        inlined = &scopes[i];
    }
    return count;
}

size_t codedwarf_names(struct codedwarf *file, uint64_t addr, struct frame *frames, size_t limit)
{
    Dwarf *dwarf = dwarf_of(file);
    Dwarf_Die unit, *at = NULL, *scopes = NULL;
    size_t count = 0;
    int n;

    if (!dwarf || !limit || !unit_at(file, dwarf, addr, &unit))
        return 0;
    if (dwarf_getscopes(&unit, addr, &at) > 0 && (n = dwarf_getscopes_die(&at[0], &scopes)) > 0)
        count = add_functions(&unit, scopes, n, addr, frames, limit);
    free(scopes);
    free(at);
    if (!count) { /* assembler: a line without a function */
        frames[0] = (struct frame){0};
        line_at(&unit, addr, &frames[0]);
        count = frames[0].file != NULL;
    }
    return count;
}
