#include "gostack.h"

#include "alloc.h"
#include "codefile.h"
#include "gopclntab.h"

#include <string.h>

struct gostack {
    struct gopclntab table;
};

enum { MODULE_TEXT = 22 /* moduledata.text, the same in go1.19 to 1.27 (src/runtime/symtab.go) */ };

enum { PIECE = 64 * 1024, SEARCHED_MOST = 64 * 1024 * 1024 };

struct search {
    const struct mem *mem;
    struct gopclntab *table;
    uint64_t end_addr; /* of the section */
};

/* Calls LOOK with each word of section NAME until it says yes. */
static bool search_section(const struct codefile *file, const char *name, uint64_t bias, struct search *search,
                           bool (*look)(struct search *search, uint64_t addr, uint64_t word))
{
    CLEANUP_FREE uint64_t *words = xmalloc(PIECE);
    uint64_t addr, size;

    if (!codefile_section(file, name, &addr, &size) || size > SEARCHED_MOST)
        return false;
    addr += bias;
    search->end_addr = addr + size;
    for (uint64_t at = 0; at < size; at += PIECE) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;

        if (mem_read(search->mem, addr + at, words, n))
            return false;
        for (size_t i = 0; i < n / 8; i++)
            if (look(search, addr + at + i * 8, words[i]))
                return true;
    }
    return false;
}

/* moduledata begins with the address of the table. */
static bool look_text(struct search *search, uint64_t addr, uint64_t word)
{
    return word == search->table->addr &&
           !mem_read(search->mem, addr + MODULE_TEXT * 8, &search->table->text_addr, 8) && search->table->text_addr;
}

static bool look_table(struct search *search, uint64_t addr, uint64_t word)
{
    return (word & 0xffffff00) == 0xffffff00 && word >> 32 == 0x08010000 &&
           gopclntab_open(search->mem, addr, search->end_addr - addr, search->table) == 0;
}

/* go1.26 and later leave it out of the table's header; the runtime takes it from its moduledata as well. */
static bool find_text(const struct codefile *file, uint64_t bias, struct search *search)
{
    return search_section(file, ".go.module", bias, search, look_text) ||
           search_section(file, ".noptrdata", bias, search, look_text) ||
           search_section(file, ".data", bias, search, look_text);
}

static bool find_table(const struct codefile *file, uint64_t bias, struct search *search)
{
    uint64_t addr, size;

    if (codefile_section(file, ".gopclntab", &addr, &size) ||
        codefile_section(file, ".data.rel.ro.gopclntab", &addr, &size))
        return gopclntab_open(search->mem, addr + bias, size, search->table) == 0;
    /* A linker that is not Go's own puts it among other relocated data. */
    return codefile_section(file, ".go.buildinfo", &addr, &size) &&
           search_section(file, ".data.rel.ro", bias, search, look_table);
}

struct gostack *gostack_create(const struct codefile *file, uint64_t bias, const struct mem *mem)
{
    struct gopclntab table = {0};
    struct search search = {.mem = mem, .table = &table};
    struct gostack *go;

    if (!find_table(file, bias, &search) || (!table.absolute && !table.text_addr && !find_text(file, bias, &search)))
        return NULL;
    go = xcalloc(1, sizeof *go);
    go->table = table;
    return go;
}

void gostack_destroy(struct gostack *go)
{
    free(go);
}

bool gostack_holds(const struct gostack *go, const struct mem *mem, uint64_t addr)
{
    struct gofunction function;

    return gopclntab_function(&go->table, mem, addr, &function) == 0;
}

bool gostack_name(const struct gostack *go, const struct mem *mem, uint64_t addr, struct frame *ret)
{
    struct gofunction function;

    if (gopclntab_function(&go->table, mem, addr, &function))
        return false;
    ret->symbol = gopclntab_name(&go->table, mem, &function);
    if (!ret->symbol)
        return false;
    ret->file = gopclntab_line(&go->table, mem, &function, addr, &ret->line);
    ret->into = function.entry_addr;
    return true;
}

/* Assembler functions of the runtime that nobody called, or that have changed the stack on their way: what lies above
 * them is not their caller. */
static bool outermost(const char *name)
{
    static const char *const names[] = {"runtime.goexit",      "runtime.mstart",    "runtime.rt0_go", "runtime.mcall",
                                        "runtime.systemstack", "runtime.morestack", "_rt0_amd64",     "runtime.gogo"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);

        if (!strncmp(name, names[i], n) && (!name[n] || name[n] == '.' || name[n] == '_'))
            return true;
    }
    return false;
}

