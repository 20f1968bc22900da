// SPDX-License-Identifier: Apache-2.0
// Deadlocks, locks and conditions as JSON.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/verdict.h"

#include <stdlib.h>

static json_t *lock_reference(const analysis_t *analysis, uint32_t lock, lock_mode_t mode,
                              uint32_t stack) {
  json_t *value = json_pack("{s:o, s:o, s:o, s:o}", "lock",
                            lock ? json_text(names_lock(analysis->names, lock)) : json_null(), "id",
                            lock ? json_number(lock) : json_null(), "mode",
                            json_text(lock_mode_name(mode)), "stack", json_stack(analysis, stack));
  return value;
}

static json_t *leg_value(const analysis_t *analysis, const deadlock_leg_t *leg) {
  json_t *also = json_array(), *value = json_object(), *wants;
  for (uint32_t i = 0; i < leg->also_held; i++)
    json_array_append_new(also, json_text(names_lock(analysis->names, leg->also_holds[i])));
  wants = lock_reference(analysis, leg->wants, leg->wants_mode, leg->wants_stack);
  json_object_set_new(wants, "thread", json_thread(analysis, leg->wants_thread));
  json_object_set_new(value, "thread", json_thread(analysis, leg->thread));
  json_object_set_new(value, "threads", json_number(leg->thread_count));
  json_object_set_new(value, "holds",
                      leg->holds
                          ? lock_reference(analysis, leg->holds, leg->holds_mode, leg->holds_stack)
                          : json_null());
  json_object_set_new(value, "wants", wants);
  json_object_set_new(value, "timed", json_boolean(leg->timed));
  json_object_set_new(value, "condition",
                      leg->condition
                          ? json_text(names_address(analysis->names, "condition", leg->condition))
                          : json_null());
  json_object_set_new(value, "count", json_number(leg->count));
  json_object_set_new(value, "first_ns", json_number(leg->first_ns));
  json_object_set_new(value, "last_ns", json_number(leg->last_ns));
  json_object_set_new(value, "also_holds", also);
  return value;
}

static json_t *doubts_value(const deadlock_t *deadlock) {
  json_t *list = json_array();
  for (int doubt = 0; doubt < DEADLOCK_DOUBT_COUNT; doubt++)
    if (deadlock->why_not_ruled_out >> doubt & 1)
      json_array_append_new(list, json_text(deadlock_doubt_text((deadlock_doubt_t)doubt)));
  return list;
}

static json_t *bystanders_value(const analysis_t *analysis, const deadlock_t *deadlock) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < deadlock->bystander_count; i++) {
    const deadlock_bystander_t *stuck = &deadlock->bystanders[i];
    json_t *wants = lock_reference(analysis, stuck->wants, LOCK_MODE_EXCLUSIVE, stuck->stack);
    json_object_set_new(wants, "thread", json_thread(analysis, stuck->wants_thread));
    json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "thread",
                                          json_thread(analysis, stuck->thread), "wants", wants,
                                          "since_ns", json_number(stuck->since_ns)));
  }
  return list;
}

static json_t *advice_value(const analysis_t *analysis, const deadlock_t *deadlock) {
  char *text = NULL;
  size_t length;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) return json_null();
  verdict_advice(stream, analysis, deadlock);
  fclose(stream);
  json_t *value = json_text(text);
  free(text);
  return value;
}

// The run that hangs: who takes what, then who asks for what.
static json_t *schedule_value(const analysis_t *analysis, const deadlock_t *deadlock) {
  json_t *list = json_array();
  for (uint32_t i = 0; deadlock->schedule && i < deadlock->leg_count * 2; i++) {
    const deadlock_step_t *step = &deadlock->schedule[i];
    const deadlock_leg_t *leg = &deadlock->legs[step->leg];
    json_t *value = json_object();
    json_object_set_new(value, "thread", json_thread(analysis, leg->thread));
    json_object_set_new(value, "does", json_text(step->asks ? "asks" : "takes"));
    json_object_set_new(
        value, "lock",
        json_text(names_lock(analysis->names, step->asks ? leg->wants : leg->holds)));
    json_array_append_new(list, value);
  }
  return list;
}

