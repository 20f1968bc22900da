// SPDX-License-Identifier: Apache-2.0
// The progress line.
#include "analyzer/reports/progress.h"

#include "analyzer/reports/page.h"
#include "analyzer/reports/quantity.h"

#include <time.h>
#include <unistd.h>

enum { STEPS_BETWEEN_LOOKS = 1 << 16 };
#define SECOND UINT64_C(1000000000)

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

progress_t progress_begin(void) {
  return (progress_t){.wanted = isatty(STDERR_FILENO) == 1, .started_ns = now_ns()};
}

void progress_steps(progress_t *progress, const char *name, size_t count) {
  const uint64_t before = progress->steps;
  progress->steps += count;
  if (before / STEPS_BETWEEN_LOOKS == progress->steps / STEPS_BETWEEN_LOOKS || !progress->wanted)
    return;
  uint64_t now = now_ns();
  if (now - progress->started_ns < SECOND || now - progress->shown_ns < SECOND / 4) return;
  char clean[256];
  fprintf(stderr, "\rreading %s: %s events ", page_clean(clean, sizeof clean, name, 50),
          quantity_count(progress->steps, QUANTITY));
  progress->shown_ns = now;
  progress->shown = true;
}

void progress_end(progress_t *progress) {
  if (progress->shown) fputs("\r\033[K", stderr);
}
