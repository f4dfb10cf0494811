/* What helps where a package is missing or damaged: its name is told only where the system's own database says it. */
#include "remedy.h"

#include <string.h>

#include <probes/alloc.h>
#include <probes/packages.h>

static bool has_program(const char *root, const char *path)
{
    struct stat st;

    return path_stat(root, path, &st) == 0;
}

/* The words before a package's name, or NULL where the program for it is not there. */
static const char *install_words(const char *root, bool again)
{
    switch (packages_system(root)) {
    case PACKAGES_DPKG:
        if (!has_program(root, "/usr/bin/apt-get"))
            return NULL;
        return again ? "apt-get install --reinstall" : "apt-get install";
    case PACKAGES_RPM:
        if (has_program(root, "/usr/bin/dnf"))
            return again ? "dnf reinstall" : "dnf install";
        if (has_program(root, "/usr/bin/zypper"))
            return again ? "zypper install --force" : "zypper install";
        return has_program(root, "/usr/bin/yum") ? again ? "yum reinstall" : "yum install" : NULL;
    case PACKAGES_APK:
        return again ? "apk fix --reinstall" : "apk add";
    case PACKAGES_PACMAN:
        return "pacman -S";
    case PACKAGES_NONE:
        break;
    }
    return NULL;
}

static char *command_for(const char *root, bool again, const char *what)
{
    const char *words = install_words(root, again);
    CLEANUP_FREE char *word = remedy_word(what);

    return words ? xasprintf("%s %s", words, word) : NULL;
}

struct asking {
    const char *root;
    struct cause *cause;
    bool told; /* a package was */
};

/* Said where it is not the system that the reader is in. */
static const char *where(const struct asking *asking)
{
    return *asking->root ? " (in that process's root)" : "";
}

static void tell_package(struct asking *asking, const struct package *package, bool again, const char *what)
{
    CLEANUP_FREE char *version = package->version ? xasprintf(" %s", package->version) : xstrdup("");

    asking->told = true;
    if (package->by_name) {
        remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command_for(asking->root, again, package->name),
                   "install the package %s%s, by its name that of %s (%s have it)%s", package->name, version, what,
                   package->says, where(asking));
        return;
    }
    remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command_for(asking->root, again, package->name),
               "install the package %s%s%s, %s %s%s, says %s%s", package->name, version, again ? " again" : "",
               again ? "to which" : "which has", what, again ? " belongs" : "", package->says, where(asking));
}

/* FOUND: an answer in PACKAGE, which is freed. One that is installed and whose file is there does not help. */
static bool tell_found(struct asking *asking, bool found, struct package *package, const char *what)
{
    struct stat st;
    bool again = package->installed,
         helps = found && !(again && package->file && path_stat(asking->root, package->file, &st) == 0);

    if (helps)
        tell_package(asking, package, again, what);
    if (found)
        package_deinit(package);
    return helps;
}

/* rpm's systems are asked for what a package provides; the packages' names are their business. */
static bool by_capability(struct asking *asking, const char *capability, const char *what)
{
    const char *root = asking->root;
    char *command = packages_system(root) == PACKAGES_RPM ? command_for(root, false, capability) : NULL;

    if (!command)
        return false;
    remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command, "install whatever package provides %s%s", what,
               where(asking));
    return true;
}

/* ---- the questions ---- */

/* How to look for it, where the databases here do not say. */
static void search_package(struct asking *asking, const char *name)
{
    enum package_system system = packages_system(asking->root);
    CLEANUP_FREE char *word = remedy_word(name);
    char *command = NULL;

    if (system == PACKAGES_NONE)
        return;
    if (system == PACKAGES_DPKG && has_program(asking->root, "/usr/bin/apt-file"))
        command = xasprintf("apt-file update && apt-file search %s", word);
    else if (system == PACKAGES_APK)
        command = xasprintf("apk update && apk search so:%s", word);
    else if (system == PACKAGES_PACMAN)
        command = xasprintf("pacman -Fy %s", word);
    remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command,
               "find the package that holds %s: the lists on this system do not say%s%s", name,
               system == PACKAGES_DPKG && !command ? " (those of apt-file would)" : "", where(asking));
}