static json_t *deadlock_value(const analysis_t *analysis, const deadlock_t *deadlock) {
  json_t *cycle = json_array(), *legs = json_array(), *value = json_object();
  for (uint32_t i = 0; i < deadlock->leg_count; i++) {
    json_array_append_new(cycle, json_text(verdict_cycle_member(analysis, deadlock, i)));
    json_array_append_new(legs, leg_value(analysis, &deadlock->legs[i]));
  }
  json_object_set_new(value, "id", json_number(deadlock->id));
  json_object_set_new(value, "verdict", json_text(deadlock_verdict_name(deadlock->verdict)));
  json_object_set_new(value, "reason", json_text(deadlock_reason_text(deadlock->reason)));
  json_object_set_new(value, "kind", json_text(deadlock_kind_name(deadlock->kind)));
  json_object_set_new(value, "cycle", cycle);
  json_object_set_new(value, "legs", legs);
  json_object_set_new(value, "why_not_ruled_out", doubts_value(deadlock));
  json_object_set_new(value, "schedule", schedule_value(analysis, deadlock));
  json_object_set_new(value, "gate",
                      deadlock->gate ? json_text(names_lock(analysis->names, deadlock->gate))
                                     : json_null());
  json_object_set_new(value, "condition",
                      deadlock->condition ? json_text(names_address(analysis->names, "condition",
                                                                    deadlock->condition))
                                          : json_null());
  json_object_set_new(value, "signalled", json_number(deadlock->signalled));
  json_object_set_new(value, "passed_on",
                      locks_get(models_locks(analysis->models), deadlock->between)
                          ? json_text(names_lock(analysis->names, deadlock->between))
                          : json_null());
  json_object_set_new(value, "queued", json_number(deadlock->queued));
  json_object_set_new(value, "over_ns",
                      deadlock->over_ns ? json_number(deadlock->over_ns) : json_null());
  json_object_set_new(value, "ended_thread", json_thread(analysis, deadlock->ended_thread));
  json_object_set_new(value, "merged", json_number(deadlock->merged));
  json_object_set_new(value, "bystanders", bystanders_value(analysis, deadlock));
  json_object_set_new(value, "advice",
                      deadlock->verdict == DEADLOCK_BENIGN ? json_null()
                                                           : advice_value(analysis, deadlock));
  return value;
}

json_t *json_deadlocks(const analysis_t *analysis, bool all) {
  json_t *list = json_array();
  for (size_t i = 0; i < analysis->deadlocks->count; i++)
    if (all || analysis->deadlocks->items[i].verdict != DEADLOCK_BENIGN)
      json_array_append_new(list, deadlock_value(analysis, &analysis->deadlocks->items[i]));
  return list;
}

static json_t *holders_value(const analysis_t *analysis, const lock_t *lock) {
  json_t *list = json_array();
  if (lock->owner.thread) json_array_append_new(list, json_thread(analysis, lock->owner.thread));
  for (uint32_t i = 0; i < lock->reader_count; i++)
    json_array_append_new(list, json_thread(analysis, lock->readers[i].thread));
  return list;
}

static json_t *hold_value(const lock_t *lock) {
  json_t *hold = json_histogram(&lock->hold_ns);
  json_object_set_new(hold, "holds", json_number(lock->holds));
  if (lock->holds > lock->hold_ns.count) json_object_set_new(hold, "estimated", json_true());
  return hold;
}

