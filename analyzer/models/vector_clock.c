// SPDX-License-Identifier: Apache-2.0
// A persistent radix tree with 16 children a node: leaves hold the epochs of 16 threads.
#include "analyzer/models/vector_clock.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

enum { BITS = 4, FAN = 1 << BITS };

// Covers the threads [0, 16^(height + 1)). References are not atomic: one thread analyses.
struct vector_clock {
  uint32_t references;
  uint32_t height;  // 0: a leaf
  union {
    uint32_t epochs[FAN];
    const vector_clock_t *children[FAN];
  };
};

static uint64_t span_of(uint32_t height) { return UINT64_C(1) << (height + 1) * BITS; }

static vector_clock_t *mutable(const vector_clock_t *clock) { return (vector_clock_t *)clock; }

const vector_clock_t *vector_clock_keep(const vector_clock_t *clock) {
  if (clock) ++mutable(clock)->references;
  return clock;
}

void vector_clock_drop(const vector_clock_t *clock) {
  if (!clock || --mutable(clock)->references) return;
  if (clock->height)
    for (unsigned child = 0; child < FAN; ++child) vector_clock_drop(clock->children[child]);
  free(mutable(clock));
}

uint32_t vector_clock_get(const vector_clock_t *clock, uint32_t thread) {
  if (!clock || thread >= span_of(clock->height)) return 0;
  while (clock && clock->height)
    clock = clock->children[thread >> clock->height * BITS & (FAN - 1)];
  return clock ? clock->epochs[thread & (FAN - 1)] : 0;
}

static vector_clock_t *make_node(uint32_t height) {
  vector_clock_t *node = array_zeroed(1, sizeof *node);
  node->references = 1;
  node->height = height;
  return node;
}

// A node of which the caller holds the only reference, with what `clock` has. Consumes `clock`.
static vector_clock_t *own(const vector_clock_t *clock, uint32_t height) {
  if (!clock) return make_node(height);
  if (clock->references == 1) return mutable(clock);
  vector_clock_t *copy = array_resize(NULL, 1, sizeof *copy);
  *copy = *clock;
  copy->references = 1;
  if (copy->height)
    for (unsigned child = 0; child < FAN; ++child) vector_clock_keep(copy->children[child]);
  vector_clock_drop(clock);
  return copy;
}

// The same clock with at least `height`. Consumes the reference.
static const vector_clock_t *raise_height(const vector_clock_t *clock, uint32_t height) {
  while (clock && clock->height < height) {
    vector_clock_t *root = make_node(clock->height + 1);
    root->children[0] = clock;
    clock = root;
  }
  return clock;
}

static const vector_clock_t *raise_in(const vector_clock_t *clock, uint32_t height, uint32_t thread,
                                      uint32_t epoch) {
  vector_clock_t *node = own(clock, height);
  if (!height) {
    node->epochs[thread & (FAN - 1)] = epoch;
    return node;
  }
  unsigned child = thread >> height * BITS & (FAN - 1);
  node->children[child] = raise_in(node->children[child], height - 1, thread, epoch);
  return node;
}

const vector_clock_t *vector_clock_raise(const vector_clock_t *clock, uint32_t thread,
                                         uint32_t epoch) {
  if (vector_clock_get(clock, thread) >= epoch) return clock;
  uint32_t height = clock ? clock->height : 0;
  while (thread >= span_of(height)) ++height;
  return raise_in(raise_height(clock, height), height, thread, epoch);
}

// Both of one height. Shared parts are recognised by their address and cost nothing.
static const vector_clock_t *join_nodes(const vector_clock_t *clock, const vector_clock_t *other) {
  if (!other || clock == other) return clock;
  if (!clock) return vector_clock_keep(other);
  vector_clock_t *node = own(clock, clock->height);
  for (unsigned at = 0; at < FAN; ++at) {
    if (node->height)
      node->children[at] = join_nodes(node->children[at], other->children[at]);
    else if (node->epochs[at] < other->epochs[at])
      node->epochs[at] = other->epochs[at];
  }
  return node;
}

const vector_clock_t *vector_clock_join(const vector_clock_t *clock, const vector_clock_t *other) {
  if (!other || clock == other) return clock;
  if (!clock) return vector_clock_keep(other);
  uint32_t height = clock->height > other->height ? clock->height : other->height;
  const vector_clock_t *raised = raise_height(vector_clock_keep(other), height);
  clock = join_nodes(raise_height(clock, height), raised);
  vector_clock_drop(raised);
  return clock;
}
