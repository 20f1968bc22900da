// SPDX-License-Identifier: Apache-2.0
// Call sites as they are shown: several stacks may have one name, and are one line then.
#ifndef ANALYZER_REPORTS_SITES_H
#define ANALYZER_REPORTS_SITES_H

#include "analyzer/reports/analysis.h"

typedef struct {
  const char *name;  // lives as long as analysis->names; "" where the stack is not known
  uint32_t through;  // `kind` of the rows: the lock that the holder waited for itself, 0: none
  uint64_t total_ns;
} named_site_t;

typedef struct {
  named_site_t *items;  // most first
  size_t count;
  uint64_t total_ns;  // of all
} named_sites_t;

// For sites_free.
named_sites_t sites_named(const analysis_t *analysis, const site_table_t *sites);
void sites_free(named_sites_t *sites);

// The site that others waited for most. One with less than a tenth of that is no answer to the
// question who it was.
enum { SITES_WORTH_NAMING = 10 };  // percent
typedef struct {
  const char *name;  // NULL: none is worth naming
  uint64_t ns, total_ns;
  uint64_t unseen_ns;  // hand-overs, and holders that were not seen
  bool elsewhere;      // these may be in another process
  size_t known;        // sites
} blamed_site_t;
blamed_site_t sites_blamed(const analysis_t *analysis, const lock_t *lock);
// Who it was where none is named, as a part of a sentence: "held by 40 sites, none for more than
// 4 % of it".
void sites_unnamed_write(FILE *stream, const blamed_site_t *most);

#endif
