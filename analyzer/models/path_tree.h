// SPDX-License-Identifier: Apache-2.0
// Paths through time that share their beginnings: a part is a stretch of one thread's time, with
// what happened in it, and goes on from its parent.
//
//   parent->until <= from <= until (UINT64_MAX: open); parent == NULL: the path begins here
//   refs = children + those who keep it; a part without refs is gone
//   sums: what parts that were added up into this one held, beside its own; spans: its own newest
#ifndef ANALYZER_MODELS_PATH_TREE_H
#define ANALYZER_MODELS_PATH_TREE_H

#include "analyzer/models/address_map.h"

#include <stdbool.h>

// A key is never 0.
#define PATH_KEY(kind, id) ((uint64_t)((unsigned)(kind) + 1) << 32 | (uint32_t)(id))
#define PATH_KIND(key) ((path_kind_t)(((key) >> 32) - 1))
#define PATH_ID(key) ((uint32_t)(key))

enum { PATH_SPANS = 32, PATH_KEY_THREADS = 1 };

typedef struct {
  uint64_t ns, count;
} path_sum_t;

typedef struct {
  uint64_t key, from, until;
} path_span_t;

typedef struct path_part {
  struct path_part *parent;
  uint32_t refs, thread;
  uint64_t from, until;
  address_map_t sums;  // key -> path_sum_t
  path_span_t *spans;  // PATH_SPANS of them, or NULL
  uint32_t span_count;
  uint32_t sweep;         // the last that has seen it
  uint32_t first_thread;  // where the parts that were added up into this one begin
  uint64_t first_from;
} path_part_t;

// `count` parts are alive.
typedef struct {
  path_part_t *spare;
  size_t count, full_at;
  uint32_t sweep;
} path_tree_t;

void path_tree_open(path_tree_t *tree);
// Every part must have been dropped.
void path_tree_close(path_tree_t *tree);
bool path_tree_is_full(const path_tree_t *tree);

// A part that begins a path, open; kept once.
path_part_t *path_part_new(path_tree_t *tree, uint32_t thread, uint64_t from);
void path_part_keep(path_part_t *part);
void path_part_drop(path_tree_t *tree, path_part_t *part);
// Something took from..until, as far as that lies in the part.
void path_part_add(path_part_t *part, uint64_t key, uint64_t from, uint64_t until);
// The part will not be cut any more.
void path_part_settle(path_part_t *part);
// A new part that ends at `time`, which becomes the parent of `part`. Not kept.
path_part_t *path_part_cut(path_tree_t *tree, path_part_t *part, uint64_t time);
// `part` goes on from `parent` now, and begins at `from`.
void path_part_hang(path_tree_t *tree, path_part_t *part, path_part_t *parent, uint64_t from);
// `part`, the first of its path, goes on from `parent`; what lies between is latency as `key`.
void path_part_begin(path_part_t *part, path_part_t *parent, uint64_t key);

// Gives the key as which a sum goes on.
typedef uint64_t path_rename_t(const void *context, uint64_t key);

// Adds up the whole path that ends with `part`. Returns its first part.
const path_part_t *path_part_sum(const path_part_t *part, address_map_t *sums,
                                 path_rename_t *rename, const void *context);
// Adds up what only one part goes on from. Between begin and end, for all parts that are kept.
void path_tree_begin_sweep(path_tree_t *tree);
void path_tree_sweep(path_tree_t *tree, path_part_t *part, path_rename_t *rename,
                     const void *context);
void path_tree_end_sweep(path_tree_t *tree);

#endif
