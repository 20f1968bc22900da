// SPDX-License-Identifier: Apache-2.0
// A thread reads a lock twice, and in between another one asks to write it.
#ifndef PROGRAMS_LOCK_RECURSIVE_READ_H
#define PROGRAMS_LOCK_RECURSIVE_READ_H

#include "locks.h"

static pthread_rwlock_t table_lock;
static atomic_int reading;

static void *writer_main(void *unused) {
  pthread_setname_np(pthread_self(), "writer");
  await_step(&reading, 1);
  pthread_rwlock_wrlock(&table_lock);
  pthread_rwlock_unlock(&table_lock);
  return unused;
}

// `kind`: PTHREAD_RWLOCK_PREFER_*.
static void read_twice_beside_writer(int kind) {
  pthread_t writer;
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  REQUIRE_0(pthread_rwlockattr_setkind_np(&attributes, kind));
  REQUIRE_0(pthread_rwlock_init(&table_lock, &attributes));
  REQUIRE_0(pthread_create(&writer, NULL, writer_main, NULL));
  pthread_rwlock_rdlock(&table_lock);
  atomic_store(&reading, 1);
  sleep_ms(200);  // the writer waits by now
  say("reading again");
  pthread_rwlock_rdlock(&table_lock);
  pthread_rwlock_unlock(&table_lock);
  pthread_rwlock_unlock(&table_lock);
  pthread_join(writer, NULL);
}

#endif
