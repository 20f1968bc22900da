// SPDX-License-Identifier: Apache-2.0
// Tasks, loops and memory as JSON.
#include "analyzer/findings/balance.h"
#include "analyzer/findings/scheduling.h"
#include "analyzer/models/thread_timeline.h"
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/taskview.h"

static json_t *times_value(const analysis_t *analysis, uint64_t thread) {
  const thread_account_t *account = threads_get(models_threads(analysis->models), (uint32_t)thread);
  json_t *times = json_object();
  for (int state = 0; state < THREAD_STATE_COUNT; state++)
    json_object_set_new(times, taskview_state_key((thread_state_t)state),
                        json_number(account->time_ns[state]));
  return times;
}

// The life in at most TIMELINE_PARTS pieces of equal length: ns of each part that there was.
static json_t *timeline_value(const analysis_t *analysis, const thread_account_t *account) {
  uint64_t end = models_end_ns(analysis->models), parts[THREAD_PART_COUNT];
  uint64_t width = end / TIMELINE_PARTS + 1;
  if (!account->timeline) return json_null();
  json_t *value = json_object();
  json_object_set_new(value, "width_ns", json_number(width));
  for (int part = 0; part < THREAD_PART_COUNT; part++) {
    json_t *list = json_array();
    bool any = false;
    for (uint64_t from = 0; from < end; from += width) {
      bool lived = thread_timeline_parts(account, from, from + width, parts);
      any |= lived && parts[part];
      json_array_append_new(list, json_number(lived ? parts[part] : 0));
    }
    if (any)
      json_object_set_new(value, thread_part_key((thread_part_t)part), list);
    else
      json_decref(list);
  }
  return value;
}

static void thread_add(const analysis_t *analysis, const taskview_t *view, json_t *value) {
  uint32_t index = (uint32_t)view->id;
  const thread_account_t *account = threads_get(models_threads(analysis->models), index);
  const reader_thread_t *thread =
      index < reader_thread_count(analysis->reader) ? reader_thread(analysis->reader, index) : NULL;
  json_object_set_new(value, "tid", thread ? json_number(thread->tid) : json_null());
  json_object_set_new(value, "time_ns", times_value(analysis, view->id));
  bool scheduled = account->scheduled_ns > 0;
  json_object_set_new(value, "ran_ns",
                      account->ran_known ? json_number(account->ran_ns) : json_null());
  json_object_set_new(value, "runnable_ns",
                      scheduled ? json_number(account->runnable_ns) : json_null());
  json_object_set_new(value, "doing",
                      json_text(account->ended ? "ended" : thread_state_text(account->state)));
  json_object_set_new(
      value, "since_ns",
      json_number(account->pending.what ? account->pending.since_ns : account->last_event_ns));
  json_object_set_new(value, "stack", json_stack(analysis, account->pending.stack));
  json_object_set_new(value, "timeline", timeline_value(analysis, account));
  json_object_set_new(value, "events", json_number(account->events));
  json_object_set_new(value, "events_lost", json_number(account->lost));
}

static void descriptor_add(const analysis_t *analysis, const task_t *task, json_t *value) {
  json_t *response = json_object();
  json_object_set_new(response, "count", json_number(task->responses));
  json_object_set_new(response, "total", json_number(task->response_total_ns));
  json_object_set_new(response, "max", json_number(task->response_max_ns));
  json_object_set_new(value, "descriptor", json_integer(task->descriptor));
  json_object_set_new(value, "loop", json_number(task->loop));
  json_object_set_new(value, "address", json_text(task->name));
  json_object_set_new(value, "accepts", json_number(task->accepts));
  json_object_set_new(value, "reads", json_number(task->reads));
  json_object_set_new(value, "writes", json_number(task->writes));
  json_object_set_new(value, "bytes_in", json_number(task->bytes_in));
  json_object_set_new(value, "bytes_out", json_number(task->bytes_out));
  json_object_set_new(value, "max_scheduled_ns", json_number(task->max_scheduled_ns));
  json_object_set_new(value, "response_ns", response);
  json_object_set_new(value, "stands_for",
                      json_number(tasks_weight(models_tasks(analysis->models), task)));
}

static void sum_set(json_t *value, const char *key, const tasks_totals_t *totals,
                    const estimate_sum_t *sum) {
  estimate_total_t total = tasks_total(totals, sum);
  char name[32];
  json_object_set_new(value, key, json_number(estimate_round(total.value)));
  if (!totals->out) return;
  snprintf(name, sizeof name, "%s_error", key);
  json_object_set_new(value, name,
                      totals->drawn ? json_number(estimate_error(total.variance)) : json_null());
}

