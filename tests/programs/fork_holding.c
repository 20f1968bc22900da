// SPDX-License-Identifier: Apache-2.0
// A process forks while the forking thread holds `inherited` and another thread holds `elsewhere`.
// In the child the first is held and given back, the second is only locked: its holder is not
// there. The child ends holding nothing; the parent's record goes on.
#include "program.h"

#include <sys/wait.h>

static pthread_mutex_t inherited = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t elsewhere = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;

static void *holding_main(void *unused) {
  pthread_mutex_lock(&elsewhere);
  atomic_store(&step, 1);
  await_step(&step, 2);
  pthread_mutex_unlock(&elsewhere);
  return unused;
}

int main(void) {
  pthread_t holding;
  REQUIRE_0(pthread_create(&holding, NULL, holding_main, NULL));
  await_step(&step, 1);
  pthread_mutex_lock(&inherited);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    REQUIRE_0(pthread_mutex_unlock(&inherited));
    REQUIRE_0(pthread_mutex_lock(&inherited));
    REQUIRE(pthread_mutex_trylock(&elsewhere) == EBUSY);
    REQUIRE_0(pthread_mutex_unlock(&inherited));
    exit(0);
  }
  pthread_mutex_unlock(&inherited);
  int status;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  atomic_store(&step, 2);
  pthread_join(holding, NULL);
  printf("{\"parent\": %d, \"child\": %d}\n", getpid(), child);
  return 0;
}
