// SPDX-License-Identifier: Apache-2.0
// Two threads hand a turn to and fro 500 times each over the condition `turn_changed` with the
// mutex `turn_lock`; "ping" and "pong" count their waits. No deadlock, no hazard, nothing lost.
#include "program.h"

enum { ROUNDS = 500 };

static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static unsigned waits, locks;

static void *player_main(void *own) {
  int mine = own != NULL;
  pthread_setname_np(pthread_self(), mine ? "pong" : "ping");
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&turn_lock);
    locks++;
    while (turn != mine) {
      waits++;
      pthread_cond_wait(&turn_changed, &turn_lock);
    }
    turn = !mine;
    pthread_cond_signal(&turn_changed);
    pthread_mutex_unlock(&turn_lock);
  }
  return NULL;
}

int main(void) {
  pthread_t ping, pong;
  REQUIRE_0(pthread_create(&ping, NULL, player_main, NULL));
  REQUIRE_0(pthread_create(&pong, NULL, player_main, &turn));
  pthread_join(ping, NULL);
  pthread_join(pong, NULL);
  printf("{\"rounds\": %d, \"waits\": %u, \"locks\": %u}\n", ROUNDS, waits, locks);
  return 0;
}
