// SPDX-License-Identifier: Apache-2.0
// Clocks, messages and the log of steps.
#include "analyzer/models/thread_order.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

typedef struct {
  uint32_t epoch;
  uint32_t round;  // last passed, + 1
  bool begun;
  const vector_clock_t *known[ORDER_STRENGTHS];  // received
  const vector_clock_t *start[ORDER_STRENGTHS];  // known when it was created
  order_member_t creation;
  order_step_t *steps;
  uint32_t count, capacity;
} thread_state_of_order_t;

// One passage of a barrier by all its parties.
typedef struct {
  const vector_clock_t *clocks[ORDER_STRENGTHS];
  order_member_t *members;
  uint32_t count, capacity;
} round_t;

struct thread_order {
  thread_state_of_order_t *threads;
  uint32_t limit;
  round_t *rounds;
  uint32_t round_count, round_capacity;
  uint32_t steps;
};

thread_order_t *thread_order_open(void) { return array_zeroed(1, sizeof(thread_order_t)); }

static void drop_clocks(const vector_clock_t **clocks) {
  for (unsigned strength = 0; strength < ORDER_STRENGTHS; ++strength)
    vector_clock_drop(clocks[strength]);
}

void thread_order_close(thread_order_t *order) {
  if (!order) return;
  for (uint32_t thread = 0; thread < order->limit; ++thread) {
    drop_clocks(order->threads[thread].known);
    drop_clocks(order->threads[thread].start);
    free(order->threads[thread].steps);
  }
  for (uint32_t round = 0; round < order->round_count; ++round) {
    drop_clocks(order->rounds[round].clocks);
    free(order->rounds[round].members);
  }
  free(order->threads);
  free(order->rounds);
  free(order);
}

static thread_state_of_order_t *state_of(thread_order_t *order, uint32_t thread) {
  ARRAY_RESERVE(order->threads, order->limit, thread + 1);
  thread_state_of_order_t *state = &order->threads[thread];
  if (!state->epoch) state->epoch = 1;
  return state;
}

// ---- log ---------------------------------------------------------------------------------------

// Index of the new step + 1, 0: the log is full.
static uint32_t log_step(thread_order_t *order, uint32_t thread, uint32_t lock, uint32_t other,
                         uint32_t position) {
  if (order->steps >= ORDER_STEPS_MAX) return 0;
  thread_state_of_order_t *state = state_of(order, thread);
  ARRAY_RESERVE(state->steps, state->capacity, state->count + 1);
  state->steps[state->count] = (order_step_t){lock, other, position, order->steps++};
  return ++state->count;
}

uint32_t thread_order_acquire(thread_order_t *order, uint32_t thread, uint32_t lock, bool shared) {
  return log_step(order, thread, lock, shared, 0);
}

void thread_order_release(thread_order_t *order, uint32_t thread, uint32_t acquired) {
  uint32_t released = acquired ? log_step(order, thread, 0, 0, 0) : 0;
  if (released) state_of(order, thread)->steps[acquired - 1].position = released;
}

void thread_order_leave_gaps(thread_order_t *order) { order->steps = ORDER_STEPS_MAX; }

static uint32_t position_now(const thread_order_t *order, const thread_state_of_order_t *state) {
  return order->steps < ORDER_STEPS_MAX ? state->count : (uint32_t)ORDER_UNKNOWN;
}

// ---- clocks ------------------------------------------------------------------------------------

order_message_t thread_order_send(thread_order_t *order, uint32_t thread) {
  thread_state_of_order_t *state = state_of(order, thread);
  order_message_t message = {.thread = thread, .position = state->count, .epoch = state->epoch++};
  for (unsigned strength = 0; strength < ORDER_STRENGTHS; ++strength) {
    message.clocks[strength] = vector_clock_keep(state->known[strength]);
    message.start[strength] = vector_clock_keep(state->start[strength]);
  }
  return message;
}

static void make_clocks(order_message_t *message) {
  for (unsigned strength = 0; strength < ORDER_STRENGTHS && !message->made; ++strength) {
    const vector_clock_t *clock = message->clocks[strength];
    clock = vector_clock_join(clock, message->start[strength]);
    message->clocks[strength] = vector_clock_raise(clock, message->thread, message->epoch);
  }
  message->made = true;
}

void order_message_drop(order_message_t *message) {
  drop_clocks(message->clocks);
  drop_clocks(message->start);
  *message = (order_message_t){0};
}

