// SPDX-License-Identifier: Apache-2.0
// See join.h.
#include "analyzer/reading/join.h"

#include "analyzer/reading/memory.h"

#include <stdlib.h>
#include <string.h>

// Which of a part's things has which number in the whole; 0: none yet.
typedef struct {
  uint32_t *numbers;
  size_t capacity;
} numbering_t;

typedef struct {
  uint32_t part, local;
} origin_t;

typedef struct {
  reader_t *reader;
  uint64_t later_ns;  // than the earliest start
  reader_event_t event;
  bool ready;  // `event` is the next one
  numbering_t threads, stacks;
  reader_module_t **modules;
  size_t module_capacity;
} part_t;

struct reading_join {
  part_t *parts;
  uint32_t count;
  part_t *given;  // gave the event before
  reader_summary_t summary;
  origin_t *threads, *stacks;  // by number; 0 is none
  size_t thread_count, thread_capacity, stack_count, stack_capacity;
  reader_thread_t **thread_copies;
  reader_stack_t **stack_copies;
  size_t thread_copy_capacity, stack_copy_capacity;
  bool word_is_address[TRACE_KIND_LIMIT][TRACE_WORDS_MAX];
};

static uint64_t tagged(uint32_t part, uint64_t address) {
  return address ? address | (uint64_t)part << READER_PART_SHIFT : 0;
}

reading_join_t *reading_join_open(reader_t *const *readers, const uint64_t *start_ns,
                                  uint32_t count) {
  reading_join_t *join = memory_new(1, sizeof *join);
  uint64_t earliest = UINT64_MAX;
  for (uint32_t at = 0; at < count; at++)
    if (start_ns[at] < earliest) earliest = start_ns[at];
  join->parts = memory_new(count, sizeof *join->parts);
  join->count = count;
  for (uint32_t at = 0; at < count; at++) {
    part_t *part = &join->parts[at];
    part->reader = readers[at];
    part->later_ns = start_ns[at] - earliest;
    part->ready = reader_next(part->reader, &part->event) == 1;
  }
  join->thread_count = join->stack_count = 1;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned word = 0; word < trace_event_kinds[kind].word_count; word++)
      join->word_is_address[kind][word] =
          trace_event_kinds[kind].words[word].type == TRACE_FIELD_ADDRESS;
  return join;
}

void reading_join_close(reading_join_t *join) {
  for (uint32_t at = 0; at < join->count; at++) {
    part_t *part = &join->parts[at];
    for (size_t module = 0; module < part->module_capacity; module++) free(part->modules[module]);
    free(part->modules);
    free(part->threads.numbers);
    free(part->stacks.numbers);
    reader_close(part->reader);
  }
  for (size_t at = 0; at < join->thread_copy_capacity; at++) free(join->thread_copies[at]);
  for (size_t at = 0; at < join->stack_copy_capacity; at++) {
    if (join->stack_copies[at]) free((void *)(uintptr_t)join->stack_copies[at]->frames);
    free(join->stack_copies[at]);
  }
  free(join->thread_copies);
  free(join->stack_copies);
  free(join->threads);
  free(join->stacks);
  free(join->parts);
  free(join);
}

// ---- numbers -----------------------------------------------------------------------------------

static uint32_t number_of(numbering_t *numbering, uint32_t part, uint32_t local, origin_t **origins,
                          size_t *count, size_t *capacity) {
  if (!local) return 0;
  size_t before = numbering->capacity;
  numbering->numbers =
      memory_grow(numbering->numbers, &numbering->capacity, (size_t)local + 1, sizeof(uint32_t));
  if (numbering->capacity > before)
    memset(numbering->numbers + before, 0, (numbering->capacity - before) * sizeof(uint32_t));
  uint32_t *number = &numbering->numbers[local];
  if (*number) return *number;
  *origins = memory_grow(*origins, capacity, *count + 1, sizeof **origins);
  (*origins)[*count] = (origin_t){part, local};
  return *number = (uint32_t)(*count)++;
}

