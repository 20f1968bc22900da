// SPDX-License-Identifier: Apache-2.0
// Calls locks, streams and free under the other names that the C library has for them, which old
// programs ask for: `lock` and `table` are taken twice each, and one block is given back by cfree.
#include "program.h"

#include <sys/wait.h>

#define OTHER_NAME(name, of)                                                                       \
  extern __typeof__(of) other_##of;                                                                \
  __asm__(".symver other_" #of "," #name "@GLIBC_2.2.5")

OTHER_NAME(__pthread_mutex_init, pthread_mutex_init);
OTHER_NAME(__pthread_mutex_lock, pthread_mutex_lock);
OTHER_NAME(__pthread_mutex_trylock, pthread_mutex_trylock);
OTHER_NAME(__pthread_mutex_unlock, pthread_mutex_unlock);
OTHER_NAME(__pthread_mutex_destroy, pthread_mutex_destroy);
extern __typeof__(pthread_mutex_consistent) other_consistent;
__asm__(".symver other_consistent,pthread_mutex_consistent_np@GLIBC_2.4");
OTHER_NAME(__pthread_rwlock_init, pthread_rwlock_init);
OTHER_NAME(__pthread_rwlock_rdlock, pthread_rwlock_rdlock);
OTHER_NAME(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock);
OTHER_NAME(__pthread_rwlock_wrlock, pthread_rwlock_wrlock);
OTHER_NAME(__pthread_rwlock_trywrlock, pthread_rwlock_trywrlock);
OTHER_NAME(__pthread_rwlock_unlock, pthread_rwlock_unlock);
OTHER_NAME(__pthread_rwlock_destroy, pthread_rwlock_destroy);
OTHER_NAME(__pthread_once, pthread_once);
OTHER_NAME(_IO_flockfile, flockfile);
OTHER_NAME(_IO_ftrylockfile, ftrylockfile);
OTHER_NAME(_IO_funlockfile, funlockfile);
OTHER_NAME(_IO_popen, popen);
OTHER_NAME(cfree, free);

static pthread_mutex_t lock;
static pthread_rwlock_t table;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;

static void initialise(void) { initialised++; }

static NOINLINE void give_back_as_of_old(void) { other_free(malloc(21)); }

int main(void) {
  REQUIRE_0(other_pthread_mutex_init(&lock, NULL));
  REQUIRE_0(other_pthread_mutex_lock(&lock));
  REQUIRE(other_pthread_mutex_trylock(&lock) == EBUSY);
  REQUIRE_0(other_pthread_mutex_unlock(&lock));
  REQUIRE(other_consistent(&lock) == EINVAL);
  REQUIRE_0(other_pthread_mutex_trylock(&lock));
  REQUIRE_0(other_pthread_mutex_unlock(&lock));
  REQUIRE_0(other_pthread_rwlock_init(&table, NULL));
  REQUIRE_0(other_pthread_rwlock_rdlock(&table));
  REQUIRE_0(other_pthread_rwlock_tryrdlock(&table));
  REQUIRE(other_pthread_rwlock_trywrlock(&table) == EBUSY);
  REQUIRE_0(other_pthread_rwlock_unlock(&table));
  REQUIRE_0(other_pthread_rwlock_unlock(&table));
  REQUIRE_0(other_pthread_rwlock_wrlock(&table));
  REQUIRE_0(other_pthread_rwlock_unlock(&table));
  for (int i = 0; i < 2; i++) REQUIRE_0(other_pthread_once(&once, initialise));
  REQUIRE(initialised == 1);
  other_flockfile(stdout);
  REQUIRE_0(other_ftrylockfile(stdout));
  other_funlockfile(stdout);
  other_funlockfile(stdout);
  FILE *output = other_popen("exit 3", "r");
  REQUIRE(output && WEXITSTATUS(pclose(output)) == 3);
  give_back_as_of_old();
  REQUIRE_0(other_pthread_rwlock_destroy(&table));
  REQUIRE_0(other_pthread_mutex_destroy(&lock));
  printf("{\"lock\": 2, \"table\": 3}\n");
  return 0;
}