static void learn(const vector_clock_t **known, const vector_clock_t *const *clocks,
                  order_strength_t from) {
  for (unsigned strength = from; strength < ORDER_STRENGTHS; ++strength)
    known[strength] = vector_clock_join(known[strength], clocks[strength]);
}

void thread_order_receive(thread_order_t *order, uint32_t thread, order_message_t *message,
                          order_strength_t strength) {
  if (!message->thread || message->thread == thread) return;
  make_clocks(message);
  learn(state_of(order, thread)->known, message->clocks, strength);
  log_step(order, thread, 0, message->thread, message->position);
}

void thread_order_begin(thread_order_t *order, uint32_t thread, order_message_t *message) {
  thread_state_of_order_t *state = state_of(order, thread);
  make_clocks(message);
  learn(state->start, message->clocks, ORDER_ALWAYS);
  state->creation = (order_member_t){message->thread, message->position};
  state->begun = true;
  order_message_drop(message);
}

bool thread_order_has_begun(const thread_order_t *order, uint32_t thread) {
  return thread < order->limit && order->threads[thread].begun;
}

uint32_t thread_order_round(thread_order_t *order) {
  if (order->round_count >= ORDER_ROUNDS_MAX) return ORDER_UNKNOWN;
  ARRAY_RESERVE(order->rounds, order->round_capacity, order->round_count + 1);
  return order->round_count++;
}

// All members know what each had done. Those that have gone on already get it now; what they did
// meanwhile finds it through their moment's round.
static void close_round(thread_order_t *order, const round_t *round) {
  for (uint32_t at = 0; at < round->count; ++at)
    learn(state_of(order, round->members[at].thread)->known, round->clocks, ORDER_ALWAYS);
}

void thread_order_pass(thread_order_t *order, uint32_t thread, uint32_t round, bool last) {
  if (round == ORDER_UNKNOWN) return;
  order_message_t message = thread_order_send(order, thread);
  round_t *passed = &order->rounds[round];
  make_clocks(&message);
  learn(passed->clocks, message.clocks, ORDER_ALWAYS);
  ARRAY_RESERVE(passed->members, passed->capacity, passed->count + 1);
  passed->members[passed->count++] = (order_member_t){thread, message.position};
  order_message_drop(&message);
  state_of(order, thread)->round = round + 1;
  log_step(order, thread, 0, 0, round + 1);
  if (last) close_round(order, passed);
}

order_moment_t thread_order_now(thread_order_t *order, uint32_t thread) {
  const thread_state_of_order_t *state = state_of(order, thread);
  order_moment_t moment = {.thread = thread,
                           .epoch = state->epoch,
                           .position = position_now(order, state),
                           .round = state->round};
  for (unsigned strength = 0; strength < ORDER_STRENGTHS; ++strength)
    moment.clocks[strength] = vector_clock_keep(state->known[strength]);
  return moment;
}

void order_moment_drop(order_moment_t *moment) { drop_clocks(moment->clocks); }

uint32_t thread_order_epoch(thread_order_t *order, uint32_t thread) {
  return state_of(order, thread)->epoch;
}

bool thread_order_precedes(const thread_order_t *order, const order_moment_t *a,
                           const order_moment_t *b, order_strength_t strength) {
  if (a->thread == b->thread) return true;
  if (vector_clock_get(b->clocks[strength], a->thread) >= a->epoch) return true;
  if (b->round &&
      vector_clock_get(order->rounds[b->round - 1].clocks[strength], a->thread) >= a->epoch)
    return true;
  return vector_clock_get(order->threads[b->thread].start[strength], a->thread) >= a->epoch;
}

// ---- reading the log ---------------------------------------------------------------------------

uint32_t thread_order_limit(const thread_order_t *order) { return order->limit; }

uint32_t thread_order_steps(const thread_order_t *order, uint32_t thread) {
  return thread < order->limit ? order->threads[thread].count : 0;
}

const order_step_t *thread_order_step(const thread_order_t *order, uint32_t thread,
                                      uint32_t index) {
  return &order->threads[thread].steps[index];
}

order_member_t thread_order_start(const thread_order_t *order, uint32_t thread) {
  return thread < order->limit ? order->threads[thread].creation : (order_member_t){0};
}

const order_member_t *thread_order_members(const thread_order_t *order, uint32_t round,
                                           uint32_t *count) {
  *count = order->rounds[round].count;
  return order->rounds[round].members;
}
