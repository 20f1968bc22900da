// SPDX-License-Identifier: Apache-2.0
// A thread whose whole stack is 16 KiB allocates, locks, waits and creates: it does not overflow. A
// handler on an alternate stack of the least size allocates too.
#include "program.h"

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t handled;

static void use_everything(void) {
  for (int i = 0; i < 200; i++) {
    void *volatile block = malloc(100 + (size_t)i);
    REQUIRE(block);
    pthread_mutex_lock(&lock);
    block = realloc(block, 5000);
    pthread_mutex_unlock(&lock);
    free(block);
  }
}

static void *small_main(void *unused) {
  use_everything();
  return unused;
}

static void on_signal(int number) {
  (void)number;
  void *volatile block = malloc(64);
  free(block);
  handled = 1;
}

static void raise_on_small_stack(void) {
  static char stack[16384];
  stack_t alternate = {.ss_sp = stack, .ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096};
  REQUIRE(alternate.ss_size <= sizeof stack);
  REQUIRE(sigaltstack(&alternate, NULL) == 0);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
  raise(SIGUSR1);
  REQUIRE(handled);
}

int main(void) {
  pthread_attr_t attributes;
  pthread_t small;
  pthread_attr_init(&attributes);
  REQUIRE_0(pthread_attr_setstacksize(&attributes, 16384));
  for (int i = 0; i < 4; i++) {
    REQUIRE_0(pthread_create(&small, &attributes, small_main, NULL));
    pthread_join(small, NULL);
  }
  raise_on_small_stack();
  printf("{\"blocks\": 801}\n");
  return 0;
}
