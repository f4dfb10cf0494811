/* C libraries that do not go together: parts of glibc of different builds, and objects of the other family.
 *
 * ld.so and libc.so.6 share structures and functions that no version number tells of (GLIBC_PRIVATE); they work
 * together only when they come from one build. A musl object asks for musl's own soname, which is libc.so in musl and
 * libc.musl-ARCH.so.1 in Alpine's packages. */
#include "judge.h"

#include <signal.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/libc.h>

/* ---- parts of glibc ---- */

static bool part_name(const char *name)
{
    static const char *const names[] = {
        "libc.so.6",       "libm.so.6",         "libpthread.so.0",   "libdl.so.2",   "librt.so.1",
        "libresolv.so.2",  "libutil.so.1",      "libanl.so.1",       "libmvec.so.1", "libthread_db.so.1",
        "libnss_dns.so.2", "libnss_files.so.2", "libnss_compat.so.2"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "ld-linux", 8) == 0;
}

static bool part_of_glibc(const struct object *object)
{
    return object && (object->why == OBJECT_INTERP ||
                      part_name(object->elf->soname ? object->elf->soname : path_base(object->path)));
}

static const struct object *libc_of(const struct load *load)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->elf->soname && strcmp(load->objects[i]->elf->soname, "libc.so.6") == 0)
            return load->objects[i];
    return NULL;
}

static bool is_private(const struct fault *fault)
{
    const char *version = fault->kind == FAULT_VERSION ? fault->name : fault->version;

    return version && strcmp(version, "GLIBC_PRIVATE") == 0;
}

/* Between ld.so and libc.so.6, in either direction. */
static bool between_the_two(const struct load *load, const struct fault *fault)
{
    const struct object *libc = libc_of(load);

    if ((fault->kind != FAULT_VERSION && fault->kind != FAULT_SYMBOL) || fault->warning || !fault->provider || !libc)
        return false;
    return (fault->subject->why == OBJECT_INTERP && fault->provider == libc) ||
           (fault->subject == libc && fault->provider->why == OBJECT_INTERP);
}

/* The fault that shows that ld.so and libc.so.6 do not go together: the one that the loader named, else the first. */
static const struct fault *fault_of_the_two(const struct process *process, const struct load *load)
{
    const struct fault *first = NULL;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (!between_the_two(load, fault))
            continue;
        if (process_says(process, fault->name))
            return fault;
        first = first ? first : fault;
    }
    return first;
}

static void name_skew(struct finding *finding, const struct fault *fault)
{
    finding->kind = CAUSE_LOADER_LIBC_SKEW;
    finding->fault = fault;
    finding->subject = fault->subject->path;
    finding->provider = fault->provider ? fault->provider->path : NULL;
}

/* A program's demand for a version that libc.so.6 tells everybody of. The loader checks those before it looks whether
 * the two go together (_dl_check_all_versions() in elf/dl-version.c), so where it says nothing of that it did not come
 * to it: what a person is told, and must change, is which libc.so.6 is found first. */
static bool public_demand(const struct process *process, const struct fault *fault, const struct fault *root)
{
    return fault->kind == FAULT_VERSION && !is_private(fault) && !part_of_glibc(fault->subject) &&
           !process_says(process, root->name);
}

bool judge_skewed(struct finding *finding)
{
    const struct fault *fault = finding->fault;
    bool of_parts = part_of_glibc(fault->subject) || part_of_glibc(fault->provider);
    const struct fault *root;

    if (finding->load->family != LOADER_GLIBC || (!of_parts && !is_private(fault)))
        return false;
    root = fault_of_the_two(finding->process, finding->load);
    if (root && public_demand(finding->process, fault, root))
        return false;
    if (root)
        name_skew(finding, root);
    else if (is_private(fault) || (part_of_glibc(fault->subject) && part_of_glibc(fault->provider)))
        name_skew(finding, fault);
    else
        return false;
    return true;
}

