#include "offer.h"

#include "alloc.h"
#include "libc.h"
#include "loader.h"
#include "path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- names ---- */

static const char *const glibc_parts[] = {"libc.so.6",    "libm.so.6",         "libpthread.so.0",     "libdl.so.2",
                                          "librt.so.1",   "libutil.so.1",      "libresolv.so.2",      "libanl.so.1",
                                          "libmvec.so.1", "libthread_db.so.1", "libBrokenLocale.so.1"};

bool offer_part_of_glibc(const char *soname)
{
    for (size_t i = 0; i < sizeof glibc_parts / sizeof *glibc_parts; i++)
        if (strcmp(soname, glibc_parts[i]) == 0)
            return true;
    return strncmp(soname, "ld-linux", 8) == 0 || strncmp(soname, "ld64.so", 7) == 0;
}

bool offer_of_compiler(const char *soname)
{
    return strcmp(soname, "libstdc++.so.6") == 0 || strcmp(soname, "libgcc_s.so.1") == 0;
}

bool offer_musl_takes(const char *soname)
{
    return musl_is_own_name(soname);
}

const char *offer_wants_musl(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (strncmp(elf->needed[i], "libc.musl-", 10) == 0 || strcmp(elf->needed[i], "libc.so") == 0)
            return elf->needed[i];
    return elf->interp && strncmp(path_base(elf->interp), "ld-musl-", 8) == 0 ? path_base(elf->interp) : NULL;
}

bool offer_wants_glibc(const struct elffile *elf)
{
    for (size_t i = 0; i < elf->needed_count; i++)
        if (offer_part_of_glibc(elf->needed[i]))
            return true;
    return elf->interp && offer_part_of_glibc(path_base(elf->interp));
}

/* ---- opening ---- */

static bool exists(const char *root, const char *path)
{
    struct stat st;

    return path_stat(root, path, &st) == 0 && S_ISREG(st.st_mode);
}

static void name_it(struct offer *offer, const struct libc_identity *identity)
{
    offer->musl = strcmp(identity->family, "musl") == 0;
    offer->release = xstrdup_or_null(identity->release);
    offer->build = xstrdup_or_null(identity->build);
    offer->name = offer->release ? xasprintf("%s %s", offer->musl ? "musl" : "glibc", offer->release)
                                 : xstrdup(offer->musl ? "musl" : "glibc");
}

/* The name in DIRECTORY that begins with PREFIX and is a file's; malloced, or NULL. */
static char *entry_like(const char *root, const char *directory, const char *prefix)
{
    CLEANUP_CLOSE int fd = path_open(root, directory);
    DIR *dir = fd >= 0 ? fdopendir(dup(fd)) : NULL;
    char *found = NULL;

    for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
            CLEANUP_FREE char *path = path_join(directory, entry->d_name);

            if (exists(root, path))
                found = steal_pointer(&path);
        }
    if (dir)
        closedir(dir);
    return found;
}

/* Multiarch directories are asked for by what stands in /lib and /usr/lib. */
static char *glibc_below(const char *root, const char *directory)
{
    static const char libc[] = "/libc.so.6";
    CLEANUP_FREE char *plain = xasprintf("%s%s", directory, libc);
    CLEANUP_CLOSE int fd = path_open(root, directory);
    DIR *dir = fd >= 0 ? fdopendir(dup(fd)) : NULL;
    char *found = exists(root, plain) ? steal_pointer(&plain) : NULL;

    for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        CLEANUP_FREE char *path = xasprintf("%s/%s%s", directory, entry->d_name, libc);

        if (strstr(entry->d_name, "-linux-gnu") && exists(root, path))
            found = steal_pointer(&path);
    }
    if (dir)
        closedir(dir);
    return found;
}

static char *libc_in_root(const char *root)
{
    static const char *const directories[] = {"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32"};
    char *found = NULL;

    for (size_t i = 0; !found && i < sizeof directories / sizeof *directories; i++)
        found = glibc_below(root, directories[i]);
    return found ? found : entry_like(root, "/lib", "ld-musl-");
}

static int open_root(struct offer *offer, const char *word, struct err *err)
{
    struct libc_identity identity;

    offer->kind = OFFER_ROOT;
    offer->path = libc_in_root(offer->root);
    if (!offer->path)
        return err_set(err, "%s is no root of a system: no C library was found in it", word);
    libc_identify(offer->root, offer->path, &identity);
    name_it(offer, &identity);
    libc_identity_deinit(&identity);
    return 0;
}

static void take_parts(struct offer *offer)
{
    CLEANUP_FREE char *directory = path_dir(offer->path);

    for (size_t i = 0; i < sizeof glibc_parts / sizeof *glibc_parts; i++) {
        bool libc = i == 0; /* it may have another name: "libc-2.31.so" */
        CLEANUP_FREE char *path = libc ? xstrdup(offer->path) : path_join(directory, glibc_parts[i]);
        const struct elffile *elf = elffile_get("", path);
        struct offer_library *library;

        if (elf->state != ELFFILE_OK) {
            elffile_put(elf);
            continue;
        }
        library = array_add(&offer->libraries, &offer->library_count, &offer->library_cap, sizeof *library);
        *library = (struct offer_library){.soname = glibc_parts[i], .path = steal_pointer(&path), .elf = elf};
    }
}

static bool is_libc(const struct offer *offer)
{
    const struct elffile *elf = offer->library_count ? offer->libraries[0].elf : NULL;

    return elf && elf->soname && strcmp(elf->soname, glibc_parts[0]) == 0;
}

