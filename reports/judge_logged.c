/* The loader's failures by a log alone, whose files are not at hand: the shadow loader cannot be asked.
 *
 * What failed the loader's own words say, or the program's that passes them on; why, and who asked, is read from what
 * the log tells of the loader's calls and of the objects that it has opened. What neither says is not known, and the
 * report says so: a log of another tool has less of it than our own. */
#include "judge.h"

#include "pasted.h"
#include "sight.h"
#include "told.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <probes/alloc.h>

/* One thing that the loader said, and where it was said. */
struct saying {
    struct process *process;
    const struct told *told;
    const struct loader_error *error; /* or NULL: a line of the program's */
    const char *words;
    uint64_t n, t_ns;
};

/* What is found out about it. Strings point into the process, or to OWNED. */
struct answer {
    struct finding finding;
    char *owned[8];
    size_t owned_count;
};

static const char *own(struct answer *answer, char *taken)
{
    return answer->owned[answer->owned_count++] = taken;
}

/* ---- who, and where ---- */

static char *absolute(const struct process *process, const char *path)
{
    if (path[0] == '/' || !strchr(path, '/') || !process->cwd)
        return xstrdup(path);
    return path_join(process->cwd, path);
}

static bool lists(const struct strings *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(path_base(list->v[i]), path_base(name)) == 0)
            return true;
    return false;
}

/* The object whose list of needed libraries has NAME: of those that the loader has opened the last, since the one that
 * it was at work on is gone again where that failed. */
static const char *needer_of(const struct saying *saying, const char *name)
{
    const struct process *process = saying->process;

    for (size_t i = process->act_count; i-- > 0;)
        if (process->acts[i].n < saying->n && !process->acts[i].error && lists(&process->acts[i].needed, name))
            return process->acts[i].path;
    for (size_t i = 0; i < process->loaded_count; i++)
        if (lists(&process->loaded[i].needed, name))
            return process->loaded[i].path;
    return NULL;
}

/* Whoever called the dlopen in which it was said. */
static const char *caller_of(const struct saying *saying)
{
    const struct loader_call *call =
        saying->error ? call_of(saying->process, saying->error->tid, saying->error->n) : NULL;

    if (call && call->object && call->object[0] == '/')
        return call->object;
    return saying->process->exe;
}

/* Who asked for NAME. */
static const char *asker_of(const struct saying *saying, const char *name)
{
    const char *needer = needer_of(saying, name);

    if (!needer && saying->error && saying->error->by && saying->error->by[0] == '/')
        needer = saying->error->by;
    return needer ? needer : caller_of(saying);
}

/* As the loader opened it, of a name that the words give without its directory. */
static const char *opened_as(const struct process *process, const char *name)
{
    for (size_t i = process->act_count; i-- > 0;)
        if (!process->acts[i].error && strcmp(process->acts[i].name, path_base(name)) == 0)
            return process->acts[i].path;
    for (size_t i = 0; i < process->loaded_count; i++)
        if (strcmp(path_base(process->loaded[i].path), path_base(name)) == 0)
            return process->loaded[i].path;
    return NULL;
}

static const char *path_of(struct answer *answer, const struct saying *saying, const char *name)
{
    const char *opened = strchr(name, '/') ? NULL : opened_as(saying->process, name);

    return opened ? opened : own(answer, absolute(saying->process, name));
}

static const char *machine_of(const struct process *process)
{
    const char *known = elffile_machine_known(process->class, process->machine, ELFDATA2LSB);

    return known ? known : "an unknown machine";
}

/* ---- the two C libraries ---- */

static bool runs_musl(const struct process *process)
{
    return process->musl && process->loader_base;
}

static bool is_other_libc(const struct process *process, const char *name)
{
    return runs_musl(process) ? logged_libc_of_glibc(path_base(name)) : logged_libc_of_musl(path_base(name));
}

static bool needs_other_libc(const struct process *process, const char *object)
{
    for (size_t i = 0; i < process->act_count; i++)
        for (size_t k = 0;
             strcmp(path_base(process->acts[i].path), path_base(object)) == 0 && k < process->acts[i].needed.n; k++)
            if (is_other_libc(process, process->acts[i].needed.v[k]))
                return true;
    return false;
}

/* ---- one answer for each thing that can be said ---- */

