// SPDX-License-Identifier: Apache-2.0
// Events at random, sensible or not: whatever is fed, nothing breaks and what must add up does.
#include "analyzer/findings/fail_on.h"
#include "analyzer/findings/warnings.h"
#include "tests/unit/models_feed.h"

#include <check.h>
#include <stdlib.h>

enum { EVENTS = 40000, SEEDS = 12 };

static feed_t feed;

static unsigned below(unsigned limit) { return (unsigned)rand() % limit; }

static const uint8_t kinds[] = {
    TRACE_THREAD_START,
    TRACE_THREAD_CREATE,
    TRACE_THREAD_END,
    TRACE_THREAD_JOIN,
    TRACE_LOCK_INIT,
    TRACE_LOCK_DESTROY,
    TRACE_LOCK_ACQUIRE,
    TRACE_LOCK_ACQUIRE,
    TRACE_LOCK_ACQUIRE,
    TRACE_LOCK_WAIT,
    TRACE_LOCK_FAIL,
    TRACE_LOCK_RELEASE,
    TRACE_LOCK_RELEASE,
    TRACE_LOCK_RELEASE,
    TRACE_COND_WAIT,
    TRACE_COND_SIGNAL,
    TRACE_ALLOCATE,
    TRACE_ALLOCATE,
    TRACE_FREE,
    TRACE_FREE,
    TRACE_REALLOCATE,
    TRACE_EPOLL_CREATE,
    TRACE_EPOLL_CTL,
    TRACE_EPOLL_WAIT,
    TRACE_READY,
    TRACE_READY,
    TRACE_READ,
    TRACE_WRITE,
    TRACE_ACCEPT,
    TRACE_CLOSE,
    TRACE_LOST,
    TRACE_REALLOCATE_START,
    TRACE_EPOLL_HELD,
    TRACE_EXIT,
    TRACE_CONNECT,
    TRACE_PENDING,
    TRACE_POLL,
    TRACE_POLL,
    TRACE_READY_DESCRIPTOR,
    TRACE_READY_DESCRIPTOR,
    TRACE_DESCRIPTOR_OPEN,
    TRACE_SLEEP,
    TRACE_TRANSFER_SLOW,
    TRACE_EPOLL_WAIT,
    TRACE_EPOLL_CTL,
    TRACE_READY,
};

static uint64_t random_address(void) { return below(40) * 0x30; }

static uint32_t random_bits(void) {
  return (below(10) ? 1 + below(2) : below(16)) | (below(6) ? 0 : 1u << (4 + below(13)));
}

// Words that fit the kind now and then, and are anything otherwise.
static void random_event(void) {
  unsigned kind = kinds[below(sizeof kinds)];
  uint32_t thread = 1 + below(12);
  uint64_t arg = below(8),
           words[3] = {random_address(), below(3) ? below(90000) : random_address(), below(50000)};
  if (!below(200)) words[below(3)] = (uint64_t)rand() << 33 | (uint64_t)rand();
  switch (trace_event_kinds[kind].family) {
  case TRACE_FAMILY_LOCK:
    if (kind != TRACE_COND_WAIT && kind != TRACE_COND_SIGNAL) arg = random_bits();
    break;
  case TRACE_FAMILY_HEAP:
    arg = below(100) ? below(300) : (uint64_t)rand() << 12;
    break;
  case TRACE_FAMILY_THREAD:
    words[0] = feed_handle(1 + below(12));
    arg = below(5) ? 0 : trace_zigzag(-11);
    break;
  case TRACE_FAMILY_DESCRIPTOR:
    if (kind != TRACE_READY) words[0] = trace_pair(below(6), below(9));
    if (kind == TRACE_POLL || kind == TRACE_READY_DESCRIPTOR) words[0] = below(9);
    if (kind == TRACE_DESCRIPTOR_OPEN) {
      words[0] = below(10);
      words[1] = trace_zigzag((int64_t)below(9) - 1);
    }
    break;
  default:
    arg = below(TRACE_KIND_LIMIT);
  }
  feed_event(&feed, thread, (int)kind, below(30), arg, words[0], words[1], words[2]);
}

static void expect_heap_adds_up(void) {
  const heap_t *heap = models_heap(feed.models);
  const heap_totals_t *totals = heap_totals(heap);
  uint64_t blocks = 0, bytes = 0, at_peak = 0;
  for (uint32_t stack = 0; stack < heap_site_limit(heap); ++stack) {
    blocks += heap_site(heap, stack)->live_blocks;
    bytes += heap_site(heap, stack)->live_bytes;
    at_peak += heap_site(heap, stack)->at_peak_bytes;
  }
  ck_assert_uint_eq(blocks, totals->live_blocks);
  ck_assert_uint_eq(bytes, totals->live_bytes);
  ck_assert_uint_eq(at_peak, totals->peak_bytes);
  ck_assert_uint_eq(totals->allocations - totals->frees, totals->live_blocks);
}

