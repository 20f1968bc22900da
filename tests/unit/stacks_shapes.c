// SPDX-License-Identifier: Apache-2.0
// Stacks through every shape of frame that compilers make, against libgcc's unwinder.
#include "tests/unit/stacks_oracle.h"

#include <alloca.h>
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static oracle_lane_t lane;

static void setup(void) { oracle_open(&lane); }
static void teardown(void) { oracle_close(&lane); }

// Keeps a call from becoming a jump.
#define NOT_LAST() __asm__ volatile("" ::: "memory")

__attribute__((noinline)) static uint32_t descend(int depth) {
  uint32_t number = depth ? descend(depth - 1) : oracle_check(&lane);
  NOT_LAST();
  return number;
}

START_TEST(every_depth) {
  for (int depth = 0; depth <= 100; depth++) descend(depth);
  ck_assert_uint_eq(lane.definitions, 101);
}
END_TEST

// One call site each, whatever the compiler unrolls.
__attribute__((noinline)) static uint32_t at_seven(void) { return descend(7) + 0 * lane.modules; }
__attribute__((noinline)) static uint32_t repeatedly(volatile int *times) {
  uint32_t number = 0;
  while ((*times)-- > 0) {
    uint32_t next = at_seven();
    ck_assert(!number || next == number);
    number = next;
  }
  return number;
}

START_TEST(same_place_has_same_number) {
  volatile int times = 3;
  uint32_t first = repeatedly(&times);
  ck_assert_uint_eq(lane.definitions, 1);
  uint32_t second = descend(8);
  ck_assert_uint_eq(lane.definitions, 2);
  ck_assert_uint_ne(first, second);
}
END_TEST

__attribute__((noinline)) static uint32_t with_alloca(int depth, size_t size) {
  char *block = alloca(size);
  memset(block, depth, size);
  uint32_t number = depth ? with_alloca(depth - 1, size * 3 % 1009 + 1) : oracle_check(&lane);
  __asm__ volatile("" ::"r"(block) : "memory");
  return number;
}

START_TEST(alloca_frames) {
  for (int i = 0; i < 50; i++) with_alloca(i, (size_t)i * 37 + 1);
}
END_TEST

__attribute__((noinline)) static uint32_t realigned(int depth, size_t size) {
  char line[64] __attribute__((aligned(64)));
  char *block = alloca(size);
  memset(line, depth, sizeof line);
  memset(block, depth, size);
  uint32_t number = depth ? realigned(depth - 1, size + 24) : oracle_check(&lane);
  __asm__ volatile("" ::"r"(block), "r"(line) : "memory");
  return number;
}

START_TEST(realigned_frames) {
  for (int i = 0; i < 20; i++) realigned(i, (size_t)i + 1);
}
END_TEST

// More arguments than registers and a realigned stack: the CFA comes from a saved pointer.
__attribute__((noinline)) static uint32_t realigned_arguments(int a, int b, int c, int d, int e,
                                                              int f, int g, int h) {
  char line[128] __attribute__((aligned(128)));
  memset(line, a + b + c + d + e + f + g + h, sizeof line);
  uint32_t number =
      a ? realigned_arguments(a - 1, b, c, d, e, f, g + 1, h + 2) : oracle_check(&lane);
  __asm__ volatile("" ::"r"(line) : "memory");
  return number;
}

START_TEST(realigned_frames_with_arguments) {
  for (int i = 0; i < 20; i++) realigned_arguments(i, 2, 3, 4, 5, 6, 7, 8);
}
END_TEST

__attribute__((noinline)) static uint32_t huge_frame(int depth) {
  volatile char block[200000];
  block[0] = (char)depth;
  block[sizeof block - 1] = 1;
  uint32_t number = depth ? huge_frame(depth - 1) : oracle_check(&lane);
  NOT_LAST();
  return number + (uint32_t)(block[0] - (char)depth);
}

START_TEST(huge_frames) {
  for (int i = 0; i < 10; i++) huge_frame(i);
}
END_TEST

__attribute__((noinline)) static uint32_t tail_target(void) { return oracle_check(&lane); }
__attribute__((noinline)) static uint32_t tail_jump(void) { return tail_target(); }

START_TEST(tail_calls) {
  uint32_t number = tail_jump();
  ck_assert_uint_ne(number, 0);
}
END_TEST

static pthread_key_t unused_key;
__attribute__((noinline, noreturn)) static void never_returns(void) {
  oracle_check(&lane);
  pthread_exit(&unused_key);
}
// Its call is its last instruction: the return address is in the next function.
__attribute__((noinline, noreturn)) static void ends_with_call(void) { never_returns(); }

