/* One place where a library might stand: is there something, and does the loader take it, pass over it or give up?
 *
 * glibc's rules are those of open_verify() and _dl_map_object_from_fd() in elf/dl-load.c: a file of another class or
 * machine is as good as absent (and leaves ENOENT behind), a file that is no ELF file ends the search with an error.
 * musl's map_library() (ldso/dynlink.c) gives up at every file that it cannot map, and looks at neither class nor
 * machine. */
#include "loader.h"

#include "alloc.h"
#include "mount.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct trial {
    const struct load *load;
    struct candidate *c;
    int error; /* errno as the loader sees it */
};

static enum verdict settle(struct trial *t, enum candidate_state state, enum verdict verdict, int error, char *why)
{
    t->c->state = state;
    t->c->ends = verdict == VERDICT_ENDS;
    t->c->why = why;
    t->error = error;
    return verdict;
}

static char *why_absent(const struct candidate *c)
{
    const struct path_walk *walk = &c->walk;

    switch (walk->reason) {
    case PATH_ABSENT:
        return !walk->at || !strcmp(walk->at, c->path) ? xstrdup("not there")
                                                       : xasprintf("not there: %s does not exist", walk->at);
    case PATH_DANGLING:
        return !strcmp(walk->at, c->path)
                   ? xasprintf("a dangling link: it points at %s, which does not exist", walk->target)
                   : xasprintf("%s is a dangling link: it points at %s, which does not exist", walk->at, walk->target);
    case PATH_LOOP:
        return xasprintf("%s%sa loop of links (%s -> %s)", strcmp(walk->at, c->path) ? walk->at : "",
                         strcmp(walk->at, c->path) ? " is " : "", walk->at, walk->target ? walk->target : "?");
    case PATH_NOT_DIRECTORY:
        return xasprintf("%s is not a directory", walk->at);
    case PATH_DENIED:
        return xasprintf("%s may not be entered", walk->at);
    default:
        return xasprintf("%s: %s", path_reason_text(walk->reason), strerrordesc_np(walk->error));
    }
}

/* open(2) failed. What that does to the search depends on errno alone, and is the caller's business. */
static enum verdict judge_walk(struct trial *t)
{
    static const enum candidate_state states[] = {
        [PATH_ABSENT] = CANDIDATE_ABSENT, [PATH_DANGLING] = CANDIDATE_DANGLING,
        [PATH_LOOP] = CANDIDATE_LOOP,     [PATH_NOT_DIRECTORY] = CANDIDATE_NOT_DIRECTORY,
        [PATH_DENIED] = CANDIDATE_DENIED, [PATH_TOO_LONG] = CANDIDATE_OTHER,
        [PATH_FAILED] = CANDIDATE_OTHER,
    };

    return settle(t, states[t->c->walk.reason], VERDICT_PASSED, t->c->walk.error, why_absent(t->c));
}

static const char *class_words(unsigned class)
{
    return class == ELFCLASS32 ? "32-bit" : class == ELFCLASS64 ? "64-bit" : "of an unknown class";
}

static enum verdict judge_state(struct trial *t)
{
    const struct elffile *elf = t->c->elf;

    switch (elf->state) {
    case ELFFILE_EMPTY:
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xstrdup("an empty file"));
    case ELFFILE_SHORT:
        return settle(
            t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0,
            xasprintf("cut off: %llu bytes, less than its own headers need", (unsigned long long)elf->file_size));
    case ELFFILE_NOT_ELF:
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0,
                      xasprintf("not an ELF file: it begins with \"%s\"", elf->starts));
    case ELFFILE_TRUNCATED:
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xasprintf("cut off: %s", elf->why));
    case ELFFILE_NOT_REGULAR:
        if (S_ISSOCK(elf->st.st_mode)) /* cannot even be opened */
            return settle(t, CANDIDATE_BAD_FILE, VERDICT_PASSED, ENXIO, xstrdup("a socket"));
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, S_ISDIR(elf->st.st_mode) ? EISDIR : 0,
                      xstrdup(S_ISDIR(elf->st.st_mode) ? "a directory" : "not a regular file"));
    case ELFFILE_UNREADABLE:
        return settle(t, elf->error == EACCES ? CANDIDATE_DENIED : CANDIDATE_OTHER, VERDICT_PASSED, elf->error,
                      elf->error == EACCES ? xstrdup("it may not be read")
                                           : xasprintf("cannot be read: %s", strerrordesc_np(elf->error)));
    case ELFFILE_MALFORMED:
    case ELFFILE_OK:
        break;
    }
    return VERDICT_TAKEN;
}

/* The order of open_verify(): class and byte order before the rest of the header, the machine before the type. */
static enum verdict judge_header(struct trial *t)
{
    const struct elffile *elf = t->c->elf, *model = t->load->objects[0]->elf;

