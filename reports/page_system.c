/* The system on the page: what system.json tells, as far as a reader looks for it. */
#include "page.h"

#include "page_text.h"
#include "surroundings.h"
#include "wording.h"

#include <probes/alloc.h>
#include <probes/limits.h>

#include <string.h>

static void put_row(FILE *out, const char *label, const char *open)
{
    fprintf(out, "<tr><th scope=\"row\">%s</th><td>%s", label, open);
}

static void put_programs(FILE *out, const struct surroundings *around)
{
    if (!around->programs.n)
        return;
    put_row(out, "programs", "");
    for (size_t i = 0; i < around->programs.n; i++) {
        const struct program_seen *program = &around->programs.v[i];

        page_element(out, i ? "\n" : "", program->name, "");
        if (program->version)
            page_element(out, " ", program->version, "");
        if (program->built && (!program->version || strcmp(program->built, program->version) != 0))
            page_element(out, ", built by ", program->built, "");
        page_element(out, "   <span class=\"dir\">", program->path, "</span>");
    }
    fputs("</td></tr>\n", out);
}

static void put_mounts(FILE *out, const struct surroundings *around)
{
    if (!around->mount_count)
        return;
    put_row(out, "mounts", "");
    for (size_t i = 0; i < around->mount_count; i++) {
        page_element(out, i ? "\n" : "", around->mounts[i].point, "   <span class=\"dir\">");
        page_raw(out, around->mounts[i].type);
        page_element(out, ", ", around->mounts[i].options, "</span>");
    }
    fputs("</td></tr>\n", out);
}

static void put_value(FILE *out, uint64_t value)
{
    CLEANUP_FREE char *number = wording_number(value);

    fputs(value == LIMITS_INFINITE ? "unlimited" : number, out);
}

/* Those that bound anything. */
static void put_limits(FILE *out, const struct surroundings *around)
{
    fputs("<details><summary>Limits</summary>\n<table class=\"facts limits\">\n", out);
    for (size_t i = 0; i < around->limit_count; i++) {
        const struct limit_seen *limit = &around->limits[i];

        if (limit->soft == LIMITS_INFINITE)
            continue;
        put_row(out, limit->name, "");
        put_value(out, limit->soft);
        if (limit->hard != limit->soft) {
            fputs(", at most ", out);
            put_value(out, limit->hard);
        }
        fputs("</td></tr>\n", out);
    }
    for (size_t i = 0; i < around->sysctl_count; i++) {
        put_row(out, around->sysctls[i].name, "");
        put_value(out, around->sysctls[i].value);
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n</details>\n", out);
}

void page_system(FILE *out, const struct report *report)
{
    CLEANUP_FREE char *system = wording_system(report);
    const struct surroundings *around = report->around;

    if (!system)
        return;
    fputs("<section id=\"system\">\n<h2>System</h2>\n<table class=\"facts\">\n", out);
    put_row(out, "system", "");
    page_escaped(out, system);
    if (around && around->container)
        page_element(out, " (", around->container, ")");
    fputs("</td></tr>\n", out);
    if (report->libc.build) {
        put_row(out, "C library", "");
        page_raw(out, report->libc.build);
        if (report->libc.path)
            page_element(out, "   <span class=\"dir\">", report->libc.path, "</span>");
        fputs("</td></tr>\n", out);
    }
    if (around && around->cpu_level) {
        put_row(out, "processor", "");
        fprintf(out, "x86-64-v%u</td></tr>\n", around->cpu_level);
    }
    if (around) {
        put_programs(out, around);
        put_mounts(out, around);
    }
    fputs("</table>\n", out);
    if (around && around->limit_count + around->sysctl_count)
        put_limits(out, around);
    fputs("</section>\n", out);
}
