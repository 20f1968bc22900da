// SPDX-License-Identifier: Apache-2.0
// What would mend a deadlock.
#include "analyzer/reports/names.h"
#include "analyzer/reports/verdict.h"

#include <string.h>

static bool frames_equal(const symbols_frame_t *a, const symbols_frame_t *b) {
  return a->offset == b->offset && a->line == b->line && !strcmp(a->module, b->module);
}

// The innermost frame of `stack` that `other` does not share: where both go through one helper, its
// caller is what tells them apart.
static const char *telling_site(names_t *names, uint32_t stack, uint32_t other) {
  size_t count, other_count;
  const symbols_frame_t *frames = names_frames_shown(names, stack, &count);
  const symbols_frame_t *others = names_frames_shown(names, other, &other_count);
  for (size_t i = 0; i < count && i < other_count; i++)
    if (!frames_equal(&frames[i], &others[i])) return names_frame_text(names, &frames[i]);
  return names_site(names, stack);
}

// Locks that one call made, again and again: their names do not tell which comes first.
static bool are_of_one_class(const analysis_t *analysis, const deadlock_t *deadlock) {
  const locks_t *locks = models_locks(analysis->models);
  const lock_t *first = locks_get(locks, deadlock->legs[0].wants);
  if (!first || !first->init_stack) return false;
  for (uint32_t i = 1; i < deadlock->leg_count; i++) {
    const lock_t *lock = locks_get(locks, deadlock->legs[i].wants);
    if (!lock || lock_class(lock) != lock_class(first)) return false;
  }
  return deadlock->leg_count > 1;
}

static void order_advice(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  if (are_of_one_class(analysis, deadlock)) {
    fputs("these locks are of one kind: whoever takes several takes them in one order, by address "
          "or index say; or try the second, and release the first where it is taken",
          stream);
    return;
  }
  const deadlock_leg_t *first = &deadlock->legs[0],
                       *last = &deadlock->legs[deadlock->leg_count - 1];
  const char *site = telling_site(analysis->names, last->wants_stack, first->wants_stack);
  fprintf(stream, "take %s always before %s", names_lock_unique(analysis->names, first->holds),
          names_lock_unique(analysis->names, first->wants));
  if (*site) fprintf(stream, "; %s does it the other way round", site);
  fprintf(stream, "; or take both under one lock of their own");
}

static void self_advice(FILE *stream, const deadlock_t *deadlock, const char *lock) {
  if (deadlock->legs[0].holds_mode == LOCK_MODE_SHARED)
    fprintf(stream,
            "a reader cannot become a writer: take %s for writing from the start, or release it, "
            "take it for writing, and look again at what was read",
            lock);
  else
    fprintf(stream,
            "release %s before this call, or give the callee a way in for callers that "
            "hold it; a recursive lock hides it only",
            lock);
}

static void orphan_advice(FILE *stream, const deadlock_t *deadlock, const char *lock) {
  if (deadlock->reason == DEADLOCK_REASON_INHERITED)
    fprintf(stream,
            "between fork and exec call only what is safe in signal handlers, or take %s in "
            "handlers of pthread_atfork",
            lock);
  else
    fprintf(stream,
            "release %s on every way out of the thread that took it (return, "
            "pthread_exit, cancellation, exception), or make it robust",
            lock);
}

static void condition_advice(FILE *stream, const deadlock_t *deadlock, const char *lock) {
  if (deadlock->arrived)
    fputs("before waiting look, with the mutex held, whether it has happened already; "
          "change what is waited for with that mutex held, then signal",
          stream);
  else
    fprintf(stream, "release %s before waiting, or use the one lock that goes with the condition",
            lock);
}

void verdict_advice(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  const deadlock_leg_t *leg = &deadlock->legs[0];
  const char *lock = leg->holds || leg->wants
                         ? names_lock_unique(analysis->names, leg->holds ? leg->holds : leg->wants)
                         : "the lock";
  switch (deadlock->kind) {
  case DEADLOCK_KIND_LOCK_ORDER:
  case DEADLOCK_KIND_RWLOCK:
    order_advice(stream, analysis, deadlock);
    return;
  case DEADLOCK_KIND_SELF:
    self_advice(stream, deadlock, lock);
    return;
  case DEADLOCK_KIND_JOIN:
    fprintf(stream, "release what is held before joining, or do not wait for it in a thread that "
                    "is joined");
    return;
  case DEADLOCK_KIND_ORPHAN:
    orphan_advice(stream, deadlock, lock);
    return;
  case DEADLOCK_KIND_POOL:
    fputs(
        "a job must not wait for another job of its own pool: submit what comes after as a job of "
        "its own, run the part itself instead of waiting for it, or give the parts another pool",
        stream);
    return;
  case DEADLOCK_KIND_LIVELOCK:
    fputs("who cannot get the second lock waits for that one next, with nothing held (as std::lock "
          "does); or all take them in one order; a random pause only makes it rarer",
          stream);
    return;
  case DEADLOCK_KIND_DESTROYED:
    fprintf(stream,
            "let %s go only when nobody can have it or want it any more: join its users, or count "
            "them, and release it before",
            lock);
    return;
  case DEADLOCK_KIND_SEMAPHORE:
    fprintf(stream, "post the semaphore on every way out, and take semaphores in one order");
    return;
  case DEADLOCK_KIND_BARRIER:
    fprintf(stream,
            "initialise the barrier for as many threads as come to it, and let none of them "
            "leave on another way");
    return;
  case DEADLOCK_KIND_CONDITION:
    condition_advice(stream, deadlock, lock);
    return;
  }
}
