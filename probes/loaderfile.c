/* What a loader is like, read from its file.
 *
 * glibc keeps its default directories as one run of NUL-ended strings in .rodata (system_dirs of elf/dl-load.c), made
 * at build time: Debian's multiarch ones, or /lib64 and /usr/lib64. Everything else is told by a string that only a
 * loader with that feature holds. ld.so --list-diagnostics would say the same, but nothing is run here. */
#include "loader.h"

#include "alloc.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LOADER = 16 << 20, MAX_DIRECTORY = 200 };

struct loader_bytes {
    char *bytes;
    size_t size;
};

static void read_loader(const char *root, const char *path, struct loader_bytes *ret)
{
    CLEANUP_CLOSE int fd = path_open(root, path);
    struct stat st;

    *ret = (struct loader_bytes){0};
    if (fd < 0 || fstat(fd, &st) || st.st_size <= 0 || st.st_size > MAX_LOADER)
        return;
    ret->bytes = xmalloc((size_t)st.st_size + 1);
    while (ret->size < (size_t)st.st_size) {
        ssize_t got = read(fd, ret->bytes + ret->size, (size_t)st.st_size - ret->size);

        if (got <= 0)
            break;
        ret->size += (size_t)got;
    }
    ret->bytes[ret->size] = '\0';
}

static bool holds(const struct loader_bytes *loader, const char *text)
{
    return loader->bytes && memmem(loader->bytes, loader->size, text, strlen(text));
}

/* The length of "/…lib…/" at AT, or 0. */
static size_t directory_at(const struct loader_bytes *loader, size_t at)
{
    const char *s = loader->bytes + at;
    size_t n = strnlen(s, MAX_DIRECTORY);

    if (n < 3 || n == MAX_DIRECTORY || at + n >= loader->size || s[0] != '/' || s[n - 1] != '/' || !strstr(s, "lib"))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("/._+-", s[i]))
            return 0;
    return n;
}

static size_t run_at(const struct loader_bytes *loader, size_t at, struct loader_traits *traits)
{
    size_t count = 0, n;

    for (; at < loader->size && (n = directory_at(loader, at)); at += n + 1, count++) {
        if (!traits)
            continue;
        traits->system_dirs = xreallocarray(traits->system_dirs, count + 1, sizeof *traits->system_dirs);
        traits->system_dirs[count] = xstrdup(loader->bytes + at);
        traits->system_dir_count = count + 1;
    }
    return count;
}

static void find_system_dirs(const struct loader_bytes *loader, struct loader_traits *traits)
{
    size_t best = 0, best_count = 1;
    static const char *const plain[] = {"/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/"};

    for (size_t i = 0; i < loader->size; i++) {
        size_t count;

        if (loader->bytes[i] != '/' || (i && loader->bytes[i - 1]))
            continue;
        count = run_at(loader, i, NULL);
        if (count > best_count) {
            best = i;
            best_count = count;
        }
    }
    if (best_count > 1) {
        run_at(loader, best, traits);
        return;
    }
    traits->system_dirs = xcalloc(4, sizeof *traits->system_dirs);
    for (traits->system_dir_count = 0; traits->system_dir_count < 4; traits->system_dir_count++)
        traits->system_dirs[traits->system_dir_count] = xstrdup(plain[traits->system_dir_count]);
}

/* DL_DST_LIB is the first default directory without its slashes: both come from $(slibdir). */
static char *lib_of(const struct loader_traits *traits)
{
    const char *first = traits->system_dir_count ? traits->system_dirs[0] : "/lib/";
    size_t n = strlen(first);

    if (!strncmp(first, "/usr/", 5)) {
        first += 4;
        n -= 4;
    }
    return xstrndup(first + 1, n - 2);
}

static bool is_our_machine(const struct elffile *loader)
{
#if defined(__x86_64__)
    return loader->machine == EM_X86_64 || loader->machine == EM_386;
#elif defined(__aarch64__)
    return loader->machine == EM_AARCH64;
#else
    return false;
#endif
}

#if defined(__x86_64__)
/* The levels of the x86-64 psABI, by the features that came last to each. */
static unsigned own_cpu_level(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("ssse3") || !__builtin_cpu_supports("popcnt"))
        return 1;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
        !__builtin_cpu_supports("fma"))
        return 2;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl")
               ? 4
               : 3;
}

