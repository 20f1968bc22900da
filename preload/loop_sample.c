// SPDX-License-Identifier: Apache-2.0
// The decisions about connections and turns, and what is counted of turns that are not recorded.
#include "preload/loop_sample.h"

#include "preload/hooks/description.h"
#include "preload/hooks/descriptor.h"
#include "preload/lock_sample.h"
#include "preload/sampled_blocks.h"
#include "preload/settings.h"

uint64_t recorder_stall_ticks, recorder_told_ticks;

// Whether the next one is drawn, of those that `sampler` counts.
static bool is_drawn(sampler_t *sampler) {
  if (settings.sampling <= 0) return false;
  if (unlikely(!sampler->random)) sampler->left = sampler_trials(sampler, settings.sampling) + 1;
  if (likely(sampler_passes(sampler, 1))) return false;
  sampler->left = sampler_trials(sampler, settings.sampling) + 1;
  return true;
}

// ---- tokens of what is recorded -----------------------------------------------------------------

// Hashed tokens in lines of tags (sampled_blocks.h). One that is equal to another's by chance makes
// a turn recorded that need not be. Where a line is full, or a descriptor is beyond the table of
// their tokens, all turns are recorded from then on.
enum { TOKEN_LINE_BITS = 10, TOKEN_DESCRIPTORS = 1 << 16 };
static sampled_line_t token_lines[1 << TOKEN_LINE_BITS];
static uint64_t descriptor_tokens[TOKEN_DESCRIPTORS];  // 0: none
static bool tokens_spilled;

// Fibonacci hashing (Knuth, TAOCP 6.4): the highest bits are the line, the lowest the tag.
static uint64_t token_hash(int epoll, uint64_t token) {
  const uint64_t hash = lock_hash(token ^ (uint64_t)(unsigned)epoll << 52);
  return (hash ^ hash >> 29) | 1;
}
static sampled_line_t *token_line(uint64_t hash) {
  return &token_lines[hash >> (64 - TOKEN_LINE_BITS)];
}

static bool is_token(int epoll, uint64_t token) {
  const uint64_t hash = token_hash(epoll, token);
  return sampled_line_has(token_line(hash), (uint32_t)hash);
}

