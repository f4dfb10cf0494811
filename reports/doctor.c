#include "doctor_parts.h"

#include "text.h"

#include <probes/accounts.h>
#include <probes/alloc.h>
#include <probes/proc.h>

#include <string.h>
#include <unistd.h>

enum { NAMES_TOLD = 5 };

static const char *const words[] = {
    [TABLE_PLAIN] = "-", [TABLE_GOOD] = "good", [TABLE_WARNING] = "warning", [TABLE_BAD] = "bad"};

void doctor_section(struct doctor *doctor, const char *name, const char *title)
{
    doctor->table = table_add(doctor->report, name, title);
    table_column(doctor->table, "verdict", "");
    table_column(doctor->table, "what", "");
    table_column(doctor->table, "found", "");
    table_below(doctor->table, "advice", "", false);
    table_below(doctor->table, "command", "", true);
}

static void complain(struct doctor *doctor, enum table_mark mark, const char *what)
{
    struct strings *list = mark == TABLE_BAD ? &doctor->complaints : &doctor->doubts;

    doctor->counts[mark]++;
    if (mark < TABLE_WARNING)
        return;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], what) == 0)
            return;
    strings_add(list, xstrdup(what));
}

void doctor_line(struct doctor *doctor, enum table_mark mark, const char *what, struct doctor_line line)
{
    table_cell(doctor->table, mark, "%s", words[mark]);
    table_text(doctor->table, what);
    table_text(doctor->table, line.found);
    table_text(doctor->table, line.advice);
    table_text(doctor->table, line.command);
    complain(doctor, mark, what);
    free(line.found);
    free(line.advice);
    free(line.command);
}

const char *doctor_variable(const struct doctor *doctor, const char *name)
{
    const char *value = env_value(doctor->request->env, name);

    return value && *value ? value : NULL;
}

bool doctor_has_proc(void)
{
    return access("/proc/self/status", R_OK) == 0;
}

static void add_names(struct text *text, const struct strings *names)
{
    for (size_t i = 0; i < names->n && i < NAMES_TOLD; i++)
        text_addf(text, "%s%s", i ? ", " : ": ", names->v[i]);
    if (names->n > NAMES_TOLD)
        text_addf(text, " and %zu more", names->n - NAMES_TOLD);
}

/* "Of 31 things looked at, 1 is bad: watches left; 2 deserve a look: /tmp, AppArmor." */
static char *headline(const struct doctor *doctor)
{
    size_t bad = doctor->counts[TABLE_BAD], warnings = doctor->counts[TABLE_WARNING];
    struct text text = {0};

    if (!bad && !warnings)
        return xasprintf("Nothing bad was found: %zu things were looked at.", doctor->counts[TABLE_GOOD]);
    text_addf(&text, "Of %zu things that were looked at, ", doctor->counts[TABLE_GOOD] + warnings + bad);
    if (bad) {
        text_addf(&text, "%zu %s bad", bad, bad == 1 ? "is" : "are");
        add_names(&text, &doctor->complaints);
    } else {
        text_add(&text, "none is bad");
    }
    if (warnings) {
        text_addf(&text, "; %zu deserve%s a look", warnings, warnings == 1 ? "s" : "");
        add_names(&text, &doctor->doubts);
    }
    text_add(&text, ".");
    return text.v;
}

struct report *doctor_examine(const struct doctor_request *request, size_t *bad)
{
    struct doctor doctor = {.request = request, .report = report_static("")};
    const char *home = doctor_variable(&doctor, "HOME");

    doctor.report->files = FILES_HERE;
    doctor.home = home && *home == '/' ? xstrdup(home) : accounts_home("", geteuid());
    doctor_find(&doctor);
    doctor_machine(&doctor);
    doctor_programs(&doctor);
    doctor_limits(&doctor);
    doctor_workspace(&doctor);
    doctor_session(&doctor);
    doctor_rights(&doctor);
    doctor.report->headline = headline(&doctor);
    *bad = doctor.counts[TABLE_BAD];
    doctor_forget(&doctor);
    strings_deinit(&doctor.complaints);
    strings_deinit(&doctor.doubts);
    free(doctor.home);
    return doctor.report;
}
