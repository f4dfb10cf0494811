/* The dynamic loader's failures: at the start, at a dlopen, at a lazy binding.
 *
 * The shadow loader is asked what ld.so would have met; it is believed where what was seen agrees: the loader ended the
 * process, the object is not mapped at the end, the search failed before our eyes, or the program said so. (In 4 of 10
 * loader failures no system call fails at all.) */
#include "judge.h"

#include "environment.h"
#include "told.h"

#include <ctype.h>
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <probes/alloc.h>
#include <probes/maps.h>

/* ---- at the start ---- */

static const struct output_line *loader_line(const struct process *process)
{
    for (size_t i = process->line_count; i-- > 0;)
        if (process->lines[i].by == BY_LOADER)
            return &process->lines[i];
    return NULL;
}

/* Whether the loader, not the program, ended this process: exit_group called from its code; a signal in its code; and
 * for musl, whose calls all come from one mapping, status 127 after its own words. */
static bool ended_by_loader(const struct process *process, const struct load *load)
{
    if (process->by_loader || (process->signal && process->signal_by_loader))
        return true;
    if (load->family == LOADER_MUSL && WIFEXITED(process->status) && WEXITSTATUS(process->status) == 127)
        return process_says(process, "Error loading shared library") || process_says(process, "Error relocating");
    /* glibc up to 2.31 ends a failed lazy binding from libc.so.6's copy of the same code (facts measured on Debian's
     * builds). */
    return WIFEXITED(process->status) && WEXITSTATUS(process->status) == 127 &&
           process_says(process, "symbol lookup error");
}

static bool not_found_in(const struct load *load, size_t batch)
{
    for (size_t i = 0; i < load->fault_count; i++)
        if (load->faults[i]->batch == batch && load->faults[i]->kind == FAULT_NOT_FOUND)
            return true;
    return false;
}

/* Symbols that a library which is not there may have brought are its consequence, no cause of their own. */
static bool consequence(const struct process *process, const struct load *load, const struct fault *fault)
{
    if (fault->kind == FAULT_SYMBOL && not_found_in(load, fault->batch) && !family_fault(load, fault))
        return true;
    return family_covers(load, fault) || skew_is_hidden(process, load, fault);
}

static bool named_by(const struct process *process, const struct fault *fault)
{
    return process_says(process, fault->name) != NULL || process_told(process, fault->name, fault->batch == 0);
}

/* Of the symbols that one object lacks, the one that the words name, else the first, stands for all of them
 * (tell_others() of cause_symbol.c lists the rest). */
static bool stands_for_all(const struct process *process, const struct load *load, const struct fault *fault)
{
    const struct fault *first = NULL;

    if (fault->kind != FAULT_SYMBOL)
        return true;
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *other = load->faults[i];

        if (other->kind != FAULT_SYMBOL || other->subject != fault->subject || other->batch != fault->batch ||
            consequence(process, load, other) ||
            (process->ahead == AHEAD_LIBRARY && !other->version != !fault->version))
            continue;
        if (named_by(process, other))
            return other == fault;
        first = first ? first : other;
    }
    return first == fault;
}

/* Of a library that has no versions at all the loader only warns, until it binds a symbol to it that is to have one:
 * then an assertion ends the process (check_match() of elf/dl-lookup.c). */
static bool warned_first(const struct process *process, const struct fault *fault)
{
    const struct output_line *line = loader_line(process);

    return fault->kind == FAULT_VERSION && fault->provider && !fault->provider->elf->def_count && line &&
           strstr(line->text, "check_match") && strstr(line->text, "version->filename");
}

/* True where something was found that explains the end. */
static bool judge_start(struct process *process, const struct load *load)
{
    const struct output_line *line = loader_line(process);
    bool found = false, lazily = process->last_file_n > process->exec_n;

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        struct suspect *suspect;

        if (fault->batch || (fault->warning && !warned_first(process, fault)) || consequence(process, load, fault) ||
            /* The loader that runs is there; what it was given is for another machine. */
            (fault->kind == FAULT_INTERP && process->exe && strcmp(fault->name, process->exe) == 0) ||
            (fault->kind == FAULT_PROGRAM && fault->subject->elf->state == ELFFILE_UNREADABLE))
            continue;
        if (!stands_for_all(process, load, fault) ||
            (!process->ahead && (fault->lazy || (fault->kind == FAULT_SYMBOL && lazily)) && !named_by(process, fault) &&
             !warned_first(process, fault)))
            continue;
        suspect = suspect_fault(process, AT_START, load, fault, line ? line->n : process->end_n, process->end_ns);
        if (suspect)
            suspect->certain = true;
        found = true;
    }
    return found;
}

