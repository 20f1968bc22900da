// SPDX-License-Identifier: Apache-2.0
// Turns where they are sampled (preload/loop_sample.h): those that were only counted, those that
// were recorded late, and what delimits the others.
#include "analyzer/models/loops_private.h"

uint64_t loops_take_weight(const loops_t *loops, loop_t *loop, loop_thread_t *thread) {
  if (loops->rate >= 1 || loop->poll) return 1;
  bool drawn = thread->drawn;
  thread->drawn = false;
  if (!drawn || loops->rate <= 0) return 0;
  ++loop->drawn;
  return estimate_round(1 / loops->rate);
}

static void step_turns(loops_t *loops, const reader_event_t *event) {
  loop_t *loop = loops_of(loops, (int32_t)event->arg, event);
  uint64_t waits = (uint32_t)event->words[0], events = event->words[0] >> 32;
  loops_note_thread(loop, event->thread);
  loop->waits += waits;
  loop->turns += waits;
  loop->events += events;
  loop->busy_ns += event->words[1];
  loop->idle_ns += event->words[2];
  pools_pass(loops->pools, event->thread, loop->id, waits < events ? waits : events,
             event->words[1], event->time);
}

static void step_waits(loops_t *loops, const reader_event_t *event) {
  loop_t *loop = loops_of(loops, (int32_t)event->arg, event);
  loop->empty += (uint32_t)event->words[0];
  loop->spins += event->words[0] >> 32;
  loop->saturated += event->words[1];
}

// Its batch is not known, but for the descriptor that it was at, or that took longest.
static void step_late(loops_t *loops, const reader_event_t *event) {
  loop_t *loop = loops_of(loops, (int32_t)(uint32_t)event->words[0], event);
  int32_t descriptor = (int32_t)(event->words[0] >> 32);
  int64_t ready = trace_unzigzag(event->arg);
  uint64_t from = event->words[1] < event->time ? event->time - event->words[1] : 0;
  uint64_t wait = event->words[2] < from ? event->words[2] : from;
  loops_end_turn(loops, event->thread, from - wait);
  loops_note_thread(loop, event->thread);
  ++loop->waits;
  loop->idle_ns += wait;
  if (ready > 0) loop->events += (uint64_t)ready;
  pools_turn(loops->pools, event->thread, loop->id, from - wait, from, ready > 0);
  turn_t *turn = &loops_thread(loops, event->thread)->turn;
  turn_begin(turn, loop->id, from, event->stack);
  turn->weight = 0;
  if (descriptor < 0) return;
  const task_t *task = tasks_live(loops->tasks, descriptor);
  turn_step(turn, descriptor, from);
  if (task) turn->shares[0].task = task->id;
}

static void step_end(loops_t *loops, const reader_event_t *event) {
  const turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (!turn->active || loops->items[turn->loop - 1]->poll) return;
  pools_turn_ends(loops->pools, event->thread, turn->loop, event->time);
  loops_end_turn(loops, event->thread, event->time);
}

static void step_next(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  if (!thread->turn.active) return;
  loops_note_call(loops, event);
  turn_step(&thread->turn, (int32_t)event->arg, event->time);
}

static void step_out(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  if (!thread->turn.active) return;
  loops_note_call(loops, event);
  turn_step(&thread->turn, -1, event->time);
}

static void step_known(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  uint64_t from = event->words[0] < event->time ? event->time - event->words[0] : 0;
  if (!thread->turn.active) return;
  turn_step_late(&thread->turn, (int32_t)event->arg, from,
                 event->words[1] ? from + event->words[1] : 0);
}

bool loops_sampled_step(loops_t *loops, const reader_event_t *event) {
  switch (event->kind) {
  case TRACE_TURNS_PASSED:
    step_turns(loops, event);
    return true;
  case TRACE_WAITS_PASSED:
    step_waits(loops, event);
    return true;
  case TRACE_TURN_DRAWN:
    loops_thread(loops, event->thread)->drawn = true;
    return true;
  case TRACE_TURN_LATE:
    step_late(loops, event);
    return true;
  case TRACE_TURN_STEP:
    step_next(loops, event);
    return true;
  case TRACE_TURN_OUT:
    step_out(loops, event);
    return true;
  case TRACE_TURN_STEP_LATE:
    step_known(loops, event);
    return true;
  case TRACE_LISTENER_PASSED:
    tasks_listened(loops->tasks, event);
    return true;
  case TRACE_TURN_END:
    step_end(loops, event);
    return true;
  default:
    return false;
  }
}