static bool version_answer(const struct saying *saying, struct answer *ret)
{
    const struct told *told = saying->told;
    struct finding *finding = &ret->finding;

    if (!told->version || !told->object)
        return false;
    finding->kind = strcmp(told->version, "GLIBC_PRIVATE") == 0 ? CAUSE_LOADER_LIBC_SKEW : CAUSE_SYMBOL_VERSION_MISSING;
    finding->missing = told->version;
    finding->provider = path_of(ret, saying, told->object);
    finding->subject = told->needer ? path_of(ret, saying, told->needer) : asker_of(saying, told->object);
    finding->elsewhere = logged_copy(saying->process, finding->provider);
    if (finding->kind == CAUSE_SYMBOL_VERSION_MISSING &&
        (finding->elsewhere || logged_put_first(saying->process, finding->provider) ||
         logged_second_libc(saying->process, finding->provider) ||
         pasted_put_before(saying->process, finding->subject, finding->provider)))
        finding->kind = CAUSE_LIBRARY_SHADOWED;
    return true;
}

/* Of a symbol nobody says who should have had it: a loaded library, another copy of which has it. */
static void symbol_shadowed(const struct saying *saying, struct finding *finding)
{
    const struct process *process = saying->process;

    for (size_t i = 0; i < process->loaded_count; i++) {
        const char *copy = logged_copy(process, process->loaded[i].path);

        if (!copy)
            continue;
        finding->kind = CAUSE_LIBRARY_SHADOWED;
        finding->provider = process->loaded[i].path;
        finding->elsewhere = copy;
        return;
    }
    finding->provider = pasted_needed_before(process, finding->subject);
    if (finding->provider) {
        finding->kind = CAUSE_LIBRARY_SHADOWED;
        return;
    }
    for (size_t i = 0; i < process->act_count; i++) { /* musl's objects are told when all are there */
        const char *copy = process->acts[i].error ? NULL : logged_copy(process, process->acts[i].path);

        if (!copy)
            continue;
        finding->kind = CAUSE_LIBRARY_SHADOWED;
        finding->provider = process->acts[i].path;
        finding->elsewhere = copy;
        return;
    }
    logged_only_put_first(finding);
}

static bool symbol_answer(const struct saying *saying, struct answer *ret)
{
    const struct told *told = saying->told;
    struct finding *finding = &ret->finding;

    if (!told->symbol)
        return false;
    finding->kind = CAUSE_SYMBOL_MISSING;
    finding->missing = told->version ? own(ret, xasprintf("%s@%s", told->symbol, told->version)) : told->symbol;
    finding->subject = told->object ? path_of(ret, saying, told->object) : caller_of(saying);
    if (told->version ? strcmp(told->version, "GLIBC_PRIVATE") == 0 : pasted_among_glibc(told->object, told->symbol))
        finding->kind = CAUSE_LOADER_LIBC_SKEW;
    else if (told->object && strcmp(path_base(told->object), "libc.so.6") == 0 && !runs_musl(saying->process))
        finding->kind = CAUSE_LOADER_LIBC_SKEW; /* it asks nobody but ld.so */
    else if (runs_musl(saying->process) &&
             (pasted_glibc_alone_has(told->symbol) || (finding->subject && strstr(finding->subject, "-linux-gnu/"))))
        finding->kind = CAUSE_LIBC_FAMILY_MISMATCH;
    else if (finding->subject && needs_other_libc(saying->process, finding->subject))
        finding->kind = CAUSE_LIBC_FAMILY_MISMATCH;
    else
        symbol_shadowed(saying, finding);
    return true;
}

/* Of the places of a search the first at which something stands that will not do; false: there is none. */
static bool bad_place(const struct saying *saying, const char *name, struct answer *ret)
{
    struct process *process = saying->process;
    CLEANUP_FREE char *key = xasprintf("f%s", path_base(name));
    struct finding *finding = &ret->finding;
    struct episode *episode;

    HASH_FIND_STR(process->episodes, key, episode);
    for (size_t i = 0; episode && i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct path_walk walk;
        bool bad;

        if (attempt->n > saying->n || (attempt->by != BY_LOADER && !process->musl) ||
            (strchr(name, '/') && strcmp(attempt->path, name) != 0))
            continue;
        sight_walk(attempt, process_cred(process), &walk);
        bad = judge_path_fault(finding, &walk, attempt->path) && finding->kind != CAUSE_FILE_MISSING;
        if (!bad && attempt->error == EACCES) {
            finding->kind = CAUSE_PERMISSION_DENIED;
            finding->missing = attempt->path;
            bad = true;
        }
        if (bad)
            finding->missing = own(ret, xstrdup(finding->missing));
        finding->walk = NULL;
        path_walk_deinit(&walk);
        if (!bad)
            continue;
        if (finding->kind == CAUSE_PERMISSION_DENIED)
            finding->provider = attempt->path;
        finding->error = attempt->error;
        return true;
    }
    return false;
}

