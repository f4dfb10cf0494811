/* What helps against the loader's failures: another place, another order, another file. */
#include "remedy.h"

#include <string.h>

#include <probes/alloc.h>

/* A directory that belongs to one user or to nobody for long: not one to be made known to the whole system. */
static bool private_place(const char *path)
{
    static const char *const places[] = {"/tmp/", "/var/tmp/", "/home/", "/root/", "/run/", "/dev/shm/"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

/* Files of the system itself, which its packages put there. */
static bool of_the_system(const char *path)
{
    return (strncmp(path, "/usr/", 5) == 0 && strncmp(path, "/usr/local/", 11) != 0) || strncmp(path, "/lib", 4) == 0 ||
           strncmp(path, "/bin/", 5) == 0 || strncmp(path, "/sbin/", 6) == 0;
}

/* ---- a wrong copy first ---- */

/* As it was written where OBJECT was found; malloced. */
static char *entry_of(const struct object *object)
{
    const struct search *search = &object->search;

    if (object->why == OBJECT_PRELOAD)
        return xstrdup(object->asked_as);
    if (search->found >= 0 && search->places[search->found].entry)
        return xstrdup(search->places[search->found].entry);
    return path_dir(object->path);
}

bool remedy_take_out(const struct finding *finding, struct cause *cause, const struct object *object)
{
    bool preload = object->why == OBJECT_PRELOAD;
    const char *variable = preload ? "LD_PRELOAD" : "LD_LIBRARY_PATH", *now = process_env(finding->process, variable);
    CLEANUP_FREE char *entry = entry_of(object);
    CLEANUP_FREE char *rest = now ? remedy_without(now, entry, preload ? " :" : ":;") : NULL;
    struct load_change change = {.variable = variable, .value = rest};
    struct remedy *remedy;

    if (!now)
        return false;
    if (remedy_loads(finding, &change)) {
        remedy = rest ? remedy_add(cause, PROOF_MODELLED, TRIAL_DROP, remedy_run(finding, variable, rest),
                                   "take %s out of %s", entry, variable)
                      : remedy_add(cause, PROOF_MODELLED, TRIAL_DROP, remedy_run(finding, variable, NULL),
                                   "unset %s, which holds nothing but %s", variable, entry);
        remedy->risk = xasprintf("whatever else was meant to be found through %s is not, then", entry);
        return true;
    }
    change.value = NULL;
    if (remedy_loads(finding, &change)) {
        remedy =
            remedy_add(cause, PROOF_MODELLED, TRIAL_DROP, remedy_run(finding, variable, NULL), "unset %s", variable);
        remedy->risk = xasprintf("whatever else was meant to be found through %s is not, then", variable);
        return true;
    }
    return false;
}

/* What puts the wrong copy first stays; the good copy's directory comes before it. */
static bool put_first(const struct finding *finding, struct cause *cause)
{
    const char *variable = "LD_LIBRARY_PATH", *now = process_env(finding->process, variable);
    CLEANUP_FREE char *good = path_dir(finding->elsewhere), *first = remedy_before(good, now);
    const struct load_change change = {.variable = variable, .value = first};

    if (!remedy_loads(finding, &change))
        return false;
    remedy_add(cause, PROOF_MODELLED, TRIAL_LIBRARY_PATH, remedy_run(finding, variable, first), "put %s first in %s",
               good, variable);
    return true;
}

/* The directory of the good copy, searched before all others. */
static bool search_first(const struct finding *finding, struct cause *cause, const char *file)
{
    CLEANUP_FREE char *directory = path_dir(file);
    CLEANUP_FREE char *list = remedy_before(directory, process_env(finding->process, "LD_LIBRARY_PATH"));
    const struct load_change change = {.variable = "LD_LIBRARY_PATH", .value = list};

    if (!remedy_loads(finding, &change))
        return false;
    remedy_add(cause, PROOF_MODELLED, TRIAL_LIBRARY_PATH, remedy_run(finding, "LD_LIBRARY_PATH", list),
               "let the loader search %s for this program", directory)
        ->risk = xstrdup("every program that it starts inherits the variable");
    return true;
}

static bool take_away(const struct finding *finding, struct cause *cause)
{
    const struct load_change change = {.absent = finding->shadow->path};
    CLEANUP_FREE char *word = remedy_word(finding->shadow->path);

    if (of_the_system(finding->shadow->path) || !remedy_loads(finding, &change))
        return false;
    remedy_add(cause, PROOF_MODELLED, TRIAL_AWAY, xasprintf("mv %s %s.old", word, word),
               "take the wrong copy out of the way, so that %s is found", finding->elsewhere)
        ->risk = xstrdup("another program may rely on that copy");
    return true;
}

void remedy_shadowed(const struct finding *finding, struct cause *cause, const char *by)
{
    if (strncmp(by, "LD_", 3) == 0) {
        if (remedy_take_out(finding, cause, finding->shadow) || put_first(finding, cause))
            return;
    } else {
        bool away = take_away(finding, cause);

        if (search_first(finding, cause, finding->elsewhere) || away)
            return;
    }
    cause_remedy(cause, PROOF_KNOWN, "let the loader find %s before %s", finding->elsewhere, finding->shadow->path);
}

/* ---- in no directory that is searched ---- */

/* A link where the program's own run path looks; never in a directory of the system's. */
static void link_into_run_path(const struct finding *finding, struct cause *cause)
{
    const struct search *search = &finding->fault->search;

    for (size_t i = 0; i < search->count; i++) {
        const struct candidate *place = &search->places[i];
        const struct load_change change = {.placed = place->path, .content = finding->elsewhere};
        CLEANUP_FREE char *directory = path_dir(place->path);
        CLEANUP_FREE char *from = NULL, *to = NULL;
        struct stat st;

        if ((place->origin != ORIGIN_RUNPATH && place->origin != ORIGIN_RPATH) || place->state != CANDIDATE_ABSENT ||
            of_the_system(place->path) || path_stat(finding_root(finding), directory, &st) < 0 ||
            !remedy_loads(finding, &change))
            continue;
        from = remedy_word(finding->elsewhere);
        to = remedy_word(place->path);
        remedy_add(cause, PROOF_MODELLED, TRIAL_LINK, xasprintf("ln -s %s %s", from, to),
                   "put a link to it where %s looks", path_base(finding->subject));
        return;
    }
}

/* glibc reads /etc/ld.so.conf.d through ldconfig(8); musl takes one file, which stands in the place of its own list. */
static void make_system_wide(const struct finding *finding, struct cause *cause, const char *directory)
{
    CLEANUP_FREE char *word = remedy_word(directory);
    struct remedy *remedy;
    struct stat st;

    if (private_place(finding->elsewhere))
        return;
    if (finding->load->family == LOADER_MUSL) {
        const char *arch = strstr(path_base(finding->load->interp), "ld-musl-");
        CLEANUP_FREE char *name = arch ? xstrndup(arch, strcspn(arch, ".")) : NULL;
        CLEANUP_FREE char *file = name ? xasprintf("/etc/%s.path", name) : NULL;

        if (!file || path_stat(finding_root(finding), file, &st) == 0)
            return;
        remedy = remedy_add(cause, PROOF_KNOWN, TRIAL_NONE,
                            xasprintf("printf '%%s\\n' /lib /usr/local/lib /usr/lib %s > %s", word, file),
                            "make it a library directory of the whole system");
    } else {
        if (path_stat(finding_root(finding), "/etc/ld.so.conf.d", &st) < 0)
            return;
        remedy = remedy_add(cause, PROOF_KNOWN, TRIAL_NONE,
                            xasprintf("echo %s > /etc/ld.so.conf.d/local.conf && ldconfig", word),
                            "make it a library directory of the whole system");
    }
    remedy->risk = xstrdup("every program of this system sees the libraries there; needs root");
}

void remedy_off_path(const struct finding *finding, struct cause *cause)
{
    CLEANUP_FREE char *directory = path_dir(finding->elsewhere);
    const struct load_change change = {.variable = "LD_LIBRARY_PATH", .value = directory};
    bool helps = search_first(finding, cause, finding->elsewhere);

    if (!helps && !finding->process->secure) {
        /* Something else is wrong with that copy, whoever points at it. */
        if (!remedy_loads(finding, &change))
            cause_remedy(cause, PROOF_KNOWN, "install a %s that fits: with the one at %s it would not load either",
                         finding->fault->name, finding->elsewhere);
        remedy_ask_library(finding, cause, finding->fault->name);
        return;
    }
    link_into_run_path(finding, cause);
    /* A program with another's rights must not be made to search where its user may write. */
    if (!of_the_system(finding->subject) && !(finding->process->secure && private_place(finding->elsewhere))) {
        CLEANUP_FREE char *word = remedy_word(directory), *subject = remedy_word(finding->subject);

        remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("patchelf --add-rpath %s %s", word, subject),
                   "write the directory into %s", path_base(finding->subject))
            ->risk = xstrdup("changes the file: keep a copy");
    }
    make_system_wide(finding, cause, directory);
    if (finding->process->secure)
        cause_remedy(cause, PROOF_KNOWN,
                     "install %s where the system has its libraries: LD_LIBRARY_PATH does not count for a program that "
                     "runs with other rights than its user's",
                     finding->fault->name);
}

/* ---- a better copy ---- */

struct wish {
    const struct fault *fault;
};

static bool answers(void *ctx, const struct elffile *elf)
{
    const struct wish *wish = ctx;
    const struct fault *fault = wish->fault;

    if (elf->st.st_ino == fault->provider->elf->st.st_ino && elf->st.st_dev == fault->provider->elf->st.st_dev)
        return false;
    return fault->kind == FAULT_VERSION ? elffile_defines_version(elf, fault->name)
                                        : elffile_lookup(elf, fault->name, fault->version) != NULL;
}

enum { SEARCHED_FOR = 16 };

bool remedy_is_worth_a_search(const struct finding *finding)
{
    return finding->process->suspect_count <= SEARCHED_FOR;
}

void remedy_better_copy(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *near[3];
    CLEANUP_FREE char *found = NULL;
    struct wish wish = {fault};

    /* One library of the C library's alone does not go with the others. */
    if (!fault->provider || fault->provider->why == OBJECT_INTERP || tell_of_libc(fault->provider->path) ||
        !remedy_is_worth_a_search(finding))
        return;
    near[0] = finding->load->objects[0]->path;
    near[1] = fault->subject->path;
    near[2] = fault->provider->path;
    found = search_elsewhere_for(finding_root(finding), path_base(fault->provider->path), fault->provider->elf, near, 3,
                                 finding->process->cwd, answers, &wish);
    if (found && search_first(finding, cause, found))
        cause_fact(cause, "elsewhere", "%s   defines it", found);
}

void remedy_other_machine(const struct finding *finding, struct cause *cause)
{
    const struct fault *fault = finding->fault;
    const char *near[2] = {finding->load->objects[0]->path, fault->subject->path};
    CLEANUP_FREE char *found =
        strchr(fault->name, '/')
            ? NULL
            : search_elsewhere(finding_root(finding), fault->name, fault->subject->elf, near, 2, finding->process->cwd);

    if (found && search_first(finding, cause, found))
        cause_fact(cause, "elsewhere", "%s   for %s", found, finding->missing);
}

/* ---- a broken file or link ---- */

static bool named_alike(const struct elffile *elf, const char *name)
{
    return elf->state == ELFFILE_OK && elf->soname && strcmp(elf->soname, path_base(name)) == 0;
}

/* A sound file with the soname that is asked for, next to PATH; malloced, or NULL. */
static char *sound_nearby(const struct finding *finding, const char *path)
{
    size_t count = 0;
    char **names = path_nearby(finding_root(finding), path, 8, &count), *found = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct elffile *elf = elffile_get(finding_root(finding), names[i]);
        const struct load_change change = {.placed = finding->place->path, .content = names[i]};

        if (!found && strcmp(names[i], finding->place->path) != 0 && named_alike(elf, finding->fault->name) &&
            remedy_loads(finding, &change))
            found = xstrdup(names[i]);
        elffile_put(elf);
        free(names[i]);
    }
    free(names);
    return found;
}

