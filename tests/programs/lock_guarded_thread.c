// SPDX-License-Identifier: Apache-2.0
// A creator holds `gate` from before it creates a thread until it has joined it; the thread takes
// the same locks as another one, in the other order, which takes `gate` itself. Benign: the gate
// keeps them apart. With an argument the gate guards less, and a deadlock is possible:
//   early    the gate is released before the join
//   late     the gate is taken only after the creation
//   condition  the gate is given up, and taken again, in a wait for a condition
//   both     the other one lives in the same section, and takes no gate
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static const char *how = "";
static bool is(const char *name) { return strcmp(how, name) == 0; }

static void *child_main(void *unused) {
  pthread_setname_np(pthread_self(), "child");
  lock_both(&a, &b);
  return unused;
}

// A thread between creator and child that is joined in time, too.
static void *between_main(void *unused) {
  pthread_t child;
  REQUIRE_0(pthread_create(&child, NULL, child_main, NULL));
  REQUIRE_0(pthread_join(child, NULL));
  return unused;
}

static void wait_a_little(void) {
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_nsec = (limit.tv_nsec + 1000000) % 1000000000;
  (void)pthread_cond_timedwait(&never, &gate, &limit);
}

static void *back_main(void *unused) {
  lock_both(&b, &a);
  return unused;
}

static void create_and_join(void) {
  pthread_t child, other;
  if (!is("late")) pthread_mutex_lock(&gate);
  REQUIRE_0(pthread_create(&child, NULL, between_main, NULL));
  if (is("both")) {
    sleep_ms(20);
    REQUIRE_0(pthread_create(&other, NULL, back_main, NULL));
    REQUIRE_0(pthread_join(other, NULL));
  }
  if (is("late")) pthread_mutex_lock(&gate);
  if (is("condition")) wait_a_little();
  if (is("early")) pthread_mutex_unlock(&gate);
  REQUIRE_0(pthread_join(child, NULL));
  if (!is("early")) pthread_mutex_unlock(&gate);
}

static void back(void) {
  pthread_mutex_lock(&gate);
  lock_both(&b, &a);
  pthread_mutex_unlock(&gate);
}

int main(int count, char **arguments) {
  if (count > 1) how = arguments[1];
  if (is("both"))
    create_and_join();
  else
    RUN_IN_TURN(create_and_join, back);
  return 0;
}
