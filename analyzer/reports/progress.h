// SPDX-License-Identifier: Apache-2.0
// A line on stderr for work that takes over a second, on a terminal only.
#ifndef ANALYZER_REPORTS_PROGRESS_H
#define ANALYZER_REPORTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  bool wanted, shown;
  uint64_t started_ns, shown_ns;
  uint64_t steps;
} progress_t;

progress_t progress_begin(void);
// So many steps more done; looks at the clock once in many. Shows "reading NAME: 12,000,000
// events".
void progress_steps(progress_t *progress, const char *name, size_t count);
// Wipes the line.
void progress_end(progress_t *progress);

#endif
