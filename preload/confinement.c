// SPDX-License-Identifier: Apache-2.0
// A seccomp filter, asked what it would say to the recorder's own calls.
#include "preload/confinement.h"

#include "preload/hooks/unseen.h"
#include "preload/stacks/memory.h"
#include "preload/system.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <time.h>

// What is called on behalf of the program once it runs. What is not in this list is not called in a
// confined program.
typedef struct {
  uint16_t number;
  uint64_t arguments[2];
} call_t;
static const call_t calls[] = {
    {SYS_getpid, {0}},
    {SYS_getppid, {0}},
    {SYS_gettid, {0}},
    {SYS_futex, {0, FUTEX_WAIT}},
    {SYS_futex, {0, FUTEX_WAKE}},
    {SYS_futex, {0, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG}},
    {SYS_nanosleep, {0}},
    {SYS_clock_gettime, {CLOCK_MONOTONIC}},
    {SYS_clock_gettime, {CLOCK_THREAD_CPUTIME_ID}},
    {SYS_rt_sigprocmask, {UINT64_MAX}},
    {SYS_rt_sigpending, {0}},
    {SYS_rt_sigtimedwait, {0}},
    {SYS_sigaltstack, {0}},
    {SYS_fcntl, {0, F_GETFL}},
    {SYS_getsockname, {0}},
    {SYS_getpeername, {0}},
    {SYS_getsockopt, {0, SOL_SOCKET}},
    {SYS_readlinkat, {(uint64_t)AT_FDCWD}},
    {SYS_newfstatat, {(uint64_t)AT_FDCWD}},
    {SYS_newfstatat, {2}},
    {SYS_ppoll, {0}},
    {SYS_write, {2}},
};
enum { CALLS = sizeof calls / sizeof *calls };

// ---- the filter's machine (filter.rst, seccomp_filter.rst) -------------------------------------

typedef struct {
  const struct sock_filter *code;
  size_t count;
  const struct seccomp_data *data;
  uint32_t a, x, memory[BPF_MEMWORDS];
} machine_t;

static bool load(machine_t *machine, const struct sock_filter *at, uint32_t *to) {
  switch (BPF_MODE(at->code)) {
  case BPF_ABS:
    if (at->k % 4 || at->k > sizeof *machine->data - 4) return false;
    *to = (uint32_t)memory_peek((uint64_t)machine->data + at->k, 4);
    return true;
  case BPF_LEN:
    *to = sizeof *machine->data;
    return true;
  case BPF_IMM:
    *to = at->k;
    return true;
  case BPF_MEM:
    if (at->k < BPF_MEMWORDS) *to = machine->memory[at->k];
    return at->k < BPF_MEMWORDS;
  default:
    return false;
  }
}

static bool compute(machine_t *machine, const struct sock_filter *at) {
  const uint32_t by = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
  switch (BPF_OP(at->code)) {
  case BPF_ADD:
    machine->a += by;
    return true;
  case BPF_SUB:
    machine->a -= by;
    return true;
  case BPF_MUL:
    machine->a *= by;
    return true;
  case BPF_DIV:
    if (by) machine->a /= by;
    return by;
  case BPF_AND:
    machine->a &= by;
    return true;
  case BPF_OR:
    machine->a |= by;
    return true;
  case BPF_XOR:
    machine->a ^= by;
    return true;
  case BPF_LSH:
    machine->a = by < 32 ? machine->a << by : 0;
    return true;
  case BPF_RSH:
    machine->a = by < 32 ? machine->a >> by : 0;
    return true;
  case BPF_NEG:
    machine->a = -machine->a;
    return true;
  default:
    return false;
  }
}

// How many instructions are skipped.
static uint64_t jump(const machine_t *machine, const struct sock_filter *at) {
  const uint32_t with = BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
  bool holds = false;
  switch (BPF_OP(at->code)) {
  case BPF_JA:
    return at->k;
  case BPF_JEQ:
    holds = machine->a == with;
    break;
  case BPF_JGT:
    holds = machine->a > with;
    break;
  case BPF_JGE:
    holds = machine->a >= with;
    break;
  case BPF_JSET:
    holds = machine->a & with;
    break;
  default:
    return UINT64_MAX / 2;
  }
  return holds ? at->jt : at->jf;
}

// All but jumps and the end.
static bool step(machine_t *machine, const struct sock_filter *at) {
  switch (BPF_CLASS(at->code)) {
  case BPF_LD:
    return load(machine, at, &machine->a);
  case BPF_LDX:
    return load(machine, at, &machine->x);
  case BPF_ST:
  case BPF_STX:
    if (at->k >= BPF_MEMWORDS) return false;
    machine->memory[at->k] = BPF_CLASS(at->code) == BPF_ST ? machine->a : machine->x;
    return true;
  case BPF_ALU:
    return compute(machine, at);
  case BPF_MISC:
    if (BPF_MISCOP(at->code) == BPF_TAX)
      machine->x = machine->a;
    else
      machine->a = machine->x;
    return true;
  default:
    return false;
  }
}

// Whether the filter lets the call through as if it were not there. Jumps only lead forwards.
static bool is_let_through(machine_t *machine) {
  for (uint64_t i = 0; i < machine->count; i++) {
    const struct sock_filter *at = &machine->code[i];
    if (BPF_CLASS(at->code) == BPF_RET)
      return (BPF_RVAL(at->code) == BPF_A ? machine->a : at->k) == SECCOMP_RET_ALLOW;
    if (BPF_CLASS(at->code) == BPF_JMP)
      i += jump(machine, at);
    else if (!step(machine, at))
      return false;
  }
  return false;
}

static bool is_granted(const struct sock_fprog *program, const call_t *call) {
  const struct seccomp_data data = {.nr = call->number,
                                    .arch = AUDIT_ARCH_X86_64,
                                    .args = {call->arguments[0], call->arguments[1]}};
  machine_t machine = {.code = program->filter, .count = program->len, .data = &data};
  return is_let_through(&machine);
}

// ---- being told --------------------------------------------------------------------------------

// Even an event that takes no call takes its time from the counter, and to read it is a SIGSEGV
// now.
void confinement_end(void) {
  unseen_note(TRACE_UNSEEN_CONFINED);
  recorder_families = (recorder_families_t){0};
  system_confine(NULL, 0);
}

// What the kernel is going to refuse confines nothing.
void confinement_filter(const void *at) {
  const struct sock_fprog *program = at;
  system_verdict_t verdicts[CALLS];
  memory_t memory = {0};
  if (!memory_can_probe()) {
    system_confine(NULL, 0);
    return;
  }
  if (!memory_probe_bytes(&memory, (uint64_t)program, sizeof *program) ||
      !memory_probe_bytes(&memory, (uint64_t)program->filter,
                          program->len * sizeof *program->filter))
    return;
  for (size_t i = 0; i < CALLS; i++)
    verdicts[i] = (system_verdict_t){calls[i].number, is_granted(program, &calls[i])};
  system_confine(verdicts, CALLS);
}
