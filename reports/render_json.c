/* report.json, written and read back: the only file that knows jansson. Keys and their order are contract.md's. */
#include "report.h"

#include "event.h"
#include "table.h"
#include "utf8.h"

#include <probes/alloc.h>

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>

#define SCHEMA "glibctrace.report/1"

enum {
    EVIDENCE_MAX = 4096 /* event numbers of one cause that are read back */
};

static const char *const hows[] = {[INPUT_LAUNCH] = "launch",
                                   [INPUT_ATTACH] = "attach",
                                   [INPUT_STRACE_LOG] = "strace-log",
                                   [INPUT_LD_DEBUG_LOG] = "ld-debug-log",
                                   [INPUT_TEXT] = "text",
                                   [INPUT_BUNDLE] = "bundle",
                                   [INPUT_STATIC] = "static"};
static const char *const files[] = {
    [FILES_MET] = "met", [FILES_NONE] = "none", [FILES_ROOT] = "root", [FILES_HERE] = "here"};
static const char *const statuses[] = {[OUTCOME_EXITED] = "exited",
                                       [OUTCOME_SIGNALED] = "signaled",
                                       [OUTCOME_EXEC_FAILED] = "exec-failed",
                                       [OUTCOME_DETACHED] = "detached",
                                       [OUTCOME_UNKNOWN] = "unknown"};
static const char *const impacts[] = {[IMPACT_FATAL] = "fatal", [IMPACT_DEGRADED] = "degraded"};
static const char *const proofs[] = {[PROOF_KNOWN] = "known", [PROOF_MODELLED] = "modelled", [PROOF_TRIED] = "tried"};
static const char *const repro_statuses[] = {
    [REPRO_VERIFIED] = "verified", [REPRO_DIFFERS] = "differs", [REPRO_NOT_ATTEMPTED] = "not-attempted"};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* --- writing --- */

static json_t *checked(json_t *json)
{
    if (!json)
        alloc_failed(); /* what goes in is valid UTF-8 and finite, so nothing else can be the reason */
    return json;
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, checked(value)) < 0)
        alloc_failed();
}

static void push(json_t *array, json_t *value)
{
    if (json_array_append_new(array, checked(value)) < 0)
        alloc_failed();
}

static json_t *of_string(const char *s)
{
    CLEANUP_FREE char *valid = s ? utf8_valid(s) : NULL;

    return valid ? json_string(valid) : json_null();
}

static json_t *of_strings(const struct strings *list)
{
    json_t *array = checked(json_array());

    for (size_t i = 0; i < list->n; i++)
        push(array, of_string(list->v[i]));
    return array;
}

static json_t *of_address(uint64_t addr)
{
    char text[24];

    snprintf(text, sizeof text, "0x%llx", (unsigned long long)addr);
    return json_string(text);
}

/* VALUE, not negative, rounded to parts of 1/SCALE; what is not a number, or beyond all use, is told as 0. */
static json_t *of_real(double value, int scale)
{
    return json_real(value >= 0 && value < 1e12 ? (double)(int64_t)(value * scale + 0.5) / scale : 0);
}

static json_t *of_frame(const struct frame *frame)
{
    json_t *object = checked(json_object());

    if (frame->ip_addr || !frame->symbol)
        put(object, "ip", of_address(frame->ip_addr));
    if (frame->object) {
        put(object, "object", of_string(frame->object));
        put(object, "offset", of_address(frame->offset));
    }
    if (frame->symbol)
        put(object, "symbol", of_string(frame->symbol));
    if (frame->file)
        put(object, "file", of_string(frame->file));
    if (frame->line)
        put(object, "line", json_integer(frame->line));
    return object;
}

static json_t *of_remedy(const struct remedy *remedy)
{
    return json_pack("{s:o, s:o, s:s, s:o}", "title", of_string(remedy->title), "commands",
                     of_strings(&remedy->commands), "proof", proofs[remedy->proof], "risk", of_string(remedy->risk));
}

static json_t *of_fact(const struct fact *fact)
{
    return json_pack("{s:o, s:o}", "label", of_string(fact->label), "text", of_string(fact->text));
}

static json_t *of_place(const struct place *place)
{
    return json_pack("{s:o, s:o, s:o, s:b}", "path", of_string(place->path), "from", of_string(place->from), "why",
                     of_string(place->why), "taken", place->taken);
}

