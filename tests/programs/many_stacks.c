// SPDX-License-Identifier: Apache-2.0
// Comes to the same place by 10,000 ways, each once, and allocates and frees there: ten functions
// that call one another, four deep. One way in KEPT leaves its block, as many bytes as the number
// of the way, whose decimal digits are the functions, and 1.
#include "program.h"

enum { LEVELS = 4, WAYS = 10000, KEPT = 1000, KEPT_AT = 7 };

static void descend(unsigned way, int level);

// The statement behind the call: it is no tail call.
#define DIGIT(digit)                                                                               \
  static NOINLINE void digit_##digit(unsigned way, int level) {                                    \
    descend(way * 10 + (digit), level - 1);                                                        \
    __asm__ volatile("");                                                                          \
  }
DIGIT(0)
DIGIT(1)
DIGIT(2)
DIGIT(3)
DIGIT(4)
DIGIT(5)
DIGIT(6)
DIGIT(7)
DIGIT(8)
DIGIT(9)

static void (*const digits[])(unsigned, int) = {digit_0, digit_1, digit_2, digit_3, digit_4,
                                                digit_5, digit_6, digit_7, digit_8, digit_9};

static NOINLINE void arrive(unsigned way) {
  char *block = malloc(way + 1);
  REQUIRE(block);
  block[0] = 1;
  if (way % KEPT != KEPT_AT) free(block);
}

static NOINLINE void descend(unsigned way, int level) {
  if (level == 0)
    arrive(way);
  else
    for (int digit = 0; digit < 10; digit++) digits[digit](way, level);
  __asm__ volatile("");
}

int main(void) {
  descend(0, LEVELS);
  printf("{\"ways\": %d, \"kept\": %d}\n", WAYS, WAYS / KEPT);
  return 0;
}
