#include "vsix.h"

#include "json_walk.h"
#include "sha256.h"
#include "zip.h"

#include <probes/alloc.h>
#include <probes/path.h>
#include <probes/proc.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    MANIFEST_MOST = 16 << 20,
    ENTRY_MOST = 1 << 30, /* of one that is read whole for its digest */
};

/* ---- what it says of itself ---- */

static void keep(char **place, const char *value)
{
    if (!*place)
        *place = xstrdup(value);
}

static void of_package(void *ctx, const char *const *names, size_t depth, const char *value)
{
    struct vsix *vsix = ctx;

    if (depth == 1 && strcmp(names[0], "publisher") == 0)
        keep(&vsix->publisher, value);
    else if (depth == 1 && strcmp(names[0], "name") == 0)
        keep(&vsix->name, value);
    else if (depth == 1 && strcmp(names[0], "version") == 0)
        keep(&vsix->version, value);
    else if (depth == 2 && strcmp(names[0], "engines") == 0 && strcmp(names[1], "vscode") == 0)
        keep(&vsix->engine, value);
    else if (depth == 2 && strcmp(names[0], "__metadata") == 0 && strcmp(names[1], "targetPlatform") == 0 &&
             strcmp(value, "undefined") != 0 && strcmp(value, "universal") != 0)
        keep(&vsix->target, value);
    else if (depth == 2 && strcmp(names[0], "__metadata") == 0 && strcmp(names[1], "isPreReleaseVersion") == 0)
        vsix->preview = strcmp(value, "true") == 0;
}

/* The attribute NAME of the manifest's Identity element, malloced, or NULL. */
static char *identity(const char *manifest, const char *name)
{
    const char *element = strstr(manifest, "<Identity"), *end = element ? strchr(element, '>') : NULL;
    size_t length = strlen(name);

    for (const char *p = element; p && (p = strcasestr(p, name)) && p < end; p += length) {
        const char *value = p + length;

        if (!isspace((unsigned char)p[-1]) || value[0] != '=' || (value[1] != '"' && value[1] != '\''))
            continue;
        return xstrndup(value + 2, strcspn(value + 2, value[1] == '"' ? "\"" : "'"));
    }
    return NULL;
}

static bool same(const char *one, const char *other)
{
    return !one || !other || strcasecmp(one, other) == 0;
}

static void compare_manifests(struct vsix *vsix, const char *manifest)
{
    CLEANUP_FREE char *id = identity(manifest, "Id"), *version = identity(manifest, "Version");
    CLEANUP_FREE char *publisher = identity(manifest, "Publisher"), *target = identity(manifest, "TargetPlatform");

    if (!same(id, vsix->name) || !same(version, vsix->version) || !same(publisher, vsix->publisher))
        keep(&vsix->fault, "its two manifests, extension.vsixmanifest and package.json, name different extensions or "
                           "versions");
    if (target && *target && strcmp(target, "universal") != 0 && strcmp(target, "undefined") != 0)
        keep(&vsix->target, target);
}

/* <Property Id="Microsoft.VisualStudio.Code.PreRelease" Value="true"/>, as vsce writes it. */
static bool is_preview(const char *manifest)
{
    const char *property = strstr(manifest, "\"Microsoft.VisualStudio.Code.PreRelease\"");
    const char *end = property ? strchr(property, '>') : NULL, *value = end ? strstr(property, "Value=\"true\"") : NULL;

    return value && value < end;
}

static void take_fault(struct vsix *vsix, const struct err *err)
{
    const char *text = err->text;
    size_t length = strlen(vsix->path);

    if (strncmp(text, vsix->path, length) == 0) /* the row names it already */
        text += length + strspn(text + length, ": ");
    keep(&vsix->fault, text);
}

static void read_manifests(struct vsix *vsix, const struct zip *zip)
{
    const struct zip_entry *package = zip_find(zip, "extension/package.json");
    const struct zip_entry *manifest = zip_find(zip, "extension.vsixmanifest");
    CLEANUP_FREE char *text = NULL, *xml = NULL;
    struct err err = {{0}};
    size_t size;

    if (!package)
        keep(&vsix->fault, "there is no extension/package.json in it");
    else if (zip_read(zip, package, MANIFEST_MOST, &text, &size, &err) < 0)
        take_fault(vsix, &err);
    else if (!json_walk(text, size, of_package, vsix))
        keep(&vsix->fault, "its package.json is no JSON");
    if (manifest && zip_read(zip, manifest, MANIFEST_MOST, &xml, &size, &err) == 0)
        compare_manifests(vsix, xml), vsix->preview |= is_preview(xml);
}

