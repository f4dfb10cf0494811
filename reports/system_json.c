/* The bundle's system.json: report.json's "system", and what was around the process that failed. What is not known is
 * left out, but for the keys that report.json always has. */
#include "json_text.h"
#include "report.h"
#include "surroundings.h"

#include <probes/limits.h>

#include <string.h>

/* A JSON text in the making, two blanks a level. */
struct writer {
    struct text text;
    unsigned depth;
    bool empty; /* nothing stands yet in the object or array that is open */
};

static void next(struct writer *writer, const char *key)
{
    text_add(&writer->text, writer->empty ? "\n" : ",\n");
    for (unsigned i = 0; i < writer->depth; i++)
        text_add(&writer->text, "  ");
    writer->empty = false;
    if (key)
        text_addf(&writer->text, "\"%s\": ", key);
}

static void open_with(struct writer *writer, const char *key, char bracket)
{
    if (writer->depth)
        next(writer, key);
    text_addc(&writer->text, bracket);
    writer->depth++;
    writer->empty = true;
}

static void close_with(struct writer *writer, char bracket)
{
    writer->depth--;
    if (!writer->empty) {
        text_addc(&writer->text, '\n');
        for (unsigned i = 0; i < writer->depth; i++)
            text_add(&writer->text, "  ");
    }
    writer->empty = false;
    text_addc(&writer->text, bracket);
}

/* ALWAYS: null where it is not known. */
static void put(struct writer *writer, const char *key, const char *value, bool always)
{
    if (!value && !always)
        return;
    next(writer, key);
    if (value)
        json_text_add(&writer->text, value);
    else
        text_add(&writer->text, "null");
}

static void put_number(struct writer *writer, const char *key, uint64_t value)
{
    next(writer, key);
    if (value == LIMITS_INFINITE)
        text_add(&writer->text, "\"unlimited\"");
    else
        text_addf(&writer->text, "%llu", (unsigned long long)value);
}

static void put_libc(struct writer *writer, const struct libc_facts *libc)
{
    open_with(writer, "libc", '{');
    put(writer, "family", libc->family ? libc->family : "unknown", true);
    put(writer, "version", libc->version, true);
    put(writer, "path", libc->path, true);
    put(writer, "from", libc->from, true);
    put(writer, "build", libc->build, false);
    close_with(writer, '}');
}

static void put_limits(struct writer *writer, const struct surroundings *around)
{
    if (around->limit_count)
        open_with(writer, "limits", '{');
    for (size_t i = 0; i < around->limit_count; i++) {
        open_with(writer, around->limits[i].name, '{');
        put_number(writer, "soft", around->limits[i].soft);
        put_number(writer, "hard", around->limits[i].hard);
        close_with(writer, '}');
    }
    if (around->limit_count)
        close_with(writer, '}');
    if (around->sysctl_count)
        open_with(writer, "sysctls", '{');
    for (size_t i = 0; i < around->sysctl_count; i++)
        put_number(writer, around->sysctls[i].name, around->sysctls[i].value);
    if (around->sysctl_count)
        close_with(writer, '}');
}

static void put_mounts(struct writer *writer, const struct surroundings *around)
{
    if (!around->mount_count)
        return;
    open_with(writer, "mounts", '[');
    for (size_t i = 0; i < around->mount_count; i++) {
        open_with(writer, NULL, '{');
        put(writer, "point", around->mounts[i].point, true);
        put(writer, "type", around->mounts[i].type, true);
        put(writer, "options", around->mounts[i].options, true);
        close_with(writer, '}');
    }
    close_with(writer, ']');
}

static void put_programs(struct writer *writer, const struct surroundings *around)
{
    if (!around->programs.n)
        return;
    open_with(writer, "programs", '[');
    for (size_t i = 0; i < around->programs.n; i++) {
        const struct program_seen *program = &around->programs.v[i];

        open_with(writer, NULL, '{');
        put(writer, "name", program->name, true);
        put(writer, "version", program->version, false);
        put(writer, "commit", program->commit, false);
        put(writer, "go", program->built, false);
        put(writer, "path", program->path, true);
        close_with(writer, '}');
    }
    close_with(writer, ']');
}

static void put_around(struct writer *writer, const struct surroundings *around)
{
    char level[16];

    snprintf(level, sizeof level, "x86-64-v%u", around->cpu_level);
    put(writer, "cpu", around->cpu_level ? level : NULL, false);
    put(writer, "container", around->container, false);
    put_limits(writer, around);
    put_mounts(writer, around);
    put_programs(writer, around);
}

void report_system_json(const struct report *report, FILE *out)
{
    struct writer writer = {0};

    open_with(&writer, NULL, '{');
    put(&writer, "schema", "glibctrace.system/1", true);
    open_with(&writer, "tool", '{');
    put(&writer, "version", GLIBCTRACE_VERSION, true);
    close_with(&writer, '}');
    open_with(&writer, "system", '{');
    put_libc(&writer, &report->libc);
    put(&writer, "context", report->context, true);
    put(&writer, "kernel", report->kernel, true);
    put(&writer, "machine", report->machine, true);
    put(&writer, "distribution", report->distribution, true);
    if (report->around)
        put_around(&writer, report->around);
    close_with(&writer, '}');
    close_with(&writer, '}');
    text_addc(&writer.text, '\n');
    fwrite(writer.text.v, 1, writer.text.n, out);
    text_deinit(&writer.text);
}
