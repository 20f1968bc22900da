// SPDX-License-Identifier: Apache-2.0
// Prints how deep below its caller each call reaches into the stack, at first in a thread and
// later, found by painting the stack: recorded, none may reach 1 KiB deeper than it does bare.
#include "program.h"

#include <sys/epoll.h>

enum { PAINTED = 24 << 10, OWN_FRAME = 64, PAINT = 0xa5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int epoll;
static void *block;

static void call_malloc(void) { block = malloc(100); }
static void call_realloc(void) { block = realloc(block, 200); }
static void call_free(void) { free(block); }
static void call_lock(void) { pthread_mutex_lock(&lock); }
static void call_signal(void) { pthread_cond_signal(&condition); }
static void call_unlock(void) { pthread_mutex_unlock(&lock); }
static void call_epoll_wait(void) {
  struct epoll_event event;
  epoll_wait(epoll, &event, 1, 0);
}

static const struct {
  const char *name;
  void (*call)(void);
} calls[] = {{"malloc", call_malloc},
             {"realloc", call_realloc},
             {"free", call_free},
             {"lock", call_lock},
             {"signal", call_signal},
             {"unlock", call_unlock},
             {"epoll_wait", call_epoll_wait}};
enum { CALLS = sizeof calls / sizeof *calls };

// Nothing of this function may lie in what it paints, so it does not call anything but `call`.
static NOINLINE size_t depth_of(void (*call)(void)) {
  volatile unsigned char *top = (volatile unsigned char *)__builtin_frame_address(0) - OWN_FRAME;
  for (size_t i = 1; i <= PAINTED; i++) top[-(ptrdiff_t)i] = PAINT;
  call();
  size_t depth = PAINTED;
  while (depth > 0 && top[-(ptrdiff_t)depth] == PAINT) depth--;
  return depth;
}

static size_t first[CALLS], later[CALLS];

static void *measure(void *unused) {
  for (size_t i = 0; i < CALLS; i++) first[i] = depth_of(calls[i].call);
  for (int round = 0; round < 100; round++)
    for (size_t i = 0; i < CALLS; i++) {
      size_t depth = depth_of(calls[i].call);
      if (depth > later[i]) later[i] = depth;
    }
  return unused;
}

int main(void) {
  epoll = epoll_create1(0);
  for (size_t i = 0; i < CALLS; i++) calls[i].call();  // binds the functions
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, measure, NULL));
  pthread_join(thread, NULL);
  printf("{");
  for (size_t i = 0; i < CALLS; i++)
    printf("\"%s\": %zu, \"%s_first\": %zu%s", calls[i].name, later[i], calls[i].name, first[i],
           i + 1 < CALLS ? ", " : "}\n");
  return 0;
}
