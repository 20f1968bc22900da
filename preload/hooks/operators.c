// SPDX-License-Identifier: Apache-2.0
// operator new and operator delete, in all forms.
//
// Those of libstdc++ call malloc and free, which are recorded: here they are only jumped to. An
// allocator that brings operators of its own (jemalloc, tcmalloc, mimalloc) does not: its are
// recorded here, and what they call is nested. So each allocation counts once.
//
// A program may have no operators when it starts, and load a module later that brings them along,
// out of sight of RTLD_NEXT (a C program with a C++ plugin): they are found as that module would
// find them. Where nobody has any, these are malloc and free.
#include "preload/hooks/operators.h"

#include "preload/hooks/heap_sample.h"
#include "preload/hooks/hooks.h"
#include "preload/lock_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>

// All take their arguments in up to three registers: size, alignment, the tag of nothrow; or block,
// size, alignment, tag. So they are passed on without being told apart.
// OPERATOR(name, NEW or DELETE, whether the second argument is an alignment)
#define OPERATOR_TABLE(OPERATOR)                                                                   \
  OPERATOR(_Znwm, NEW, false)                                                                      \
  OPERATOR(_Znam, NEW, false)                                                                      \
  OPERATOR(_ZnwmRKSt9nothrow_t, NEW, false)                                                        \
  OPERATOR(_ZnamRKSt9nothrow_t, NEW, false)                                                        \
  OPERATOR(_ZnwmSt11align_val_t, NEW, true)                                                        \
  OPERATOR(_ZnamSt11align_val_t, NEW, true)                                                        \
  OPERATOR(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW, true)                                          \
  OPERATOR(_ZnamSt11align_val_tRKSt9nothrow_t, NEW, true)                                          \
  OPERATOR(_ZdlPv, DELETE, false)                                                                  \
  OPERATOR(_ZdaPv, DELETE, false)                                                                  \
  OPERATOR(_ZdlPvm, DELETE, false)                                                                 \
  OPERATOR(_ZdaPvm, DELETE, false)                                                                 \
  OPERATOR(_ZdlPvRKSt9nothrow_t, DELETE, false)                                                    \
  OPERATOR(_ZdaPvRKSt9nothrow_t, DELETE, false)                                                    \
  OPERATOR(_ZdlPvSt11align_val_t, DELETE, true)                                                    \
  OPERATOR(_ZdaPvSt11align_val_t, DELETE, true)                                                    \
  OPERATOR(_ZdlPvmSt11align_val_t, DELETE, false)                                                  \
  OPERATOR(_ZdaPvmSt11align_val_t, DELETE, false)                                                  \
  OPERATOR(_ZdlPvSt11align_val_tRKSt9nothrow_t, DELETE, true)                                      \
  OPERATOR(_ZdaPvSt11align_val_tRKSt9nothrow_t, DELETE, true)

typedef enum {
#define OPERATOR(name, kind, aligned) OPERATOR_##name,
  OPERATOR_TABLE(OPERATOR)
#undef OPERATOR
      OPERATORS
} operator_t;
typedef enum { OPERATOR_NEW, OPERATOR_DELETE } operator_kind_t;
typedef void *(*operator_function_t)(uintptr_t a, uintptr_t b, uintptr_t c);

static const struct {
  const char *name;
  operator_kind_t kind;
  bool aligned;
} operators[OPERATORS] = {
#define OPERATOR(name, kind, aligned) {#name, OPERATOR_##kind, aligned},
    OPERATOR_TABLE(OPERATOR)
#undef OPERATOR
};

static operator_function_t operators_real[OPERATORS];    // in sight of RTLD_NEXT at the start
static operator_function_t operators_direct[OPERATORS];  // those that are only jumped to

// ---- looking up ----------------------------------------------------------------------------

static operator_function_t as_operator(void *found) {
  return (operator_function_t)(uintptr_t)found;
}

void operators_resolve(void) {
  const int error = errno;
  for (int i = 0; i < OPERATORS; i++) {
    operators_direct[i] = operators_real[i] = as_operator(dlsym(RTLD_NEXT, operators[i].name));
    if (!operators_real[0]) break;  // no C++
  }
  dlerror();
  errno = error;
}

