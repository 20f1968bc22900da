// SPDX-License-Identifier: Apache-2.0
// Threads and descriptors as tasks.
#include "analyzer/reports/taskview.h"

#include "analyzer/reports/names.h"

const char *taskview_state_key(thread_state_t state) {
  static const char *const keys[THREAD_STATE_COUNT] = {
      [THREAD_STATE_RUNNING] = "running",     [THREAD_STATE_LOCK] = "lock",
      [THREAD_STATE_CONDITION] = "condition", [THREAD_STATE_EPOLL] = "epoll",
      [THREAD_STATE_JOIN] = "join",           [THREAD_STATE_READ] = "read",
      [THREAD_STATE_WRITE] = "write",         [THREAD_STATE_ACCEPT] = "accept",
      [THREAD_STATE_BARRIER] = "barrier",     [THREAD_STATE_SLEEP] = "sleep",
      [THREAD_STATE_POLL] = "poll",           [THREAD_STATE_FUTEX] = "futex",
      [THREAD_STATE_CONNECT] = "connect",     [THREAD_STATE_SYNC] = "sync",
      [THREAD_STATE_RESOLVE] = "resolve"};
  return keys[state];
}

// States that are waits for work, whatever it is.
static bool is_idle_state(int state) {
  return state == THREAD_STATE_EPOLL || state == THREAD_STATE_POLL || state == THREAD_STATE_ACCEPT;
}

static task_state_t thread_task_state(const thread_account_t *thread, bool waits_for_job) {
  if (thread->ended) return TASK_STATE_COMPLETED;
  if (thread->state == THREAD_STATE_RUNNING) return TASK_STATE_RUNNING;
  return waits_for_job || is_idle_state(thread->state) ? TASK_STATE_IDLE : TASK_STATE_BLOCKED;
}

// A wait for the next job of its pool is idle; one for a lock, inside a job, is blocked.
static void wait_times(const pools_t *pools, uint32_t index, const thread_account_t *thread,
                       taskview_t *view) {
  for (int state = 0; state < THREAD_STATE_COUNT; state++) {
    view->polls += thread->waits[state];
    if (state == THREAD_STATE_RUNNING) continue;
    *(is_idle_state(state) ? &view->idle_ns : &view->blocked_ns) += thread->time_ns[state];
  }
  uint64_t waited = pools_idle_ns(pools, index);
  if (waited > view->blocked_ns) waited = view->blocked_ns;
  view->idle_ns += waited;
  view->blocked_ns -= waited;
}

static void thread_view(const analysis_t *analysis, uint32_t index, taskview_t *view) {
  const thread_account_t *thread = threads_get(models_threads(analysis->models), index);
  const pools_t *pools = loops_pools(models_loops(analysis->models));
  const reader_thread_t *known =
      index < reader_thread_count(analysis->reader) ? reader_thread(analysis->reader, index) : NULL;
  *view =
      (taskview_t){.id = index,
                   .what = "thread",
                   .parent = known ? known->creator : 0,
                   .kind = "thread",
                   .name = names_thread(analysis->names, index),
                   .state = task_state_name(thread_task_state(thread, pools_idles(pools, index))),
                   .site = known ? names_site(analysis->names, known->create_stack) : "",
                   .stack = known ? known->create_stack : 0,
                   .created_ns = thread->started_ns,
                   .ended_ns = thread->ended_ns,
                   .ended = thread->ended,
                   .running_ns = thread->time_ns[THREAD_STATE_RUNNING]};
  wait_times(pools, index, thread, view);
}

static void descriptor_view(const analysis_t *analysis, const task_t *task, taskview_t *view) {
  names_t *names = analysis->names;
  *view =
      (taskview_t){.id = names_descriptor_number(names, task->id),
                   .what = descriptor_kind_name(task->kind),
                   .descriptor = task,
                   .parent = task->parent ? names_descriptor_number(names, task->parent) : 0,
                   .kind = "descriptor",
                   .name = names_descriptor(names, task),
                   .state = task_state_name(task->state),
                   .site = task->held ? TASKVIEW_HELD : names_site(names, task->site),
                   .stack = task->site,
                   .created_ns = task->created_ns,
                   .ended_ns = task->ended_ns,
                   .ended = task->state == TASK_STATE_COMPLETED || task->state == TASK_STATE_FAILED,
                   .polls = task->polls,
                   .running_ns = task->running_ns,
                   .scheduled_ns = task->scheduled_ns,
                   .idle_ns = task->idle_ns,
                   .blocked_ns = task->blocked_ns,
                   .max_poll_ns = task->max_poll_ns};
}

bool taskview_next(const analysis_t *analysis, uint64_t *position, taskview_t *view) {
  const threads_t *threads = models_threads(analysis->models);
  const tasks_t *tasks = models_tasks(analysis->models);
  uint32_t limit = threads_limit(threads);
  while (*position + 1 < limit) {
    uint32_t index = (uint32_t)++ * position;
    if (!threads_get(threads, index)->seen) continue;
    thread_view(analysis, index, view);
    return true;
  }
  uint64_t index = *position - (limit ? limit - 1 : 0);
  if (index >= tasks_count(tasks)) return false;
  ++*position;
  descriptor_view(analysis, tasks_get(tasks, (uint32_t)index), view);
  return true;
}
