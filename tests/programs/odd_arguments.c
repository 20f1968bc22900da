// SPDX-License-Identifier: Apache-2.0
// Calls with arguments that the C library or the kernel refuses, or of which they look at less than
// they were told: pointers to nowhere, sizes beyond what is there, limits that are none, and
// cancellations that are pending. Says result and errno of each, which are what they are bare.
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { UNTOUCHED = 77 };
#define TELL(call)                                                                                 \
  do {                                                                                             \
    errno = UNTOUCHED;                                                                             \
    const long result = (long)(call);                                                              \
    const int error = errno;                                                                       \
    printf("%s: %ld, errno %d\n", #call, result, error);                                           \
  } while (0)

// The compiler does not know that there is nothing.
static void *volatile nowhere = (void *)0x1000;
static const struct timespec past = {0, 0}, none = {0, -1};
static int ends[2], epoll;

static void loops(void) {
  struct epoll_event event = {.events = EPOLLIN};
  TELL(epoll_create(0));
  TELL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], nowhere));
  TELL(epoll_ctl(epoll, UNTOUCHED, ends[0], nowhere));
  TELL(epoll_ctl(-1, EPOLL_CTL_ADD, ends[0], nowhere));
  TELL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
  TELL(epoll_wait(epoll, nowhere, 4, 0));
  TELL(epoll_wait(epoll, &event, 0, 0));
  TELL(epoll_pwait2(epoll, &event, 1, nowhere, NULL));
  TELL(epoll_pwait2(epoll, &event, 1, &none, NULL));
  TELL(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], nowhere));
  TELL(poll(nowhere, 2, 0));
  TELL(poll(nowhere, (nfds_t)1 << 33, 0));
  TELL(ppoll(nowhere, 2, &past, NULL));
  TELL(select(5, nowhere, NULL, NULL, &(struct timeval){0, 0}));
  TELL(pselect(0, NULL, NULL, NULL, &past, nowhere));
}

// What many programs do: as many as there could be descriptors, with sets that hold 1024; here at
// the end of what is mapped.
static void short_masks(void) {
  char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(end != MAP_FAILED && munmap(end + 4096, 4096) == 0);
  fd_set *set = (fd_set *)(void *)(end + 4096 - sizeof *set);
  FD_SET(ends[0], set);
  TELL(select(1 << 20, set, NULL, NULL, &(struct timeval){5, 0}));
  TELL(pselect(0x7fffffff, set, NULL, NULL, NULL, NULL));
  TELL(FD_ISSET(ends[0], set));
  memset(set, 0xff, sizeof *set);
  TELL(sched_setaffinity(0, 1 << 20, (cpu_set_t *)set));
  TELL(sched_setaffinity(0, sizeof *set, nowhere));
}

static void transfers(void) {
  struct iovec part = {nowhere, 4};
  int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(unix_socket >= 0);
  TELL(read(ends[0], nowhere, 4));
  TELL(readv(ends[0], nowhere, 2));
  TELL(readv(ends[0], &part, 1));
  TELL(write(ends[1], nowhere, 4));
  TELL(pipe(nowhere));
  TELL(connect(unix_socket, nowhere, 16));
  TELL(connect(unix_socket, nowhere, 4000));
  TELL(accept(unix_socket, nowhere, nowhere));
  TELL(recvmsg(unix_socket, nowhere, 0));
  TELL(dup2(-1, ends[0]));
  TELL(dup2(ends[0], 2000000000));
  TELL(close(-1));
  TELL(close(0x7fffffff));
  TELL(close_range(9, 5, 0));
  TELL(close_range((unsigned)ends[0], ~0U, 1 << 6));
  TELL(nanosleep(nowhere, NULL));
  TELL(nanosleep(&none, NULL));
  TELL(syscall(SYS_futex, nowhere, 0, 0, 0));
  TELL(syscall(SYS_futex, nowhere, 1, 1));
  TELL(prctl(PR_SET_NAME, nowhere));
  TELL(prctl(PR_SET_SECCOMP, 2, nowhere));
}

