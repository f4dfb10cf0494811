/* What helps against files that cannot be used: scripts, modes, mounts, links. */
#include "remedy.h"

#include <string.h>

#include <probes/accounts.h>
#include <probes/alloc.h>
#include <probes/mount.h>

/* ---- scripts ---- */

static bool carriage_return(const char *name)
{
    size_t n = strlen(name);

    return n && name[n - 1] == '\r';
}

static bool can_be_run(const struct finding *finding, const char *path)
{
    const struct cred *cred = process_cred(finding->process);
    struct path_walk walk;
    bool good;

    path_walk(finding_root(finding), "/", path, cred, &walk);
    good = walk.reason == PATH_OK && S_ISREG(walk.st.st_mode) && (walk.st.st_mode & 0111) &&
           (!cred || path_permits(&walk.st, cred, X_OK));
    path_walk_deinit(&walk);
    return good;
}

/* NAME in a directory of PATH or where systems have their programs; malloced, or NULL. */
static char *find_program(const struct finding *finding, const char *name)
{
    const char *path = process_env(finding->process, "PATH");
    CLEANUP_FREE char *list = xasprintf("%s:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", path ? path : "");

    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ":");
        CLEANUP_FREE char *directory = xstrndup(p, n);
        CLEANUP_FREE char *file = path_join(directory, name);

        if (directory[0] == '/' && can_be_run(finding, file))
            return steal_pointer(&file);
        p += n + (p[n] == ':');
    }
    return NULL;
}

