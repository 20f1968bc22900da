// SPDX-License-Identifier: Apache-2.0
// Event loops and descriptor tasks from turns whose times are known.
#include "analyzer/models/loops.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum { EPOLL = 3, LISTENER = 4, ONE = 5, TWO = 6, THREE = 7, MS = 1000000 };

// What a sanitizer keeps aside of freed memory is no growth of the model's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_ADDED_KB = 256 * 1024 };
#else
enum { MEMORY_ADDED_KB = 16 * 1024 };
#endif

static feed_t feed;

static void control(int operation, int descriptor, uint64_t token, uint32_t stack) {
  feed_event(&feed, 1, TRACE_EPOLL_CTL, stack, (uint64_t)operation,
             trace_pair(EPOLL, (uint32_t)descriptor), token, trace_pair(EPOLLIN, 0));
}

// Thread 1 returns from a wait of `wait` ns at `time` with the tokens; 8 were asked for.
static void turn(uint64_t time, uint64_t wait, const uint64_t *tokens, unsigned count) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_EPOLL_WAIT, 50, trace_zigzag(count), trace_pair(EPOLL, 8), wait,
             trace_zigzag(-1));
  for (unsigned at = 0; at < count; ++at) {
    feed_at(&feed, time);
    feed_event(&feed, 1, TRACE_READY, 0, EPOLLIN, tokens[at], 0, 0);
  }
}

// A read that ends at `time` and took `duration`.
static void read_from(uint64_t time, int descriptor, int64_t result, uint64_t duration) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_READ, 0, (uint64_t)descriptor, trace_zigzag(result), duration, 0);
}

static void setup(void) {
  feed = feed_begin();
  feed_start(&feed, 1);
  feed_at(&feed, 1 * MS);
  feed_event(&feed, 1, TRACE_EPOLL_CREATE, 40, EPOLL, 0, 0, 0);
  control(EPOLL_CTL_ADD, ONE, 101, 41);
  control(EPOLL_CTL_ADD, TWO, 102, 42);
  control(EPOLL_CTL_ADD, THREE, 103, 43);
}
static void teardown(void) { feed_free(&feed); }

static const loop_t *loop(void) { return loops_get(models_loops(feed.models), 0); }

static const task_t *task(int descriptor) {
  const tasks_t *tasks = models_tasks(feed.models);
  for (uint32_t at = tasks_count(tasks); at-- > 0;)
    if (tasks_get(tasks, at)->descriptor == descriptor) return tasks_get(tasks, at);
  ck_abort_msg("no task of descriptor %d", descriptor);
  return NULL;
}

static void expect_sum(const task_t *one) {
  ck_assert_uint_eq(one->running_ns + one->scheduled_ns + one->blocked_ns + one->idle_ns,
                    one->ended_ns - one->created_ns);
}

START_TEST(turns_batches_busy_and_idle) {
  turn(10 * MS, 4 * MS, (uint64_t[]){101, 102}, 2);
  turn(20 * MS, 7 * MS, (uint64_t[]){101}, 1);  // the turn before lasted from 10 to 13
  turn(30 * MS, 9 * MS, NULL, 0);               // 20 to 21
  turn(40 * MS, 10 * MS, NULL, 0);              // 30 to 30
  feed_at(&feed, 42 * MS);
  feed_pending(&feed, 1, TRACE_PENDING_EPOLL, EPOLL, 0, 50, 41 * MS);
  feed_at(&feed, 50 * MS);
  feed_start(&feed, 2);
  feed_end(&feed);
  ck_assert_uint_eq(loops_count(models_loops(feed.models)), 1);
  ck_assert_uint_eq(loop()->site, 40);
  ck_assert_uint_eq(loop()->thread_count, 1);
  ck_assert_uint_eq(loop()->waits, 4);
  ck_assert_uint_eq(loop()->turns, 4);
  ck_assert_uint_eq(loop()->events, 3);
  ck_assert_uint_eq(loop()->empty, 2);
  ck_assert_uint_eq(loop()->batch.max, 2);
  ck_assert_uint_eq(loop()->busy_ns, (3 + 1 + 0 + 1) * MS);
  ck_assert_uint_eq(loop()->idle_ns, (4 + 7 + 9 + 10 + 9) * MS);
  ck_assert_uint_eq(loop()->saturated, 0);
  ck_assert_uint_eq(loop()->stall_count, 0);
  ck_assert_uint_eq(loop()->max_registered, 3);
}
END_TEST