static int open_file(struct offer *offer, const char *word, struct err *err)
{
    struct libc_identity identity;
    bool known;

    offer->kind = OFFER_FILE;
    libc_identify("", offer->path, &identity);
    known = identity.release && strcmp(identity.family, "unknown") != 0;
    if (known)
        name_it(offer, &identity);
    libc_identity_deinit(&identity);
    if (!known)
        return err_set(err, "%s is no C library: it has the words of neither glibc nor musl", word);
    if (!offer->musl)
        take_parts(offer);
    if (!offer->musl && !is_libc(offer))
        return err_set(err, "%s is a part of %s, but not its libc.so.6", word, offer->name);
    return 0;
}

static int open_path(struct offer *offer, const char *word, struct err *err)
{
    CLEANUP_FREE char *real = realpath(word, NULL);
    struct stat st;

    if (!real || stat(real, &st) < 0)
        return err_set(err, "%s is no release of glibc (2.28), not musl, and no file: %s", word, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        CLEANUP_FREE char *above = path_dir(word), *directory = realpath(above, NULL);

        offer->path = directory ? path_join(directory, path_base(word)) : steal_pointer(&real); /* its own name */
        return open_file(offer, word, err);
    }
    CLEANUP_FREE char *inside = path_join(real, "libc.so.6");

    if (exists("", inside)) { /* a directory of libraries */
        offer->path = steal_pointer(&inside);
        return open_file(offer, word, err);
    }
    offer->root = strcmp(real, "/") == 0 ? xstrdup("") : steal_pointer(&real);
    return open_root(offer, word, err);
}

/* "2.28", also as "glibc 2.28", "glibc-2.28". */
static const char *release_in(const char *word)
{
    const char *number = word;

    if (strncmp(number, "glibc", 5) == 0)
        number += 5 + strspn(word + 5, " -=");
    if (!isdigit((unsigned char)number[0]) || !strchr(number, '.') || number[strspn(number, "0123456789.")])
        return NULL;
    return number;
}

static int open_release(struct offer *offer, const char *number, struct err *err)
{
    if (strncmp(number, "2.", 2) != 0 || !number[2] || strchr(number + 2, '.') || strlen(number) > 4)
        return err_set(err, "%s is no release of glibc: they are 2.17, 2.28 and so on", number);
    if (strverscmp(number, releases_last()) > 0)
        return err_set(err, "glibc %s is not known here: the newest in the table is %s", number, releases_last());
    offer->kind = OFFER_RELEASE;
    offer->release = xstrdup(number);
    offer->name = xasprintf("glibc %s", number);
    return 0;
}

int offer_open(const char *word, struct offer **ret, struct err *err)
{
    struct offer *offer = xcalloc(1, sizeof *offer);
    const char *number = release_in(word);
    int status = 0;

    offer->word = xstrdup(word);
    if (number) {
        status = open_release(offer, number, err);
    } else if (strcmp(word, "musl") == 0) {
        offer->kind = OFFER_FAMILY;
        offer->musl = true;
        offer->name = xstrdup(word);
    } else if (strcmp(word, "here") == 0) {
        offer->root = xstrdup("");
        status = open_root(offer, word, err);
    } else {
        status = open_path(offer, word, err);
    }
    *ret = status == 0 ? offer : NULL;
    if (status < 0)
        offer_close(offer);
    return status;
}

void offer_close(struct offer *offer)
{
    if (!offer)
        return;
    for (size_t i = 0; i < offer->library_count; i++) {
        free(offer->libraries[i].path);
        elffile_put(offer->libraries[i].elf);
    }
    free(offer->libraries);
    free(offer->word);
    free(offer->name);
    free(offer->release);
    free(offer->build);
    free(offer->root);
    free(offer->path);
    free(offer);
}

/* ---- asking ---- */

static const struct offer_library *library_of(const struct offer *offer, const char *soname)
{
    for (size_t i = 0; i < offer->library_count; i++)
        if (strcmp(offer->libraries[i].soname, soname) == 0)
            return &offer->libraries[i];
    return NULL;
}

enum release_answer offer_defines(const struct offer *offer, const char *soname, const char *version, const char **path)
{
    const struct offer_library *library = library_of(offer, soname);

    if (path)
        *path = library ? library->path : NULL;
    if (library)
        return elffile_defines_version(library->elf, version) ? RELEASE_DEFINES : RELEASE_LACKS;
    if (offer->kind == OFFER_FILE && !offer_part_of_glibc(soname))
        return RELEASE_UNSURE;
    return offer->release ? releases_define(offer->release, version) : RELEASE_UNSURE;
}

/* The newest of the file's with the same letters before the number. */
static char *file_end(const struct elffile *elf, const char *version)
{
    const char *underscore = strrchr(version, '_'), *newest = NULL;
    size_t n = underscore ? (size_t)(underscore - version) + 1 : strlen(version);

    for (size_t i = 0; i < elf->def_count; i++) {
        const char *name = elf->defs[i].name;

        if (!elf->defs[i].base && strncmp(name, version, n) == 0 && isdigit((unsigned char)name[n]) &&
            (!newest || strverscmp(name, newest) > 0))
            newest = name;
    }
    return xstrdup_or_null(newest);
}

char *offer_end(const struct offer *offer, const char *soname, const char *version)
{
    const struct offer_library *library = library_of(offer, soname);

    if (library)
        return file_end(library->elf, version);
    return offer->release ? releases_end(offer->release, version) : NULL;
}
