#include "report.h"
#include "scenario.h"
#include "surroundings.h"
#include "table.h"

#include <probes/alloc.h>
#include <probes/system.h>

#include <stdarg.h>
#include <string.h>

static const char *const kind_names[CAUSE_KIND_COUNT] = {
    [CAUSE_SYMBOL_VERSION_MISSING] = "symbol-version-missing",
    [CAUSE_SYMBOL_MISSING] = "symbol-missing",
    [CAUSE_LIBRARY_MISSING] = "library-missing",
    [CAUSE_LIBRARY_OFF_PATH] = "library-off-path",
    [CAUSE_LIBRARY_SHADOWED] = "library-shadowed",
    [CAUSE_LOADER_LIBC_SKEW] = "loader-libc-skew",
    [CAUSE_LIBC_FAMILY_MISMATCH] = "libc-family-mismatch",
    [CAUSE_INTERPRETER_MISSING] = "interpreter-missing",
    [CAUSE_SCRIPT_INTERPRETER_MISSING] = "script-interpreter-missing",
    [CAUSE_WRONG_ARCHITECTURE] = "wrong-architecture",
    [CAUSE_CPU_LEVEL_TOO_LOW] = "cpu-level-too-low",
    [CAUSE_OBJECT_CORRUPT] = "object-corrupt",
    [CAUSE_SYMLINK_LOOP] = "symlink-loop",
    [CAUSE_SYMLINK_DANGLING] = "symlink-dangling",
    [CAUSE_FILE_MISSING] = "file-missing",
    [CAUSE_PERMISSION_DENIED] = "permission-denied",
    [CAUSE_NOEXEC_MOUNT] = "noexec-mount",
    [CAUSE_STATIC_TLS_EXHAUSTED] = "static-tls-exhausted",
    [CAUSE_EXECSTACK_REFUSED] = "execstack-refused",
    [CAUSE_SYSCALL_BLOCKED] = "syscall-blocked",
    [CAUSE_SANDBOX_UNAVAILABLE] = "sandbox-unavailable",
    [CAUSE_WATCH_LIMIT] = "watch-limit",
    [CAUSE_RESOURCE_LIMIT] = "resource-limit",
    [CAUSE_COMMAND_NOT_FOUND] = "command-not-found",
    [CAUSE_ENVIRONMENT_WRONG] = "environment-wrong",
    [CAUSE_CONNECTION_REFUSED] = "connection-refused",
    [CAUSE_MODULE_ABI_MISMATCH] = "module-abi-mismatch",
    [CAUSE_CRASH] = "crash",
};

const char *cause_kind_name(enum cause_kind kind)
{
    return kind_names[kind];
}

int cause_kind_value(const char *name)
{
    for (int kind = 0; kind < CAUSE_KIND_COUNT; kind++)
        if (strcmp(kind_names[kind], name) == 0)
            return kind;
    return -1;
}

void strings_add(struct strings *list, char *taken)
{
    char **element = array_add(&list->v, &list->n, &list->cap, sizeof *list->v);

    *element = taken;
}

void strings_addf(struct strings *list, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    strings_add(list, xvasprintf(format, ap));
    va_end(ap);
}

void strings_move(struct strings *from, struct strings *to)
{
    for (size_t i = 0; i < from->n; i++)
        strings_add(to, from->v[i]);
    from->n = 0;
}

void strings_deinit(struct strings *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct strings){0};
}

struct cause *cause_create(enum cause_kind kind)
{
    struct cause *cause = xcalloc(1, sizeof *cause);

    cause->kind = kind;
    cause->seconds = -1;
    return cause;
}

void remedy_deinit(struct remedy *remedy)
{
    free(remedy->title);
    strings_deinit(&remedy->commands);
    free(remedy->risk);
    free(remedy->trial_text);
    free(remedy->ask_what);
    free(remedy->ask_root);
    free(remedy->ask_machine);
}

static void remedies_free(struct remedy *remedies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        remedy_deinit(&remedies[i]);
    free(remedies);
}

static void facts_free(struct fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(facts[i].label);
        free(facts[i].text);
    }
    free(facts);
}

static void places_free(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(places[i].path);
        free(places[i].from);
        free(places[i].why);
    }
    free(places);
}

static void sections_free(struct section *sections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(sections[i].title);
        strings_deinit(&sections[i].lines);
    }
    free(sections);
}