// What is taken out and put back in one turn, as libevent does it, was only asked for otherwise.
START_TEST(taken_out_and_put_back) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(11 * MS, ONE, 100, 0);
  feed_at(&feed, 12 * MS);
  control(EPOLL_CTL_DEL, ONE, 0, 44);
  control(EPOLL_CTL_ADD, ONE, 111, 45);
  turn(20 * MS, 7 * MS, (uint64_t[]){111}, 1);
  feed_at(&feed, 21 * MS);
  feed_event(&feed, 1, TRACE_WRITE, 0, ONE, trace_zigzag(10), 0, 0);
  control(EPOLL_CTL_DEL, ONE, 0, 44);
  turn(30 * MS, 8 * MS, NULL, 0);
  feed_at(&feed, 31 * MS);
  control(EPOLL_CTL_ADD, ONE, 121, 45);  // in another turn: another task
  feed_end(&feed);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), 4);
  const task_t *one = tasks_by_id(models_tasks(feed.models), 1);
  ck_assert_int_eq(one->descriptor, ONE);
  ck_assert_uint_eq(one->created_ns, task(TWO)->created_ns - 1000);
  ck_assert_uint_eq(one->site, 41);
  ck_assert_uint_eq(one->polls, 2);
  ck_assert_uint_eq(one->responses, 1);
  ck_assert_int_eq((int)one->state, TASK_STATE_COMPLETED);
  expect_sum(one);
  ck_assert_uint_eq(task(ONE)->id, 4);
  ck_assert_uint_eq(loop()->max_registered, 3);
}
END_TEST

START_TEST(taken_out_and_closed) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  control(EPOLL_CTL_DEL, ONE, 0, 44);
  feed_event(&feed, 1, TRACE_CLOSE, 0, ONE, 0, 0, 0);
  control(EPOLL_CTL_ADD, ONE, 111, 45);  // the number is another's
  feed_end(&feed);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), 4);
  ck_assert_uint_eq(task(ONE)->polls, 0);
}
END_TEST

START_TEST(inherited_set) {
  feed_event(&feed, 1, TRACE_EPOLL_HELD, 0, 9, EPOLL, 109, EPOLLIN);
  feed_event(&feed, 1, TRACE_EPOLL_HELD, 0, ONE, EPOLL, 101, EPOLLIN);  // is known already
  turn(10 * MS, 0, (uint64_t[]){109, 101}, 2);
  feed_end(&feed);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), 4);
  ck_assert(task(9)->held);
  ck_assert(!task(ONE)->held);
  ck_assert_uint_eq(task(9)->polls, 1);
  ck_assert_uint_eq(task(ONE)->polls, 1);
}
END_TEST

// 20 ms in a connect: of one that does not block it says nothing.
START_TEST(connect_that_cannot_block) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  feed_at(&feed, 31 * MS);
  feed_event(&feed, 1, TRACE_CONNECT, 60, 9, trace_zigzag(-EINPROGRESS), 20 * MS, 0);
  feed_event(&feed, 1, TRACE_RESOLVE, 61, 0, 20000, 0, 0);  // 20 us: an address
  turn(32 * MS, 0, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->blocking.count, 0);
  ck_assert_uint_eq(task(ONE)->blocked_ns, 0);
}
END_TEST

// The last turn of a thread that calls exit holds nobody up; that of one that is killed does.
START_TEST(end_of_the_process_is_no_stall) {
  for (int how = TRACE_EXIT_NORMAL; how <= TRACE_EXIT_IMMEDIATE; how++) {
    teardown();
    setup();
    turn(10 * MS, 0, (uint64_t[]){101}, 1);
    feed_at(&feed, 60 * MS);
    feed_event(&feed, 1, TRACE_EXIT, 0, 0, (uint64_t)how, 0, 0);
    feed_end(&feed);
    ck_assert_uint_eq(loop()->stall_count, how == TRACE_EXIT_IMMEDIATE);
    ck_assert_uint_ge(loop()->busy_ns, 49 * MS);
  }
}
END_TEST

START_TEST(batch_as_large_as_asked_is_saturated) {
  turn(10 * MS, 0, (uint64_t[]){101, 102, 103, 101, 102, 103, 101, 102}, 8);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->saturated, 1);
}
END_TEST

START_TEST(lag_is_until_the_first_call_on_the_descriptor) {
  turn(10 * MS, 0, (uint64_t[]){101, 102, 103}, 3);
  read_from(10 * MS + 1000, ONE, 100, 1000);  // begins at 10 ms: no lag
  read_from(12 * MS, TWO, 100, 0);            // 2 ms
  read_from(13 * MS, ONE, 100, 0);            // not its first
  read_from(15 * MS, THREE, 100, 0);          // 5 ms
  turn(20 * MS, 4 * MS, NULL, 0);             // the turn ended at 16
  feed_end(&feed);
  ck_assert_uint_eq(loop()->lag_ns.count, 3);
  ck_assert_uint_eq(loop()->lag_ns.total, 7 * MS);
  ck_assert_uint_eq(loop()->lag_ns.max, 5 * MS);
  ck_assert_uint_eq(loop()->lags_estimated, 0);
  ck_assert_uint_eq(task(ONE)->running_ns, 2 * MS);
  ck_assert_uint_eq(task(TWO)->running_ns, 3 * MS);
  ck_assert_uint_eq(task(TWO)->scheduled_ns, 2 * MS);
  ck_assert_uint_eq(task(THREE)->running_ns, 1 * MS);
  ck_assert_uint_eq(task(THREE)->max_poll_ns, 1 * MS);
  ck_assert_uint_eq(task(ONE)->bytes_in, 200);
  expect_sum(task(ONE));
  expect_sum(task(TWO));
  expect_sum(task(THREE));
}
END_TEST