/* What VS Code puts into commands and settings, and into names of files. */
static bool is_identifier(const char *word)
{
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return isalnum((unsigned char)*word) && word[strspn(word, known)] == '\0';
}

/* Whether VERSION is one that VS Code loads an extension of (semver.org, 2). */
static bool is_version(const char *version)
{
    version += *version == 'v'; /* npm's semver takes that */
    for (int i = 0; i < 3; i++) {
        size_t n = strspn(version, "0123456789");

        if (!n || n > 15 || (n > 1 && *version == '0') || (i < 2 && version[n] != '.'))
            return false;
        version += n + (i < 2);
    }
    return !*version ||
           ((*version == '-' || *version == '+') && version[1] &&
            version[strspn(version, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+")] == '\0');
}

static void check_names(struct vsix *vsix)
{
    if (!vsix->publisher || !vsix->name || !vsix->version)
        keep(&vsix->fault, "its package.json does not say publisher, name and version");
    else if (!is_identifier(vsix->publisher) || !is_identifier(vsix->name))
        keep(&vsix->fault, "its publisher or its name is none that VS Code takes");
    else if (!is_version(vsix->version))
        keep(&vsix->fault, "its version is none: VS Code does not load it (three numbers, semver.org)");
}

/* yauzl, which unpacks it for VS Code, takes "\\" for "/", and refuses what leads out (validateFileName). */
static void check_paths(struct vsix *vsix, const struct zip *zip)
{
    for (size_t i = 0; i < zip->count && !vsix->fault; i++) {
        const char *name = zip->entries[i].name;
        CLEANUP_FREE char *rest = xstrdup(name);
        bool out = *name == '/' || *name == '\\' || (isalpha((unsigned char)*name) && name[1] == ':');

        for (char *part = strtok(rest, "/\\"); part; part = strtok(NULL, "/\\"))
            out |= strcmp(part, "..") == 0;
        if (out)
            vsix->fault = xasprintf("\"%s\" in it leads out of where it is installed", name);
    }
}

/* ---- whether it is whole ---- */

static void check_sums(struct vsix *vsix, const struct zip *zip)
{
    struct err err = {{0}};

    for (size_t i = 0; i < zip->count && !vsix->fault; i++)
        if (zip_stream(zip, &zip->entries[i], NULL, NULL, &err) < 0)
            take_fault(vsix, &err);
}

/* The base64 text of TEXT, as the manifest spells names; malloced (RFC 4648). */
static char *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), n = 0;
    char *out = xmalloc(length / 3 * 4 + 5);

    for (size_t i = 0; i < length; i += 3) {
        unsigned long bits = (unsigned long)(unsigned char)text[i] << 16;

        bits |= i + 1 < length ? (unsigned long)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < length ? (unsigned long)(unsigned char)text[i + 2] : 0;
        out[n++] = digits[bits >> 18];
        out[n++] = digits[bits >> 12 & 63];
        out[n++] = i + 1 < length ? digits[bits >> 6 & 63] : '=';
        out[n++] = i + 2 < length ? digits[bits & 63] : '=';
    }
    out[n] = '\0';
    return out;
}

/* One entry of the package against what was signed of it. */
struct signed_entry {
    const char *name; /* the archive's */
    char *spelt;      /* in base64 */
    bool named, same;
    char digest[45];
};
struct signing {
    struct signed_entry *entries;
    size_t count, named;
    char package[45];
    bool package_named, package_same, strange; /* strange: it tells of an entry that is not there */
};

static void of_signature(void *ctx, const char *const *names, size_t depth, const char *value)
{
    struct signing *signing = ctx;
    bool known = false;

    if (depth == 3 && strcmp(names[0], "package") == 0 && strcmp(names[1], "digests") == 0 &&
        strcmp(names[2], "sha256") == 0) {
        signing->package_named = true;
        signing->package_same = strcmp(value, signing->package) == 0;
    }
    if (depth != 4 || strcmp(names[0], "entries") != 0 || strcmp(names[2], "digests") != 0 ||
        strcmp(names[3], "sha256") != 0)
        return;
    for (size_t i = 0; i < signing->count; i++)
        if (strcmp(signing->entries[i].spelt, names[1]) == 0) {
            known = true;
            signing->entries[i].named = true;
            signing->entries[i].same = strcmp(signing->entries[i].digest, value) == 0;
        }
    signing->strange |= !known;
}

static void hash_file(const char *path, char ret[static 45])
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t size, got = 0;
    CLEANUP_FREE char *bytes = NULL;

    *ret = '\0';
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > ENTRY_MOST)
        return;
    size = (size_t)st.st_size;
    bytes = xmalloc(size + 1); /* not mapped: it may become shorter meanwhile */
    while (got < size) {
        ssize_t n = pread(fd, bytes + got, size - got, (off_t)got);

        if (n <= 0)
            return;
        got += (size_t)n;
    }
    sha256_base64(bytes, size, ret);
}

