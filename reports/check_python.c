#include "check_python.h"

#include "check_parts.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/runtime.h>

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#define TAG_SURE 0.9

static bool is_program(const char *root, const char *path)
{
    const struct elffile *elf = elffile_get_head(root, path);
    bool program = elf->state == ELFFILE_OK;

    elffile_put(elf);
    return program;
}

/* The program NAME on PATH, without the links of its own name; malloced, or NULL. *SHIM: a script of that name stands
 * there (pyenv's), which may start any. */
static char *on_path(const struct check_request *request, const char *name, bool *shim)
{
    const char *list = check_search_path(request);
    char *found = NULL;

    for (char *directory; !found && (directory = path_list_next(&list)); free(directory)) {
        CLEANUP_FREE char *path = path_join(directory, name);
        struct path_walk walk;

        if (*directory != '/')
            continue;
        path_walk(request->root, "/", path, NULL, &walk);
        if (walk.reason == PATH_OK && is_program(request->root, walk.final ? walk.final : path))
            found = xstrdup(walk.final ? walk.final : path);
        *shim |= walk.reason == PATH_OK && !found;
        path_walk_deinit(&walk);
    }
    return found;
}

/* "cpython-311" -> "python3.11" */
static char *name_of(const char *tag)
{
    return xasprintf("python%c.%s", tag[8], tag + 9);
}

/* The Python that takes TAG, or, *OTHER, what stands there as python3 instead. Both malloced, or NULL. */
static char *find_python(const struct check_request *request, const char *tag, char **other)
{
    CLEANUP_FREE char *name = name_of(tag);
    bool shim = false;
    char *path = on_path(request, name, &shim);

    *other = path || shim ? NULL : on_path(request, "python3", &shim);
    if (shim)
        free(steal_pointer(other));
    return path;
}

static void tell_other(const char *path, const char *tag, const char *python, const char *takes, struct report *report)
{
    struct cause *cause = cause_create(CAUSE_MODULE_ABI_MISMATCH);

    cause->impact = IMPACT_FATAL;
    cause->confidence = TAG_SURE;
    cause->seconds = -1;
    cause->subject = xstrdup(path);
    cause->missing = xstrdup(takes);
    strings_add(&cause->chain, xstrdup(python));
    strings_add(&cause->chain, xstrdup(path));
    cause->summary = xasprintf("%s was built for %s, but %s takes modules for %s only.", path_base(path), tag,
                               path_base(python), takes);
    cause_fact(cause, "it wants", "%s", takes);
    cause_fact(cause, "it gets", "%s   %s", path, tag);
    cause->detail =
        xasprintf("No Python for %s is on PATH; %s does not look for files of that name, and says that there "
                  "is no such module.",
                  tag, python);
    cause_remedy(cause, PROOF_KNOWN, "install the build of it for this Python (pip install), or that Python");
    report_add_cause(report, cause);
}

static bool of_python(const char *name)
{
    return strncmp(name, "Py", 2) == 0 || strncmp(name, "_Py", 3) == 0;
}

/* PYTHON opens it, as import does (RTLD_NOW): false where it would not. Of symbols only Python's own count: the rest
 * may be of a module that was imported before. */
static bool imports(const struct check_request *request, const char *python, const char *path)
{
    const struct load_request asked = check_load_request(request, python);
    const struct load_open open = {.file = path, .mode = RTLD_NOW, .space = LOAD_SPACE_CALLER};
    struct load *load;
    bool well = true;
    size_t batch;

    if (load_create(&asked, &load, NULL) < 0)
        return true;
    batch = load->family != LOADER_NONE ? load_dlopen(load, &open, NULL) : 0;
    for (size_t i = 0; batch && i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (fault->batch == batch && !fault->warning)
            well &= fault->kind == FAULT_SYMBOL && !fault->version && !of_python(fault->name);
    }
    load_destroy(load);
    return well;
}

static void put_module(const struct check_request *request, const char *path, const struct elffile *elf,
                       const char *python, size_t causes, struct report *report)
{
    CLEANUP_FREE char *verdict =
        causes ? xasprintf("%s cannot import it: %zu cause%s", python, causes, causes == 1 ? "" : "s")
               : xasprintf("loads in %s", python);

    check_put_row(report, path, "module", elf, causes ? TABLE_BAD : TABLE_GOOD, verdict);
    check_put_made_of(request, path, elf, report);
}

bool check_python_module(const struct check_request *request, const char *path, struct report *report)
{
    CLEANUP_FREE char *tag = runtime_python_tag(path_base(path));
    const struct elffile *elf = elffile_get(request->root, path);
    CLEANUP_FREE char *python = NULL;
    CLEANUP_FREE char *other = NULL;
    CLEANUP_FREE char *takes = NULL;
    struct check_host host = {0};
    size_t first = report->cause_count;
    bool told;

    if (tag && strncmp(tag, "cpython-3", 9) == 0 && elf->state == ELFFILE_OK && elffile_is_library(elf))
        python = find_python(request, tag, &other);
    takes = other ? runtime_python(other) : NULL;
    host.path = python ? xstrdup(python) : NULL;
    host.elf = python ? elffile_get(request->root, python) : NULL;
    told =
        host.elf && host.elf->state == ELFFILE_OK && host.elf->class == elf->class && host.elf->machine == elf->machine;
    if (told && !imports(request, python, path))
        check_judge_opening(request, &host, path, report);
    if (takes && strcmp(takes, tag) != 0) {
        tell_other(path, tag, other, takes, report);
        told = true;
    }
    if (told)
        put_module(request, path, elf, python ? python : other, report->cause_count - first, report);
    if (host.elf)
        elffile_put(host.elf);
    free(host.path);
    elffile_put(elf);
    return told;
}