/* init_cpu_features() of sysdeps/x86/cpu-features.c gives Intel's newer processors a platform name of their own. */
static const char *own_platform(const char *plain)
{
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") && own_cpu_level() >= 3 ? "haswell" : plain;
}

static bool own_avx512_1(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") && own_cpu_level() >= 4;
}
#else
static unsigned own_cpu_level(void)
{
    return 0;
}

static const char *own_platform(const char *plain)
{
    return plain;
}

static bool own_avx512_1(void)
{
    return false;
}
#endif

static void add_subdir(struct loader_traits *traits, const char *path)
{
    for (size_t i = 0; i < traits->subdir_count; i++)
        if (!strcmp(traits->subdirs[i], path))
            return;
    traits->subdirs = xreallocarray(traits->subdirs, traits->subdir_count + 1, sizeof *traits->subdirs);
    traits->subdirs[traits->subdir_count++] = xstrdup(path);
}

/* _dl_important_hwcaps() up to 2.36: every subset of {tls, platform, hardware names}, the fullest first. */
static void add_legacy(struct loader_traits *traits, const char *const *parts, unsigned count)
{
    for (unsigned set = 1u << count; set-- > 0;) {
        CLEANUP_FREE char *path = xstrdup("");

        for (unsigned i = 0; i < count; i++) {
            char *longer;

            if (!(set >> (count - 1 - i) & 1))
                continue;
            longer = xasprintf("%s%s/", path, parts[i]);
            free(path);
            path = longer;
        }
        add_subdir(traits, path);
    }
}

/* How ldconfig writes such a directory down (sysdeps/x86/dl-procinfo.c). */
static void note_legacy(struct loader_traits *traits, const char *part)
{
    static const struct {
        const char *name;
        unsigned bit;
    } hwcaps[] = {{"sse2", 0}, {"x86_64", 1}, {"avx512_1", 2}, {"tls", 63}},
      platforms[] = {{"i586", 48}, {"i686", 49}, {"haswell", 50}, {"xeon_phi", 51}};

    if (traits->elf->machine != EM_X86_64 && traits->elf->machine != EM_386)
        return;
    for (size_t i = 0; i < sizeof hwcaps / sizeof *hwcaps; i++)
        if (!strcmp(part, hwcaps[i].name))
            traits->hwcap_bits |= UINT64_C(1) << hwcaps[i].bit;
    for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++)
        if (!strcmp(part, platforms[i].name))
            traits->platform_bit = UINT64_C(1) << platforms[i].bit;
}

static void legacy_parts(const struct loader_bytes *loader, struct loader_traits *traits)
{
    const char *parts[5];
    unsigned count = 0;
    bool ours = traits->cpu_level > 0;

    parts[count++] = "tls";
    if (traits->platform)
        parts[count++] = traits->platform;
    if (traits->elf->machine == EM_X86_64) {
        if (ours && own_avx512_1() && holds(loader, "avx512_1"))
            parts[count++] = "avx512_1";
        parts[count++] = "x86_64";
    } else if (traits->elf->machine == EM_386) {
        parts[count++] = "sse2";
    } else if (traits->elf->machine == EM_AARCH64) {
        parts[count++] = "atomics"; /* all but the first ARMv8 processors */
    }
    for (unsigned i = 0; i < count; i++)
        note_legacy(traits, parts[i]);
    add_legacy(traits, parts, count);
}

static void find_subdirs(const struct loader_bytes *loader, struct loader_traits *traits)
{
    static const char *const levels[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};
    bool named = holds(loader, "glibc-hwcaps"), legacy = !named || holds(loader, "Legacy HWCAP subdirectories");

    for (unsigned i = 0; named && traits->elf->machine == EM_X86_64 && i < 3; i++) {
        char path[64];

        if (traits->cpu_level < 4 - i)
            continue;
        snprintf(path, sizeof path, "glibc-hwcaps/%s/", levels[i]);
        add_subdir(traits, path);
        traits->hwcaps = xreallocarray(traits->hwcaps, traits->hwcap_count + 1, sizeof *traits->hwcaps);
        traits->hwcaps[traits->hwcap_count++] = xstrdup(levels[i]);
    }
    traits->legacy = legacy;
    if (legacy)
        legacy_parts(loader, traits);
    add_subdir(traits, "");
}

