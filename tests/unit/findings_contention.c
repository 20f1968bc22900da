// SPDX-License-Identifier: Apache-2.0
// When there is advice on a lock, and which.
#include "analyzer/findings/contention.h"

#include <check.h>

#define MICROSECOND UINT64_C(1000)
#define MILLISECOND UINT64_C(1000000)

static contention_cause_t judged(lock_t *lock, uint64_t waits, uint64_t each_ns, uint64_t held_ns) {
  histogram_add_many(&lock->wait_ns, each_ns, waits);
  if (held_ns) histogram_add_many(&lock->hold_ns, held_ns, waits + 1);
  lock->blamed_ns = waits * each_ns;
  contention_cause_t cause = contention_judge(lock, 3000 * MILLISECOND).cause;
  histogram_clear(&lock->wait_ns);
  histogram_clear(&lock->hold_ns);
  return cause;
}

START_TEST(advice_needs_waits_that_are_many_or_long) {
  const struct {
    uint64_t waits, each_ns;
    contention_cause_t cause;
  } rows[] = {{0, 0, CONTENTION_NONE},
              {7, 10 * MICROSECOND, CONTENTION_NONE},
              {40, 10 * MICROSECOND, CONTENTION_NONE},
              {7, 500 * MICROSECOND, CONTENTION_NONE},
              {40, 100 * MICROSECOND, CONTENTION_OFTEN},
              {7, 5 * MILLISECOND, CONTENTION_OFTEN}};
  lock_t lock = {0};
  ck_assert_int_eq(judged(&lock, rows[_i].waits, rows[_i].each_ns, MICROSECOND), rows[_i].cause);
}
END_TEST

START_TEST(long_holds_are_told_from_many) {
  lock_t lock = {0};
  ck_assert_int_eq(judged(&lock, 40, MILLISECOND, MILLISECOND), CONTENTION_LONG_HOLDS);
}
END_TEST

// A hold that has not ended is in no histogram: the others say nothing of it.
START_TEST(lock_that_is_still_held_is_told) {
  lock_t lock = {.owner = {.thread = 1, .since_ns = 200 * MILLISECOND}};
  ck_assert_int_eq(judged(&lock, 1, 2700 * MILLISECOND, 0), CONTENTION_STILL_HELD);
  ck_assert_int_eq(judged(&lock, 1, 2700 * MILLISECOND, MICROSECOND), CONTENTION_STILL_HELD);
  lock.owner.since_ns = 2999 * MILLISECOND;  // just taken
  ck_assert_int_eq(judged(&lock, 1, 2700 * MILLISECOND, MICROSECOND), CONTENTION_OFTEN);
  lock.owner = (lock_holder_t){0};
  ck_assert_int_eq(judged(&lock, 1, 2700 * MILLISECOND, MICROSECOND), CONTENTION_OFTEN);
}
END_TEST

Suite *findings_contention_suite(void);
Suite *findings_contention_suite(void) {
  Suite *suite = suite_create("findings_contention");
  TCase *advice = tcase_create("advice");
  tcase_add_loop_test(advice, advice_needs_waits_that_are_many_or_long, 0, 6);
  tcase_add_test(advice, long_holds_are_told_from_many);
  tcase_add_test(advice, lock_that_is_still_held_is_told);
  suite_add_tcase(suite, advice);
  return suite;
}
