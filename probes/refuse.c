/* What the loader refuses although every file is there and every symbol is defined. Only what is certain: where it
 * depends on what cannot be seen from outside (a security module, a tunable), nothing is said. */
#include "loader.h"

#include "alloc.h"

#include <string.h>

/* Room for dlopened objects with initial-exec TLS: TLS_STATIC_SURPLUS of csu/libc-tls.c up to 2.31, and the defaults of
 * rtld.nns and rtld.optional_static_tls in elf/dl-tls.c since (1664 bytes both), rounded up to the alignment of the
 * block. */
enum { SURPLUS = 1664, SLACK = 64 + 64 };
enum { BLOCK_ALIGNMENT = 64 /* TCB_ALIGNMENT */ };

const char *load_isa_level_name(uint32_t needed)
{
    static const char *const names[] = {"x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4",
                                        "x86-64-v5",       "x86-64-v6", "x86-64-v7", "x86-64-v8"};
    unsigned top = needed ? 31 - (unsigned)__builtin_clz(needed) : 0;

    return top < sizeof names / sizeof *names ? names[top] : "above x86-64-v8";
}

/* OBJECT is refused to whoever asked for it. */
static void refuse(struct load *load, enum fault_kind kind, const struct object *object, size_t batch)
{
    struct fault *fault = fault_add(load, kind, object->loader ? object->loader : load->objects[0], batch);

    fault->name = object->path;
    fault->provider = object;
}

/* The value of a tunable in GLIBC_TUNABLES (ld.so(8): NAME=VALUE, joined by colons), or NULL. */
static const char *tunable(const struct load *load, const char *name)
{
    const char *list = load->priv->secure ? NULL : load_env(load, "GLIBC_TUNABLES");
    size_t n = strlen(name);

    for (const char *s = list; s && *s; s += strcspn(s, ":"), s += *s == ':')
        if (strncmp(s, name, n) == 0 && s[n] == '=')
            return s + n + 1;
    return NULL;
}

/* _dl_relocate_static_pie() and dl_main(): libraries are looked at when they are searched, the program here. */
static void check_program_level(struct load *load)
{
    const struct loader_traits *traits = &load->priv->traits;
    const struct object *program = load->objects[0];
    uint32_t needed = program->elf->isa_needed;

    if (traits->isa_check && traits->cpu_level && needed >> traits->cpu_level)
        fault_add(load, FAULT_ISA_LEVEL, program, 0)->name = load_isa_level_name(needed);
}

/* elf/dl-call-libc-early-init.c asserts that the libc.so.6 which was loaded, of whatever build, has the function. */
static void check_early_init(struct load *load)
{
    const struct object *libc =
        load->priv->traits.early_init ? loaded_by_name(load, "libc.so.6", LOAD_SPACE_BASE) : NULL;
    struct fault *fault;

    if (!libc || libc == load->priv->interp || elffile_lookup(libc->elf, "__libc_early_init", "GLIBC_PRIVATE"))
        return;
    fault = fault_add(load, FAULT_SYMBOL, load->priv->interp, 0);
    fault->name = "__libc_early_init";
    fault->version = "GLIBC_PRIVATE";
    fault->provider = libc;
}

/* _dl_map_object_from_fd() of 2.41: the stack of the running threads is no longer changed, unless the tunable says 2.
 */
static void check_stack(struct load *load, const struct object *object, size_t batch)
{
    const char *mode = tunable(load, "glibc.rtld.execstack");

    if (!load->priv->traits.keeps_stack || !object->elf->execstack || (mode && *mode == '2'))
        return;
    for (size_t i = 0; i < load->object_count; i++) /* executable since the start */
        if (load->objects[i]->batch == 0 && load->objects[i]->elf->execstack)
            return;
    refuse(load, FAULT_EXECSTACK, object, batch);
}

static bool is_there(const struct load *load, const struct object *object, size_t batch)
{
    return object->batch == batch || (object->batch > 0 && !more_of(load, object)->removed);
}

/* _dl_try_allocate_static_tls() of elf/dl-reloc.c. musl sets nothing aside: do_relocs() of ldso/dynlink.c refuses every
 * object that came after the start. */
static void check_tls(struct load *load, const struct object *object, size_t batch)
{
    uint64_t used = 0;
    bool over;

    if (!object->elf->static_tls || !object->elf->tls_size)
        return;
    for (size_t i = 0; i <= object->index; i++)
        if (is_there(load, load->objects[i], batch) && load->objects[i]->elf->static_tls)
            used += load->objects[i]->elf->tls_size;
    over = used > SURPLUS + SLACK || object->elf->tls_size > SURPLUS + SLACK || load->family == LOADER_MUSL;
    if (tunable(load, "glibc.rtld.nns") || tunable(load, "glibc.rtld.optional_static_tls"))
        over = over && load->family == LOADER_MUSL;
    for (size_t i = 0; i < load->object_count && over; i++) /* with a greater alignment the room is greater */
        over = load->objects[i]->batch || load->objects[i]->elf->tls_align <= BLOCK_ALIGNMENT;
    if (over)
        refuse(load, FAULT_STATIC_TLS, object, batch);
}

void check_refusals(struct load *load, size_t first, size_t batch)
{
    if (!batch && load->family == LOADER_GLIBC) {
        check_program_level(load);
        check_early_init(load);
    }
    for (size_t i = first; i < load->object_count && batch; i++) {
        const struct object *object = load->objects[i];

        if (object->why == OBJECT_INTERP)
            continue;
        check_stack(load, object, batch);
        check_tls(load, object, batch);
    }
}