/* ACT is about PATH, or a library of that name. Where the process was may have become known only later. */
static bool is_file(const struct process *process, const struct load_act *act, const char *path)
{
    CLEANUP_FREE char *opened = absolute(process, act->path);

    return strcmp(strchr(path, '/') ? opened : act->name, path) == 0 || strcmp(act->path, path) == 0;
}

/* What the loader opened at PATH and could not take, by a note of what it is. */
static bool bad_library(const struct saying *saying, const char *path, struct answer *ret)
{
    static const char *const broken[] = {"empty", "short", "not-elf", "truncated", "malformed", "not-regular"};
    const struct process *process = saying->process;
    struct finding *finding = &ret->finding;
    const char *is = NULL;

    for (size_t i = 0; i < process->act_count && !is; i++) {
        const struct load_act *act = &process->acts[i];

        if (act->error || act->n > saying->n || !act->sight || !act->sight->elf || !is_file(process, act, path))
            continue;
        is = act->sight->elf;
        finding->provider = act->path;
    }
    if (!is)
        return false;
    finding->kind = CAUSE_WRONG_ARCHITECTURE;
    finding->missing = machine_of(process);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        if (strcmp(broken[i], is) == 0) {
            finding->kind = CAUSE_OBJECT_CORRUPT;
            finding->missing = finding->provider;
        }
    return true;
}

static bool not_found_answer(const struct saying *saying, struct answer *ret)
{
    const struct told *told = saying->told;
    struct finding *finding = &ret->finding;
    const char *name;

    if (!told->object || (!strchr(told->object, '/') && !library_like(told->object)))
        return false; /* "cannot load auditing interface" names none */
    name = strchr(told->object, '/') ? own(ret, absolute(saying->process, told->object)) : told->object;
    finding->subject = told->needer ? path_of(ret, saying, told->needer) : asker_of(saying, name);
    if (is_other_libc(saying->process, name)) {
        finding->kind = CAUSE_LIBC_FAMILY_MISMATCH;
        finding->missing = path_base(name);
        return true;
    }
    if (bad_library(saying, name, ret) || bad_place(saying, name, ret) ||
        pasted_error(saying->process, saying->error, name, finding))
        return true;
    if (saying->error && ((saying->error->error == EPERM && strchr(name, '/')) ||
                          (saying->error->mount && saying->error->error != ENOENT))) {
        finding->kind = CAUSE_NOEXEC_MOUNT; /* mmap(2)'s answer there is EPERM */
        finding->missing = saying->error->mount ? saying->error->mount : own(ret, logged_mount(saying->process, name));
        finding->provider = name;
        return true;
    }
    if (opened_as(saying->process, name) && strncmp(saying->words, "Error loading", 13) == 0)
        return false; /* musl's words for whatever it could not do with it */
    finding->kind = CAUSE_LIBRARY_MISSING;
    finding->missing = name;
    finding->elsewhere = logged_copy(saying->process, name);
    if (finding->elsewhere)
        finding->kind = CAUSE_LIBRARY_OFF_PATH;
    return true;
}

/* The words that dl-load.c has for a file that it cannot take: open_verify(), elf_machine_matches_host(). */
static bool file_answer(const struct saying *saying, struct answer *ret)
{
    static const struct {
        const char *piece;
        enum cause_kind kind;
    } formats[] = {
        {"wrong ELF class", CAUSE_WRONG_ARCHITECTURE},
        {"ELF file data encoding not", CAUSE_WRONG_ARCHITECTURE},
        {"invalid ELF header", CAUSE_OBJECT_CORRUPT},
        {"file too short", CAUSE_OBJECT_CORRUPT},
        {"cannot read file data", CAUSE_OBJECT_CORRUPT},
        {"object file has no dynamic section", CAUSE_OBJECT_CORRUPT},
        {"object file has no loadable segments", CAUSE_OBJECT_CORRUPT},
        {"ELF load command", CAUSE_OBJECT_CORRUPT},
        {"phentsize", CAUSE_OBJECT_CORRUPT},
        {"ELF file version", CAUSE_OBJECT_CORRUPT},
        {"Exec format error", CAUSE_OBJECT_CORRUPT},
    };
    const struct told *told = saying->told;
    struct finding *finding = &ret->finding;
    size_t i = 0;

    if (!told->object)
        return false;
    finding->provider = path_of(ret, saying, told->object);
    finding->subject = asker_of(saying, finding->provider);
    if (is_other_libc(saying->process, finding->provider)) {
        finding->kind = CAUSE_LIBC_FAMILY_MISMATCH;
        finding->missing = path_base(finding->provider);
        finding->provider = NULL;
        return true;
    }
    while (i < sizeof formats / sizeof *formats && !strstr(saying->words, formats[i].piece))
        i++;
    if ((i == sizeof formats / sizeof *formats || formats[i].kind != CAUSE_WRONG_ARCHITECTURE) &&
        bad_library(saying, finding->provider, ret))
        return true;
    if (i == sizeof formats / sizeof *formats)
        return false;
    finding->kind = formats[i].kind;
    finding->missing = finding->kind == CAUSE_OBJECT_CORRUPT ? finding->provider : machine_of(saying->process);
    return true;
}

