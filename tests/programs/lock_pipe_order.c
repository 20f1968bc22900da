// SPDX-License-Identifier: Apache-2.0
// Opposite orders that a byte through a pipe, or with "eventfd" a count through an eventfd, keeps
// apart in this run: it may be an accident.
#include "locks.h"

#include <sys/eventfd.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static int from, to;

static void *first_main(void *unused) {
  const uint64_t one = 1;
  lock_both(&a, &b);
  REQUIRE(write(to, &one, sizeof one) == sizeof one);
  return unused;
}

static void *second_main(void *unused) {
  uint64_t one;
  REQUIRE(read(from, &one, sizeof one) == sizeof one);
  lock_both(&b, &a);
  return unused;
}

int main(int count, char **arguments) {
  pthread_t first, second;
  int ends[2];
  if (count > 1 && !strcmp(arguments[1], "eventfd")) {
    from = to = eventfd(0, EFD_CLOEXEC);
    REQUIRE(from >= 0);
  } else {
    REQUIRE(pipe(ends) == 0);
    from = ends[0];
    to = ends[1];
  }
  REQUIRE_0(pthread_create(&second, NULL, second_main, NULL));
  REQUIRE_0(pthread_create(&first, NULL, first_main, NULL));
  pthread_join(first, NULL);
  pthread_join(second, NULL);
  return 0;
}
