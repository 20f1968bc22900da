// SPDX-License-Identifier: Apache-2.0
// Mutexes.
//
// A request that has to wait is announced before it waits. Whether it will is asked with the real
// trylock where that is the same as the lock that does not wait (an adaptive one spins only after
// it was not free); the kinds for which it is not (robust, priority protocols: it would change who
// inherits what) are announced each time, and the lock word says whether somebody held it.
//
// A release, or a destruction, that fails is followed by a lock-fail of the same mutex without a
// wait: it did not take place.
#include "preload/hooks/mutex.h"
#include "preload/hooks/lock.h"

#include <errno.h>
#include <sys/single_threaded.h>

static inline void mutex_failed(lane_t *lane, const stacks_origin_t *origin,
                                const pthread_mutex_t *mutex, uint32_t bits, int result) {
  lane_record3(lane, TRACE_LOCK_FAIL, lane_stack(lane, origin), bits, (uintptr_t)mutex, 0,
               trace_zigzag(-result));
}

// ---- acquiring -----------------------------------------------------------------------------

static bool has_plain_trylock(uint32_t bits) {
  return !(bits & (TRACE_LOCK_ROBUST | TRACE_LOCK_INHERIT | TRACE_LOCK_PROTECT));
}

// glibc's trylock pays for an atomic instruction that its lock spares while there is one thread.
// Nobody can come between the look and the lock then, unless from another process.
static inline bool is_free_for_one_thread(const pthread_mutex_t *mutex, uint32_t bits) {
  return __libc_single_threaded && !(bits & TRACE_LOCK_PROCESS_SHARED) &&
         __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) == 0;
}

// Takes the mutex if that is possible at once: then it is recorded, the lane left, and true.
static inline bool lock_at_once(lane_t *lane, const stacks_origin_t *origin, pthread_mutex_t *mutex,
                                uint32_t bits) {
  if (!has_plain_trylock(bits)) return false;
  const int result = is_free_for_one_thread(mutex, bits) ? real_pthread_mutex_lock(mutex)
                                                         : real_pthread_mutex_trylock(mutex);
  if (result != 0) return false;
  lock_record_acquire(lane, origin, bits, (uintptr_t)mutex);
  lane_leave(lane);
  return true;
}

// What the lock word says: somebody else, or for kinds that do not count the thread itself, has it.
// The word holds 0, 1, 2 or the owner's id; above that flags, or the priority ceiling.
static bool is_held(const lane_t *lane, const pthread_mutex_t *mutex, uint32_t bits) {
  const uint32_t mask = bits & TRACE_LOCK_PROTECT ? 0x7ffff : 0x3fffffff;
  const uint32_t word = (uint32_t)__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED);
  const uint32_t owner = (uint32_t)__atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED);
  return (word & mask) != 0 && !(bits & TRACE_LOCK_RECURSIVE && owner == lane->tid);
}

// A request on its way through the real call.
typedef struct {
  pthread_mutex_t *mutex;
  uint32_t bits;
  bool waits;
  hook_wait_t wait;
} request_t;

static HOOK_BODY void request_begin(request_t *request, lane_t *lane,
                                    const stacks_origin_t *origin) {
  pthread_mutex_t *mutex = request->mutex;
  const uint32_t bits = request->bits;
  request->waits = has_plain_trylock(bits) || is_held(lane, mutex, bits);
  if (bits & TRACE_LOCK_PROCESS_SHARED) lane_note_shared(lane, (uintptr_t)mutex);
  hook_wait_begin(&request->wait, lane, origin, TRACE_PENDING_LOCK, (uintptr_t)mutex,
                  bits | lock_owner_bits(bits, (uintptr_t)mutex));
}

