// SPDX-License-Identifier: Apache-2.0
// Parts of paths: making, cutting, adding up.
#include "analyzer/models/path_tree.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

enum { FULL_FIRST = 4096 };

void path_tree_open(path_tree_t *tree) { *tree = (path_tree_t){.full_at = FULL_FIRST}; }

void path_tree_close(path_tree_t *tree) {
  for (path_part_t *part; (part = tree->spare);) {
    tree->spare = part->parent;
    free(part->spans);
    free(part);
  }
}

bool path_tree_is_full(const path_tree_t *tree) { return tree->count >= tree->full_at; }

path_part_t *path_part_new(path_tree_t *tree, uint32_t thread, uint64_t from) {
  path_part_t *part = tree->spare;
  path_span_t *spans = part ? part->spans : NULL;
  if (part)
    tree->spare = part->parent;
  else
    part = array_zeroed(1, sizeof *part);
  *part = (path_part_t){.refs = 1,
                        .thread = thread,
                        .from = from,
                        .until = UINT64_MAX,
                        .sums = ADDRESS_MAP(path_sum_t),
                        .spans = spans,
                        .first_thread = thread,
                        .first_from = from};
  ++tree->count;
  return part;
}

void path_part_keep(path_part_t *part) { ++part->refs; }

void path_part_drop(path_tree_t *tree, path_part_t *part) {
  while (part && !--part->refs) {
    path_part_t *parent = part->parent;
    address_map_clear(&part->sums);
    part->parent = tree->spare;
    tree->spare = part;
    --tree->count;
    part = parent;
  }
}

// ---- what happened -----------------------------------------------------------------------------

static void add_sum(address_map_t *sums, uint64_t key, uint64_t ns, uint64_t count) {
  path_sum_t *sum = address_map_put(sums, key);
  sum->ns += ns;
  sum->count += count;
}

static void add_sums(address_map_t *into, const address_map_t *sums, path_rename_t *rename,
                     const void *context) {
  size_t position = 0;
  uint64_t key;
  for (const path_sum_t *sum; (sum = address_map_next(sums, &position, &key));)
    add_sum(into, rename ? rename(context, key) : key, sum->ns, sum->count);
}

static uint64_t within(const path_part_t *part, const path_span_t *span) {
  uint64_t from = span->from > part->from ? span->from : part->from;
  uint64_t until = span->until < part->until ? span->until : part->until;
  return until > from ? until - from : 0;
}

static void add_spans(address_map_t *into, const path_part_t *part, path_rename_t *rename,
                      const void *context) {
  for (uint32_t at = 0; at < part->span_count; ++at) {
    const path_span_t *span = &part->spans[at];
    add_sum(into, rename ? rename(context, span->key) : span->key, within(part, span), 1);
  }
}

void path_part_settle(path_part_t *part) {
  add_spans(&part->sums, part, NULL, NULL);
  part->span_count = 0;
}

void path_part_add(path_part_t *part, uint64_t key, uint64_t from, uint64_t until) {
  if (!part->spans) part->spans = array_zeroed(PATH_SPANS, sizeof *part->spans);
  if (part->span_count == PATH_SPANS) path_part_settle(part);
  part->spans[part->span_count++] = (path_span_t){key, from, until};
}

// ---- shape -------------------------------------------------------------------------------------

// What ended before the cut stays in front of it; what goes on over it is in both.
static void divide_spans(path_part_t *earlier, path_part_t *later, uint64_t time) {
  uint32_t still = 0;
  for (uint32_t at = 0; at < later->span_count; ++at) {
    path_span_t span = later->spans[at];
    if (span.from < time || span.until <= time)
      path_part_add(earlier, span.key, span.from, span.until);
    if (span.until > time) later->spans[still++] = span;
  }
  later->span_count = still;
}

path_part_t *path_part_cut(path_tree_t *tree, path_part_t *part, uint64_t time) {
  path_part_t *earlier = path_part_new(tree, part->thread, part->from);
  earlier->parent = part->parent;
  earlier->until = time;
  earlier->sums = part->sums;
  earlier->first_thread = part->first_thread;
  earlier->first_from = part->first_from;
  part->parent = earlier;
  part->from = time;
  part->sums = (address_map_t)ADDRESS_MAP(path_sum_t);
  part->first_thread = part->thread;
  part->first_from = time;
  divide_spans(earlier, part, time);
  return earlier;
}

void path_part_hang(path_tree_t *tree, path_part_t *part, path_part_t *parent, uint64_t from) {
  path_part_keep(parent);
  path_part_drop(tree, part->parent);
  part->parent = parent;
  part->from = from;
  part->first_from = from;
}

void path_part_begin(path_part_t *part, path_part_t *parent, uint64_t key) {
  uint64_t latency = part->first_from > parent->until ? part->first_from - parent->until : 0;
  path_part_keep(parent);
  part->parent = parent;
  add_sum(&part->sums, key, latency, 1);
  add_sum(&part->sums, (uint64_t)PATH_KEY_THREADS << 32 | part->first_thread, latency, 0);
}

// ---- adding up ---------------------------------------------------------------------------------

static void add_part(address_map_t *into, const path_part_t *part, path_rename_t *rename,
                     const void *context) {
  add_sums(into, &part->sums, rename, context);
  add_spans(into, part, rename, context);
  uint64_t key = (uint64_t)PATH_KEY_THREADS << 32 | part->thread;
  add_sum(into, key, part->until - part->from, 1);
}

const path_part_t *path_part_sum(const path_part_t *part, address_map_t *sums,
                                 path_rename_t *rename, const void *context) {
  for (;; part = part->parent) {
    add_part(sums, part, rename, context);
    if (!part->parent) return part;
  }
}

void path_tree_begin_sweep(path_tree_t *tree) { ++tree->sweep; }

static void swap_sums(path_part_t *one, path_part_t *two) {
  address_map_t sums = one->sums;
  one->sums = two->sums;
  two->sums = sums;
}

// The parent that nobody else refers to becomes part of its child.
static void absorb_parent(path_tree_t *tree, path_part_t *part) {
  path_part_t *parent = part->parent;
  path_part_settle(parent);
  if (parent->sums.count > part->sums.count) swap_sums(part, parent);
  add_part(&part->sums, parent, NULL, NULL);
  part->first_thread = parent->first_thread;
  part->first_from = parent->first_from;
  part->parent = parent->parent;
  parent->parent = NULL;
  path_part_drop(tree, parent);
}

static void rename_sums(path_part_t *part, path_rename_t *rename, const void *context) {
  address_map_t renamed = ADDRESS_MAP(path_sum_t);
  add_sums(&renamed, &part->sums, rename, context);
  address_map_clear(&part->sums);
  part->sums = renamed;
  for (uint32_t at = 0; at < part->span_count; ++at)
    part->spans[at].key = rename(context, part->spans[at].key);
}

void path_tree_sweep(path_tree_t *tree, path_part_t *part, path_rename_t *rename,
                     const void *context) {
  for (; part && part->sweep != tree->sweep; part = part->parent) {
    part->sweep = tree->sweep;
    while (part->parent && part->parent->refs == 1) absorb_parent(tree, part);
    if (rename) rename_sums(part, rename, context);
  }
}

void path_tree_end_sweep(path_tree_t *tree) {
  tree->full_at = tree->count * 2 > FULL_FIRST ? tree->count * 2 : FULL_FIRST;
}
