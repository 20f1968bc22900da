// SPDX-License-Identifier: Apache-2.0
// Mutexes of every kind, static and initialised: each result, the bytes of the object before, while
// it is held and after, and its attributes are printed: the same under a recorder. The names are
// static_KIND and KIND; each is taken 3 times.
#include "program.h"

#include <sys/mman.h>

enum { ROUNDS = 3 };

static pthread_mutex_t static_normal = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t static_recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t static_errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t static_adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t normal, recursive, errorcheck, adaptive, robust, inheriting, protecting,
    shared;

// What is in the object, but for the owner's tid and the adaptive kind's estimate of spins.
static void print_object(const char *when, const pthread_mutex_t *mutex) {
  printf(" %s: lock %d count %u owned %d kind %d users %u", when,
         mutex->__data.__lock & 0x3fffffff ? 1 : 0, mutex->__data.__count,
         mutex->__data.__owner == gettid(), mutex->__data.__kind, mutex->__data.__nusers);
}

static void *from_another(void *mutex) {
  const int tried = pthread_mutex_trylock(mutex);
  return (void *)(intptr_t)(tried * 1000 + (tried ? pthread_mutex_unlock(mutex) : 0));
}

// Whether a relock is refused or granted; the normal and adaptive kinds would hang.
static int lock_again(pthread_mutex_t *mutex) {
  const int kind = mutex->__data.__kind & 3;
  if (kind != PTHREAD_MUTEX_RECURSIVE_NP && kind != PTHREAD_MUTEX_ERRORCHECK_NP)
    return pthread_mutex_trylock(mutex);
  const int result = pthread_mutex_lock(mutex);
  if (result == 0) pthread_mutex_unlock(mutex);
  return result;
}

static void use(const char *name, pthread_mutex_t *mutex) {
  printf("%s", name);
  print_object("before", mutex);
  for (int i = 0; i < ROUNDS; i++) {
    const int locked = pthread_mutex_lock(mutex);
    if (i == 0) {
      print_object("held", mutex);
      // the kinds that check owners refuse another's unlock; of the others it would be a release
      const bool checks = (mutex->__data.__kind & 3) == 1 || (mutex->__data.__kind & 3) == 2;
      if (checks) {
        pthread_t other;
        void *refused;
        REQUIRE_0(pthread_create(&other, NULL, from_another, mutex));
        pthread_join(other, &refused);
        printf(" another %d", (int)(intptr_t)refused);
      }
    }
    const int again = i == 1 ? lock_again(mutex) : 0;
    printf(" %d/%d/%d", locked, again, pthread_mutex_unlock(mutex));
  }
  print_object("after", mutex);
  printf("\n");
}

static void initialise(pthread_mutex_t *mutex, int type, int robustness, int protocol,
                       int sharing) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  REQUIRE_0(pthread_mutexattr_settype(&attributes, type));
  REQUIRE_0(pthread_mutexattr_setrobust(&attributes, robustness));
  REQUIRE_0(pthread_mutexattr_setprotocol(&attributes, protocol));
  REQUIRE_0(pthread_mutexattr_setpshared(&attributes, sharing));
  REQUIRE_0(pthread_mutex_init(mutex, &attributes));
}

int main(void) {
  initialise(&normal, PTHREAD_MUTEX_NORMAL, 0, 0, 0);
  initialise(&recursive, PTHREAD_MUTEX_RECURSIVE, 0, 0, 0);
  initialise(&errorcheck, PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0);
  initialise(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0);
  initialise(&robust, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, 0, 0);
  initialise(&inheriting, PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0);
  initialise(&shared, PTHREAD_MUTEX_NORMAL, 0, 0, PTHREAD_PROCESS_SHARED);
  use("static_normal", &static_normal);
  use("static_recursive", &static_recursive);
  use("static_errorcheck", &static_errorcheck);
  use("static_adaptive", &static_adaptive);
  use("normal", &normal);
  use("recursive", &recursive);
  use("errorcheck", &errorcheck);
  use("adaptive", &adaptive);
  use("robust", &robust);
  use("inheriting", &inheriting);
  use("shared", &shared);
  // of priority protection: not everybody may take it, and what it says then is the same
  initialise(&protecting, PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_PROTECT, 0);
  const int granted = pthread_mutex_lock(&protecting);
  int ceiling = 0;
  pthread_mutex_getprioceiling(&protecting, &ceiling);
  printf("protecting %d %d\n", granted == 0, ceiling);
  if (granted == 0) pthread_mutex_unlock(&protecting);
  printf("{\"rounds\": %d}\n", ROUNDS);
  return 0;
}
