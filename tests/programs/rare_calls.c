// SPDX-License-Identifier: Apache-2.0
// Functions that few programs call, once each: exec in every form, joins that do not wait for ever,
// forms of calls on descriptors, and the names that the C library has beside read, close and
// others.
#include "program.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern __typeof__(read) __read;
extern __typeof__(write) __write;
extern __typeof__(close) __close;
extern __typeof__(dup2) __dup2;
extern __typeof__(pipe) __pipe;
extern __typeof__(poll) __poll;
extern __typeof__(select) __select;
extern __typeof__(send) __send;
extern __typeof__(connect) __connect;
extern __typeof__(fcntl) __fcntl;
extern __typeof__(fork) __fork;
extern __typeof__(nanosleep) __nanosleep;
extern ssize_t __read_chk(int descriptor, void *buffer, size_t size, size_t room);
extern ssize_t __recv_chk(int descriptor, void *buffer, size_t size, size_t room, int flags);
extern ssize_t __recvfrom_chk(int descriptor, void *buffer, size_t size, size_t room, int flags,
                              struct sockaddr *from, socklen_t *length);
extern int __poll_chk(struct pollfd *list, nfds_t count, int timeout, size_t room);
extern int __ppoll_chk(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t room);
extern void free_sized(void *block, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *block, size_t alignment, size_t size) __attribute__((weak));

static char *const arguments[] = {"true", NULL};

static void run_exec(int form) {
  int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
  switch (form) {
  case 0:
    execv("/bin/true", arguments);
    break;
  case 1:
    execve("/bin/true", arguments, environ);
    break;
  case 2:
    execvp("true", arguments);
    break;
  case 3:
    execvpe("true", arguments, environ);
    break;
  case 4:
    execlp("true", "true", NULL);
    break;
  case 5:
    execle("/bin/true", "true", NULL, environ);
    break;
  case 6:
    fexecve(file, arguments, environ);
    break;
  case 7:
    execveat(AT_FDCWD, "/bin/true", arguments, environ, 0);
    break;
  }
  _exit(98);
}

enum { FORMS = 8 };

static void execs(void) {
  for (int form = 0; form < FORMS; form++) {
    pid_t child = form == 0 ? __fork() : form == 1 ? _Fork() : fork();
    int status;
    REQUIRE(child >= 0);
    if (child == 0) run_exec(form);
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  }
}

static atomic_int may_end;
static int join_calls = 5;  // besides those that try again

static void *ending_main(void *unused) {
  await_step(&may_end, 1);
  return unused;
}

static void joins(void) {
  pthread_t threads[3];
  struct timespec past = {1, 0}, limit;
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_create(&threads[i], NULL, ending_main, NULL));
  REQUIRE(pthread_tryjoin_np(threads[0], NULL) == EBUSY);
  REQUIRE(pthread_timedjoin_np(threads[1], NULL, &past) == ETIMEDOUT);
  REQUIRE(pthread_clockjoin_np(threads[2], NULL, CLOCK_MONOTONIC, &past) == ETIMEDOUT);
  atomic_store(&may_end, 1);
  int result;
  do join_calls++;
  while ((result = pthread_tryjoin_np(threads[0], NULL)) == EBUSY);
  REQUIRE_0(result);
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 60;
  REQUIRE_0(pthread_timedjoin_np(threads[1], NULL, &limit));
  clock_gettime(CLOCK_MONOTONIC, &limit);
  limit.tv_sec += 60;
  REQUIRE_0(pthread_clockjoin_np(threads[2], NULL, CLOCK_MONOTONIC, &limit));
}

static void waits_in_sets(int ends[2]) {
  const struct timespec none = {0, 0};
  struct epoll_event event = {EPOLLIN, {0}};
  int set = epoll_create(1);
  REQUIRE(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
  REQUIRE(epoll_pwait(set, &event, 1, 0, NULL) == 0);
  REQUIRE(epoll_pwait2(set, &event, 1, &none, NULL) == 0 || errno == ENOSYS);
  struct pollfd list = {ends[0], POLLIN, 0};
  REQUIRE(__poll_chk(&list, 1, 0, sizeof list) == 0);
  REQUIRE(__ppoll_chk(&list, 1, &none, NULL, sizeof list) == 0);
  REQUIRE(__poll(&list, 1, 0) == 0);
  struct timeval at_once = {0, 0};
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(ends[0], &readable);
  REQUIRE(__select(ends[0] + 1, &readable, NULL, NULL, &at_once) == 0);
  REQUIRE(__close(set) == 0);
}

// Five bytes through `ends`, and read in five ways.
static void bytes(int ends[2]) {
  char byte[2];
  REQUIRE(__write(ends[1], "a", 1) == 1 && __send(ends[1], "bcde", 4, 0) == 4);
  REQUIRE(__read(ends[0], byte, 1) == 1 && __read_chk(ends[0], byte, 1, sizeof byte) == 1);
  REQUIRE(__recv_chk(ends[0], byte, 1, sizeof byte, 0) == 1);
  REQUIRE(__recvfrom_chk(ends[0], byte, 1, sizeof byte, 0, NULL, NULL) == 1 && byte[0] == 'd');
  REQUIRE(recv(ends[0], byte, 1, 0) == 1);
}

static void files(int ends[2]) {
  int pipe_ends[2];
  off64_t offset = 0;
  int file = open("/proc/self/exe", O_RDONLY);
  REQUIRE(file >= 0 && __pipe(pipe_ends) == 0);
  REQUIRE(sendfile64(ends[1], file, &offset, 16) == 16);
  REQUIRE(splice(file, &offset, pipe_ends[1], NULL, 16, 0) == 16);
  void *page = mmap64(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
  REQUIRE(page != MAP_FAILED && munmap(page, 4096) == 0);
  int copy = __fcntl(file, F_DUPFD_CLOEXEC, 50), other = fcntl64(file, F_DUPFD_CLOEXEC, 60);
  REQUIRE(copy >= 50 && other >= 60 && __dup2(file, copy) == copy);
  int counter = eventfd(0, 0);
  eventfd_t value;
  REQUIRE(counter >= 0 && eventfd_write(counter, 3) == 0);
  REQUIRE(eventfd_read(counter, &value) == 0 && value == 3);
  int notify = inotify_init();
  REQUIRE(notify >= 0);
  struct sockaddr nobody = {.sa_family = AF_UNIX};
  REQUIRE(__connect(ends[0], &nobody, sizeof nobody) < 0);
  const struct timespec moment = {0, 1000};
  REQUIRE(__nanosleep(&moment, NULL) == 0);
  closefrom(file);
  REQUIRE(fcntl(copy, F_GETFD) == -1 && fcntl(notify, F_GETFD) == -1);
}

static NOINLINE void sized_blocks(void) {
  void *block = malloc(48), *aligned = aligned_alloc(64, 128);
  if (free_sized)
    free_sized(block, 48);
  else
    free(block);
  if (free_aligned_sized)
    free_aligned_sized(aligned, 64, 128);
  else
    free(aligned);
}

int main(void) {
  int ends[2];
  execs();
  joins();
  sized_blocks();
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  waits_in_sets(ends);
  bytes(ends);
  files(ends);
  printf("{\"execs\": %d, \"joins\": %d, \"reads\": 5}\n", FORMS, join_calls);
  return 0;
}
