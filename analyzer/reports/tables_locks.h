// SPDX-License-Identifier: Apache-2.0
// What the CSV tables say of contention.
#ifndef ANALYZER_REPORTS_TABLES_LOCKS_H
#define ANALYZER_REPORTS_TABLES_LOCKS_H

#include "analyzer/reports/analysis.h"
#include "analyzer/reports/csv.h"

#define TABLES_LOCK_TIMES(what)                                                                    \
#what "_total_ns," #what "_p50_ns," #what "_p95_ns," #what "_p99_ns," #what "_max_ns"

// The columns of locks.csv behind `site`, and what stands in them.
#define TABLES_CONTENTION_COLUMNS                                                                  \
  "contention,blamed_ns,max_waiters,reacquire_ns,convoys,longest_convoy,held_blocked_waited_ns,"   \
  "critical_path_ns,critical_path_handovers"
void tables_contention(const analysis_t *analysis, const lock_t *lock, csv_t *csv);

#define TABLES_LOCK_SITES_COLUMNS                                                                  \
  "lock_id,lock,site,acquisitions,contended," TABLES_LOCK_TIMES(wait) "," TABLES_LOCK_TIMES(       \
      hold) ",blamed_ns"
void tables_lock_sites(const analysis_t *analysis, csv_t *csv);

#define TABLES_CRITICAL_PATH_COLUMNS "kind,id,name,ns,share,count"
void tables_critical_path(const analysis_t *analysis, csv_t *csv);

#endif
