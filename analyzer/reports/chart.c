// SPDX-License-Identifier: Apache-2.0
// Bars and histograms.
#include "analyzer/reports/chart.h"

#include "analyzer/reports/quantity.h"

#include <string.h>

enum { PARTS_MAX = 16, HISTOGRAM_LINES = 16, HISTOGRAM_COLUMNS = 40 };

static size_t part_pick(const size_t *letters, const uint64_t *rests, const chart_part_t *parts,
                        size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; i++) {
    bool starved = parts[i].amount && !letters[i],
         best_starved = parts[best].amount && !letters[best];
    if (starved != best_starved ? starved : rests[i] > rests[best]) best = i;
  }
  return best;
}

char *chart_bar(char *text, size_t columns, const chart_part_t *parts, size_t count) {
  size_t letters[PARTS_MAX] = {0}, used = 0;
  uint64_t rests[PARTS_MAX] = {0}, total = 0;
  for (size_t i = 0; i < count; i++) total += parts[i].amount;
  memset(text, total ? ' ' : '-', columns);
  text[columns] = '\0';
  if (!total) return text;
  for (size_t i = 0; i < count; i++) {
    __uint128_t scaled = (__uint128_t)parts[i].amount * columns;
    letters[i] = (size_t)(scaled / total);
    rests[i] = (uint64_t)(scaled % total);
    used += letters[i];
  }
  for (; used < columns; used++) {
    size_t part = part_pick(letters, rests, parts, count);
    letters[part]++;
    rests[part] = 0;
  }
  for (size_t i = 0, at = 0; i < count; at += letters[i++])
    memset(text + at, parts[i].letter, letters[i]);
  return text;
}

static unsigned power_of(uint64_t value) {
  return value ? 63u - (unsigned)__builtin_clzll(value) : 0;
}

void chart_histogram(const page_t *page, const char *indent, const chart_bucket_t *buckets,
                     size_t count) {
  uint64_t lines[64] = {0}, most = 0;
  unsigned first = 64, last = 0;
  for (size_t i = 0; i < count; i++) {
    if (!buckets[i].count) continue;
    unsigned power = power_of(buckets[i].low);
    lines[power] += buckets[i].count;
    if (power < first) first = power;
    if (power > last) last = power;
  }
  if (first > last) return;
  unsigned step = last - first < HISTOGRAM_LINES ? 1 : 1 + (last - first) / HISTOGRAM_LINES;
  for (unsigned line = first; line <= last; line += step) {
    for (unsigned i = 1; i < step && line + i < 64; i++) lines[line] += lines[line + i];
    if (lines[line] > most) most = lines[line];
  }
  for (unsigned line = first; line <= last; line += step) {
    uint64_t columns = ((__uint128_t)lines[line] * HISTOGRAM_COLUMNS + most - 1) / most;
    char bar[HISTOGRAM_COLUMNS + 1];
    memset(bar, '#', (size_t)columns);
    bar[columns] = '\0';
    fprintf(page->stream, "%s%s %10s  %10s  %s", indent, "from",
            line ? quantity_time(UINT64_C(1) << line, QUANTITY) : "0",
            quantity_count(lines[line], QUANTITY), bar);
    fputc('\n', page->stream);
  }
}
