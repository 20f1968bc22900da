// SPDX-License-Identifier: Apache-2.0
// errno is what it was after every call that succeeds, from the first one of a thread on, and what
// the call says where it fails.
#include "program.h"

#include <sys/epoll.h>

enum { MARK = 77 };

#define KEEPS_ERRNO(call)                                                                          \
  do {                                                                                             \
    errno = MARK;                                                                                  \
    (void)(call);                                                                                  \
    if (errno != MARK) {                                                                           \
      fprintf(stderr, "%s changed errno to %d\n", #call, errno);                                   \
      _exit(1);                                                                                    \
    }                                                                                              \
  } while (0)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *check_calls(void *unused) {
  void *volatile block;
  KEEPS_ERRNO(block = malloc(100));
  KEEPS_ERRNO(block = realloc(block, 100000));
  KEEPS_ERRNO(free(block));
  KEEPS_ERRNO(block = calloc(1, 10));
  KEEPS_ERRNO(free(block));
  KEEPS_ERRNO(pthread_mutex_lock(&lock));
  KEEPS_ERRNO(pthread_mutex_trylock(&lock));
  KEEPS_ERRNO(pthread_cond_signal(&condition));
  KEEPS_ERRNO(pthread_mutex_unlock(&lock));
  int epoll = 0, pipe_ends[2];
  KEEPS_ERRNO(epoll = epoll_create1(0));
  REQUIRE(pipe(pipe_ends) == 0);
  struct epoll_event event = {EPOLLIN, {0}};
  KEEPS_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event));
  KEEPS_ERRNO(write(pipe_ends[1], "x", 1));
  KEEPS_ERRNO(epoll_wait(epoll, &event, 1, -1));
  char byte;
  KEEPS_ERRNO(read(pipe_ends[0], &byte, 1));
  KEEPS_ERRNO(close(pipe_ends[0]));
  KEEPS_ERRNO(close(pipe_ends[1]));
  KEEPS_ERRNO(close(epoll));
  REQUIRE(close(epoll) == -1 && errno == EBADF);
  REQUIRE(epoll_wait(epoll, &event, 1, 0) == -1 && errno == EBADF);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_DEL, 0, &event) == -1 && errno == EBADF);
  REQUIRE(read(-1, &byte, 1) == -1 && errno == EBADF);
  return unused;
}

int main(void) {
  check_calls(NULL);
  // enough threads and blocks that rings are claimed and filled on the way
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    KEEPS_ERRNO(pthread_create(&thread, NULL, check_calls, NULL));
    KEEPS_ERRNO(pthread_join(thread, NULL));
  }
  for (int i = 0; i < 100000; i++) {
    void *volatile block;
    KEEPS_ERRNO(block = malloc(32));
    KEEPS_ERRNO(free(block));
  }
  printf("{\"kept\": true}\n");
  return 0;
}
