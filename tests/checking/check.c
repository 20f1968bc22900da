// SPDX-License-Identifier: Apache-2.0
// Stands between the recorder and its stacks (ld --wrap): remembers what each number was defined
// as, and has every Nth number judged at the moment it is given out.
#include "tests/checking/checking.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LANES_BITS = 12, LANES = 1 << LANES_BITS };

// What the numbers of one lane mean: copies, one behind the other. A longjmp out of a definition
// leaves one that nobody knows.
typedef struct {
  uint64_t count;
  bool truncated;
  uint64_t frames[];
} definition_t;
typedef struct {
  _Atomic(stacks_t *) owner;
  const definition_t **definitions;  // by number; only what is used is touched
  uint8_t *room, *room_end;
} known_t;

static known_t known[LANES];
static checking_results_t *results;  // NULL: nothing is compared
static unsigned long every = 1;
static _Atomic pid_t judging;          // thread that compares
static _Atomic uintptr_t judging_cfa;  // of its hook
static __thread unsigned long passed __attribute__((tls_model("initial-exec")));

// ---- the file ------------------------------------------------------------------------------

// A comparison that the thread itself left by longjmp, out of a signal handler, is over.
static bool judging_try(uintptr_t cfa) {
  const pid_t own = gettid();
  pid_t owner = 0;
  if (!atomic_compare_exchange_strong(&judging, &owner, own) &&
      (owner != own || cfa < atomic_load(&judging_cfa)))
    return false;
  atomic_store(&judging_cfa, cfa);
  return true;
}
static void judging_end(void) { atomic_store(&judging, 0); }
static void judging_wait(void) {
  while (!judging_try(UINTPTR_MAX)) sched_yield();
}

// From the arguments of the constructor: it runs before libc knows of its environment.
static const char *value_of(char **environment, const char *name) {
  const size_t length = strlen(name);
  for (; *environment; environment++)
    if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
      return *environment + length + 1;
  return NULL;
}

static void results_open(char **environment) {
  const char *path = value_of(environment, "STACKS_CHECK_OUTPUT");
  const char *text = value_of(environment, "STACKS_CHECK_EVERY");
  const int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *memory = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return;
  if (text && strtoul(text, NULL, 10) > 0) every = strtoul(text, NULL, 10);
  // A fork in the middle of a comparison would leave locks of libunwind behind in the child.
  pthread_atfork(judging_wait, judging_end, judging_end);
  results = memory;
}

// ---- definitions ---------------------------------------------------------------------------

static void *memory_take(size_t size) {
  void *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

// The lane's entry. Lanes are few and stay; NULL where there is no place for one more.
static known_t *known_find(stacks_t *stacks) {
  size_t place = ((uintptr_t)stacks >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LANES_BITS);
  for (size_t i = 0; i < LANES; i++, place = (place + 1) % LANES) {
    stacks_t *owner = NULL;
    if (atomic_load(&known[place].owner) == stacks) return &known[place];
    if (!atomic_compare_exchange_strong(&known[place].owner, &owner, stacks)) continue;
    known[place].definitions =
        memory_take((STACKS_NUMBER_LAST + 1) * sizeof *known[place].definitions);
    return &known[place];
  }
  return NULL;
}

typedef struct {
  const stacks_sink_t *sink;
  known_t *lane;
} listener_t;

static definition_t *definition_new(known_t *lane, size_t size) {
  static const size_t chunk = (size_t)1 << 20;
  size = (size + 15) & ~(size_t)15;
  if ((size_t)(lane->room_end - lane->room) < size) {
    uint8_t *room = memory_take(chunk);
    if (!room) return NULL;
    lane->room_end = lane->room = room;
    lane->room_end = room + chunk;
  }
  definition_t *definition = (definition_t *)lane->room;
  lane->room += size;
  return definition;
}

static bool stack_defined(void *arg, uint32_t number, const uint64_t *frames, size_t count,
                          bool truncated) {
  const listener_t *listener = arg;
  definition_t *definition =
      definition_new(listener->lane, sizeof *definition + count * sizeof *frames);
  if (definition) {
    definition->count = count;
    definition->truncated = truncated;
    memcpy(definition->frames, frames, count * sizeof *frames);
  }
  listener->lane->definitions[number] = definition;
  return listener->sink->define_stack(listener->sink->arg, number, frames, count, truncated);
}

static bool module_defined(void *arg, const trace_module_t *module, const uint8_t *build_id,
                           const char *path) {
  const listener_t *listener = arg;
  return listener->sink->define_module(listener->sink->arg, module, build_id, path);
}

// ---- between ---------------------------------------------------------------------------------

uint32_t __real_stacks_number(stacks_t *stacks, const stacks_origin_t *origin,
                              const stacks_sink_t *sink);
uint32_t __wrap_stacks_number(stacks_t *stacks, const stacks_origin_t *origin,
                              const stacks_sink_t *sink);

static void compare(const definition_t *definition, const stacks_origin_t *origin) {
  if (!judging_try(origin->cfa)) {
    atomic_fetch_add(&results->skipped, 1);
    return;
  }
  const int error = errno;
  const checking_stack_t ours = {definition->frames, definition->count, definition->truncated};
  judge_stack(results, origin, &ours);
  errno = error;
  judging_end();
}

uint32_t __wrap_stacks_number(stacks_t *stacks, const stacks_origin_t *origin,
                              const stacks_sink_t *sink) {
  known_t *lane = results && stacks ? known_find(stacks) : NULL;
  if (!lane || !lane->definitions) return __real_stacks_number(stacks, origin, sink);
  listener_t listener = {sink, lane};
  const stacks_sink_t between = {&listener, stack_defined, module_defined};
  const uint32_t number = __real_stacks_number(stacks, origin, &between);
  atomic_fetch_add_explicit(&results->taken, 1, memory_order_relaxed);
  if (!number || ++passed < every) return number;
  passed = 0;
  if (lane->definitions[number]) compare(lane->definitions[number], origin);
  return number;
}

static __attribute__((constructor(101))) void checking_start(int count, char **arguments,
                                                             char **environment) {
  (void)count, (void)arguments;
  results_open(environment);
}
