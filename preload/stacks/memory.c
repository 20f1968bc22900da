// SPDX-License-Identifier: Apache-2.0
// Reading words of the program's memory at addresses that may be wrong.
#include "preload/stacks/memory.h"

#include "preload/system.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>

// A signal handler may leave by longjmp between any two stores: a range is empty while it changes.
static void range_set(memory_range_t *range, uint64_t low, uint64_t size) {
  range->size = 0;
  atomic_signal_fence(memory_order_seq_cst);
  range->low = low;
  atomic_signal_fence(memory_order_seq_cst);
  range->size = size;
}

static bool range_holds(const memory_range_t *range, uint64_t address) {
  return address - range->low < range->size;
}

static bool range_grow(memory_range_t *range, uint64_t page) {
  if (!range->size) return false;
  if (page == range->low + range->size)
    range_set(range, range->low, range->size + MEMORY_PAGE);
  else if (page + MEMORY_PAGE == range->low)
    range_set(range, page, range->size + MEMORY_PAGE);
  else
    return false;
  return true;
}

// The kernel copies the signal set before it looks at the operation, and there is no operation -1:
// EFAULT or EINVAL, and nothing has changed. Of all calls that read memory this is the one that
// seccomp filters let through. Where one does not, a requeue of nobody only compares a word
// (futex(2)).
static bool kernel_can_read(uint64_t address) {
  const long result = system_call(SYS_rt_sigprocmask, -1, address, 0, 8);
  if (result != -EPERM) return result == -EINVAL;
  const long compared =
      system_call(SYS_futex, address, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, address, 0);
  return compared == 0 || compared == -EAGAIN;
}

// Where nothing can be asked, the main thread's stack is known all the same: it is one piece from
// here to its end, and the kernel keeps this much below it free of all else (MIN_GAP of its mmap).
enum { MAIN_STACK_MAX = 64 << 20 };
extern void *__libc_stack_end;
static bool is_on_main_stack(uint64_t address) {
  const uint64_t here = (uintptr_t)__builtin_frame_address(0);
  const uint64_t end = (uintptr_t)__libc_stack_end;
  return here < end && end - here < MAIN_STACK_MAX && address >= here && address < end;
}

bool memory_can_probe(void) {
  return !system_forbids(SYS_rt_sigprocmask) || !system_forbids(SYS_futex);
}

static void current_replace(memory_t *memory, uint64_t low, uint64_t size) {
  memory_range_t old = memory->current;
  range_set(&memory->others[memory->victim++ % MEMORY_OTHERS], old.low, old.size);
  range_set(&memory->current, low, size);
}

static void current_swap(memory_t *memory, memory_range_t *other) {
  memory_range_t found = *other, old = memory->current;
  range_set(other, old.low, old.size);
  range_set(&memory->current, found.low, found.size);
}

bool memory_probe(memory_t *memory, uint64_t address) {
  if (range_holds(&memory->current, address)) return true;
  for (int i = 0; i < MEMORY_OTHERS; i++)
    if (range_holds(&memory->others[i], address)) {
      current_swap(memory, &memory->others[i]);
      return true;
    }
  uint64_t page = address & ~(uint64_t)(MEMORY_PAGE - 1);
  if (!kernel_can_read(page) && (memory_can_probe() || !is_on_main_stack(address))) return false;
  if (range_grow(&memory->current, page)) return true;
  for (int i = 0; i < MEMORY_OTHERS; i++)
    if (range_grow(&memory->others[i], page)) {
      current_swap(memory, &memory->others[i]);
      return true;
    }
  current_replace(memory, page, MEMORY_PAGE);
  return true;
}

bool memory_probe_bytes(memory_t *memory, uint64_t address, uint64_t size) {
  if (size > (64 << 10) || address + size < address) return false;
  uint64_t end = address + size;
  for (uint64_t at = address; at < end; at = (at | (MEMORY_PAGE - 1)) + 1)
    if (!memory_probe(memory, at)) return false;
  return true;
}

void memory_use(memory_t *memory) {
  if (memory->uses++ % MEMORY_USES || !memory_can_probe()) return;
  range_set(&memory->current, 0, 0);
  for (int i = 0; i < MEMORY_OTHERS; i++) range_set(&memory->others[i], 0, 0);
}
