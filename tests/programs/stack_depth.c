// SPDX-License-Identifier: Apache-2.0
// Prints how deep below its caller each call reaches into the stack, at first in a thread and
// later, found by painting the stack: recorded, none may reach 1 KiB deeper than it does bare.
#include "program.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;
static int event, listener;
static void call_read_lock(void) { pthread_rwlock_rdlock(&table); }
static void call_read_unlock(void) { pthread_rwlock_unlock(&table); }
static void call_post(void) { sem_post(&semaphore); }
static void call_wait(void) { sem_wait(&semaphore); }
static void call_eventfd(void) { event = eventfd(0, 0); }
static void call_epoll_ctl(void) {
  struct epoll_event asked = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, event, &asked);
}
static void call_close(void) { close(event); }
static void call_socket(void) { listener = socket(AF_INET, SOCK_STREAM, 0); }
static void call_listen(void) {
  listen(listener, 1);
  close(listener);
}
static void call_poll(void) {
  struct pollfd asked = {epoll, POLLIN, 0};
  poll(&asked, 1, 0);
}
static void call_mmap(void) {
  munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
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
             {"epoll_wait", call_epoll_wait},
             {"read_lock", call_read_lock},
             {"read_unlock", call_read_unlock},
             {"post", call_post},
             {"wait", call_wait},
             {"eventfd", call_eventfd},
             {"epoll_ctl", call_epoll_ctl},
             {"close", call_close},
             {"socket", call_socket},
             {"listen", call_listen},
             {"poll", call_poll},
             {"mmap", call_mmap}};
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