START_TEST(lag_without_a_call_is_interpolated_and_said_to_be) {
  turn(10 * MS, 0, (uint64_t[]){101, 102, 103}, 3);
  read_from(14 * MS, THREE, 100, 0);
  turn(20 * MS, 4 * MS, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->lags_estimated, 2);
  ck_assert_uint_eq(task(ONE)->scheduled_ns, 0);       // first of its batch
  ck_assert_uint_eq(task(TWO)->scheduled_ns, 2 * MS);  // half way to the third
  ck_assert_uint_eq(task(THREE)->scheduled_ns, 4 * MS);
}
END_TEST

START_TEST(lag_between_two_known_ones_is_half_way) {
  turn(10 * MS, 0, (uint64_t[]){101, 102, 103}, 3);
  read_from(12 * MS, ONE, 100, 0);
  read_from(16 * MS, THREE, 100, 0);
  turn(20 * MS, 0, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(task(TWO)->scheduled_ns, 4 * MS);
  ck_assert_uint_eq(task(TWO)->running_ns, 2 * MS);
  ck_assert_uint_eq(loop()->lags_estimated, 1);
}
END_TEST

START_TEST(long_turn_is_a_stall_with_its_task_and_stack) {
  turn(10 * MS, 0, (uint64_t[]){101, 102}, 2);
  read_from(11 * MS, ONE, 1, 0);
  feed_at(&feed, 12 * MS);
  feed_allocate(&feed, 1, 0x10000, 64, 77);  // the last seen before the silence
  feed_at(&feed, 50 * MS);
  feed_release_block(&feed, 1, 0x10000);
  read_from(51 * MS, TWO, 1, 0);
  turn(60 * MS, 8 * MS, NULL, 0);  // 10 to 52
  feed_end(&feed);
  ck_assert_uint_eq(loop()->stall_count, 1);
  ck_assert_uint_eq(loop()->stalls[0].at_ns, 10 * MS);
  ck_assert_uint_eq(loop()->stalls[0].duration_ns, 42 * MS);
  ck_assert_uint_eq(loop()->stalls[0].task, task(ONE)->id);
  ck_assert_uint_eq(loop()->stalls[0].stack, 77);
  ck_assert_uint_eq(loop()->stalls[0].thread, 1);
}
END_TEST

START_TEST(turn_of_exactly_the_threshold_is_no_stall) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  turn(20 * MS, 0, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->stall_count, 0);
}
END_TEST

START_TEST(blocking_call_in_a_turn_is_counted_by_site) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(10 * MS, ONE, 1, 0);
  feed_at(&feed, 40 * MS);
  feed_waited(&feed, 1, 0x9000, FEED_MUTEX, 66, 25 * MS);
  turn(50 * MS, 5 * MS, NULL, 0);  // 10 to 45
  feed_end(&feed);
  ck_assert_uint_eq(loop()->blocking.count, 1);
  ck_assert_uint_eq(loop()->blocking.items[0].kind, TRACE_LOCK_WAIT);
  ck_assert_uint_eq(loop()->blocking.items[0].stack, 66);
  ck_assert_uint_eq(loop()->blocking.items[0].total_ns, 25 * MS);
  ck_assert_uint_eq(task(ONE)->blocked_ns, 25 * MS);
  ck_assert_uint_eq(task(ONE)->running_ns, 10 * MS);
  ck_assert_uint_eq(loop()->stalls[0].blocked_kind, TRACE_LOCK_WAIT);
  ck_assert_uint_eq(loop()->stalls[0].stack, 66);
  expect_sum(task(ONE));
}
END_TEST

START_TEST(slow_transfer_says_where_and_whether_it_blocked) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  feed_event(&feed, 1, TRACE_TRANSFER_SLOW, 61, ONE, 0, 0, 0);
  read_from(15 * MS, ONE, 1, 4 * MS);
  feed_event(&feed, 1, TRACE_TRANSFER_SLOW, 62, ONE, 1, 0, 0);
  read_from(25 * MS, ONE, 1, 4 * MS);
  turn(40 * MS, 5 * MS, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->blocking.count, 1);
  ck_assert_uint_eq(loop()->blocking.items[0].stack, 61);
  ck_assert_uint_eq(task(ONE)->blocked_ns, 4 * MS);
}
END_TEST

START_TEST(descriptor_that_said_again_does_not_block) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(11 * MS, ONE, -EAGAIN, 1000);
  read_from(15 * MS, ONE, 1, 4 * MS);
  turn(40 * MS, 5 * MS, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->blocking.count, 0);
  ck_assert_uint_eq(task(ONE)->blocked_ns, 0);
}
END_TEST

