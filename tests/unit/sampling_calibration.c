// SPDX-License-Identifier: Apache-2.0
// Sampling of allocations from end to end: the recorder's sampler decides, the analyzer's heap
// model estimates, and over a thousand seeds the estimates lie about the truth as their errors say.
#include "analyzer/models/heap.h"
#include "formats/sampling.h"
#include "preload/sampler.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

// So many blocks that a few dozen samples fall into the smallest sizes: an error taken from fewer
// is itself too uncertain for its interval to cover what it says.
enum { SEEDS = 1000, BLOCKS_MAX = 125000, SAMPLES = 2300, MEAN_SIZE = 970 };

// What a program did: a block of each size in turn, every second one freed again.
typedef struct {
  uint64_t size;
  uint32_t stack;
  bool freed;
} act_t;

// A figure of the report, what it really is, and how the estimates of all seeds lay about that.
typedef struct {
  const char *name;
  double truth;
  double sum;  // of estimates minus truth, in parts of it
  unsigned within_4, within_95;
} figure_t;
enum { FIGURE_BYTES, FIGURE_BLOCKS, FIGURE_LIVE_BYTES, FIGURE_LIVE_BLOCKS, FIGURE_SITE, FIGURES };

// Sizes from 64 bytes to 4 KiB, as many in each doubling; the sites have different mixtures.
static void workload_make(act_t *acts, int blocks, figure_t figures[FIGURES]) {
  sampler_t chance = {0};
  sampler_seed(&chance, 4711);
  for (int i = 0; i < blocks; i++) {
    const double doublings = (double)(sampler_random(&chance) >> 11) / 9007199254740992.0 * 6;
    const uint64_t size = (uint64_t)(64 * exp2(doublings));
    const uint32_t stack = 1 + (uint32_t)(doublings > 3) * 2 + (uint32_t)(i % 2);
    acts[i] = (act_t){size, stack, i % 2};
    figures[FIGURE_BYTES].truth += (double)size;
    figures[FIGURE_BLOCKS].truth += 1;
    figures[FIGURE_LIVE_BYTES].truth += i % 2 ? 0 : (double)size;
    figures[FIGURE_LIVE_BLOCKS].truth += i % 2 ? 0 : 1;
    figures[FIGURE_SITE].truth += stack == 1 ? (double)size : 0;
  }
}

static void step(heap_t *heap, int kind, uint64_t block, const act_t *act) {
  const reader_event_t event = {.kind = (uint8_t)kind,
                                .thread = 1,
                                .stack = kind == TRACE_ALLOCATE ? act->stack : 0,
                                .time = block,
                                .arg = kind == TRACE_ALLOCATE ? act->size : 0,
                                .words = {block}};
  heap_step(heap, &event, NULL);
}

static heap_t *run(const act_t *acts, int blocks, uint64_t seed, uint64_t distance) {
  heap_t *heap = heap_open(distance);
  sampler_t sampler = {0};
  sampler_seed(&sampler, seed);
  sampler.left = sampler_distance(&sampler, distance);
  for (int i = 0; i < blocks; i++) {
    const uint64_t bytes = trace_sampling_bytes(acts[i].size), block = 0x10000 + (uint64_t)i * 64;
    if (sampler_passes(&sampler, bytes) || !sampler_hits(&sampler, bytes, distance)) continue;
    step(heap, TRACE_ALLOCATE, block, &acts[i]);
    if (acts[i].freed) step(heap, TRACE_FREE, block, &acts[i]);
  }
  heap_finish(heap);
  return heap;
}

static void compare(figure_t *figure, uint64_t estimate, double variance) {
  const double off = (double)estimate - figure->truth, error = sqrt(variance);
  figure->sum += off / figure->truth;
  figure->within_4 += fabs(off) <= 4 * error;
  figure->within_95 += fabs(off) <= 1.959964 * error;
}

static void compare_all(figure_t *figures, const heap_t *heap) {
  const heap_totals_t *totals = heap_totals(heap);
  const heap_site_t *site = heap_site(heap, 1);
  compare(&figures[FIGURE_BYTES], totals->bytes_allocated, totals->ever.bytes_variance);
  compare(&figures[FIGURE_BLOCKS], totals->allocations, totals->ever.blocks_variance);
  compare(&figures[FIGURE_LIVE_BYTES], totals->live_bytes, totals->live.bytes_variance);
  compare(&figures[FIGURE_LIVE_BLOCKS], totals->live_blocks, totals->live.blocks_variance);
  compare(&figures[FIGURE_SITE], site->bytes, site->ever.bytes_variance);
}

static void calibrate(uint64_t distance) {
  static act_t acts[BLOCKS_MAX];
  const int blocks = (int)(distance * SAMPLES / MEAN_SIZE);
  ck_assert_int_le(blocks, BLOCKS_MAX);
  figure_t figures[FIGURES] = {{.name = "bytes"},
                               {.name = "blocks"},
                               {.name = "live bytes"},
                               {.name = "live blocks"},
                               {.name = "bytes of a site"}};
  workload_make(acts, blocks, figures);
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    heap_t *heap = run(acts, blocks, seed, distance);
    compare_all(figures, heap);
    heap_close(heap);
  }
  for (int i = 0; i < FIGURES; i++) {
    const figure_t *figure = &figures[i];
    ck_assert_msg(figure->within_4 >= SEEDS * 99 / 100, "%s: %u of %d within 4 errors",
                  figure->name, figure->within_4, SEEDS);
    ck_assert_msg(figure->within_95 >= SEEDS * 93 / 100 && figure->within_95 <= SEEDS * 97 / 100,
                  "%s: the 95 %% interval covers %u of %d", figure->name, figure->within_95, SEEDS);
    ck_assert_msg(fabs(figure->sum / SEEDS) < 0.01, "%s: biased by %g", figure->name,
                  figure->sum / SEEDS);
    if (getenv("CALIBRATION_SHOW"))
      printf("distance %lu %s: %u within 4, %u within 95%%, bias %g\n", distance, figure->name,
             figure->within_4, figure->within_95, figure->sum / SEEDS);
  }
}

START_TEST(a_tenth_is_calibrated) { calibrate(trace_sampling_distance(0.1)); }
END_TEST

START_TEST(a_hundredth_is_calibrated) { calibrate(trace_sampling_distance(0.01)); }
END_TEST

Suite *sampling_calibration_suite(void);
Suite *sampling_calibration_suite(void) {
  Suite *suite = suite_create("sampling_calibration");
  TCase *calibration = tcase_create("calibration");
  tcase_set_timeout(calibration, 120);  // a second or two, ten times that under a sanitizer
  tcase_add_test(calibration, a_tenth_is_calibrated);
  tcase_add_test(calibration, a_hundredth_is_calibrated);
  suite_add_tcase(suite, calibration);
  return suite;
}