static json_t *of_process(const struct cause *cause)
{
    return json_pack("{s:i, s:o, s:o}", "pid", (int)cause->pid, "exe", of_string(cause->exe), "argv",
                     of_strings(&cause->argv));
}

static void put_lists(json_t *object, const struct cause *cause)
{
    json_t *stack = checked(json_array()), *evidence = checked(json_array()), *remedies = checked(json_array()),
           *facts = checked(json_array()), *places = checked(json_array());

    for (size_t i = 0; i < cause->stack_count; i++)
        push(stack, of_frame(&cause->stack[i]));
    for (size_t i = 0; i < cause->evidence_count; i++)
        push(evidence, json_integer((json_int_t)cause->evidence[i]));
    for (size_t i = 0; i < cause->remedy_count; i++)
        push(remedies, of_remedy(&cause->remedies[i]));
    for (size_t i = 0; i < cause->fact_count; i++)
        push(facts, of_fact(&cause->facts[i]));
    for (size_t i = 0; i < cause->place_count; i++)
        push(places, of_place(&cause->places[i]));
    put(object, "stack", stack);
    put(object, "evidence", evidence);
    put(object, "remedies", remedies);
    put(object, "seconds", cause->seconds < 0 ? json_null() : of_real(cause->seconds, 1000000));
    put(object, "facts", facts);
    put(object, "places", places);
}

static json_t *of_crash(const struct cause *cause)
{
    json_t *object = checked(json_object());

    for (size_t i = 0; i < cause->crash_count; i++) {
        CLEANUP_FREE char *title = utf8_valid(cause->crash[i].title);

        put(object, title, of_strings(&cause->crash[i].lines));
    }
    return object;
}

static json_t *of_cause(const struct cause *cause)
{
    json_t *object = checked(json_object());
    double confidence = cause->confidence > 1 ? 1 : cause->confidence;

    put(object, "kind", json_string(cause_kind_name(cause->kind)));
    put(object, "impact", json_string(impacts[cause->impact]));
    put(object, "confidence", of_real(confidence, 100));
    put(object, "subject", of_string(cause->subject));
    put(object, "missing", of_string(cause->missing));
    put(object, "provider", of_string(cause->provider));
    put(object, "process", of_process(cause));
    put(object, "chain", of_strings(&cause->chain));
    put(object, "summary", of_string(cause->summary));
    put(object, "detail", of_string(cause->detail ? cause->detail : ""));
    put(object, "words", of_string(cause->words));
    put(object, "symbols", of_strings(&cause->symbols));
    put_lists(object, cause);
    if (cause->crash_count)
        put(object, "crash", of_crash(cause));
    return object;
}

static json_t *of_input(const struct report *report)
{
    json_t *object = checked(json_object());

    put(object, "how", json_string(hows[report->how]));
    if (report->files != FILES_MET)
        put(object, "files", json_string(files[report->files]));
    put(object, "argv", of_strings(&report->argv));
    put(object, "pid", json_integer(report->pid));
    return object;
}

static json_t *of_outcome(const struct report *report)
{
    json_t *object = checked(json_object());
    bool coded = report->status == OUTCOME_EXITED || report->status == OUTCOME_EXEC_FAILED;

    put(object, "status", json_string(statuses[report->status]));
    put(object, "code", coded ? json_integer(report->code) : json_null());
    put(object, "signal", report->status == OUTCOME_SIGNALED ? of_string(signal_name(report->signal)) : json_null());
    return object;
}

static json_t *of_system(const struct report *report)
{
    json_t *libc = json_pack(
        "{s:o, s:o, s:o, s:o}", "family", of_string(report->libc.family ? report->libc.family : "unknown"), "version",
        of_string(report->libc.version), "path", of_string(report->libc.path), "from", of_string(report->libc.from));

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "libc", checked(libc), "context", of_string(report->context),
                     "kernel", of_string(report->kernel), "machine", of_string(report->machine), "distribution",
                     of_string(report->distribution));
}

static json_t *of_counts(const struct report *report)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "events", (json_int_t)report->events, "failed",
                     (json_int_t)report->failed, "processes", (json_int_t)report->processes, "threads",
                     (json_int_t)report->threads, "lost", (json_int_t)report->lost);
}

static json_t *of_reproduction(const struct report *report)
{
    if (!report->has_repro)
        return json_null();
    return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o}", "status", repro_statuses[report->repro_status], "command",
                     of_string(report->repro_command), "files", (json_int_t)report->repro_files, "bytes",
                     (json_int_t)report->repro_bytes, "expect", of_string(report->repro_expect), "why",
                     of_string(report->repro_why));
}