/* Of words alone: what the loader is said to have ended it for, where the files bear that out. */
static void judge_start_told(struct process *process, const struct load *load)
{
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        struct suspect *suspect;

        if (fault->batch || fault->warning || !process_told(process, fault->name, true) ||
            consequence(process, load, fault))
            continue;
        suspect = suspect_fault(process, AT_START, load, fault, process->end_n, process->end_ns);
        if (suspect)
            suspect->certain = true;
    }
}

/* ---- while it runs ---- */

/* Names that the C library itself tries and does without: NSS modules (nsswitch.conf(5)), character sets, libgcc_s for
 * cancellation. */
static bool tried_by_libc(const char *path)
{
    const char *name = path_base(path);

    return strncmp(name, "libnss_", 7) == 0 || strstr(path, "/gconv/") || strcmp(name, "libgcc_s.so.1") == 0;
}

/* "libfoo.so.2" and "libfoo.so", "libfoo-1.1.so": what is left without versions and endings. */
static size_t stem_length(const char *name)
{
    const char *end = strstr(name, ".so");

    if (!end && strlen(name) > 5)
        end = strstr(name + strlen(name) - 5, ".node");
    size_t n = end ? (size_t)(end - name) : strlen(name);

    while (n > 3 && (isdigit((unsigned char)name[n - 1]) || name[n - 1] == '.' || name[n - 1] == '-'))
        n--;
    return n;
}

static bool same_stem(const char *a, const char *b)
{
    size_t n = stem_length(a);

    return n == stem_length(b) && strncmp(a, b, n) == 0;
}

/* "x.linux-x64-musl.node" and "x.linux-x64-gnu.node": builds of one thing for several systems, tried one after the
 * other. Most of the shorter name is the same. */
static bool variants(const char *a, const char *b)
{
    size_t same = 0, shorter;

    if (strncmp(a, "lib", 3) == 0 && strncmp(b, "lib", 3) == 0) {
        a += 3;
        b += 3;
    }
    shorter = stem_length(a) < stem_length(b) ? stem_length(a) : stem_length(b);
    while (same < shorter && a[same] == b[same])
        same++;
    return same >= 4 && same * 3 >= shorter * 2;
}

bool judge_same_library(const char *a, const char *b)
{
    return same_stem(a, b) || variants(a, b);
}

/* Another copy or version of it was loaded later: the program searched, and found. */
static bool found_later(const struct process *process, const struct maps *maps, const struct load *load, size_t act)
{
    const char *name = process->acts[act].name;

    /* "libc.so.99" was asked for, libc.so.6 is loaded: dlopen("libc.so.6") then makes no call at all. */
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->batch == 0 && same_stem(path_base(load->objects[i]->path), name) &&
            strcmp(path_base(load->objects[i]->path), name) != 0)
            return true;
    for (size_t i = act + 1; i < process->act_count; i++) {
        const struct load_act *later = &process->acts[i];

        if (later->error == 0 &&
            (same_stem(later->name, process->acts[act].name) || variants(later->name, process->acts[act].name)) &&
            strcmp(later->path, process->acts[act].path) != 0 && maps_has(maps, process->root, later->path) != 0)
            return true;
    }
    return false;
}

/* Whether what the model says of a dlopen agrees with what was seen of it. OPENED is the object that was asked for,
 * NULL where it was not found. */
static bool believed(const struct process *process, const struct maps *maps, const struct load *load,
                     const struct fault *fault, const struct object *opened)
{
    if (fault->warning || consequence(process, load, fault))
        return false;
    if (!opened)
        return true; /* the search failed before our eyes */
    if (maps_has(maps, process->root, opened->path) == 0)
        return true; /* it was opened and is not there: the loader took it out again */
    return maps->known ? false : named_by(process, fault);
}

static const struct object *batch_head(const struct load *load, size_t batch)
{
    for (size_t i = 0; i < load->object_count; i++)
        if (load->objects[i]->batch == batch)
            return load->objects[i];
    return NULL;
}

/* Nothing that we see came between event N, which was about FILE, and the end: no other object, no file of the
 * program's own. */
