// SPDX-License-Identifier: Apache-2.0
// What a mutex says of itself: glibc keeps its kind in the object (pthreadP.h), so that one which
// was initialised statically, or before we looked, is known as well.
#ifndef PRELOAD_HOOKS_MUTEX_H
#define PRELOAD_HOOKS_MUTEX_H

#include "formats/events.h"

#include <pthread.h>
#include <stdint.h>

enum {
  MUTEX_KIND_TYPE = 3,  // PTHREAD_MUTEX_*_NP: timed (normal), recursive, errorcheck, adaptive
  MUTEX_KIND_ROBUST = 16,
  MUTEX_KIND_INHERIT = 32,
  MUTEX_KIND_PROTECT = 64,
  MUTEX_KIND_SHARED = 128,
  // What is none of a plain mutex.
  MUTEX_KIND_UNUSUAL = MUTEX_KIND_TYPE | MUTEX_KIND_ROBUST | MUTEX_KIND_INHERIT |
                       MUTEX_KIND_PROTECT | MUTEX_KIND_SHARED,
};

static inline unsigned mutex_kind(const pthread_mutex_t *mutex) {
  return (unsigned)__atomic_load_n(&mutex->__data.__kind, __ATOMIC_RELAXED);
}

// The TRACE_LOCK_ bits of a mutex.
static inline uint32_t mutex_bits(const pthread_mutex_t *mutex) {
  static const uint32_t types[] = {0, TRACE_LOCK_RECURSIVE, TRACE_LOCK_ERRORCHECK,
                                   TRACE_LOCK_ADAPTIVE};
  const unsigned kind = mutex_kind(mutex);
  return TRACE_LOCK_MUTEX | types[kind & MUTEX_KIND_TYPE] |
         (kind & MUTEX_KIND_ROBUST ? TRACE_LOCK_ROBUST : 0) |
         (kind & MUTEX_KIND_INHERIT ? TRACE_LOCK_INHERIT : 0) |
         (kind & MUTEX_KIND_PROTECT ? TRACE_LOCK_PROTECT : 0) |
         (kind & MUTEX_KIND_SHARED ? TRACE_LOCK_PROCESS_SHARED : 0);
}

#endif