START_TEST(handler_that_never_returns_is_a_stall) {
  turn(10 * MS, 0, (uint64_t[]){101, 102}, 2);
  read_from(10 * MS + 1, ONE, 1, 0);
  feed_at(&feed, 90 * MS);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, 0x9000, FEED_MUTEX, 66, 15 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->stall_count, 1);
  ck_assert_uint_eq(loop()->stalls[0].duration_ns, 80 * MS);
  ck_assert_uint_eq(loop()->stalls[0].stack, 66);
  ck_assert_uint_eq(loop()->stalls[0].blocked_kind, TRACE_LOCK_WAIT);
}
END_TEST

START_TEST(accepted_descriptor_has_its_listener_as_parent) {
  control(EPOLL_CTL_ADD, LISTENER, 100, 44);
  turn(10 * MS, 0, (uint64_t[]){100}, 1);
  feed_event(&feed, 1, TRACE_ACCEPT, 45, LISTENER, trace_zigzag(9), 10, 0);
  control(EPOLL_CTL_ADD, 9, 109, 46);
  feed_end(&feed);
  ck_assert_int_eq(task(LISTENER)->kind, DESCRIPTOR_LISTENER);
  ck_assert_int_eq(task(9)->kind, DESCRIPTOR_CONNECTION);
  ck_assert_uint_eq(task(LISTENER)->accepts, 1);
  ck_assert_uint_eq(task(9)->parent, task(LISTENER)->id);
  ck_assert_uint_eq(task(9)->site, 46);
  ck_assert_int_eq(task(9)->state, TASK_STATE_PENDING);
  ck_assert_uint_eq(task(ONE)->parent, 0);
}
END_TEST

// As haproxy does: it reads at once, and asks the loop only where there is nothing yet.
START_TEST(connection_that_is_served_before_it_is_registered_is_a_task) {
  control(EPOLL_CTL_ADD, LISTENER, 100, 44);
  turn(10 * MS, 0, (uint64_t[]){100}, 1);
  feed_event(&feed, 1, TRACE_ACCEPT, 45, LISTENER, trace_zigzag(8), 10, 0);
  feed_event(&feed, 1, TRACE_ACCEPT, 45, LISTENER, trace_zigzag(9), 10, 0);
  feed_event(&feed, 1, TRACE_ACCEPT, 45, LISTENER, trace_zigzag(-EAGAIN), 10, 0);
  read_from(12 * MS, 9, 5, 0);
  feed_at(&feed, 14 * MS);
  feed_event(&feed, 1, TRACE_WRITE, 0, 9, trace_zigzag(5), 0, 0);
  control(EPOLL_CTL_ADD, 9, 109, 46);
  turn(20 * MS, 5 * MS, (uint64_t[]){109}, 1);
  control(EPOLL_CTL_DEL, 9, 0, 0);
  read_from(21 * MS, 9, 5, 0);
  feed_end(&feed);
  ck_assert_uint_eq(task(LISTENER)->accepts, 2);
  const task_t *served = task(9);
  ck_assert_uint_eq(served->parent, task(LISTENER)->id);
  ck_assert_uint_eq(served->created_ns, 12 * MS);
  ck_assert_uint_eq(served->site, 46);
  ck_assert_uint_eq(served->polls, 1);
  ck_assert_uint_eq(served->responses, 1);
  ck_assert_uint_le(served->max_scheduled_ns, 1000);  // of its second turn
  ck_assert_uint_eq(served->running_ns, 3 * MS);      // from its read to the next wait
  ck_assert_int_eq(served->state, TASK_STATE_COMPLETED);
  expect_sum(served);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), 5);  // one with 9, none with 8
}
END_TEST

START_TEST(closed_descriptor_and_its_number_used_again_are_two_tasks) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(11 * MS, ONE, -ECONNRESET, 0);
  feed_at(&feed, 12 * MS);
  feed_event(&feed, 1, TRACE_CLOSE, 0, ONE, 0, 0, 0);
  uint32_t tasks_before = 3;
  control(EPOLL_CTL_ADD, ONE, 101, 47);
  turn(20 * MS, 0, (uint64_t[]){101}, 1);
  feed_end(&feed);
  const tasks_t *tasks = models_tasks(feed.models);
  ck_assert_uint_eq(tasks_count(tasks), tasks_before + 1);
  const task_t *first = tasks_get(tasks, 0);
  ck_assert_int_eq(first->descriptor, ONE);
  ck_assert_int_eq(first->state, TASK_STATE_FAILED);
  ck_assert_uint_eq(first->ended_ns, 12 * MS);
  ck_assert_uint_eq(first->polls, 1);
  ck_assert_uint_eq(first->running_ns, 1 * MS);  // from its read to its close
  expect_sum(first);
  ck_assert_uint_ne(task(ONE)->id, first->id);
  ck_assert_uint_eq(task(ONE)->polls, 1);
}
END_TEST