static bool nothing_after(const struct process *process, const char *file, uint64_t n)
{
    for (size_t i = process->act_count; i-- > 0 && process->acts[i].n > n;)
        if (strcmp(process->acts[i].path, file) != 0)
            return false;
    return process->last_work_n < n && (process_failed(process) || process->last_output_n > n);
}

/* The event by which the dlopen that ACT belongs to was over: what it opened after ACT is part of it. */
static uint64_t end_of_call(const struct process *process, const struct load_act *act)
{
    const struct loader_call *call = call_of(process, act->tid, act->n);

    return call ? call->n : act->n;
}

/* Python has told what ended it, and that is something else, or the words would name the library (a chain of exceptions
 * is told to its beginning). */
static bool ended_otherwise(const struct process *process, uint64_t n)
{
    for (size_t i = 0; i < process->line_count; i++)
        if (process->lines[i].n > n && strncmp(process->lines[i].text, "Traceback (most recent call last):", 34) == 0)
            return true;
    return false;
}

void suspect_dlopen(struct suspect *suspect, const struct process *process, const char *file, uint64_t n)
{
    suspect->coped = tried_by_libc(file);
    suspect->last_act = nothing_after(process, file, n) && !ended_otherwise(process, n);
}

static void judge_batch(struct process *process, const struct maps *maps, struct load *load, size_t act, size_t batch)
{
    const struct load_act *tried = &process->acts[act];
    const struct object *head = batch_head(load, batch);

    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        struct suspect *suspect;

        if (fault->batch != batch || !believed(process, maps, load, fault, head) ||
            !stands_for_all(process, load, fault))
            continue;
        suspect = suspect_fault(process, AT_DLOPEN, load, fault, tried->n, tried->t_ns);
        if (!suspect)
            continue;
        if (head)
            strings_add(&suspect->needles, xstrdup(path_base(head->path)));
        suspect->dependency = head != NULL;
        suspect_dlopen(suspect, process, tried->path, end_of_call(process, tried));
        suspect->coped |= found_later(process, maps, load, act);
    }
}

/* An earlier failure covers it: the same name was not found, or the file is one of the places that were passed over
 * then. */
static bool explained(const struct load *load, const struct load_act *act)
{
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];

        if (fault->kind != FAULT_NOT_FOUND)
            continue;
        if (strcmp(path_base(fault->name), act->name) == 0)
            return true;
        for (size_t k = 0; k < fault->search.count; k++)
            if (strcmp(fault->search.places[k].path, act->path) == 0)
                return true;
    }
    return false;
}

/* What the program asked dlopen() for: the path where one place only was tried and it is not one of the loader's own,
 * else the name. */
static const char *asked_for(const struct load *load, const struct load_act *act)
{
    struct search search;
    bool searched = false;

    if (act->error == 0 || !act->single)
        return act->error == 0 ? act->path : act->name;
    load_search(load, act->name, NULL, 0, &search);
    for (size_t i = 0; i < search.count; i++)
        searched |= strcmp(search.places[i].path, act->path) == 0;
    search_deinit(&search);
    return searched ? act->name : act->path;
}

/* What a dlopen was asked for, a path being made absolute; NULL for the program itself. malloced. */
static char *file_of(const struct process *process, const struct loader_call *call)
{
    if (!call->file || !*call->file)
        return NULL;
    if (strchr(call->file, '/') && call->file[0] != '/' && call->file[0] != '$' && process->cwd)
        return path_join(process->cwd, call->file);
    return xstrdup(call->file);
}

/* Where the call itself was seen, it says what was asked for, by whom and how; else that is read from what the loader
 * opened. */
static size_t open_again(const struct process *process, struct load *load, const struct load_act *act)
{
    const struct loader_call *call = call_of(process, act->tid, act->n);
    struct load_open open = {.mode = RTLD_NOW, .space = LOAD_SPACE_CALLER};
    CLEANUP_FREE char *file = call ? file_of(process, call) : NULL;

    if (file) {
        open.file = file;
        open.mode = (int)call->flags;
        open.caller = call->object ? load_find(load, call->object) : NULL;
    } else {
        open.file = asked_for(load, act);
    }
    return load_dlopen(load, &open, NULL);
}

/* RTLD_NOLOAD only asks whether something is loaded; the loader searches for it all the same. */
static bool only_asked(const struct loader_call *call)
{
    return call && (call->flags & RTLD_NOLOAD);
}