static json_t *of_minimal(const struct report *report)
{
    return json_pack("{s:o, s:I, s:I}", "words", of_strings(&report->minimal), "variables",
                     (json_int_t)report->minimal_variables, "runs", (json_int_t)report->minimal_runs);
}

static json_t *of_cell(const struct table_column *column, const char *text)
{
    char *end;
    long long number;

    if (!column->number)
        return of_string(text);
    number = strtoll(text, &end, 10);
    return *text && !*end ? json_integer(number) : json_null();
}

static json_t *of_table(const struct table *table)
{
    json_t *rows = checked(json_array());

    for (size_t row = 0; row < table_rows(table); row++) {
        json_t *object = checked(json_object());
        enum table_mark worst = TABLE_PLAIN;

        for (size_t i = 0; i < table->column_count; i++) {
            const struct table_cell *cell = table_at(table, row, i);

            put(object, table->columns[i].key, of_cell(&table->columns[i], cell->text));
            worst = cell->mark > worst ? cell->mark : worst;
        }
        if (worst != TABLE_PLAIN)
            put(object, "mark", json_string(table_mark_name(worst)));
        push(rows, object);
    }
    return rows;
}

static json_t *of_tool(void)
{
    return json_pack("{s:s}", "version", GLIBCTRACE_VERSION);
}

static void dump(json_t *top, FILE *out)
{
    json_dumpf(top, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)); /* a write error stays in OUT for ferror() */
    fputc('\n', out);
    json_decref(top);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    json_t *top = checked(json_object()), *causes = checked(json_array());

    (void)options;
    for (size_t i = 0; i < report->cause_count; i++)
        push(causes, of_cause(report->causes[i]));
    put(top, "schema", json_string(SCHEMA));
    put(top, "tool", of_tool());
    put(top, "input", of_input(report));
    put(top, "outcome", of_outcome(report));
    put(top, "system", of_system(report));
    put(top, "causes", causes);
    put(top, "counts", of_counts(report));
    put(top, "reproduction", of_reproduction(report));
    put(top, "seconds", of_real(report->seconds, 1000000));
    put(top, "ruled_out", of_strings(&report->ruled_out));
    put(top, "unseen", of_strings(&report->unseen));
    put(top, "said", of_strings(&report->said));
    put(top, "looked_in", of_strings(&report->looked_in));
    if (report->minimal.n)
        put(top, "minimal", of_minimal(report));
    if (report->headline)
        put(top, "headline", of_string(report->headline));
    for (size_t i = 0; i < report->table_count; i++)
        put(top, report->tables[i]->name, of_table(report->tables[i]));
    put(top, "redacted", of_strings(&report->redacted));
    dump(top, out);
}

const struct renderer renderer_json = {.name = "json", .ending = ".json", .render = render};

/* --- reading back: absent keys leave what report_create() and cause_create() set, unknown ones are passed over --- */

static char *get_string(const json_t *object, const char *key)
{
    return xstrdup_or_null(json_string_value(json_object_get(object, key)));
}

static uint64_t get_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

/* For what is an int with us: 0 where the number is none. */
static int get_int(const json_t *object, const char *key)
{
    uint64_t value = get_count(object, key);

    return value <= INT_MAX ? (int)value : 0;
}

static void get_strings(const json_t *object, const char *key, struct strings *ret)
{
    const json_t *array = json_object_get(object, key);
    size_t count = json_array_size(array);

    for (size_t i = 0; i < count; i++)
        if (json_is_string(json_array_get(array, i)))
            strings_add(ret, xstrdup(json_string_value(json_array_get(array, i))));
}

static uint64_t get_address(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? strtoull(text, NULL, 16) : 0;
}

