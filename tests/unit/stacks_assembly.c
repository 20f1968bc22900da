// SPDX-License-Identifier: Apache-2.0
// Frames that no compiler makes: rules that take more registers, or say less, than the usual.
#include "preload/stacks/state.h"
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <dlfcn.h>
#include <signal.h>
#include <string.h>

static oracle_lane_t lane;
static oracle_result_t last;

static void setup(void) { oracle_open(&lane); }
static void teardown(void) { oracle_close(&lane); }

typedef void (*callback_t)(void);

__attribute__((noinline)) static void take(void) {
  last = oracle_compare(&lane);
  __asm__ volatile("" ::: "memory");
}

#define FUNCTION(name, body)                                                                       \
  void name(callback_t first, callback_t second);                                                  \
  __asm__(".pushsection .text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n"         \
          ".cfi_startproc\n" body "ret\n.cfi_endproc\n.size " #name ", .-" #name                   \
          "\n.popsection\n")

// The CFA is counted from rbx, as in the dynamic linker's _dl_runtime_resolve. Calls `first` with
// `second` in rdi.
FUNCTION(cfa_from_rbx, "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
                       "mov %rsp, %rbx\n.cfi_def_cfa_register %rbx\n"
                       "sub $200, %rsp\nand $-64, %rsp\n"
                       "mov %rdi, %rax\nmov %rsi, %rdi\ncall *%rax\n"
                       "mov %rbx, %rsp\n.cfi_def_cfa_register %rsp\n"
                       "pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\n");
// Saves rbx, so that its caller's can be known. Calls what is in rdi.
FUNCTION(saves_rbx, "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
                    "xor %ebx, %ebx\ncall *%rdi\n"
                    "pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\n");
// The CFA is a word on the stack, as in OpenSSL's assembly.
FUNCTION(cfa_in_memory, "mov %rsp, %rax\n.cfi_def_cfa_register %rax\n"
                        "sub $280, %rsp\nand $-64, %rsp\nmov %rax, 40(%rsp)\n"
                        // DW_CFA_def_cfa_expression: DW_OP_breg7 40, deref, plus_uconst 8
                        ".cfi_escape 0x0f, 5, 0x77, 40, 0x06, 0x23, 8\n"
                        "mov %rdi, %rcx\nmov %rsi, %rdi\ncall *%rcx\n"
                        "mov 40(%rsp), %rsp\n.cfi_def_cfa %rsp, 8\n");
// Says nothing of rbp, and spoils it; its caller does not need it.
FUNCTION(rbp_undefined, "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_undefined %rbp\n"
                        "xor %ebp, %ebp\nmov %rdi, %rax\nmov %rsi, %rdi\ncall *%rax\n"
                        "pop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbp\n");
// Its caller's address is undefined: the outermost frame, whatever stands below it.
FUNCTION(outermost, "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_undefined %rip\n"
                    "mov %rdi, %rax\nmov %rsi, %rdi\ncall *%rax\n"
                    "pop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rip\n");
// An expression that multiplies what it loads: not of any form that is understood.
FUNCTION(odd_expression, "sub $24, %rsp\n"
                         // DW_OP_breg7 0, lit1, mul, plus_uconst 32
                         ".cfi_escape 0x0f, 6, 0x77, 0, 0x31, 0x1e, 0x23, 32\n"
                         "mov %rdi, %rax\nmov %rsi, %rdi\ncall *%rax\n"
                         "add $24, %rsp\n.cfi_def_cfa %rsp, 8\n");

static void judge(void) {
  oracle_judge(&last);
  ck_assert_msg(!last.truncated, "truncated after %u frames of %u", last.count, last.expected);
}

static void take_through(void (*function)(callback_t, callback_t), callback_t first) {
  for (int again = 0; again < 3; again++) {
    function(first, take);
    __asm__ volatile("" ::: "memory");
  }
}

static void saves_rbx_and_calls(callback_t callback) { saves_rbx(callback, NULL); }
static callback_t as_callback(void (*function)(callback_t)) {
  callback_t callback;
  memcpy(&callback, &function, sizeof callback);
  return callback;
}

static callback_t as_callback_of_two(void (*function)(callback_t, callback_t)) {
  callback_t callback;
  memcpy(&callback, &function, sizeof callback);
  return callback;
}

START_TEST(cfa_from_another_register) {
  take_through(cfa_from_rbx, as_callback(saves_rbx_and_calls));
  judge();
}
END_TEST

START_TEST(cfa_loaded_from_the_stack) {
  take_through(cfa_in_memory, as_callback(saves_rbx_and_calls));
  judge();
}
END_TEST

// Called from assembly: compilers may well find the frame above by rbp.
START_TEST(register_that_is_lost) {
  take_through(outermost, as_callback_of_two(rbp_undefined));
  judge();
  ck_assert_uint_eq(last.count, 3);
}
END_TEST

START_TEST(frame_without_a_caller) {
  take_through(outermost, as_callback(saves_rbx_and_calls));
  judge();
  ck_assert_uint_le(last.count, 4);
}
END_TEST

START_TEST(expression_of_another_form) {
  take_through(odd_expression, as_callback(saves_rbx_and_calls));
  ck_assert(last.equal);
  ck_assert(last.truncated);
}
END_TEST

// The walk with all registers agrees with the one by rules wherever both can go.
static walk_t by_rules, by_registers;
__attribute__((noinline)) static void walk_both_ways(void) {
  stacks_origin_t origin = STACKS_ORIGIN();
  walk_take(&by_rules, &origin, rules_generation);
  walk_by_registers(&by_registers, &origin);
  ck_assert_uint_eq(by_rules.count, by_registers.count);
  ck_assert_int_eq(by_rules.truncated, by_registers.truncated);
  ck_assert_mem_eq(by_rules.frames, by_registers.frames, by_rules.count * sizeof *by_rules.frames);
  last.equal = true;
}

static void walk_in_handler(int signal) {
  (void)signal;
  walk_both_ways();
}

START_TEST(both_walks_agree) {
  last.equal = false;
  cfa_in_memory(as_callback(saves_rbx_and_calls), walk_both_ways);
  ck_assert(last.equal);
  last.equal = false;
  struct sigaction action = {.sa_handler = walk_in_handler};
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  ck_assert(last.equal);
}
END_TEST

Suite *stacks_assembly_suite(void);
Suite *stacks_assembly_suite(void) {
  Suite *suite = suite_create("stacks_assembly");
  TCase *frames = tcase_create("frames");
  tcase_add_checked_fixture(frames, setup, teardown);
  tcase_add_test(frames, cfa_from_another_register);
  tcase_add_test(frames, cfa_loaded_from_the_stack);
  tcase_add_test(frames, register_that_is_lost);
  tcase_add_test(frames, frame_without_a_caller);
  tcase_add_test(frames, expression_of_another_form);
  tcase_add_test(frames, both_walks_agree);
  suite_add_tcase(suite, frames);
  return suite;
}