START_TEST(registration_lives_as_long_as_a_copy) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 20, TRACE_DESCRIPTOR_COPY, trace_zigzag(ONE), 0);
  feed_at(&feed, 15 * MS);
  feed_event(&feed, 1, TRACE_CLOSE, 0, ONE, 0, 0, 0);
  turn(20 * MS, 1 * MS, (uint64_t[]){101}, 1);
  read_from(21 * MS, 20, 7, 0);
  feed_at(&feed, 25 * MS);
  feed_event(&feed, 1, TRACE_CLOSE, 0, 20, 0, 0, 0);
  turn(30 * MS, 1 * MS, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(task(ONE)->polls, 2);
  ck_assert_uint_eq(task(ONE)->bytes_in, 7);
  ck_assert_int_eq(task(ONE)->state, TASK_STATE_COMPLETED);
  ck_assert_uint_eq(task(ONE)->ended_ns, 25 * MS);
  expect_sum(task(ONE));
}
END_TEST

START_TEST(removed_descriptor_is_completed) {
  control(EPOLL_CTL_DEL, TWO, 0, 0);
  feed_end(&feed);
  ck_assert_int_eq(task(TWO)->state, TASK_STATE_COMPLETED);
  ck_assert_int_eq(task(THREE)->state, TASK_STATE_PENDING);
}
END_TEST

START_TEST(changed_token_still_means_the_task) {
  control(EPOLL_CTL_MOD, TWO, 222, 0);
  turn(10 * MS, 0, (uint64_t[]){222, 102}, 2);
  feed_end(&feed);
  ck_assert_uint_eq(task(TWO)->polls, 1);
  ck_assert_uint_eq(loop()->events, 2);
}
END_TEST

START_TEST(failed_registration_is_none) {
  feed_event(&feed, 1, TRACE_EPOLL_CTL, 0, EPOLL_CTL_ADD, trace_pair(EPOLL, 12), 5,
             trace_pair(EPOLLIN, EBADF));
  feed_end(&feed);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), 3);
}
END_TEST

START_TEST(epoll_closed_and_made_again_is_another_loop) {
  feed_event(&feed, 1, TRACE_CLOSE, 0, EPOLL, 0, 0, 0);
  feed_event(&feed, 1, TRACE_EPOLL_CREATE, 48, EPOLL, 0, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loops_count(models_loops(feed.models)), 2);
  ck_assert_uint_ne(loop()->closed_ns, UINT64_MAX);
  ck_assert_uint_eq(loops_get(models_loops(feed.models), 1)->closed_ns, UINT64_MAX);
}
END_TEST

// As asyncio's loop.close(): what the thread does afterwards is no stall.
START_TEST(turn_ends_when_its_thread_closes_the_epoll_instance) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  feed_at(&feed, 12 * MS);
  feed_event(&feed, 1, TRACE_CLOSE, 0, EPOLL, 0, 0, 0);
  feed_at(&feed, 90 * MS);
  feed_event(&feed, 1, TRACE_THREAD_END, 0, 0, 0, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->turns, 1);
  ck_assert_uint_eq(loop()->busy_ns, 2 * MS);
  ck_assert_uint_eq(loop()->stall_count, 0);
}
END_TEST

START_TEST(task_the_trace_ends_in_is_running_and_later_ones_scheduled) {
  turn(10 * MS, 0, (uint64_t[]){101, 102, 103}, 3);
  read_from(11 * MS, ONE, 1, 0);
  read_from(12 * MS, TWO, 1, 0);
  feed_end(&feed);
  ck_assert_int_eq(task(ONE)->state, TASK_STATE_IDLE);
  ck_assert_int_eq(task(TWO)->state, TASK_STATE_RUNNING);
  ck_assert_int_eq(task(THREE)->state, TASK_STATE_SCHEDULED);
}
END_TEST

START_TEST(ended_tasks_beyond_the_limit_are_dropped_and_counted) {
  for (int at = 0; at < TASKS_ENDED_MAX + 10; ++at) {
    control(EPOLL_CTL_ADD, 9, 109, 46);
    feed_event(&feed, 1, TRACE_CLOSE, 0, 9, 0, 0, 0);
  }
  feed_end(&feed);
  ck_assert_uint_eq(tasks_dropped(models_tasks(feed.models)), 10);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), TASKS_ENDED_MAX + 3);
}
END_TEST