void operators_start(void) {
  for (int i = 0; i < OPERATORS; i++)
    if ((uint64_t)(uintptr_t)operators_real[i] - recorder_allocator_start < recorder_allocator_size)
      operators_direct[i] = NULL;
}

// What modules that were loaded later have found, until one is unloaded. `module` is written last
// and looked at before and after what it stands for; BUSY while that is filled in.
typedef struct {
  _Atomic uintptr_t module;  // its link map; 0: free
  _Atomic unsigned generation;
  _Atomic(operator_function_t) functions[OPERATORS];
} scope_t;
enum { SCOPES = 8, SCOPE_BUSY = 1 };
static scope_t scopes[SCOPES];
static _Atomic unsigned generation;

// As the dynamic linker would find it for a module: first where all look (RTLD_NEXT), then in the
// module and what it needs.
static operator_function_t find_in(void *handle, operator_t which) {
  struct dl_find_object own, theirs;
  void *found = handle == RTLD_NEXT ? dlsym(RTLD_NEXT, operators[which].name)
                : handle            ? dlsym(handle, operators[which].name)
                                    : NULL;
  if (!found || _dl_find_object(found, &theirs) != 0 || _dl_find_object(scopes, &own) != 0 ||
      theirs.dlfo_map_start == own.dlfo_map_start)
    return NULL;
  return as_operator(found);
}

static operator_function_t scope_look(const scope_t *scope, uintptr_t module, operator_t which,
                                      bool *known) {
  *known = false;
  if (atomic_load_explicit(&scope->module, memory_order_acquire) != module ||
      atomic_load(&scope->generation) != atomic_load(&generation))
    return NULL;
  const operator_function_t function = atomic_load(&scope->functions[which]);
  *known = atomic_load(&scope->module) == module;
  return function;
}

// `found`: room for all of them. What the dynamic linker allocates on the way is not the program's
// doing.
static void search(const struct link_map *module, _Atomic(operator_function_t) *found) {
  const stacks_origin_t origin = {0, (uint64_t)(uintptr_t)__builtin_frame_address(0), 0};
  lane_t *lane = recorder_families.mapping ? lane_enter(&origin, TRACE_ALLOCATE) : NULL;
  if (lane) lane_enter_heap(lane);
  void *handle = dlopen(module->l_name, RTLD_LAZY | RTLD_NOLOAD);
  const bool in_sight = dlsym(RTLD_NEXT, operators[0].name) != NULL;
  for (int i = 0; i < OPERATORS; i++)
    atomic_store(&found[i], find_in(in_sight ? RTLD_NEXT : handle, (operator_t)i));
  if (handle) real_dlclose(handle);
  dlerror();
  if (lane) lane_end_heap(lane);
}

// Not where another thread is filling in the same place.
static void scope_fill(scope_t *scope, const struct link_map *module) {
  uintptr_t before = atomic_load(&scope->module);
  if (before == SCOPE_BUSY || !atomic_compare_exchange_strong(&scope->module, &before, SCOPE_BUSY))
    return;
  atomic_store(&scope->generation, atomic_load(&generation));
  search(module, scope->functions);
  atomic_store(&scope->module, (uintptr_t)module);
}

// What calls from these places have found, until a module is unloaded: to ask the dynamic linker
// whose code it is takes longer than all the rest. `place` is written last, and looked at before
// and after the function.
typedef struct {
  _Atomic uintptr_t place;  // 0: free
  _Atomic(operator_function_t) function;
} place_t;
enum { PLACES = 64, PLACE_BUSY = 1 };
static place_t places[PLACES];

// Of operators that jump on to another, both are called from one address.
static inline uintptr_t place_of(const void *from, operator_t which) {
  return (uintptr_t)from << 5 | which;
}
_Static_assert(OPERATORS <= 1 << 5, "an operator fits below the address");

static inline place_t *place_at(uintptr_t place) { return &places[(place >> 5 ^ place) % PLACES]; }

