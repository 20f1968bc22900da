// SPDX-License-Identifier: Apache-2.0
// A lock that ends while it is in use. Hazards, each by its argument:
//   mutex     destroyed while a worker holds it: refused
//   own       destroyed by who holds it: refused
//   rwlock    destroyed while a worker reads
//   c11       mtx_destroy while a worker holds it
//   freed     its block is freed while a worker holds it
//   waited    its block is freed while a worker waits for it, for ever
// And "properly": all of it after the workers are done, which is none.
#include "locks.h"

#include <threads.h>

typedef struct {
  int value;
  pthread_mutex_t mutex;
} account_t;

static account_t *account;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static mtx_t plain;
static const char *how;
static atomic_int step;
static bool is(const char *name) { return strcmp(how, name) == 0; }

static void hold(void) {
  atomic_store(&step, 1);
  await_step(&step, 2);
}

static NOINLINE void use_account(void) {
  pthread_mutex_lock(&account->mutex);
  hold();
  // What is freed or gone is not touched again.
  if (is("mutex")) pthread_mutex_unlock(&account->mutex);
}

static NOINLINE void read_table(void) {
  pthread_rwlock_rdlock(&table);
  hold();
}

static NOINLINE void use_plain(void) {
  mtx_lock(&plain);
  hold();
}

static NOINLINE void want_account(void) {
  atomic_store(&step, 1);
  pthread_mutex_lock(&account->mutex);
}

static void *worker_main(void *unused) {
  pthread_setname_np(pthread_self(), "worker");
  if (is("rwlock"))
    read_table();
  else if (is("c11"))
    use_plain();
  else if (is("waited"))
    want_account();
  else
    use_account();
  return unused;
}

static NOINLINE void end_account(void) {
  int refused = pthread_mutex_destroy(&account->mutex);
  printf("%s\n", strerror(refused));
}

static NOINLINE void free_account(void) { free(account); }

static void end_lock(void) {
  if (is("rwlock"))
    pthread_rwlock_destroy(&table);
  else if (is("c11"))
    mtx_destroy(&plain);
  else if (is("mutex"))
    end_account();
  else
    free_account();
}

static void *proper_main(void *unused) {
  pthread_mutex_lock(&account->mutex);
  pthread_rwlock_rdlock(&table);
  sleep_ms(5);
  pthread_rwlock_unlock(&table);
  pthread_mutex_unlock(&account->mutex);
  return unused;
}

static void end_properly(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_create(&threads[i], NULL, proper_main, NULL));
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  REQUIRE_0(pthread_mutex_destroy(&account->mutex));
  REQUIRE_0(pthread_rwlock_destroy(&table));
  free(account);
}

static void run_worker(void) {
  pthread_t worker;
  if (is("waited")) pthread_mutex_lock(&account->mutex);
  REQUIRE_0(pthread_create(&worker, NULL, worker_main, NULL));
  await_step(&step, 1);
  if (is("waited")) sleep_ms(100);  // until it waits
  end_lock();
  atomic_store(&step, 2);
  if (!is("waited")) REQUIRE_0(pthread_join(worker, NULL));
}

int main(int count, char **arguments) {
  how = count > 1 ? arguments[1] : "properly";
  account = calloc(1, sizeof *account);
  REQUIRE(account && mtx_init(&plain, mtx_plain) == thrd_success);
  pthread_mutex_init(&account->mutex, NULL);
  if (is("own")) {
    pthread_mutex_lock(&account->mutex);
    end_account();
    pthread_mutex_unlock(&account->mutex);
  } else if (is("properly")) {
    end_properly();
  } else {
    run_worker();
  }
  return 0;
}
