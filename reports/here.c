#include "here.h"

#include "utf8.h"

#include <probes/alloc.h>
#include <probes/elffile.h>
#include <probes/libc.h>
#include <probes/path.h>

#include <string.h>

static void add(struct sheet *sheet, const char *label, const char *there, const char *here)
{
    struct fact *row = array_add(&sheet->rows, &sheet->count, &sheet->cap, sizeof *row);
    CLEANUP_FREE char *a = utf8_plain(there), *b = utf8_plain(here);

    row->label = utf8_plain(label);
    row->text = xasprintf("there %s, here %s", a, b);
}

static void compare(struct sheet *sheet, const char *label, const char *there, const char *here)
{
    if (there && here && strcmp(there, here) != 0)
        add(sheet, label, there, here);
}

/* "glibc 2.36"; NULL where the family is not known. */
static char *libc_of(const struct report *report)
{
    if (!report->libc.family || strcmp(report->libc.family, "unknown") == 0)
        return NULL;
    return report->libc.version ? xasprintf("%s %s", report->libc.family, report->libc.version)
                                : xstrdup(report->libc.family);
}

/* A path that is the same everywhere: neither relative nor replaced by a word. */
static bool is_comparable(const char *path)
{
    return path && path[0] == '/' && !strchr(path, '$');
}

/* What the file that was asked then is now. */
static void compare_provider(struct sheet *sheet, const struct cause *cause)
{
    struct libc_identity identity;
    const struct elffile *elf;

    if (!is_comparable(cause->provider))
        return;
    elf = elffile_get("", cause->provider);
    libc_identify("", cause->provider, &identity);
    if (elf->state == ELFFILE_UNREADABLE)
        add(sheet, cause->provider, "it was read", "it cannot be read");
    else if (cause->kind == CAUSE_SYMBOL_VERSION_MISSING && elffile_defines_version(elf, cause->missing)) {
        CLEANUP_FREE char *lacks = xasprintf("it has no %s", cause->missing);
        CLEANUP_FREE char *has = identity.release
                                     ? xasprintf("it has, being of %s %s", identity.family, identity.release)
                                     : xstrdup("it has");

        add(sheet, cause->provider, lacks, has);
    }
    libc_identity_deinit(&identity);
    elffile_put(elf);
}

/* The places that were looked at in vain. */
static void compare_places(struct sheet *sheet, const struct cause *cause)
{
    for (size_t i = 0; i < cause->place_count; i++) {
        const struct place *place = &cause->places[i];
        struct stat st;
        bool there = place->taken;
        bool here = is_comparable(place->path) && path_stat("", place->path, &st) == 0;

        if (!is_comparable(place->path) || there == here)
            continue;
        if (here)
            add(sheet, place->path, place->why ? place->why : "not taken", "there is a file");
        else
            add(sheet, place->path, "it was taken", "there is none");
    }
}

void here_differs(const struct report *there, const struct cause *cause, const struct report *here, struct sheet *ret)
{
    CLEANUP_FREE char *libc_there = libc_of(there), *libc_here = libc_of(here);

    *ret = (struct sheet){0};
    compare(ret, "C library", libc_there, libc_here);
    compare(ret, "its file", there->libc.path, here->libc.path);
    compare(ret, "distribution", there->distribution, here->distribution);
    compare(ret, "kernel", there->kernel, here->kernel);
    compare(ret, "machine", there->machine, here->machine);
    compare(ret, "context", there->context, here->context);
    if (!cause)
        return;
    compare_provider(ret, cause);
    compare_places(ret, cause);
}
