// SPDX-License-Identifier: Apache-2.0
// Two threads hang on locks of the program's own, as Rust's standard library makes them of a futex
// word: who owns them is not to be known, so none is claimed; where the threads wait is said.
#include "program.h"

#include <linux/futex.h>
#include <sys/syscall.h>

typedef atomic_uint word_t;  // 0 free, 1 held, 2 held and waited for
static word_t accounts, journal;
static atomic_int step;

static NOINLINE void word_lock(word_t *word) {
  unsigned expected = 0;
  if (atomic_compare_exchange_strong(word, &expected, 1)) return;
  while (atomic_exchange(word, 2) != 0)
    syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL);
}

static NOINLINE void take(word_t *first, word_t *second) {
  word_lock(first);
  atomic_fetch_add(&step, 1);
  await_step(&step, 2);
  word_lock(second);
}

static void *forward_main(void *unused) {
  pthread_setname_np(pthread_self(), "forward");
  take(&accounts, &journal);
  return unused;
}

static void *backward_main(void *unused) {
  pthread_setname_np(pthread_self(), "backward");
  take(&journal, &accounts);
  return unused;
}

int main(void) {
  pthread_t forward, backward;
  REQUIRE_0(pthread_create(&forward, NULL, forward_main, NULL));
  REQUIRE_0(pthread_create(&backward, NULL, backward_main, NULL));
  await_step(&step, 2);
  sleep_ms(200);
  say("hanging");
  pthread_join(forward, NULL);
  return 0;
}
