// SPDX-License-Identifier: Apache-2.0
// As many short threads as argv[1] says, at most 16 at once, each with 10 malloc+free pairs and 5
// mutex pairs: all are recorded, and rings are used again and again.
#include "program.h"

enum { AT_ONCE = 16, BLOCKS = 10, LOCKS = 5 };

static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;

static void *short_main(void *unused) {
  for (int i = 0; i < BLOCKS; i++) {
    void *volatile block = malloc(48);
    REQUIRE(block);
    free(block);
  }
  for (int i = 0; i < LOCKS; i++) {
    pthread_mutex_lock(&shared);
    pthread_mutex_unlock(&shared);
  }
  return unused;
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1000;
  pthread_t threads[AT_ONCE];
  for (int done = 0; done < count; done += AT_ONCE) {
    int now = count - done < AT_ONCE ? count - done : AT_ONCE;
    for (int i = 0; i < now; i++) REQUIRE_0(pthread_create(&threads[i], NULL, short_main, NULL));
    for (int i = 0; i < now; i++) pthread_join(threads[i], NULL);
  }
  printf("{\"threads\": %d, \"blocks\": %d, \"locks\": %d}\n", count, count * BLOCKS,
         count * LOCKS);
  return 0;
}
