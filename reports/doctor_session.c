/* The environment that a desktop session and the systemd user manager give to what they start, against that of a login
 * shell and of this one: an editor started from a menu has the first. And what the menu would start. */
#include "doctor_parts.h"

#include "doctor_session.h"
#include "remedy.h"
#include "text.h"

#include <probes/alloc.h>
#include <probes/login.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENVIRONMENT_MOST = 1 << 20, PROCESSES_MOST = 100000 };

/* A process whose environment others inherit. */
struct session {
    pid_t pid;
    char name[64];
    char *environment; /* NUL after each entry, and one more */
    size_t size;
};

static const char *value_in(const struct session *session, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = session->environment; at && at < session->environment + session->size; at += strlen(at) + 1)
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return at + n + 1;
    return NULL;
}

static bool read_session(pid_t pid, const char *name, struct session *ret)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/environ", (int)pid);

    *ret = (struct session){.pid = pid};
    snprintf(ret->name, sizeof ret->name, "%s", name);
    ret->environment = proc_read(path, ENVIRONMENT_MOST, &ret->size);
    return ret->environment != NULL;
}

static void session_deinit(struct session *session)
{
    free(session->environment);
    *session = (struct session){0};
}

/* On a display of this machine: that of ssh's X forwarding is "localhost:10.0". */
static bool is_graphical(const struct session *session)
{
    const char *display = value_in(session, "DISPLAY"), *wayland = value_in(session, "WAYLAND_DISPLAY");

    return (wayland && *wayland) || (display && *display == ':');
}

static bool is_user_manager(pid_t pid, const char *name)
{
    CLEANUP_FREE char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    CLEANUP_FREE char *words = NULL;
    size_t size = 0;

    if (strcmp(name, "systemd") != 0)
        return false;
    words = proc_read(path, 4096, &size);
    for (const char *at = words; at && at < words + size; at += strlen(at) + 1)
        if (strcmp(at, "--user") == 0)
            return true;
    return false;
}

/* The user manager, and the oldest process of this user that has a display: the session itself, or what it started
 * first. Processes get their numbers in the order in which they are made, as long as those do not begin anew. */
static void find_sessions(struct session *manager, struct session *desktop)
{
    DIR *dir = opendir("/proc");
    int seen = 0;

    *manager = *desktop = (struct session){0};
    for (const struct dirent *entry; dir && seen++ < PROCESSES_MOST && (entry = readdir(dir));) {
        struct session one = {.pid = (pid_t)atoi(entry->d_name)};
        struct proc_status status;
        struct stat st;

        if (one.pid <= 0 || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || st.st_uid != geteuid() ||
            proc_status_read(one.pid, &status) < 0)
            continue;
        if (!status.kernel_thread && read_session(one.pid, status.name, &one)) {
            struct session *place = is_user_manager(one.pid, status.name) ? manager
                                    : is_graphical(&one)                  ? desktop
                                                                          : NULL;

            if (place && (!place->pid || one.pid < place->pid)) {
                session_deinit(place);
                *place = one;
            } else {
                session_deinit(&one);
            }
        }
        proc_status_deinit(&status);
    }
    if (dir)
        closedir(dir);
}

static bool is_listed(const char *list, const char *directory)
{
    size_t n = strlen(directory);

    for (const char *at = list; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t size = strcspn(at, ":");

        while (size > 1 && at[size - 1] == '/')
            size--;
        if (size == n && strncmp(at, directory, n) == 0)
            return true;
    }
    return false;
}

/* One of the programs concerned stands there, and in no directory of LIST. */
static const char *lost_program(const char *list, const char *directory)
{
    static const char *const names[] = {"go", "gopls", "dlv", "node", "code", "codium"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CLEANUP_FREE char *path = path_join(directory, names[i]);
        CLEANUP_FREE char *copy = xstrdup(list);
        char *rest = NULL;
        bool elsewhere = false;

        for (char *one = strtok_r(copy, ":", &rest); one && !elsewhere; one = strtok_r(NULL, ":", &rest)) {
            CLEANUP_FREE char *other = path_join(one, names[i]);

            elsewhere = *one == '/' && access(other, X_OK) == 0;
        }
        if (!elsewhere && access(path, X_OK) == 0)
            return names[i];
    }
    return NULL;
}

/* What a login shell has and LIST, the PATH of WHO, has not: only what holds one of the programs is missed.
 * MANAGER: LIST is what the user manager was started with; its own files count as well. */
