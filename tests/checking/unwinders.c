// SPDX-License-Identifier: Apache-2.0
// The two unwinders, and how to bring what they say into the recorder's form.
#include "tests/checking/checking.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <unwind.h>

typedef struct {
  const stacks_origin_t *origin;
  uint64_t *frames;
  size_t count;
  bool begun;
} collector_t;

static uint64_t libunwind_frames[CHECKING_FRAMES_MAX], libgcc_frames[CHECKING_FRAMES_MAX];

// Frames inside of the recorder do not count. False when there is no room for more.
static bool collect(collector_t *collector, uint64_t ip, uint64_t sp, bool struck) {
  if (!collector->begun)
    collector->begun = ip == collector->origin->ip && sp == collector->origin->cfa;
  if (!collector->begun) return true;
  if (collector->count == CHECKING_FRAMES_MAX) return false;
  collector->frames[collector->count++] = ip + struck;
  return true;
}

// A caller 0 stands below the outermost frame.
static checking_stack_t collected(const collector_t *collector) {
  size_t count = collector->count;
  while (count > 1 && collector->frames[count - 1] == 0) count--;
  return (checking_stack_t){collector->frames, count, false};
}

// The frame behind one of the kernel's is where a signal struck.
checking_stack_t unwinders_libunwind(const stacks_origin_t *origin) {
  static unw_context_t context;
  static unw_cursor_t cursor;
  collector_t collector = {origin, libunwind_frames, 0, false};
  unw_word_t ip, sp;
  bool struck = false;
  if (unw_getcontext(&context) || unw_init_local(&cursor, &context)) return collected(&collector);
  do {
    if (unw_get_reg(&cursor, UNW_REG_IP, &ip) || unw_get_reg(&cursor, UNW_REG_SP, &sp)) break;
    if (!collect(&collector, ip, sp, struck)) break;
    struck = unw_is_signal_frame(&cursor) > 0;
  } while (unw_step(&cursor) > 0);
  return collected(&collector);
}

void unwinders_flush(void) { unw_flush_cache(unw_local_addr_space, 0, 0); }

static _Unwind_Reason_Code frame_seen(struct _Unwind_Context *context, void *arg) {
  int struck = 0;
  uint64_t ip = _Unwind_GetIPInfo(context, &struck);
  bool more = collect(arg, ip, _Unwind_GetCFA(context), struck != 0);
  return more ? _URC_NO_REASON : _URC_END_OF_STACK;
}

checking_stack_t unwinders_libgcc(const stacks_origin_t *origin) {
  collector_t collector = {origin, libgcc_frames, 0, false};
  _Unwind_Backtrace(frame_seen, &collector);
  return collected(&collector);
}