/* The index of OBJECT's KEY in NAMES; -1 and ERR where it is none of them. */
static int get_name(const json_t *object, const char *key, const char *const *names, size_t count, struct err *err)
{
    const char *text = json_string_value(json_object_get(object, key));

    for (size_t i = 0; text && i < count; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return err_set(err, "\"%s\" is %s%.60s%s, which this version does not know", key, text ? "\"" : "",
                   text ? text : "absent", text ? "\"" : "");
}

static void get_stack(const json_t *array, struct cause *cause)
{
    size_t cap = 0, count = json_array_size(array);

    for (size_t i = 0; i < count; i++) {
        const json_t *from = json_array_get(array, i);
        struct frame *frame = array_add(&cause->stack, &cause->stack_count, &cap, sizeof *frame);

        frame->ip_addr = get_address(from, "ip");
        frame->object = get_string(from, "object");
        frame->offset = get_address(from, "offset");
        frame->symbol = get_string(from, "symbol");
        frame->file = get_string(from, "file");
        frame->line = (unsigned)get_int(from, "line");
    }
}

static int get_remedies(const json_t *array, struct cause *cause, struct err *err)
{
    size_t count = json_array_size(array);

    for (size_t i = 0; i < count; i++) {
        const json_t *from = json_array_get(array, i);
        int proof = get_name(from, "proof", proofs, COUNT_OF(proofs), err);
        struct remedy *remedy;

        if (proof < 0)
            return -1;
        remedy = array_add(&cause->remedies, &cause->remedy_count, &cause->remedy_cap, sizeof *remedy);
        remedy->proof = (enum proof)proof;
        remedy->title = get_string(from, "title");
        get_strings(from, "commands", &remedy->commands);
        remedy->risk = get_string(from, "risk");
    }
    return 0;
}

static void get_facts_and_places(const json_t *object, struct cause *cause)
{
    const json_t *facts = json_object_get(object, "facts"), *places = json_object_get(object, "places");
    size_t fact_count = json_array_size(facts), place_count = json_array_size(places);

    for (size_t i = 0; i < fact_count; i++) {
        const char *label = json_string_value(json_object_get(json_array_get(facts, i), "label"));
        const char *text = json_string_value(json_object_get(json_array_get(facts, i), "text"));

        if (label && text)
            cause_fact(cause, label, "%s", text);
    }
    for (size_t i = 0; i < place_count; i++) {
        const json_t *from = json_array_get(places, i);
        const char *path = json_string_value(json_object_get(from, "path"));

        if (path)
            cause_place(cause, path, json_string_value(json_object_get(from, "from")),
                        json_string_value(json_object_get(from, "why")), json_is_true(json_object_get(from, "taken")));
    }
}

static void get_crash(json_t *from, struct cause *cause)
{
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at)) {
        const char *title = json_object_iter_key(at);

        get_strings(from, title, &cause_section(cause, "%s", title)->lines);
    }
}

static void get_texts(const json_t *from, struct cause *cause)
{
    const json_t *process = json_object_get(from, "process"), *seconds = json_object_get(from, "seconds");

    cause->confidence = json_number_value(json_object_get(from, "confidence"));
    cause->subject = get_string(from, "subject");
    cause->missing = get_string(from, "missing");
    cause->provider = get_string(from, "provider");
    cause->pid = get_int(process, "pid");
    cause->exe = get_string(process, "exe");
    get_strings(process, "argv", &cause->argv);
    get_strings(from, "chain", &cause->chain);
    cause->summary = get_string(from, "summary");
    cause->detail = get_string(from, "detail");
    cause->words = get_string(from, "words");
    get_strings(from, "symbols", &cause->symbols);
    if (json_is_number(seconds) && json_number_value(seconds) >= 0)
        cause->seconds = json_number_value(seconds);
}

static int get_cause(const json_t *from, struct report *report, struct err *err)
{
    const char *kind = json_string_value(json_object_get(from, "kind"));
    const json_t *evidence = json_object_get(from, "evidence");
    int impact = get_name(from, "impact", impacts, COUNT_OF(impacts), err);
    struct cause *cause;

    if (impact < 0)
        return -1;
    if (!kind || cause_kind_value(kind) < 0)
        return err_set(err, "\"kind\" is \"%.60s\", which this version does not know", kind ? kind : "");
    cause = cause_create((enum cause_kind)cause_kind_value(kind));
    report_add_cause(report, cause);
    cause->impact = (enum impact)impact;
    get_texts(from, cause);
    for (size_t i = 0; i < json_array_size(evidence) && i < EVIDENCE_MAX; i++)
        if (json_integer_value(json_array_get(evidence, i)) > 0)
            cause_evidence(cause, (uint64_t)json_integer_value(json_array_get(evidence, i)));
    get_stack(json_object_get(from, "stack"), cause);
    get_facts_and_places(from, cause);
    get_crash(json_object_get(from, "crash"), cause);
    return get_remedies(json_object_get(from, "remedies"), cause, err);
}