    if (elf->class != model->class)
        return settle(t, CANDIDATE_WRONG_CLASS, VERDICT_PASSED, ENOENT,
                      xasprintf("%s (for %s), the program is %s", class_words(elf->class), elffile_machine_name(elf),
                                class_words(model->class)));
    if (elf->data != model->data)
        return settle(t, CANDIDATE_WRONG_BYTE_ORDER, VERDICT_ENDS, 0, xstrdup("of the other byte order"));
    if (elf->machine != model->machine)
        return settle(t, CANDIDATE_WRONG_MACHINE, VERDICT_PASSED, ENOENT,
                      xasprintf("for %s, not %s", elffile_machine_name(elf), elffile_machine_name(model)));
    if (elf->state == ELFFILE_MALFORMED)
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xasprintf("damaged: %s", elf->why));
    return VERDICT_TAKEN;
}

/* Whether there is a whole ELF header, which is judged before the file's length is. */
static bool has_header(const struct elffile *elf)
{
    return elf->state == ELFFILE_OK || elf->state == ELFFILE_MALFORMED || elf->state == ELFFILE_TRUNCATED ||
           (elf->state == ELFFILE_SHORT && elf->machine != EM_NONE);
}

static bool kernel_is_older(const struct elffile *elf)
{
    unsigned major = 0, minor = 0, patch = 0;
    struct utsname name;

    if (uname(&name) || sscanf(name.release, "%u.%u.%u", &major, &minor, &patch) < 1)
        return false;
    if (elf->abi_major != major)
        return elf->abi_major > major;
    return elf->abi_minor != minor ? elf->abi_minor > minor : elf->abi_patch > patch;
}

/* mmap(2) with PROT_EXEC answers EPERM. */
static bool forbidden_by_mount(const struct trial *t)
{
    CLEANUP_CLOSE int fd = path_open(load_root_of(t->load, t->c->walk.final), t->c->walk.final);

    return fd >= 0 && mount_forbids_execution(fd);
}

static enum verdict judge_rest(struct trial *t)
{
    const struct loader_traits *traits = &t->load->priv->traits;
    const struct elffile *elf = t->c->elf;
    unsigned level = traits->cpu_level;

    if (traits->kernel_check && elf->has_abi_note && (elf->abi_os != ELF_NOTE_OS_LINUX || kernel_is_older(elf)))
        return settle(t, CANDIDATE_KERNEL_TOO_OLD, VERDICT_PASSED, ENOENT,
                      xasprintf("for Linux %u.%u.%u or newer", elf->abi_major, elf->abi_minor, elf->abi_patch));
    if (!elf->dynamic)
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xstrdup("it has no dynamic section"));
    if (elf->type == ET_EXEC || (elf->dt_flags_1 & DF_1_PIE))
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xstrdup("a program, not a shared library"));
    if (traits->isa_check && level && elf->isa_needed >> level)
        return settle(t, CANDIDATE_ISA_LEVEL, VERDICT_ENDS, 0,
                      xasprintf("for processors of level %s, this one is x86-64-v%u",
                                load_isa_level_name(elf->isa_needed), level));
    if (forbidden_by_mount(t))
        return settle(t, CANDIDATE_NOEXEC, VERDICT_ENDS, EPERM,
                      xstrdup("on a mount that forbids to execute what is on it (noexec)"));
    return settle(t, CANDIDATE_FOUND, VERDICT_TAKEN, 0, xstrdup("taken"));
}

/* musl takes whatever can be mapped; a file of another machine is then relocated as if it were ours, and crashes. */
static enum verdict judge_musl(struct trial *t, enum verdict verdict)
{
    if (verdict != VERDICT_TAKEN) {
        t->c->ends = t->c->elf->state != ELFFILE_UNREADABLE;
        return t->c->ends ? VERDICT_ENDS : verdict;
    }
    if (!t->c->elf->dynamic)
        return settle(t, CANDIDATE_BAD_FILE, VERDICT_ENDS, 0, xstrdup("it has no dynamic section"));
    if (forbidden_by_mount(t))
        return settle(t, CANDIDATE_NOEXEC, VERDICT_ENDS, EPERM,
                      xstrdup("on a mount that forbids to execute what is on it (noexec)"));
    return settle(t, CANDIDATE_FOUND, VERDICT_TAKEN, 0, xstrdup("taken"));
}

static enum verdict judge(struct trial *t, const struct place *place)
{
    const struct load_private *priv = t->load->priv;
    struct candidate *c = t->c;
    enum verdict verdict;
    const char *root;

    if (priv->absent && !strcmp(priv->absent, c->path))
        return settle(t, CANDIDATE_ABSENT, VERDICT_PASSED, ENOENT, xstrdup("taken away"));
    root = load_walk(t->load, priv->placed && !strcmp(priv->placed, c->path) ? priv->content : c->path, priv->cred,
                     &c->walk);
    if (c->walk.reason != PATH_OK)
        return judge_walk(t);
    if (priv->cred && !path_permits(&c->walk.st, priv->cred, R_OK))
        return settle(t, CANDIDATE_DENIED, VERDICT_PASSED, EACCES, xstrdup("it may not be read"));
    c->elf = elffile_get(root, c->walk.final);
    verdict = has_header(c->elf) && t->load->object_count ? judge_header(t) : VERDICT_TAKEN;
    if (verdict == VERDICT_TAKEN)
        verdict = judge_state(t);
    if (verdict == VERDICT_TAKEN && place->must_be_suid && !(c->walk.st.st_mode & S_ISUID))
        return settle(t, CANDIDATE_OTHER, VERDICT_PASSED, ENOENT,
                      xstrdup("not set-user-ID, and the program is secure"));
    if (priv->traits.family == LOADER_MUSL)
        return judge_musl(t, verdict);
    return verdict == VERDICT_TAKEN ? judge_rest(t) : verdict;
}

