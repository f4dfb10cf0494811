#include "check_host.h"

#include "check_parts.h"
#include "stub.h"

#include <probes/alloc.h>
#include <probes/nodeaddon.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <elf.h>
#include <string.h>

/* ---- what fits ---- */

/* What a root is for, the programs in it say; this system's own is the kernel's. */
static void read_machine(struct here *here)
{
    static const char *const programs[] = {"/bin/sh", "/usr/bin/env", "/bin/busybox", "/sbin/ldconfig"};
    stub_native(&here->class, &here->data, &here->machine);
    for (size_t i = 0; *here->root && i < sizeof programs / sizeof *programs; i++) {
        const struct elffile *elf = elffile_get(here->root, programs[i]);
        bool sound = elf->state == ELFFILE_OK;

        if (sound) {
            here->class = elf->class;
            here->machine = elf->machine;
            here->data = elf->data;
        }
        elffile_put(elf);
        if (sound)
            break;
    }
}

static bool is_there(const char *root, const char *path)
{
    struct stat st;

    return path && path_stat(root, path, &st) == 0;
}

void here_read(const char *root, struct here *ret)
{
    const struct elffile *shell = elffile_get(root, "/bin/sh");

    *ret = (struct here){.root = root, .family = FAMILY_ANY};
    read_machine(ret);
    if (shell->state == ELFFILE_OK && shell->interp) { /* several loaders may be installed: its programs' counts */
        ret->family = variant_family(shell);
    } else if (is_there(root, stub_loader(ret->class, ret->data, ret->machine))) {
        ret->family = FAMILY_GLIBC;
    }
    elffile_put(shell);
}

bool here_fits_machine(const struct here *here, const struct elffile *elf)
{
    return elf->class == here->class && elf->machine == here->machine;
}

bool here_is_foreign(const struct here *here, const struct elffile *elf, enum family family, bool library)
{
    CLEANUP_FREE char *loader = variant_loader(elf, family);

    if (family == FAMILY_OTHER)
        return true;
    if (!here_fits_machine(here, elf) && !is_there(here->root, loader)) /* i386 beside x86_64 */
        return true;
    if (family == FAMILY_ANY || here->family == FAMILY_ANY || family == here->family)
        return false;
    return library || !is_there(here->root, elf->interp);
}

/* ---- node ---- */

#define ABI_SURE 0.95

/* Each node and Electron exports it, node-api's entrance (src/node_api.cc). */
static const char entrance[] = "napi_module_register";

void check_host_init(struct check_host *host, const char *root, const char *path, char *runtime)
{
    host->path = xstrdup(path);
    host->elf = elffile_get(root, path);
    host->runtime = runtime;
}

void check_host_deinit(struct check_host *host)
{
    free(host->path);
    free(host->runtime);
    if (host->elf)
        elffile_put(host->elf);
}

char *check_node_runtime(const struct load *load)
{
    const struct object *object =
        load->family != LOADER_NONE ? load_lookup(load, NULL, entrance, NULL, LOOKUP_CALL, NULL) : NULL;

    return object ? xstrdup(object->path) : NULL;
}

static char *runtime_at(const struct check_request *request, const char *path)
{
    const struct load_request asked = {
        .root = request->root, .program = path, .cwd = request->cwd, .env = request->env};
    struct load *load;
    char *runtime;

    if (!is_there(request->root, path) || load_create(&asked, &load, NULL) < 0)
        return NULL;
    runtime = load->objects[0]->elf->state == ELFFILE_OK ? check_node_runtime(load) : NULL;
    load_destroy(load);
    return runtime;
}

const char *check_search_path(const struct check_request *request)
{
    const char *path = env_value(request->env, "PATH");

    return path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

void check_host_on_path(struct check_host *host, const struct check_request *request)
{
    const char *list = check_search_path(request);

    for (char *directory; !host->path && (directory = path_list_next(&list)); free(directory)) {
        CLEANUP_FREE char *path = path_join(directory, "node");
        char *runtime = *directory == '/' ? runtime_at(request, path) : NULL;

        if (runtime)
            check_host_init(host, request->root, path, runtime);
    }
}

/* For the V8 and the node of one release: each other one refuses it. */
static unsigned host_takes(struct check_host *host, const char *root)
{
    if (!host->asked && host->runtime)
        host->takes = nodeaddon_taken_by(root, host->runtime);
    host->asked = true;
    return host->takes;
}

void check_addon_abi(struct check_host *host, const char *root, const char *path, const struct elffile *elf,
                     struct report *report)
{
    unsigned built = nodeaddon_built_for(root, path, elf), takes = built ? host_takes(host, root) : 0;
    struct cause *cause;

    if (!takes || takes == built)
        return;
    cause = cause_create(CAUSE_MODULE_ABI_MISMATCH);
    cause->impact = IMPACT_FATAL;
    cause->confidence = ABI_SURE;
    cause->seconds = -1;
    cause->subject = xstrdup(path);
    cause->missing = xasprintf("NODE_MODULE_VERSION %u", takes);
    strings_add(&cause->chain, xstrdup(host->path));
    strings_add(&cause->chain, xstrdup(path));
    cause->summary = xasprintf("%s was built for NODE_MODULE_VERSION %u, but %s takes modules for %s only.",
                               path_base(path), built, path_base(host->path), cause->missing);
    cause_fact(cause, "it wants", "%s", cause->missing);
    cause_fact(cause, "it gets", "%s   NODE_MODULE_VERSION %u", path, built);
    cause->detail =
        xasprintf("the loader has nothing against %s; what it says to node of itself is for another release", path);
    cause_remedy(cause, PROOF_KNOWN, "build it for this node (npm rebuild), or take the build of it for this node");
    report_add_cause(report, cause);
}

bool check_is_addon(const char *path, const struct elffile *elf)
{
    size_t length = strlen(path);

    if (length > 5 && strcmp(path + length - 5, ".node") == 0)
        return true;
    for (size_t i = 0; i < elf->symbol_count; i++)
        if (!elf->symbols[i].defined && (strncmp(elf->symbols[i].name, "napi_", 5) == 0 ||
                                         strcmp(elf->symbols[i].name, "node_module_register") == 0))
            return true;
    return false;
}
