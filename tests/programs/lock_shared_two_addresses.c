// SPDX-License-Identifier: Apache-2.0
// One process-shared mutex that is mapped at two addresses is one lock: taken at one address, tried
// at the other. With a second mutex, an inversion across the addresses is found.
#include "locks.h"

#include <sys/mman.h>

typedef struct {
  pthread_mutex_t first, second;
} page_t;
static page_t *here, *there;

static void forward(void) { lock_both(&here->first, &here->second); }
static void backward(void) { lock_both(&there->second, &there->first); }

int main(void) {
  const int memory = memfd_create("locks", MFD_CLOEXEC);
  REQUIRE(memory >= 0 && ftruncate(memory, 4096) == 0);
  here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  REQUIRE(here != MAP_FAILED && there != MAP_FAILED && here != there);
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&here->first, &shared);
  pthread_mutex_init(&here->second, &shared);
  RUN_IN_TURN(forward, backward);
  pthread_mutex_lock(&here->first);
  REQUIRE(pthread_mutex_trylock(&there->first) == EBUSY);
  pthread_mutex_unlock(&there->first);
  return 0;
}