static bool is_signature(const char *name)
{
    return strncmp(name, ".signature.", 11) == 0;
}

static void hash_entries(const struct zip *zip, struct signing *signing)
{
    signing->entries = xcalloc(zip->count + 1, sizeof *signing->entries);
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *entry = &zip->entries[i];
        size_t length = strlen(entry->name), size;
        CLEANUP_FREE char *data = NULL;
        struct signed_entry *slot = &signing->entries[signing->count];

        if (is_signature(entry->name) || (length && entry->name[length - 1] == '/') ||
            zip_read(zip, entry, ENTRY_MOST, &data, &size, NULL) < 0)
            continue;
        slot->name = entry->name;
        slot->spelt = base64(entry->name);
        sha256_base64(data, size, slot->digest);
        signing->count++;
    }
}

static void compare_signature(struct vsix *vsix, const struct zip *zip, const char *manifest, size_t size, bool beside)
{
    struct signing signing = {0};

    hash_entries(zip, &signing);
    if (beside)
        hash_file(vsix->path, signing.package);
    vsix->checked = "checksums and the signature's digests";
    if (!json_walk(manifest, size, of_signature, &signing))
        keep(&vsix->fault, "its signature's manifest is no JSON");
    else if (beside && signing.package_named && !signing.package_same)
        keep(&vsix->fault, "it was changed: its digest is not the one that its signature's manifest has");
    for (size_t i = 0; i < signing.count && !vsix->fault; i++) {
        CLEANUP_FREE char *why = NULL;
        const char *name = signing.entries[i].name;

        if (!signing.entries[i].named)
            why = xasprintf("\"%s\" was added: its signature's manifest does not name it", name);
        else if (!signing.entries[i].same)
            why = xasprintf("\"%s\" was changed: its digest is not the one that its signature's manifest has", name);
        if (why)
            keep(&vsix->fault, why);
    }
    if (signing.strange)
        keep(&vsix->fault, "a file that its signature's manifest names is not in it");
    for (size_t i = 0; i < signing.count; i++)
        free(signing.entries[i].spelt);
    free(signing.entries);
}

/* The signature archive beside the package; malloced, NULL where there is none. */
static char *signature_beside(const struct vsix *vsix)
{
    CLEANUP_FREE char *directory = path_dir(vsix->path);
    size_t stem = strlen(vsix->path);
    struct stat st;
    char *place;

    if (stem > 5 && strcasecmp(vsix->path + stem - 5, ".vsix") == 0)
        stem -= 5;
    place = xasprintf("%.*s.sigzip", (int)stem, vsix->path);
    if (stat(place, &st) == 0)
        return place;
    free(place);
    place = xasprintf("%s/%s.%s-%s.sigzip", directory, vsix->publisher ? vsix->publisher : "",
                      vsix->name ? vsix->name : "", vsix->version ? vsix->version : "");
    if (stat(place, &st) == 0)
        return place;
    free(place);
    return NULL;
}

