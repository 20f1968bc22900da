// SPDX-License-Identifier: Apache-2.0
// What each open descriptor is, from the calls that made it.
#include "analyzer/models/descriptors.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct descriptors {
  address_map_t open;    // descriptor + 1 -> descriptor_t
  address_map_t copies;  // file -> how many are open
  uint32_t last_file;
};

static const char *const kind_names[] = {
#define KIND(NAME, key) key,
    DESCRIPTOR_KIND_TABLE(KIND)
#undef KIND
};

const char *descriptor_kind_name(descriptor_kind_t kind) { return kind_names[kind]; }

// What TRACE_DESCRIPTOR_* is called here.
static const uint8_t opened_kinds[] = {
    [TRACE_DESCRIPTOR_SOCKET] = DESCRIPTOR_SOCKET, [TRACE_DESCRIPTOR_PAIR] = DESCRIPTOR_PAIR,
    [TRACE_DESCRIPTOR_PIPE] = DESCRIPTOR_PIPE,     [TRACE_DESCRIPTOR_EVENT] = DESCRIPTOR_WAKE_UP,
    [TRACE_DESCRIPTOR_TIMER] = DESCRIPTOR_TIMER,   [TRACE_DESCRIPTOR_SIGNAL] = DESCRIPTOR_SIGNAL,
    [TRACE_DESCRIPTOR_FILE] = DESCRIPTOR_FILE,     [TRACE_DESCRIPTOR_NOTIFY] = DESCRIPTOR_WATCH,
};

static uint64_t key_of(int32_t descriptor) { return (uint64_t)(uint32_t)descriptor + 1; }

descriptors_t *descriptors_open(void) {
  descriptors_t *descriptors = array_zeroed(1, sizeof *descriptors);
  descriptors->open = (address_map_t)ADDRESS_MAP(descriptor_t);
  return descriptors;
}

void descriptors_close(descriptors_t *descriptors) {
  if (!descriptors) return;
  size_t position = 0;
  uint64_t key;
  for (descriptor_t *one; (one = address_map_next(&descriptors->open, &position, &key));)
    free(one->name);
  address_map_clear(&descriptors->open);
  address_map_clear(&descriptors->copies);
  free(descriptors);
}

const descriptor_t *descriptors_get(const descriptors_t *descriptors, int32_t descriptor) {
  return address_map_get(&descriptors->open, key_of(descriptor));
}

void descriptors_forget(descriptors_t *descriptors, int32_t descriptor) {
  descriptor_t gone;
  if (!address_map_remove(&descriptors->open, key_of(descriptor), &gone)) return;
  free(gone.name);
  uint64_t *copies = gone.file ? address_map_get(&descriptors->copies, gone.file) : NULL;
  if (copies && !--*copies) address_map_remove(&descriptors->copies, gone.file, NULL);
}

bool descriptors_shared(const descriptors_t *descriptors, int32_t descriptor) {
  const descriptor_t *one = descriptors_get(descriptors, descriptor);
  const uint64_t *copies =
      one && one->file ? address_map_get(&descriptors->copies, one->file) : NULL;
  return copies && *copies > 1;
}

static descriptor_t *known(descriptors_t *descriptors, int32_t descriptor) {
  descriptor_t *one = address_map_get(&descriptors->open, key_of(descriptor));
  if (one) return one;
  one = address_map_put(&descriptors->open, key_of(descriptor));
  one->other = -1;
  return one;
}

static descriptor_t *begin(descriptors_t *descriptors, int32_t descriptor, descriptor_kind_t kind) {
  descriptors_forget(descriptors, descriptor);
  descriptor_t *one = known(descriptors, descriptor);
  one->kind = kind;
  return one;
}

static void copy(descriptors_t *descriptors, int32_t descriptor, int32_t original) {
  if (descriptor == original || original < 0) return;
  descriptor_t *from = known(descriptors, original);
  if (!from->file) {
    from->file = ++descriptors->last_file;
    *(uint64_t *)address_map_put(&descriptors->copies, from->file) = 1;
  }
  ++*(uint64_t *)address_map_put(&descriptors->copies, from->file);
  descriptor_t copied = *from;
  if (copied.name) copied.name = strdup(copied.name);
  *begin(descriptors, descriptor, copied.kind) = copied;
}