static void judge_dlopens(struct process *process, const struct maps *maps, struct load *load)
{
    for (size_t i = 0; i < process->act_count; i++) {
        const struct load_act *act = &process->acts[i];

        if (only_asked(call_of(process, act->tid, act->n)) || explained(load, act) ||
            (!act->error && load_find(load, act->path)))
            continue;
        judge_batch(process, maps, load, i, open_again(process, load, act));
    }
}

static bool has_act(const struct process *process, const struct loader_call *call)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (call_of(process, process->acts[i].tid, process->acts[i].n) == call)
            return true;
    return false;
}

/* Calls that failed without opening anything: what was asked for had been loaded, or opened, before. */
static void judge_calls(struct process *process, struct load *load)
{
    for (size_t i = 0; i < process->call_count; i++) {
        const struct loader_call *call = &process->calls[i];
        CLEANUP_FREE char *file = file_of(process, call);
        struct load_open open = {.file = file, .mode = (int)call->flags, .space = LOAD_SPACE_CALLER};
        size_t batch;

        if (!file || only_asked(call) || !error_of(process, call) || has_act(process, call))
            continue;
        open.caller = call->object ? load_find(load, call->object) : NULL;
        batch = load_dlopen(load, &open, NULL);
        for (size_t k = 0; k < load->fault_count; k++) {
            const struct fault *fault = load->faults[k];

            struct suspect *suspect = NULL;

            if (fault->batch == batch && !fault->warning && !consequence(process, load, fault) &&
                stands_for_all(process, load, fault))
                suspect = suspect_fault(process, AT_DLOPEN, load, fault, call->n, call->t_ns);
            if (suspect)
                suspect_dlopen(suspect, process, file, call->n);
        }
    }
}

/* A binding that failed at its first call, in an object that came by dlopen: the loader's words name it. */
static void judge_late_symbols(struct process *process, const struct load *load)
{
    for (size_t i = 0; i < load->fault_count; i++) {
        const struct fault *fault = load->faults[i];
        struct suspect *suspect;

        if (fault->kind != FAULT_SYMBOL || !fault->batch || !named_by(process, fault))
            continue;
        suspect = suspect_fault(process, AT_START, load, fault, process->end_n, process->end_ns);
        if (suspect)
            suspect->certain = true;
    }
}

/* The cheap question first: every object that the loader opened is mapped at the end, none was missed, no dlopen
 * failed. Nothing can have failed then. */
static bool all_well(const struct process *process, const struct maps *maps)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].error || maps_has(maps, process->root, process->acts[i].path) == 0)
            return false;
    return process->call_count == 0;
}

/* Cheaper still: the loader would have said so, and a search for it would have failed. */
static bool nothing_said(const struct process *process)
{
    for (size_t i = 0; i < process->act_count; i++)
        if (process->acts[i].error)
            return false;
    return process->heard && !process->error_count && !process->call_count;
}

/* A program whose own file is cut off dies of SIGBUS or SIGSEGV before or in its first instructions. */
static bool died_of_its_file(const struct process *process, const struct load *load)
{
    const struct elffile *elf = load->objects[0]->elf;

    return process->signal && elf->state != ELFFILE_OK && elf->state != ELFFILE_UNREADABLE;
}

static bool opened_itself(const struct load *load, const char *object)
{
    for (size_t i = 0; object && i < load->object_count; i++)
        if (load->objects[i]->batch && strcmp(path_base(load->objects[i]->path), path_base(object)) == 0)
            return true;
    return false;
}

/* A dlsym(3) is for what may be absent, unless the program could not do without: of an object that it had opened it
 * wanted a symbol, and the next that is known of it are its last words, or a jump to where no function is. */
static void judge_wanted_symbol(struct process *process, const struct maps *maps, const struct load *load)
{
    const struct loader_error *last = process->error_count ? &process->errors[process->error_count - 1] : NULL;
    bool jumped = process->signal == SIGSEGV && process->signal_ip == 0;
    bool spoke = last && !process->signal && process_gave_up(process) && process->last_output_n > last->last_n &&
                 process->first_output_n > last->n;

    if (!last || last->outcome != LOADER_CAUGHT || strncmp(last->format, "undefined symbol", 16) != 0 ||
        call_of(process, last->tid, last->n) || !opened_itself(load, last->object) ||
        !(jumped || (spoke && nothing_after(process, "", last->last_n) && !judge_ends_of_another(process, last))))
        return;
    if (judge_told(process, maps, load, last))
        process->suspects[process->suspect_count - 1].last_act = true;
}

