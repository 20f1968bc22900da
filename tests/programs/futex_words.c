// SPDX-License-Identifier: Apache-2.0
// syscall(2) as those use it who have locks of their own: a lock around a futex word, fought over
// by two threads; and calls of all sorts, with six arguments, whose results and errno must be as
// bare.
#include "program.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ROUNDS = 2000 };
static atomic_uint word;  // 0 free, 1 held, 2 held and waited for
static atomic_ulong waits, wakes;
static unsigned long shared_sum;

static void word_lock(void) {
  unsigned expected = 0;
  if (atomic_compare_exchange_strong(&word, &expected, 1)) return;
  while (atomic_exchange(&word, 2) != 0) {
    waits++;
    const long result = syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL);
    REQUIRE(result == 0 || errno == EAGAIN || errno == EINTR);
  }
}

static void word_unlock(void) {
  if (atomic_exchange(&word, 0) != 2) return;
  wakes++;
  REQUIRE(syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1) >= 0);
}

static void *fight(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    word_lock();
    shared_sum++;
    if (i % 100 == 0) sched_yield();
    word_unlock();
  }
  return unused;
}

static void pass_through(void) {
  REQUIRE(syscall(SYS_getpid) == getpid());
  errno = 0;
  REQUIRE(syscall(SYS_close, -1) == -1 && errno == EBADF);
  REQUIRE(syscall(100000) == -1 && errno == ENOSYS);
  // six arguments: the last one is the offset of a page
  FILE *file = tmpfile();
  REQUIRE(file && ftruncate(fileno(file), 8192) == 0);
  REQUIRE(pwrite(fileno(file), "second", 6, 4096) == 6);
  const char *page = (const char *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ, (long)MAP_SHARED,
                                           (long)fileno(file), 4096L);
  REQUIRE(page != MAP_FAILED && memcmp(page, "second", 6) == 0);
  struct timespec at = {0, 10000000};
  static unsigned never = 7;
  errno = 0;
  REQUIRE(syscall(SYS_futex, &never, FUTEX_WAIT, 7, &at) == -1 && errno == ETIMEDOUT);
  REQUIRE(syscall(SYS_futex, &never, FUTEX_WAIT, 8, NULL) == -1 && errno == EAGAIN);
  REQUIRE(syscall(SYS_futex, &never, FUTEX_WAIT_BITSET, 7, &at, NULL, 1) == -1 &&
          errno == ETIMEDOUT);
  REQUIRE(syscall(SYS_futex, &never, FUTEX_WAKE_BITSET, 1, NULL, NULL, 1) == 0);
}

int main(void) {
  pthread_t other;
  REQUIRE_0(pthread_create(&other, NULL, fight, NULL));
  fight(NULL);
  REQUIRE_0(pthread_join(other, NULL));
  REQUIRE(shared_sum == 2 * ROUNDS);
  pass_through();
  printf("{\"waits\": %lu, \"wakes\": %lu, \"word\": \"%p\"}\n", waits, wakes, (void *)&word);
  return 0;
}
