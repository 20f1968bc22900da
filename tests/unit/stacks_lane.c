// SPDX-License-Identifier: Apache-2.0
// A lane's memory over its life: many stacks, forgetting, fork, and being left at any instruction.
#include "preload/stacks/state.h"
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static oracle_lane_t lane;

static void setup(void) { oracle_open(&lane); }
static void teardown(void) { oracle_close(&lane); }

// A stack of one frame, in no module: made up by its number.
static uint32_t take_made_up(uint64_t which) {
  static uint64_t words[8];
  stacks_origin_t origin = {.ip = 4096 + which, .cfa = (uint64_t)(uintptr_t)words, .rbp = 0};
  return stacks_number(lane.stacks, &origin, &lane.sink);
}

static void judge_made_up(uint64_t which) {
  size_t count;
  bool truncated;
  uint32_t number = take_made_up(which);
  ck_assert_uint_ge(number, 1);
  ck_assert_uint_le(number, STACKS_NUMBER_LAST);
  const uint64_t *frames = oracle_frames(&lane, number, &count, &truncated);
  ck_assert_ptr_nonnull(frames);
  ck_assert_uint_eq(count, 1);
  ck_assert(truncated);
  ck_assert_uint_eq(frames[0], 4096 + which);
}

START_TEST(as_many_as_there_are_numbers) {
  for (uint64_t i = 0; i < STACKS_NUMBERS; i++) judge_made_up(i);
  for (uint64_t i = 0; i < STACKS_NUMBERS; i++) judge_made_up(i * 7919 % STACKS_NUMBERS);
  ck_assert_uint_eq(lane.definitions, STACKS_NUMBERS);
}
END_TEST

START_TEST(more_than_there_are_numbers) {
  uint64_t state = 1;
  for (int i = 0; i < 200000; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    judge_made_up((state >> 33) % (i % 2 ? 100 : 30000));
  }
  ck_assert_uint_gt(lane.definitions, STACKS_NUMBERS);
}
END_TEST

// What a number means never changes, however many stacks there are and whatever was forgotten,
// until the last number was given.
START_TEST(numbers_are_given_in_turn) {
  for (uint32_t i = 0; i < 3 * STACKS_NUMBERS; i++) {
    if (i % 10000 == 9999) stacks_forget(lane.stacks);
    ck_assert_uint_eq(take_made_up(i), i + 1);
  }
}
END_TEST

START_TEST(numbers_begin_again_after_the_last) {
  const uint32_t before = 50;
  judge_made_up(0);
  lane.stacks->numbers.last = lane.stacks->numbers.forgotten = STACKS_NUMBER_LAST - before;
  const uint32_t numbering = stacks_numbering(lane.stacks);
  for (uint32_t i = 1; i <= before; i++)
    ck_assert_uint_eq(take_made_up(i), STACKS_NUMBER_LAST - before + i);
  ck_assert_uint_eq(stacks_numbering(lane.stacks), numbering);
  for (uint32_t i = 1; i <= 2 * before; i++) ck_assert_uint_eq(take_made_up(1000 + i), i);
  ck_assert_uint_ne(stacks_numbering(lane.stacks), numbering);
  for (uint32_t i = 1; i <= 2 * before; i++) judge_made_up(i);
}
END_TEST

static bool refuses_stack(void *arg, uint32_t number, const uint64_t *frames, size_t count,
                          bool truncated) {
  (void)arg, (void)number, (void)frames, (void)count, (void)truncated;
  return false;
}

// A stack that finds no place has no number, and the others keep theirs.
START_TEST(what_finds_no_place_is_tried_again) {
  judge_made_up(1);
  const stacks_sink_t sink = lane.sink;
  lane.sink.define_stack = refuses_stack;
  ck_assert_uint_eq(take_made_up(2), 0);
  ck_assert_uint_eq(take_made_up(2), 0);
  ck_assert_uint_eq(take_made_up(1), 1);
  lane.sink = sink;
  ck_assert_uint_eq(take_made_up(2), 2);
  ck_assert_uint_eq(lane.definitions, 2);
}
END_TEST