/* The last component of FILE where it stands in the directory of LINK, so that the two can be moved together. */
static const char *as_seen_from(const char *link, const char *file)
{
    CLEANUP_FREE char *a = path_dir(link), *b = path_dir(file);

    return strcmp(a, b) == 0 ? path_base(file) : file;
}

static void point_at(const struct finding *finding, struct cause *cause, const char *link, const char *file)
{
    CLEANUP_FREE char *to = remedy_word(as_seen_from(link, file)), *at = remedy_word(link);

    (void)finding;
    remedy_add(cause, PROOF_MODELLED, TRIAL_RELINK, xasprintf("ln -sfn %s %s", to, at),
               "make %s point at %s, which is there and has the name that is asked for", link, file);
}

void remedy_sound_copy(const struct finding *finding, struct cause *cause)
{
    const struct candidate *place = finding->place;
    bool link = finding->kind == CAUSE_SYMLINK_DANGLING || finding->kind == CAUSE_SYMLINK_LOOP;
    const char *near[2];
    CLEANUP_FREE char *found = NULL;
    struct load_change change = {0};

    if (!place || !finding->fault || !finding->load)
        return;
    found = sound_nearby(finding, link && finding->walk->target ? finding->walk->target : place->path);
    if (!found && link)
        found = sound_nearby(finding, place->path);
    if (found && link && finding->walk->at) {
        point_at(finding, cause, finding->walk->at, found);
        return;
    }
    near[0] = finding->load->objects[0]->path;
    near[1] = finding->fault->subject->path;
    if (!found && !strchr(finding->fault->name, '/'))
        found = search_elsewhere(finding_root(finding), finding->fault->name, finding->fault->subject->elf, near, 2,
                                 finding->process->cwd);
    change.placed = place->path;
    change.content = found;
    if (!found || strcmp(found, place->path) == 0 || !remedy_loads(finding, &change))
        return;
    {
        CLEANUP_FREE char *from = remedy_word(found), *to = remedy_word(place->path);

        remedy_add(cause, PROOF_MODELLED, TRIAL_PUT,
                   link ? xasprintf("ln -sfn %s %s", from, to) : xasprintf("cp %s %s", from, to),
                   "put the sound copy of %s in its place", found);
    }
}

