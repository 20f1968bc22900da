// SPDX-License-Identifier: Apache-2.0
// The micro loops: pairs of malloc+free of 64 bytes, or of lock+unlock of a mutex that nobody else
// takes, at a given depth of stack in a given number of threads. Prints what a pair took.
//
//     micro malloc|mutex DEPTH THREADS MILLISECONDS
//
// It ends when each thread has had so much CPU, or waited for it 20 times as long.
// DEPTH frames lie between a thread's first function and the call. With one thread the loop runs in
// main, so that the program stays single-threaded for libc.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
// Warm are the caches of all kinds, and whoever reads a recorder's pipe has come up, when more than
// a pipe holds was written.
enum { PAIRS_IN_BATCH = 500, BATCHES_WARM = 16, BATCHES_KEPT = 1 << 14, THREADS_MOST = 16 };
enum { PATIENCE = 20 };

// What one thread does and measured; a cache line apart from the next, lock included.
typedef struct loop {
  void (*batch)(struct loop *);
  pthread_mutex_t lock;
  unsigned depth;
  uint64_t limit_ns;
  uint64_t batches, wall_ns, cpu_ns;
  float batch_ns[BATCHES_KEPT];  // of the newest batches: ns a pair
} __attribute__((aligned(128))) loop_t;

static loop_t loops[THREADS_MOST];
static pthread_barrier_t start_line;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

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

// Batches until the time is over. The first ones do not count.
static NOINLINE void loop_measure(loop_t *loop) {
  for (int i = 0; i < BATCHES_WARM; i++) loop->batch(loop);
  uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), start = clock_ns(CLOCK_MONOTONIC), last = start;
  uint64_t used;
  do {
    loop->batch(loop);
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    loop->batch_ns[loop->batches++ % BATCHES_KEPT] = (float)(now - last) / PAIRS_IN_BATCH;
    used = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    last = clock_ns(CLOCK_MONOTONIC);
  } while (used < loop->limit_ns && last - start < PATIENCE * loop->limit_ns);
  loop->wall_ns = last - start;
  loop->cpu_ns = used;
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

static double batch_median(loop_t *loop) {
  size_t count = loop->batches < BATCHES_KEPT ? loop->batches : BATCHES_KEPT;
  qsort(loop->batch_ns, count, sizeof *loop->batch_ns, float_compare);
  return loop->batch_ns[count / 2];
}

// typical: the median batch, averaged over threads. wall and cpu: everything, waits for a full
// buffer included.
static void result_print(unsigned threads) {
  double typical = 0, wall = 0, cpu = 0, pairs = 0;
  for (unsigned i = 0; i < threads; i++) {
    double own = (double)loops[i].batches * PAIRS_IN_BATCH;
    typical += batch_median(&loops[i]) / threads;
    wall += (double)loops[i].wall_ns / own / threads;
    cpu += (double)loops[i].cpu_ns / own / threads;
    pairs += own;
  }
  printf("{\"pairs\": %.0f, \"typical_ns\": %.3f, \"wall_ns\": %.3f, \"cpu_ns\": %.3f}\n", pairs,
         typical, wall, cpu);
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: micro malloc|mutex DEPTH THREADS MILLISECONDS\n");
    return 2;
  }
  unsigned depth = (unsigned)atoi(argv[2]), threads = (unsigned)atoi(argv[3]);
  if (!depth || !threads || threads > THREADS_MOST) return 2;
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