static json_t *lock_value(const analysis_t *analysis, const lock_t *lock) {
  uint32_t created = lock->init_stack   ? lock->init_stack
                     : lock->block.size ? lock->block.stack
                                        : lock->first_stack;
  json_t *value = json_object();
  json_object_set_new(value, "id", json_number(lock->id));
  json_object_set_new(value, "kind", json_text(lock_kind_name(lock->bits)));
  json_object_set_new(value, "name", json_text(names_lock(analysis->names, lock->id)));
  json_object_set_new(value, "address", json_address(lock->address));
  json_object_set_new(value, "created_at", json_stack(analysis, created));
  json_object_set_new(value, "acquisitions", json_number(lock->acquisitions));
  if (locks_are_sampled(models_locks(analysis->models))) {
    json_object_set_new(value, "estimated", json_true());
    json_object_set_new(value, "acquisitions_error",
                        json_number(estimate_error(
                            locks_acquisitions_variance(models_locks(analysis->models), lock))));
  }
  json_object_set_new(value, "contended", json_number(lock->contended));
  json_object_set_new(value, "failed", json_number(lock->failed));
  json_object_set_new(value, "wait_ns", json_histogram(&lock->wait_ns));
  json_object_set_new(value, "hold_ns", hold_value(lock));
  json_object_set_new(value, "max_waiters", json_number(lock->max_waiters));
  json_object_set_new(value, "waiters_by_site", json_sites(analysis, &lock->waiters));
  json_object_set_new(value, "holders_by_site", json_holders(analysis, &lock->holders));
  json_lock_contention(analysis, lock, value);
  json_object_set_new(value, "held_at_end", json_boolean(lock_is_held(lock)));
  json_object_set_new(value, "held_by", holders_value(analysis, lock));
  json_object_set_new(value, "instances", json_number(lock->instances));
  json_object_set_new(value, "end", json_text(lock_end_text(lock->end)));
  json_object_set_new(value, "first_ns", json_number(lock->first_ns));
  json_object_set_new(value, "last_ns", json_number(lock->last_ns));
  return value;
}

json_t *json_locks(const analysis_t *analysis) {
  json_t *list = json_array();
  ranking_t ranking = ranking_locks(analysis, OPTIONS_SORT_DEFAULT);
  for (size_t i = 0; i < ranking.count; i++)
    json_array_append_new(
        list, lock_value(analysis, locks_get(models_locks(analysis->models), ranking.ids[i])));
  ranking_free(&ranking);
  return list;
}

json_t *json_conditions(const analysis_t *analysis) {
  json_t *list = json_array();
  const locks_t *locks = models_locks(analysis->models);
  for (uint32_t i = 0; i < locks_condition_count(locks); i++) {
    const condition_t *condition = locks_condition(locks, i);
    json_t *value = json_object();
    json_object_set_new(value, "id", json_number(i + 1));
    json_object_set_new(value, "name",
                        json_text(names_address(analysis->names, "condition", condition->address)));
    json_object_set_new(value, "address", json_address(condition->address));
    json_object_set_new(value, "waits", json_number(condition->waits));
    json_object_set_new(value, "signals", json_number(condition->signals));
    json_object_set_new(value, "broadcasts", json_number(condition->broadcasts));
    json_object_set_new(value, "timeouts", json_number(condition->timeouts));
    json_object_set_new(value, "wait_ns", json_histogram(&condition->wait_ns));
    wakers_condition_t wakes =
        wakers_condition(models_wakers(analysis->models), condition->address);
    json_object_set_new(value, "signal_wait_ns", json_histogram(&condition->signal_ns));
    json_object_set_new(value, "mutex_wait_ns", json_histogram(&condition->mutex_ns));
    json_object_set_new(value, "latency_ns", json_number(condition->latency_ns));
    json_object_set_new(value, "signals_without_effect", json_number(wakes.signals_without_effect));
    json_object_set_new(value, "waits_without_signal", json_number(wakes.waits_without_signal));
    json_object_set_new(value, "signallers_by_site", json_sites(analysis, &condition->signallers));
    json_object_set_new(value, "waiters_by_site", json_sites(analysis, &condition->waiters));
    json_array_append_new(list, value);
  }
  return list;
}