/* It says that it goes on by another way: a symbol that is tried first, and another where that is not there. */
static bool has_another_way(const char *line)
{
    static const char *const words[] = {"fall back", "falling", "fallback", "instead", "default", "optional",
                                        "using",     "trying",  "older",    "legacy",  NULL};

    for (const char *const *word = words; *word; word++)
        if (strcasestr(line, *word))
            return true;
    return false;
}

/* A plug-in without what its host asks it for: the host names the symbol, complains, and may do without the plug-in. */
static bool misses_aloud(const struct process *process, const struct loader_error *error)
{
    const struct output_line *line;
    struct told told;
    bool aloud;

    if (error->outcome != LOADER_CAUGHT || strncmp(error->format, "undefined symbol", 16) != 0 ||
        call_of(process, error->tid, error->n))
        return false;
    told_by_loader(error, &told);
    line = told.symbol ? process_says(process, told.symbol) : NULL;
    aloud = line && line->n > error->n &&
            (words_object(line->text) || words_warn(line->text) || strstr(line->text, "undefined symbol")) &&
            !has_another_way(line->text);
    told_deinit(&told);
    return aloud;
}

static bool misses_any_aloud(const struct process *process)
{
    for (size_t i = 0; i < process->error_count; i++)
        if (misses_aloud(process, &process->errors[i]))
            return true;
    return false;
}

static void judge_missed_symbols(struct process *process, const struct maps *maps, const struct load *load)
{
    for (size_t i = 0; i < process->error_count; i++)
        if (misses_aloud(process, &process->errors[i]) && opened_itself(load, process->errors[i].object))
            judge_told(process, maps, load, &process->errors[i]);
}

static void judge_with(struct process *process, const struct maps *maps, struct load *load)
{
    bool by_loader = process_failed(process) && (ended_by_loader(process, load) || died_of_its_file(process, load));

    if (by_loader && load->family == LOADER_NONE)
        judge_start(process, load);
    if (load->family == LOADER_NONE) {
        judge_static(process, load);
        return;
    }
    if (!by_loader || !judge_start(process, load)) {
        judge_dlopens(process, maps, load);
        judge_calls(process, load);
        judge_skewed_crash(process, load);
        if (by_loader)
            judge_late_symbols(process, load);
    }
    if (process->by_words)
        judge_start_told(process, load);
    judge_words(process, maps, load);
    if (process->suspect_count == 0) {
        judge_said(process, maps, load);
        judge_words_said(process);
    }
    if (process->suspect_count == 0)
        judge_missed_symbols(process, maps, load);
    if (process->suspect_count == 0)
        judge_wanted_symbol(process, maps, load);
}

void judge_load(struct process *process, bool live)
{
    CLEANUP_FREE const char **env = NULL;
    struct load_request request = {.root = process->root,
                                   .program = process->exe,
                                   .cwd = process->cwd,
                                   .secure = process->secure,
                                   .cred = judge_assume_cred(process),
                                   .guests = process->guests};
    struct load *load;
    struct maps maps = {0};

    if (!process->exe || (!process_failed(process) && nothing_said(process)))
        return;
    if (path_nowhere(process->root)) {
        judge_logged(process);
        return;
    }
    if (live)
        maps_read(process->pid, &maps);
    if (process_failed(process) || !all_well(process, &maps) || misses_any_aloud(process)) {
        struct direct direct;

        env = process_env_array(process);
        if (direct_find(process, &direct)) {
            request.loader = process->exe;
            request.program = direct.program;
            env = direct_env(&direct, env);
            if (process_failed(process) && process->by_loader && loader_line(process))
                judge_direct(process, &direct); /* "ld.so --verify" says nothing: it was only asked, as by ldd(1) */
        }
        request.env = env;
        if (load_create(&request, &load, NULL) == 0) {
            if (!live)
                judge_assume_path(process, &load);
            judge_with(process, &maps, load);
            judge_assumed_tell(process);
            load_destroy(load);
        }
        direct_deinit(&direct);
    }
    maps_deinit(&maps);
    if (process->by_words && process->suspect_count == 0) /* whatever the files say, it said so */
        judge_logged(process);
}