// Half a million events of 100,000 connections: memory is that of the connections, not of the
// events.
START_TEST(many_connections_take_bounded_memory) {
  enum { CONNECTIONS = 100000, FIRST = 100, BATCH = 64, TURNS = 4000 };
  struct rusage before, after;
  for (uint32_t at = FIRST; at < FIRST + CONNECTIONS; ++at) control(EPOLL_CTL_ADD, (int)at, at, 41);
  getrusage(RUSAGE_SELF, &before);
  for (uint64_t at = 0, handled = 0; at < TURNS; ++at) {
    uint64_t tokens[BATCH];
    for (unsigned place = 0; place < BATCH; ++place)
      tokens[place] = FIRST + (handled + place) % CONNECTIONS;
    turn((10 + at) * MS, 500, tokens, BATCH);
    for (unsigned place = 0; place < BATCH; ++place, ++handled)
      read_from((10 + at) * MS + place, (int)tokens[place], 10, 0);
  }
  feed_end(&feed);
  getrusage(RUSAGE_SELF, &after);
  ck_assert_uint_eq(loop()->events, (uint64_t)TURNS * BATCH);
  ck_assert_uint_eq(tasks_count(models_tasks(feed.models)), CONNECTIONS + 3);
  ck_assert_int_le(after.ru_maxrss - before.ru_maxrss, MEMORY_ADDED_KB);
}
END_TEST

static void poll_at(uint64_t time, uint64_t wait, uint32_t stack, const int *ready,
                    unsigned count) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_POLL, stack, trace_zigzag(count), 3, wait, trace_zigzag(-1));
  for (unsigned at = 0; at < count; ++at) {
    feed_at(&feed, time);
    feed_event(&feed, 1, TRACE_READY_DESCRIPTOR, 0, EPOLLIN, (uint64_t)ready[at], 0, 0);
  }
}

START_TEST(poll_again_and_again_is_a_loop_from_its_second_wait) {
  poll_at(10 * MS, 0, 70, (int[]){21}, 1);
  poll_at(20 * MS, 8 * MS, 70, (int[]){21, 22}, 2);
  read_from(20 * MS, 21, 1, 0);
  read_from(23 * MS, 22, 1, 0);
  feed_at(&feed, 24 * MS);
  feed_event(&feed, 1, TRACE_POLL, 71, trace_zigzag(1), 1, 500000, trace_zigzag(-1));  // nested
  poll_at(30 * MS, 5 * MS, 70, NULL, 0);                                               // 20 to 25
  feed_at(&feed, 40 * MS);
  feed_pending(&feed, 1, TRACE_PENDING_POLL, 3, 0, 70, 32 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(loops_count(models_loops(feed.models)), 2);
  const loop_t *polls = loops_get(models_loops(feed.models), 1);
  ck_assert(polls->poll && !loop()->poll);
  ck_assert_uint_eq(polls->waits, 2);
  ck_assert_uint_eq(polls->turns, 2);
  ck_assert_uint_eq(polls->busy_ns, (5 + 2) * MS);
  ck_assert_uint_eq(polls->idle_ns, (8 + 5 + 8) * MS);
  ck_assert_uint_eq(task(22)->scheduled_ns, 3 * MS);
  ck_assert_uint_eq(task(22)->blocked_ns, 500000);
  ck_assert_uint_eq(task(22)->running_ns, 2 * MS - 500000);
  ck_assert_uint_eq(task(21)->running_ns, 3 * MS);
  expect_sum(task(21));
  expect_sum(task(22));
}
END_TEST

START_TEST(who_polls_one_descriptor_keeps_nobody_waiting) {
  for (uint64_t at = 1; at <= 3; ++at) {
    feed_at(&feed, 100 * at * MS);
    feed_event(&feed, 1, TRACE_POLL, 70, trace_zigzag(1), 1, 1000, trace_zigzag(-1));
    feed_at(&feed, 100 * at * MS);
    feed_event(&feed, 1, TRACE_READY_DESCRIPTOR, 0, EPOLLIN, 21, 0, 0);
  }
  feed_end(&feed);
  const loop_t *polls = loops_get(models_loops(feed.models), 1);
  ck_assert_uint_gt(polls->turn_ns.max, 90 * MS);
  ck_assert_uint_eq(polls->stall_count, 0);
}
END_TEST

START_TEST(one_wait_in_poll_is_no_loop) {
  poll_at(10 * MS, 1 * MS, 70, (int[]){21}, 1);
  poll_at(90 * MS, 1 * MS, 71, (int[]){21}, 1);
  feed_end(&feed);
  ck_assert_uint_eq(loops_count(models_loops(feed.models)), 1);
}
END_TEST

START_TEST(sleep_and_sync_and_resolve_in_a_turn_block_its_task) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(10 * MS, ONE, 1, 0);
  feed_at(&feed, 15 * MS);
  feed_event(&feed, 1, TRACE_SLEEP, 61, 0, 4 * MS, 0, 0);
  feed_at(&feed, 20 * MS);
  feed_event(&feed, 1, TRACE_SYNC, 62, 9, 0, 3 * MS, 0);
  feed_at(&feed, 30 * MS);
  feed_event(&feed, 1, TRACE_RESOLVE, 63, 0, 2 * MS, 0, 0);
  turn(40 * MS, 5 * MS, NULL, 0);
  feed_end(&feed);
  ck_assert_uint_eq(task(ONE)->blocked_ns, 9 * MS);
  ck_assert_uint_eq(task(ONE)->running_ns, 16 * MS);
  ck_assert_uint_eq(loop()->blocking.count, 3);
  ck_assert_uint_eq(loop()->stalls[0].blocked_kind, TRACE_SLEEP);
  const thread_account_t *thread = threads_get(models_threads(feed.models), 1);
  ck_assert_uint_eq(thread->time_ns[THREAD_STATE_SLEEP], 4 * MS);
  ck_assert_uint_eq(thread->time_ns[THREAD_STATE_SYNC], 3 * MS);
  ck_assert_uint_eq(thread->time_ns[THREAD_STATE_RESOLVE], 2 * MS);
  expect_sum(task(ONE));
}
END_TEST