static void compare(struct doctor *doctor, const char *what, const char *who, const char *list, bool manager)
{
    struct text lacks = {0}, lost = {0}, added = {0};
    struct login_path login;

    login_path_read("", doctor->home, &login);
    for (size_t i = 0; i < login.count; i++) {
        const char *directory = login.directories[i].path;
        const char *program = is_listed(list, directory) ? NULL : lost_program(list, directory);

        if (!program || (manager && login.directories[i].managed))
            continue;
        text_addf(&lacks, "%s%s (%s)", lacks.n ? ", " : "", directory, login.directories[i].file);
        text_addf(&lost, "%s%s", lost.n ? ", " : "", program);
        text_addf(&added, ":%s", directory);
    }
    login_path_deinit(&login);
    if (!lost.n) {
        doctor_line(
            doctor, TABLE_GOOD, what,
            (struct doctor_line){xasprintf("%s finds what a login shell finds of the programs", who), NULL, NULL});
    } else {
        CLEANUP_FREE char *setting = xasprintf("PATH=$PATH%s", added.v), *word = remedy_word(setting);

        doctor_line(
            doctor, TABLE_WARNING, what,
            (struct doctor_line){
                xasprintf("%s lacks of a login shell's PATH %s: what it starts does not find %s, unless it asks a "
                          "login shell as VS Code does",
                          who, lacks.v, lost.v),
                xstrdup("let all sessions have them, then log out and in again (environment.d(5))"),
                xasprintf("mkdir -p ~/.config/environment.d && echo %s > ~/.config/environment.d/60-path.conf", word)});
    }
    text_deinit(&lacks);
    text_deinit(&lost);
    text_deinit(&added);
}

/* MANAGER as above. */
static void tell_session(struct doctor *doctor, const struct session *session, const char *what, bool manager)
{
    CLEANUP_FREE char *who = xasprintf("%s (process %d)", session->name, (int)session->pid);
    const char *list = value_in(session, "PATH");

    if (list)
        compare(doctor, what, who, list, manager);
    else
        doctor_line(doctor, TABLE_GOOD, what,
                    (struct doctor_line){xasprintf("%s has no PATH of its own", who), NULL, NULL});
}

/* What the manager gives to its services is more than it was started with (environment.d(5), systemctl(1)'s
 * import-environment): the youngest of them has it. */
static void tell_manager(struct doctor *doctor, const struct session *manager)
{
    struct session youngest = {0}, one;
    DIR *dir = opendir("/proc");
    int seen = 0;

    for (const struct dirent *entry; dir && seen++ < PROCESSES_MOST && (entry = readdir(dir));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        struct proc_status status;

        if (pid <= youngest.pid || proc_status_read(pid, &status) < 0)
            continue;
        if (status.parent == manager->pid && read_session(pid, status.name, &one)) {
            if (value_in(&one, "PATH")) {
                session_deinit(&youngest);
                youngest = one;
            } else {
                session_deinit(&one);
            }
        }
        proc_status_deinit(&status);
    }
    if (dir)
        closedir(dir);
    if (youngest.pid)
        tell_session(doctor, &youngest, "user manager", false);
    else
        tell_session(doctor, manager, "user manager", true);
    session_deinit(&youngest);
}

static void tell_sessions(struct doctor *doctor)
{
    const char *own = doctor_variable(doctor, "PATH");
    struct session manager, desktop;

    find_sessions(&manager, &desktop);
    if (manager.pid)
        tell_manager(doctor, &manager);
    if (desktop.pid)
        tell_session(doctor, &desktop, "desktop session", false);
    if (!manager.pid && !desktop.pid)
        doctor_line(doctor, TABLE_PLAIN, "desktop session",
                    (struct doctor_line){doctor_has_proc()
                                             ? xstrdup("none of this user's is seen, nor a systemd user manager")
                                             : xstrdup("not known without /proc"),
                                         NULL, NULL});
    if (own)
        compare(doctor, "this shell", "the environment here", own, NULL);
    else
        doctor_line(doctor, TABLE_WARNING, "this shell",
                    (struct doctor_line){xstrdup("PATH is not set: programs are looked for in /bin and /usr/bin alone"),
                                         xstrdup("set it"),
                                         xstrdup("export PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:"
                                                 "/sbin")});
    session_deinit(&manager);
    session_deinit(&desktop);
}

/* --- variables that lead the programs astray --- */

static void wrong_variable(struct doctor *doctor, enum table_mark mark, const char *name, const char *why,
                           const char *advice)
{
    const char *value = doctor_variable(doctor, name);

    doctor_line(doctor, mark, name,
                (struct doctor_line){xasprintf("%s: %s", value ? value : "(not set)", why), xstrdup(advice),
                                     xasprintf("unset %s", name)});
}

