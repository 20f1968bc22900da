// SPDX-License-Identifier: Apache-2.0
// Drawings in plain characters: how a time was spent, and how a quantity is spread.
#ifndef ANALYZER_REPORTS_CHART_H
#define ANALYZER_REPORTS_CHART_H

#include "analyzer/reports/page.h"

#include <stdint.h>

// One part of a bar: its letter and how much it is.
typedef struct {
  char letter;
  uint64_t amount;
} chart_part_t;

// Writes a bar of `columns` letters, shared out by amount (largest remainders, so that it is always
// full; a part that is not 0 gets a letter while there is room). `text` has columns + 1 bytes.
// Returns `text`.
char *chart_bar(char *text, size_t columns, const chart_part_t *parts, size_t count);

// A bucket of a histogram of times: [low, high) ns.
typedef struct {
  uint64_t low, high;
  uint64_t count;
} chart_bucket_t;

// Draws a histogram, one line a power of two (pairs of them where that is more than 16 lines).
// Buckets are in rising order. Nothing is drawn where all counts are 0.
void chart_histogram(const page_t *page, const char *indent, const chart_bucket_t *buckets,
                     size_t count);

#endif