/* The processor level that the object at PATH asks for, as it was noted. */
static const char *level_of(const struct saying *saying, const char *path)
{
    const struct process *process = saying->process;

    if (saying->error && saying->error->level)
        return saying->error->level;
    for (size_t i = 0; i < process->loaded_count; i++)
        if (strcmp(process->loaded[i].path, path) == 0)
            return process->loaded[i].level;
    return NULL;
}

/* The object is sound, and refused. */
static bool refused_answer(const struct saying *saying, struct answer *ret)
{
    const struct told *told = saying->told;
    struct finding *finding = &ret->finding;
    const char *path = told->object ? path_of(ret, saying, told->object) : saying->process->exe;

    if (!path)
        return false;
    finding->provider = finding->missing = path;
    finding->subject = asker_of(saying, path);
    switch (told->what) {
    case TOLD_NO_TLS:
        finding->kind = CAUSE_STATIC_TLS_EXHAUSTED;
        return true;
    case TOLD_NO_STACK:
        finding->kind = CAUSE_EXECSTACK_REFUSED;
        return true;
    case TOLD_LEVEL:
        finding->kind = CAUSE_CPU_LEVEL_TOO_LOW;
        finding->missing = level_of(saying, path);
        if (!finding->missing)
            finding->missing = "a higher x86-64 level";
        return true;
    case TOLD_NOT_MAPPED:
        finding->kind = CAUSE_NOEXEC_MOUNT;
        finding->missing = process_mount(saying->process, path);
        if (!finding->missing)
            finding->missing = own(ret, logged_mount(saying->process, path));
        return finding->missing != NULL;
    default:
        return false;
    }
}

static bool answer_of(const struct saying *saying, struct answer *ret)
{
    switch (saying->told->what) {
    case TOLD_VERSION:
        return version_answer(saying, ret);
    case TOLD_SYMBOL:
        return symbol_answer(saying, ret);
    case TOLD_NOT_FOUND:
        return not_found_answer(saying, ret);
    case TOLD_FILE:
        return file_answer(saying, ret);
    case TOLD_NO_TLS:
    case TOLD_NO_STACK:
    case TOLD_LEVEL:
    case TOLD_NOT_MAPPED:
        return refused_answer(saying, ret);
    default:
        return false;
    }
}

/* ---- suspects ---- */

/* A version of the same library, or the same of another build, was loaded after all. */
static bool found_later(const struct saying *saying, const char *name)
{
    const struct process *process = saying->process;

    for (size_t i = 0; i < process->act_count; i++) {
        const struct load_act *act = &process->acts[i];

        if (act->n > saying->n && !act->error && opened_as(process, act->name) &&
            judge_same_library(act->name, path_base(name)))
            return true;
    }
    return false;
}

static void add_needles(struct suspect *suspect, const struct told *told)
{
    const char *const names[] = {told->symbol, told->version, told->object};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!names[i])
            continue;
        strings_add(&suspect->needles, xstrdup(names[i]));
        if (strchr(names[i], '/'))
            strings_add(&suspect->needles, xstrdup(path_base(names[i])));
    }
}

static const struct loader_call *call_around(const struct saying *saying, uint64_t n)
{
    return saying->error ? call_of(saying->process, saying->error->tid, n) : NULL;
}

/* Symbols that a library which could not be had may have brought are its consequence (musl goes on to look for them).
 */
