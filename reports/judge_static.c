/* A dlopen(3) of a program without a loader: glibc's is then within the program, whose calls cannot be told from its
 * own, and no link map is there to be asked. What is left is how it searches: one name, file after file, in the
 * directories of libraries (elf/dl-load.c), or the one path that was asked for. */
#include "judge.h"

#include "environment.h"
#include "syscall.h"

#include <errno.h>
#include <string.h>

#include <probes/alloc.h>
#include <probes/load.h>

static bool of_libraries(const char *path)
{
    static const char *const directories[] = {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"};

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
        if (strncmp(path, directories[i], strlen(directories[i])) == 0)
            return true;
    return false;
}

/* Where the program has symbols, its dlopen was seen. */
static const struct loader_call *call_for(const struct process *process, const struct episode *episode)
{
    for (size_t i = 0; i < process->call_count; i++)
        if (process->calls[i].file && strcmp(path_base(process->calls[i].file), episode->name) == 0)
            return &process->calls[i];
    return NULL;
}

/* A search through the system's directories for what is called a library, or for what a dlopen was asked. */
static bool is_load(const struct process *process, const struct episode *episode)
{
    size_t system = 0;

    if (episode->found_n || episode->dropped || !episode->count)
        return false;
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];

        if (attempt->by == BY_LOADER || strncmp(attempt->desc->name, "open", 4) != 0 ||
            (attempt->error != ENOENT && attempt->error != ENOTDIR))
            return false;
        system += of_libraries(attempt->path);
    }
    return (system >= 2 && library_like(episode->name)) || call_for(process, episode);
}

static void places_of(const struct episode *episode, struct search *ret)
{
    *ret = (struct search){.name = xstrdup(episode->name), .found = -1, .fault = -1};
    ret->places = xcalloc(episode->count, sizeof *ret->places);
    for (size_t i = 0; i < episode->count; i++) {
        const struct attempt *attempt = episode->attempts[i];
        struct candidate *place = &ret->places[ret->count++];

        place->path = xstrdup(attempt->path);
        place->origin = ORIGIN_DEFAULT;
        path_walk(attempt->root, attempt->cwd, attempt->path, NULL, &place->walk);
        place->state = place->walk.reason == PATH_DANGLING ? CANDIDATE_DANGLING
                       : place->walk.reason == PATH_LOOP   ? CANDIDATE_LOOP
                                                           : CANDIDATE_ABSENT;
        place->why = xstrdup(path_reason_text(place->walk.reason));
        if (place->state != CANDIDATE_ABSENT && ret->fault < 0)
            ret->fault = (long)i;
    }
}

static void judge_episode(struct process *process, const struct load *load, const struct episode *episode)
{
    const struct attempt *first = episode->attempts[0];
    const struct loader_call *call = call_for(process, episode);
    bool path = call ? strchr(call->file, '/') != NULL : episode->count == 1;
    struct fault fault = {
        .kind = FAULT_NOT_FOUND, .subject = load->objects[0], .name = path ? first->path : episode->name};
    struct suspect *suspect;

    places_of(episode, &fault.search);
    suspect = suspect_fault(process, AT_DLOPEN, load, &fault, first->n, first->t_ns);
    if (suspect) {
        suspect->last_n = episode->last_n;
        strings_add(&suspect->needles, xstrdup(episode->name));
        /* it asks whether the directory is there at all (open_path()), and that may be the next event */
        suspect_dlopen(suspect, process, first->path, call ? call->n : episode->last_n + 2);
    }
    search_deinit(&fault.search);
}

void judge_static(struct process *process, const struct load *load)
{
    struct episode *episode, *next;

    if (!process_gave_up(process))
        return;
    HASH_ITER(hh, process->episodes, episode, next)
    if (is_load(process, episode))
        judge_episode(process, load, episode);
}