/* TEXT with what sed(1) takes for more than a letter escaped, where | ends the expression. */
static char *sed_literal(const char *text)
{
    char *out = xmalloc(2 * strlen(text) + 1), *to = out;

    for (; *text; text++) {
        if (strchr("\\.*[]^$|&", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    *to = '\0';
    return out;
}

void remedy_script(const struct finding *finding, struct cause *cause)
{
    const char *wanted = finding->interpreter, *script = finding->subject;
    CLEANUP_FREE char *file = remedy_word(script), *found = NULL, *edit = NULL, *from = NULL, *to = NULL;
    struct remedy *remedy;

    if (carriage_return(wanted)) {
        remedy_add(cause, PROOF_KNOWN, TRIAL_CLEAN, xasprintf("sed -i 's/\\r$//' %s", file),
                   "take the carriage returns out of %s (dos2unix does the same)", path_base(script));
        return;
    }
    if (strchr(wanted, '\n') || wanted[0] != '/' || !*path_base(wanted))
        return;
    found = find_program(finding, path_base(wanted));
    if (!found || strcmp(found, wanted) == 0 || strchr(found, '\n'))
        return;
    from = sed_literal(wanted);
    to = sed_literal(found);
    edit = xasprintf("1s|%s|%s|", from, to);
    {
        CLEANUP_FREE char *quoted = remedy_word(edit);

        remedy = remedy_add(cause, PROOF_KNOWN, TRIAL_SHEBANG, xasprintf("sed -i %s %s", quoted, file),
                            "name %s, which is there, in the first line of %s", found, path_base(script));
    }
    remedy->trial_text = xstrdup(found);
}

/* ---- commands ---- */

/* Where systems, languages and users have programs that PATH often does not name. */
static char *find_off_path(const struct finding *finding, const char *name)
{
    static const char *const places[] = {"/usr/local/sbin", "/usr/sbin", "/sbin",      "/usr/local/bin",
                                         "/usr/bin",        "/bin",      "/usr/games", "/usr/local/go/bin",
                                         "/usr/lib/go/bin", "/snap/bin", "/opt/bin"};
    static const char *const own[] = {".local/bin", "bin", "go/bin", ".cargo/bin"};
    const char *home = process_env(finding->process, "HOME");

    for (size_t i = 0; home && home[0] == '/' && i < sizeof own / sizeof *own; i++) {
        CLEANUP_FREE char *file = xasprintf("%s/%s/%s", home, own[i], name);

        if (can_be_run(finding, file))
            return steal_pointer(&file);
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        CLEANUP_FREE char *file = xasprintf("%s/%s", places[i], name);

        if (can_be_run(finding, file))
            return steal_pointer(&file);
    }
    return NULL;
}

static bool was_searched(const struct finding *finding, const char *file)
{
    for (size_t i = 0; finding->episode && i < finding->episode->count; i++)
        if (strcmp(finding->episode->attempts[i]->path, file) == 0)
            return true;
    return false;
}

void remedy_command(const struct finding *finding, struct cause *cause)
{
    const char *name = finding->missing, *path = process_env(finding->process, "PATH");
    CLEANUP_FREE char *found = strchr(name, '/') || !*name ? NULL : find_off_path(finding, name);
    CLEANUP_FREE char *directory = found ? path_dir(found) : NULL;
    CLEANUP_FREE char *list = directory && path && *path ? xasprintf("%s:%s", path, directory) : NULL;

    if (!found || was_searched(finding, found))
        return;
    cause_fact(cause, "it is at", "%s   (no directory of PATH)", found);
    remedy_add(cause, PROOF_KNOWN, TRIAL_PATH, remedy_run(finding, "PATH", list ? list : directory),
               "put %s, where it is, on PATH", directory)
        ->risk = xstrdup("every program that it starts inherits the variable");
}

/* ---- modes ---- */

static const char *letters(int mode)
{
    static const char *const words[] = {"", "x", "w", "wx", "r", "rx", "rw", "rwx"};

    return words[mode & 7];
}

/* A path below $HOME, and $HOME is somebody else's: what has to change is the variable, not the file. */
static bool foreign_home(const struct finding *finding, struct cause *cause, const char *at, const struct cred *cred)
{
    const char *root = finding_root(finding), *home = process_env(finding->process, "HOME");
    size_t n = home ? strlen(home) : 0;
    CLEANUP_FREE char *own = NULL;
    struct stat st;

    if (n < 2 || home[0] != '/' || strncmp(at, home, n) != 0 || (at[n] != '/' && at[n] != '\0') ||
        path_stat(root, home, &st) < 0 || st.st_uid == cred->uid)
        return false;
    own = accounts_home(root, cred->uid);
    if (own && (own[0] != '/' || strcmp(own, home) == 0 || path_stat(root, own, &st) < 0))
        free(steal_pointer(&own));
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, own ? remedy_run(finding, "HOME", own) : NULL,
               "let HOME name this user's own directory: %s belongs to another", home);
    return true;
}

static bool is_member(const struct cred *cred, gid_t gid)
{
    for (size_t i = 0; i < cred->group_count; i++)
        if (cred->groups[i] == gid)
            return true;
    return cred->gid == gid;
}

/* The class of bits that binds this user (path_permits()) and has to be wider. */
static void widen(struct cause *cause, const char *at, int mode, bool directory, char class)
{
    CLEANUP_FREE char *word = remedy_word(at);
    const char *how = letters(mode);

    remedy_add(cause, PROOF_KNOWN, TRIAL_PERMIT, xasprintf("chmod %c+%s %s", class, how, word), "let %s %s %s",
               class == 'a'   ? "everybody"
               : class == 'g' ? "its group"
                              : "its owner",
               mode != X_OK ? "use"
               : directory  ? "enter"
                            : "execute",
               at);
}

/* Others may use it by a group, or not at all: not everybody is let in for one user's sake. */
static void let_in(const struct finding *finding, struct cause *cause, const char *at, int mode, const struct stat *st,
                   const struct cred *cred)
{
    const char *root = finding_root(finding);
    CLEANUP_FREE char *user = accounts_user(root, cred->uid), *group = accounts_group(root, st->st_gid);
    CLEANUP_FREE char *word = remedy_word(at);
    CLEANUP_FREE char *who = user ? remedy_word(user) : xasprintf("%u", (unsigned)cred->uid);

    if (st->st_gid != 0 && group && user && ((st->st_mode >> 3) & (mode_t)mode) == (mode_t)mode) {
        CLEANUP_FREE char *quoted = remedy_word(group);

        remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("usermod -aG %s %s", quoted, who),
                   "make %s a member of the group %s, which may use %s", user, group, at)
            ->risk = xstrdup("the group may be let in elsewhere too; needs root, and a new login");
        return;
    }
    remedy_add(cause, PROOF_KNOWN, TRIAL_NONE,
               xasprintf("setfacl -m u:%s:%s %s", who, letters(S_ISDIR(st->st_mode) ? X_OK : mode), word),
               "let its owner admit this one user to %s", at)
        ->risk = xstrdup("it may have been kept from this user on purpose");
}

void remedy_permission(const struct finding *finding, struct cause *cause, const char *at, int mode)
{
    const struct cred *cred = process_cred(finding->process);
    struct stat st;

    if (path_stat(finding_root(finding), at, &st) < 0)
        st = (struct stat){0};
    if (mode == X_OK && S_ISREG(st.st_mode) && !(st.st_mode & 0111)) { /* nobody may */
        widen(cause, at, mode, false, cred && st.st_uid == cred->uid ? 'u' : 'a');
        return;
    }
    if (!cred || !st.st_mode) {
        cause_remedy(cause, PROOF_KNOWN, "give this user access to %s", at);
        return;
    }
    if (S_ISDIR(st.st_mode) && finding->walk && finding->walk->reason == PATH_DENIED)
        mode = X_OK;
    else if (mode == R_OK && path_permits(&st, cred, R_OK))
        mode = W_OK; /* reading is allowed: writing was what it wanted */
    if (path_permits(&st, cred, mode)) {
        cause_remedy(cause, PROOF_KNOWN,
                     "look for what refuses %s beside its mode, which allows it: an access control list (getfacl), "
                     "attributes (lsattr) or a security module (AppArmor, SELinux)",
                     at);
        return;
    }
    if (foreign_home(finding, cause, at, cred))
        return;
    if (st.st_uid == cred->uid)
        widen(cause, at, mode, S_ISDIR(st.st_mode), 'u');
    else if (is_member(cred, st.st_gid))
        widen(cause, at, mode, S_ISDIR(st.st_mode), 'g');
    else
        let_in(finding, cause, at, mode, &st, cred);
}

/* ---- mounts ---- */

static bool may_execute_in(const struct finding *finding, const char *directory)
{
    CLEANUP_CLOSE int fd = path_open(finding_root(finding), directory);

    return fd >= 0 && !mount_forbids_execution(fd);
}

void remedy_noexec(const struct finding *finding, struct cause *cause)
{
    static const char *const places[] = {"/var/tmp", "/usr/local", "/opt"};
    const char *file = finding->fault ? finding->provider : finding->subject;
    const char *scratch = process_env(finding->process, "TMPDIR");
    CLEANUP_FREE char *mount = remedy_word(finding->missing);
    const char *instead = NULL;

    for (size_t i = 0; i < sizeof places / sizeof *places && !instead; i++)
        if (may_execute_in(finding, places[i]) && strncmp(finding->missing, places[i], strlen(places[i])) != 0)
            instead = places[i];
    /* What a program unpacks and then loads goes where TMPDIR says. */
    if (!finding->process->secure && instead && strcmp(instead, "/var/tmp") == 0 && finding->fault && file &&
        strncmp(file, scratch ? scratch : "/tmp/", scratch ? strlen(scratch) : 5) == 0)
        remedy_add(cause, PROOF_KNOWN, TRIAL_NONE, remedy_run(finding, "TMPDIR", instead),
                   "if the program unpacked it itself: let it do so in %s", instead);
    remedy_add(cause, PROOF_KNOWN, TRIAL_OFF_MOUNT, NULL, "use it from a file system that is not mounted noexec%s%s",
               instead ? ", such as that of " : "", instead ? instead : "");
    remedy_add(cause, PROOF_KNOWN, TRIAL_REMOUNT, xasprintf("mount -o remount,exec %s", mount), "or allow it there")
        ->risk = xstrdup("needs root; whatever is there can be executed then, which somebody did not want");
}

/* ---- links that are no library's ---- */

void remedy_link(const struct finding *finding, struct cause *cause, const char *at)
{
    bool loop = finding->kind == CAUSE_SYMLINK_LOOP;
    size_t count = 0;
    char **names;

    if (!loop) {
        remedy_add(cause, PROOF_KNOWN, TRIAL_PUT, NULL, "put %s back", finding->missing);
        names = path_nearby(finding_root(finding), finding->missing, 1, &count);
        if (count && strcmp(names[0], at) != 0) {
            CLEANUP_FREE char *to = remedy_word(names[0]), *link = remedy_word(at);

            remedy_add(cause, PROOF_KNOWN, TRIAL_RELINK, xasprintf("ln -sfn %s %s", to, link),
                       "or, if %s is what is meant, make %s point at it", names[0], at);
        }
        for (size_t i = 0; i < count; i++)
            free(names[i]);
        free(names);
        return;
    }
    remedy_add(cause, PROOF_KNOWN, TRIAL_RELINK, NULL, "make %s point at the file that is meant", at);
}
