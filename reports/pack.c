#include "pack.h"

#include "utf8.h"

#include <probes/alloc.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DEPTH_MAX = 16,        /* of directories in the reproduction */
    REPRO_FILES_MAX = 4096 /* it is minimal; more means that something else was packed by mistake */
};

static struct member *pack_add(struct pack *pack, char *name_taken, mode_t mode)
{
    struct member *member = array_add(&pack->members, &pack->count, &pack->cap, sizeof *member);

    member->name = name_taken;
    member->mode = mode;
    return member;
}

void pack_deinit(struct pack *pack)
{
    for (size_t i = 0; i < pack->count; i++) {
        free(pack->members[i].name);
        free(pack->members[i].path);
        free(pack->members[i].data);
        free(pack->members[i].link);
    }
    free(pack->members);
    *pack = (struct pack){0};
}

/* --- what goes in --- */

static void pack_rendered(struct pack *pack, const char *name, const struct report *report,
                          const struct bundle_parts *parts,
                          void (*write)(const struct report *, const struct render_options *, FILE *))
{
    const struct render_options options = {.trace = parts->trace};
    struct member *member = pack_add(pack, xstrdup(name), 0644);
    FILE *out = open_memstream(&member->data, &member->size);

    if (!out)
        alloc_failed();
    write(report, &options, out);
    if (fclose(out) != 0)
        alloc_failed();
}

static void write_system(const struct report *report, const struct render_options *options, FILE *out)
{
    (void)options;
    report_system_json(report, out);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* alphasort() would ask the locale */
}

static int is_member(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* A link is packed where it says nothing about the world outside the folder: bundle_read.c asks for the same. */
static int pack_link(struct pack *pack, const char *name, const char *path, struct err *err)
{
    char link[4096];
    ssize_t length = readlink(path, link, sizeof link - 1);

    if (length < 0)
        return err_errno(err, errno, "%s cannot be read", path);
    link[length] = '\0';
    if (link[0] == '/' || strstr(link, ".."))
        return err_set(err, "%s is a link that leads out of the reproduction: %s", path, link);
    pack_add(pack, xstrdup(name), 0777)->link = xstrdup(link);
    return 0;
}

static int pack_directory(struct pack *pack, const char *name, const char *path, int depth, struct err *err);

static int pack_file(struct pack *pack, const char *name, const char *path, int depth, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_errno(err, errno, "%s cannot be packed", path);
    if (pack->count > REPRO_FILES_MAX)
        return err_set(err, "%s: more than %d files are no minimal reproduction", path, REPRO_FILES_MAX);
    if (S_ISLNK(st.st_mode))
        return pack_link(pack, name, path, err);
    if (S_ISDIR(st.st_mode))
        return pack_directory(pack, name, path, depth + 1, err);
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is neither file, directory nor link, and is not packed", path);
    pack_add(pack, xstrdup(name), st.st_mode & S_IXUSR ? 0755 : 0644)->path = xstrdup(path);
    return 0;
}

static int pack_directory(struct pack *pack, const char *name, const char *path, int depth, struct err *err)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_member, by_name), result = 0;

    if (count < 0)
        return err_errno(err, errno, "%s cannot be packed", path);
    if (depth > DEPTH_MAX)
        result = err_set(err, "%s lies too deep", path);
    pack_add(pack, xstrdup(name), 0);
    for (int i = 0; i < count; i++) {
        CLEANUP_FREE char *below = xasprintf("%s/%s", name, entries[i]->d_name);
        CLEANUP_FREE char *there = xasprintf("%s/%s", path, entries[i]->d_name);

        if (result >= 0)
            result = pack_file(pack, below, there, depth, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* --- report.txt: what is in here, what was replaced, then the report --- */

const char *pack_purpose(const char *name)
{
    static const char *const purposes[][2] = {{"report.txt", "this page"},
                                              {"report.json", "the same for programs"},
                                              {"report.html", "the same for a browser, with the events"},
                                              {"report.md", "the same, to be pasted"},
                                              {"trace.jsonl", "every event, one a line"},
                                              {"system.json", "the system that it was seen on"},
                                              {"repro/repro.sh", "the reproduction: sh repro.sh"},
                                              {"repro/control.sh", "the same with the cause mended"}};

    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
        if (strcmp(purposes[i][0], name) == 0)
            return purposes[i][1];
    return "";
}

static void write_contents(const struct pack *pack, const struct report *report, FILE *out)
{
    size_t widest = 0;

    for (size_t i = 0; i < pack->count; i++)
        widest = strlen(pack->members[i].name) > widest ? strlen(pack->members[i].name) : widest;
    fputs("In this bundle:\n", out);
    for (size_t i = 0; i < pack->count; i++) {
        CLEANUP_FREE char *name = utf8_plain(pack->members[i].name);
        const char *what = pack_purpose(pack->members[i].name);

        if (!pack->members[i].mode)
            continue;
        fprintf(out, "  %-*s%s%s\n", *what ? (int)widest : 0, name, *what ? "  " : "", what);
    }
    fputs("\nReplaced in it:\n", out);
    for (size_t i = 0; i < report->redacted.n; i++) {
        CLEANUP_FREE char *phrase = utf8_plain(report->redacted.v[i]);

        fprintf(out, "  %s\n", phrase);
    }
    fputs(report->redacted.n ? "\n" : "  nothing\n\n", out);
    renderer_text.render(report, NULL, out);
}

int pack_all(struct pack *pack, const struct report *report, const struct bundle_parts *parts, struct err *err)
{
    struct member *page;
    FILE *out;

    pack_rendered(pack, "report.json", report, parts, renderer_json.render);
    pack_add(pack, xstrdup("report.txt"), 0644);
    pack_rendered(pack, "report.html", report, parts, renderer_html.render);
    pack_rendered(pack, "report.md", report, parts, renderer_markdown.render);
    pack_add(pack, xstrdup("trace.jsonl"), 0644)->stream = parts->trace;
    pack_rendered(pack, "system.json", report, parts, write_system);
    if (parts->repro_dir && pack_directory(pack, "repro", parts->repro_dir, 0, err) < 0)
        return -1;
    page = &pack->members[1]; /* last, since it names all the others */
    out = open_memstream(&page->data, &page->size);
    if (!out)
        alloc_failed();
    write_contents(pack, report, out);
    if (fclose(out) != 0)
        alloc_failed();
    return 0;
}
