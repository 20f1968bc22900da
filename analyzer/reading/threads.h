// SPDX-License-Identifier: Apache-2.0
// The lives of threads: who wrote which lane when, under which pthread_t, created by whom. To be
// told in order of time.
#ifndef ANALYZER_READING_THREADS_H
#define ANALYZER_READING_THREADS_H

#include "analyzer/reading/reader.h"

struct reading_handle;

// Index 0 is "no thread".
typedef struct {
  reader_thread_t *threads;
  uint32_t *previous;  // by thread: the life before it with the same handle, 0 none
  size_t count, capacity, previous_capacity;
  struct reading_handle *handles;  // uthash, by pthread_t
  uint32_t pid;
} reading_threads_t;

void reading_threads_init(reading_threads_t *table);
void reading_threads_free(reading_threads_t *table);
// A thread takes a lane. Returns its index.
uint32_t reading_threads_start(reading_threads_t *table, uint32_t lane, uint32_t tid,
                               uint64_t handle, uint64_t routine, uint64_t time);
// pthread_create succeeded: the new thread may have started already, or will.
void reading_threads_created(reading_threads_t *table, uint32_t creator, uint32_t stack,
                             uint64_t handle, uint64_t routine);
// The name of the thread with that handle, or of the one that was just created with it.
void reading_threads_name(reading_threads_t *table, uint64_t handle, const char *name,
                          size_t length);
uint32_t reading_threads_by_handle(const reading_threads_t *table, uint64_t handle, uint64_t time);

#endif
