// SPDX-License-Identifier: Apache-2.0
// syscall(2): the waits and wakes of those who bring locks of their own (Rust, abseil, parts of
// libstdc++). Only the contended path comes here, and who owns what is not to be known. Every other
// system call goes through untouched, in a jump.
#include "preload/confinement.h"
#include "preload/hooks/hooks.h"
#include "preload/hooks/unseen.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

// Numbers that an older kernel's headers may lack.
enum { NUMBER_FUTEX_WAITV = 449, NUMBER_FUTEX_WAKE = 454, NUMBER_FUTEX_WAIT = 455 };

typedef enum { FUTEX_OTHER, FUTEX_WAITS, FUTEX_WAKES } futex_use_t;

static futex_use_t futex_use(long number, long operation) {
  if (number == NUMBER_FUTEX_WAIT || number == NUMBER_FUTEX_WAITV) return FUTEX_WAITS;
  if (number == NUMBER_FUTEX_WAKE) return FUTEX_WAKES;
  switch (operation & FUTEX_CMD_MASK) {
  case FUTEX_WAIT:
  case FUTEX_WAIT_BITSET:
    return FUTEX_WAITS;
  case FUTEX_WAKE:
  case FUTEX_WAKE_BITSET:
    return FUTEX_WAKES;
  default:
    return FUTEX_OTHER;
  }
}

// The seventh argument lies in the frame of the caller, if there is one; if not, something else of
// the caller's lies there, which another thread may write to. So it is read, and never written: not
// even the same value, as a compiler does before it jumps to a function with the same arguments.
#define NO_JUMP() __asm__ volatile("")

static HOOK_BODY long first_or_real(long number, long a, long b, long c, long d, long e, long f) {
  const long result = REAL_OR_FIRST(syscall)(number, a, b, c, d, e, f);
  NO_JUMP();
  return result;
}

static uint64_t outcome(long result) { return trace_zigzag(result < 0 ? -errno : result); }

// The stamp is that of the time before the call: those who are woken may be quicker than it.
static void woken(lane_t *lane, const stacks_origin_t *origin, uint64_t before, long word,
                  long result) {
  lane_record(lane, TRACE_FUTEX_WAKE, lane_stack_lock(lane, origin, (uint64_t)word),
              outcome(result), before, 1, (uint64_t)word, 0, 0);
  lane_leave(lane);
}

static void waited(lane_t *lane, const stacks_origin_t *origin, const hook_wait_t *wait, long word,
                   long result) {
  const uint32_t stack = wait->ticks >= recorder_wait_ticks
                             ? lane_stack_take(lane, origin)
                             : lane_stack_lock(lane, origin, (uint64_t)word);
  lane_record(lane, TRACE_FUTEX_WAIT, stack, outcome(result), wait->now, 2, (uint64_t)word,
              wait->ticks, 0);
  lane_leave(lane);
}

// A wait for several words (futex_waitv) has the address of their list.
static HOOK_BODY long recorded_futex(const stacks_origin_t *origin, long number, long word, long b,
                                     long c, long d, long e, long f) {
  const futex_use_t use = futex_use(number, b);
  HOOK_UNWOUND();
  lane_t *lane = use == FUTEX_OTHER
                     ? NULL
                     : lane_enter(origin, use == FUTEX_WAITS ? TRACE_FUTEX_WAIT : TRACE_FUTEX_WAKE);
  if (!lane) {
    const long result = first_or_real(number, word, b, c, d, e, f);
    NO_JUMP();
    return result;
  }
  if (use == FUTEX_WAKES) {
    const uint64_t before = clock_ticks();
    const long result = real_syscall(number, word, b, c, d, e, f);
    woken(lane, origin, before, word, result);
    return result;
  }
  hook_wait_t wait;
  hook_wait_begin(&wait, lane, origin, TRACE_PENDING_FUTEX, (uint64_t)word, 0);
  const long result = real_syscall(number, word, b, c, d, e, f);
  lane = hook_wait_end(&wait, origin);
  if (lane) waited(lane, origin, &wait, word, result);
  return result;
}

// ---- the way in ----------------------------------------------------------------------------

// As the kernel understands them; libseccomp tries others to see what there is.
static void confined(long operation, long flags, long argument) {
  if (operation == SECCOMP_SET_MODE_STRICT && flags == 0 && argument == 0) confinement_end();
  if (operation == SECCOMP_SET_MODE_FILTER) confinement_filter((const void *)argument);
}

// The calls that concern us, and the first ones, made before the real function is known.
long hook_syscall(long number, long a, long b, long c, long d, long e, long f);
long hook_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if (number == SYS_seccomp) confined(a, b, c);
  const bool is_futex = number == SYS_futex || number == NUMBER_FUTEX_WAITV ||
                        number == NUMBER_FUTEX_WAIT || number == NUMBER_FUTEX_WAKE;
  const long result = is_futex && recorder_families.lock
                          ? recorded_futex(&origin, number, a, b, c, d, e, f)
                          : first_or_real(number, a, b, c, d, e, f);
  if (number == SYS_io_uring_setup && result >= 0) unseen_note(TRACE_UNSEEN_IO_URING);
  NO_JUMP();
  return result;
}

// All others: a jump, with every register but rax as it was.
__asm__(".pushsection .text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        ".cfi_startproc\n"
        "cmpq $202, %rdi\n"  // futex
        "je hook_syscall\n"
        "cmpq $317, %rdi\n"  // seccomp
        "je hook_syscall\n"
        "cmpq $425, %rdi\n"  // io_uring_setup, and all that came later
        "jae hook_syscall\n"
        "movq real_syscall(%rip), %rax\n"
        "testq %rax, %rax\n"
        "je hook_syscall\n"
        "jmp *%rax\n"
        ".cfi_endproc\n"
        ".size syscall, . - syscall\n"
        ".popsection\n");
_Static_assert(SYS_futex == 202 && SYS_seccomp == 317 && SYS_io_uring_setup == 425,
               "the numbers above");