static void candidate_deinit(struct candidate *c)
{
    free(c->path);
    free(c->entry);
    free(c->why);
    path_walk_deinit(&c->walk);
    elffile_put(c->elf);
}

static struct candidate *candidate_new(const struct load *load, const struct place *place, struct search *search)
{
    struct candidate *c;

    /* growing one by one is fine: a search has a dozen places */
    search->places = xreallocarray(search->places, search->count + 1, sizeof *search->places);
    c = &search->places[search->count++];
    *c = (struct candidate){.origin = place->origin, .origin_of = place->origin_of};
    c->path = place->path[0] == '/' ? xstrdup(place->path) : path_join(load->priv->cwd, place->path);
    c->entry = xstrdup_or_null(place->entry);
    return c;
}

void place_refuse(const struct load *load, const struct place *place, const char *why, struct search *search)
{
    struct candidate *c = candidate_new(load, place, search);

    c->state = CANDIDATE_OTHER;
    c->why = xstrdup(why);
}

enum verdict place_try(const struct load *load, const struct place *place, struct search *search, int *error)
{
    struct trial trial = {.load = load, .c = candidate_new(load, place, search)};
    enum verdict verdict;

    verdict = judge(&trial, place);
    if (verdict == VERDICT_TAKEN)
        search->found = (long)search->count - 1;
    *error = trial.error;
    return verdict;
}

void place_drop_last(struct search *search)
{
    candidate_deinit(&search->places[--search->count]);
}

/* Whether the library's own link is at fault, not one to a directory on the way. */
static bool is_own_link(const struct candidate *c)
{
    const char *base = path_base(c->path);
    size_t n = strlen(base);

    for (size_t i = 0; i < c->walk.link_count; i++) {
        const char *arrow = strstr(c->walk.links[i], " -> ");

        if (arrow && (size_t)(arrow - c->walk.links[i]) > n && arrow[-(long)n - 1] == '/' &&
            !strncmp(arrow - n, base, n))
            return true;
    }
    return false;
}

/* How much a place says about why nothing was found. */
static int weight(const struct candidate *c)
{
    if (c->ends)
        return 5;
    switch (c->state) {
    case CANDIDATE_WRONG_CLASS:
    case CANDIDATE_WRONG_BYTE_ORDER:
    case CANDIDATE_WRONG_MACHINE:
    case CANDIDATE_KERNEL_TOO_OLD:
    case CANDIDATE_ISA_LEVEL:
    case CANDIDATE_NOEXEC:
    case CANDIDATE_BAD_FILE:
        return 4;
    case CANDIDATE_DANGLING:
    case CANDIDATE_LOOP:
    case CANDIDATE_NOT_DIRECTORY:
    case CANDIDATE_OTHER:
        return is_own_link(c) ? 3 : 1;
    case CANDIDATE_DENIED:
        return c->walk.reason == PATH_OK ? 4 : 2;
    case CANDIDATE_FOUND:
    case CANDIDATE_ABSENT:
        return 0;
    }
    return 0;
}

/* A directory that may not be entered hides its subdirectories too, which the loader tries first: it is the library's
 * own place that is meant. */
static bool is_above(const struct candidate *place, const struct candidate *best)
{
    return place->state == CANDIDATE_DENIED && best->state == CANDIDATE_DENIED && place->walk.at && best->walk.at &&
           strcmp(place->walk.at, best->walk.at) == 0 && strlen(place->path) < strlen(best->path);
}

void search_settle(struct search *search)
{
    int best = 0;

    search->fault = -1;
    for (size_t i = 0; i < search->count && search->found < 0; i++)
        if (weight(&search->places[i]) > best ||
            (search->fault >= 0 && is_above(&search->places[i], &search->places[search->fault]))) {
            best = weight(&search->places[i]);
            search->fault = (long)i;
        }
}

void search_deinit(struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        candidate_deinit(&search->places[i]);
    free(search->places);
    free(search->name);
    *search = (struct search){.found = -1, .fault = -1};
}

const char *search_origin_text(enum search_origin origin)
{
    static const char *const texts[] = {
        [ORIGIN_DIRECT] = "path",        [ORIGIN_RPATH] = "RPATH",       [ORIGIN_LIBRARY_PATH] = "LD_LIBRARY_PATH",
        [ORIGIN_RUNPATH] = "RUNPATH",    [ORIGIN_CACHE] = "ld.so.cache", [ORIGIN_DEFAULT] = "default directory",
        [ORIGIN_PRELOAD] = "LD_PRELOAD",
    };

    return (size_t)origin < sizeof texts / sizeof *texts ? texts[origin] : "unknown";
}