static void opened(descriptors_t *descriptors, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg, other = (int32_t)trace_unzigzag(event->words[1]);
  uint64_t what = event->words[0];
  if (what == TRACE_DESCRIPTOR_COPY) {
    copy(descriptors, descriptor, other);
    return;
  }
  descriptor_kind_t kind = what < sizeof opened_kinds ? opened_kinds[what] : DESCRIPTOR_UNKNOWN;
  descriptor_t *one = begin(descriptors, descriptor, kind);
  if (kind == DESCRIPTOR_PIPE || kind == DESCRIPTOR_PAIR) one->other = other;
  if (kind == DESCRIPTOR_WAKE_UP) one->other = descriptor;
  if (one->other == other && other != descriptor && !descriptors_get(descriptors, other)) {
    // Where one record stands for both ends.
    descriptor_t *end = begin(descriptors, other, kind);
    end->other = descriptor;
  }
}

// What a name says of a descriptor whose making was not seen, such as one inherited.
static const struct {
  const char *text;
  descriptor_kind_t kind;
} name_kinds[] = {
    {"-listener ", DESCRIPTOR_LISTENER}, {"eventfd", DESCRIPTOR_WAKE_UP},
    {"timerfd", DESCRIPTOR_TIMER},       {"signalfd", DESCRIPTOR_SIGNAL},
    {"inotify", DESCRIPTOR_WATCH},       {"pipe", DESCRIPTOR_PIPE},
    {"file ", DESCRIPTOR_FILE},
};

static descriptor_kind_t kind_of_name(const char *name) {
  for (size_t at = 0; at < sizeof name_kinds / sizeof *name_kinds; at++) {
    const char *found = strstr(name, name_kinds[at].text);
    if (found && found < name + strcspn(name, " ") + 1) return name_kinds[at].kind;
  }
  return DESCRIPTOR_UNKNOWN;
}

static bool named(descriptors_t *descriptors, const reader_event_t *event, int32_t *changed) {
  uint64_t id;
  const char *text;
  size_t length;
  if (!event->payload ||
      !trace_text_unpack(event->payload, (size_t)event->arg, &id, &text, &length))
    return false;
  *changed = (int32_t)id;
  descriptor_t *one = known(descriptors, *changed);
  free(one->name);
  one->name = length ? strndup(text, length) : NULL;
  if (one->name && one->kind == DESCRIPTOR_UNKNOWN) one->kind = kind_of_name(one->name);
  return true;
}

void descriptors_accepted(descriptors_t *descriptors, int32_t descriptor, uint32_t listener) {
  begin(descriptors, descriptor, DESCRIPTOR_CONNECTION)->parent = listener;
}

void descriptors_note_task(descriptors_t *descriptors, int32_t descriptor) {
  descriptor_t *one = address_map_get(&descriptors->open, key_of(descriptor));
  if (one) one->was_task = true;
}

bool descriptors_step(descriptors_t *descriptors, const reader_event_t *event, int32_t *changed) {
  *changed = (int32_t)event->arg;
  switch (event->kind) {
  case TRACE_DESCRIPTOR_OPEN:
    if (*changed < 0) return false;
    opened(descriptors, event);
    return true;
  case TRACE_DESCRIPTOR_NAME:
    return named(descriptors, event, changed);
  case TRACE_DESCRIPTOR_SAMPLED: {
    descriptor_t *one = known(descriptors, *changed);
    const uint64_t how = event->words[0];
    one->skipped = how != TRACE_SAMPLED_DRAWN && how != TRACE_SAMPLED_CERTAIN;
    one->drawn = how == TRACE_SAMPLED_DRAWN;
    if (how == TRACE_SAMPLED_ACCEPTED) one->kind = DESCRIPTOR_CONNECTION;
    if (how == TRACE_SAMPLED_OPENED) one->kind = DESCRIPTOR_CLIENT;
    return true;
  }
  case TRACE_LISTEN:
    known(descriptors, *changed)->kind = DESCRIPTOR_LISTENER;
    return true;
  case TRACE_CONNECT: {
    int64_t result = trace_unzigzag(event->words[0]);
    if (result < 0 && result != -EINPROGRESS) return false;
    known(descriptors, *changed)->kind = DESCRIPTOR_CLIENT;
    return true;
  }
  case TRACE_EPOLL_CREATE:
    if (*changed < 0) return false;
    begin(descriptors, *changed, DESCRIPTOR_LOOP);
    return true;
  default:
    return false;
  }
}