static inline __attribute__((always_inline)) operator_function_t place_look(uintptr_t place) {
  const place_t *entry = place_at(place);
  if (atomic_load(&entry->place) != place) return NULL;
  const operator_function_t function = atomic_load(&entry->function);
  return likely(atomic_load(&entry->place) == place) ? function : NULL;
}

// `since`: the generation from before it was looked for. Where a module has gone since then,
// whoever counted that has cleared the place, or we do.
static void place_note(uintptr_t place, operator_function_t function, unsigned since) {
  place_t *entry = place_at(place);
  uintptr_t before = atomic_load(&entry->place);
  if (before == PLACE_BUSY || !atomic_compare_exchange_strong(&entry->place, &before, PLACE_BUSY))
    return;
  atomic_store(&entry->function, function);
  atomic_store(&entry->place, place);
  if (atomic_load(&generation) != since) atomic_compare_exchange_strong(&entry->place, &place, 0);
}

// One that is being filled in is left to who does.
static void places_clear(void) {
  for (int i = 0; i < PLACES; i++) {
    uintptr_t place = atomic_load(&places[i].place);
    if (place != PLACE_BUSY) atomic_compare_exchange_strong(&places[i].place, &place, 0);
  }
}

void operators_forget(void) {
  atomic_fetch_add(&generation, 1);
  places_clear();
}

static operator_function_t operator_search(void *from, operator_t which) {
  struct dl_find_object caller;
  if (!real_dlclose || _dl_find_object((char *)from - 1, &caller) != 0) return NULL;
  const struct link_map *module = caller.dlfo_link_map;
  scope_t *scope = &scopes[(uintptr_t)module / sizeof *module % SCOPES];
  const int error = errno;
  bool known;
  operator_function_t function = scope_look(scope, (uintptr_t)module, which, &known);
  if (!known) {
    scope_fill(scope, module);
    function = scope_look(scope, (uintptr_t)module, which, &known);
  }
  if (!known) {
    _Atomic(operator_function_t) found[OPERATORS];
    search(module, found);
    function = found[which];
  }
  errno = error;
  return function;
}

// The first time at a place.
static __attribute__((noinline, cold)) operator_function_t operator_seek(void *from,
                                                                         operator_t which) {
  const unsigned since = atomic_load(&generation);
  const operator_function_t function = operator_search(from, which);
  if (function) place_note(place_of(from, which), function, since);
  return function;
}

// ---- where nobody has any ------------------------------------------------------------------

static void *plain_new(operator_t which, uintptr_t size, uintptr_t alignment) {
  if (size == 0) size = 1;
  if (!operators[which].aligned) return malloc(size);
  return aligned_alloc(alignment, (size + alignment - 1) & -alignment);
}

static void *operator_plain(operator_t which, uintptr_t a, uintptr_t b) {
  if (operators[which].kind == OPERATOR_DELETE) {
    free((void *)a);
    return NULL;
  }
  void *block = plain_new(which, a, b);
  // There is no C++ to throw with.
  const bool throws = which == OPERATOR__Znwm || which == OPERATOR__Znam ||
                      which == OPERATOR__ZnwmSt11align_val_t ||
                      which == OPERATOR__ZnamSt11align_val_t;
  if (!block && throws) abort();
  return block;
}

// ---- recording -----------------------------------------------------------------------------

// A real operator may throw: this frame leaves the lane while the stack is unwound. How: see
// once.c.
enum { UNWIND_CLEANUP_PHASE = 2, UNWIND_CONTINUE = 8 };
int operator_personality(int version, int actions, uint64_t kind, void *exception, void *context);
void *operator_call(uintptr_t a, uintptr_t b, uintptr_t c, operator_function_t function);

int operator_personality(int version, int actions, uint64_t kind, void *exception, void *context) {
  (void)version, (void)kind, (void)exception, (void)context;
  if (actions & UNWIND_CLEANUP_PHASE && lane_current) lane_end_heap(lane_current);
  return UNWIND_CONTINUE;
}

__asm__(".pushsection .text\n"
        ".type operator_call, @function\n"
        "operator_call:\n"
        ".cfi_startproc\n"
        ".cfi_personality 0x1b, operator_personality\n"
        "pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "call *%rcx\n"
        "popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size operator_call, . - operator_call\n"
        ".popsection\n");

