// SPDX-License-Identifier: Apache-2.0
// Whoever may run late allocates and gives back: thread-local objects, destructors of keys over
// all rounds, static objects, atexit, a destructor function of early priority. All is recorded.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <unistd.h>

static void *kept_static, *kept_thread_local, *kept_atexit, *kept_destructor;

extern "C" __attribute__((noinline)) void *late_block(size_t size) { return malloc(size); }

struct late_t {
  void **block;
  explicit late_t(void **where) : block(where) { *block = late_block(101); }
  ~late_t() {
    free(*block);
    free(late_block(102));
  }
};

static late_t static_object(&kept_static);
static pthread_key_t key;

// Comes again in each round, the last included.
static void key_destructor(void *rounds) {
  uintptr_t left = reinterpret_cast<uintptr_t>(rounds);
  free(late_block(103));
  if (left > 1) pthread_setspecific(key, reinterpret_cast<void *>(left - 1));
}

static void touch_thread_local(void **where) {
  thread_local late_t object(where);
  if (!*object.block) _exit(99);
}

static void *thread_main(void *unused) {
  touch_thread_local(&kept_thread_local);
  pthread_setspecific(key, reinterpret_cast<void *>(uintptr_t(3)));
  return unused;
}

static void at_end(void) { free(kept_atexit); }

__attribute__((destructor(101))) static void very_late(void) { free(kept_destructor); }

int main() {
  static void *of_main;
  if (pthread_key_create(&key, key_destructor) != 0) _exit(99);
  kept_atexit = late_block(104);
  kept_destructor = late_block(105);
  atexit(at_end);
  for (int i = 0; i < 10; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0) _exit(99);
    pthread_join(thread, NULL);
  }
  touch_thread_local(&of_main);
  // static: 2; thread-local: 2 for each of 11; key: 3 for each of 10; atexit; destructor
  printf("{\"blocks\": %d}\n", 2 + 22 + 30 + 2);
  return 0;
}