static bool token_change(uint64_t hash, uint32_t from, uint32_t to) {
  sampled_line_t *line = token_line(hash);
  for (int i = 0; i < SAMPLED_TAGS; i++) {
    uint32_t expected = from;
    if (__atomic_load_n(&line->tags[i], __ATOMIC_RELAXED) == from &&
        __atomic_compare_exchange_n(&line->tags[i], &expected, to, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
      return true;
  }
  return false;
}

void loop_sample_unregister(int descriptor) {
  if (!recorder_is_sampled || descriptor < 0 || descriptor >= TOKEN_DESCRIPTORS) return;
  const uint64_t hash = __atomic_exchange_n(&descriptor_tokens[descriptor], 0, __ATOMIC_RELAXED);
  if (hash) token_change(hash, (uint32_t)hash, 0);
}

void loop_sample_register(int epoll, int descriptor, uint64_t token) {
  if (!recorder_is_sampled || descriptor < 0) return;
  loop_sample_unregister(descriptor);
  const uint64_t hash = token_hash(epoll, token);
  if (descriptor < TOKEN_DESCRIPTORS && token_change(hash, 0, (uint32_t)hash))
    __atomic_store_n(&descriptor_tokens[descriptor], hash, __ATOMIC_RELAXED);
  else
    __atomic_store_n(&tokens_spilled, true, __ATOMIC_RELAXED);
}

static bool has_recorded(const loop_wait_t *wait) {
  if (unlikely(tokens_spilled)) return wait->result > 0;
  for (int i = 0; i < wait->result; i++)
    if (is_token(wait->epoll, wait->events[i].data.u64)) return true;
  return false;
}

// ---- connections --------------------------------------------------------------------------------

void loop_sample_tell(lane_t *lane, int descriptor, unsigned how) {
  lane_record_cheap(lane, TRACE_DESCRIPTOR_SAMPLED, 0, (unsigned)descriptor, 1, how, 0);
}

unsigned loop_sample_draw(lane_t *lane, bool certain) {
  if (certain) return TRACE_SAMPLED_CERTAIN;
  return is_drawn(&lane->loops->connections) ? TRACE_SAMPLED_DRAWN : TRACE_SAMPLED_OUT;
}

void loop_sample_count_out(lane_t *lane) {
  // Only the owner writes it; the writer, or who reads the ring, tells how many there were.
  _Atomic uint32_t *count = &lane->ring->lost[TRACE_CONNECTION_OUT];
  atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                        memory_order_relaxed);
}

// Its end will be recorded, too: the number is another's afterwards.
void loop_sample_name(lane_t *lane, int descriptor) {
  if (!descriptor_is_skipped(descriptor) || descriptor_add(&descriptor_named, descriptor)) return;
  descriptor_add(&descriptor_known, descriptor);
  loop_sample_tell(lane, descriptor,
                   descriptor_in(&descriptor_opened_out, descriptor) ? TRACE_SAMPLED_OPENED
                                                                     : TRACE_SAMPLED_ACCEPTED);
  description_record(lane, descriptor, NULL, 0);
}

// ---- what is counted ----------------------------------------------------------------------------

static void tell_listener(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if ((loops->passed_polls | loops->passed_accepts) == 0) return;
  lane_record(lane, TRACE_LISTENER_PASSED, 0, (unsigned)loops->passed_listener, now, 3,
              trace_pair(loops->passed_accepts, loops->passed_polls), loops->passed_ran,
              loops->passed_wait);
  loops->passed_accepts = loops->passed_polls = 0;
  loops->passed_ran = loops->passed_wait = 0;
}

static void tell(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  const unsigned epoll = (unsigned)loops->passed_epoll;
  if (loops->waits > 0)
    lane_record(lane, TRACE_TURNS_PASSED, 0, epoll, now, 3, trace_pair(loops->waits, loops->events),
                loops->busy, loops->idle);
  if (loops->empty | loops->spins | loops->saturated)
    lane_write(lane, TRACE_WAITS_PASSED, 0, epoll, false, 0, 2,
               trace_pair(loops->empty, loops->spins), loops->saturated, 0);
  loops->waits = loops->events = loops->empty = loops->spins = loops->saturated = 0;
  loops->busy = loops->idle = 0;
  tell_listener(lane, loops, now);
  loops->told_at = now;
}

// ---- the present descriptor ---------------------------------------------------------------------

// What was handled until now, if it took longer than all before.
static void settle(loop_sample_t *loops, uint64_t now) {
  const uint64_t ticks = now - loops->present_from;
  if (ticks <= loops->longest_ticks) return;
  loops->longest_ticks = ticks;
  loops->longest_from = loops->present_from;
  loops->longest = loops->present;
  loops->longest_ip = loops->present_ip;
  loops->longest_told = loops->told;
}

// The listener's time is counted where no record tells of it.
static void leave_listener(loop_sample_t *loops, uint64_t now) {
  if (loops->listener >= 0 && loops->present == loops->listener && !loops->listener_told)
    loops->listener_ran += now - loops->listener_from;
  loops->listener_told = false;
}

static void change_present(loop_sample_t *loops, int descriptor, uintptr_t ip, uint64_t now,
                           bool told) {
  // What comes before the first call belongs to that.
  if (loops->present >= 0) {
    settle(loops, now);
    leave_listener(loops, now);
    loops->present_from = now;
  }
  loops->present = descriptor;
  loops->present_ip = ip;
  loops->told = told;
}

void loop_sample_met(loop_sample_t *loops, int descriptor, uintptr_t ip, uint64_t now) {
  if (loops->turn == LOOP_TURN_NONE || loops->present == descriptor) return;
  change_present(loops, descriptor, ip, now, true);
  loops->out_told = false;
}

// To one that is not recorded, or that is told in sums.
static void step_out(lane_t *lane, loop_sample_t *loops, int descriptor, uintptr_t ip,
                     uint64_t now) {
  change_present(loops, descriptor, ip, now, loops->drawn);
  if (loops->turn != LOOP_TURN_RECORDED) return;
  if (loops->drawn)
    lane_record(lane, TRACE_TURN_STEP, 0, (unsigned)descriptor, now, 0, 0, 0, 0);
  else if (!loops->out_told)
    lane_record(lane, TRACE_TURN_OUT, 0, 0, now, 0, 0, 0, 0);
  loops->out_told = true;
}

void loop_sample_step(const stacks_origin_t *origin, loop_sample_t *loops, int descriptor) {
  const uint64_t now = clock_ticks();
  if (loops->turn != LOOP_TURN_RECORDED || (!loops->drawn && loops->out_told)) {
    change_present(loops, descriptor, origin->ip, now, false);
    return;
  }
  lane_t *lane = lane_enter(origin, TRACE_TURN_STEP);
  if (!lane) return;
  step_out(lane, loops, descriptor, origin->ip, now);
  lane_leave(lane);
}

// ---- listeners ----------------------------------------------------------------------------------

bool loop_sample_sums(const lane_t *lane, int listener) {
  const loop_sample_t *loops = lane->loops;
  return loops && loops->turn != LOOP_TURN_NONE && loops->epoll >= 0 && !loops->drawn &&
         descriptor_in(&descriptor_parent, listener) && descriptor_is_watched(listener);
}

// What the turn had of a listener is counted with what other turns had.
static void pass_listener(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if (loops->listener < 0) return;
  leave_listener(loops, now);
  loops->listener_from = now;
  if (loops->passed_listener != loops->listener) tell_listener(lane, loops, now);
  loops->passed_listener = loops->listener;
  loops->passed_accepts += loops->accepts;
  if (!loops->listener_whole) {
    loops->passed_polls++;
    loops->passed_ran += loops->listener_ran;
    loops->passed_wait += loops->listener_wait;
  }
  loops->listener = -1;
}

void loop_sample_asked(lane_t *lane, const stacks_origin_t *origin, int listener, unsigned accepts,
                       uint64_t since, bool whole) {
  loop_sample_t *loops = lane->loops;
  if (whole)
    loop_sample_met(loops, listener, origin->ip, since);
  else if (loops->present != listener)
    step_out(lane, loops, listener, origin->ip, since);
  if (loops->listener != listener) {
    pass_listener(lane, loops, since);
    loops->listener = listener;
    loops->listener_whole = whole;
    loops->listener_wait = since - loops->from;
    loops->accepts = 0;
    loops->listener_ran = 0;
    loops->listener_from = since;
  } else if (loops->listener_from < loops->present_from) {
    loops->listener_from = loops->present_from;
  }
  loops->accepts += accepts;
}

// ---- turns --------------------------------------------------------------------------------------

static void record_late(lane_t *lane, loop_sample_t *loops, uint64_t now, int descriptor,
                        uintptr_t ip) {
  tell(lane, loops, now);
  loop_sample_name(lane, descriptor);
  lane_record(
      lane, TRACE_TURN_LATE, ip ? lane_stack_frame(lane, ip) : 0, trace_zigzag(loops->ready), now,
      3, trace_pair((unsigned)loops->epoll, (unsigned)descriptor), now - loops->from, loops->wait);
  loops->turn = LOOP_TURN_RECORDED;
  loops->told = descriptor == loops->present;
  loops->out_told = false;
  if (descriptor < 0 || descriptor != loops->listener) return;
  loops->listener_told = loops->told;
  loops->listener_ran = loops->listener_wait = 0;  // it has the turn until now
}

// That the turn came to that descriptor, and when.
static void tell_step(lane_t *lane, int descriptor, uint64_t now, uint64_t from, uint64_t stayed) {
  loop_sample_name(lane, descriptor);
  lane_record(lane, TRACE_TURN_STEP_LATE, 0, (unsigned)descriptor, now, 2, now - from, stayed, 0);
}

static void tell_longest(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if (loops->longest < 0) return;
  loop_sample_name(lane, loops->longest);
  if (loops->longest_told) return;
  tell_step(lane, loops->longest, now, loops->longest_from, loops->longest_ticks);
  loops->longest_told = true;
}

static void tell_present(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if (loops->present < 0 || loops->told) return;
  tell_step(lane, loops->present, now, loops->present_from, 0);
  loops->told = true;
  loops->out_told = false;
}

void loop_sample_unfold(lane_t *lane) {
  loop_sample_t *loops = lane->loops;
  if (!loops || loops->turn == LOOP_TURN_NONE) return;
  if (loops->turn == LOOP_TURN_RECORDED && (loops->told || loops->present < 0)) return;
  const uint64_t now = clock_ticks();
  if (loops->turn == LOOP_TURN_PASSED && loops->longest < 0) {
    record_late(lane, loops, now, loops->present, loops->present_ip);
    return;
  }
  if (loops->turn == LOOP_TURN_PASSED) {
    record_late(lane, loops, now, -1, loops->longest_ip);
    tell_longest(lane, loops, now);
  }
  tell_present(lane, loops, now);
}

// The turn was short, and nothing of it is in the record.
static void pass(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if (loops->passed_epoll != loops->epoll) tell(lane, loops, now);
  loops->passed_epoll = loops->epoll;
  loops->waits++;
  if (loops->ready > 0) loops->events += (uint32_t)loops->ready;
  loops->busy += now - loops->from;
  loops->idle += loops->wait;
}

static void end_recorded(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  settle(loops, now);
  if (unlikely(now - loops->from > recorder_stall_ticks)) tell_longest(lane, loops, now);
  lane_record(lane, TRACE_TURN_END, 0, (unsigned)loops->epoll, now, 0, 0, 0, 0);
}

static void end_turn(lane_t *lane, loop_sample_t *loops, uint64_t now) {
  if (loops->turn == LOOP_TURN_PASSED && now - loops->from > recorder_stall_ticks) {
    settle(loops, now);
    record_late(lane, loops, now, loops->longest, loops->longest_ip);
    loops->longest_told = true;
  }
  if (loops->turn == LOOP_TURN_PASSED)
    pass(lane, loops, now);
  else
    end_recorded(lane, loops, now);
  pass_listener(lane, loops, now);
  loops->turn = LOOP_TURN_NONE;
}

void loop_sample_wait_begins(lane_t *lane, uint64_t now) {
  loop_sample_t *loops = lane->loops;
  if (!loops || loops->turn == LOOP_TURN_NONE) return;
  end_turn(lane, loops, now);
  if (loops->waits >= LOOP_PASSED_MOST ||
      (loops->waits + loops->passed_polls > 0 && now - loops->told_at > recorder_told_ticks))
    tell(lane, loops, now);
}

void loop_sample_flush(lane_t *lane) {
  loop_sample_t *loops = lane->loops;
  if (!loops) return;
  const uint64_t now = clock_ticks();
  if (loops->turn == LOOP_TURN_PASSED)
    end_turn(lane, loops, now);
  else if (loops->turn == LOOP_TURN_RECORDED)
    pass_listener(lane, loops, now);
  tell(lane, loops, now);
}

static void count_wait(loop_sample_t *loops, const loop_wait_t *wait) {
  if (wait->result <= 0) {
    loops->empty++;
    loops->spins += wait->result == 0 && wait->timeout == 0;
  } else {
    loops->saturated += wait->limit > 1 && wait->result >= wait->limit;
  }
}

// With all of its batch where it is drawn, else with those of it that are recorded.
static void record_turn(lane_t *lane, const stacks_origin_t *origin, const loop_wait_t *wait,
                        bool drawn) {
  if (drawn) lane_write(lane, TRACE_TURN_DRAWN, 0, 0, false, 0, 0, 0, 0, 0);
  lane_record(lane, TRACE_EPOLL_WAIT, lane_stack(lane, origin), trace_zigzag(wait->result),
              wait->now, 3, trace_pair((unsigned)wait->epoll, (unsigned)wait->limit), wait->ticks,
              trace_zigzag(wait->timeout));
  for (int i = 0; i < wait->result; i++) {
    const uint64_t token = wait->events[i].data.u64;
    if (drawn || tokens_spilled || is_token(wait->epoll, token))
      lane_write(lane, TRACE_READY, 0, wait->events[i].events, false, 0, 1, token, 0, 0);
  }
}

void loop_sample_wait_ended(lane_t *lane, const stacks_origin_t *origin, const loop_wait_t *wait) {
  loop_sample_t *loops = lane->loops;
  const bool drawn = is_drawn(&loops->turns);
  const bool recorded = drawn || wait->ticks >= recorder_wait_ticks || has_recorded(wait);
  loops->turn = recorded ? LOOP_TURN_RECORDED : LOOP_TURN_PASSED;
  loops->drawn = drawn;
  loops->told = loops->out_told = loops->listener_told = false;
  loops->listener = -1;
  loops->epoll = wait->epoll;
  loops->ready = wait->result;
  loops->from = loops->present_from = wait->now;
  loops->wait = wait->ticks;
  loops->present = loops->longest = -1;
  loops->longest_told = false;
  loops->present_ip = loops->longest_ip = 0;
  loops->longest_ticks = 0;
  if (likely(!recorded)) {
    count_wait(loops, wait);
    return;
  }
  tell(lane, loops, wait->now);
  record_turn(lane, origin, wait, drawn);
}

void loop_sample_polled(lane_t *lane) {
  loop_sample_t *loops = lane->loops;
  if (!loops || loops->turn != LOOP_TURN_NONE) return;
  loops->turn = LOOP_TURN_RECORDED;
  loops->drawn = loops->told = loops->longest_told = true;  // each step is recorded
  loops->present = loops->longest = loops->listener = -1;
  loops->epoll = -1;
}