// Of all tasks, also of connections out of the sample. An error that is null: nobody knows.
json_t *json_task_totals(const analysis_t *analysis) {
  tasks_totals_t totals = tasks_totals(models_tasks(analysis->models));
  json_t *value = json_object();
  if (totals.out) json_object_set_new(value, "estimated", json_true());
  json_object_set_new(value, "tasks", json_number(totals.recorded + totals.out));
  json_object_set_new(value, "recorded", json_number(totals.recorded));
  json_object_set_new(value, "drawn", json_number(totals.drawn));
  json_object_set_new(value, "not_recorded", json_number(totals.out));
  json_object_set_new(value, "lost", json_number(totals.lost));
  sum_set(value, "polls", &totals, &totals.polls);
  sum_set(value, "calls", &totals, &totals.calls);
  sum_set(value, "bytes_in", &totals, &totals.bytes_in);
  sum_set(value, "bytes_out", &totals, &totals.bytes_out);
  sum_set(value, "responses", &totals, &totals.responses);
  return value;
}

json_t *json_tasks(const analysis_t *analysis) {
  json_t *list = json_array();
  taskview_t view;
  for (uint64_t position = 0; taskview_next(analysis, &position, &view);) {
    json_t *value = json_object();
    json_object_set_new(value, "id", json_number(view.id));
    json_object_set_new(value, "kind", json_text(view.kind));
    json_object_set_new(value, "what", json_text(view.what));
    json_object_set_new(value, "name", json_text(view.name));
    json_object_set_new(value, "state", json_text(view.state));
    json_object_set_new(value, "created_ns", json_number(view.created_ns));
    json_object_set_new(value, "ended_ns", view.ended ? json_number(view.ended_ns) : json_null());
    json_object_set_new(value, "parent", view.parent ? json_number(view.parent) : json_null());
    json_object_set_new(value, "site", json_text(*view.site ? view.site : NULL));
    json_object_set_new(value, "polls", json_number(view.polls));
    json_object_set_new(value, "running_ns", json_number(view.running_ns));
    json_object_set_new(value, "scheduled_ns", json_number(view.scheduled_ns));
    json_object_set_new(value, "idle_ns", json_number(view.idle_ns));
    json_object_set_new(value, "blocked_ns", json_number(view.blocked_ns));
    json_object_set_new(value, "max_poll_ns", json_number(view.max_poll_ns));
    if (view.descriptor)
      descriptor_add(analysis, view.descriptor, value);
    else
      thread_add(analysis, &view, value);
    json_array_append_new(list, value);
  }
  return list;
}

static json_t *stall_value(const analysis_t *analysis, const loop_stall_t *stall) {
  const task_t *task =
      stall->task ? tasks_by_id(models_tasks(analysis->models), stall->task) : NULL;
  const char *call = stall->blocked_kind && stall->blocked_kind < TRACE_KIND_LIMIT
                         ? trace_event_kinds[stall->blocked_kind].name
                         : NULL;
  json_t *value = json_object();
  json_object_set_new(value, "at_ns", json_number(stall->at_ns));
  json_object_set_new(value, "duration_ns", json_number(stall->duration_ns));
  json_object_set_new(value, "thread", json_thread(analysis, stall->thread));
  json_object_set_new(value, "task",
                      task ? json_text(names_descriptor(analysis->names, task))
                           : json_text(stall->who));
  json_object_set_new(value, "task_id",
                      stall->task
                          ? json_number(names_descriptor_number(analysis->names, stall->task))
                          : json_null());
  json_object_set_new(value, "blocked_in", json_text(call));
  json_object_set_new(value, "blocked_ns", json_number(stall->blocked_ns));
  json_object_set_new(value, "blocked_on",
                      json_text(*stall->blocked_on ? stall->blocked_on : NULL));
  json_object_set_new(value, "open", json_boolean(stall->open));
  json_object_set_new(value, "stack", json_stack(analysis, stall->stack));
  return value;
}

// Of turns that were sampled. The standard error is that of `count`.
static json_t *sampled_histogram(const loops_t *loops, const loop_t *loop,
                                 const histogram_t *histogram) {
  json_t *value = json_histogram(histogram);
  double rate = loops_rate(loops);
  if (rate >= 1 || loop->poll) return value;
  json_object_set_new(value, "estimated", json_true());
  json_object_set_new(
      value, "count_error",
      json_number(estimate_error(rate > 0 ? (double)loop->drawn * (1 - rate) / rate / rate : 0)));
  return value;
}