void cause_destroy(struct cause *cause)
{
    if (!cause)
        return;
    free(cause->subject);
    free(cause->missing);
    free(cause->provider);
    free(cause->elsewhere);
    free(cause->exe);
    strings_deinit(&cause->argv);
    strings_deinit(&cause->chain);
    free(cause->summary);
    free(cause->detail);
    free(cause->words);
    strings_deinit(&cause->symbols);
    frames_free(cause->stack, cause->stack_count);
    free(cause->evidence);
    remedies_free(cause->remedies, cause->remedy_count);
    facts_free(cause->facts, cause->fact_count);
    places_free(cause->places, cause->place_count);
    sections_free(cause->crash, cause->crash_count);
    if (cause->scenario)
        scenario_destroy(cause->scenario);
    free(cause);
}

void cause_fact(struct cause *cause, const char *label, const char *format, ...)
{
    struct fact *fact = array_add(&cause->facts, &cause->fact_count, &cause->fact_cap, sizeof *fact);
    va_list ap;

    fact->label = xstrdup(label);
    va_start(ap, format);
    fact->text = xvasprintf(format, ap);
    va_end(ap);
}

struct section *cause_section(struct cause *cause, const char *format, ...)
{
    struct section *section = array_add(&cause->crash, &cause->crash_count, &cause->crash_cap, sizeof *section);
    va_list ap;

    va_start(ap, format);
    section->title = xvasprintf(format, ap);
    va_end(ap);
    return section;
}

struct remedy *cause_remedy(struct cause *cause, enum proof proof, const char *format, ...)
{
    struct remedy *remedy = array_add(&cause->remedies, &cause->remedy_count, &cause->remedy_cap, sizeof *remedy);
    va_list ap;

    remedy->proof = proof;
    va_start(ap, format);
    remedy->title = xvasprintf(format, ap);
    va_end(ap);
    return remedy;
}

void cause_evidence(struct cause *cause, uint64_t n)
{
    uint64_t *element;

    for (size_t i = 0; i < cause->evidence_count; i++)
        if (cause->evidence[i] == n)
            return;
    element = array_add(&cause->evidence, &cause->evidence_count, &cause->evidence_cap, sizeof *element);
    *element = n;
}

void cause_place(struct cause *cause, const char *path, const char *from, const char *why, bool taken)
{
    struct place *place = array_add(&cause->places, &cause->place_count, &cause->place_cap, sizeof *place);

    place->path = xstrdup(path);
    place->from = xstrdup_or_null(from);
    place->why = xstrdup_or_null(why);
    place->taken = taken;
}

struct report *report_create(void)
{
    struct report *report = xcalloc(1, sizeof *report);

    report->status = OUTCOME_UNKNOWN;
    report->repro_status = REPRO_NOT_ATTEMPTED;
    return report;
}

struct report *report_static(const char *root)
{
    struct report *report = report_create();
    struct system_facts facts;

    report->how = INPUT_STATIC;
    system_facts_read(root, &facts);
    report->context = xstrdup_or_null(facts.context);
    report->kernel = steal_pointer(&facts.kernel);
    report->machine = steal_pointer(&facts.machine);
    report->distribution = steal_pointer(&facts.distribution);
    system_facts_deinit(&facts);
    return report;
}

void report_add_cause(struct report *report, struct cause *cause_taken)
{
    struct cause **place = array_add(&report->causes, &report->cause_count, &report->cause_cap, sizeof *place);

    *place = cause_taken;
}

void report_move_causes(struct report *from, struct report *to)
{
    for (size_t i = 0; i < from->cause_count; i++)
        report_add_cause(to, from->causes[i]);
    from->cause_count = 0;
}

void report_destroy(struct report *report)
{
    if (!report)
        return;
    strings_deinit(&report->argv);
    free(report->libc.family);
    free(report->libc.version);
    free(report->libc.path);
    free(report->libc.from);
    free(report->libc.build);
    surroundings_destroy(report->around);
    free(report->context);
    free(report->kernel);
    free(report->machine);
    free(report->distribution);
    for (size_t i = 0; i < report->cause_count; i++)
        cause_destroy(report->causes[i]);
    free(report->causes);
    strings_deinit(&report->ruled_out);
    strings_deinit(&report->unseen);
    strings_deinit(&report->said);
    strings_deinit(&report->looked_in);
    strings_deinit(&report->redacted);
    strings_deinit(&report->minimal);
    free(report->headline);
    for (size_t i = 0; i < report->table_count; i++)
        table_destroy(report->tables[i]);
    free(report->tables);
    free(report->repro_command);
    free(report->repro_expect);
    free(report->repro_why);
    free(report);
}
