// SPDX-License-Identifier: Apache-2.0
// Every call of every kind of lock but the mutex, with its result, from one thread; then a wait at
// each from another. What is said at the end is what must be recorded, by kind.
#include "program.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <threads.h>

static struct timespec in_ms(clockid_t clock, unsigned ms) {
  struct timespec at;
  clock_gettime(clock, &at);
  at.tv_nsec += (long)ms * 1000000;
  at.tv_sec += at.tv_nsec / 1000000000;
  at.tv_nsec %= 1000000000;
  return at;
}

// ---- read-write locks ----------------------------------------------------------------------

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
enum { RWLOCK_SHARED = 5, RWLOCK_EXCLUSIVE = 5, RWLOCK_FAILED = 6 };

static void *refused_rwlock(void *unused) {
  struct timespec at = in_ms(CLOCK_REALTIME, 10);
  REQUIRE(pthread_rwlock_tryrdlock(&table) == EBUSY);
  REQUIRE(pthread_rwlock_trywrlock(&table) == EBUSY);
  REQUIRE(pthread_rwlock_timedrdlock(&table, &at) == ETIMEDOUT);
  at = in_ms(CLOCK_MONOTONIC, 10);
  REQUIRE(pthread_rwlock_clockwrlock(&table, CLOCK_MONOTONIC, &at) == ETIMEDOUT);
  at.tv_nsec = -1;
  REQUIRE(pthread_rwlock_timedwrlock(&table, &at) == EINVAL);
  return unused;
}

static void *waits_for_rwlock(void *unused) {
  REQUIRE_0(pthread_rwlock_rdlock(&table));
  REQUIRE_0(pthread_rwlock_unlock(&table));
  return unused;
}

static void rwlocks(void) {
  pthread_t other;
  struct timespec at = in_ms(CLOCK_REALTIME, 1000), then = in_ms(CLOCK_MONOTONIC, 1000);
  pthread_rwlock_t own;
  REQUIRE_0(pthread_rwlock_init(&own, NULL));
  REQUIRE_0(pthread_rwlock_destroy(&own));
  REQUIRE_0(pthread_rwlock_rdlock(&table));
  REQUIRE_0(pthread_rwlock_tryrdlock(&table));
  REQUIRE_0(pthread_rwlock_timedrdlock(&table, &at));
  REQUIRE_0(pthread_rwlock_clockrdlock(&table, CLOCK_MONOTONIC, &then));
  for (int i = 0; i < 4; i++) REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_rwlock_trywrlock(&table));
  REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_rwlock_timedwrlock(&table, &at));
  REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_rwlock_clockwrlock(&table, CLOCK_MONOTONIC, &then));
  REQUIRE(pthread_rwlock_wrlock(&table) == EDEADLK);
  REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_rwlock_wrlock(&table));
  REQUIRE_0(pthread_create(&other, NULL, refused_rwlock, NULL));
  REQUIRE_0(pthread_join(other, NULL));
  REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_rwlock_wrlock(&table));
  REQUIRE_0(pthread_create(&other, NULL, waits_for_rwlock, NULL));
  sleep_ms(30);
  REQUIRE_0(pthread_rwlock_unlock(&table));
  REQUIRE_0(pthread_join(other, NULL));
}

// ---- spin locks, barriers ------------------------------------------------------------------

enum { SPIN_ACQUIRED = 2, SPIN_FAILED = 1, PARTIES = 3 };

