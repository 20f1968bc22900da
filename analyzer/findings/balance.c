// SPDX-License-Identifier: Apache-2.0
// Sums of events by the place where loops were made.
#include "analyzer/findings/balance.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>

typedef struct {
  uint64_t loops, events, busy_ns, most;  // most: events of the busiest loop
} place_t;

struct balances {
  const loops_t *loops;
  address_map_t places;  // stack -> place_t
};

static bool takes_part(const loop_t *loop) {
  return loop->site && loop->thread_count && !loop_serves_one(loop);
}

balances_t *balances_open(const loops_t *loops) {
  balances_t *balances = array_zeroed(1, sizeof *balances);
  balances->loops = loops;
  balances->places = (address_map_t)ADDRESS_MAP(place_t);
  for (uint32_t at = 0; at < loops_count(loops); ++at) {
    const loop_t *loop = loops_get(loops, at);
    if (!takes_part(loop)) continue;
    place_t *place = address_map_put(&balances->places, loop->site);
    ++place->loops;
    place->events += loop->events;
    place->busy_ns += loop->busy_ns;
    if (loop->events > place->most) place->most = loop->events;
  }
  return balances;
}

void balances_close(balances_t *balances) {
  if (!balances) return;
  address_map_clear(&balances->places);
  free(balances);
}

static double share_of(uint64_t part, uint64_t whole) {
  return whole ? (double)part / (double)whole : 0;
}

balance_t balances_get(const balances_t *balances, uint32_t index) {
  const loop_t *loop = loops_get(balances->loops, index);
  const place_t *place = takes_part(loop) ? address_map_get(&balances->places, loop->site) : NULL;
  if (!place || place->loops < 2) return (balance_t){0};
  uint64_t others = place->loops - 1, rest = place->events - loop->events;
  double share = share_of(loop->events, place->events);
  return (balance_t){
      .loops = (uint32_t)place->loops,
      .events_share = share,
      .busy_share = share_of(loop->busy_ns, place->busy_ns),
      .ratio = share * (double)place->loops,
      .unbalanced = place->events >= BALANCE_EVENTS_LEAST && loop->events == place->most &&
                    (double)loop->events * (double)others > 2 * (double)rest,
  };
}