static HOOK_BODY int request_end(request_t *request, const stacks_origin_t *origin, int result) {
  hook_wait_t *wait = &request->wait;
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return result;
  if (result == 0 && !request->waits && wait->ticks < recorder_wait_ticks) {
    lock_record_acquire(lane, origin, request->bits, (uintptr_t)request->mutex);
    lane_leave(lane);
    return 0;
  }
  const uint32_t stack = wait->ticks >= recorder_wait_ticks
                             ? lane_stack_take(lane, origin)
                             : lane_stack_lock(lane, origin, (uintptr_t)request->mutex);
  const uint32_t bits = request->bits | (result == EOWNERDEAD ? TRACE_LOCK_OWNER_DIED : 0);
  const uintptr_t mutex = (uintptr_t)request->mutex;
  if (result != 0 && result != EOWNERDEAD)
    lane_record(lane, TRACE_LOCK_FAIL, stack, bits, wait->now, 3, mutex, wait->ticks,
                trace_zigzag(-result));
  else if (request->waits) {
    lane_note_contended(lane, mutex);
    lane_record(lane, TRACE_LOCK_WAIT, stack, bits, wait->now, 2, mutex, wait->ticks, 0);
  } else
    lane_record(lane, TRACE_LOCK_ACQUIRE, stack, bits, wait->now, 1, mutex, 0, 0);
  if (result == 0 || result == EOWNERDEAD) lock_sample_note(lane, origin, bits, mutex, stack);
  lane_leave(lane);
  return result;
}

// What a hook does that acquires `mutex` and may wait. `how`: bits of the request. `checked`: the
// real function would look at nothing but the mutex where that is free.
#define LOCK(name, arguments, how, checked)                                                        \
  const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                               \
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);                                          \
  if (!lane) return real_##name arguments;                                                         \
  const uint32_t bits = mutex_bits(mutex) | (how);                                                 \
  if ((checked) && lock_at_once(lane, &origin, mutex, bits)) return 0;                             \
  request_t request;                                                                               \
  request.mutex = mutex;                                                                           \
  request.bits = bits;                                                                             \
  request_begin(&request, lane, &origin);                                                          \
  return request_end(&request, &origin, real_##name arguments)

#define LOCKER(name, parameters, arguments, how, checked)                                          \
  HOOK(lock, int, name, parameters, arguments) { LOCK(name, arguments, how, checked); }

// Takes the mutex, and notes it as held, where that is possible at once.
static inline bool lock_noted(lane_t *lane, pthread_mutex_t *mutex, const lock_site_t *site,
                              uint32_t count) {
  if (unlikely(mutex_kind(mutex) & MUTEX_KIND_UNUSUAL)) return false;
  lane->guard = site->cfa;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  const int result = is_free_for_one_thread(mutex, 0) ? real_pthread_mutex_lock(mutex)
                                                      : real_pthread_mutex_trylock(mutex);
  if (likely(result == 0)) lock_sample_pass(lane, site, TRACE_LOCK_MUTEX, (uintptr_t)mutex, count);
  lane_leave(lane);
  return result == 0;
}

static HOOK_BODY bool lock_nested(lane_t *lane, pthread_mutex_t *mutex, uint64_t ip,
                                  uintptr_t cfa) {
  lock_site_t site = {.ip = ip, .cfa = cfa};
  return lock_sample_may_pass(lane, (uintptr_t)mutex, &site) &&
         lock_sample_knows(lane->locks, ip, (uintptr_t)mutex) &&
         lock_noted(lane, mutex, &site, lane->locks->count);
}

// Where locks are sampled, most of them are not recorded: that is decided first, and takes few
// registers and no frame to speak of. Only for a plain mutex, which is the thread's if it is true.
static inline bool lock_unrecorded(pthread_mutex_t *mutex, uint64_t ip, uintptr_t cfa) {
  lane_t *lane = lane_current;
  if (unlikely(!lane || (lane->guard | lane->pend_cfa | lane->heap_cfa) || !lane->locks))
    return false;
  if (lane->locks->count > 0) return lock_nested(lane, mutex, ip, cfa);
  lock_site_t site = {.ip = ip, .cfa = cfa};
  return lock_sample_may_pass(lane, (uintptr_t)mutex, &site) &&
         likely(lock_is_met(lane->locks, (uintptr_t)mutex)) && lock_noted(lane, mutex, &site, 0);
}

HOOK_SAMPLED(lock, int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex),
             lock_unrecorded(mutex, origin.ip, origin.cfa), 0) {
  LOCK(pthread_mutex_lock, (mutex), 0, true);
}
LOCKER(pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *limit),
       (mutex, limit), TRACE_LOCK_TIMED, true)
