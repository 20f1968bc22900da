// SPDX-License-Identifier: Apache-2.0
// Which descriptors are watched: those that are, or were, in an epoll set. Of all others nothing is
// recorded.
#ifndef PRELOAD_HOOKS_DESCRIPTOR_H
#define PRELOAD_HOOKS_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { DESCRIPTORS = 1 << 20 };  // numbers beyond are always watched
extern _Atomic uint64_t descriptor_watched[DESCRIPTORS / 64];

static inline uint64_t descriptor_bit(int descriptor) { return UINT64_C(1) << (descriptor % 64); }

static inline bool descriptor_is_watched(int descriptor) {
  if (descriptor < 0) return false;
  if (descriptor >= DESCRIPTORS) return true;
  const _Atomic uint64_t *word = &descriptor_watched[descriptor / 64];
  return atomic_load_explicit(word, memory_order_relaxed) & descriptor_bit(descriptor);
}

// Returns whether it was watched already.
static inline bool descriptor_watch(int descriptor) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS) return true;
  return atomic_fetch_or_explicit(&descriptor_watched[descriptor / 64], descriptor_bit(descriptor),
                                  memory_order_relaxed) &
         descriptor_bit(descriptor);
}

static inline void descriptor_unwatch(int descriptor) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS) return;
  atomic_fetch_and_explicit(&descriptor_watched[descriptor / 64], ~descriptor_bit(descriptor),
                            memory_order_relaxed);
}

#endif
