/* Would the copy load: the shadow loader says it; and once it is run, where the user gave a command. */
#include "again.h"
#include "sandbox.h"

#include <probes/alloc.h>
#include <reports/check_parts.h>

#include <dlfcn.h>
#include <string.h>

enum { SECONDS = 60 };

static bool is_ours(const struct sandbox *sandbox, const char *path)
{
    size_t n = strlen(sandbox->dir);

    return strncmp(path, sandbox->dir, n) == 0 && path[n] == '/';
}

/* The program's C library has to be the copy's, or all was in vain. */
static void check_libc(const struct sandbox *sandbox, const struct load *load, struct sandbox_file *file,
                       struct strings *notes)
{
    for (size_t i = 1; i < load->object_count; i++) {
        const struct object *object = load->objects[i];

        if (object->why != OBJECT_DLOPEN && libcroot_is_own(path_base(object->path)) &&
            !is_ours(sandbox, object->path)) {
            file->bad = true;
            strings_addf(notes, "%s/%s would not take the copy's %s but %s", sandbox->dir, file->to,
                         path_base(object->path), object->path);
        }
    }
}

static bool has_fault(const struct load *load, size_t batch, bool library)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->batch == batch && check_ends_it(load->faults[i], library))
            return true;
    return false;
}

static void check_program(const struct sandbox *sandbox, const struct check_request *request, struct sandbox_file *file,
                          struct strings *notes, struct report *report)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", sandbox->dir, file->to);
    const struct load_request asked = {.root = "", .program = path, .cwd = request->cwd, .env = request->env};
    /* a file that the original's owner does not let be executed is copied as such */
    const struct check_request executing = {.root = "", .env = request->env, .cwd = request->cwd, .brief = true};
    const struct elffile *elf = elffile_get("", path);
    struct load *load;

    file->bad = check_execution(&executing, path, elf, false, report) == EXECUTION_REFUSED;
    elffile_put(elf);
    if (file->bad || load_create(&asked, &load, NULL) < 0)
        return;
    if (has_fault(load, 0, false)) {
        file->bad = true;
        check_judge_loading(request, path, NULL, load->objects[0]->elf, report);
    }
    check_libc(sandbox, load, file, notes);
    load_destroy(load);
}

static bool is_same(const struct cause *a, const struct cause *b)
{
    return a->kind == b->kind && a->subject && b->subject && strcmp(a->subject, b->subject) == 0 && a->missing &&
           b->missing && strcmp(a->missing, b->missing) == 0;
}

/* What one library lacks is met again by every other that needs it. */
void sandbox_drop_repeated(struct report *report)
{
    size_t kept = 0;

    for (size_t i = 0; i < report->cause_count; i++) {
        bool known = false;

        for (size_t k = 0; !known && k < kept; k++)
            known = is_same(report->causes[k], report->causes[i]);
        if (known)
            cause_destroy(report->causes[i]);
        else
            report->causes[kept++] = report->causes[i];
    }
    report->cause_count = kept;
}

/* A library is opened by the program that stands for all. */
static void check_libraries(struct sandbox *sandbox, const struct check_request *request, struct report *report)
{
    const struct sandbox_file *program = sandbox_program(sandbox);
    CLEANUP_FREE char *host =
        program ? xasprintf("%s/%s", sandbox->dir, program->to) : xasprintf("%s/lib/libc.so.6", sandbox->dir);
    CLEANUP_FREE char *loader = xasprintf("%s/lib/%s", sandbox->dir, sandbox->libc.name);
    const struct load_request asked = {
        .root = "", .loader = program ? NULL : loader, .program = host, .cwd = request->cwd, .env = request->env};
    struct load *load;

    if (load_create(&asked, &load, NULL) < 0)
        return;
    for (size_t i = 0; i < sandbox->count; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", sandbox->dir, sandbox->files[i].to);
        const struct load_open open = {.file = path, .mode = RTLD_LAZY, .space = LOAD_SPACE_CALLER};
        const struct check_host by = {.path = host, .elf = load->objects[0]->elf};
        struct object *handle;

        if (sandbox->files[i].what != SANDBOX_LIBRARY)
            continue;
        if (!has_fault(load, load_dlopen(load, &open, &handle), true)) {
            if (handle)
                load_dlclose(load, handle);
            continue;
        }
        sandbox->files[i].bad = true;
        check_judge_opening(request, &by, path, report);
    }
    load_destroy(load);
}

void sandbox_check(struct sandbox *sandbox, struct report *report)
{
    const struct check_request request = {.root = "", .env = (const char *const *)environ, .cwd = "/"};

    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what == SANDBOX_PROGRAM)
            check_program(sandbox, &request, &sandbox->files[i], &sandbox->notes, report);
    check_libraries(sandbox, &request, report);
    sandbox_drop_repeated(report);
}

/* ---- the run ---- */

static const struct sandbox_file *program_called(const struct sandbox *sandbox, const char *name)
{
    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what == SANDBOX_PROGRAM && strcmp(sandbox->files[i].to, name) == 0)
            return &sandbox->files[i];
    for (size_t i = 0; i < sandbox->count; i++)
        if (sandbox->files[i].what == SANDBOX_PROGRAM && strcmp(path_base(sandbox->files[i].to), path_base(name)) == 0)
            return &sandbox->files[i];
    return NULL;
}

int sandbox_command(const struct sandbox *sandbox, const char *name, struct err *err)
{
    return program_called(sandbox, name)
               ? 0
               : err_set(err, "%s is none of the programs that would be copied; nothing was made", name);
}

int sandbox_try(const struct sandbox *sandbox, char *const *command, size_t words, struct report **ret, struct err *err)
{
    const struct sandbox_file *program = program_called(sandbox, command[0]);
    struct strings line = {0}, variables = {0};
    struct again again;
    int status = again_init(&again, SECONDS, NULL, err);

    sandbox_variables(sandbox, &variables);
    for (size_t i = 0; i < variables.n; i++) {
        strings_add(&line, xstrdup("-E"));
        strings_add(&line, xstrdup(variables.v[i]));
    }
    strings_add(&line, xstrdup("--"));
    strings_addf(&line, "%s/%s", sandbox->dir, program->to);
    for (size_t i = 1; i < words; i++)
        strings_add(&line, xstrdup(command[i]));
    if (status == 0)
        status = again_run(&again, &line, ret, err);
    again_deinit(&again);
    strings_deinit(&line);
    strings_deinit(&variables);
    return status;
}
