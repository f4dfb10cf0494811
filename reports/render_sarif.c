/* The causes for continuous integration: SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), which code
 * hosting sites show beside the files. One rule a kind, one result a cause, at the file that makes the demand. */
#include "report.h"

#include "json_text.h"
#include "utf8.h"
#include "wording.h"

#include <probes/alloc.h>

#include <string.h>

static void add_pair(struct text *out, const char *before, const char *value, const char *after)
{
    text_add(out, before);
    json_text_add(out, value);
    text_add(out, after);
}

static bool first_of_kind(const struct report *report, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (report->causes[i]->kind == report->causes[at]->kind)
            return false;
    return true;
}

static void add_rules(struct text *out, const struct report *report)
{
    const char *before = "";

    for (size_t i = 0; i < report->cause_count; i++) {
        enum cause_kind kind = report->causes[i]->kind;

        if (!first_of_kind(report, i))
            continue;
        text_add(out, before);
        add_pair(out, "{\"id\": ", cause_kind_name(kind), ", ");
        add_pair(out, "\"shortDescription\": {\"text\": ", cause_kind_wrong(kind), "}}");
        before = ", ";
    }
}

static void add_result(struct text *out, const struct cause *cause)
{
    CLEANUP_FREE char *summary = wording_summary(cause);
    struct text uri = {0};

    text_add(&uri, "");
    text_add_uri(&uri, cause->subject ? cause->subject : ""); /* a path in the tree that is checked out stays one */
    add_pair(out, "      {\"ruleId\": ", cause_kind_name(cause->kind), ", ");
    text_addf(out, "\"level\": \"%s\", ", cause->impact == IMPACT_FATAL ? "error" : "warning");
    add_pair(out, "\"message\": {\"text\": ", summary, "}");
    if (*uri.v)
        add_pair(out, ",\n       \"locations\": [{\"physicalLocation\": {\"artifactLocation\": {\"uri\": ", uri.v,
                 "}}}]");
    text_add(out, "}");
    text_deinit(&uri);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    struct text text = {0};

    (void)options;
    text_add(&text, "{\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\", \"version\": \"2.1.0\",\n"
                    "  \"runs\": [{\n    \"tool\": {\"driver\": {\"name\": \"glibctrace\", ");
    add_pair(&text, "\"version\": ", GLIBCTRACE_VERSION, ", \"rules\": [");
    add_rules(&text, report);
    text_add(&text, "]}},\n    \"results\": [\n");
    for (size_t i = 0; i < report->cause_count; i++) {
        add_result(&text, report->causes[i]);
        text_add(&text, i + 1 < report->cause_count ? ",\n" : "\n");
    }
    text_add(&text, "    ]\n  }]\n}\n");
    fputs(text.v, out);
    text_deinit(&text);
}

const struct renderer renderer_sarif = {.name = "sarif", .ending = ".sarif", .render = render};
