// SPDX-License-Identifier: Apache-2.0
// Loops of poll, ppoll, select and pselect. Nothing is registered there: a thread that waits again
// at a place where it has waited before is a loop, from its second wait there on. A wait elsewhere
// inside its turn is a call that blocks, unless it is for more descriptors, or that place has been
// waited at more often for as many; what asks for fewer, or does not want to wait, is a handler
// that looks at one of them, if it does not go on and on in one turn.
#include "analyzer/models/loops_private.h"

#include <xxhash.h>

enum { LOOKS_OF_A_TURN = 64 };

typedef struct {
  uint64_t count;      // waits there
  uint64_t turn_from;  // the turn of another loop in which it was waited there last, and how often
  uint32_t in_turn;
  uint32_t loop;  // id, 0: not a loop yet
} poll_site_t;

static poll_site_t *site_of(loops_t *loops, uint32_t thread, uint32_t stack) {
  uint32_t parts[2] = {thread, stack};
  return address_map_put(&loops->polls, XXH3_64bits(parts, sizeof parts) | 1);
}

static bool is_loop_here(const loops_t *loops, const turn_t *turn, poll_site_t *site,
                         const reader_event_t *event) {
  uint64_t asked = event->words[0];
  bool waits = event->words[2] != 0;
  if (!asked || (asked == 1 && !waits && site->count <= LOOKS_OF_A_TURN)) return false;
  if (!turn->active || site->loop == turn->loop) return true;
  const loop_t *current = loops->items[turn->loop - 1];
  if (!current->poll) return false;
  if (waits && asked > current->max_asked) return site->count > 1;
  if (site->turn_from != turn->from) site->in_turn = 0;
  site->turn_from = turn->from;
  bool looks = asked < current->max_asked || !waits;
  if (looks && ++site->in_turn <= LOOKS_OF_A_TURN) return false;
  return site->count > current->waits + 1;
}

static loop_t *loop_of_site(loops_t *loops, poll_site_t *site, const reader_event_t *event) {
  if (site->loop) return loops->items[site->loop - 1];
  if (site->count < 2) return NULL;
  loop_t *loop = loops_begin(loops, -1, event);
  loop->poll = true;
  loop->site = event->stack;
  site->loop = loop->id;
  return loop;
}

void loops_poll(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  thread->poll_apart = true;
  if (!loops->polls.slot_size) loops->polls = (address_map_t)ADDRESS_MAP(poll_site_t);
  poll_site_t *site = site_of(loops, event->thread, event->stack);
  ++site->count;
  if (!is_loop_here(loops, &thread->turn, site, event)) {
    loops_note_call(loops, event);
    return;
  }
  loop_t *loop = loop_of_site(loops, site, event);
  if (!loop) return;
  if (event->words[0] > loop->max_asked) loop->max_asked = event->words[0];
  if (thread->turn.active && thread->turn.loop != loop->id) thread->turn.active = false;
  thread->poll_apart = false;
  loops_begin_turn(loops, loop, event, 0);
}

void loops_poll_ready(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  if (thread->poll_apart || !thread->turn.active) return;
  loop_t *loop = loops->items[thread->turn.loop - 1];
  int32_t descriptor = (int32_t)event->words[0];
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (!task) {
    task = tasks_register(loops->tasks, descriptor, loop->id, (uint64_t)descriptor, loop->site,
                          UINT64_MAX, event->time);
    loop->registered += (uint32_t)tasks_weight(loops->tasks, task);
    if (loop->registered > loop->max_registered) loop->max_registered = loop->registered;
  }
  loops_add_ready(loops, &thread->turn, task, event);
}