START_TEST(answer_time_is_from_first_bytes_in_to_first_bytes_out) {
  turn(10 * MS, 0, (uint64_t[]){101}, 1);
  read_from(11 * MS, ONE, 10, 0);
  read_from(12 * MS, ONE, 10, 0);
  feed_at(&feed, 18 * MS);
  feed_event(&feed, 1, TRACE_WRITE, 0, ONE, trace_zigzag(5), 0, 0);
  feed_event(&feed, 1, TRACE_WRITE, 0, ONE, trace_zigzag(5), 0, 0);
  read_from(20 * MS, ONE, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(task(ONE)->responses, 1);
  ck_assert_uint_eq(task(ONE)->response_max_ns, 7 * MS);
  ck_assert_uint_eq(loop()->response_ns.count, 1);
  ck_assert_uint_eq(loop()->response_ns.max, 7 * MS);
  ck_assert_uint_eq(task(ONE)->peer_closed_ns, 20 * MS);
}
END_TEST

START_TEST(wake_up_is_from_the_write_to_the_return_of_the_wait) {
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, TRACE_DESCRIPTOR_PIPE, trace_zigzag(31), 0);
  control(EPOLL_CTL_ADD, 30, 130, 0);
  feed_start(&feed, 2);
  feed_at(&feed, 10 * MS);
  feed_event(&feed, 2, TRACE_WRITE, 0, 31, trace_zigzag(1), 1000, 0);
  turn(13 * MS, 4 * MS, (uint64_t[]){130}, 1);
  feed_event(&feed, 1, TRACE_WRITE, 0, 31, trace_zigzag(1), 0, 0);
  turn(15 * MS, 1 * MS, (uint64_t[]){130}, 1);
  feed_end(&feed);
  ck_assert_int_eq(task(30)->kind, DESCRIPTOR_PIPE);
  ck_assert_uint_eq(loop()->wake_up_ns.count, 1);
  ck_assert_uint_eq(loop()->wake_up_ns.max, 3 * MS + 1000);
  ck_assert_uint_eq(task(30)->self_wakes, 1);
}
END_TEST

// The record of a write stands where the call returned; the thread that it woke may be ahead.
START_TEST(wake_up_seen_before_the_write_returned) {
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, TRACE_DESCRIPTOR_PIPE, trace_zigzag(31), 0);
  control(EPOLL_CTL_ADD, 30, 130, 0);
  feed_start(&feed, 2);
  turn(13 * MS, 4 * MS, (uint64_t[]){130}, 1);
  read_from(13 * MS, 30, 1, 0);
  feed_at(&feed, 16 * MS);
  feed_event(&feed, 2, TRACE_WRITE, 0, 31, trace_zigzag(1), 5 * MS, 0);  // from 11
  turn(500 * MS, 1 * MS, (uint64_t[]){130}, 1);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->wake_up_ns.count, 1);
  ck_assert_uint_eq(loop()->wake_up_ns.max, 2 * MS);
}
END_TEST

START_TEST(what_was_read_without_a_wait_wakes_nobody_later) {
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, TRACE_DESCRIPTOR_PIPE, trace_zigzag(31), 0);
  control(EPOLL_CTL_ADD, 30, 130, 0);
  feed_start(&feed, 2);
  turn(13 * MS, 4 * MS, (uint64_t[]){101}, 1);
  feed_at(&feed, 14 * MS);
  feed_event(&feed, 2, TRACE_WRITE, 0, 31, trace_zigzag(1), 0, 0);
  read_from(15 * MS, 30, 1, 0);
  turn(500 * MS, 1 * MS, (uint64_t[]){130}, 1);
  feed_end(&feed);
  ck_assert_uint_eq(loop()->wake_up_ns.count, 0);
}
END_TEST

// A thread that polls one connection, closes it, and waits for the next one elsewhere.
START_TEST(turn_of_poll_ends_with_its_last_descriptor) {
  poll_at(10 * MS, 0, 70, (int[]){21}, 1);
  poll_at(20 * MS, 8 * MS, 70, (int[]){21}, 1);
  feed_at(&feed, 22 * MS);
  feed_event(&feed, 1, TRACE_CLOSE, 0, 21, 0, 0, 0);
  feed_at(&feed, 900 * MS);
  feed_event(&feed, 1, TRACE_COND_WAIT, 71, 0, 0x2000, 0x1000, 870 * MS);
  poll_at(910 * MS, 5 * MS, 70, (int[]){22}, 1);
  feed_end(&feed);
  const loop_t *polls = loops_get(models_loops(feed.models), 1);
  ck_assert_uint_eq(polls->stall_count, 0);
  ck_assert_uint_eq(polls->busy_ns, 2 * MS);
  ck_assert_uint_eq(polls->blocking.count, 0);
}
END_TEST

