// SPDX-License-Identifier: Apache-2.0
// Stacks through modules that come and go at the same address, and through code in no module.
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static oracle_lane_t lane;
static oracle_result_t last;
static char folder[] = "/tmp/stacks_modules.XXXXXX";

typedef void (*callback_t)(void);
typedef void (*function_t)(callback_t);

// A library with one function, which calls back with so many bytes on the stack, `skip` bytes into
// its code. Libraries made so have the same size and layout, and the function's return address is
// at the same place in those with the same skip.
static void library_make(const char *name, unsigned bytes, unsigned skip) {
  char path[128], command[512];
  snprintf(path, sizeof path, "%s/%s.s", folder, name);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fprintf(file,
          ".globl middle\n.type middle, @function\nmiddle:\n.cfi_startproc\n"
          ".skip %u, 0x90\nsub $%u, %%rsp\n.cfi_adjust_cfa_offset %u\ncall *%%rdi\n"
          "add $%u, %%rsp\n.cfi_adjust_cfa_offset -%u\nret\n.cfi_endproc\n.size middle, .-middle\n"
          ".section .note.GNU-stack,\"\",@progbits\n",
          skip, bytes, bytes, bytes, bytes);
  fclose(file);
  snprintf(command, sizeof command, "cc -shared -nostdlib -Wl,--build-id -o %s/%s.so %s", folder,
           name, path);
  ck_assert_int_eq(system(command), 0);
}

static void *library_open(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s.so", folder, name);
  void *library = dlopen(path, RTLD_NOW);
  ck_assert_msg(library != NULL, "%s", dlerror());
  return library;
}

static function_t library_function(void *library) {
  void *address = dlsym(library, "middle");
  function_t function;
  ck_assert_ptr_nonnull(address);
  memcpy(&function, &address, sizeof function);
  return function;
}

static void setup(void) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  library_make("narrow", 0x408, 8);
  library_make("wide", 0x4008, 8);
  library_make("moved", 0x4008, 32);
  oracle_open(&lane);
}

static void teardown(void) {
  char command[128];
  oracle_close(&lane);
  snprintf(command, sizeof command, "rm -r %s", folder);
  ck_assert_int_eq(system(command), 0);
}

__attribute__((noinline)) static void take(void) {
  last = oracle_compare(&lane);
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void call(function_t function) {
  function(take);
  __asm__ volatile("" ::: "memory");
}

static void call_and_judge(function_t function) {
  for (int again = 0; again < 3; again++) {
    call(function);
    oracle_judge(&last);
    ck_assert(!last.truncated);
  }
}

static bool announced(uint64_t address) {
  for (uint32_t i = 0; i < lane.modules && i < MODULES; i++)
    if (lane.module_starts[i] <= address && address < lane.module_ends[i]) return true;
  return false;
}

START_TEST(another_library_at_the_same_address) {
  function_t before = NULL;
  uint32_t same = 0;
  for (int round = 0; round < 20; round++) {
    void *library = library_open(round % 2 ? "wide" : "narrow");
    function_t function = library_function(library);
    lane.modules = 0;
    call_and_judge(function);
    ck_assert(announced((uint64_t)(uintptr_t)function));
    same += function == before;
    before = function;
    ck_assert_int_eq(dlclose(library), 0);
    stacks_modules_changed();
  }
  ck_assert_uint_gt(same, 10);
}
END_TEST

// glibc unloads modules of its own without calling the dlclose that is interposed.
START_TEST(another_library_without_a_word) {
  for (int round = 0; round < 6; round++) {
    void *library = library_open(round % 2 ? "moved" : "narrow");
    function_t function = library_function(library);
    lane.modules = 0;
    call_and_judge(function);
    ck_assert(announced((uint64_t)(uintptr_t)function));
    ck_assert_int_eq(dlclose(library), 0);
  }
}
END_TEST

START_TEST(generations_come_round) {
  void *library = library_open("narrow");
  function_t function = library_function(library);
  for (int i = 0; i < 9000; i++) {
    if (i % 100 == 0) call_and_judge(function);
    stacks_modules_changed();
  }
  dlclose(library);
}
END_TEST

// ---- code in no module ---------------------------------------------------------------------

// The function of the narrow library, copied to a page of its own.
static function_t code_make(void *wanted, const void *code, size_t offset) {
  char *page = mmap(wanted, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | (wanted ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  ck_assert_ptr_ne(page, MAP_FAILED);
  memcpy(page + offset, code, 32);
  void *address = page + offset;
  function_t function;
  memcpy(&function, &address, sizeof function);
  return function;
}

static void judge_truncated(void) {
  ck_assert(last.truncated);
  ck_assert(last.equal);
  ck_assert_uint_eq(last.count, 2);
}

START_TEST(code_without_rules_ends_the_stack) {
  void *library = library_open("narrow");
  function_t code = code_make(NULL, (const void *)(uintptr_t)library_function(library), 256);
  for (int again = 0; again < 5; again++) {
    call(code);
    judge_truncated();
  }
}
END_TEST

START_TEST(library_where_there_was_code) {
  uint8_t code[32];
  void *library = library_open("narrow");
  function_t function = library_function(library);
  uint64_t address = (uint64_t)(uintptr_t)function;
  memcpy(code, (const void *)(uintptr_t)address, sizeof code);
  dlclose(library);
  stacks_modules_changed();
  function_t made = code_make((void *)(uintptr_t)(address & ~UINT64_C(4095)), code, address & 4095);
  ck_assert(made == function);
  for (int again = 0; again < 3; again++) call(function);
  judge_truncated();
  munmap((void *)(uintptr_t)(address & ~UINT64_C(4095)), 4096);
  library = library_open("narrow");
  ck_assert(library_function(library) == function);
  call_and_judge(function);
}
END_TEST

// A handler that returns through code of its own, as programs without libc have it.
__asm__(".pushsection .text\n"
        ".type own_signal_return, @function\n"
        ".globl own_signal_return\n"
        "nop\nown_signal_return:\nmov $15, %rax\nsyscall\nnop\n"
        ".popsection\n");
void own_signal_return(void);

struct kernel_action {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  unsigned long mask;
};

static void handler(int signal) {
  (void)signal;
  take();
}

START_TEST(signal_return_without_rules) {
  struct kernel_action action = {handler, 0x04000000, own_signal_return, 0};
  ck_assert_int_eq(syscall(13, SIGUSR1, &action, NULL, 8), 0);
  for (int again = 0; again < 3; again++) {
    raise(SIGUSR1);
    oracle_judge(&last);
    ck_assert(!last.truncated);
  }
}
END_TEST

Suite *stacks_modules_suite(void);
Suite *stacks_modules_suite(void) {
  Suite *suite = suite_create("stacks_modules");
  TCase *modules = tcase_create("modules");
  tcase_add_checked_fixture(modules, setup, teardown);
  tcase_set_timeout(modules, 60);
  tcase_add_test(modules, another_library_at_the_same_address);
  tcase_add_test(modules, another_library_without_a_word);
  tcase_add_test(modules, generations_come_round);
  tcase_add_test(modules, code_without_rules_ends_the_stack);
  tcase_add_test(modules, library_where_there_was_code);
  tcase_add_test(modules, signal_return_without_rules);
  suite_add_tcase(suite, modules);
  return suite;
}
