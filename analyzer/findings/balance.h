// SPDX-License-Identifier: Apache-2.0
// How evenly the events are spread over the loops that were made in one place: these do the same
// work, so that one of them with most of it keeps it waiting while the others have time.
#ifndef ANALYZER_FINDINGS_BALANCE_H
#define ANALYZER_FINDINGS_BALANCE_H

#include "analyzer/models/loops.h"

enum { BALANCE_EVENTS_LEAST = 100 };  // fewer events of all these loops say nothing

// Of one loop. `loops` counts those made in its place that somebody waited in, itself included;
// 0: it has none beside it, its place is not known, or it serves one peer, and the rest is empty.
typedef struct {
  uint32_t loops;
  double events_share, busy_share;  // 0 .. 1, of what all of them had
  double ratio;                     // its events against their mean: 1 where they are even
  bool unbalanced;                  // it has most events, and over twice the mean of the others
} balance_t;

typedef struct balances balances_t;

// After loops_finish. `loops` outlives it. For balances_close.
balances_t *balances_open(const loops_t *loops);
void balances_close(balances_t *balances);
// `index` as of loops_get.
balance_t balances_get(const balances_t *balances, uint32_t index);

#endif