static enum loader_family family_of(const struct elffile *loader, const char *interp)
{
    if (elffile_lookup_any(loader, "_rtld_global"))
        return LOADER_GLIBC;
    if (elffile_lookup_any(loader, "_dl_debug_addr"))
        return LOADER_MUSL;
    return strstr(interp, "ld-musl") ? LOADER_MUSL : LOADER_GLIBC;
}

static const char *platform_of(const struct loader_bytes *bytes, const struct elffile *loader)
{
    bool ours = is_our_machine(loader) && holds(bytes, "haswell");

    switch (loader->machine) {
    case EM_X86_64:
        return ours ? own_platform("x86_64") : "x86_64";
    case EM_386:
        return ours ? own_platform("i686") : "i686";
    case EM_AARCH64:
        return "aarch64";
    default:
        return NULL;
    }
}

static char **copy_list(char *const *list, size_t count)
{
    char **copy = xcalloc(count + 1, sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

/* All of TRAITS but the loader, which is its owner's. */
static void traits_copy(const struct loader_traits *traits, struct loader_traits *ret)
{
    *ret = *traits;
    ret->system_dirs = copy_list(traits->system_dirs, traits->system_dir_count);
    ret->subdirs = copy_list(traits->subdirs, traits->subdir_count);
    ret->hwcaps = copy_list(traits->hwcaps, traits->hwcap_count);
    ret->lib = xstrdup_or_null(traits->lib);
}

static void traits_release(void *kept)
{
    struct loader_traits *traits = kept;

    traits_deinit(traits);
    free(traits);
}

static void read_glibc(const char *root, const struct elffile *loader, const char *interp, struct loader_traits *ret)
{
    struct loader_bytes bytes;

    read_loader(root, interp, &bytes);
    find_system_dirs(&bytes, ret);
    ret->lib = lib_of(ret);
    ret->platform = platform_of(&bytes, loader);
    ret->cpu_level = is_our_machine(loader) ? own_cpu_level() : 0;
    ret->isa_check = holds(&bytes, "CPU ISA level is lower than required");
    ret->version_assert = holds(&bytes, "version->filename == NULL || ! _dl_name_match_p");
    ret->needed_assert = holds(&bytes, "needed != NULL");
    /* 2.36 brought DT_RELR, and with it went the special case */
    ret->protected_copies = (loader->machine == EM_X86_64 || loader->machine == EM_386) && !holds(&bytes, "DT_RELR");
    ret->early_init = holds(&bytes, "__libc_early_init");
    ret->keeps_stack = holds(&bytes, "glibc.rtld.execstack"); /* a tunable that came with it */
    ret->kernel_check = holds(&bytes, "kernel too old");
    find_subdirs(&bytes, ret);
    free(bytes.bytes);
}

/* LOADER may be unusable (then the plain guesses stand): a reference to it is taken. What its bytes tell is kept with
 * it: whoever checks a tree asks for it with each file. */
void traits_read(const char *root, const struct elffile *loader, const char *interp, struct loader_traits *ret)
{
    struct loader_traits *kept = elffile_kept(loader);

    *ret = (struct loader_traits){.elf = loader, .family = family_of(loader, interp)};
    if (ret->family == LOADER_MUSL) {
        add_subdir(ret, "");
        return;
    }
    if (!kept) {
        kept = xcalloc(1, sizeof *kept);
        *kept = (struct loader_traits){.elf = loader, .family = ret->family};
        read_glibc(root, loader, interp, kept);
        kept->elf = NULL; /* it owns this */
        elffile_keep(loader, kept, traits_release);
    }
    traits_copy(kept, ret);
    ret->elf = loader;
}

void traits_deinit(struct loader_traits *traits)
{
    for (size_t i = 0; i < traits->system_dir_count; i++)
        free(traits->system_dirs[i]);
    for (size_t i = 0; i < traits->subdir_count; i++)
        free(traits->subdirs[i]);
    for (size_t i = 0; i < traits->hwcap_count; i++)
        free(traits->hwcaps[i]);
    free(traits->system_dirs);
    free(traits->subdirs);
    free(traits->hwcaps);
    free(traits->lib);
    if (traits->elf)
        elffile_put(traits->elf);
    *traits = (struct loader_traits){0};
}