static void tell_preload(struct doctor *doctor)
{
    CLEANUP_FREE char *copy =
        xstrdup(doctor_variable(doctor, "LD_PRELOAD") ? doctor_variable(doctor, "LD_PRELOAD") : "");
    char *rest = NULL;

    for (char *one = strtok_r(copy, ": ", &rest); one; one = strtok_r(NULL, ": ", &rest))
        if (*one == '/' && !strchr(one, '$') && access(one, F_OK) < 0) {
            wrong_variable(doctor, TABLE_WARNING, "LD_PRELOAD",
                           "it names a file that is not there; every program says so",
                           "take it out of the file that sets it");
            return;
        }
}

/* A directory that has a C library in it, or one that is empty: the working directory. */
static void tell_library_path(struct doctor *doctor)
{
    const char *value = doctor_variable(doctor, "LD_LIBRARY_PATH");
    CLEANUP_FREE char *copy = xstrdup(value ? value : "");
    char *rest = copy, *one;

    while (value && (one = strsep(&rest, ":;"))) {
        CLEANUP_FREE char *libc = path_join(one, "libc.so.6");

        if (!*one || *one != '/') {
            wrong_variable(
                doctor, TABLE_WARNING, "LD_LIBRARY_PATH",
                "an entry of it is the working directory, or relative to it: libraries that lie there are loaded",
                "take the empty or relative entry out");
            return;
        }
        if (access(libc, F_OK) == 0 &&
            !path_same_file("", libc, doctor->report->libc.path ? doctor->report->libc.path : "/")) {
            wrong_variable(
                doctor, TABLE_WARNING, "LD_LIBRARY_PATH",
                "a directory of it holds another C library, which every program then gets with this system's "
                "loader",
                "set it for the one program alone that needs it");
            return;
        }
    }
}

static void tell_goroot(struct doctor *doctor)
{
    const char *value = doctor_variable(doctor, "GOROOT");
    CLEANUP_FREE char *tool = value ? path_join(value, "src/runtime") : NULL;

    if (value && access(tool, F_OK) < 0)
        wrong_variable(doctor, TABLE_BAD, "GOROOT", "it is not the tree of a Go (it has no src/runtime): go fails",
                       "take it out of the file that sets it; go finds its own tree");
}

/* os.UserCacheDir and cmd/go/internal/cache, $GOROOT/src: go has no other way to its caches than the variables. */
static void tell_home(struct doctor *doctor)
{
    const char *value = doctor_variable(doctor, "HOME");
    bool cache = doctor_variable(doctor, "GOCACHE") || doctor_variable(doctor, "XDG_CACHE_HOME");
    bool fails = doctor_program(doctor, PROGRAM_GO) && !cache;

    if (value && *value == '/')
        return;
    doctor_line(doctor, fails ? TABLE_BAD : TABLE_WARNING, "HOME",
                (struct doctor_line){
                    xasprintf("%s%s%s", value ? value : "it is not set", value ? ": it is no absolute path" : "",
                              fails ? ": go, and gopls with it, has no cache and fails" : ""),
                    xstrdup("set it, also for services (systemd's own have it only with User=)"),
                    xstrdup("export HOME=\"$(getent passwd \"$(id -u)\" | cut -d: -f6)\""),
                });
}

static void tell_runtime_directory(struct doctor *doctor)
{
    const char *value = doctor_variable(doctor, "XDG_RUNTIME_DIR");
    struct stat st;

    if (value && (stat(value, &st) < 0 || st.st_uid != geteuid()))
        wrong_variable(
            doctor, TABLE_WARNING, "XDG_RUNTIME_DIR",
            "it is not there, or another user's: the sockets of VS Code and of the session's bus are made there",
            "log in anew instead of su or sudo; or drop it");
}

static void tell_variables(struct doctor *doctor)
{
    tell_preload(doctor);
    tell_library_path(doctor);
    tell_goroot(doctor);
    tell_home(doctor);
    tell_runtime_directory(doctor);
    if (doctor_variable(doctor, "ELECTRON_RUN_AS_NODE"))
        wrong_variable(doctor, TABLE_WARNING, "ELECTRON_RUN_AS_NODE",
                       "VS Code's program is then a node, and opens no window", "drop it");
}

void doctor_session(struct doctor *doctor)
{
    doctor_section(doctor, "session", "Environment and session");
    tell_sessions(doctor);
    tell_variables(doctor);
    doctor_launchers(doctor);
}
