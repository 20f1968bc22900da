// SPDX-License-Identifier: Apache-2.0
// Hand-overs: a signal and the wait that it ends, a post and the wait that takes it, a write and
// the read that gets it, threads that meet at a barrier, initialisation done once. They order
// threads; the release and acquisition of a lock do not, for either thread could have come first.
#include "analyzer/models/locks_private.h"

// What was last handed over at an address or descriptor, or the round of a barrier.
typedef struct {
  order_message_t message;
  uint32_t parties, passed, round;
} handover_t;

void lock_handovers_open(locks_t *locks) {
  locks->handovers = (address_map_t)ADDRESS_MAP(handover_t);
}

void lock_handovers_free(locks_t *locks) {
  size_t position = 0;
  uint64_t key;
  for (handover_t *handover; (handover = address_map_next(&locks->handovers, &position, &key));)
    order_message_drop(&handover->message);
  address_map_clear(&locks->handovers);
}

void lock_hand_over(locks_t *locks, uint64_t key, uint32_t thread) {
  lock_not_alone(locks, thread, locks->now);
  handover_t *handover = address_map_put(&locks->handovers, key);
  order_message_drop(&handover->message);
  handover->message = thread_order_send(dependencies_order(locks->dependencies), thread);
}

void lock_take_over(locks_t *locks, uint64_t key, uint32_t thread, order_strength_t strength) {
  handover_t *handover = address_map_get(&locks->handovers, key);
  lock_not_alone(locks, thread, locks->now);
  if (handover)
    thread_order_receive(dependencies_order(locks->dependencies), thread, &handover->message,
                         strength);
}

// ---- barriers ----------------------------------------------------------------------------------

static void init_barrier(locks_t *locks, const reader_event_t *event) {
  handover_t *barrier = address_map_put(&locks->handovers, event->words[0]);
  order_message_drop(&barrier->message);
  *barrier = (handover_t){.parties = event->arg <= UINT32_MAX ? (uint32_t)event->arg : 0};
}

// Threads return from a round before any returns from the next one, for that needs all of them.
static void pass_barrier(locks_t *locks, const reader_event_t *event) {
  handover_t *barrier = address_map_get(&locks->handovers, event->words[0]);
  if (!barrier || !barrier->parties || trace_unzigzag(event->arg) < 0) return;
  thread_order_t *order = dependencies_order(locks->dependencies);
  if (!barrier->passed) barrier->round = thread_order_round(order);
  lock_not_alone(locks, event->thread, event->time);
  bool last = ++barrier->passed == barrier->parties;
  thread_order_pass(order, event->thread, barrier->round, last);
  if (last) barrier->passed = 0;
}

uint32_t locks_barrier_parties(const locks_t *locks, uint64_t address) {
  const handover_t *barrier = address_map_get(&locks->handovers, address);
  return barrier ? barrier->parties : 0;
}

// ---- descriptors -------------------------------------------------------------------------------

// No address is that high, and descriptors are numbered from 0.
static uint64_t key_of(uint64_t descriptor) { return ~(uint64_t)0 - (descriptor & INT32_MAX); }

static uint64_t *other_end(locks_t *locks, uint64_t descriptor) {
  return address_map_get(&locks->pipes, key_of(descriptor));
}

static void open_descriptor(locks_t *locks, const reader_event_t *event) {
  int64_t other = trace_unzigzag(event->words[1]);
  address_map_remove(&locks->pipes, key_of(event->arg), NULL);
  if ((event->words[0] != TRACE_DESCRIPTOR_PIPE && event->words[0] != TRACE_DESCRIPTOR_PAIR) ||
      other < 0)
    return;
  *(uint64_t *)address_map_put(&locks->pipes, key_of(event->arg)) = (uint64_t)other + 1;
  *(uint64_t *)address_map_put(&locks->pipes, key_of((uint64_t)other)) = event->arg + 1;
}

void lock_descriptor_step(locks_t *locks, const reader_event_t *event) {
  locks->now = event->time;
  if (event->phase != READER_BEGINS) lock_blocking_step(locks, event);
  const uint64_t *other;
  switch (event->kind) {
  case TRACE_DESCRIPTOR_OPEN:
    open_descriptor(locks, event);
    break;
  case TRACE_WRITE:
    if (event->phase == READER_ENDS || trace_unzigzag(event->words[0]) <= 0) break;
    other = other_end(locks, event->arg);
    lock_hand_over(locks, key_of(other ? *other - 1 : event->arg), event->thread);
    break;
  case TRACE_READ:
    if (trace_unzigzag(event->words[0]) > 0)
      lock_take_over(locks, key_of(event->arg), event->thread, ORDER_THIS_RUN);
    break;
  default:
    break;
  }
}

// ---- events ------------------------------------------------------------------------------------

void lock_handover_step(locks_t *locks, const reader_event_t *event) {
  switch (event->kind) {
  case TRACE_COND_SIGNAL:
    lock_hand_over(locks, event->words[0], event->thread);
    break;
  case TRACE_COND_WAIT:
    if (!event->arg) lock_take_over(locks, event->words[0], event->thread, ORDER_THIS_RUN);
    break;
  case TRACE_BARRIER_INIT:
    init_barrier(locks, event);
    break;
  case TRACE_BARRIER_WAIT:
    pass_barrier(locks, event);
    break;
  default:
    break;
  }
}