static void ask_library(struct asking *asking, const struct remedy *question)
{
    const char *name = question->ask_what;
    CLEANUP_FREE char *capability =
        strcmp(question->ask_machine, "i386") == 0 ? xstrdup(name) : xasprintf("%s()(64bit)", name);
    struct package package = {0};
    bool found = packages_with_library(asking->root, name, question->ask_machine, &package);

    if (!tell_found(asking, found, &package, name) && !by_capability(asking, capability, name))
        search_package(asking, name);
}

/* Below these no package has anything: the databases need not be read. */
static bool nobodys(const char *path)
{
    static const char *const places[] = {"/home/", "/root/", "/tmp/",   "/run/", "/proc/",      "/sys/",
                                         "/dev/",  "/mnt/",  "/media/", "/srv/", "/usr/local/", "/var/tmp/"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    return path[0] != '/';
}

/* Names that distributions have left without a program, and the package that gives them one. */
struct link_package {
    enum package_system system;
    const char *path, *package, *risk;
};
static const struct link_package links[] = {
    {PACKAGES_DPKG, "/usr/bin/python", "python-is-python3", "a script for Python 2 fails otherwise then"},
};

static void ask_link(struct asking *asking, const char *path)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        const struct link_package *row = &links[i];
        struct package package = {0};

        if (row->system != packages_system(asking->root) || strcmp(row->path, path) != 0 ||
            !packages_named(asking->root, row->package, &package))
            continue;
        remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command_for(asking->root, false, package.name),
                   "install the package %s, which makes %s a name of what is there%s", package.name, path,
                   where(asking))
            ->risk = xstrdup(row->risk);
        asking->told = true;
        package_deinit(&package);
    }
}

static void ask_file(struct asking *asking, const struct remedy *question)
{
    struct package package = {0};
    bool found = !nobodys(question->ask_what) && packages_with_file(asking->root, question->ask_what, &package);

    if (!tell_found(asking, found, &package, question->ask_what))
        ask_link(asking, question->ask_what);
}

static void ask_command(struct asking *asking, const struct remedy *question)
{
    const char *name = question->ask_what;
    CLEANUP_FREE char *path = xasprintf("/usr/bin/%s", name);
    struct package package = {0};
    bool found;

    if (strchr(name, '/') || strchr(name, '\r'))
        return;
    found = packages_with_command(asking->root, name, &package);
    if (!tell_found(asking, found, &package, name) && !by_capability(asking, path, path))
        ask_link(asking, path);
}

static void ask_owner(struct asking *asking, const struct remedy *question)
{
    struct package package = {0};

    if (asking->told || nobodys(question->ask_what) || !packages_owner(asking->root, question->ask_what, &package))
        return;
    tell_package(asking, &package, true, question->ask_what);
    package_deinit(&package);
}

/* Of packages that are called after the loader that they bring. */
struct loader_package {
    enum package_system system;
    const char *loader; /* beginning of its name */
    const char *package, *what, *risk;
};
static const struct loader_package loaders[] = {
    {PACKAGES_DPKG, "ld-musl-", "musl", "musl's C library, for which the program was built",
     "other libraries that it may need are not in it"},
    {PACKAGES_DPKG, "ld-linux.so.2", "libc6-i386", "the 32-bit C library",
     "other 32-bit libraries that it may need come by dpkg --add-architecture i386"},
    {PACKAGES_APK, "ld-linux-", "gcompat", "a stand-in for glibc on musl",
     "it has the most common functions of glibc only: a build for musl is better"},
};

