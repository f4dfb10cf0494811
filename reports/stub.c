/* Stubs: the layout of the file.
 *
 *     ELF header, program headers, [an exit for shells], [interpreter], code, .dynsym, .dynstr, .hash, .gnu.version,
 *     .gnu.version_d, .gnu.version_r, relocations            first PT_LOAD, readable and executable, address = offset
 *     one word for each relocation, .dynamic                 second PT_LOAD, writable, one page further up
 *
 * Only DT_HASH is written: every loader knows it, and DT_GNU_HASH would be there for speed. */
#include "stub.h"

#include "stub_parts.h"

#include <probes/alloc.h>

#include <elf.h>
#include <string.h>

/* Bounds on what is written, far above anything real: a stub is of a few kilobytes. */
enum { NAME_MOST = 4096, ENTRIES_MOST = 8192 };

void stub_native(unsigned *class, unsigned *data, unsigned *machine)
{
    const struct stub_machine *row = stub_machine_native();

    *class = row->class;
    *data = row->data;
    *machine = row->machine;
}

const char *stub_loader(unsigned class, unsigned data, unsigned machine)
{
    const struct stub_machine *row = stub_machine_find(class, data, machine);

    return row ? row->loader : NULL;
}

bool stub_runs(unsigned class, unsigned data, unsigned machine)
{
    const struct stub_machine *row = stub_machine_find(class, data, machine);

    return row && row->leave.size;
}

bool stub_is_libc(const struct mini_object *object)
{
    return object->soname && strcmp(object->soname, "libc.so.6") == 0 && !object->bare;
}

/* What glibc's loader itself asks of whatever libc.so.6 it has loaded, with an assertion or an abort where it is not
 * there: __libc_early_init since 2.32 (elf/dl-call-libc-early-init.c); the allocator (elf/dl-minimal.c) and the mutexes
 * (sysdeps/nptl/dl-mutex.c) once it binds its own symbols anew, which it does since 2.37 in any case, and for which it
 * has to be in the scope itself, as a library that something needs. */
static struct mini_object *libc_for_loader(const struct mini_object *object, const struct stub_machine *machine)
{
    static const char *const names[] = {
        "pthread_mutex_lock", "pthread_mutex_unlock", "malloc", "calloc", "realloc", "free"};
    struct mini_object *libc = mini_object_copy(object);

    mini_object_define(libc, "__libc_early_init", "GLIBC_PRIVATE");
    if (!machine || !machine->libc_base)
        return libc;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mini_object_define(libc, names[i], machine->libc_base);
    mini_object_need(libc, path_base(machine->loader));
    return libc;
}

static void put_symbol(struct stub *stub, const char *name, bool defined, uint64_t value)
{
    unsigned char info = ELF64_ST_INFO(STB_GLOBAL, defined ? STT_FUNC : STT_NOTYPE);
    unsigned char other = STV_DEFAULT;
    /* There are no sections; any number but 0 and the reserved ones says "defined, and moved with the object". */
    unsigned section = defined ? 1 : SHN_UNDEF;

    stub_put32(stub, stub_name_at(stub, name));
    if (!stub->wide) {
        stub_put32(stub, value);
        stub_put32(stub, 0);
    }
    stub_put(stub, &info, 1);
    stub_put(stub, &other, 1);
    stub_put16(stub, section);
    if (stub->wide) {
        stub_put_word(stub, value);
        stub_put_word(stub, 0);
    }
}

