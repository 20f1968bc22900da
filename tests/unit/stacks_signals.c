// SPDX-License-Identifier: Apache-2.0
// Stacks across signal frames and switched stacks, against libgcc's unwinder.
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static oracle_lane_t lane;
static oracle_result_t last, worst;
static volatile int taken, truncated;

static void setup(void) {
  oracle_open(&lane);
  worst.equal = true;
}
static void teardown(void) { oracle_close(&lane); }

#define NOT_LAST() __asm__ volatile("" ::: "memory")

static void handler(int signal) {
  (void)signal;
  last = oracle_compare(&lane);
  if (worst.equal && !last.equal) worst = last;
  truncated += last.truncated;
  taken++;
}

static void handle(int signal, int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  ck_assert_int_eq(sigaction(signal, &action, NULL), 0);
}

__attribute__((noinline)) static void raise_at(int depth) {
  if (depth)
    raise_at(depth - 1);
  else
    raise(SIGUSR1);
  NOT_LAST();
}

static void raise_and_judge(void) {
  for (int depth = 0; depth < 40; depth++) {
    for (int again = 0; again < 3; again++) raise_at(depth);
    oracle_judge(&worst);
    ck_assert(!last.truncated);
    ck_assert_uint_gt(last.count, (uint32_t)depth);
  }
}

START_TEST(handler_on_the_same_stack) {
  handle(SIGUSR1, 0);
  raise_and_judge();
}
END_TEST

static void alternate_open(char *memory, size_t size) {
  stack_t stack = {.ss_sp = memory, .ss_size = size};
  ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
}

START_TEST(handler_on_an_alternate_stack_above) {
  // A local of main's frames is above everything that runs later.
  char memory[64 << 10];
  alternate_open(memory, sizeof memory);
  handle(SIGUSR1, SA_ONSTACK);
  raise_and_judge();
}
END_TEST

START_TEST(handler_on_an_alternate_stack_below) {
  static char memory[64 << 10];
  alternate_open(memory, sizeof memory);
  handle(SIGUSR1, SA_ONSTACK);
  raise_and_judge();
}
END_TEST

// The handler's own frame is the outermost of nothing: a fault at address 0 has no caller rules.
static sigjmp_buf back;
static void fault_handler(int signal) {
  (void)signal;
  last = oracle_compare(&lane);
  siglongjmp(back, 1);
}

__attribute__((noinline)) static void call_nothing(void (*volatile nothing)(void)) {
  nothing();
  NOT_LAST();
}

START_TEST(call_of_address_zero) {
  struct sigaction action = {.sa_handler = fault_handler};
  sigaction(SIGSEGV, &action, NULL);
  if (!sigsetjmp(back, 1)) call_nothing(NULL);
  ck_assert(last.truncated);
  ck_assert(last.equal);
}
END_TEST

// ---- a signal at every instruction ---------------------------------------------------------

