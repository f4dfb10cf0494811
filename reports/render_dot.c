/* The report's graph in Graphviz' language (dot(1), "The DOT Language"): `dot -Tsvg r.dot`. */
#include "graph.h"

#include "utf8.h"

#include <probes/alloc.h>
#include <probes/path.h>

#include <string.h>

/* In a quoted string a backslash and a quotation mark are escaped. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void render(const struct report *report, const struct render_options *options, FILE *out)
{
    struct graph graph;

    (void)options;
    graph_of(report, &graph);
    fputs("digraph loads {\n    rankdir=LR;\n    node [shape=box, fontname=\"sans-serif\"];\n", out);
    for (size_t i = 0; i < graph.node_count; i++) {
        CLEANUP_FREE char *whole = utf8_plain(graph.nodes[i].name);

        fprintf(out, "    n%zu [label=", i);
        put_quoted(out, path_base(whole));
        fputs(", tooltip=", out);
        put_quoted(out, whole);
        fputs(graph.nodes[i].broken ? ", color=red, fontcolor=red, style=dashed];\n" : "];\n", out);
    }
    for (size_t i = 0; i < graph.edge_count; i++)
        fprintf(out, "    n%zu -> n%zu%s;\n", graph.edges[i].from, graph.edges[i].to,
                graph.edges[i].broken ? " [color=red, style=dashed]" : "");
    fputs("}\n", out);
    graph_deinit(&graph);
}

const struct renderer renderer_dot = {.name = "dot", .ending = ".dot", .render = render};
