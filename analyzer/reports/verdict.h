// SPDX-License-Identifier: Apache-2.0
// What is wrong, in sentences: the verdict of a report, and of a single deadlock.
#ifndef ANALYZER_REPORTS_VERDICT_H
#define ANALYZER_REPORTS_VERDICT_H

#include "analyzer/reports/analysis.h"

#include <stdio.h>

// The third line of the report, without its first word: the gravest finding with its names, then
// what else there is. Writes to `stream`, no newline.
void verdict_write(FILE *stream, const analysis_t *analysis);
// The same of processes that were read as one: a deadlock, or that there is none between them.
void verdict_write_joined(FILE *stream, const analysis_t *analysis);
// "account_a -> account_b -> account_a": locks, or threads where there are none.
void verdict_cycle(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
// The same, at most four of them and how many more there are.
void verdict_cycle_short(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
// The name of the i-th member of the cycle.
const char *verdict_cycle_member(const analysis_t *analysis, const deadlock_t *deadlock, size_t i);
// "transfer-out (4712) and transfer-back (4713)".
void verdict_threads(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
// ORPHAN: "quitter (12) held when it ended".
void verdict_former_holder(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
// Of a condition that threads wait for in vain: how often it was signalled, and when.
// DESTROYED: who did what to which lock while who used it, without a full stop.
void verdict_misuse(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
void verdict_signals(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);
// What would mend it (advice.c).
void verdict_advice(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);

#endif