static void *thread_ends(void *arg) {
  (void)arg;
  ends_with_call();
}

START_TEST(call_at_the_end_of_a_function) {
  pthread_t thread;
  void *result;
  ck_assert_int_eq(pthread_create(&thread, NULL, thread_ends, NULL), 0);
  ck_assert_int_eq(pthread_join(thread, &result), 0);
  ck_assert_ptr_eq(result, &unused_key);
}
END_TEST

static int compared;
static int compare_numbers(const void *a, const void *b) {
  oracle_check(&lane);
  compared++;
  return *(const int *)a - *(const int *)b;
}

START_TEST(callbacks_through_libc) {
  int numbers[40];
  for (int i = 0; i < 40; i++) numbers[i] = i * 29 % 40;
  qsort(numbers, 40, sizeof *numbers, compare_numbers);
  ck_assert_int_gt(compared, 40);
}
END_TEST

static void *thread_main(void *arg) {
  oracle_lane_t own;
  oracle_open(&own);
  for (int i = 0; i < 200; i++) {
    oracle_result_t result = oracle_compare(&own);
    if (!result.equal || result.truncated) return arg;
  }
  oracle_close(&own);
  return NULL;
}

START_TEST(threads) {
  pthread_t all[4];
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(pthread_create(&all[i], NULL, thread_main, &lane), 0);
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(all[i], &result);
    ck_assert_ptr_null(result);
  }
}
END_TEST

__attribute__((noinline)) static uint64_t recurse(uint64_t depth) {
  uint64_t below = depth ? recurse(depth - 1) : oracle_compare(&lane).number;
  NOT_LAST();
  return below;
}

static void *recurse_deep(void *arg) {
  (void)arg;
  return (void *)(uintptr_t)recurse(100000);
}

// Instrumented frames need more than the 8 MiB of the first thread.
START_TEST(deep_recursion_keeps_the_innermost) {
  size_t count = 0;
  bool truncated = false;
  pthread_t thread;
  pthread_attr_t large;
  void *number;
  pthread_attr_init(&large);
  pthread_attr_setstacksize(&large, 256 << 20);
  ck_assert_int_eq(pthread_create(&thread, &large, recurse_deep, NULL), 0);
  pthread_join(thread, &number);
  const uint64_t *frames = oracle_frames(&lane, (uint32_t)(uintptr_t)number, &count, &truncated);
  ck_assert_ptr_nonnull(frames);
  ck_assert_uint_eq(count, STACKS_FRAMES_MAX);
  ck_assert(truncated);
  for (size_t i = 2; i < count; i++) ck_assert_uint_eq(frames[i], frames[1]);
}
END_TEST

START_TEST(depth_just_at_the_limit) {
  size_t base = 0, count = 0;
  bool truncated = false;
  oracle_frames(&lane, (uint32_t)recurse(0), &base, &truncated);
  for (size_t depth = STACKS_FRAMES_MAX - 1; depth <= STACKS_FRAMES_MAX + 1; depth++) {
    oracle_frames(&lane, (uint32_t)recurse(depth - base), &count, &truncated);
    ck_assert_uint_eq(count, depth < STACKS_FRAMES_MAX ? depth : STACKS_FRAMES_MAX);
    ck_assert_int_eq(truncated, depth > STACKS_FRAMES_MAX);
  }
}
END_TEST

Suite *stacks_shapes_suite(void);
Suite *stacks_shapes_suite(void) {
  Suite *suite = suite_create("stacks_shapes");
  TCase *shapes = tcase_create("shapes");
  tcase_add_checked_fixture(shapes, setup, teardown);
  tcase_add_test(shapes, every_depth);
  tcase_add_test(shapes, same_place_has_same_number);
  tcase_add_test(shapes, alloca_frames);
  tcase_add_test(shapes, realigned_frames);
  tcase_add_test(shapes, realigned_frames_with_arguments);
  tcase_add_test(shapes, huge_frames);
  tcase_add_test(shapes, tail_calls);
  tcase_add_test(shapes, call_at_the_end_of_a_function);
  tcase_add_test(shapes, callbacks_through_libc);
  tcase_add_test(shapes, threads);
  tcase_add_test(shapes, deep_recursion_keeps_the_innermost);
  tcase_add_test(shapes, depth_just_at_the_limit);
  suite_add_tcase(suite, shapes);
  return suite;
}
