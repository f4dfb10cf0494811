#include "limits.h"

#include "alloc.h"
#include "proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL_FILE = 64 * 1024, ENTRIES_MOST = 1000000, LEVELS_MOST = 64 };

static uint64_t number_or_none(const char *text, char **end)
{
    text += strspn(text, " ");
    if (strncmp(text, "unlimited", 9) == 0) {
        *end = (char *)text + 9;
        return LIMITS_INFINITE;
    }
    return strtoull(text, end, 10);
}

/* Without CAP_SYS_RESOURCE prlimit(2) tells only of processes of this user; the file tells everybody (proc(5)). */
static bool read_limits(pid_t pid, int resource, uint64_t *soft, uint64_t *hard)
{
    static const char *const names[RLIM_NLIMITS] = {
        [RLIMIT_CPU] = "\nMax cpu time ",          [RLIMIT_FSIZE] = "\nMax file size ",
        [RLIMIT_DATA] = "\nMax data size ",        [RLIMIT_STACK] = "\nMax stack size ",
        [RLIMIT_NPROC] = "\nMax processes ",       [RLIMIT_NOFILE] = "\nMax open files ",
        [RLIMIT_MEMLOCK] = "\nMax locked memory ", [RLIMIT_AS] = "\nMax address space "};
    CLEANUP_FREE char *path = xasprintf("/proc/%d/limits", (int)pid);
    CLEANUP_FREE char *text = proc_read(path, SMALL_FILE, NULL);
    const char *line = text && names[resource] ? strstr(text, names[resource]) : NULL;
    char *end;

    if (!line)
        return false;
    *soft = number_or_none(line + strlen(names[resource]), &end);
    *hard = number_or_none(end, &end);
    return true;
}

bool limits_get(pid_t pid, int resource, uint64_t *soft, uint64_t *hard)
{
    struct rlimit limit;

    if (prlimit(pid, (enum __rlimit_resource)resource, NULL, &limit) < 0)
        return read_limits(pid, resource, soft, hard);
    *soft = limit.rlim_cur == RLIM_INFINITY ? LIMITS_INFINITE : limit.rlim_cur;
    *hard = limit.rlim_max == RLIM_INFINITY ? LIMITS_INFINITE : limit.rlim_max;
    return true;
}

/* PF_EXITING of include/linux/sched.h, in the ninth field of proc(5)'s stat: set before whoever joins the thread is
 * told that it has ended. */
static bool is_ending(const char *tasks, const char *tid)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s/stat", tasks, tid);
    CLEANUP_FREE char *stat = proc_read(path, 4096, NULL);
    const char *rest = stat ? strrchr(stat, ')') : NULL;
    unsigned flags;

    return !rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & 4;
}

/* STAYING: of the threads in it only those that are not about to end. */
static uint64_t count_entries(const char *path, bool staying)
{
    DIR *dir = opendir(path);
    uint64_t count = 0;

    if (!dir)
        return 0;
    for (const struct dirent *entry; count < ENTRIES_MOST && (entry = readdir(dir));)
        count += entry->d_name[0] != '.' && !(staying && is_ending(path, entry->d_name));
    closedir(dir);
    return count;
}

uint64_t limits_descriptors(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/fd", (int)pid);

    return count_entries(path, false);
}

void limits_tasks(uid_t uid, bool staying, uint64_t *of_user, uint64_t *all)
{
    DIR *dir = opendir("/proc");

    *of_user = *all = 0;
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        CLEANUP_FREE char *path = xasprintf("/proc/%s/task", entry->d_name);
        struct proc_status status;
        uint64_t count;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        count = count_entries(path, false);
        *all += count;
        if (proc_status_read((pid_t)atoi(entry->d_name), &status) == 0 && status.user == uid)
            *of_user += staying ? count_entries(path, true) : count;
        proc_status_deinit(&status);
    }
    closedir(dir);
}

