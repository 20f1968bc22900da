// SPDX-License-Identifier: Apache-2.0
// Worker pools as JSON.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"

static json_t *stuck_value(const analysis_t *analysis, const pool_stuck_t *stuck) {
  const thread_account_t *thread = threads_get(models_threads(analysis->models), stuck->thread);
  json_t *value = json_object();
  json_object_set_new(value, "thread", json_thread(analysis, stuck->thread));
  json_object_set_new(value, "since_ns", json_number(stuck->since_ns));
  json_object_set_new(value, "doing", json_text(thread_state_text(thread->state)));
  json_object_set_new(value, "stack", json_stack(analysis, thread->pending.stack));
  return value;
}

static json_t *pool_value(const analysis_t *analysis, const pool_t *pool) {
  json_t *threads = json_array(), *stuck = json_array(), *value = json_object();
  for (uint32_t i = 0; i < pool->thread_count && i < POOL_THREADS_MAX; i++)
    json_array_append_new(threads, json_thread(analysis, pool->threads[i]));
  for (uint32_t i = 0; i < pool->stuck_count; i++)
    json_array_append_new(stuck, stuck_value(analysis, &pool->stuck[i]));
  json_object_set_new(value, "id", json_number(pool->id));
  json_object_set_new(value, "threads", threads);
  json_object_set_new(value, "thread_count", json_number(pool->thread_count));
  json_object_set_new(value, "waits_on", json_text(names_pool_object(analysis->names, pool)));
  json_object_set_new(value, "fetches_in",
                      json_text(names_site(analysis->names, pool->fetch_stack)));
  json_object_set_new(value, "jobs", json_number(pool->jobs));
  json_object_set_new(value, "jobs_estimated", json_number(pool->jobs_estimated));
  json_object_set_new(value, "jobs_before_wait", json_number(pool->jobs_early));
  json_object_set_new(value, "jobs_before_wait_cut", json_boolean(pool->early_cut));
  json_object_set_new(value, "submitted", json_number(pool->given));
  json_object_set_new(value, "unseen", json_number(pool_unseen(pool)));
  json_object_set_new(value, "queue_ns", json_histogram(&pool->queue_ns));
  json_object_set_new(value, "job_ns", json_histogram(&pool->job_ns));
  json_object_set_new(value, "locked_ns", json_number(pool->locked_ns));
  json_object_set_new(value, "utilization", json_real(pool->utilization));
  json_object_set_new(value, "max_busy", json_number(pool->max_busy));
  json_object_set_new(value, "mean_waiting", json_real(pool->waiting));
  json_object_set_new(value, "backlog_over_time", json_timeline(&pool->backlog_over_time));
  json_object_set_new(value, "mean_backlog", json_real(pool->backlog));
  json_object_set_new(value, "max_backlog", json_number(pool->max_backlog));
  json_object_set_new(value, "advice",
                      json_text(pool->advice ? pool_advice_name(pool->advice) : NULL));
  json_object_set_new(value, "stuck", stuck);
  return value;
}

json_t *json_pools(const analysis_t *analysis) {
  json_t *list = json_array();
  const pools_t *pools = loops_pools(models_loops(analysis->models));
  for (uint32_t i = 0; i < pools_count(pools); i++)
    json_array_append_new(list, pool_value(analysis, pools_get(pools, i)));
  return list;
}
