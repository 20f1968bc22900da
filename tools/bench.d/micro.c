// SPDX-License-Identifier: Apache-2.0
// The micro loops: pairs of malloc+free of 64 bytes, or of lock+unlock of a mutex that nobody else
// takes, at a given depth of stack in a given number of threads. Prints what a pair took.
//
//     micro malloc|mutex DEPTH THREADS MILLISECONDS [PACE ROUND_TRIP BOARD]
//
// The processor is timed (pace.h) between slices of some 50 us. What counts are slices before and
// after which it took no more than PACE for a round of that loop, and a line between two
// processors, as pace.c shows it in the file BOARD, no more than ROUND_TRIP (both in ns). It ends
// when each thread has had so much CPU in those, or 4 times as much in all, or waited for it 20
// times as long. DEPTH frames lie between a thread's first function and the call. With one thread
// the loop runs in main, so that the program stays single-threaded for libc.
#include "pace.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
// Warm are the caches of all kinds, and whoever reads a recorder's pipe has come up, when more than
// a pipe holds was written.
enum { PAIRS_IN_BATCH = 500, BATCHES_WARM = 16, BATCHES_KEPT = 1 << 14, THREADS_MOST = 16 };
enum { SLICE_NS = 50000, PATIENCE = 4, PATIENCE_WALL = 20, PATIENCE_LEAST_NS = 300000000 };
// So many slow slices in a row, and a lone thread tries the next processor.
enum { SLICES_SLOW = 20, PROCESSORS_MOST = 1024 };

// Sums over slices.
typedef struct {
  uint64_t batches, wall_ns, cpu_ns, slices;
  double pace;   // the slower one of the two of each slice
  uint64_t far;  // slices while the processors were far from each other
} sums_t;

// What one thread does and measured; a cache line apart from the next, lock included.
typedef struct loop {
  void (*batch)(struct loop *);
  pthread_mutex_t lock;
  unsigned depth;
  uint64_t limit_ns;
  sums_t all, counted;
  uint64_t made;                 // batches in all, those of a first slice on a processor included
  uint64_t kept;                 // batches in batch_ns, and what has gone from it
  float batch_ns[BATCHES_KEPT];  // of the newest batches that count: ns a pair
} __attribute__((aligned(128))) loop_t;

static loop_t loops[THREADS_MOST];
static pthread_barrier_t start_line;
static unsigned thread_count;
static float pace_limit = INFINITY, round_trip_limit = INFINITY;
static pace_board_t board_unknown, *board = &board_unknown;
static atomic_uint
    threads_ready;  // those with enough; they go on, so that the others do not speed up

static void batch_of_malloc(loop_t *loop) {
  (void)loop;
  for (int i = 0; i < PAIRS_IN_BATCH; i++) {
    void *volatile block = malloc(64);
    free(block);
  }
}

static void batch_of_mutex(loop_t *loop) {
  for (int i = 0; i < PAIRS_IN_BATCH; i++) {
    pthread_mutex_lock(&loop->lock);
    pthread_mutex_unlock(&loop->lock);
  }
}

// Moves the calling thread to the next processor that it may use, and keeps it there. By the system
// call, as a recorder may know the function.
static void processor_change(void) {
  static cpu_set_t all;
  static unsigned at;
  if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof all, &all) != 0) return;
  if (CPU_COUNT(&all) < 2) return;
  do at = (at + 1) % PROCESSORS_MOST;
  while (!CPU_ISSET(at, &all));
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(at, &only);
  syscall(SYS_sched_setaffinity, 0, sizeof only, &only);
}

static void sums_add(sums_t *sums, const sums_t *slice) {
  sums->batches += slice->batches;
  sums->wall_ns += slice->wall_ns;
  sums->cpu_ns += slice->cpu_ns;
  sums->slices++;
  sums->far += slice->far;
  sums->pace += slice->pace;
}

// Batches for some 50 us. Those of a slice that does not count are forgotten. False where another
// processor might be faster.
static bool slice_run(loop_t *loop, float *pace) {
  sums_t slice = {0};
  uint64_t kept = loop->kept, cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  uint64_t start = clock_ns(CLOCK_MONOTONIC), last = start;
  do {
    loop->batch(loop);
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    loop->batch_ns[kept++ % BATCHES_KEPT] = (float)(now - last) / PAIRS_IN_BATCH;
    slice.batches++;
    last = now;
  } while (last - start < SLICE_NS);
  slice.wall_ns = last - start;
  slice.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  float before = *pace;
  *pace = pace_take();
  slice.pace = fmaxf(before, *pace);
  slice.far = atomic_load(&board->round_trip_ns) > round_trip_limit;
  loop->made += slice.batches;
  if (!isfinite(slice.pace)) return false;
  sums_add(&loop->all, &slice);
  if (slice.pace > pace_limit) return false;
  if (slice.far) return true;
  sums_add(&loop->counted, &slice);
  loop->kept = kept;
  return true;
}

// All threads have enough; or this one has looked for it long enough, which on a busy machine takes
// longer than it has the processor.
static bool loop_is_over(const loop_t *loop, uint64_t start) {
  if (atomic_load_explicit(&threads_ready, memory_order_relaxed) >= thread_count) return true;
  uint64_t wall = clock_ns(CLOCK_MONOTONIC) - start;
  if (wall < PATIENCE_LEAST_NS) return false;
  return loop->all.cpu_ns > PATIENCE * loop->limit_ns || wall > PATIENCE_WALL * loop->limit_ns;
}

