#include "graph.h"

#include "table.h"

#include <probes/alloc.h>

#include <string.h>

enum { NODES_MOST = 4000, EDGES_MOST = 16000 };

static size_t node_of(struct graph *graph, const char *name, bool broken)
{
    struct graph_node *node;

    for (size_t i = 0; i < graph->node_count; i++)
        if (strcmp(graph->nodes[i].name, name) == 0) {
            graph->nodes[i].broken |= broken;
            return i;
        }
    if (graph->node_count >= NODES_MOST)
        return SIZE_MAX;
    node = array_add(&graph->nodes, &graph->node_count, &graph->node_cap, sizeof *node);
    node->name = xstrdup(name);
    node->broken = broken;
    return graph->node_count - 1;
}

static void add_edge(struct graph *graph, const char *from, const char *to, bool broken)
{
    size_t begin = node_of(graph, from, false), end = node_of(graph, to, broken);
    struct graph_edge *edge;

    if (begin == SIZE_MAX || end == SIZE_MAX || begin == end || graph->edge_count >= EDGES_MOST)
        return;
    for (size_t i = 0; i < graph->edge_count; i++)
        if (graph->edges[i].from == begin && graph->edges[i].to == end) {
            graph->edges[i].broken |= broken;
            return;
        }
    edge = array_add(&graph->edges, &graph->edge_count, &graph->edge_cap, sizeof *edge);
    *edge = (struct graph_edge){begin, end, broken};
}

static const char *cell_of(const struct table *table, size_t row, const char *key)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].key, key) == 0)
            return table_at(table, row, i)->text;
    return "";
}

static void take_objects(struct graph *graph, const struct table *table)
{
    for (size_t row = 0; row < table_rows(table); row++) {
        const char *by = cell_of(table, row, "by"), *path = cell_of(table, row, "path");

        if (*by)
            add_edge(graph, by, *path ? path : cell_of(table, row, "name"), !*path);
        else if (*path)
            node_of(graph, path, false);
    }
}

static void take_cause(struct graph *graph, const struct cause *cause)
{
    const char *last = cause->chain.n ? cause->chain.v[cause->chain.n - 1] : NULL;

    for (size_t i = 0; i + 1 < cause->chain.n; i++)
        add_edge(graph, cause->chain.v[i], cause->chain.v[i + 1], false);
    if (cause->subject && last && strcmp(last, cause->subject) != 0)
        add_edge(graph, last, cause->subject, false);
    last = cause->subject ? cause->subject : last;
    if (last && cause->missing)
        add_edge(graph, last, cause->missing, true);
}

void graph_of(const struct report *report, struct graph *ret)
{
    const struct table *objects = table_find(report, "objects");

    *ret = (struct graph){0};
    if (objects)
        take_objects(ret, objects);
    for (size_t i = 0; i < report->cause_count; i++)
        take_cause(ret, report->causes[i]);
}

void graph_deinit(struct graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        free(graph->nodes[i].name);
    free(graph->nodes);
    free(graph->edges);
    *graph = (struct graph){0};
}
