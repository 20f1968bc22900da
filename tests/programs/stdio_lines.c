// SPDX-License-Identifier: Apache-2.0
// Two threads print lines and allocate at the same time: the locks that they meet are the C
// library's own, inside its streams and arenas. No line is torn, and the program's lock is seen.
#include "program.h"

enum { LINES = 300 };

static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

static void *print_main(void *name) {
  for (int i = 0; i < LINES; i++) {
    pthread_mutex_lock(&own);
    pthread_mutex_unlock(&own);
    printf("%s %s %s\n", (char *)name, (char *)name, (char *)name);
    free(malloc(4000));
  }
  return NULL;
}

int main(void) {
  static char names[2][4] = {"one", "two"};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) REQUIRE_0(pthread_create(&threads[i], NULL, print_main, names[i]));
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("{\"lines\": %d}\n", 2 * LINES);
  return 0;
}