START_TEST(kinds_follow_from_the_calls_that_made_them) {
  static const struct {
    int kind;
    uint64_t what;
    descriptor_kind_t expected;
  } rows[] = {{TRACE_DESCRIPTOR_OPEN, TRACE_DESCRIPTOR_TIMER, DESCRIPTOR_TIMER},
              {TRACE_DESCRIPTOR_OPEN, TRACE_DESCRIPTOR_SIGNAL, DESCRIPTOR_SIGNAL},
              {TRACE_DESCRIPTOR_OPEN, TRACE_DESCRIPTOR_EVENT, DESCRIPTOR_WAKE_UP},
              {TRACE_DESCRIPTOR_OPEN, TRACE_DESCRIPTOR_FILE, DESCRIPTOR_FILE},
              {TRACE_LISTEN, 128, DESCRIPTOR_LISTENER},
              {TRACE_CONNECT, 0, DESCRIPTOR_CLIENT}};
  for (int at = 0; at < 6; ++at) {
    feed_event(&feed, 1, rows[at].kind, 0, 50 + (uint64_t)at, rows[at].what, trace_zigzag(-1), 0);
    control(EPOLL_CTL_ADD, 50 + at, 500 + (uint64_t)at, 0);
  }
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 60, TRACE_DESCRIPTOR_COPY, trace_zigzag(50), 0);
  control(EPOLL_CTL_ADD, 60, 600, 0);
  uint64_t payload[8];
  size_t words = trace_text_pack(payload, 8, 50, "[::1]:80", 8);
  reader_event_t name = {.kind = TRACE_DESCRIPTOR_NAME,
                         .thread = 1,
                         .time = feed.now,
                         .arg = words,
                         .payload = payload};
  models_step(feed.models, &name);
  feed_end(&feed);
  for (int at = 0; at < 6; ++at) ck_assert_int_eq(task(50 + at)->kind, rows[at].expected);
  ck_assert_int_eq(task(60)->kind, DESCRIPTOR_TIMER);
  ck_assert_str_eq(task(50)->name, "[::1]:80");
}
END_TEST

Suite *models_loops_suite(void);
Suite *models_loops_suite(void) {
  const TTest *tests[] = {turns_batches_busy_and_idle,
                          batch_as_large_as_asked_is_saturated,
                          lag_is_until_the_first_call_on_the_descriptor,
                          lag_without_a_call_is_interpolated_and_said_to_be,
                          lag_between_two_known_ones_is_half_way,
                          long_turn_is_a_stall_with_its_task_and_stack,
                          turn_of_exactly_the_threshold_is_no_stall,
                          blocking_call_in_a_turn_is_counted_by_site,
                          slow_transfer_says_where_and_whether_it_blocked,
                          descriptor_that_said_again_does_not_block,
                          handler_that_never_returns_is_a_stall,
                          accepted_descriptor_has_its_listener_as_parent,
                          connection_that_is_served_before_it_is_registered_is_a_task,
                          closed_descriptor_and_its_number_used_again_are_two_tasks,
                          registration_lives_as_long_as_a_copy,
                          removed_descriptor_is_completed,
                          changed_token_still_means_the_task,
                          failed_registration_is_none,
                          epoll_closed_and_made_again_is_another_loop,
                          turn_ends_when_its_thread_closes_the_epoll_instance,
                          task_the_trace_ends_in_is_running_and_later_ones_scheduled,
                          ended_tasks_beyond_the_limit_are_dropped_and_counted,
                          poll_again_and_again_is_a_loop_from_its_second_wait,
                          one_wait_in_poll_is_no_loop,
                          many_connections_take_bounded_memory,
                          sleep_and_sync_and_resolve_in_a_turn_block_its_task,
                          answer_time_is_from_first_bytes_in_to_first_bytes_out,
                          wake_up_is_from_the_write_to_the_return_of_the_wait,
                          wake_up_seen_before_the_write_returned,
                          who_polls_one_descriptor_keeps_nobody_waiting,
                          what_was_read_without_a_wait_wakes_nobody_later,
                          turn_of_poll_ends_with_its_last_descriptor,
                          kinds_follow_from_the_calls_that_made_them,
                          taken_out_and_put_back,
                          taken_out_and_closed,
                          inherited_set,
                          connect_that_cannot_block,
                          end_of_the_process_is_no_stall};
  Suite *suite = suite_create("models_loops");
  TCase *loops = tcase_create("loops");
  tcase_set_timeout(loops, 60);
  tcase_add_checked_fixture(loops, setup, teardown);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(loops, tests[at]);
  suite_add_tcase(suite, loops);
  return suite;
}