uint64_t limits_mappings(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    uint64_t count = 0;

    if (!file)
        return 0;
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

static uint64_t kilobytes(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

bool limits_memory_read(pid_t pid, struct limits_memory *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/status", (int)pid);
    CLEANUP_FREE char *text = proc_read(path, SMALL_FILE, NULL);

    *ret = (struct limits_memory){0};
    if (!text || !strstr(text, "\nVmSize:"))
        return false;
    ret->size = kilobytes(text, "\nVmSize:");
    ret->data = kilobytes(text, "\nVmData:");
    ret->locked = kilobytes(text, "\nVmLck:");
    ret->stack = kilobytes(text, "\nVmStk:");
    ret->peak = kilobytes(text, "\nVmPeak:");
    return true;
}

/* ---- sysctls ---- */

static bool read_number(const char *path, uint64_t *ret)
{
    CLEANUP_FREE char *text = proc_read(path, SMALL_FILE, NULL);

    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

bool limits_other_user_namespace(pid_t pid)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/ns/user", (int)pid);
    struct stat theirs, ours;

    return stat(path, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino != ours.st_ino;
}

/* /proc/sys/user belongs to the user namespace of the process that opens it (user_namespaces(7)): one is sent there. */
static bool read_inside(pid_t pid, const char *path, uint64_t *ret)
{
    CLEANUP_FREE char *link = xasprintf("/proc/%d/ns/user", (int)pid);
    CLEANUP_CLOSE int space = open(link, O_RDONLY | O_CLOEXEC);
    int ends[2];
    bool good = false;
    pid_t child;

    if (space < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return false;
    child = fork();
    if (child == 0) {
        char text[32];
        int file = setns(space, CLONE_NEWUSER) == 0 ? open(path, O_RDONLY) : -1;
        ssize_t n = file >= 0 ? read(file, text, sizeof text) : -1;

        _exit(n > 0 && write(ends[1], text, (size_t)n) == n ? 0 : 1);
    }
    close(ends[1]);
    if (child > 0) {
        char text[33] = "";
        ssize_t n = read(ends[0], text, sizeof text - 1);

        good = n > 0 && text[0] >= '0' && text[0] <= '9';
        *ret = good ? strtoull(text, NULL, 10) : 0;
        waitpid(child, NULL, 0);
    }
    close(ends[0]);
    return good;
}

bool limits_sysctl(pid_t pid, const char *name, uint64_t *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/sys/%s", name);

    if (pid && limits_other_user_namespace(pid))
        return read_inside(pid, path, ret);
    return read_number(path, ret);
}

/* ---- control groups ---- */

/* Calls LOOK with each directory of PID's control groups that may have files of CONTROLLER, the lowest first, until it
 * says true: then the directory, malloced. */
static char *each_cgroup(pid_t pid, const char *controller, bool (*look)(const char *directory, void *ctx), void *ctx)
{
    static const char *const unified[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    CLEANUP_FREE char *path = xasprintf("/proc/%d/cgroup", (int)pid);
    CLEANUP_FREE char *text = proc_read(path, SMALL_FILE, NULL);
    char *rest = NULL;

    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        for (size_t i = 0; i < 2; i++) {
            char *directory = *controllers ? xasprintf("/sys/fs/cgroup/%s%s", controllers, group)
                                           : xasprintf("%s%s", unified[i], group);
            size_t top = strlen(directory) - strlen(group);

            for (int level = 0; level < LEVELS_MOST && strlen(directory) >= top; level++) {
                char *slash;

                if ((!*controllers || strstr(controllers, controller)) && look(directory, ctx))
                    return directory;
                slash = strrchr(directory, '/');
                if (!slash || slash <= directory)
                    break;
                *slash = '\0';
            }
            free(directory);
        }
    }
    return NULL;
}

static bool number_in(const char *directory, const char *name, uint64_t *ret)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", directory, name);

    return read_number(path, ret);
}

/* "oom_kill 3" among the lines of a file. */
static uint64_t kills_in(const char *directory, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("%s/%s", directory, name);
    CLEANUP_FREE char *text = proc_read(path, SMALL_FILE, NULL);
    const char *line = text ? strstr(text, "\noom_kill ") : NULL;

    return line ? strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
}

static bool add_kills(const char *directory, void *ctx)
{
    *(uint64_t *)ctx += kills_in(directory, "memory.events") + kills_in(directory, "memory.oom_control");
    return false;
}

uint64_t limits_memory_kills(pid_t pid)
{
    uint64_t kills = 0;

    free(each_cgroup(pid, "memory", add_kills, &kills));
    return kills;
}

static bool pids_are_used_up(const char *directory, void *ctx)
{
    uint64_t current, *max = ctx;

    return number_in(directory, "pids.max", max) && number_in(directory, "pids.current", &current) && current >= *max;
}

char *limits_cgroup_pids(pid_t pid, uint64_t *max)
{
    return each_cgroup(pid, "pids", pids_are_used_up, max);
}

struct memory_look {
    uint64_t max;
    const char *name;
};

static bool memory_was_used_up(const char *directory, void *ctx)
{
    struct memory_look *look = ctx;
    uint64_t peak = 0;

    look->name = "memory.max";
    if (number_in(directory, look->name, &look->max))
        return kills_in(directory, "memory.events") > 0;
    look->name = "memory.limit_in_bytes";
    return number_in(directory, look->name, &look->max) && number_in(directory, "memory.max_usage_in_bytes", &peak) &&
           peak >= look->max - look->max / 50 && kills_in(directory, "memory.oom_control") > 0;
}

char *limits_cgroup_memory(pid_t pid, uint64_t *max, const char **name)
{
    struct memory_look look = {0};
    char *directory = each_cgroup(pid, "memory", memory_was_used_up, &look);

    *max = look.max;
    *name = look.name;
    return directory;
}

/* ---- file systems ---- */

enum limits_room limits_room_at(const char *path, uint64_t *size)
{
    struct statvfs fs;

    *size = 0;
    if (statvfs(path, &fs) < 0)
        return ROOM_LEFT;
    *size = (uint64_t)fs.f_blocks * fs.f_frsize;
    if (fs.f_blocks && !fs.f_bavail)
        return ROOM_NO_BLOCKS;
    return fs.f_files && !fs.f_favail ? ROOM_NO_INODES : ROOM_LEFT;
}
