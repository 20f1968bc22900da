// SPDX-License-Identifier: Apache-2.0
// What the programs about locks share: threads that are kept apart by nothing that is recorded.
#ifndef PROGRAMS_LOCKS_H
#define PROGRAMS_LOCKS_H

#include "program.h"

enum { TURNS_MAX = 8 };

typedef void routine_t(void);

static routine_t *turn_routines[TURNS_MAX];
static atomic_int turn_now;

static inline void *turn_main(void *argument) {
  int turn = (int)(intptr_t)argument;
  char name[] = "thread-1";
  name[sizeof name - 2] = (char)('1' + turn);
  pthread_setname_np(pthread_self(), name);
  await_step(&turn_now, turn);
  turn_routines[turn]();
  atomic_store(&turn_now, turn + 1);
  return NULL;
}

// Runs each routine in a thread of its own. All threads exist before the first one runs, and they
// run one after the other: nothing hangs, and nothing recorded says that it could not have.
static inline void run_in_turn(routine_t *const *routines, int count) {
  pthread_t threads[TURNS_MAX];
  for (int turn = 0; turn < count; turn++) turn_routines[turn] = routines[turn];
  atomic_store(&turn_now, -1);
  for (int turn = 0; turn < count; turn++)
    REQUIRE_0(pthread_create(&threads[turn], NULL, turn_main, (void *)(intptr_t)turn));
  atomic_store(&turn_now, 0);
  for (int turn = 0; turn < count; turn++) pthread_join(threads[turn], NULL);
}
#define RUN_IN_TURN(...)                                                                           \
  run_in_turn((routine_t *const[]){__VA_ARGS__},                                                   \
              (int)(sizeof((routine_t *const[]){__VA_ARGS__}) / sizeof(routine_t *)))

static NOINLINE __attribute__((unused)) void lock_both(pthread_mutex_t *first,
                                                       pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

#endif
