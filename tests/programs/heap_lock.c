// SPDX-License-Identifier: Apache-2.0
// Locks in heap blocks of session_new: at offset 40 of a block of 128 bytes; each of the 3 sessions
// is locked 4 times, freed without destroying its lock, and the next one lands in the same place.
#include "program.h"

typedef struct {
  char name[40];
  pthread_mutex_t lock;
  char rest[48];
} session_t;
_Static_assert(sizeof(session_t) == 128, "the block has 128 bytes");

static NOINLINE session_t *session_new(void) {
  session_t *session = malloc(sizeof *session);
  REQUIRE(session);
  pthread_mutex_init(&session->lock, NULL);
  return session;
}

static NOINLINE void session_use(session_t *session) {
  for (int i = 0; i < 4; i++) {
    pthread_mutex_lock(&session->lock);
    pthread_mutex_unlock(&session->lock);
  }
}

int main(void) {
  for (int i = 0; i < 3; i++) {
    session_t *session = session_new();
    session_use(session);
    free(session);
  }
  printf("{\"sessions\": 3, \"acquisitions\": 12}\n");
  return 0;
}