static void get_system(const json_t *system, struct report *report)
{
    const json_t *libc = json_object_get(system, "libc");

    report->libc = (struct libc_facts){.family = get_string(libc, "family"),
                                       .version = get_string(libc, "version"),
                                       .path = get_string(libc, "path"),
                                       .from = get_string(libc, "from")};
    report->context = get_string(system, "context");
    report->kernel = get_string(system, "kernel");
    report->machine = get_string(system, "machine");
    report->distribution = get_string(system, "distribution");
}

static int get_outcome(const json_t *top, struct report *report, struct err *err)
{
    const json_t *input = json_object_get(top, "input"), *outcome = json_object_get(top, "outcome");
    const char *signal = json_string_value(json_object_get(outcome, "signal"));
    int how = get_name(input, "how", hows, COUNT_OF(hows), err);
    int status = how < 0 ? -1 : get_name(outcome, "status", statuses, COUNT_OF(statuses), err);

    if (status < 0)
        return -1;
    report->how = (enum input_how)how;
    if (json_object_get(input, "files"))
        report->files = (enum input_files)get_name(input, "files", files, COUNT_OF(files), err);
    if ((int)report->files < 0)
        return -1;
    get_strings(input, "argv", &report->argv);
    report->pid = get_int(input, "pid");
    report->status = (enum outcome_status)status;
    report->code = get_int(outcome, "code");
    report->signal = signal ? signal_value(signal) : 0;
    return 0;
}

static int get_reproduction(const json_t *from, struct report *report, struct err *err)
{
    int status;

    if (!json_is_object(from))
        return 0;
    status = get_name(from, "status", repro_statuses, COUNT_OF(repro_statuses), err);
    if (status < 0)
        return -1;
    report->has_repro = true;
    report->repro_status = (enum repro_status)status;
    report->repro_command = get_string(from, "command");
    report->repro_files = get_count(from, "files");
    report->repro_bytes = get_count(from, "bytes");
    report->repro_expect = get_string(from, "expect");
    report->repro_why = get_string(from, "why");
    return 0;
}

static int get_report(const json_t *top, struct report *report, struct err *err)
{
    const char *schema = json_string_value(json_object_get(top, "schema"));
    const json_t *counts = json_object_get(top, "counts"), *causes = json_object_get(top, "causes");
    const json_t *minimal = json_object_get(top, "minimal");
    double seconds = json_number_value(json_object_get(top, "seconds"));

    if (!schema || strcmp(schema, SCHEMA) != 0)
        return err_set(err, "\"schema\" is \"%.60s\", not \"" SCHEMA "\"", schema ? schema : "");
    if (get_outcome(top, report, err) < 0)
        return -1;
    get_system(json_object_get(top, "system"), report);
    for (size_t i = 0; i < json_array_size(causes); i++)
        if (get_cause(json_array_get(causes, i), report, err) < 0)
            return -1;
    report->events = get_count(counts, "events");
    report->failed = get_count(counts, "failed");
    report->processes = get_count(counts, "processes");
    report->threads = get_count(counts, "threads");
    report->lost = get_count(counts, "lost");
    report->seconds = seconds > 0 ? seconds : 0;
    get_strings(top, "ruled_out", &report->ruled_out);
    get_strings(top, "unseen", &report->unseen);
    get_strings(top, "said", &report->said);
    get_strings(top, "looked_in", &report->looked_in);
    get_strings(top, "redacted", &report->redacted);
    get_strings(minimal, "words", &report->minimal);
    report->minimal_variables = get_count(minimal, "variables");
    report->minimal_runs = get_count(minimal, "runs");
    return get_reproduction(json_object_get(top, "reproduction"), report, err);
}

int report_json_parse(const char *data, size_t size, const char *name, struct report **ret, struct err *err)
{
    json_error_t fault;
    json_t *top = json_loadb(data, size, JSON_REJECT_DUPLICATES, &fault);
    struct report *report;
    struct err why;
    int result;

    if (!top)
        return err_set(err, "%s: no JSON: %s (line %d)", name, fault.text, fault.line);
    report = report_create();
    result = get_report(top, report, &why);
    json_decref(top);
    if (result < 0) {
        report_destroy(report);
        return err_set(err, "%s: no report of glibctrace: %s", name, why.text);
    }
    *ret = report;
    return 0;
}
