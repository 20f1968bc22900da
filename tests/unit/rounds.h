// SPDX-License-Identifier: Apache-2.0
// How often a test that tries many things does so: under a tool that makes a program fifty times as
// slow, a part of it tells the same. Set by UNIT_ROUNDS_DIVISOR in the environment.
#ifndef TESTS_UNIT_ROUNDS_H
#define TESTS_UNIT_ROUNDS_H

#include <stdlib.h>

static inline int rounds(int usual) {
  const char *divisor = getenv("UNIT_ROUNDS_DIVISOR");
  const int by = divisor ? atoi(divisor) : 1;
  return by > 1 && usual > by ? usual / by : usual;
}

#endif
