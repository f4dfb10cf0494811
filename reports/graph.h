/* A report as a graph, for the renderers of graphs: who needs whom, and where it breaks. Of check: the objects of what
 * was checked; of every report: each cause's chain, down to what is missing. */
#ifndef GLIBCTRACE_REPORTS_GRAPH_H
#define GLIBCTRACE_REPORTS_GRAPH_H

#include "report.h"

struct graph_node {
    char *name;  /* a path, or what was asked for */
    bool broken; /* it is what is missing */
};

struct graph_edge {
    size_t from, to; /* indexes of nodes */
    bool broken;
};

struct graph {
    struct graph_node *nodes;
    size_t node_count, node_cap;
    struct graph_edge *edges;
    size_t edge_count, edge_cap;
};

void graph_of(const struct report *report, struct graph *ret);
void graph_deinit(struct graph *graph);

#endif
