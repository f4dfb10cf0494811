/* What the dynamic loader did with the libraries that it opened, from the order of its calls: which belong together,
 * which it mapped and took out again, what it looked for in vain. That is known whatever the program says of it, if it
 * says anything, and however short its words were cut.
 *
 * elf/dl-load.c, dl-deps.c, dl-open.c of glibc; ldso/dynlink.c of musl. */
#include "read_strace.h"

#include "model.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

static void forget_batch(struct strace_load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        free(load->objects[i].path);
        free(load->objects[i].first);
    }
    load->count = 0;
    load->over = false;
}

static void forget_search(struct strace_load *load)
{
    free(load->sought);
    free(load->first);
    free(load->last);
    load->sought = load->first = load->last = NULL;
}

void strace_load_deinit(struct strace_load *load)
{
    forget_batch(load);
    forget_search(load);
    free(load->lost);
    free(load->lost_needer);
    free(load->told);
    free(load->refused);
    *load = (struct strace_load){.fd = -1};
}

/* ---- who asked ---- */

/* glibc's own, which need nothing but each other. */
static bool of_libc(const char *path)
{
    static const char *const names[] = {"libc.so.6",    "libm.so.6", "libpthread.so.0", "libdl.so.2",  "librt.so.1",
                                        "libutil.so.1", "ld-linux",  "libresolv.so.2",  "libanl.so.1", "libmvec.so.1"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(path_base(path), names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool same_directory(const char *a, const char *b)
{
    size_t n = (size_t)(path_base(a) - a);

    return n == (size_t)(path_base(b) - b) && strncmp(a, b, n) == 0;
}

static bool of_system(const char *path)
{
    static const char *const places[] = {"/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/", "/usr/", NULL};

    for (size_t i = 0; places[i]; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return strncmp(path, "/usr/local/", 11) != 0;
    return false;
}

/* What the system has brought has all that it needs: the only one that is not of it, besides NAME; or NULL. */
static const struct strace_object *one_outside(const struct strace_load *load, const char *name)
{
    const struct strace_object *one = NULL;

    for (size_t i = 0; i < load->count; i++) {
        if (of_system(load->objects[i].path) || strcmp(path_base(load->objects[i].path), path_base(name)) == 0)
            continue;
        if (one)
            return NULL;
        one = &load->objects[i];
    }
    return one;
}

/* The one object of which it can be that it needs what is looked for now; NULL: not known, or the program itself. At
 * the start its own libraries come first, breadth by breadth, the C library as the last of them (the compiler driver
 * puts it there); a dlopen begins with the one that was asked for. */
static const char *needer_of(const struct strace_group *group, const char *name)
{
    const struct strace_load *load = &group->load;
    const struct strace_object *one = NULL;
    size_t candidates = 0;
    bool deep = !group->loading;

    for (size_t i = 0; i < load->count; i++)
        deep |= strncmp(path_base(load->objects[i].path), "libc.so.6", 9) == 0;
    if (!deep || !load->count || load->over)
        return NULL;
    for (size_t i = 0; i < load->count; i++) {
        const struct strace_object *object = &load->objects[i];

        if (of_libc(object->path) || strcmp(path_base(object->path), path_base(name)) == 0)
            continue;
        one = object;
        candidates++;
    }
    if (candidates == 1 || (one = one_outside(load, name)))
        return one->path;
    for (size_t i = 0; i < load->count && load->first; i++) /* a RUNPATH of its own begins where it stands */
        if (!of_libc(load->objects[i].path) && same_directory(load->objects[i].path, load->first) && candidates)
            return load->objects[i].path;
    return group->loading || strcmp(path_base(load->objects[0].path), path_base(name)) == 0 ? NULL
                                                                                            : load->objects[0].path;
}

/* Whose code calls dlopen(3) in runtimes that have it from a library of theirs; NULL: the program's own, as far as is
 * known. Python's interpreter opens its own modules itself, and ctypes whatever it is asked for. */
static const char *caller_of(const struct strace_group *group)
{
    static const struct {
        const char *program, *library;
    } runtimes[] = {{"python", "_ctypes."}, {"java", "libjvm.so"}};
    const char *exe = group->exe ? path_base(group->exe) : "",
               *root = group->load.count ? group->load.objects[0].path : "";

    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
        for (size_t k = 0; strncmp(exe, runtimes[i].program, strlen(runtimes[i].program)) == 0 && k < STRACE_LIBRARIES;
             k++) {
            const char *path = group->libraries[k];

            if (path && strncmp(path_base(path), runtimes[i].library, strlen(runtimes[i].library)) == 0 &&
                !strstr(root, ".cpython-") && !strstr(root, ".abi3."))
                return path;
        }
    return NULL;
}

/* ---- telling ---- */

/* A dlopen has given its caller ERROR, or the loader has ended the process for it. */
void strace_tell_refused(struct strace *strace, struct strace_thread *thread, const struct event_loader *error)
{
    struct strace_load *load = &thread->group->load;
    struct event event = {.type = EVENT_LOADER, .loader = *error};
    const char *root = load->count && !load->over ? load->objects[0].path : NULL;
    CLEANUP_FREE char *file = xstrdup_or_null(root ? root : error->object ? error->object : error->args[0]);
    const struct event_loader returned = {
        .what = LOADER_CALL, .name = "dlopen", .file = file, .object = caller_of(thread->group)};
    struct event call = {.type = EVENT_LOADER, .loader = returned};

    if (error->outcome == LOADER_CAUGHT && !error->by && root && error->object && strcmp(error->object, root) != 0 &&
        load->count > 1)
        event.loader.by = file;
    strace_event(strace, thread, &event);
    if (error->outcome != LOADER_CAUGHT)
        return;
    strace_event(strace, thread, &call);
    free(load->refused);
    load->refused = NULL;
}

static void tell_missing(struct strace *strace, struct strace_thread *thread, const char *name, const char *needer,
                         enum loader_outcome outcome)
{
    struct strace_load *load = &thread->group->load;
    struct event_loader error = {.what = LOADER_ERROR, .error = load->error, .outcome = outcome};

    if (needer) {
        error.format = "Error loading shared library %s: %m (needed by %s)";
        error.args[0] = name;
        error.args[1] = needer;
    } else {
        error.format = "cannot open shared object file";
        error.object = name;
    }
    free(load->told);
    load->told = xstrdup(name);
    strace_tell_refused(strace, thread, &error);
}

bool strace_has_told(const struct strace_group *group, const char *name)
{
    return group->load.told && name && strcmp(path_base(group->load.told), path_base(name)) == 0;
}

const char *strace_needer(const struct strace_group *group, const char *name)
{
    const struct strace_load *load = &group->load;

    return load->lost && load->lost_needer && strcmp(path_base(load->lost), path_base(name)) == 0 ? load->lost_needer
                                                                                                  : NULL;
}

bool strace_load_has(const struct strace_group *group, uint64_t address)
{
    const struct strace_load *load = &group->load;

    for (size_t i = 0; !load->over && i < load->count; i++)
        if (load->objects[i].base && !load->objects[i].ready && address - load->objects[i].base < load->objects[i].size)
            return true;
    return false;
}

/* ---- searches ---- */

/* No place is left where it could be. While the loader is at work before the program's beginning, it may still go on
 * without (LD_PRELOAD): what it does next tells. */
static void search_over(struct strace *strace, struct strace_thread *thread)
{
    struct strace_group *group = thread->group;
    struct strace_load *load = &group->load;

    if (!load->sought)
        return;
    free(load->lost);
    free(load->lost_needer);
    load->lost = steal_pointer(&load->sought);
    load->lost_needer = xstrdup_or_null(needer_of(group, load->lost));
    forget_search(load);
    if (!group->loading)
        tell_missing(strace, thread, load->lost, load->lost_needer, LOADER_CAUGHT);
}

/* A dlopen took out again what it had mapped, and its relocations were not done. Why, nobody has told. */
static void tell_unsaid(struct strace *strace, struct strace_thread *thread)
{
    struct strace_load *load = &thread->group->load;
    CLEANUP_FREE char *path = load->refused ? xstrdup(load->refused) : NULL;
    const struct event_loader error = {.what = LOADER_ERROR,
                                       .object = path,
                                       .format = "undefined symbol: %s%s%s",
                                       .args = {"..."},
                                       .outcome = LOADER_CAUGHT};

    if (path && !strace_has_told(thread->group, path))
        strace_tell_refused(strace, thread, &error);
}

void strace_load_ends(struct strace *strace, struct strace_thread *thread, int status)
{
    struct strace_load *load = &thread->group->load;

    search_over(strace, thread);
    if (!thread->group->loading && status)
        tell_unsaid(strace, thread);
    if (thread->group->loading && load->lost && !load->told && status) /* of few calls (-e) the beginning has no end */
        tell_missing(strace, thread, load->lost, load->lost_needer, status == 127 ? LOADER_FATAL : LOADER_CAUGHT);
}

/* A program of the system has no RPATH, so that the directories in which its libraries are looked for besides the
 * system's are LD_LIBRARY_PATH's; whom it starts inherits that. The subdirectories for processors come before them. */
static void learn_library_path(struct strace *strace, const struct strace_group *group, const char *path)
{
    CLEANUP_FREE char *directory = path_dir(path);
    char *below = strstr(directory, "/glibc-hwcaps");

    if (!group->loading || !group->exe || !of_system(group->exe) || path[0] != '/' || of_system(path))
        return;
    if (!below)
        below = strstr(directory, "/tls");
    if (!below)
        below = strstr(directory, "/x86_64");
    if (below)
        *below = '\0';
    for (size_t i = 0; i < strace->library_path.n; i++)
        if (strcmp(strace->library_path.v[i], directory) == 0)
            return;
    if (*directory && strace->library_path.n < 16)
        strings_add(&strace->library_path, steal_pointer(&directory));
}

/* glibc goes on to look for PATH's name behind a file that is for another machine or class, and for nothing else
 * (elf/dl-load.c, open_verify()). */
static void reject(struct strace *strace, const struct strace_thread *thread, const char *path)
{
    const struct strace_load *load = &thread->group->load;
    const struct strace_object *last = load->count ? &load->objects[load->count - 1] : NULL;

    if (!last || last->base || thread->group->musl || strace->opened.thread != thread || strace->opened.elf ||
        strcmp(path_base(last->path), path_base(path)) != 0)
        return;
    strace->opened.elf = "another machine";
}

static void missed(struct strace *strace, struct strace_thread *thread, const char *string, const char *path, int error)
{
    struct strace_load *load = &thread->group->load;

    learn_library_path(strace, thread->group, path);
    reject(strace, thread, path);
    if (load->sought && strcmp(path_base(load->sought), path_base(path)) != 0)
        search_over(strace, thread);
    if (load->over)
        forget_batch(load);
    if (!load->sought) {
        load->sought =
            xstrdup(load->count == 0 && !thread->group->loading && strchr(string, '/') ? path : path_base(path));
        load->first = xstrdup(path);
        load->error = error;
    } else if (strchr(load->sought, '/')) { /* another place: it is looked for by its name */
        free(load->sought);
        load->sought = xstrdup(path_base(path));
    }
    free(load->last);
    load->last = xstrdup(path);
}

static void found(struct strace *strace, struct strace_thread *thread, const char *path, int fd)
{
    struct strace_load *load = &thread->group->load;

    learn_library_path(strace, thread->group, path);
    if (load->sought && strcmp(path_base(load->sought), path_base(path)) != 0)
        search_over(strace, thread);
    if (thread->group->loading) { /* it went on without */
        free(load->lost);
        load->lost = NULL;
    }
    if (load->over || load->count == STRACE_BATCH)
        forget_batch(load);
    load->opening = true;
    load->fd = fd;
    load->size = -1;
    load->objects[load->count++] = (struct strace_object){.path = xstrdup(path), .first = xstrdup_or_null(load->first)};
    forget_search(load);
}

/* ---- what is done with a library ---- */

static struct strace_object *opening(struct strace_load *load)
{
    return load->opening && load->count ? &load->objects[load->count - 1] : NULL;
}

static void refuse(struct strace *strace, struct strace_thread *thread, const char *format, int error)
{
    struct strace_group *group = thread->group;
    struct strace_load *load = &group->load;
    CLEANUP_FREE char *path = xstrdup(opening(load)->path);
    struct event_loader said = {.what = LOADER_ERROR,
                                .object = path,
                                .format = format,
                                .error = error,
                                .outcome = group->loading ? LOADER_FATAL : LOADER_CAUGHT};

    if (strace->opened.thread)
        strace_tell_opened(strace);
    free(load->told);
    load->told = xstrdup(path);
    strace_tell_refused(strace, thread, &said);
}

static void mapping(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_load *load = &thread->group->load;
    struct strace_object *object = opening(load);
    int64_t offset = strace_argument(call, 5), size = strace_argument(call, 1);

    if (!object || strace_argument(call, 4) != load->fd || call->count < 6 || !call->result.returned)
        return;
    if (strcmp(call->name->name, "mmap2") == 0 || strcmp(call->name->name, "old_mmap") == 0)
        load->size = -1; /* its offset may be counted in pages */
    if (call->result.error) {
        refuse(strace, thread, "failed to map segment from shared object", call->result.error);
        return;
    }
    if (!object->base) {
        object->base = (uint64_t)call->result.value;
        object->size = size > 0 ? (uint64_t)size : 0;
        return;
    }
    /* What lies behind the file's end is there and cannot be touched (SIGBUS). */
    if (load->size >= 0 && strstr(call->text[3], "MAP_FIXED") && size > 0 && offset >= 0 && offset < INT64_MAX - size &&
        offset + size > (load->size + PAGE - 1) / PAGE * PAGE)
        object->cut = true;
    if (object->cut && strace->opened.thread == thread && !strace->opened.elf)
        strace->opened.elf = "truncated";
}

static void unmapped(struct strace_load *load, const struct strace_call *call)
{
    uint64_t base = (uint64_t)strace_argument(call, 0);
    const struct strace_object *root = load->objects;

    if (!load->count || load->over || !root->base || root->base != base || root->ready)
        return;
    free(load->refused);
    load->refused = xstrdup(root->path);
}

/* The pages that are only read from now on: its relocations are done (dl-reloc.c, _dl_protect_relro()). */
static void made_readable(struct strace_load *load, const struct strace_call *call)
{
    uint64_t address = (uint64_t)strace_argument(call, 0);

    if (strace_argument(call, 2) != 1 || call->result.error)
        return;
    for (size_t i = 0; i < load->count; i++)
        if (load->objects[i].base && address - load->objects[i].base < load->objects[i].size)
            load->objects[i].ready = true;
    if (load->count && load->objects[0].ready)
        load->over = true;
    load->started = true;
}

/* It was of no use: there may be a better one in another place. */
static void closed(struct strace *strace, struct strace_thread *thread)
{
    struct strace_load *load = &thread->group->load;
    const struct strace_object *object = opening(load);

    load->opening = false;
    if (!object || object->base || strace->opened.thread != thread || !strace->opened.elf || load->sought)
        return;
    load->sought =
        xstrdup(load->count == 1 && !object->first && !thread->group->loading ? object->path : path_base(object->path));
    load->first = xstrdup(object->path);
    load->error = ENOENT;
}

/* The program is at work again. */
static void work(struct strace *strace, struct strace_thread *thread)
{
    search_over(strace, thread);
    thread->group->load.over = true;
}

/* Calls that loaders make between those on files. */
static bool between(const struct strace_call *call)
{
    static const char *const names[] = {"read",    "pread64", "lseek",    "_llseek",    "brk",      "fcntl", "getcwd",
                                        "fcntl64", "access",  "readlink", "readlinkat", "mprotect", NULL};

    return strace_is_call(call, names);
}

bool strace_load_measures(struct strace_group *group, const struct strace_call *call)
{
    struct strace_load *load = &group->load;

    if (strcmp(call->name->name, "fstat") != 0 && strcmp(call->name->name, "fstat64") != 0 &&
        !(call->count > 1 && strstr(call->name->name, "stat") && strncmp(call->text[1], "\"\"", 2) == 0))
        return false;
    if (load->opening && strace_argument(call, 0) == load->fd)
        load->size = strace_file_size(call);
    return true;
}

/* CALL is none of those that loaders make. */
static bool group_at_work(const struct strace_group *group, const struct strace_call *call)
{
    static const char *const names[] = {"arch_prctl", "set_tid_address", "set_robust_list", "rseq",    "prlimit64",
                                        "futex",      "getrandom",       "mprotect",        "madvise", NULL};

    return !group->loading && !strace_is_call(call, names);
}

/* PATH is the directory of FILE, spelled alike: "/opt/app-1.2", "/opt/x/." */
static bool stands_in(const char *file, const char *path)
{
    size_t n = strlen(path);

    return file && strncmp(file, path, n) == 0 && file[n] == '/' && path_base(file) == file + n + 1;
}

static void follow_file(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    static const char *const stats[] = {"stat", "stat64", "newfstatat", "fstatat64", "statx", "lstat", NULL};
    struct strace_load *load = &thread->group->load;
    const char *path = strace->path.n ? strace->path.v : "";

    if (strace_load_measures(thread->group, call))
        return;
    if (load->sought && strace_is_call(call, stats)) { /* glibc looks whether a directory is there at all */
        if (load->first && (!strchr(path_base(path), '.') || stands_in(load->last, path)))
            return;
    }
    if (group_at_work(thread->group, call))
        work(strace, thread);
    else
        search_over(strace, thread);
}

/* The loader looks for a library at PATH. */
static void follow_search(struct strace *strace, struct strace_thread *thread, const struct strace_call *call,
                          const char *path)
{
    struct strace_load *load = &thread->group->load;
    CLEANUP_FREE char *string = xstrdup(strace->data.v), *copy = xstrdup(path);

    if (load->started) /* what comes after the relocations the program asks for */
        thread->group->loading = false;
    load->tid = thread->tid;
    load->opening = false;
    if (call->result.error)
        missed(strace, thread, string, copy, call->result.error);
    else
        found(strace, thread, copy, (int)call->result.value);
}

static void follow_library(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_load *load = &thread->group->load;

    switch (call->name->handling) {
    case HANDLE_MMAP:
        mapping(strace, thread, call);
        break;
    case HANDLE_MUNMAP:
        unmapped(load, call);
        break;
    case HANDLE_CLOSE:
        if (load->opening && strace_argument(call, 0) == load->fd)
            closed(strace, thread);
        break;
    default:
        if (!between(call))
            follow_file(strace, thread, call);
        break;
    }
}

void strace_load_follows(struct strace *strace, struct strace_thread *thread, const struct strace_call *call)
{
    struct strace_load *load = &thread->group->load;
    const char *path = strace->path.n ? strace->path.v : NULL;

    if (call->name->handling == HANDLE_OPEN && path && call->result.returned) {
        if (strace_seeks(thread->group, call, path))
            follow_search(strace, thread, call, path);
        else if (strncmp(path, "/etc/ld", 7) != 0 && load->tid == thread->tid)
            work(strace, thread);
        return;
    }
    if (strcmp(call->name->name, "mprotect") == 0)
        made_readable(load, call);
    if ((load->count || load->sought) && load->tid == thread->tid)
        follow_library(strace, thread, call);
}
