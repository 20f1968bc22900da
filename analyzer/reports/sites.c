// SPDX-License-Identifier: Apache-2.0
// Sites with one name are merged: sorted by name, then by time.
#include "analyzer/reports/sites.h"

#include "analyzer/reading/memory.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"

#include <stdlib.h>
#include <string.h>

static int name_compare(const void *left, const void *right) {
  const named_site_t *a = left, *b = right;
  int names = strcmp(a->name, b->name);
  return names ? names : (a->through > b->through) - (a->through < b->through);
}

static int total_compare(const void *left, const void *right) {
  const named_site_t *a = left, *b = right;
  if (a->total_ns != b->total_ns) return a->total_ns > b->total_ns ? -1 : 1;
  return name_compare(left, right);
}

static const char *site_name(const analysis_t *analysis, uint32_t stack) {
  const char *name = names_site(analysis->names, stack);
  return *name || !stack ? name : "(its frames are unknown)";
}

named_sites_t sites_named(const analysis_t *analysis, const site_table_t *sites) {
  named_sites_t named = {.items = memory_new(sites->count + 1, sizeof *named.items)};
  for (uint32_t i = 0; i < sites->count; i++) {
    const site_total_t *site = &sites->items[i];
    named.items[i] = (named_site_t){site_name(analysis, site->stack), site->kind, site->total_ns};
    named.total_ns += site->total_ns;
  }
  qsort(named.items, sites->count, sizeof *named.items, name_compare);
  for (uint32_t i = 0; i < sites->count; i++)
    if (named.count && !name_compare(&named.items[named.count - 1], &named.items[i]))
      named.items[named.count - 1].total_ns += named.items[i].total_ns;
    else
      named.items[named.count++] = named.items[i];
  qsort(named.items, named.count, sizeof *named.items, total_compare);
  return named;
}

void sites_free(named_sites_t *sites) {
  free(sites->items);
  *sites = (named_sites_t){0};
}

blamed_site_t sites_blamed(const analysis_t *analysis, const lock_t *lock) {
  named_sites_t sites = sites_named(analysis, &lock->blamed);
  blamed_site_t most = {.total_ns = sites.total_ns,
                        .elsewhere =
                            lock->bits & TRACE_LOCK_PROCESS_SHARED && !lock->shared_by_processes};
  for (size_t i = 0; i < sites.count; i++) {
    const named_site_t *site = &sites.items[i];
    if (!*site->name)
      most.unseen_ns += site->total_ns;
    else if (!most.known++ &&
             (most.ns = site->total_ns) * 100 >= most.total_ns * SITES_WORTH_NAMING)
      most.name = site->name;
  }
  sites_free(&sites);
  return most;
}

void sites_unnamed_write(FILE *stream, const blamed_site_t *most) {
  if (most->unseen_ns <= most->total_ns / 2) {
    fprintf(stream, "held by %zu sites, none for more than %s of it", most->known,
            quantity_share(most->ns, most->total_ns, QUANTITY));
    return;
  }
  fprintf(stream, "%s of it while no holder was seen",
          quantity_share(most->unseen_ns, most->total_ns, QUANTITY));
  fputs(most->elsewhere ? "; it is shared between processes: see --all-processes"
                        : ", from one hold to the next",
        stream);
}