static void processes(void) {
  char *const arguments[] = {"true", NULL};
  TELL(execve(nowhere, nowhere, nowhere));
  TELL(execve("/bin/true", nowhere, NULL));
  TELL(execveat(-1, nowhere, nowhere, nowhere, 0));
  TELL(execveat(99, nowhere, arguments, NULL, AT_EMPTY_PATH));
  TELL(execveat(99, "", arguments, NULL, AT_EMPTY_PATH));
  TELL(fexecve(-1, arguments, arguments));
  TELL(posix_spawn(NULL, "/nonexistent", NULL, NULL, arguments, NULL));
  TELL(posix_spawn(NULL, "/bin/true", NULL, NULL, arguments, NULL));
  TELL(wait(NULL) > 0);
  TELL(system(NULL));
  TELL(system("exit 3"));              // NOLINT(cert-env33-c)
  TELL(popen("true", "x") == NULL);    // NOLINT(cert-env33-c)
  TELL(pclose(popen("exit 4", "r")));  // NOLINT(cert-env33-c)
}

// A wait with each kind of bad limit at what could be had at once, and at what could not.
static void limits(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
  sem_t slots;
  REQUIRE(sem_init(&slots, 0, 9) == 0);
  TELL(pthread_mutex_timedlock(&mutex, &none));
  TELL(pthread_mutex_timedlock(&mutex, &none));
  TELL(pthread_mutex_clocklock(&mutex, UNTOUCHED, &past));
  TELL(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past));
  TELL(pthread_cond_timedwait(&condition, &mutex, &none));
  TELL(pthread_cond_clockwait(&condition, &mutex, UNTOUCHED, &past));
  TELL(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &past));
  TELL(pthread_mutex_unlock(&mutex));
  TELL(pthread_rwlock_timedrdlock(&table, &none));
  TELL(pthread_rwlock_clockwrlock(&table, UNTOUCHED, &past));
  TELL(pthread_rwlock_timedwrlock(&table, &past));
  TELL(pthread_rwlock_timedrdlock(&table, &past));
  TELL(sem_timedwait(&slots, &none));
  TELL(sem_clockwait(&slots, UNTOUCHED, &past));
  TELL(sem_clockwait(&slots, CLOCK_MONOTONIC, &past));
}

static sem_t nine;
static bool came_back;

static void wait_cancelled(int which) {
  if (which == 0) sem_wait(&nine);
  if (which == 1) sem_timedwait(&nine, &past);
  if (which == 2) sem_timedwait(&nine, &none);
  if (which == 3) sem_clockwait(&nine, CLOCK_MONOTONIC, &past);
  if (which == 4) sem_clockwait(&nine, UNTOUCHED, &past);
  if (which == 5) sem_trywait(&nine);
  if (which == 6) sem_post(&nine);
  came_back = true;
}

// With a cancellation that is pending.
static void *cancelled_main(void *which) {
  int old;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
  pthread_cancel(pthread_self());
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
  wait_cancelled((int)(intptr_t)which);
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  REQUIRE(pipe(ends) == 0 && write(ends[1], "12345678", 8) == 8);
  REQUIRE((epoll = epoll_create1(0)) >= 0 && sem_init(&nine, 0, 9) == 0);
  loops();
  short_masks();
  transfers();
  processes();
  limits();
  for (intptr_t which = 0; which <= 6; which++) {
    pthread_t thread;
    int value;
    came_back = false;
    REQUIRE_0(pthread_create(&thread, NULL, cancelled_main, (void *)which));
    REQUIRE_0(pthread_join(thread, NULL));
    REQUIRE(sem_getvalue(&nine, &value) == 0);
    printf("cancelled %d: came back: %d, value %d\n", (int)which, came_back, value);
  }
  return 0;
}