static void check_signature(struct vsix *vsix, const struct zip *zip)
{
    CLEANUP_FREE char *beside = signature_beside(vsix), *manifest = NULL;
    const struct zip_entry *inside = zip_find(zip, ".signature.manifest"), *entry;
    struct err err = {{0}};
    struct zip signature;
    size_t size;

    if (vsix->fault)
        return;
    if (inside && zip_read(zip, inside, MANIFEST_MOST, &manifest, &size, &err) == 0)
        compare_signature(vsix, zip, manifest, size, false);
    if (!beside || vsix->fault)
        return;
    if (zip_open(beside, &signature, &err) < 0) {
        CLEANUP_FREE char *why = xasprintf("its signature archive cannot be read: %s", err.text);

        keep(&vsix->fault, why);
        return;
    }
    entry = zip_find(&signature, ".signature.manifest");
    free(steal_pointer(&manifest));
    if (!entry || zip_read(&signature, entry, MANIFEST_MOST, &manifest, &size, &err) < 0)
        keep(&vsix->fault, "its signature archive has no manifest that can be read");
    else
        compare_signature(vsix, zip, manifest, size, true);
    zip_close(&signature);
}

/* ---- one of them ---- */

/* The folder's name is "publisher.name-1.2.3-linux-x64", with nothing at the end for what is built for any
 * (ExtensionKey of src/vs/platform/extensionManagement/common/extensionManagementUtil.ts). */
static void take_target(struct vsix *vsix)
{
    CLEANUP_FREE char *start = xasprintf("%s.%s-%s-", vsix->publisher, vsix->name, vsix->version);
    const char *name = path_base(vsix->path), *target = name + strlen(start);

    if (strncasecmp(name, start, strlen(start)) == 0 && *target && strcmp(target, "universal") != 0 &&
        strcmp(target, "undefined") != 0)
        keep(&vsix->target, target);
}

static bool read_folder(struct vsix *vsix)
{
    CLEANUP_FREE char *file = path_join(vsix->path, "package.json");
    size_t size;
    CLEANUP_FREE char *text = proc_read(file, MANIFEST_MOST, &size);

    vsix->checked = "nothing: it is unpacked";
    if (!text || !json_walk(text, size, of_package, vsix) || !vsix->publisher || !vsix->name || !vsix->version)
        return false;
    take_target(vsix);
    return true;
}

bool vsix_read(const char *path, bool folder, struct vsix *ret)
{
    struct err err = {{0}};
    struct zip zip;

    *ret = (struct vsix){.path = xstrdup(path), .folder = folder, .checked = "checksums"};
    if (folder)
        return read_folder(ret);
    if (zip_open(path, &zip, &err) < 0) {
        take_fault(ret, &err);
        return true;
    }
    read_manifests(ret, &zip);
    check_paths(ret, &zip);
    check_sums(ret, &zip);
    check_signature(ret, &zip);
    zip_close(&zip);
    check_names(ret);
    return true;
}

char *vsix_version(const char *path, bool folder)
{
    struct vsix vsix = {.path = xstrdup(path)};
    struct zip zip;
    char *version;

    if (folder) {
        read_folder(&vsix);
    } else if (zip_open(path, &zip, NULL) == 0) {
        read_manifests(&vsix, &zip);
        zip_close(&zip);
    }
    version = vsix.publisher ? steal_pointer(&vsix.version) : NULL;
    vsix_deinit(&vsix);
    return version;
}

void vsix_deinit(struct vsix *vsix)
{
    free(vsix->path);
    free(vsix->publisher);
    free(vsix->name);
    free(vsix->version);
    free(vsix->engine);
    free(vsix->target);
    free(vsix->fault);
}

int vsix_compare(const char *one, const char *other)
{
    one += *one == 'v', other += *other == 'v';
    for (int i = 0; i < 3; i++) {
        char *end_one, *end_other;
        unsigned long a = strtoul(one, &end_one, 10), b = strtoul(other, &end_other, 10);

        if (a != b)
            return a < b ? -1 : 1;
        one = end_one + (*end_one == '.');
        other = end_other + (*end_other == '.');
    }
    if ((*one == '-') != (*other == '-'))
        return *one == '-' ? -1 : 1;
    return strverscmp(one, other);
}