/* In BYTES, what follows the call of C code in runtime.asmcgocall (src/runtime/asm_amd64.s):
 *     MOVQ GOFF(SP), DI; MOVQ 8(DI), SI (g.stack.hi); SUBQ DEPTH(SP), SI
 * The offsets have changed between versions, the instructions have not. */
static bool parse_switch(const unsigned char *bytes, size_t size, uint64_t *goroutine, uint64_t *depth)
{
    static const unsigned char load_g[] = {0x48, 0x8b, 0x7c, 0x24}, load_hi[] = {0x48, 0x8b, 0x77, 0x08},
                               sub_near[] = {0x48, 0x2b, 0x34, 0x24}, sub_far[] = {0x48, 0x2b, 0x74, 0x24};

    for (size_t i = 0; i + 14 <= size; i++) {
        if (memcmp(bytes + i, load_g, 4) || memcmp(bytes + i + 5, load_hi, 4))
            continue;
        *goroutine = bytes[i + 4];
        if (!memcmp(bytes + i + 9, sub_near, 4))
            *depth = 0;
        else if (!memcmp(bytes + i + 9, sub_far, 4))
            *depth = bytes[i + 13];
        else
            return false;
        return true;
    }
    return false;
}

/* How much the function had on the goroutine's stack when it noted the stack pointer (MOVQ SP, DX), near its start. */
static uint64_t noted_frame(const struct gostack *go, const struct mem *mem, const struct gofunction *function)
{
    static const unsigned char note[] = {0x48, 0x89, 0xe2};
    unsigned char code[48];
    uint64_t size;

    if (mem_read(mem, function->entry_addr, code, sizeof code))
        return 0;
    for (size_t i = 0; i + sizeof note <= sizeof code; i++)
        if (!memcmp(code + i, note, sizeof note))
            return gopclntab_frame(&go->table, mem, function, function->entry_addr + i, &size) ? 0 : size;
    return 0;
}

/* C code was called on the thread's stack; the goroutine's is found as the runtime itself finds it when the call
 * returns. */
static enum unwind_step leave_cgo(const struct gostack *go, const struct mem *tables, const struct mem *mem,
                                  const struct gofunction *function, struct unwind *unwind)
{
    uint64_t sp = unwind->value[UNWIND_SP], frame = noted_frame(go, tables, function);
    uint64_t at_g, at_depth, g, depth, high, words[2];
    unsigned char code[48];

    if (mem_read(mem, unwind->value[UNWIND_IP], code, sizeof code) ||
        !parse_switch(code, sizeof code, &at_g, &at_depth))
        return UNWIND_NONE;
    if (mem_read(mem, sp + at_g, &g, 8) || mem_read(mem, sp + at_depth, &depth, 8) || mem_read(mem, g + 8, &high, 8) ||
        depth > high || mem_read(mem, high - depth + frame - 8, words, sizeof words))
        return UNWIND_END;
    unwind->known = 0;
    unwind->exact = false;
    if (frame)
        unwind_set(unwind, UNWIND_FP, words[0]);
    unwind_set(unwind, UNWIND_SP, high - depth + frame + 8);
    unwind_set(unwind, UNWIND_IP, words[1]);
    return words[1] ? UNWIND_OK : UNWIND_END;
}

enum unwind_step gostack_unwind(const struct gostack *go, const struct mem *tables, const struct mem *mem,
                                struct unwind *unwind)
{
    uint64_t addr = unwind_lookup(unwind), sp = unwind->value[UNWIND_SP], size, ip, fp;
    struct gofunction function;

    if (gopclntab_function(&go->table, tables, addr, &function))
        return UNWIND_NONE;
    CLEANUP_FREE char *name = gopclntab_name(&go->table, tables, &function);

    if (!name || outermost(name))
        return UNWIND_END;
    if (gopclntab_frame(&go->table, tables, &function, addr, &size))
        return UNWIND_END;
    if (!unwind->exact && (!strcmp(name, "runtime.asmcgocall") || !strcmp(name, "runtime.asmcgocall.abi0"))) {
        enum unwind_step step = leave_cgo(go, tables, mem, &function, unwind);

        if (step != UNWIND_NONE)
            return step;
    }
    if (mem_read(mem, sp + size, &ip, 8) || !ip)
        return UNWIND_END;
    /* A frame of any size begins with the caller's frame pointer (cmd/internal/obj/x86/obj6.go). */
    if (size >= 8 && !mem_read(mem, sp + size - 8, &fp, 8))
        unwind_set(unwind, UNWIND_FP, fp);
    unwind->known &= UINT32_C(1) << UNWIND_FP;
    unwind_set(unwind, UNWIND_SP, sp + size + 8);
    unwind_set(unwind, UNWIND_IP, ip);
    unwind->exact = false;
    return UNWIND_OK;
}
