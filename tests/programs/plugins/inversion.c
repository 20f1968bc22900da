// SPDX-License-Identifier: Apache-2.0
// Preloaded second, into programs without such a bug: two threads of its own take two mutexes in
// inverse order, in turn, so that nothing ever hangs. Must be found, in the program and in its
// forked children: a feasible deadlock of injected_first and injected_second.
#include "../program.h"

#include <signal.h>

enum { ROUNDS = 20, PAUSE_MS = 10 };

static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t injected_first = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t injected_second = PTHREAD_MUTEX_INITIALIZER;
static atomic_int turn;

static NOINLINE void injected_forth(void) {
  pthread_mutex_lock(&injected_first);
  pthread_mutex_lock(&injected_second);
  pthread_mutex_unlock(&injected_second);
  pthread_mutex_unlock(&injected_first);
}

static NOINLINE void injected_back(void) {
  pthread_mutex_lock(&injected_second);
  pthread_mutex_lock(&injected_first);
  pthread_mutex_unlock(&injected_first);
  pthread_mutex_unlock(&injected_second);
}

static void *injected_main(void *argument) {
  int mine = (int)(intptr_t)argument;
  pthread_setname_np(pthread_self(), mine ? "injected-back" : "injected-forth");
  for (int round = 0; round < ROUNDS; round++) {
    await_step(&turn, 2 * round + mine);
    if (mine)
      injected_back();
    else
      injected_forth();
    atomic_fetch_add(&turn, 1);
    sleep_ms(PAUSE_MS);
  }
  return NULL;
}

// Signals stay with the threads of the program. No thread is joined, and none takes anything before
// both exist: creation and join order nothing.
static void inject(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  atomic_store(&turn, -1);
  for (intptr_t mine = 0; mine < 2; mine++) {
    pthread_t thread;
    REQUIRE_0(pthread_create(&thread, NULL, injected_main, (void *)mine));
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  atomic_store(&turn, 0);
}

// The threads are the parent's, and one of them may have held something.
static void inject_child(void) {
  memcpy(&injected_first, &unlocked, sizeof unlocked);
  memcpy(&injected_second, &unlocked, sizeof unlocked);
  inject();
}

// A program that ends at once has seen both orders nevertheless.
__attribute__((constructor)) static void inject_here(void) {
  pthread_atfork(NULL, NULL, inject_child);
  inject();
  await_step(&turn, 2);
}