// True where the call has to do with no block of the sample: all of them where all are kept are in
// it. A block that goes back is out of it after this.
static bool operator_is_left_out(operator_t which, uintptr_t a) {
  if (recorder_families.heap == RECORDER_HEAP_ALL) return false;
  if (operators[which].kind == OPERATOR_NEW)
    return !heap_is_sampled() || heap_sample_passes(a) || !heap_sample_hits(a);
  if (heap_is_sampled() && sampled_blocks_may_have(a) && sampled_blocks_take(a)) {
    lock_memory_sample_freed(a);
    return false;
  }
  return true;
}

static void *operator_recorded(const stacks_origin_t *origin, operator_t which,
                               operator_function_t function, uintptr_t a, uintptr_t b,
                               uintptr_t c) {
  const bool is_new = operators[which].kind == OPERATOR_NEW;
  lane_t *lane = is_new || a != 0 ? lane_enter(origin, is_new ? TRACE_ALLOCATE : TRACE_FREE) : NULL;
  if (!lane) return function(a, b, c);
  if (!is_new) lane_record_cheap(lane, TRACE_FREE, 0, 0, 1, a, 0);
  lane_enter_heap(lane);
  void *block = operator_call(a, b, c, function);
  lane_leave_heap(lane);
  if (is_new && block && (!heap_is_sampled() || heap_sample_keeps(lane, block)))
    lane_record_cheap(lane, TRACE_ALLOCATE, lane_stack(lane, origin), a, 1, (uintptr_t)block, 0);
  lane_leave(lane);
  return block;
}

// In jumps, down to the real function: one that jumps on, as libstdc++'s do, to another operator
// leaves the address there by which we find what its caller would.
#define OPERATOR(name, kind, aligned)                                                              \
  void *name(uintptr_t a, uintptr_t b, uintptr_t c);                                               \
  static HOOK_BODY void *recorded_##name(uintptr_t a, uintptr_t b, uintptr_t c) {                  \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    return operator_recorded(&origin, OPERATOR_##name, operators_real[OPERATOR_##name], a, b, c);  \
  }                                                                                                \
  static HOOK_BODY void *emptied_##name(uintptr_t a, uintptr_t b, uintptr_t c) {                   \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lock_memory_freed(&origin, a);                                                                 \
    return operators_real[OPERATOR_##name](a, b, c);                                               \
  }                                                                                                \
  static HOOK_BODY void *known_##name(uintptr_t a, uintptr_t b, uintptr_t c) {                     \
    if (recorder_families.heap && !operator_is_left_out(OPERATOR_##name, a))                       \
      return recorded_##name(a, b, c);                                                             \
    return recorder_families.heap && OPERATOR_##kind == OPERATOR_DELETE &&                         \
                   unlikely(lock_memory_is_near(a) && lock_memory_size(a))                         \
               ? emptied_##name(a, b, c)                                                           \
               : operators_real[OPERATOR_##name](a, b, c);                                         \
  }                                                                                                \
  static HOOK_BODY void *sought_##name(uintptr_t a, uintptr_t b, uintptr_t c, void *from) {        \
    const operator_function_t function = operator_seek(from, OPERATOR_##name);                     \
    return function ? function(a, b, c) : operator_plain(OPERATOR_##name, a, b);                   \
  }                                                                                                \
  static HOOK_BODY void *indirect_##name(uintptr_t a, uintptr_t b, uintptr_t c) {                  \
    if (operators_real[OPERATOR_##name]) return known_##name(a, b, c);                             \
    void *const from = __builtin_return_address(0);                                                \
    const operator_function_t function = place_look(place_of(from, OPERATOR_##name));              \
    return likely(function != NULL) ? function(a, b, c) : sought_##name(a, b, c, from);            \
  }                                                                                                \
  HOOK_EXPORT void *name(uintptr_t a, uintptr_t b, uintptr_t c) {                                  \
    const operator_function_t function = operators_direct[OPERATOR_##name];                        \
    return likely(function != NULL) ? function(a, b, c) : indirect_##name(a, b, c);                \
  }
OPERATOR_TABLE(OPERATOR)