// Slices until the time is over. The first batches do not count.
static NOINLINE void loop_measure(loop_t *loop) {
  for (int i = 0; i < BATCHES_WARM; i++) loop->batch(loop);
  uint64_t start = clock_ns(CLOCK_MONOTONIC);
  float pace = pace_take();
  bool ready = false;
  unsigned slow = 0;
  do {
    slow = slice_run(loop, &pace) ? 0 : slow + 1;
    if (slow == SLICES_SLOW && thread_count == 1) {
      processor_change();
      slow = 0;
      pace = INFINITY;  // the next slice warms its caches, and does not count
    }
    if (!ready && loop->counted.cpu_ns >= loop->limit_ns) {
      ready = true;
      atomic_fetch_add(&threads_ready, 1);
    }
  } while (!loop_is_over(loop, start));
}

// Three functions that call each other in turn: return addresses differ from frame to frame.
static NOINLINE void descend_first(loop_t *loop, unsigned depth);
static NOINLINE void descend_second(loop_t *loop, unsigned depth);
static NOINLINE void descend_third(loop_t *loop, unsigned depth);

#define DESCEND(name, next)                                                                        \
  static NOINLINE void name(loop_t *loop, unsigned depth) {                                        \
    if (depth <= 2)                                                                                \
      loop_measure(loop);                                                                          \
    else                                                                                           \
      next(loop, depth - 1);                                                                       \
    __asm__ volatile("" ::: "memory"); /* the call above is no tail call */                        \
  }
DESCEND(descend_first, descend_second)
DESCEND(descend_second, descend_third)
DESCEND(descend_third, descend_first)

static void loop_run(loop_t *loop) {
  if (loop->depth <= 1)
    loop_measure(loop);
  else
    descend_first(loop, loop->depth);
}

static void *thread_run(void *argument) {
  pthread_barrier_wait(&start_line);
  loop_run(argument);
  return NULL;
}

static void threads_run(unsigned count) {
  pthread_t threads[THREADS_MOST];
  pthread_barrier_init(&start_line, NULL, count);
  for (unsigned i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, thread_run, &loops[i]) != 0) exit(1);
  for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static int float_compare(const void *left, const void *right) {
  float a = *(const float *)left, b = *(const float *)right;
  return (a > b) - (a < b);
}

static double batch_median(loop_t *loop, double otherwise) {
  if (loop->kept == 0) return otherwise;
  size_t count = loop->kept < BATCHES_KEPT ? loop->kept : BATCHES_KEPT;
  qsort(loop->batch_ns, count, sizeof *loop->batch_ns, float_compare);
  return loop->batch_ns[count / 2];
}

// What counts of a thread: its counted slices, or all where those are too few.
static const sums_t *loop_sums(const loop_t *loop) {
  return loop->counted.cpu_ns * 4 >= loop->limit_ns ? &loop->counted : &loop->all;
}

// typical: the median batch, averaged over threads. wall and cpu: everything in the slices that
// count, waits for a full buffer included; raw: in all slices. pace, and the share
// of slices with processors far from each other: of those that count.
static void result_print(unsigned threads) {
  double typical = 0, wall = 0, cpu = 0, wall_raw = 0, cpu_raw = 0;
  double pace = 0, far = 0, pairs = 0;
  for (unsigned i = 0; i < threads; i++) {
    const sums_t *sums = loop_sums(&loops[i]), *all = &loops[i].all;
    double own = (double)sums->batches * PAIRS_IN_BATCH * threads;
    double made = (double)all->batches * PAIRS_IN_BATCH;
    typical += batch_median(&loops[i], (double)sums->cpu_ns * threads / own) / threads;
    wall += (double)sums->wall_ns / own;
    cpu += (double)sums->cpu_ns / own;
    wall_raw += (double)all->wall_ns / made / threads;
    cpu_raw += (double)all->cpu_ns / made / threads;
    pace += sums->pace / (double)sums->slices / threads;
    far += (double)sums->far / (double)sums->slices / threads;
    pairs += (double)loops[i].made * PAIRS_IN_BATCH;
  }
  printf("{\"pairs\": %.0f, \"typical_ns\": %.3f, \"wall_ns\": %.3f, \"cpu_ns\": %.3f, "
         "\"wall_raw_ns\": %.3f, \"cpu_raw_ns\": %.3f, \"pace_ns\": %.4f, \"far\": %.3f}\n",
         pairs, typical, wall, cpu, wall_raw, cpu_raw, pace, far);
}

static bool limits_read(char **arguments) {
  pace_limit = strtof(arguments[0], NULL);
  round_trip_limit = strtof(arguments[1], NULL);
  int file = open(arguments[2], O_RDONLY | O_CLOEXEC);
  void *shown = mmap(NULL, sizeof *board, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  if (shown != MAP_FAILED) board = shown;
  return shown != MAP_FAILED;
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 8) {
    fprintf(stderr,
            "usage: micro malloc|mutex DEPTH THREADS MILLISECONDS [PACE ROUND_TRIP BOARD]\n");
    return 2;
  }
  unsigned depth = (unsigned)atoi(argv[2]), threads = (unsigned)atoi(argv[3]);
  if (!depth || !threads || threads > THREADS_MOST || (argc == 8 && !limits_read(argv + 5)))
    return 2;
  thread_count = threads;
  for (unsigned i = 0; i < threads; i++) {
    pthread_mutex_init(&loops[i].lock, NULL);
    loops[i].batch = strcmp(argv[1], "malloc") == 0 ? batch_of_malloc : batch_of_mutex;
    loops[i].depth = depth;
    loops[i].limit_ns = (uint64_t)atoi(argv[4]) * 1000000u;
  }
  if (threads == 1)
    loop_run(&loops[0]);
  else
    threads_run(threads);
  result_print(threads);
  return 0;
}