bool skew_is_hidden(const struct process *process, const struct load *load, const struct fault *fault)
{
    if (!between_the_two(load, fault))
        return false;
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->provider == libc_of(load) && !load->faults[i]->warning &&
            public_demand(process, load->faults[i], fault))
            return true;
    return false;
}

/* ---- nothing said ---- */

static bool of_different_builds(const struct process *process, const struct object *libc, const char *interp)
{
    struct libc_identity a, b;
    bool differ;

    libc_identify(process->root, libc->path, &a);
    libc_identify(process->root, interp, &b);
    differ = a.build && b.build && strcmp(a.build, b.build) != 0;
    libc_identity_deinit(&a);
    libc_identity_deinit(&b);
    return differ;
}

static bool may_come_of_skew(const struct process *process)
{
    int signal = process->signal;

    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGABRT || signal == SIGFPE;
}

void judge_skewed_crash(struct process *process, const struct load *load)
{
    const struct object *libc = libc_of(load);
    struct fault unseen = {.kind = FAULT_VERSION, .subject = libc, .name = "GLIBC_PRIVATE"};
    struct finding finding = {.process = process, .load = load, .missing = "GLIBC_PRIVATE"};
    struct suspect *suspect;

    if (!libc || !load->interp || load->family != LOADER_GLIBC || !may_come_of_skew(process) ||
        process->last_file_n > process->exec_n || !of_different_builds(process, libc, load->interp))
        return;
    name_skew(&finding, &unseen);
    finding.provider = load->interp;
    suspect = suspect_add(process, AT_START, &finding, process->signal_n ? process->signal_n : process->end_n,
                          process->end_ns);
    if (suspect)
        suspect->last_act = true;
}

/* ---- the other family ---- */

static bool musl_name(const char *name)
{
    return strncmp(path_base(name), "libc.musl-", 10) == 0 || strncmp(path_base(name), "ld-musl-", 8) == 0;
}

/* What stands under the name libc.so on a glibc system is the linker's script (ld(1), INPUT), if anything. */
static bool musl_needed(const struct load *load, const struct fault *fault)
{
    return load->family == LOADER_GLIBC && fault->kind == FAULT_NOT_FOUND &&
           (musl_name(fault->name) || strcmp(fault->name, "libc.so") == 0);
}

static bool needs_glibc(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strcmp(elf->needed[i], "libc.so.6") == 0 || strncmp(elf->needed[i], "ld-linux", 8) == 0)
            return true;
    return false;
}

static bool of_glibc(const char *version)
{
    return version && strncmp(version, "GLIBC_", 6) == 0;
}

/* musl takes libc.so.6, libm.so.6 and the like for itself (load_library() of ldso/dynlink.c); the rest of glibc is
 * missed. */
static bool glibc_needed(const struct load *load, const struct fault *fault)
{
    if (load->family != LOADER_MUSL || !needs_glibc(fault->subject->elf))
        return false;
    return (fault->kind == FAULT_NOT_FOUND && part_name(path_base(fault->name))) ||
           (fault->kind == FAULT_SYMBOL && of_glibc(fault->version));
}

bool family_fault(const struct load *load, const struct fault *fault)
{
    return musl_needed(load, fault) || glibc_needed(load, fault);
}

bool judge_family(struct finding *finding)
{
    const struct fault *fault = finding->fault;

    if (!family_fault(finding->load, fault))
        return false;
    finding->kind = CAUSE_LIBC_FAMILY_MISMATCH;
    finding->missing = fault->name;
    finding->provider = NULL;
    return true;
}

bool family_covers(const struct load *load, const struct fault *fault)
{
    bool family = family_fault(load, fault);

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *other = load->faults[i];

        if (other == fault && family) /* the first of them speaks for all */
            return false;
        if (other != fault && other->subject == fault->subject && other->batch == fault->batch &&
            family_fault(load, other))
            return true;
    }
    return false;
}
