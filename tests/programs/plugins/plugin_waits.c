// SPDX-License-Identifier: Apache-2.0
// A library whose constructor and destructor each wait for a thread with 100 blocks and 100 rounds
// of the lock `plugin_lock`.
#include <pthread.h>
#include <stdlib.h>

enum { ROUNDS = 100 };

static pthread_mutex_t plugin_lock = PTHREAD_MUTEX_INITIALIZER;

static void *plugin_main(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&plugin_lock);
    void *volatile block = malloc(32);
    free(block);
    pthread_mutex_unlock(&plugin_lock);
  }
  return unused;
}

static void wait_for_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, plugin_main, NULL) == 0) pthread_join(thread, NULL);
}

__attribute__((constructor)) static void loaded(void) { wait_for_thread(); }
__attribute__((destructor)) static void unloaded(void) { wait_for_thread(); }
