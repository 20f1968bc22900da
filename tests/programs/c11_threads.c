// SPDX-License-Identifier: Apache-2.0
// All of C11 threads: a worker hands 50 jobs back through `ready`, under `guard`; each call counts
// once, with the result that it has bare.
#include "program.h"

#include <threads.h>

static mtx_t guard, timed, nested;
static cnd_t ready, taken;
static int job;
enum { JOBS = 50, WORKER_STATUS = 7 };

static int worker(void *unused) {
  (void)unused;
  for (int i = 1; i <= JOBS; i++) {
    REQUIRE(mtx_lock(&guard) == thrd_success);
    while (job != 0) REQUIRE(cnd_wait(&taken, &guard) == thrd_success);
    job = i;
    REQUIRE(cnd_signal(&ready) == thrd_success);
    REQUIRE(mtx_unlock(&guard) == thrd_success);
  }
  REQUIRE(mtx_trylock(&timed) == thrd_busy);
  struct timespec at;
  timespec_get(&at, TIME_UTC);
  REQUIRE(mtx_timedlock(&timed, &at) == thrd_timedout);
  thrd_exit(WORKER_STATUS);
}

static int idle(void *unused) {
  (void)unused;
  return 0;
}

int main(void) {
  thrd_t thread, detached;
  int status, sum = 0;
  REQUIRE(mtx_init(&guard, mtx_plain) == thrd_success);
  REQUIRE(mtx_init(&timed, mtx_timed) == thrd_success);
  REQUIRE(mtx_init(&nested, mtx_plain | mtx_recursive) == thrd_success);
  REQUIRE(cnd_init(&ready) == thrd_success && cnd_init(&taken) == thrd_success);
  REQUIRE(mtx_lock(&timed) == thrd_success);
  REQUIRE(thrd_create(&thread, worker, NULL) == thrd_success);
  for (int i = 1; i <= JOBS; i++) {
    REQUIRE(mtx_lock(&guard) == thrd_success);
    while (job == 0) REQUIRE(cnd_wait(&ready, &guard) == thrd_success);
    sum += job;
    job = 0;
    REQUIRE(cnd_broadcast(&taken) == thrd_success);
    REQUIRE(mtx_unlock(&guard) == thrd_success);
  }
  REQUIRE(thrd_join(thread, &status) == thrd_success && status == WORKER_STATUS);
  REQUIRE(sum == JOBS * (JOBS + 1) / 2);
  REQUIRE(mtx_unlock(&timed) == thrd_success);
  for (int i = 0; i < 2; i++) REQUIRE(mtx_lock(&nested) == thrd_success);
  REQUIRE(mtx_trylock(&nested) == thrd_success);
  for (int i = 0; i < 3; i++) REQUIRE(mtx_unlock(&nested) == thrd_success);
  struct timespec at;
  timespec_get(&at, TIME_UTC);
  REQUIRE(mtx_lock(&guard) == thrd_success);
  REQUIRE(cnd_timedwait(&ready, &guard, &at) == thrd_timedout);
  REQUIRE(mtx_unlock(&guard) == thrd_success);
  REQUIRE(thrd_create(&detached, idle, NULL) == thrd_success);
  REQUIRE(thrd_detach(detached) == thrd_success);
  const struct timespec pause = {0, 20000000};
  REQUIRE(thrd_sleep(&pause, NULL) == 0);
  cnd_destroy(&ready), cnd_destroy(&taken);
  mtx_destroy(&guard), mtx_destroy(&timed), mtx_destroy(&nested);
  printf("{\"jobs\": %d}\n", JOBS);
  return 0;
}