static void spins(void) {
  pthread_spinlock_t spin;
  REQUIRE_0(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
  REQUIRE_0(pthread_spin_lock(&spin));
  REQUIRE(pthread_spin_trylock(&spin) == EBUSY);
  REQUIRE_0(pthread_spin_unlock(&spin));
  REQUIRE_0(pthread_spin_trylock(&spin));
  REQUIRE_0(pthread_spin_unlock(&spin));
  REQUIRE_0(pthread_spin_destroy(&spin));
}

static pthread_barrier_t meeting;
static atomic_int told_last;

static void *meets(void *unused) {
  const int result = pthread_barrier_wait(&meeting);
  REQUIRE(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
  told_last += result == PTHREAD_BARRIER_SERIAL_THREAD;
  return unused;
}

static void barriers(void) {
  pthread_t others[PARTIES - 1];
  REQUIRE_0(pthread_barrier_init(&meeting, NULL, PARTIES));
  for (int i = 0; i < PARTIES - 1; i++) REQUIRE_0(pthread_create(&others[i], NULL, meets, NULL));
  meets(NULL);
  for (int i = 0; i < PARTIES - 1; i++) REQUIRE_0(pthread_join(others[i], NULL));
  REQUIRE_0(pthread_barrier_destroy(&meeting));
  REQUIRE(told_last == 1);
}

// ---- semaphores ----------------------------------------------------------------------------

static sem_t slots;
enum { SEMAPHORE_POSTS = 3, SEMAPHORE_ACQUIRED = 6, SEMAPHORE_FAILED = 3 };

static void on_alarm(int unused) {
  (void)unused;
  sem_post(&slots);
}

static void semaphores(void) {
  struct timespec at = in_ms(CLOCK_REALTIME, 1000), then = in_ms(CLOCK_MONOTONIC, 1000);
  REQUIRE(sem_init(&slots, 0, 3) == 0);
  errno = 0;
  REQUIRE(sem_wait(&slots) == 0);
  REQUIRE(sem_timedwait(&slots, &at) == 0);
  REQUIRE(sem_clockwait(&slots, CLOCK_MONOTONIC, &then) == 0);
  REQUIRE(errno == 0);
  REQUIRE(sem_trywait(&slots) == -1 && errno == EAGAIN);
  at = in_ms(CLOCK_REALTIME, 10);
  REQUIRE(sem_timedwait(&slots, &at) == -1 && errno == ETIMEDOUT);
  at.tv_nsec = 1000000000;
  REQUIRE(sem_timedwait(&slots, &at) == -1 && errno == EINVAL);
  REQUIRE(sem_post(&slots) == 0);
  errno = 0;
  REQUIRE(sem_trywait(&slots) == 0 && errno == 0);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
  ualarm(20000, 0);
  REQUIRE(sem_wait(&slots) == 0);
  REQUIRE(sem_destroy(&slots) == 0);

  char name[64];
  snprintf(name, sizeof name, "/every_lock.%d", (int)getpid());
  sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  REQUIRE(named != SEM_FAILED);
  REQUIRE(sem_open(name, O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED && errno == EEXIST);
  REQUIRE(sem_unlink(name) == 0);
  REQUIRE(sem_open(name, 0) == SEM_FAILED && errno == ENOENT);
  REQUIRE(sem_post(named) == 0);
  REQUIRE(sem_wait(named) == 0);
  REQUIRE(sem_close(named) == 0);
}

// ---- once ----------------------------------------------------------------------------------

static pthread_once_t once = PTHREAD_ONCE_INIT, once_left = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT, flag_inside = ONCE_FLAG_INIT;
static atomic_int initialised, begun;
enum { ONCE_RAN = 5, ONCE_WAITED = 1 };

static void slow_initialiser(void) {
  begun = 1;
  sleep_ms(30);
  initialised++;
}
static void inner_initialiser(void) { initialised++; }
static void outer_initialiser(void) {
  call_once(&flag_inside, inner_initialiser);
  initialised++;
}
static void left_initialiser(void) {
  if (begun == 2) return;
  begun = 2;
  pthread_exit(NULL);
}

static void *initialises(void *unused) {
  REQUIRE_0(pthread_once(&once, slow_initialiser));
  return unused;
}
static void *leaves(void *unused) {
  pthread_once(&once_left, left_initialiser);
  return unused;
}

static void onces(void) {
  pthread_t other;
  REQUIRE_0(pthread_create(&other, NULL, initialises, NULL));
  while (!begun) sched_yield();
  REQUIRE_0(pthread_once(&once, slow_initialiser));
  REQUIRE_0(pthread_join(other, NULL));
  REQUIRE_0(pthread_once(&once, slow_initialiser));
  call_once(&flag, outer_initialiser);
  call_once(&flag, outer_initialiser);
  REQUIRE_0(pthread_create(&other, NULL, leaves, NULL));
  REQUIRE_0(pthread_join(other, NULL));
  REQUIRE_0(pthread_once(&once_left, left_initialiser));
  REQUIRE(initialised == 3);
}

// ---- streams -------------------------------------------------------------------------------

enum { FILE_ACQUIRED = 4, FILE_FAILED = 1 };

static void *finds_stream_locked(void *unused) {
  REQUIRE(ftrylockfile(stderr) != 0);
  flockfile(stderr);
  funlockfile(stderr);
  return unused;
}

static void streams(void) {
  pthread_t other;
  flockfile(stderr);
  flockfile(stderr);
  REQUIRE(ftrylockfile(stderr) == 0);
  REQUIRE_0(pthread_create(&other, NULL, finds_stream_locked, NULL));
  sleep_ms(30);
  for (int i = 0; i < 3; i++) funlockfile(stderr);
  REQUIRE_0(pthread_join(other, NULL));
}

int main(void) {
  rwlocks();
  spins();
  barriers();
  semaphores();
  onces();
  streams();
  printf("{\"rwlock_shared\": %d, \"rwlock_exclusive\": %d, \"rwlock_failed\": %d, "
         "\"spin\": %d, \"spin_failed\": %d, \"barrier\": %d, \"semaphore\": %d, "
         "\"semaphore_failed\": %d, \"posts\": %d, \"once\": %d, \"once_waited\": %d, "
         "\"file\": %d, \"file_failed\": %d, \"onces\": [\"%p\", \"%p\", \"%p\", \"%p\"]}\n",
         RWLOCK_SHARED, RWLOCK_EXCLUSIVE, RWLOCK_FAILED, SPIN_ACQUIRED, SPIN_FAILED, PARTIES,
         SEMAPHORE_ACQUIRED, SEMAPHORE_FAILED, SEMAPHORE_POSTS, ONCE_RAN, ONCE_WAITED,
         FILE_ACQUIRED, FILE_FAILED, (void *)&once, (void *)&once_left, (void *)&flag,
         (void *)&flag_inside);
  return 0;
}