// Null where no other loop was made in its place.
static json_t *balance_value(balance_t balance) {
  if (!balance.loops) return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:b}", "loops", json_number(balance.loops), "events_share",
                   json_real(balance.events_share), "busy_share", json_real(balance.busy_share),
                   "ratio", json_real(balance.ratio), "unbalanced", balance.unbalanced);
}

static json_t *loop_value(const analysis_t *analysis, const loop_t *loop, balance_t balance) {
  json_t *threads = json_array(), *stalls = json_array(), *value = json_object();
  const loops_t *loops = models_loops(analysis->models);
  for (uint32_t i = 0; i < loop->thread_count; i++)
    json_array_append_new(threads, json_thread(analysis, loop->threads[i]));
  for (uint32_t i = 0; i < loop->kept_stalls; i++)
    json_array_append_new(stalls, stall_value(analysis, &loop->stalls[i]));
  json_object_set_new(value, "id", json_number(loop->id));
  json_object_set_new(value, "kind", json_text(loop->poll ? "poll" : "epoll"));
  json_object_set_new(value, "descriptor",
                      loop->poll ? json_null() : json_integer(loop->descriptor));
  json_object_set_new(value, "created_at", json_stack(analysis, loop->site));
  json_object_set_new(value, "threads", threads);
  json_object_set_new(value, "waits", json_number(loop->waits));
  json_object_set_new(value, "turns", json_number(loop->turns));
  json_object_set_new(value, "events", json_number(loop->events));
  json_object_set_new(value, "empty", json_number(loop->empty));
  json_object_set_new(value, "saturated", json_number(loop->saturated));
  json_object_set_new(value, "batch", sampled_histogram(loops, loop, &loop->batch));
  json_object_set_new(value, "turn_ns", sampled_histogram(loops, loop, &loop->turn_ns));
  json_object_set_new(value, "busy_ns", json_number(loop->busy_ns));
  json_object_set_new(value, "idle_ns", json_number(loop->idle_ns));
  json_object_set_new(value, "lag_ns", sampled_histogram(loops, loop, &loop->lag_ns));
  json_object_set_new(value, "wake_up_ns", json_histogram(&loop->wake_up_ns));
  json_object_set_new(value, "response_ns", json_histogram(&loop->response_ns));
  if (loops_rate(loops) < 1) json_object_set_new(value, "turns_drawn", json_number(loop->drawn));
  json_object_set_new(value, "spins", json_number(loop->spins));
  json_object_set_new(value, "lags_estimated", json_number(loop->lags_estimated));
  json_object_set_new(value, "stall_count", json_number(loop->stall_count));
  json_object_set_new(value, "stall_total_ns", json_number(loop->stall_total_ns));
  json_object_set_new(value, "stalls", stalls);
  json_object_set_new(value, "blocking_by_site", json_sites(analysis, &loop->blocking));
  json_object_set_new(value, "max_registered", json_number(loop->max_registered));
  json_object_set_new(value, "balance", balance_value(balance));
  scheduling_t scheduling = scheduling_of_loop(analysis->models, loop);
  json_object_set_new(value, "ran_ns",
                      scheduling.ran_known ? json_number(scheduling.ran_ns) : json_null());
  json_object_set_new(value, "runnable_ns",
                      scheduling.runnable_known ? json_number(scheduling.runnable_ns)
                                                : json_null());
  return value;
}

json_t *json_loops(const analysis_t *analysis) {
  json_t *list = json_array();
  const loops_t *loops = models_loops(analysis->models);
  balances_t *balances = balances_open(loops);
  for (uint32_t i = 0; i < loops_count(loops); i++)
    json_array_append_new(list,
                          loop_value(analysis, loops_get(loops, i), balances_get(balances, i)));
  balances_close(balances);
  return list;
}

// What sampling makes of figures: they are estimates, each with its standard error.
static void estimate_set(json_t *object, const char *key, double variance) {
  char name[32];
  snprintf(name, sizeof name, "%s_error", key);
  json_object_set_new(object, name, json_number(estimate_error(variance)));
}

static void live_estimates_set(json_t *object, const estimate_t *live) {
  json_object_set_new(object, "estimated", json_true());
  estimate_set(object, "live_bytes", live->bytes_variance);
  estimate_set(object, "live_blocks", live->blocks_variance);
}

