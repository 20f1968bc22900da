// SPDX-License-Identifier: Apache-2.0
// The lives of threads. See the header.
#include "analyzer/reading/threads.h"

#include "analyzer/reading/memory.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

typedef char thread_name_t[sizeof(((reader_thread_t *)NULL)->name)];

// What is known of a pthread_t. The library uses it again once its thread is joined.
typedef struct reading_handle {
  uint64_t handle;
  uint32_t latest;  // its life that started last, 0 none
  bool unclaimed;   // nobody was seen to create `latest`
  bool awaited;     // pthread_create returned, and the thread has not started yet:
  uint32_t creator, create_stack;
  uint64_t routine;
  thread_name_t name;  // given to the awaited thread
  UT_hash_handle hh;
} reading_handle_t;

static reading_handle_t *handle_get(reading_threads_t *table, uint64_t handle) {
  reading_handle_t *known;
  HASH_FIND(hh, table->handles, &handle, sizeof handle, known);
  if (known) return known;
  known = memory_new(1, sizeof *known);
  known->handle = handle;
  HASH_ADD(hh, table->handles, handle, sizeof handle, known);
  return known;
}

void reading_threads_init(reading_threads_t *table) {
  *table = (reading_threads_t){0};
  table->threads = memory_grow(NULL, &table->capacity, 1, sizeof *table->threads);
  table->previous = memory_grow(NULL, &table->previous_capacity, 1, sizeof *table->previous);
  table->threads[0] = (reader_thread_t){.ended = UINT64_MAX};
  table->previous[0] = 0;
  table->count = 1;
}

void reading_threads_free(reading_threads_t *table) {
  reading_handle_t *handle, *next;
  HASH_ITER(hh, table->handles, handle, next) {
    HASH_DEL(table->handles, handle);
    free(handle);
  }
  free(table->threads);
  free(table->previous);
}

// Start routines agree, as far as both are known.
static bool routines_match(uint64_t created, uint64_t started) {
  return created == started || created == 0 || started == 0;
}

static void thread_claim(reader_thread_t *thread, reading_handle_t *handle) {
  thread->creator = handle->creator;
  thread->create_stack = handle->create_stack;
  if (handle->name[0]) memcpy(thread->name, handle->name, sizeof handle->name);
  handle->name[0] = '\0';
  handle->awaited = false;
  handle->unclaimed = false;
}

uint32_t reading_threads_start(reading_threads_t *table, uint32_t lane, uint32_t tid,
                               uint64_t handle, uint64_t routine, uint64_t time) {
  table->threads =
      memory_grow(table->threads, &table->capacity, table->count + 1, sizeof *table->threads);
  table->previous = memory_grow(table->previous, &table->previous_capacity, table->count + 1,
                                sizeof *table->previous);
  uint32_t index = (uint32_t)table->count++;
  reader_thread_t *thread = &table->threads[index];
  *thread = (reader_thread_t){.lane = lane,
                              .tid = tid,
                              .handle = handle,
                              .routine = routine,
                              .started = time,
                              .ended = UINT64_MAX,
                              .main = tid != 0 && tid == table->pid};
  reading_handle_t *known = handle_get(table, handle);
  table->previous[index] = known->latest;
  known->latest = index;
  known->unclaimed = !thread->main;
  if (known->awaited && routines_match(known->routine, routine)) {
    if (routine == 0) thread->routine = known->routine;
    thread_claim(thread, known);
  }
  return index;
}

void reading_threads_created(reading_threads_t *table, uint32_t creator, uint32_t stack,
                             uint64_t handle, uint64_t routine) {
  reading_handle_t *known = handle_get(table, handle);
  known->creator = creator;
  known->create_stack = stack;
  known->routine = routine;
  known->name[0] = '\0';
  known->awaited = true;
  reader_thread_t *latest = &table->threads[known->latest];
  if (!known->unclaimed || !routines_match(routine, latest->routine)) return;
  if (latest->routine == 0) latest->routine = routine;
  thread_claim(latest, known);
}

void reading_threads_name(reading_threads_t *table, uint64_t handle, const char *name,
                          size_t length) {
  reading_handle_t *known = handle_get(table, handle);
  bool later = known->awaited || known->latest == 0;
  char *to = later ? known->name : table->threads[known->latest].name;
  if (length >= sizeof(thread_name_t)) length = sizeof(thread_name_t) - 1;
  memcpy(to, name, length);
  to[length] = '\0';
}

uint32_t reading_threads_by_handle(const reading_threads_t *table, uint64_t handle, uint64_t time) {
  const reading_handle_t *known;
  HASH_FIND(hh, table->handles, &handle, sizeof handle, known);
  uint32_t found = known ? known->latest : 0;
  while (found && table->threads[found].started > time && table->previous[found])
    found = table->previous[found];
  return found;
}
