// SPDX-License-Identifier: Apache-2.0
// A line on stderr for work that takes over a second, on a terminal only.
#ifndef ANALYZER_REPORTS_PROGRESS_H
#define ANALYZER_REPORTS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  bool wanted, shown;
  uint64_t started_ns, shown_ns;
  uint64_t steps;
} progress_t;

progress_t progress_begin(void);
// One more step done; looks at the clock once in many. Shows "reading NAME: 12,000,000 events".
void progress_step(progress_t *progress, const char *name);
// Wipes the line.
void progress_end(progress_t *progress);

#endif