static void expect_lives_add_up(void) {
  const threads_t *threads = models_threads(feed.models);
  for (uint32_t thread = 1; thread < threads_limit(threads); ++thread) {
    const thread_account_t *account = threads_get(threads, thread);
    uint64_t sum = 0;
    for (unsigned state = 0; state < THREAD_STATE_COUNT; ++state) sum += account->time_ns[state];
    // A thread that goes on after its end is mad; its life is then shorter than its waits.
    if (!account->ended) ck_assert_uint_eq(sum, account->ended_ns - account->started_ns);
  }
}

static void expect_tasks_add_up(void) {
  const tasks_t *tasks = models_tasks(feed.models);
  ck_assert_uint_gt(tasks_count(tasks), 0);
  for (uint32_t at = 0; at < tasks_count(tasks); ++at) {
    const task_t *task = tasks_get(tasks, at);
    uint64_t sum = task->running_ns + task->scheduled_ns + task->blocked_ns + task->idle_ns;
    ck_assert_msg(sum == task->ended_ns - task->created_ns,
                  "task %u: running %lu scheduled %lu blocked %lu idle %lu of %lu", task->id,
                  task->running_ns, task->scheduled_ns, task->blocked_ns, task->idle_ns,
                  task->ended_ns - task->created_ns);
  }
}

// A worker waits for jobs no longer than it waits for anything.
static void expect_pools_add_up(void) {
  const pools_t *pools = loops_pools(models_loops(feed.models));
  for (uint32_t at = 0; at < pools_count(pools); ++at) {
    const pool_t *pool = pools_get(pools, at);
    ck_assert_uint_eq(pool->job_ns.count, pool->jobs);
    ck_assert_uint_le(pool->jobs_early, pool->jobs);
    ck_assert_uint_le(pool->queue_ns.count, pool->jobs + pool->given);
  }
}

static void expect_holders_agree(void) {
  const locks_t *locks = models_locks(feed.models);
  for (uint32_t thread = 1; thread < threads_limit(models_threads(feed.models)); ++thread)
    for (uint32_t at = 0; at < locks_held_count(locks, thread); ++at) {
      const lock_t *lock = locks_get(locks, locks_held(locks, thread, at));
      ck_assert_ptr_nonnull(lock);
      bool found = lock->owner.thread == thread;
      for (uint32_t other = 0; other < lock->reader_count; ++other)
        found |= lock->readers[other].thread == thread;
      for (uint32_t other = 0; other < lock->displaced_count; ++other)
        found |= lock->displaced[other].thread == thread;
      ck_assert(found);
    }
}

START_TEST(whatever_comes_adds_up) {
  srand(100 + (unsigned)_i);
  feed = feed_begin();
  for (unsigned at = 0; at < EVENTS; ++at) random_event();
  for (uint32_t thread = 1; thread <= 12; ++thread)
    feed_pending(&feed, thread, below(10), below(2) ? random_address() : feed_handle(1 + below(12)),
                 random_bits(), below(30), feed.now - below(100000));
  feed_end(&feed);
  expect_heap_adds_up();
  expect_lives_add_up();
  expect_tasks_add_up();
  expect_pools_add_up();
  expect_holders_agree();
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  for (size_t at = 0; at < deadlocks->count; ++at)
    for (uint32_t leg = 0; leg < deadlocks->items[at].leg_count; ++leg) {
      const deadlock_leg_t *one = &deadlocks->items[at].legs[leg];
      ck_assert(!one->holds || locks_get(models_locks(feed.models), one->holds));
      ck_assert(!one->wants || locks_get(models_locks(feed.models), one->wants));
    }
  warnings_t *warnings = warnings_find(feed.models, deadlocks);
  fail_on_found(feed.models, deadlocks, NULL, NULL);
  size_t edges;
  free(dependencies_edges(models_dependencies(feed.models), &edges));
  warnings_free(warnings);
  deadlocks_free(deadlocks);
  feed_free(&feed);
}
END_TEST

Suite *models_random_suite(void);
Suite *models_random_suite(void) {
  Suite *suite = suite_create("models_random");
  TCase *tests = tcase_create("random");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, whatever_comes_adds_up, 0, SEEDS);
  suite_add_tcase(suite, tests);
  return suite;
}
