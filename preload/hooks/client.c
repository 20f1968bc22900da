// SPDX-License-Identifier: Apache-2.0
// The decisions about connections that the program opens.
#include "preload/hooks/client.h"

#include "preload/loop_sample.h"
#include "preload/naming.h"
#include "preload/system.h"

// Addresses that were connected to, and places where sockets were registered, hashed. One that
// finds its place taken counts as met: a program with thousands of them would be recorded whole.
enum { CLIENT_KNOWN = 1024 };
static uint64_t known[CLIENT_KNOWN];  // 0: none

static bool is_first(uint64_t key) {
  const uint64_t hash = lock_hash(key) | 1;
  uint64_t none = 0;
  return __atomic_compare_exchange_n(&known[lock_place(hash, CLIENT_KNOWN)], &none, hash, false,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static uint64_t address_key(const struct sockaddr *address, socklen_t length) {
  const socklen_t most = sizeof(struct sockaddr_storage);
  return naming_hash(address, length < most ? length : most);
}

static void skip(int descriptor, bool blocks) {
  descriptor_skip(descriptor, blocks);
  if (blocks) descriptor_look_whether_it_blocks(descriptor);
  descriptor_add(&descriptor_untold, descriptor);
  descriptor_add(&descriptor_opened_out, descriptor);
  descriptor_remove(&descriptor_unopened, descriptor);
}

// Whether it is recorded, which is said then.
static bool draws(lane_t *lane, int descriptor, bool certain) {
  const unsigned how = loop_sample_draw(lane, certain);
  if (how == TRACE_SAMPLED_OUT) return false;
  descriptor_open_late(lane, descriptor);
  loop_sample_tell(lane, descriptor, how);
  return true;
}

bool client_keeps(lane_t *lane, int descriptor, const struct sockaddr *address, socklen_t length,
                  bool waits) {
  if (descriptor_is_skipped(descriptor)) return false;
  if (!lane->loops || !descriptor_in(&descriptor_fresh, descriptor)) return true;
  descriptor_remove(&descriptor_fresh, descriptor);
  if (draws(lane, descriptor, is_first(address_key(address, length)))) return true;
  skip(descriptor, !waits);
  return false;
}

// A stream that is not listened at, and is not connected, is going to be. What a loop registers
// before its first turn is its own: listeners, sockets for datagrams.
static bool is_to_be_connected(const lane_t *lane, int descriptor) {
  if (!lane->loops || lane->loops->turn == LOOP_TURN_NONE) return false;
  int type = 0, listens = 1;
  socklen_t length = sizeof type;
  return !system_failed(
             system_call(SYS_getsockopt, descriptor, SOL_SOCKET, SO_TYPE, &type, &length)) &&
         type == SOCK_STREAM &&
         !system_failed(system_call(SYS_getsockopt, descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens,
                                    &length)) &&
         !listens;
}

void client_registers(const stacks_origin_t *origin, int descriptor) {
  lane_t *lane = lane_enter(origin, TRACE_DESCRIPTOR_SAMPLED);
  if (!lane) return;
  if (is_to_be_connected(lane, descriptor) && !draws(lane, descriptor, is_first(origin->ip)))
    skip(descriptor, true);
  descriptor_open_late(lane, descriptor);
  descriptor_remove(&descriptor_fresh, descriptor);
  lane_leave(lane);
}

void client_count(lane_t *lane, int descriptor) {
  descriptor_remove(&descriptor_untold, descriptor);
  loop_sample_count_out(lane);
}
