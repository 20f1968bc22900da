// SPDX-License-Identifier: Apache-2.0
// Unwind information that lies, and stacks that make no sense: never a fault, never a hang.
#include "preload/stacks/walk.h"
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// A copy of libc's unwind information at the end of readable memory. All of it is relative to its
// own place, so a copy speaks of code that is as far away from it.
static image_t original, copy;
static memory_t memory;
static cfi_workspace_t workspace;
static uint8_t *bytes, *pristine;
static size_t size;

static uint64_t random_state = 88172645463325252u;
static uint64_t random_next(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static void setup(void) {
  ck_assert(image_find(&original, (uint64_t)(uintptr_t)gnu_get_libc_version, &memory));
  size = original.high - original.frame_header;
  size_t room = (size + 4095) / 4096 * 4096;
  uint8_t *pages =
      mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(pages, MAP_FAILED);
  ck_assert_int_eq(mprotect(pages + room, 4096, PROT_NONE), 0);
  // 16 bytes apart, as the rules of PLT stubs look at the address of the instruction.
  bytes = pages + room - size;
  bytes -= ((uintptr_t)bytes - original.frame_header) % 16;
  pristine = (uint8_t *)(uintptr_t)original.frame_header;
  memcpy(bytes, pristine, size);
  copy = original;
  copy.frame_header = (uint64_t)(uintptr_t)bytes;
  copy.low = copy.frame_header;
  copy.high = copy.low + size;
}

static uint64_t code_address(void) {
  return original.start + random_next() % (original.end - original.start);
}

static cfi_result_t copy_find(uint64_t address) {
  uint64_t moved = address + (copy.frame_header - original.frame_header);
  return cfi_find(&copy, moved, moved, &memory, &workspace);
}

START_TEST(a_copy_says_the_same) {
  static cfi_workspace_t expected;
  int found = 0;
  for (int i = 0; i < 20000; i++) {
    uint64_t address = code_address();
    cfi_result_t result = cfi_find(&original, address, address, &memory, &expected);
    ck_assert_int_eq(copy_find(address), result);
    if (result != CFI_FOUND) continue;
    found++;
    ck_assert_mem_eq(&workspace.row, &expected.row, sizeof expected.row);
  }
  ck_assert_int_gt(found, 5000);
}
END_TEST

// In .eh_frame itself; damage to the table mostly ends the search early.
START_TEST(flipped_bits) {
  const size_t table = 12 + 8 * 4000;
  int results[3] = {0};
  for (int round = 0; round < 300; round++) {
    for (int flips = 0; flips < 400; flips++)
      bytes[table + random_next() % (size - table)] ^= (uint8_t)(1 << random_next() % 8);
    for (int i = 0; i < 100; i++) results[copy_find(code_address())]++;
    if (round % 20 == 19) memcpy(bytes, pristine, size);
  }
  ck_assert_int_gt(results[CFI_FOUND], 0);
  ck_assert_int_gt(results[CFI_ODD], 0);
}
END_TEST

START_TEST(random_headers) {
  for (int round = 0; round < 20000; round++) {
    memcpy(bytes, pristine, 64);
    for (int changes = 0; changes < 3; changes++)
      bytes[random_next() % (round % 2 ? 64 : 12)] = (uint8_t)random_next();
    copy_find(code_address());
  }
}
END_TEST

START_TEST(every_truncation) {
  for (size_t cut = 0; cut < 3000; cut++) {
    copy.high = copy.low + (cut < 1500 ? cut : size - cut);
    for (int i = 0; i < 3; i++) copy_find(code_address());
  }
}
END_TEST

// ---- stacks --------------------------------------------------------------------------------

static oracle_lane_t lane;

// Return addresses of libc on a small stack that ends at memory that cannot be read.
static void stack_fill(uint64_t *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    switch (random_next() % 4) {
    case 0:
      words[i] = code_address();
      break;
    case 1:
      words[i] = (uint64_t)(uintptr_t)(words + random_next() % (count + 16));
      break;
    case 2:
      words[i] = random_next();
      break;
    default:
      words[i] = random_next() % 64;
    }
  }
}

START_TEST(stacks_of_rubbish) {
  enum { WORDS = 1024 };
  uint8_t *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(pages, MAP_FAILED);
  ck_assert_int_eq(mprotect(pages + 2 * 4096, 4096, PROT_NONE), 0);
  uint64_t *words = (uint64_t *)pages;
  uint32_t longest = 0;
  oracle_open(&lane);
  for (int round = 0; round < 20000; round++) {
    if (round % 16 == 0) stack_fill(words, WORDS);
    stacks_origin_t origin = {.ip = code_address(),
                              .cfa = (uint64_t)(uintptr_t)(words + random_next() % WORDS),
                              .rbp = random_next() % 2
                                         ? (uint64_t)(uintptr_t)(words + random_next() % WORDS)
                                         : random_next()};
    size_t count = 0;
    bool truncated;
    uint32_t number = stacks_number(lane.stacks, &origin, &lane.sink);
    ck_assert_uint_ne(number, 0);
    ck_assert_uint_le(oracle_frames(&lane, number, &count, &truncated)[0] - origin.ip, 1);
    if (count > longest) longest = (uint32_t)count;
  }
  ck_assert_uint_gt(longest, 3);
  oracle_close(&lane);
}
END_TEST

START_TEST(origins_of_rubbish) {
  oracle_open(&lane);
  for (int round = 0; round < 20000; round++) {
    stacks_origin_t origin = {random_next() >> random_next() % 64,
                              random_next() >> random_next() % 64, random_next()};
    ck_assert_uint_ne(stacks_number(lane.stacks, &origin, &lane.sink), 0);
  }
  oracle_close(&lane);
}
END_TEST

Suite *stacks_damage_suite(void);
Suite *stacks_damage_suite(void) {
  Suite *suite = suite_create("stacks_damage");
  TCase *information = tcase_create("information");
  tcase_add_checked_fixture(information, setup, NULL);
  tcase_set_timeout(information, 60);
  tcase_add_test(information, a_copy_says_the_same);
  tcase_add_test(information, flipped_bits);
  tcase_add_test(information, random_headers);
  tcase_add_test(information, every_truncation);
  tcase_add_test(information, stacks_of_rubbish);
  tcase_add_test(information, origins_of_rubbish);
  suite_add_tcase(suite, information);
  return suite;
}
