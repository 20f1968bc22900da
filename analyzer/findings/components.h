// SPDX-License-Identifier: Apache-2.0
// Strongly connected components of a directed graph: where cycles can be at all.
#ifndef ANALYZER_FINDINGS_COMPONENTS_H
#define ANALYZER_FINDINGS_COMPONENTS_H

#include <stdint.h>

// Edges of node n lead to targets[first[n]] .. targets[first[n + 1] - 1].
typedef struct {
  uint32_t node_count;
  uint32_t *first;  // node_count + 1
  uint32_t *targets;
} graph_t;

// From `count` edges (from[i], to[i]) between nodes < node_count. For graph_free.
graph_t graph_make(uint32_t node_count, const uint32_t *from, const uint32_t *to, uint32_t count);
void graph_free(graph_t *graph);

// The component of every node (numbers from 0), for free(). Two nodes are in one component if each
// can be reached from the other. Takes time and memory linear in nodes and edges; no recursion.
uint32_t *graph_components(const graph_t *graph);

#endif