static bool is_consequence(const struct saying *saying, bool fatal)
{
    const struct process *process = saying->process;

    for (size_t i = 0; saying->told->what == TOLD_SYMBOL && i < process->suspect_count; i++) {
        const struct suspect *suspect = &process->suspects[i];
        enum cause_kind kind = suspect->cause->kind;

        if (kind != CAUSE_SYMBOL_MISSING && kind != CAUSE_SYMBOL_VERSION_MISSING && kind != CAUSE_LIBRARY_SHADOWED &&
            ((fatal && suspect->at == AT_START) ||
             (!fatal && suspect->at == AT_DLOPEN && call_around(saying, suspect->n) == call_around(saying, saying->n))))
            return true;
    }
    return false;
}

static void judge_saying(const struct saying *saying, bool fatal)
{
    struct answer answer = {.finding = {.process = saying->process}};
    const char *name = saying->told->object ? saying->told->object : "";
    struct suspect *suspect = NULL;

    if (!is_consequence(saying, fatal) && answer_of(saying, &answer) && answer.finding.subject) {
        if (saying->process->by_words)
            answer.owned_count += judge_beside(&answer.finding, answer.owned + answer.owned_count);
        if (saying->process->by_words)
            answer.owned_count += pasted_second(&answer.finding, answer.owned + answer.owned_count);
        suspect = suspect_add(saying->process, fatal ? AT_START : AT_DLOPEN, &answer.finding, saying->n, saying->t_ns);
    }
    if (suspect) {
        add_needles(suspect, saying->told);
        suspect->certain = fatal;
        suspect->most = logged_most(saying->process, saying->error, &answer.finding);
        if (!fatal) {
            const struct loader_call *call =
                saying->error ? call_of(saying->process, saying->error->tid, saying->error->n) : NULL;

            suspect_dlopen(suspect, saying->process, name, call ? call->n : saying->n);
            suspect->coped |= found_later(saying, name);
            suspect->dependency = answer.finding.subject != saying->process->exe;
            if (call && call->file) /* the program names what it asked for, not what that needs */
                strings_add(&suspect->needles, xstrdup(path_base(call->file)));
        }
    }
    for (size_t i = 0; i < answer.owned_count; i++)
        free(answer.owned[i]);
}

/* What a program passes on of the loader's words, where those themselves were not heard: its last ones count. */
static void judge_lines(struct process *process)
{
    for (size_t i = process->line_count; i-- > 0;) {
        const struct output_line *line = &process->lines[i];
        struct told told;
        struct saying saying = {process, &told, NULL, line->text, line->n, process->end_ns};
        bool counts, fatal = line->by == BY_LOADER && process_failed(process);

        told_in_line(line->text, &told);
        counts = told.what != TOLD_NOTHING && (told.what != TOLD_SYMBOL || process_failed(process));
        if (counts)
            judge_saying(&saying, fatal || (process->musl && strncmp(line->text, "Error ", 6) == 0));
        told_deinit(&told);
        if (counts)
            return;
    }
}

/* A library that is cut off: the loader maps it, and dies of what is not there (SIGBUS) without a word. */
static void judge_cut(struct process *process)
{
    for (size_t i = process->act_count; i-- > 0;) {
        const struct load_act *act = &process->acts[i];
        const struct told nothing = {.what = TOLD_FILE};
        const struct saying saying = {process, &nothing, NULL, "", process->signal_n, process->end_ns};
        struct answer answer = {.finding = {.process = process}};
        struct suspect *suspect = NULL;

        if (act->error || !bad_library(&saying, act->path, &answer) || answer.finding.kind != CAUSE_OBJECT_CORRUPT)
            continue;
        answer.finding.subject = asker_of(&saying, act->path);
        if (answer.finding.subject)
            suspect = suspect_add(process, AT_START, &answer.finding, act->n, act->t_ns);
        if (suspect)
            suspect->certain = true;
        return;
    }
}

void judge_logged(struct process *process)
{
    for (size_t i = 0; i < process->error_count; i++) {
        const struct loader_error *error = &process->errors[i];
        struct told told;
        struct saying saying = {process, &told, error, error->format, error->n, error->t_ns};

        if (judge_words_harmless(process, error))
            continue;
        told_by_loader(error, &told);
        judge_saying(&saying, error->outcome == LOADER_FATAL);
        told_deinit(&told);
    }
    if (process->suspect_count == 0 && process->signal && process->signal_by_loader)
        judge_cut(process);
    if (process->suspect_count == 0 && !process->by_words) /* their reader has dealt with those */
        judge_lines(process);
    judge_words(process, NULL, NULL);
    if (process->suspect_count)
        judge_words_said(process);
}
