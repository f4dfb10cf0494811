/* The report's graph as a Mermaid flow chart, which code hosting sites draw (mermaid.js.org, "Flowcharts - Basic
 * Syntax"): labels stand in quotation marks, and what would be markup in them as numbered entities. */
#include "graph.h"

#include "utf8.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <ctype.h>

static void put_label(FILE *out, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80 || *text == ' ' || *text == '.' ||
            *text == '-' || *text == '_' || *text == '/' || *text == '+')
            fputc(*text, out);
        else
            fprintf(out, "#%d;", (unsigned char)*text);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    struct graph graph;

    (void)options;
    graph_of(report, &graph);
    fputs("flowchart LR\n", out);
    for (size_t i = 0; i < graph.node_count; i++) {
        CLEANUP_FREE char *whole = utf8_plain(graph.nodes[i].name);

        fprintf(out, "    n%zu[\"", i);
        put_label(out, path_base(whole));
        fputs(graph.nodes[i].broken ? "\"]:::broken\n" : "\"]\n", out);
    }
    for (size_t i = 0; i < graph.edge_count; i++)
        fprintf(out, "    n%zu %s n%zu\n", graph.edges[i].from, graph.edges[i].broken ? "-.->" : "-->",
                graph.edges[i].to);
    fputs("    classDef broken stroke:#b42318,color:#b42318,stroke-dasharray:4\n", out);
    graph_deinit(&graph);
}

const struct renderer renderer_mermaid = {.name = "mermaid", .ending = ".mmd", .render = render};
