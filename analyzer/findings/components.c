// SPDX-License-Identifier: Apache-2.0
// Tarjan's algorithm with a stack of its own.
#include "analyzer/findings/components.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

graph_t graph_make(uint32_t node_count, const uint32_t *from, const uint32_t *to, uint32_t count) {
  graph_t graph = {.node_count = node_count};
  graph.first = array_zeroed(node_count + 2, sizeof *graph.first);
  graph.targets = array_resize(NULL, count + 1, sizeof *graph.targets);
  for (uint32_t edge = 0; edge < count; ++edge) ++graph.first[from[edge] + 2];
  for (uint32_t node = 0; node < node_count; ++node) graph.first[node + 2] += graph.first[node + 1];
  for (uint32_t edge = 0; edge < count; ++edge)
    graph.targets[graph.first[from[edge] + 1]++] = to[edge];
  return graph;
}

void graph_free(graph_t *graph) {
  free(graph->first);
  free(graph->targets);
  *graph = (graph_t){0};
}

enum { UNSEEN = 0 };

typedef struct {
  const graph_t *graph;
  uint32_t *order;      // when a node was met, from 1; UNSEEN
  uint32_t *low;        // earliest open node that it reaches
  uint32_t *component;  // UINT32_MAX while open
  uint32_t *next_edge;
  uint32_t *path, path_count;  // nodes being visited
  uint32_t *open, open_count;  // nodes met, of no component yet
  uint32_t met, components;
} search_t;

static void enter(search_t *search, uint32_t node) {
  search->order[node] = search->low[node] = ++search->met;
  search->next_edge[node] = search->graph->first[node];
  search->path[search->path_count++] = node;
  search->open[search->open_count++] = node;
}

// All of the path's end is done: it closes a component if it reaches nothing earlier.
static void leave(search_t *search) {
  uint32_t node = search->path[--search->path_count];
  if (search->low[node] == search->order[node]) {
    uint32_t member;
    do {
      member = search->open[--search->open_count];
      search->component[member] = search->components;
    } while (member != node);
    ++search->components;
  }
  if (!search->path_count) return;
  uint32_t before = search->path[search->path_count - 1];
  if (search->low[node] < search->low[before]) search->low[before] = search->low[node];
}

static void step(search_t *search) {
  uint32_t node = search->path[search->path_count - 1];
  if (search->next_edge[node] == search->graph->first[node + 1]) {
    leave(search);
    return;
  }
  uint32_t target = search->graph->targets[search->next_edge[node]++];
  if (search->order[target] == UNSEEN)
    enter(search, target);
  else if (search->component[target] == UINT32_MAX && search->order[target] < search->low[node])
    search->low[node] = search->order[target];
}

uint32_t *graph_components(const graph_t *graph) {
  uint32_t count = graph->node_count;
  uint32_t *memory = array_zeroed((size_t)count * 5 + 1, sizeof *memory);
  search_t search = {.graph = graph,
                     .order = memory,
                     .low = memory + count,
                     .next_edge = memory + 2 * (size_t)count,
                     .path = memory + 3 * (size_t)count,
                     .open = memory + 4 * (size_t)count};
  search.component = array_resize(NULL, count + 1, sizeof *search.component);
  for (uint32_t node = 0; node < count; ++node) search.component[node] = UINT32_MAX;
  for (uint32_t node = 0; node < count; ++node) {
    if (search.order[node] != UNSEEN) continue;
    enter(&search, node);
    while (search.path_count) step(&search);
  }
  free(memory);
  return search.component;
}