START_TEST(forgotten_stacks_are_defined_again) {
  for (uint64_t i = 0; i < 100; i++) judge_made_up(i);
  stacks_forget(lane.stacks);
  for (uint64_t i = 0; i < 100; i++) judge_made_up(i);
  ck_assert_uint_eq(lane.definitions, 200);
}
END_TEST

START_TEST(modules_that_change_make_numbers_void) {
  for (uint64_t i = 0; i < 100; i++) judge_made_up(i);
  stacks_modules_changed();
  for (uint64_t i = 0; i < 100; i++) judge_made_up(i);
  ck_assert_uint_eq(lane.definitions, 200);
}
END_TEST

START_TEST(small_programs_touch_few_pages) {
  unsigned char pages[STACKS_MEMORY / 4096 + 1];
  int touched = 0;
  for (int i = 0; i < 20; i++) oracle_check(&lane);
  ck_assert_int_eq(mincore(lane.stacks, STACKS_MEMORY, pages), 0);
  for (size_t i = 0; i < STACKS_MEMORY / 4096; i++) touched += pages[i] & 1;
  ck_assert_int_le(touched, 12);
}
END_TEST

START_TEST(errno_is_left_alone) {
  for (uint64_t i = 0; i < 1000; i++) {
    errno = 77;
    take_made_up(i);
    ck_assert_int_eq(errno, 77);
  }
}
END_TEST

START_TEST(no_memory_no_number) {
  stacks_origin_t origin = {4096, 4096, 0};
  ck_assert_uint_eq(stacks_number(NULL, &origin, &lane.sink), 0);
}
END_TEST

static int child_run(void) {
  // What MADV_WIPEONFORK does.
  memset(lane.stacks, 0, STACKS_MEMORY);
  uint32_t before = lane.definitions;
  oracle_result_t result = oracle_compare(&lane);
  if (!result.equal || result.truncated || result.number != 1) return 1;
  return lane.definitions == before + 1 ? 0 : 2;
}

START_TEST(a_forked_child_begins_with_nothing) {
  for (uint64_t i = 0; i < 100; i++) judge_made_up(i);
  oracle_check(&lane);
  int status;
  pid_t child = fork();
  if (child == 0) _exit(child_run());
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
}
END_TEST

// ---- how deep it goes ----------------------------------------------------------------------

enum { SMALL_STACK = 16 << 10, PAINT = 0x5a };
static uint8_t small_stack[SMALL_STACK] __attribute__((aligned(64)));
static ucontext_t outside, inside;
static size_t cold_use, warm_use;

// Bytes below `from` that are no longer painted.
__attribute__((no_sanitize("address"))) static size_t stack_used(const uint8_t *from) {
  const uint8_t *at = small_stack;
  while (*at == PAINT) at++;
  return (size_t)(from - at);
}

// Its own frame is not painted, and no function is called that would paint itself.
__attribute__((noinline, no_sanitize("address"))) static size_t
take_on_paint(const stacks_origin_t *origin) {
  const uint8_t *here = __builtin_frame_address(0);
  for (volatile uint8_t *at = small_stack; at < here - 256; at++) *at = PAINT;
  stacks_number(lane.stacks, origin, &lane.sink);
  return stack_used(here);
}

__attribute__((noinline)) static void take_twice(void) {
  stacks_origin_t origin = STACKS_ORIGIN();
  cold_use = take_on_paint(&origin);
  warm_use = take_on_paint(&origin);
  __asm__ volatile("" ::: "memory");
}