static void site_estimates_set(json_t *value, const heap_site_t *site) {
  json_object_set_new(value, "temporary", json_null());
  json_object_set_new(value, "samples", json_number(site->ever.members));
  live_estimates_set(value, &site->live);
  estimate_set(value, "allocations", site->ever.blocks_variance);
  estimate_set(value, "bytes", site->ever.bytes_variance);
  estimate_set(value, "peak_bytes", site->peak_variance);
}

static void total_estimates_set(json_t *memory, const heap_totals_t *totals) {
  json_object_set_new(memory, "temporary", json_null());
  json_object_set_new(memory, "reallocations", json_null());
  json_object_set_new(memory, "sampling_bytes", json_number(totals->distance));
  json_object_set_new(memory, "samples", json_number(totals->ever.members));
  live_estimates_set(memory, &totals->live);
  estimate_set(memory, "allocations", totals->ever.blocks_variance);
  estimate_set(memory, "bytes_allocated", totals->ever.bytes_variance);
  estimate_set(memory, "peak_bytes", totals->peak_variance);
}

static json_t *site_value(const analysis_t *analysis, const heap_site_t *site) {
  json_t *value = json_object();
  json_object_set_new(value, "site", json_text(names_site(analysis->names, site->stack)));
  json_object_set_new(value, "stack", json_stack(analysis, site->stack));
  json_object_set_new(value, "allocations", json_number(site->allocations));
  json_object_set_new(value, "bytes", json_number(site->bytes));
  json_object_set_new(value, "live_bytes", json_number(site->live_bytes));
  json_object_set_new(value, "live_blocks", json_number(site->live_blocks));
  json_object_set_new(value, "peak_bytes", json_number(site->peak_bytes));
  json_object_set_new(value, "at_peak_bytes", json_number(site->at_peak_bytes));
  json_object_set_new(value, "temporary", json_number(site->temporary));
  json_object_set_new(value, "lifetime_ns", json_histogram(&site->lifetime_ns));
  if (site->ever.members) site_estimates_set(value, site);
  return value;
}

static json_t *leak_value(const analysis_t *analysis, const heap_site_t *site) {
  json_t *value =
      json_pack("{s:o, s:o, s:o, s:b}", "stack", json_stack(analysis, site->stack), "blocks",
                json_number(site->live_blocks), "bytes", json_number(site->live_bytes), "runtime",
                analysis_stack_is_runtime(analysis, site->stack));
  if (!site->live.members) return value;
  json_object_set_new(value, "estimated", json_true());
  estimate_set(value, "bytes", site->live.bytes_variance);
  estimate_set(value, "blocks", site->live.blocks_variance);
  return value;
}

json_t *json_memory(const analysis_t *analysis) {
  const heap_t *heap = models_heap(analysis->models);
  const heap_totals_t *totals = heap_totals(heap);
  bool leaks_known = fail_on_leaks_known(analysis->models);
  json_t *sites = json_array(), *leaks = json_array(), *memory = json_object();
  ranking_t ranking = ranking_sites(analysis, OPTIONS_SORT_DEFAULT);
  for (size_t i = 0; i < ranking.count; i++) {
    const heap_site_t *site = heap_site(heap, ranking.ids[i]);
    json_array_append_new(sites, site_value(analysis, site));
    if (leaks_known && site->live_blocks) json_array_append_new(leaks, leak_value(analysis, site));
  }
  ranking_free(&ranking);
  json_object_set_new(memory, "recorded",
                      json_boolean(!analysis_absence(analysis, TRACE_FAMILY_HEAP)));
  json_object_set_new(memory, "allocations", json_number(totals->allocations));
  json_object_set_new(memory, "frees", json_number(totals->frees));
  json_object_set_new(memory, "reallocations", json_number(totals->reallocations));
  json_object_set_new(memory, "bytes_allocated", json_number(totals->bytes_allocated));
  json_object_set_new(memory, "live_bytes", json_number(totals->live_bytes));
  json_object_set_new(memory, "live_blocks", json_number(totals->live_blocks));
  json_object_set_new(memory, "peak_bytes", json_number(totals->peak_bytes));
  json_object_set_new(memory, "peak_ns", json_number(totals->peak_ns));
  json_object_set_new(memory, "temporary", json_number(totals->temporary));
  json_object_set_new(memory, "unknown_frees", json_number(totals->unknown_frees));
  if (totals->distance) total_estimates_set(memory, totals);
  json_object_set_new(memory, "sites", sites);
  json_object_set_new(memory, "leaks_known", json_boolean(leaks_known));
  json_object_set_new(memory, "leaks", leaks);
  json_object_set_new(memory, "sizes", json_buckets(&totals->sizes));
  return memory;
}
