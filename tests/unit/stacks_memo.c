// SPDX-License-Identifier: Apache-2.0
// Stacks met before, many with one origin: each is found by its words, and never for another.
#include "preload/stacks/memo.h"

#include <check.h>

enum { WORDS = 23, MANY = 200, ROUNDS = 4 };

static memo_t memo;
static walk_t walk;
static uint64_t stack[WORDS + 1];
static uint64_t rbp;

static stacks_origin_t origin_here(void) {
  return (stacks_origin_t){.ip = 0x401000, .cfa = (uint64_t)(uintptr_t)stack, .rbp = rbp};
}

static uint32_t find(uint64_t *key) {
  const stacks_origin_t origin = origin_here();
  const uint32_t number = memo_find_first(&memo, &origin);
  return number ? number : memo_find(&memo, &origin, key);
}

static void keep(uint32_t number, uint64_t key, bool needs_rbp) {
  const stacks_origin_t origin = origin_here();
  walk.trail.count = WORDS;
  walk.trail.needs_rbp = needs_rbp;
  for (uint32_t i = 0; i < WORDS; i++) {
    walk.trail.offsets[i] = i * 8;
    walk.trail.values[i] = stack[i];
  }
  memo_keep(&memo, key, &origin, &walk, number);
}

// Meets the stack that `make` makes of each number, ROUNDS times in turn. Returns how many were not
// found in the last round.
static uint32_t meet_all(void (*make)(uint32_t number), uint32_t count, bool needs_rbp) {
  uint32_t missed = 0;
  for (int round = 0; round < ROUNDS; round++) {
    missed = 0;
    for (uint32_t number = 1; number <= count; number++) {
      uint64_t key = 0;
      make(number);
      const uint32_t found = find(&key);
      if (found) ck_assert_uint_eq(found, number);
      if (!found) keep(number, key, needs_rbp);
      missed += !found;
    }
  }
  return missed;
}

static void part_at_once(uint32_t number) { stack[0] = number; }
static void part_at_the_end(uint32_t number) { stack[WORDS - 1] = number; }
static void part_anywhere(uint32_t number) {
  for (uint32_t i = 0; i < WORDS; i++) stack[i] = i % 3 ? 7 : number >> i / 3 & 1;
}
static void part_in_rbp(uint32_t number) { rbp = number; }

START_TEST(stacks_of_one_origin_are_found_in_turn) {
  static void (*const ways[])(uint32_t) = {part_at_once, part_at_the_end, part_anywhere};
  ck_assert_uint_le(meet_all(ways[_i], 8, false), 0);
  // A few more than four of them may share a set, and those go round.
  ck_assert_uint_le(meet_all(ways[_i], MANY, false), MANY / 20);
}
END_TEST

// What a loop needs: no search, whichever stack of its origin was met first.
START_TEST(a_stack_that_comes_again_is_found_at_once) {
  const stacks_origin_t origin = origin_here();
  uint64_t key = 0;
  meet_all(part_anywhere, 8, false);
  for (uint32_t number = 1; number <= 8; number++) {
    part_anywhere(number);
    ck_assert_uint_eq(find(&key), number);
    ck_assert_uint_eq(memo_find_first(&memo, &origin), number);
  }
}
END_TEST

START_TEST(stacks_of_one_origin_may_part_in_rbp) {
  ck_assert_uint_le(meet_all(part_in_rbp, MANY, true), MANY / 20);
}
END_TEST

START_TEST(a_stack_that_differs_anywhere_is_another) {
  uint64_t key = 0;
  meet_all(part_anywhere, MANY, false);
  for (uint32_t number = 1; number <= MANY; number++)
    for (uint32_t i = 0; i < WORDS; i++) {
      part_anywhere(number);
      stack[i] ^= 2;
      ck_assert_uint_eq(find(&key), 0);
    }
}
END_TEST

START_TEST(more_than_there_is_room_for_forget_the_oldest) {
  ck_assert_uint_gt(meet_all(part_at_once, 5000, false), 0);
  ck_assert_uint_le(meet_all(part_at_once, MANY, false), MANY / 20);
  memo_forget(&memo);
  uint64_t key = 0;
  ck_assert_uint_eq(find(&key), 0);
}
END_TEST

Suite *stacks_memo_suite(void);
Suite *stacks_memo_suite(void) {
  Suite *suite = suite_create("stacks_memo");
  TCase *group = tcase_create("memo");
  tcase_add_loop_test(group, stacks_of_one_origin_are_found_in_turn, 0, 3);
  tcase_add_test(group, a_stack_that_comes_again_is_found_at_once);
  tcase_add_test(group, stacks_of_one_origin_may_part_in_rbp);
  tcase_add_test(group, a_stack_that_differs_anywhere_is_another);
  tcase_add_test(group, more_than_there_is_room_for_forget_the_oldest);
  suite_add_tcase(suite, group);
  return suite;
}
