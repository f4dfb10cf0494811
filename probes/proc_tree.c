#include "proc_tree.h"

#include "alloc.h"
#include "proc.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>

struct one {
    pid_t pid, parent;
    bool taken;
};

static int by_number(const void *a, const void *b)
{
    const struct one *one = a, *other = b;

    return (one->pid > other->pid) - (one->pid < other->pid);
}

static struct one *all(size_t *count)
{
    DIR *dir = opendir("/proc");
    struct one *list = NULL;
    size_t cap = 0;

    *count = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        struct proc_status status;

        if (pid <= 0 || proc_status_read(pid, &status) < 0)
            continue;
        proc_status_deinit(&status);
        *(struct one *)array_add(&list, count, &cap, sizeof *list) = (struct one){pid, status.parent, false};
    }
    if (dir)
        closedir(dir);
    if (list)
        qsort(list, *count, sizeof *list, by_number);
    return list;
}

/* A parent may have the higher number: what is taken is gone through as a queue. */
pid_t *proc_tree(pid_t pid, size_t *count)
{
    size_t there, cap = 0;
    CLEANUP_FREE struct one *list = all(&there);
    pid_t *taken = NULL;

    *count = 0;
    for (size_t i = 0; i < there; i++)
        if (!pid || list[i].pid == pid) {
            list[i].taken = true;
            *(pid_t *)array_add(&taken, count, &cap, sizeof *taken) = list[i].pid;
        }
    for (size_t at = 0; at < *count; at++)
        for (size_t i = 0; i < there; i++)
            if (!list[i].taken && list[i].parent == taken[at]) {
                list[i].taken = true;
                *(pid_t *)array_add(&taken, count, &cap, sizeof *taken) = list[i].pid;
            }
    return taken;
}
