// SPDX-License-Identifier: Apache-2.0
// Event loops: what is in their sets, from when to when, and under which token.
#include "analyzer/models/loops_private.h"

#include <sys/epoll.h>
#include <xxhash.h>

static uint64_t token_key(uint32_t loop, uint64_t token) {
  uint64_t parts[2] = {loop, token};
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static void set_token(loops_t *loops, uint32_t loop, uint64_t token, uint32_t task) {
  *(uint64_t *)address_map_put(&loops->tokens, token_key(loop, token)) = task;
}

// Only where it still means this task: another may have been registered with the same token.
static void clear_token(loops_t *loops, uint32_t loop, uint64_t token, uint32_t task) {
  uint64_t key = token_key(loop, token);
  const uint64_t *found = address_map_get(&loops->tokens, key);
  if (found && *found == task) address_map_remove(&loops->tokens, key, NULL);
}

task_t *loops_task_of_token(loops_t *loops, uint32_t loop, uint64_t token) {
  const uint64_t *id = address_map_get(&loops->tokens, token_key(loop, token));
  return id ? tasks_find(loops->tasks, (uint32_t)*id) : NULL;
}

static void add_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                           const reader_event_t *event) {
  const turn_t *turn = &loops_thread(loops, event->thread)->turn;
  task_t *task = tasks_register(loops->tasks, descriptor, loop->id, event->words[1], event->stack,
                                turn->active ? turn->from : UINT64_MAX, event->time);
  set_token(loops, loop->id, event->words[1], task->id);
  loop->registered += (uint32_t)tasks_weight(loops->tasks, task);
  if (loop->registered > loop->max_registered) loop->max_registered = loop->registered;
}

// A drawn connection counts for many.
static void count_gone(const loops_t *loops, loop_t *loop, const task_t *task) {
  uint32_t weight = (uint32_t)tasks_weight(loops->tasks, task);
  loop->registered -= weight < loop->registered ? weight : loop->registered;
}

static void modify_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                              const reader_event_t *event) {
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (!task) {
    add_descriptor(loops, loop, descriptor, event);
    return;
  }
  if (task->loop == loop->id && task->token != event->words[1]) {
    clear_token(loops, loop->id, task->token, task->id);
    task->token = event->words[1];
  }
  set_token(loops, loop->id, event->words[1], task->id);
}

static void remove_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                              const reader_event_t *event) {
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (!task) return;
  count_gone(loops, loop, task);
  clear_token(loops, loop->id, task->token, task->id);
  tasks_unregister(loops->tasks, task, false, event->time);
}

// In the set since before this process waited on it: a task from now on.
void loops_hold(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  loop_t *loop = loops_of(loops, (int32_t)event->words[0], event);
  if (tasks_live(loops->tasks, descriptor) && loops_task_of_token(loops, loop->id, event->words[1]))
    return;  // registered again meanwhile
  add_descriptor(loops, loop, descriptor, event);
  tasks_live(loops->tasks, descriptor)->held = true;
}

void loops_control(loops_t *loops, const reader_event_t *event) {
  int32_t epoll = (int32_t)(uint32_t)event->words[0];
  int32_t descriptor = (int32_t)(event->words[0] >> 32);
  loops_note_handling(loops, event, descriptor, event->time);
  if (event->words[2] >> 32) return;
  loop_t *loop = loops_of(loops, epoll, event);
  switch (event->arg) {
  case EPOLL_CTL_ADD:
    add_descriptor(loops, loop, descriptor, event);
    break;
  case EPOLL_CTL_MOD:
    modify_descriptor(loops, loop, descriptor, event);
    break;
  case EPOLL_CTL_DEL:
    remove_descriptor(loops, loop, descriptor, event);
    break;
  default:
    break;
  }
}

// A thread that serves one connection at a time polls it until it closes it, then waits elsewhere
// for the next: with the last descriptor that its poll returned the turn is over.
static bool is_last_of_poll(loops_t *loops, uint32_t thread, const task_t *task) {
  const turn_t *turn = &loops_thread(loops, thread)->turn;
  bool is_its = turn->active && task->loop == turn->loop;
  if (!turn->active || !loops->items[turn->loop - 1]->poll) return false;
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    const task_t *other = tasks_find(loops->tasks, turn->shares[at].task);
    if (other && other != task && other->registrations) return false;
    is_its |= other == task;
  }
  return is_its;
}

// Who closes the instance that his turn came from will not wait there again.
static void end_turn_of_closed(loops_t *loops, int32_t descriptor, const reader_event_t *event) {
  const loop_t *loop = loops_find(loops, descriptor);
  const turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (loop && turn->active && turn->loop == loop->id)
    loops_end_turn(loops, event->thread, event->time);
}

void loops_close_descriptor(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  loops_note_handling(loops, event, descriptor, event->time);
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (task && !tasks_stays(loops->tasks, descriptor)) {
    loop_t *loop = loops->items[task->loop - 1];
    if (!task->adopted) count_gone(loops, loop, task);
    clear_token(loops, task->loop, task->token, task->id);
  }
  bool last =
      task && !tasks_stays(loops->tasks, descriptor) && is_last_of_poll(loops, event->thread, task);
  tasks_close_descriptor(loops->tasks, descriptor, event->time);
  if (last) loops_end_turn(loops, event->thread, event->time);
  pools_close_descriptor(loops->pools, descriptor);
  end_turn_of_closed(loops, descriptor, event);
  loops_end(loops, descriptor, event->time);
}
