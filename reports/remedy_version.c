/* What helps where a version is lacking: a system that has it, or a whole C library that stands beside the system's. */
#include "remedy.h"

#include "text.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/releases.h>

enum { VERSIONS_MOST = 32, SYSTEMS_TOLD = 6 };

/* All the versions that the loader met no definition of, in the libraries that the table is about. */
static size_t lacking(const struct finding *finding, const char **versions)
{
    size_t n = 0;

    for (size_t i = 0; i < finding->load->fault_count && n < VERSIONS_MOST; i++) {
        const struct fault *fault = finding->load->faults[i];
        bool again = false;

        if (fault->kind != FAULT_VERSION || fault->warning || !release_knows(fault->name))
            continue;
        for (size_t k = 0; k < n; k++)
            again |= strcmp(versions[k], fault->name) == 0;
        if (!again)
            versions[n++] = fault->name;
    }
    return n;
}

static char *listed(const char *const *versions, size_t count)
{
    struct text text = {0};

    for (size_t i = 0; i < count && i < 4; i++)
        text_addf(&text, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", versions[i]);
    if (count > 4)
        text_addf(&text, " and %zu more", count - 4);
    return text.v;
}

static char *systems_in_words(const struct release *const *systems, size_t count)
{
    struct text text = {0};

    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s%s %s", i ? ", " : "", systems[i]->system, systems[i]->number);
    return text.v;
}

static bool all_of_glibc(const char *const *versions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(versions[i], "GLIBC_", 6) != 0 || versions[i][6] < '0' || versions[i][6] > '9')
            return false;
    return true;
}

bool remedy_newer_system(const struct finding *finding, struct cause *cause)
{
    const char *versions[VERSIONS_MOST] = {NULL};
    const struct release *systems[SYSTEMS_TOLD];
    size_t count = lacking(finding, versions), found;
    const char *glibc = releases_glibc(versions, count);
    CLEANUP_FREE char *names = count ? listed(versions, count) : NULL, *where = NULL, *what = NULL;

    if (!count)
        return false;
    found = releases_with(versions, count, systems, SYSTEMS_TOLD);
    what = all_of_glibc(versions, count) ? xasprintf("on glibc %s or newer", glibc)
                                         : xasprintf("where %s %s defined", names, count > 1 ? "are all" : "is");
    if (!found && !glibc)
        return false;
    where = found ? systems_in_words(systems, found) : NULL;
    cause_remedy(cause, PROOF_KNOWN, "run it %s%s%s", what,
                 found ? ", or in a container of such a system: " : "; no system that is known here has it yet",
                 found ? where : "");
    return true;
}

/* ---- another C library on this system ---- */

static bool defines(void *ctx, const struct elffile *elf)
{
    const struct fault *fault = ctx;

    return (elf->st.st_ino != fault->provider->elf->st.st_ino || elf->st.st_dev != fault->provider->elf->st.st_dev) &&
           elffile_defines_version(elf, fault->name);
}

/* The parts of one only go together: the loader of that directory is run, and given the directory to search. */
void remedy_other_libc(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *root = finding_root(finding), *interp = finding->load->interp;
    const char *near[2] = {finding->load->objects[0]->path, fault->subject->path};
    CLEANUP_FREE char *found = NULL, *directory = NULL, *loader = NULL, *list = NULL;
    struct load_change change = {.variable = "LD_LIBRARY_PATH"};
    struct stat st;

    if (!fault->provider || !interp || finding->load->family != LOADER_GLIBC || finding->process->secure ||
        !remedy_is_worth_a_search(finding))
        return;
    found = search_elsewhere_for(root, path_base(fault->provider->path), fault->provider->elf, near, 2,
                                 finding->process->cwd, defines, (void *)fault);
    if (!found)
        return;
    directory = path_dir(found);
    loader = path_join(directory, path_base(interp));
    list = remedy_before(directory, process_env(finding->process, "LD_LIBRARY_PATH"));
    change.value = list;
    change.loader = loader;
    if (path_stat(root, loader, &st) < 0 || !remedy_loads(finding, &change))
        return;
    {
        CLEANUP_FREE char *run = remedy_word(loader), *paths = remedy_word(list), *program = remedy_word(near[0]);

        remedy_add(cause, PROOF_MODELLED, TRIAL_NONE, xasprintf("%s --library-path %s %s", run, paths, program),
                   "run it with the whole C library that stands in %s, its loader included", directory)
            ->risk = xstrdup("programs that it starts do not get that library");
    }
}

/* ---- another loader ---- */

static bool loads_with(const struct finding *finding, const char *loader)
{
    CLEANUP_FREE const char **env = process_env_array(finding->process);
    const struct load_request request = {.root = finding_root(finding),
                                         .loader = loader,
                                         .program = finding->subject,
                                         .cwd = finding->process->cwd,
                                         .env = env,
                                         .cred = process_cred(finding->process),
                                         .guests = finding->process->guests};
    struct load *load;
    bool sound;

    if (load_create(&request, &load, NULL) < 0)
        return false;
    sound = load->object_count > 1;
    for (size_t i = 0; i < load->fault_count; i++)
        sound &= load->faults[i]->warning;
    load_destroy(load);
    return sound;
}

/* Programs of Nix, Guix or somebody's own tool chain name a loader in a directory of theirs. */
void remedy_other_loader(const struct finding *finding, struct cause *cause)
{
    static const char *const usual[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux.so.2", "/lib/ld-musl-x86_64.so.1",
                                        "/lib/ld-musl-i386.so.1"};
    CLEANUP_FREE char *program = remedy_word(finding->subject);
    struct stat st;

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (strcmp(path_base(usual[i]), path_base(finding->interpreter)) != 0 ||
            strcmp(usual[i], finding->interpreter) == 0 || path_stat(finding_root(finding), usual[i], &st) < 0 ||
            !loads_with(finding, usual[i]))
            continue;
        remedy_add(cause, PROOF_MODELLED, TRIAL_NONE, xasprintf("%s %s", usual[i], program),
                   "run it with the loader of this system, which finds all that it needs");
        remedy_add(cause, PROOF_MODELLED, TRIAL_NONE, xasprintf("patchelf --set-interpreter %s %s", usual[i], program),
                   "or write that loader into it")
            ->risk = xstrdup("changes the file: keep a copy");
        return;
    }
}