/* ---- at the start ---- */

void remedy_preload(const struct finding *finding, struct cause *cause)
{
    const char *now = process_env(finding->process, "LD_PRELOAD");
    CLEANUP_FREE char *list = remedy_before(finding->missing, now);
    const struct load_change change = {.variable = "LD_PRELOAD", .value = list};
    bool asked = finding->fault && finding->fault->kind == FAULT_STATIC_TLS;

    if (finding->process->secure || strchr(finding->missing, ' ') || strchr(finding->missing, ':') ||
        (asked && !remedy_loads(finding, &change)))
        return;
    remedy_add(cause, asked ? PROOF_MODELLED : PROOF_KNOWN, TRIAL_PRELOAD, remedy_run(finding, "LD_PRELOAD", list),
               "load it at the start, when room is made for whatever is needed")
        ->risk = xstrdup("every program that it starts inherits the variable");
}

/* ---- add-ons of node ---- */

bool remedy_npm(const struct finding *finding, struct cause *cause, const char *subject)
{
    static const char modules[] = "/node_modules/";
    const char *at = NULL, *name;
    CLEANUP_FREE char *top = NULL, *package = NULL, *recipe = NULL, *directory = NULL, *word = NULL;
    struct stat st;
    size_t n;

    for (const char *p = subject; (p = strstr(p, modules)); p++)
        at = p;
    if (!at)
        return false;
    name = at + strlen(modules);
    n = strcspn(name, "/");
    if (*name == '@' && name[n]) /* a scope has a package in it */
        n += 1 + strcspn(name + n + 1, "/");
    if (!n || !name[n])
        return false;
    top = xstrndup(subject, at == subject ? 1 : (size_t)(at - subject));
    package = xstrndup(name, n);
    recipe = xasprintf("%.*s/binding.gyp", (int)(name + n - subject), subject);
    directory = remedy_word(top);
    word = remedy_word(package);
    if (path_stat(finding_root(finding), recipe, &st) < 0)
        return false; /* it came compiled, and cannot be compiled here */
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE,
               xasprintf("npm --prefix %s rebuild --build-from-source %s", directory, word),
               "build %s here, from the sources that came with it", package)
        ->risk = xstrdup("takes a compiler, and the headers of this node");
    return true;
}
