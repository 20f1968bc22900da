// SPDX-License-Identifier: Apache-2.0
// Whether threads can be brought to given points at once by a reordering of what was seen that
// keeps, for every lock, the order of its critical sections (sync-preserving reordering; Tunc,
// Mathur, Pavlogiannis, Viswanathan: Sound Dynamic Deadlock Prediction in Linear Time, PLDI 2023).
//
// The answer is yes where the least set of steps that
//   - holds all that each thread did before its point,
//   - holds with a step what the step received (creation, join, signal, post, barrier, write),
//   - holds, of two critical sections of one lock, the whole of the earlier one
// holds no step of a thread at or behind its point. The set in the order it was recorded is then a
// run after which every one of these threads is at its point. Only what the recorder sees is kept:
// an order made by plain memory alone (a flag, an atomic) is not known.
#ifndef ANALYZER_FINDINGS_FEASIBLE_H
#define ANALYZER_FINDINGS_FEASIBLE_H

#include "analyzer/models/thread_order.h"

typedef struct feasible feasible_t;

// `locks`: ids are less than that. For feasible_close.
feasible_t *feasible_open(const thread_order_t *order, uint32_t locks);
void feasible_close(feasible_t *feasible);

// The points: `position` steps of `thread`, threads pairwise different. Linear in the steps that
// come before them. False also where the log does not reach that far, or all questions together
// have taken FEASIBLE_STEPS_MAX steps.
bool feasible_points(feasible_t *feasible, const order_member_t *points, uint32_t count);

enum { FEASIBLE_STEPS_MAX = 100000000 };

#endif
