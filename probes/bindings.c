/* What every relocation of an object binds to: _dl_relocate_object() of elf/dl-reloc.c, elf_dynamic_do_Rela() of
 * elf/do-rel.h, and the type classes of each machine's dl-machine.h. */
#include "alloc.h"
#include "elfimage.h"
#include "loader.h"

#include <elf.h>
#include <string.h>

static bool is_call(unsigned machine, unsigned type, bool plt)
{
    switch (machine) {
    case EM_X86_64:
        return type == R_X86_64_JUMP_SLOT || type == R_X86_64_DTPMOD64 || type == R_X86_64_DTPOFF64 ||
               type == R_X86_64_TPOFF64 || type == R_X86_64_TLSDESC;
    case EM_386:
        return type == R_386_JMP_SLOT || type == R_386_TLS_DTPMOD32 || type == R_386_TLS_DTPOFF32 ||
               type == R_386_TLS_TPOFF32 || type == R_386_TLS_TPOFF || type == R_386_TLS_DESC;
    case EM_AARCH64:
        return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_TLS_DTPMOD || type == R_AARCH64_TLS_DTPREL ||
               type == R_AARCH64_TLS_TPREL || type == R_AARCH64_TLSDESC;
    default:
        return plt;
    }
}

static bool is_jump_slot(unsigned machine, unsigned type, bool plt)
{
    return plt &&
           ((machine == EM_X86_64 && type == R_X86_64_JUMP_SLOT) || (machine == EM_386 && type == R_386_JMP_SLOT) ||
            (machine == EM_AARCH64 && type == R_AARCH64_JUMP_SLOT) ||
            (machine != EM_X86_64 && machine != EM_386 && machine != EM_AARCH64));
}

static bool is_glob_dat(unsigned machine, unsigned type)
{
    return (machine == EM_X86_64 && type == R_X86_64_GLOB_DAT) || (machine == EM_386 && type == R_386_GLOB_DAT);
}

static bool is_copy(unsigned machine, unsigned type)
{
    return (machine == EM_X86_64 && type == R_X86_64_COPY) || (machine == EM_386 && type == R_386_COPY) ||
           (machine == EM_AARCH64 && type == R_AARCH64_COPY) || (machine == EM_ARM && type == R_ARM_COPY) ||
           (machine == EM_RISCV && type == R_RISCV_COPY);
}

/* musl looks at the kind of relocation only to tell a call (find_sym()'s need_def) and a copy. */
static enum lookup_class class_of(const struct load *load, unsigned machine, const struct elf_reference *r)
{
    if (is_copy(machine, r->type))
        return LOOKUP_COPY;
    if (load->family == LOADER_MUSL)
        return is_jump_slot(machine, r->type, r->plt) ? LOOKUP_CALL : LOOKUP_DATA;
    return is_call(machine, r->type, r->plt) ? LOOKUP_CALL : LOOKUP_DATA;
}

static bool needs_lookup(const struct load *load, const struct elf_symbol *s)
{
    return s->bind != STB_LOCAL &&
           (load->family == LOADER_MUSL || (s->visibility != STV_HIDDEN && s->visibility != STV_INTERNAL));
}

/* glibc relocates itself once more after start-up, where it has anything that others may replace; it is bound by the
 * program's scope, at once. */
static size_t asked_in(const struct load *load, const struct object *object, bool lazy)
{
    return lazy ? load->batches : object == load->priv->interp ? 0 : object->batch;
}

size_t load_bindings(const struct load *load, const struct object *object, struct binding **ret)
{
    const struct elffile *elf = object->elf;
    const struct elf_entry *entry = (const struct elf_entry *)elf;
    const struct object *asker = object == load->priv->interp ? load->objects[0] : object;
    bool may_be_lazy = load->family == LOADER_GLIBC && object != load->priv->interp && !more_of(load, object)->now;
    size_t count = 0, capacity = 0;
    bool got_before = false;

    *ret = NULL;
    for (size_t i = 0; i < elf->reference_count; i++) {
        const struct elf_reference *r = &elf->references[i];
        const struct elf_symbol *s = &elf->symbols[r->symbol];
        struct question q = {.load = load, .class = class_of(load, elf->machine, r), .reference = s};
        struct binding *b, *before = count ? &(*ret)[count - 1] : NULL;

        /* A lazy call of a symbol that others cannot replace is bound without a lookup (_dl_fixup()). */
        bool lazy = may_be_lazy && is_jump_slot(elf->machine, r->type, r->plt);
        if (!needs_lookup(load, s) || (lazy && s->visibility != STV_DEFAULT))
            continue;
        q.got = is_glob_dat(elf->machine, r->type) && load->priv->traits.protected_copies;
        bool again = before && !lazy && load->family == LOADER_GLIBC && before->reference == s &&
                     before->class == q.class && got_before == q.got;
        q.query = (struct elf_query){.name = s->name, .hash = entry->index.hashes[r->symbol], .version = s->version};
        q.when = asked_in(load, object, lazy);
        got_before = q.got;
        const struct object *to = scope_ask(&q, asker);
        b = array_add(ret, &count, &capacity, sizeof *b);
        *b = (struct binding){.place = r->place,
                              .type = r->type,
                              .class = q.class,
                              .reference = s,
                              .lazy = lazy,
                              .again = again,
                              .to = to,
                              .symbol = to ? q.symbol : NULL};
    }
    return count;
}