static void put_symbols(struct stub *stub)
{
    stub->symbols = stub_part_begin(stub, 8);
    stub_put(stub, NULL, stub->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
    for (size_t i = 0; i < stub->object->undefined_count; i++)
        put_symbol(stub, stub->object->undefined[i].name, false, 0);
    for (size_t i = 0; i < stub->object->defined_count; i++)
        put_symbol(stub, stub->object->defined[i].name, true, stub->code.at);
    stub_part_end(stub, &stub->symbols);
}

static void put_hash(struct stub *stub)
{
    size_t undefined = stub->object->undefined_count;
    uint32_t symbols = (uint32_t)(1 + undefined + stub->object->defined_count);
    uint32_t buckets = (uint32_t)(stub->object->defined_count / 4 + 1);
    unsigned width = stub->machine && stub->machine->wide_hash ? 8 : 4;
    CLEANUP_FREE uint32_t *table = xcalloc(buckets + symbols, sizeof *table);

    for (size_t i = 0; i < stub->object->defined_count; i++) {
        uint32_t *bucket = &table[stub_name_hash(stub->object->defined[i].name) % buckets];
        uint32_t symbol = (uint32_t)(1 + undefined + i);

        table[buckets + symbol] = *bucket; /* the chain goes on where the bucket began */
        *bucket = symbol;
    }
    stub->hash = stub_part_begin(stub, 8);
    stub_put_number(stub, buckets, width);
    stub_put_number(stub, symbols, width);
    for (size_t i = 0; i < buckets + symbols; i++)
        stub_put_number(stub, table[i], width);
    stub_part_end(stub, &stub->hash);
}

/* One "store the address of this symbol" for each undefined symbol: bound when the object is loaded. */
static void put_relocs(struct stub *stub)
{
    size_t undefined = stub->object->undefined_count, count = stub_reloc_count(stub);
    size_t entry = stub->wide ? (stub->machine && !stub->machine->rela ? sizeof(Elf64_Rel) : sizeof(Elf64_Rela))
                              : (stub->machine && stub->machine->rela ? sizeof(Elf32_Rela) : sizeof(Elf32_Rel));

    stub->relocs = stub_part_begin(stub, 8);
    stub->words.at = (stub->relocs.at + count * entry + 7) / 8 * 8;
    stub->words.size = count * (stub->wide ? 8 : 4);
    for (size_t i = 0; i < count; i++) {
        uint64_t symbol = i + 1;

        stub_put_word(stub, stub->words.at + stub->data_shift + i * (stub->wide ? 8 : 4));
        if (i == undefined) /* of the object's own block of thread-local storage: no symbol */
            stub_put_word(stub, R_X86_64_TPOFF64);
        else
            stub_put_word(stub, stub->wide ? symbol << 32 | stub->machine->bind : symbol << 8 | stub->machine->bind);
        if (stub->machine->rela)
            stub_put_word(stub, 0);
    }
    stub_part_end(stub, &stub->relocs);
    stub_align(stub, 8);
    stub_put(stub, NULL, stub->words.size);
}

/* ---- dynamic section, headers ---- */

static void put_dyn(struct stub *stub, uint64_t tag, uint64_t value)
{
    stub_put_word(stub, tag);
    stub_put_word(stub, value);
}

static void put_dyn_versions(struct stub *stub)
{
    size_t needs = stub_version_files(stub);

    if (!stub->versym.size)
        return;
    put_dyn(stub, DT_VERSYM, stub->versym.at);
    if (stub->verdef.size) {
        put_dyn(stub, DT_VERDEF, stub->verdef.at);
        put_dyn(stub, DT_VERDEFNUM, stub_version_definitions(stub) + 1);
    }
    if (needs) {
        put_dyn(stub, DT_VERNEED, stub->verneed.at);
        put_dyn(stub, DT_VERNEEDNUM, needs);
    }
}

static void put_dyn_relocs(struct stub *stub)
{
    bool rela = stub->machine && stub->machine->rela;

    if (!stub->relocs.size)
        return;
    put_dyn(stub, rela ? DT_RELA : DT_REL, stub->relocs.at);
    put_dyn(stub, rela ? DT_RELASZ : DT_RELSZ, stub->relocs.size);
    put_dyn(stub, rela ? DT_RELAENT : DT_RELENT, stub->relocs.size / stub_reloc_count(stub));
}

/* NAMES: offsets in .dynstr of the needed ones, of DT_RPATH and DT_RUNPATH, in that order. */
static void put_dynamic(struct stub *stub, const uint32_t *names)
{
    const struct mini_object *object = stub->object;

    stub->dynamic = stub_part_begin(stub, 8);
    for (size_t i = 0; i < object->needed.n; i++)
        put_dyn(stub, DT_NEEDED, names[i]);
    if (stub->soname_at)
        put_dyn(stub, DT_SONAME, stub->soname_at);
    if (stub->rpath)
        put_dyn(stub, DT_RPATH, names[object->needed.n]);
    if (stub->runpath)
        put_dyn(stub, DT_RUNPATH, names[object->needed.n + 1]);
    put_dyn(stub, DT_HASH, stub->hash.at);
    put_dyn(stub, DT_STRTAB, stub->dynstr.at);
    put_dyn(stub, DT_SYMTAB, stub->symbols.at);
    put_dyn(stub, DT_STRSZ, stub->dynstr.size);
    put_dyn(stub, DT_SYMENT, stub->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
    put_dyn_relocs(stub);
    put_dyn_versions(stub);
    put_dyn(stub, DT_FLAGS, DF_BIND_NOW | (object->tls_size ? DF_STATIC_TLS : 0));
    /* NODEFLIB: what this machine has in its default directories must not mend or change the failure; but there is the
     * C library whose dlopen() is called. */
    put_dyn(stub, DT_FLAGS_1, DF_1_NOW | (object->opens ? 0 : DF_1_NODEFLIB) | (object->program ? DF_1_PIE : 0));
    if (object->program)
        put_dyn(stub, DT_DEBUG, 0);
    put_dyn(stub, DT_NULL, 0);
    stub_part_end(stub, &stub->dynamic);
}

void stub_put_phdr(struct stub *stub, uint32_t type, uint32_t flags, struct part part, uint64_t shift,
                   uint64_t align_to)
{
    stub_put32(stub, type);
    if (stub->wide)
        stub_put32(stub, flags);
    stub_put_word(stub, part.at);
    stub_put_word(stub, part.at + shift);
    stub_put_word(stub, part.at + shift);
    stub_put_word(stub, part.size);
    stub_put_word(stub, part.size);
    if (!stub->wide)
        stub_put32(stub, flags);
    stub_put_word(stub, align_to);
}

void stub_put_ehdr(struct stub *stub, unsigned type, uint64_t entry, unsigned headers)
{
    const struct mini_object *object = stub->object;
    unsigned char ident[EI_NIDENT] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3};

    ident[EI_CLASS] = (unsigned char)object->class;
    ident[EI_DATA] = (unsigned char)object->data;
    ident[EI_VERSION] = EV_CURRENT;
    stub_put(stub, ident, sizeof ident);
    stub_put16(stub, type);
    stub_put16(stub, object->machine);
    stub_put32(stub, EV_CURRENT);
    stub_put_word(stub, entry);
    stub_put_word(stub, stub->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
    stub_put_word(stub, 0);
    stub_put32(stub, stub->machine ? stub->machine->flags : 0);
    stub_put16(stub, stub->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
    stub_put16(stub, stub->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
    stub_put16(stub, headers);
    stub_put16(stub, stub->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr));
    stub_put16(stub, 0);
    stub_put16(stub, 0);
}

/* Written over the room that was kept at the start. */
static void put_headers(struct stub *stub, unsigned headers, uint64_t page, uint64_t split)
{
    size_t whole = stub->size, ehdr = stub->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    struct part phdrs = {ehdr, stub->headers.size - ehdr}, text = {0, split}, data = {split, whole - split};

    stub->size = 0;
    stub_put_ehdr(stub, ET_DYN, stub->object->program ? stub->code.at : 0, headers);
    if (stub->interp.size) {
        stub_put_phdr(stub, PT_PHDR, PF_R, phdrs, 0, 8);
        stub_put_phdr(stub, PT_INTERP, PF_R, stub->interp, 0, 1);
    }
    stub_put_phdr(stub, PT_LOAD, PF_R | PF_X, text, 0, page);
    stub_put_phdr(stub, PT_LOAD, PF_R | PF_W, data, stub->data_shift, page);
    stub_put_phdr(stub, PT_DYNAMIC, PF_R | PF_W, stub->dynamic, stub->data_shift, 8);
    stub_put_phdr(stub, PT_GNU_STACK, PF_R | PF_W | (stub->object->execstack ? PF_X : 0), (struct part){0, 0}, 0, 16);
    if (stub->property.size) {
        stub_put_phdr(stub, PT_NOTE, PF_R, stub->property, 0, 8);
        stub_put_phdr(stub, PT_GNU_PROPERTY, PF_R, stub->property, 0, 8);
    }
    if (stub->object->tls_size)
        stub_put_tls_header(stub);
    stub->size = whole;
}

/* The program's PT_INTERP, or NULL: libraries, static programs (an empty one), machines whose loader is not known. */
static const char *interpreter(const struct stub *stub)
{
    const struct mini_object *object = stub->object;

    if (!object->program)
        return NULL;
    if (object->interp)
        return *object->interp ? object->interp : NULL;
    return stub->machine ? stub->machine->loader : NULL;
}

static void put_code(struct stub *stub)
{
    const struct mini_object *object = stub->object;
    const char *interp = interpreter(stub);
    /* A shell that is handed a program of another machine reads it as a script (see stub_launcher): this ends it. */
    static const char leave[] = "\nexit 126\n";

    if (object->program) {
        stub_put(stub, leave, sizeof leave - 1);
        stub->interp.at = stub->size;
        if (interp)
            stub_put(stub, interp, strlen(interp) + 1);
        stub_part_end(stub, &stub->interp);
    }
    stub->code = stub_part_begin(stub, 8);
    if (object->opens)
        stub_put_opener(stub);
    else if (stub->machine && object->program)
        stub_put(stub, stub->machine->leave.bytes, stub->machine->leave.size);
    else if (stub->machine)
        stub_put(stub, stub->machine->back.bytes, stub->machine->back.size);
    stub_part_end(stub, &stub->code);
    stub_put_property(stub);
}

static bool too_long(const char *name)
{
    return name && strlen(name) > NAME_MOST;
}

static int check(const struct mini_object *object, const struct stub_machine *machine, struct err *err)
{
    size_t entries =
        object->needed.n + object->need_count + object->def_count + object->defined_count + object->undefined_count;
    bool long_name = too_long(object->name) || too_long(object->soname) || too_long(object->interp);

    if (object->class != ELFCLASS32 && object->class != ELFCLASS64)
        return err_set(err, "no stub of %s can be written: its ELF class is %u", object->name, object->class);
    if (object->data != ELFDATA2LSB && object->data != ELFDATA2MSB)
        return err_set(err, "no stub of %s can be written: its byte order is %u", object->name, object->data);
    if (entries > ENTRIES_MOST)
        return err_set(err, "no stub of %s is written: it has %zu names and versions", object->name, entries);
    if (object->undefined_count && (!machine || !machine->bind))
        return err_set(err, "no stub of %s can be written: the relocations of machine %u are not known", object->name,
                       object->machine);
    for (size_t i = 0; i < object->needed.n; i++)
        long_name = long_name || too_long(object->needed.v[i]);
    for (size_t i = 0; i < object->need_count; i++)
        long_name = long_name || too_long(object->needs[i].name) || too_long(object->needs[i].file);
    for (size_t i = 0; i < object->def_count; i++)
        long_name = long_name || too_long(object->defs[i].name);
    for (size_t i = 0; i < object->defined_count; i++)
        long_name = long_name || too_long(object->defined[i].name) || too_long(object->defined[i].version);
    for (size_t i = 0; i < object->undefined_count; i++)
        long_name = long_name || too_long(object->undefined[i].name) || too_long(object->undefined[i].version) ||
                    too_long(object->undefined[i].file);
    if (long_name)
        return err_set(err, "no stub is written: a name of more than %d bytes is in it", (int)NAME_MOST);
    return 0;
}

static void lay_out(struct stub *stub)
{
    const struct mini_object *object = stub->object;
    unsigned headers = (interpreter(stub) ? 6 : 4) + (object->isa_needed ? 2 : 0) + (object->tls_size ? 1 : 0);
    uint64_t page = stub->machine ? stub->machine->page : 0x10000, split;
    CLEANUP_FREE uint32_t *names = xcalloc(object->needed.n + 2, sizeof *names);

    stub->data_shift = page;
    stub_names_begin(stub);
    stub->headers.size = (stub->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)) +
                         headers * (stub->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
    stub_put(stub, NULL, stub->headers.size);
    put_code(stub);
    stub->soname_at = object->soname ? stub_name_at(stub, object->soname) : 0;
    for (size_t i = 0; i < object->needed.n; i++)
        names[i] = stub_name_at(stub, object->needed.v[i]);
    names[object->needed.n] = stub->rpath ? stub_name_at(stub, stub->rpath) : 0;
    names[object->needed.n + 1] = stub->runpath ? stub_name_at(stub, stub->runpath) : 0;
    stub_versions_collect(stub);
    put_symbols(stub);
    put_hash(stub);
    stub_put_versym(stub);
    stub_put_verdefs(stub);
    stub_put_verneeds(stub);
    stub->dynstr = stub_part_begin(stub, 1);
    stub_put(stub, stub->strings, stub->string_size);
    stub_part_end(stub, &stub->dynstr);
    put_relocs(stub);
    split = stub->words.at;
    put_dynamic(stub, names);
    put_headers(stub, headers, page, split);
    if (object->opens)
        stub_fit_opener(stub);
}

int stub_build(const struct mini_object *object, const char *rpath, const char *runpath, struct stub_file *ret,
               struct err *err)
{
    struct stub stub = {.object = object, .rpath = rpath, .runpath = runpath};
    struct mini_object *changed = NULL;

    *ret = (struct stub_file){0};
    stub.machine = stub_machine_find(object->class, object->data, object->machine);
    stub.wide = object->class == ELFCLASS64;
    stub.big = object->data == ELFDATA2MSB;
    if (check(object, stub.machine, err) < 0)
        return -1;
    if (stub_check_demands(object, err) < 0)
        return -1;
    changed = stub_is_libc(object) ? libc_for_loader(object, stub.machine)
              : object->opens      ? stub_opener(object)
                                   : mini_object_copy(object);
    stub_ask_loader(changed, stub.machine);
    stub.object = changed;
    lay_out(&stub);
    mini_object_destroy(changed);
    free(stub.strings);
    free(stub.versions);
    *ret = (struct stub_file){stub.bytes, stub.size};
    return 0;
}
