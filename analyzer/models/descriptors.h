// SPDX-License-Identifier: Apache-2.0
// What is known of each open descriptor: what it is, its name, its other end, who accepted it.
// Memory: descriptors that are open (those whose close is not recorded stay until the number is
// opened again).
#ifndef ANALYZER_MODELS_DESCRIPTORS_H
#define ANALYZER_MODELS_DESCRIPTORS_H

#include "analyzer/reading/reader.h"

// DESCRIPTOR_KIND(NAME, key): the key is what a report says before the number.
#define DESCRIPTOR_KIND_TABLE(KIND)                                                                \
  KIND(UNKNOWN, "descriptor")                                                                      \
  KIND(LISTENER, "listener")                                                                       \
  KIND(CONNECTION, "connection")                                                                   \
  KIND(CLIENT, "client")                                                                           \
  KIND(SOCKET, "socket")                                                                           \
  KIND(PAIR, "socket-pair")                                                                        \
  KIND(TIMER, "timer")                                                                             \
  KIND(SIGNAL, "signal")                                                                           \
  KIND(WAKE_UP, "wake-up")                                                                         \
  KIND(PIPE, "pipe")                                                                               \
  KIND(FILE, "file")                                                                               \
  KIND(WATCH, "watch")                                                                             \
  KIND(LOOP, "loop")
typedef enum {
#define KIND(NAME, key) DESCRIPTOR_##NAME,
  DESCRIPTOR_KIND_TABLE(KIND)
#undef KIND
} descriptor_kind_t;
const char *descriptor_kind_name(descriptor_kind_t kind);

typedef struct {
  descriptor_kind_t kind;
  uint32_t parent;  // id of the listener's task that accepted it, 0: none known
  int32_t other;    // the other end of a pipe or pair, itself for an eventfd; -1: none
  bool was_task;    // since it was opened
  char *name;       // addresses or path, NULL: not recorded
  bool skipped;     // out of the sample: nothing of it is recorded
  bool drawn;       // in the sample for others, too
  uint32_t file;    // the same for all copies of one descriptor; 0: it never had any
} descriptor_t;

typedef struct descriptors descriptors_t;

descriptors_t *descriptors_open(void);
void descriptors_close(descriptors_t *descriptors);
// NULL: nothing is known. Valid until the next step.
const descriptor_t *descriptors_get(const descriptors_t *descriptors, int32_t descriptor);
// Any event; true where it may have changed the kind or name of `*changed`.
bool descriptors_step(descriptors_t *descriptors, const reader_event_t *event, int32_t *changed);
// A connection was accepted from the listener whose task that is (0: it has none).
void descriptors_accepted(descriptors_t *descriptors, int32_t descriptor, uint32_t listener);
// It is a task now. Does nothing where nothing is known of it.
void descriptors_note_task(descriptors_t *descriptors, int32_t descriptor);
// Whether there are copies of it that are open.
bool descriptors_shared(const descriptors_t *descriptors, int32_t descriptor);
// The number means something else from now on.
void descriptors_forget(descriptors_t *descriptors, int32_t descriptor);

#endif
