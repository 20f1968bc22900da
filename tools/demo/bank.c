// SPDX-License-Identifier: Apache-2.0
// Two accounts and the mistake: transfers lock account_a before account_b, the audit locks
// account_b before account_a. The day the two meet halfway, both wait for ever.
#include "tools/demo/demo.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { BANK_TOTAL = 1000000 };

static pthread_mutex_t account_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t account_b = PTHREAD_MUTEX_INITIALIZER;
static int64_t balance_a = BANK_TOTAL, balance_b;

// A demonstration must not hang, so the two sides keep out of each other's way: how many transfers
// are under way, or -1 for the audit. Real programs are kept apart by nothing but luck, and no
// more can be seen of this from outside: it is neither a lock nor a wake-up.
static atomic_int luck;

static void luck_enter(bool audit) {
  int seen = atomic_load(&luck);
  for (;;) {
    bool free = audit ? seen == 0 : seen >= 0;
    if (free && atomic_compare_exchange_weak(&luck, &seen, audit ? -1 : seen + 1)) return;
    if (!free) sched_yield();
    seen = atomic_load(&luck);
  }
}

static void luck_leave(bool audit) { atomic_fetch_add(&luck, audit ? 1 : -1); }

void bank_transfer(int64_t amount) {
  luck_enter(false);
  pthread_mutex_lock(&account_a);
  pthread_mutex_lock(&account_b);
  balance_a -= amount;
  balance_b += amount;
  pthread_mutex_unlock(&account_b);
  pthread_mutex_unlock(&account_a);
  luck_leave(false);
}

int64_t bank_audit(void) {
  luck_enter(true);
  pthread_mutex_lock(&account_b);
  pthread_mutex_lock(&account_a);
  int64_t difference = balance_a + balance_b - BANK_TOTAL;
  pthread_mutex_unlock(&account_a);
  pthread_mutex_unlock(&account_b);
  luck_leave(true);
  return difference;
}