static uint32_t thread_number(reading_join_t *join, uint32_t part, uint32_t local) {
  return number_of(&join->parts[part].threads, part, local, &join->threads, &join->thread_count,
                   &join->thread_capacity);
}

static uint32_t stack_number(reading_join_t *join, uint32_t part, uint32_t local) {
  return number_of(&join->parts[part].stacks, part, local, &join->stacks, &join->stack_count,
                   &join->stack_capacity);
}

// A table of pointers, by number, that grows with zeros.
static void *table_grow(void *table, size_t *capacity, size_t count) {
  size_t before = *capacity;
  void **grown = memory_grow(table, capacity, count, sizeof *grown);
  if (*capacity > before) memset(grown + before, 0, (*capacity - before) * sizeof *grown);
  return grown;
}

// ---- events ------------------------------------------------------------------------------------

static void event_translate(reading_join_t *join, uint32_t number, reader_event_t *event) {
  const part_t *part = &join->parts[number];
  bool is_lock = event->kind == TRACE_PENDING && event->arg == TRACE_PENDING_LOCK;
  bool is_descriptor = trace_event_kinds[event->kind].family == TRACE_FAMILY_DESCRIPTOR;
  event->thread = thread_number(join, number, event->thread);
  event->stack = stack_number(join, number, event->stack);
  event->lane += number << READER_PART_LANES;
  event->time += part->later_ns;
  for (unsigned word = 0; word < TRACE_WORDS_MAX; word++)
    if (join->word_is_address[event->kind][word] && !(is_lock && word == 1))
      event->words[word] = tagged(number, event->words[word]);
  if (event->kind == TRACE_PENDING) event->words[2] += part->later_ns;
  if (is_descriptor && trace_event_kinds[event->kind].arg.type == TRACE_FIELD_DESCRIPTOR)
    event->arg |= (uint64_t)number << READER_PART_DESCRIPTORS;
}

// All creators and their stacks have numbers before anybody asks how many there are.
static void threads_complete(reading_join_t *join) {
  for (uint32_t thread = 1; thread < join->thread_count; thread++)
    reading_join_thread(join, thread);
}

int reading_join_next(reading_join_t *join, reader_event_t *event) {
  if (join->given) {
    part_t *part = join->given;
    part->ready = reader_next(part->reader, &part->event) == 1;
  }
  part_t *next = NULL;
  for (part_t *part = join->parts; part < join->parts + join->count; part++)
    if (part->ready &&
        (!next || part->event.time + part->later_ns < next->event.time + next->later_ns))
      next = part;
  join->given = next;
  if (!next) {
    threads_complete(join);
    return 0;
  }
  *event = next->event;
  event_translate(join, (uint32_t)(next - join->parts), event);
  return 1;
}

// ---- facts -------------------------------------------------------------------------------------

const reader_summary_t *reading_join_summary(reading_join_t *join) {
  reader_summary_t *whole = &join->summary;
  *whole = *reader_summary(join->parts[0].reader);
  whole->duration_ns = 0;
  for (uint32_t at = 0; at < join->count; at++) {
    const reader_summary_t *part = reader_summary(join->parts[at].reader);
    uint64_t end = part->duration_ns + join->parts[at].later_ns;
    if (end > whole->duration_ns) whole->duration_ns = end;
    whole->running |= part->running;
    whole->complete &= part->complete;
    whole->damaged |= part->damaged;
    if (!at) continue;
    whole->lost += part->lost;
    whole->connections_out += part->connections_out;
    whole->events += part->events;
  }
  return whole;
}

