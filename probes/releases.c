/* The table is read by people and kept by hand: `make libc-table` fetches Debian's packages of each suite, reads the
 * version definitions of all of their libraries, prints the rows that it gets and fails where a row here differs. The
 * other rows are those of pep600_compliance (the project that keeps Python's manylinux policies), which reads them from
 * the distributions' own images: its cache/x86_64/SYSTEM.json, as of 2025. Oldest release first within a system. */
#include "releases.h"

#include "alloc.h"

#include <string.h>

#define PEP600 "pep600_compliance"

const struct release releases[] = {
    {.system = "Debian",
     .number = "9",
     .glibc = "2.24",
     .newest = {[VERSIONS_GLIBC] = "2.24",
                [VERSIONS_GLIBCXX] = "3.4.22",
                [VERSIONS_CXXABI] = "1.3.10",
                [VERSIONS_GCC] = "4.8.0"},
     .from = PEP600},
    {.system = "Debian",
     .number = "10",
     .glibc = "2.28",
     .newest = {[VERSIONS_GLIBC] = "2.28",
                [VERSIONS_GLIBCXX] = "3.4.25",
                [VERSIONS_CXXABI] = "1.3.11",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
    {.system = "Debian",
     .number = "11",
     .glibc = "2.31",
     .newest = {[VERSIONS_GLIBC] = "2.31",
                [VERSIONS_GLIBCXX] = "3.4.28",
                [VERSIONS_CXXABI] = "1.3.12",
                [VERSIONS_GCC] = "7.0.0"}},
    {.system = "Debian",
     .number = "12",
     .glibc = "2.36",
     .newest = {[VERSIONS_GLIBC] = "2.36",
                [VERSIONS_GLIBCXX] = "3.4.30",
                [VERSIONS_CXXABI] = "1.3.13",
                [VERSIONS_GCC] = "12.0.0"},
     .others = "GLIBC_ABI_DT_RELR"},
    {.system = "Debian",
     .number = "13",
     .glibc = "2.41",
     .newest = {[VERSIONS_GLIBC] = "2.41",
                [VERSIONS_GLIBCXX] = "3.4.33",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR GLIBC_ABI_DT_X86_64_PLT GLIBC_ABI_GNU2_TLS"},
    {.system = "Debian",
     .number = "testing",
     .glibc = "2.43",
     .newest = {[VERSIONS_GLIBC] = "2.43",
                [VERSIONS_GLIBCXX] = "3.4.36",
                [VERSIONS_CXXABI] = "1.3.17",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR GLIBC_ABI_DT_X86_64_PLT GLIBC_ABI_GNU2_TLS"},
    {.system = "Ubuntu",
     .number = "18.04",
     .glibc = "2.27",
     .newest = {[VERSIONS_GLIBC] = "2.27",
                [VERSIONS_GLIBCXX] = "3.4.25",
                [VERSIONS_CXXABI] = "1.3.11",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
    {.system = "Ubuntu",
     .number = "20.04",
     .glibc = "2.31",
     .newest = {[VERSIONS_GLIBC] = "2.31",
                [VERSIONS_GLIBCXX] = "3.4.28",
                [VERSIONS_CXXABI] = "1.3.12",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
    {.system = "Ubuntu",
     .number = "22.04",
     .glibc = "2.35",
     .newest = {[VERSIONS_GLIBC] = "2.35",
                [VERSIONS_GLIBCXX] = "3.4.30",
                [VERSIONS_CXXABI] = "1.3.13",
                [VERSIONS_GCC] = "12.0.0"},
     .from = PEP600},
    {.system = "Ubuntu",
     .number = "24.04",
     .glibc = "2.39",
     .newest = {[VERSIONS_GLIBC] = "2.39",
                [VERSIONS_GLIBCXX] = "3.4.32",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "RHEL",
     .number = "7 (CentOS 7)",
     .glibc = "2.17",
     .newest = {[VERSIONS_GLIBC] = "2.17",
                [VERSIONS_GLIBCXX] = "3.4.19",
                [VERSIONS_CXXABI] = "1.3.7",
                [VERSIONS_GCC] = "4.8.0"},
     .from = PEP600},
    {.system = "RHEL",
     .number = "8",
     .glibc = "2.28",
     .newest = {[VERSIONS_GLIBC] = "2.28",
                [VERSIONS_GLIBCXX] = "3.4.25",
                [VERSIONS_CXXABI] = "1.3.11",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
    {.system = "RHEL",
     .number = "9 (Oracle Linux 9)",
     .glibc = "2.34",
     .newest = {[VERSIONS_GLIBC] = "2.34",
                [VERSIONS_GLIBCXX] = "3.4.29",
                [VERSIONS_CXXABI] = "1.3.13",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
    {.system = "RHEL",
     .number = "10 (CentOS Stream 10)",
     .glibc = "2.39",
     .newest = {[VERSIONS_GLIBC] = "2.39",
                [VERSIONS_GLIBCXX] = "3.4.33",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "Fedora",
     .number = "40",
     .glibc = "2.39",
     .newest = {[VERSIONS_GLIBC] = "2.39",
                [VERSIONS_GLIBCXX] = "3.4.32",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "Fedora",
     .number = "42",
     .glibc = "2.41",
     .newest = {[VERSIONS_GLIBC] = "2.41",
                [VERSIONS_GLIBCXX] = "3.4.34",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "openSUSE Leap",
     .number = "15.6",
     .glibc = "2.38",
     .newest = {[VERSIONS_GLIBC] = "2.38",
                [VERSIONS_GLIBCXX] = "3.4.33",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "openSUSE Leap",
     .number = "16.0",
     .glibc = "2.40",
     .newest = {[VERSIONS_GLIBC] = "2.40",
                [VERSIONS_GLIBCXX] = "3.4.34",
                [VERSIONS_CXXABI] = "1.3.15",
                [VERSIONS_GCC] = "14.0.0"},
     .others = "GLIBC_ABI_DT_RELR",
     .from = PEP600},
    {.system = "Amazon Linux",
     .number = "2023",
     .glibc = "2.34",
     .newest = {[VERSIONS_GLIBC] = "2.34",
                [VERSIONS_GLIBCXX] = "3.4.29",
                [VERSIONS_CXXABI] = "1.3.13",
                [VERSIONS_GCC] = "7.0.0"},
     .from = PEP600},
};
const size_t release_count = sizeof releases / sizeof *releases;

static const char *const prefixes[VERSION_FAMILIES] = {[VERSIONS_GLIBC] = "GLIBC_",
                                                       [VERSIONS_GLIBCXX] = "GLIBCXX_",
                                                       [VERSIONS_CXXABI] = "CXXABI_",
                                                       [VERSIONS_GCC] = "GCC_"};

/* What all rows have. */
static const char common[] = "CXXABI_TM_1";
static const char since_gcc_5[] = "CXXABI_FLOAT128";

/* The number behind the family's prefix, or NULL: no number, or another family. */
static const char *number_of(const char *version, enum version_family *family)
{
    for (unsigned i = 0; i < VERSION_FAMILIES; i++) {
        size_t n = strlen(prefixes[i]);

        if (strncmp(version, prefixes[i], n) == 0 && version[n] &&
            version[n + strspn(version + n, "0123456789.")] == '\0') {
            *family = (enum version_family)i;
            return version + n;
        }
    }
    return NULL;
}

static bool among(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; p && *p; p += strspn(p, " ")) {
        size_t size = strcspn(p, " ");

        if (size == n && strncmp(p, word, n) == 0)
            return true;
        p += size;
    }
    return false;
}

bool release_defines(const struct release *release, const char *version)
{
    enum version_family family;
    const char *number = number_of(version, &family);

    if (number)
        return strverscmp(number, release->newest[family]) <= 0;
    if (strcmp(version, since_gcc_5) == 0) /* CXXABI_1.3.9 came with it */
        return strverscmp("1.3.9", release->newest[VERSIONS_CXXABI]) <= 0;
    return strcmp(version, common) == 0 || among(release->others, version);
}

bool release_knows(const char *version)
{
    enum version_family family;

    if (number_of(version, &family))
        return true;
    for (size_t i = 0; i < release_count; i++)
        if (release_defines(&releases[i], version))
            return true;
    return false;
}

static bool defines_all(const struct release *release, const char *const *versions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!release_defines(release, versions[i]))
            return false;
    return true;
}

size_t releases_with(const char *const *versions, size_t count, const struct release **ret, size_t limit)
{
    const char *last = NULL;
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (!release_knows(versions[i]))
            return 0;
    for (size_t i = 0; i < release_count && found < limit; i++) {
        if ((last && strcmp(last, releases[i].system) == 0) || !defines_all(&releases[i], versions, count))
            continue;
        last = releases[i].system;
        ret[found++] = &releases[i];
    }
    return found;
}

const char *releases_glibc(const char *const *versions, size_t count)
{
    const char *newest = NULL;

    for (size_t i = 0; i < count; i++) {
        enum version_family family;
        const char *number = number_of(versions[i], &family);

        if (number && family == VERSIONS_GLIBC && (!newest || strverscmp(number, newest) > 0))
            newest = number;
    }
    return newest;
}

/* ---- one release of glibc, whoever has it ---- */

static enum release_answer by_rows(const char *glibc, const char *version)
{
    size_t count = 0, defining = 0, older = 0, newer = 0;

    for (size_t i = 0; i < release_count; i++) {
        int order = strverscmp(releases[i].glibc, glibc);
        bool defines = release_defines(&releases[i], version);

        count += order == 0;
        defining += order == 0 && defines;
        older += order < 0 && defines;
        newer += order > 0 && defines;
    }
    if (count)
        return defining == count ? RELEASE_DEFINES : defining ? RELEASE_UNSURE : RELEASE_LACKS;
    return older ? RELEASE_DEFINES : newer ? RELEASE_UNSURE : RELEASE_LACKS;
}

enum release_answer releases_define(const char *glibc, const char *version)
{
    enum version_family family;
    const char *number = number_of(version, &family);

    if (number && family == VERSIONS_GLIBC)
        return strverscmp(number, glibc) <= 0 ? RELEASE_DEFINES : RELEASE_LACKS;
    return release_knows(version) ? by_rows(glibc, version) : RELEASE_UNSURE;
}

char *releases_first(const char *version)
{
    const char *first = NULL;
    enum version_family family;
    const char *number = number_of(version, &family);

    if (number && family == VERSIONS_GLIBC)
        return xstrdup(number);
    for (size_t i = 0; i < release_count; i++)
        if (releases_define(releases[i].glibc, version) == RELEASE_DEFINES &&
            (!first || strverscmp(releases[i].glibc, first) < 0))
            first = releases[i].glibc;
    return xstrdup_or_null(first);
}

char *releases_end(const char *glibc, const char *version)
{
    enum version_family family;
    const char *newest = NULL;

    if (!number_of(version, &family) || family == VERSIONS_GLIBC)
        return NULL;
    for (size_t i = 0; i < release_count; i++)
        if (strcmp(releases[i].glibc, glibc) == 0 && (!newest || strverscmp(releases[i].newest[family], newest) > 0))
            newest = releases[i].newest[family];
    return newest ? xasprintf("%s%s", prefixes[family], newest) : NULL;
}

char *releases_systems(const char *glibc)
{
    char *list = NULL;

    for (size_t i = 0; i < release_count; i++) {
        CLEANUP_FREE char *before = list;

        if (strcmp(releases[i].glibc, glibc) == 0)
            list = xasprintf("%s%s%s %s", before ? before : "", before ? ", " : "", releases[i].system,
                             releases[i].number);
        else
            list = steal_pointer(&before);
    }
    return list;
}

const char *releases_last(void)
{
    const char *last = releases[0].glibc;

    for (size_t i = 1; i < release_count; i++)
        if (strverscmp(releases[i].glibc, last) > 0)
            last = releases[i].glibc;
    return last;
}