START_TEST(small_stacks_are_enough) {
  getcontext(&inside);
  inside.uc_stack.ss_sp = small_stack;
  inside.uc_stack.ss_size = sizeof small_stack;
  inside.uc_link = &outside;
  makecontext(&inside, take_twice, 0);
  swapcontext(&outside, &inside);
  ck_assert_uint_eq(lane.definitions, 1);
  ck_assert_uint_gt(cold_use, 256);
  // 1 KiB as it is preloaded; lazy binding and instrumentation take more.
  ck_assert_uint_lt(cold_use, 8192);
  ck_assert_uint_lt(warm_use, 1024);
}
END_TEST

// ---- left at any instruction ---------------------------------------------------------------

static sigjmp_buf back;
static volatile long countdown;

static void step_handler(int signal) {
  (void)signal;
  if (countdown-- == 0) siglongjmp(back, 1);
}

static void trap(bool on) {
  uint64_t flags = __builtin_ia32_readeflags_u64();
  __builtin_ia32_writeeflags_u64(on ? flags | 0x100 : flags & ~UINT64_C(0x100));
}

// Takes a stack and leaves after so many instructions. Returns whether it came to its end.
__attribute__((noinline)) static bool leave_after(long instructions, uint64_t which) {
  countdown = instructions;
  if (sigsetjmp(back, 1)) return false;
  trap(true);
  take_made_up(which);
  trap(false);
  return true;
}

// Instrumented code has many times the instructions, and each place is come to from the start.
#ifdef __SANITIZE_ADDRESS__
enum { FEWER_PLACES = 40 };
#else
enum { FEWER_PLACES = 1 };
#endif

static void leave_everywhere(uint64_t first, long stride) {
  struct sigaction action = {.sa_handler = step_handler};
  ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
  bool ended = false;
  uint64_t which = first;
  for (long instructions = 0; !ended && instructions < 100000;
       instructions += stride * FEWER_PLACES) {
    ended = leave_after(instructions, ++which);
    judge_made_up(which);
    judge_made_up(first + 1);
    judge_made_up(which - 5);
  }
  ck_assert(ended);
}

// A step costs a trap, so not every instruction gets its turn.
START_TEST(left_at_any_instruction) { leave_everywhere(100, 149); }
END_TEST

// With all numbers taken, each new stack takes one away; with little of the log left, it wraps.
START_TEST(left_at_any_instruction_when_full) {
  for (uint64_t i = 0; i < STACKS_NUMBERS + 10; i++) judge_made_up(i);
  leave_everywhere(100000, 127);
}
END_TEST

// The index is rebuilt as it grows.
START_TEST(left_while_the_index_grows) {
  for (uint64_t i = 0; i < 60; i++) judge_made_up(i);
  leave_everywhere(100, 139);
}
END_TEST

Suite *stacks_lane_suite(void);
Suite *stacks_lane_suite(void) {
  Suite *suite = suite_create("stacks_lane");
  TCase *life = tcase_create("life");
  tcase_add_checked_fixture(life, setup, teardown);
  tcase_set_timeout(life, 120);
  tcase_add_test(life, as_many_as_there_are_numbers);
  tcase_add_test(life, more_than_there_are_numbers);
  tcase_add_test(life, numbers_are_given_in_turn);
  tcase_add_test(life, numbers_begin_again_after_the_last);
  tcase_add_test(life, what_finds_no_place_is_tried_again);
  tcase_add_test(life, forgotten_stacks_are_defined_again);
  tcase_add_test(life, modules_that_change_make_numbers_void);
  tcase_add_test(life, small_programs_touch_few_pages);
  tcase_add_test(life, errno_is_left_alone);
  tcase_add_test(life, no_memory_no_number);
  tcase_add_test(life, a_forked_child_begins_with_nothing);
  tcase_add_test(life, small_stacks_are_enough);
  tcase_add_test(life, left_at_any_instruction);
  tcase_add_test(life, left_at_any_instruction_when_full);
  tcase_add_test(life, left_while_the_index_grows);
  suite_add_tcase(suite, life);
  return suite;
}
