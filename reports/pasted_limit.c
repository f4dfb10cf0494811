/* Limits, in the words of the C library, of node's file watcher, of the kernel's log. */
#include "pasted.h"

#include <ctype.h>
#include <string.h>

#include <probes/alloc.h>

/* "watch", "watcher", "watches" as a word, which is no part of a name. */
static bool speaks_of_watching(const char *line)
{
    for (const char *at = line; (at = strcasestr(at, "watch")); at += 5) {
        size_t n = 5 + (strncasecmp(at + 5, "er", 2) == 0 ? 2 : strncasecmp(at + 5, "es", 2) == 0 ? 2 : 0);

        n += at[n] == 's';
        if ((at == line || strchr(" \t[('\"`", at[-1])) && strchr(" :,;.!)]'\"`", at[n]) &&
            (at[n] != '.' || !isalnum((unsigned char)at[n + 1])))
            return true;
    }
    return false;
}

static bool about_watches(const char *line)
{
    return speaks_of_watching(line) || strcasestr(line, "inotify") || strcasestr(line, "file watchers") ||
           strcasestr(line, "fsnotify") || strstr(line, ", watch '") || strstr(line, "syscall: 'watch'");
}

static void found(struct pasted *pasted, enum cause_kind kind, const char *name, double sure)
{
    pasted_found(pasted, kind, pasted_speaker(pasted, pasted->text), xstrdup(name), sure);
}

/* "Killed process 123 (prog) total-vm:…": malloced, or NULL. */
static char *killed(const char *line)
{
    const char *at = strstr(line, "Killed process "), *open = at ? strchr(at, '(') : NULL;

    return open ? pasted_word(open + 1, strcspn(open + 1, ")")) : NULL;
}

/* A path that the line is about: the one behind "open '", or before the error. */
static char *path_in(const char *line)
{
    for (const char *at = line; (at = strchr(at, '/')); at++)
        if (at == line || strchr(" '\"`", at[-1]))
            return pasted_word(at, strcspn(at, " '\"`:,"));
    return NULL;
}

/* The mount point of PATH by a line of df(1) that shows a full one; malloced, or NULL. */
static char *full_mount(const struct process *process, const char *path)
{
    for (size_t i = 0; i < process->line_count; i++) {
        const char *line = process->lines[i].text, *at = strstr(line, " 100% /");
        CLEANUP_FREE char *point = at ? pasted_word(at + 6, strcspn(at + 6, " ")) : NULL;

        if (point && (!path || strncmp(path, point, strlen(point)) == 0))
            return steal_pointer(&point);
    }
    return NULL;
}

static void no_room(struct pasted *pasted, const char *line)
{
    CLEANUP_FREE char *path = path_in(line);
    CLEANUP_FREE char *point = full_mount(pasted->process, path);
    CLEANUP_FREE char *directory = path ? path_dir(path) : NULL;

    pasted_found(pasted, CAUSE_RESOURCE_LIMIT, pasted_speaker(pasted, line),
                 point || directory ? xasprintf("ENOSPC:%s", point ? point : directory) : xstrdup("ENOSPC"),
                 point ? 0.85 : 0.6);
}

bool pasted_limit(struct pasted *pasted, const char *line)
{
    bool watches = about_watches(line);

    if (strstr(line, "static TLS block")) /* which object is not said */
        pasted_found(pasted, CAUSE_STATIC_TLS_EXHAUSTED, xstrdup(pasted->process->exe), xstrdup(pasted->process->exe),
                     0.7);
    else if (strcasestr(line, "too many open files") || strcasestr(line, "No file descriptors available") ||
             (watches && strstr(line, "EMFILE")) || strcasestr(line, "inotify instances"))
        found(pasted, watches ? CAUSE_WATCH_LIMIT : CAUSE_RESOURCE_LIMIT,
              watches ? "fs.inotify.max_user_instances" : "RLIMIT_NOFILE", watches ? 0.85 : 0.9);
    else if (strstr(line, "number of file watchers reached") || strstr(line, "inotify watches was reached") ||
             strstr(line, "upper limit on inotify watches") ||
             strstr(line, "unable to watch for file changes in this large") ||
             (watches && (strcasestr(line, "no space left on device") || strstr(line, "ENOSPC"))))
        found(pasted, CAUSE_WATCH_LIMIT, "fs.inotify.max_user_watches", 0.92);
    else if (strcasestr(line, "no space left on device") || strstr(line, "ENOSPC"))
        no_room(pasted, line);
    else if (strstr(line, "Memory cgroup out of memory: Killed process "))
        pasted_found(pasted, CAUSE_RESOURCE_LIMIT, killed(line), xstrdup("memory.max"), 0.9);
    else if (strstr(line, "Out of memory: Killed process "))
        pasted_found(pasted, CAUSE_RESOURCE_LIMIT, killed(line), xstrdup("ENOMEM"), 0.85);
    else if ((strstr(line, "fork: ") || strstr(line, "pthread_create")) &&
             strcasestr(line, "resource temporarily unavailable"))
        found(pasted, CAUSE_RESOURCE_LIMIT, "RLIMIT_NPROC", 0.6);
    else if (strstr(line, "annot allocate memory") || strstr(line, ": Out of memory") ||
             strstr(line, "insufficient memory for the Java Runtime") || strstr(line, "std::bad_alloc") ||
             strncmp(line, "MemoryError", 11) == 0)
        found(pasted, CAUSE_RESOURCE_LIMIT, "ENOMEM", 0.6); /* or a limit of its own */
    else
        return false;
    return true;
}
