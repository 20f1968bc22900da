// SPDX-License-Identifier: Apache-2.0
// Asks for functions under the version names of old C libraries, as a program built long ago does:
// the condition variables of GLIBC_2.2.5, another object than today's, and threads of the time
// before they moved into libc.
#include "program.h"

#define OLD(name, version) __asm__(".symver " #name "," #name "@" version)
OLD(pthread_cond_init, "GLIBC_2.2.5");
OLD(pthread_cond_wait, "GLIBC_2.2.5");
OLD(pthread_cond_signal, "GLIBC_2.2.5");
OLD(pthread_cond_destroy, "GLIBC_2.2.5");
OLD(pthread_create, "GLIBC_2.2.5");
OLD(pthread_join, "GLIBC_2.2.5");
OLD(pthread_mutex_trylock, "GLIBC_2.2.5");
OLD(pthread_once, "GLIBC_2.2.5");

enum { TURNS = 500 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int turn;
// what old programs do not touch: the object was a pointer
static const uint64_t canary = 0x5ca1ab1e5ca1ab1e;

static void initialise(void) { turn = 0; }

static void *player_main(void *own_) {
  const int own = (int)(intptr_t)own_;
  pthread_once(&once, initialise);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < TURNS; i++) {
    while (turn % 2 != own) pthread_cond_wait(&turned, &lock);
    turn++;
    pthread_cond_signal(&turned);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

int main(void) {
  pthread_t players[2];
  memcpy((char *)&turned + sizeof(void *), &canary, sizeof canary);
  REQUIRE_0(pthread_cond_init(&turned, NULL));
  for (intptr_t i = 0; i < 2; i++)
    REQUIRE_0(pthread_create(&players[i], NULL, player_main, (void *)i));
  for (int i = 0; i < 2; i++) pthread_join(players[i], NULL);
  REQUIRE_0(pthread_mutex_trylock(&lock));
  pthread_mutex_unlock(&lock);
  REQUIRE(memcmp((char *)&turned + sizeof(void *), &canary, sizeof canary) == 0);
  REQUIRE_0(pthread_cond_destroy(&turned));
  printf("{\"turns\": %d}\n", turn);
  return 0;
}