LOCKER(pthread_mutex_clocklock,
       (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *limit),
       (mutex, clock, limit), TRACE_LOCK_TIMED, clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC)

HOOK(lock, int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);
  if (!lane) return real_pthread_mutex_trylock(mutex);
  const int result = real_pthread_mutex_trylock(mutex);
  uint32_t bits =
      mutex_bits(mutex) | TRACE_LOCK_TRY | (result == EOWNERDEAD ? TRACE_LOCK_OWNER_DIED : 0);
  if (result == 0 || result == EOWNERDEAD)
    lock_record_acquire(lane, &origin, bits, (uintptr_t)mutex);
  else if (lock_sample_keeps_failure(lane, &bits))
    mutex_failed(lane, &origin, mutex, bits, result);
  lane_leave(lane);
  return result;
}

// ---- releasing -----------------------------------------------------------------------------

// What the lock word says where it is a plain one: 2, somebody may wait (lowlevellock.h of glibc).
static bool has_waiters(const pthread_mutex_t *mutex, uint32_t bits) {
  return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) > 1 && has_plain_trylock(bits);
}

// One that was not recorded, and that nobody waits for: nothing of its release is. Such a mutex,
// held by this thread, is released without fail.
static inline bool unlock_unrecorded(const pthread_mutex_t *mutex) {
  lane_t *lane = lane_current;
  if (unlikely(!lane || (lane->guard | lane->pend_cfa | lane->heap_cfa))) return false;
  if (unlikely(mutex_kind(mutex) & MUTEX_KIND_UNUSUAL)) return false;
  return likely(__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) <= 1) &&
         likely(lock_sample_forgets(lane, (uintptr_t)mutex));
}

HOOK_SAMPLED(lock, int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex),
             unlock_unrecorded(mutex), real_pthread_mutex_unlock(mutex)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_RELEASE);
  if (!lane) return real_pthread_mutex_unlock(mutex);
  // Read before it is released: it may be gone after that.
  const uint32_t bits = mutex_bits(mutex);
  lock_record_release(lane, bits, (uintptr_t)mutex, has_waiters(mutex, bits));
  const int result = real_pthread_mutex_unlock(mutex);
  if (unlikely(result != 0)) mutex_failed(lane, &origin, mutex, bits, result);
  lane_leave(lane);
  return result;
}

// ---- life ----------------------------------------------------------------------------------

HOOK(lock, int, pthread_mutex_init,
     (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_mutex_init(mutex, attributes);
  lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_LOCK_INIT) : NULL;
  if (!lane) return result;
  lock_initialised(lane, &origin, mutex_bits(mutex), (uintptr_t)mutex);
  return result;
}

HOOK(lock, int, pthread_mutex_destroy, (pthread_mutex_t * mutex), (mutex)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_DESTROY);
  if (!lane) return real_pthread_mutex_destroy(mutex);
  const uint32_t bits = mutex_bits(mutex);
  lock_sample_end_epoch((uintptr_t)mutex);
  lane_record1(lane, TRACE_LOCK_DESTROY, lane_stack(lane, &origin), bits, (uintptr_t)mutex);
  const int result = real_pthread_mutex_destroy(mutex);
  if (result != 0) mutex_failed(lane, &origin, mutex, bits, result);
  lane_leave(lane);
  return result;
}

HOOK(lock, int, pthread_mutex_consistent, (pthread_mutex_t * mutex), (mutex)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_mutex_consistent(mutex);
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_REPAIR);
  if (!lane) return result;
  lane_record1(lane, TRACE_LOCK_REPAIR, lane_stack(lane, &origin), trace_zigzag(-result),
               (uintptr_t)mutex);
  lane_leave(lane);
  return result;
}

HOOK_ALIAS(pthread_mutex_consistent_np, pthread_mutex_consistent)
HOOK_ALIAS(__pthread_mutex_init, pthread_mutex_init)
HOOK_ALIAS(__pthread_mutex_destroy, pthread_mutex_destroy)
HOOK_ALIAS(__pthread_mutex_lock, pthread_mutex_lock)
HOOK_ALIAS(__pthread_mutex_trylock, pthread_mutex_trylock)
HOOK_ALIAS(__pthread_mutex_unlock, pthread_mutex_unlock)