static int compare_numbers(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static size_t work(int round) {
  int numbers[64];
  char text[256];
  for (int i = 0; i < 64; i++) numbers[i] = (i * 37 + round) % 64;
  qsort(numbers, 64, sizeof *numbers, compare_numbers);
  void *block = malloc((size_t)round % 3000 + 1);
  memset(block, 1, (size_t)round % 3000 + 1);
  int length = snprintf(text, sizeof text, "%d %s %f", round, "text", round / 3.0);
  size_t result = strlen(text) + (size_t)length + (size_t)numbers[3] + *(unsigned char *)block;
  free(block);
  return result;
}

START_TEST(timer_strikes_anywhere) {
  struct itimerval every = {{0, 200}, {0, 200}};
  handle(SIGPROF, SA_RESTART);
  setitimer(ITIMER_PROF, &every, NULL);
  size_t sum = 0;
  for (int round = 0; taken < 300 && round < 20000000; round++) sum += work(round);
  memset(&every, 0, sizeof every);
  setitimer(ITIMER_PROF, &every, NULL);
  ck_assert_uint_gt(sum, 0);
  ck_assert_int_ge(taken, 300);
  oracle_judge(&worst);
  ck_assert_int_eq(truncated, 0);
}
END_TEST

static void single_step_handler(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info, (void)context;
  oracle_result_t result = oracle_compare(&lane);
  if (worst.equal && !result.equal) worst = result;
  truncated += result.truncated;
  taken++;
}

// Sets and clears the processor's trap flag, with unwind information for each instruction.
void trap_flag_set(void);
void trap_flag_clear(void);
#define TRAP_FLAG(name, change)                                                                    \
  __asm__(".pushsection .text\n"                                                                   \
          ".type " name ", @function\n" name ":\n.cfi_startproc\n"                                 \
          "pushfq\n.cfi_adjust_cfa_offset 8\n" change "\n"                                         \
          "popfq\n.cfi_adjust_cfa_offset -8\n"                                                     \
          "ret\n.cfi_endproc\n.popsection\n")
TRAP_FLAG("trap_flag_set", "orq $0x100, (%rsp)");
TRAP_FLAG("trap_flag_clear", "andq $~0x100, (%rsp)");

// Lazily bound: its first call goes through the dynamic linker, instruction by instruction.
START_TEST(every_instruction) {
  struct sigaction action = {.sa_sigaction = single_step_handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  trap_flag_set();
  size_t result = work(5);
  trap_flag_clear();
  ck_assert_uint_gt(result, 0);
  ck_assert_int_gt(taken, 1000);
  oracle_judge(&worst);
  ck_assert_int_eq(truncated, 0);
}
END_TEST

// ---- coroutines ----------------------------------------------------------------------------

enum { COROUTINES = 40, ROUNDS = 50 };
static ucontext_t scheduler, coroutines[COROUTINES];
static int current;

__attribute__((noinline)) static void coroutine_body(int depth) {
  if (depth) {
    coroutine_body(depth - 1);
  } else {
    for (int i = 0; i < ROUNDS; i++) {
      last = oracle_compare(&lane);
      if (worst.equal && (!last.equal || last.truncated)) {
        worst = last;
        worst.equal = false;
      }
      swapcontext(&coroutines[current], &scheduler);
    }
  }
  NOT_LAST();
}

static void coroutine_main(void) { coroutine_body(current % 7); }

static void coroutine_prepare(int index, char *memory, size_t size) {
  getcontext(&coroutines[index]);
  coroutines[index].uc_stack.ss_sp = memory;
  coroutines[index].uc_stack.ss_size = size;
  coroutines[index].uc_link = &scheduler;
  makecontext(&coroutines[index], coroutine_main, 0);
}

START_TEST(coroutines_on_stacks_of_their_own) {
  const size_t size = 64 << 10;
  char *memory =
      mmap(NULL, COROUTINES * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  for (int i = 0; i < COROUTINES; i++) coroutine_prepare(i, memory + (size_t)i * size, size);
  for (int round = 0; round <= ROUNDS; round++)
    for (current = 0; current < COROUTINES; current++)
      swapcontext(&scheduler, &coroutines[current]);
  oracle_judge(&worst);
}
END_TEST

__attribute__((noinline)) static void coroutine_run(size_t size) {
  char *memory = mmap((void *)0x500000000000, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  coroutine_prepare(current, memory, size);
  for (int i = 0; i <= ROUNDS; i++) swapcontext(&scheduler, &coroutines[current]);
  munmap(memory, size);
}

// One coroutine's stack goes away and a smaller one takes its place: what was known of the memory
// above it is no longer true.
START_TEST(stacks_come_and_go) {
  for (current = 0; current < COROUTINES; current++)
    coroutine_run(current % 2 ? 64 << 10 : 32 << 10);
  oracle_judge(&worst);
}
END_TEST

Suite *stacks_signals_suite(void);
Suite *stacks_signals_suite(void) {
  Suite *suite = suite_create("stacks_signals");
  TCase *signals = tcase_create("signals");
  tcase_add_checked_fixture(signals, setup, teardown);
  tcase_set_timeout(signals, 60);
  tcase_add_test(signals, handler_on_the_same_stack);
  tcase_add_test(signals, handler_on_an_alternate_stack_above);
  tcase_add_test(signals, handler_on_an_alternate_stack_below);
  tcase_add_test(signals, call_of_address_zero);
  tcase_add_test(signals, timer_strikes_anywhere);
  tcase_add_test(signals, every_instruction);
  tcase_add_test(signals, coroutines_on_stacks_of_their_own);
  tcase_add_test(signals, stacks_come_and_go);
  suite_add_tcase(suite, signals);
  return suite;
}