static void ask_loader(struct asking *asking, const struct remedy *question)
{
    const char *root = asking->root, *name = path_base(question->ask_what);
    enum package_system system = packages_system(root);

    ask_file(asking, question);
    for (size_t i = 0; !asking->told && i < sizeof loaders / sizeof *loaders; i++) {
        const struct loader_package *row = &loaders[i];
        struct package package = {0};

        if (row->system != system || strncmp(name, row->loader, strlen(row->loader)) != 0 ||
            !packages_named(root, row->package, &package))
            continue;
        remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, command_for(root, false, package.name),
                   "install %s: the package %s %s%s", row->what, package.name, package.version ? package.version : "",
                   where(asking))
            ->risk = xstrdup(row->risk);
        asking->told = true;
        package_deinit(&package);
    }
    if (!asking->told)
        by_capability(asking, question->ask_what, question->ask_what);
}

static void ask_choice(struct asking *asking, const struct remedy *question)
{
    CLEANUP_FREE char *choice = NULL;
    CLEANUP_FREE char *name = packages_alternative(asking->root, question->ask_what, &choice);
    CLEANUP_FREE char *word = name ? remedy_word(name) : NULL;

    if (!name || !choice)
        return;
    remedy_add(asking->cause, PROOF_KNOWN, TRIAL_NONE, xasprintf("update-alternatives --auto %s", word),
               "let %s lead to another of its alternatives, such as %s%s", question->ask_what, choice, where(asking));
}

/* ---- the way in ---- */

void remedy_ask(const struct finding *finding, struct cause *cause, enum remedy_ask ask, const char *what,
                const char *machine)
{
    struct remedy *question = cause_remedy(cause, PROOF_KNOWN, "%s", what);

    question->ask = ask;
    question->ask_what = xstrdup(what);
    question->ask_root = xstrdup(finding_root(finding));
    question->ask_machine = xstrdup_or_null(machine);
}

void remedy_ask_library(const struct finding *finding, struct cause *cause, const char *name)
{
    enum package_system system = packages_system(finding_root(finding));

    if (finding->load->family == (system == PACKAGES_APK ? LOADER_MUSL : LOADER_GLIBC))
        remedy_ask(finding, cause, ASK_LIBRARY, name, elffile_machine_name(finding->fault->subject->elf));
}

/* Each question is answered, or only dropped; the rest stays where it is. */
static void replace_questions(struct asking *asking, bool answer)
{
    static void (*const askers[])(struct asking *, const struct remedy *) = {
        [ASK_LIBRARY] = ask_library, [ASK_FILE] = ask_file,     [ASK_COMMAND] = ask_command,
        [ASK_OWNER] = ask_owner,     [ASK_LOADER] = ask_loader, [ASK_CHOICE] = ask_choice,
    };
    struct cause *cause = asking->cause;
    struct remedy *old = cause->remedies;
    size_t count = cause->remedy_count;

    cause->remedies = NULL;
    cause->remedy_count = cause->remedy_cap = 0;
    for (size_t i = 0; i < count; i++) {
        if (old[i].ask == ASK_NOTHING) {
            *(struct remedy *)array_add(&cause->remedies, &cause->remedy_count, &cause->remedy_cap, sizeof *old) =
                old[i];
            continue;
        }
        asking->root = old[i].ask_root;
        if (answer)
            askers[old[i].ask](asking, &old[i]);
        remedy_deinit(&old[i]);
    }
    free(old);
}

static bool has_questions(const struct cause *cause)
{
    for (size_t i = 0; i < cause->remedy_count; i++)
        if (cause->remedies[i].ask != ASK_NOTHING)
            return true;
    return false;
}

void remedies_resolve(struct cause *cause)
{
    struct asking asking = {NULL, cause, false};

    if (has_questions(cause))
        replace_questions(&asking, true);
}

void remedies_drop_questions(struct cause *cause)
{
    struct asking asking = {NULL, cause, false};

    if (has_questions(cause))
        replace_questions(&asking, false);
}