static reader_stack_t *stack_copy(const reading_join_t *join, origin_t origin) {
  const reader_stack_t *stack = reader_stack(join->parts[origin.part].reader, origin.local);
  reader_stack_t *copy = memory_new(1, sizeof *copy);
  uint64_t *frames = memory_new(stack->count + 1, sizeof *frames);
  for (uint32_t at = 0; at < stack->count; at++)
    frames[at] = tagged(origin.part, stack->frames[at]);
  *copy = *stack;
  copy->frames = frames;
  copy->defined += join->parts[origin.part].later_ns;
  return copy;
}

const reader_stack_t *reading_join_stack(reading_join_t *join, uint32_t stack) {
  if (!stack || stack >= join->stack_count) return reader_stack(join->parts[0].reader, 0);
  join->stack_copies =
      table_grow(join->stack_copies, &join->stack_copy_capacity, (size_t)stack + 1);
  if (!join->stack_copies[stack]) join->stack_copies[stack] = stack_copy(join, join->stacks[stack]);
  return join->stack_copies[stack];
}

size_t reading_join_stack_count(const reading_join_t *join) { return join->stack_count; }

// Anew each time: a thread may get a name, or end.
const reader_thread_t *reading_join_thread(reading_join_t *join, uint32_t thread) {
  if (!thread || thread >= join->thread_count) return reader_thread(join->parts[0].reader, 0);
  join->thread_copies =
      table_grow(join->thread_copies, &join->thread_copy_capacity, (size_t)thread + 1);
  reader_thread_t **copy = &join->thread_copies[thread];
  if (!*copy) *copy = memory_new(1, sizeof **copy);
  origin_t origin = join->threads[thread];
  uint64_t later_ns = join->parts[origin.part].later_ns;
  reader_thread_t *known = *copy;
  *known = *reader_thread(join->parts[origin.part].reader, origin.local);
  known->handle = tagged(origin.part, known->handle);
  known->routine = tagged(origin.part, known->routine);
  known->started += later_ns;
  if (known->ended != UINT64_MAX) known->ended += later_ns;
  uint32_t creator = thread_number(join, origin.part, known->creator);
  known->creator = creator;
  known->create_stack = stack_number(join, origin.part, known->create_stack);
  return known;
}

size_t reading_join_thread_count(const reading_join_t *join) { return join->thread_count; }

size_t reading_join_module_count(const reading_join_t *join) {
  size_t count = 0;
  for (uint32_t at = 0; at < join->count; at++)
    count += reader_module_count(join->parts[at].reader);
  return count;
}

const reader_module_t *reading_join_module(reading_join_t *join, size_t index) {
  uint32_t number = 0;
  for (; number < join->count; number++) {
    size_t count = reader_module_count(join->parts[number].reader);
    if (index < count) break;
    index -= count;
  }
  if (number == join->count) return NULL;
  part_t *part = &join->parts[number];
  part->modules = table_grow(part->modules, &part->module_capacity, index + 1);
  reader_module_t **copy = &part->modules[index];
  if (!*copy) *copy = memory_new(1, sizeof **copy);
  **copy = *reader_module(part->reader, index);
  (*copy)->bias = (*copy)->bias | (uint64_t)number << READER_PART_SHIFT;
  (*copy)->start = tagged(number, (*copy)->start);
  (*copy)->end = tagged(number, (*copy)->end);
  (*copy)->loaded += part->later_ns;
  if ((*copy)->unloaded != UINT64_MAX) (*copy)->unloaded += part->later_ns;
  return *copy;
}

uint32_t reading_join_part_count(const reading_join_t *join) { return join->count; }

const reader_t *reading_join_part(const reading_join_t *join, uint32_t part) {
  return join->parts[part].reader;
}

uint32_t reading_join_part_of(const reading_join_t *join, uint32_t thread) {
  return thread && thread < join->thread_count ? join->threads[thread].part : 0;
}

uint32_t reading_join_part_of_stack(const reading_join_t *join, uint32_t stack) {
  return stack && stack < join->stack_count ? join->stacks[stack].part : 0;
}
