// SPDX-License-Identifier: Apache-2.0
// From a hook's caller to the number of its stack.
#include "preload/stacks/state.h"

#include <link.h>

static _Atomic bool ready;

bool stacks_ready(void) { return atomic_load_explicit(&ready, memory_order_relaxed); }

// ---- definitions ---------------------------------------------------------------------------

static uint64_t mix(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= UINT64_C(0xd6e8feb86659fd93);
  return hash ^ hash >> 32;
}

// Never 0.
static uint64_t stack_hash(const walk_t *walk) {
  uint64_t hash = mix(walk->count * 2 + walk->truncated + 1);
  for (uint32_t i = 0; i < walk->count; i++)
    hash = mix(hash ^ walk->frames[i]) + UINT64_C(0x9e3779b97f4a7c15);
  return hash ? hash : 1;
}

// Whether all frames are in the modules they are believed to be in. Here, where a stack is met for
// the first time, it shows where one has gone without a word: glibc unloads modules of its own
// (character sets, name services) past the dlclose that is interposed.
static bool modules_stand(walk_t *walk) {
  const image_t *verified = NULL;
  for (uint32_t i = 0; i < walk->count && !walk->images.changed; i++)
    if (!verified || !image_holds(verified, walk->frames[i] - 1))
      verified = images_verify(&walk->images, walk->frames[i] - 1, &walk->memory);
  return !walk->images.changed;
}

static bool modules_define(stacks_t *stacks, const stacks_sink_t *sink) {
  walk_t *walk = &stacks->walk;
  for (uint32_t i = 0; i < walk->count; i++) {
    image_t *image = images_get(&walk->images, walk->frames[i] - 1, &walk->memory);
    if (!image || image->announced) continue;
    image->announced = image_announce(image, stacks->path, sink);
    if (!image->announced) return false;
  }
  return true;
}

static void memo_renew(stacks_t *stacks) {
  stacks->numbers.voids++;
  memo_forget(&stacks->memo);
}

static void numbers_begin_again(stacks_t *stacks) {
  memo_forget(&stacks->memo);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  numbers_restart(&stacks->numbers);
}

// 0 where there was no place for the definition.
static uint32_t stack_define(stacks_t *stacks, uint64_t hash, const stacks_sink_t *sink) {
  const walk_t *walk = &stacks->walk;
  if (!modules_define(stacks, sink)) return 0;
  if (unlikely(numbers_exhausted(&stacks->numbers))) numbers_begin_again(stacks);
  // The memo may know numbers that are older than those that are found by hash.
  if (unlikely(stacks->numbers.last % STACKS_NUMBERS == STACKS_NUMBERS - 1)) memo_renew(stacks);
  uint32_t number = numbers_reserve(&stacks->numbers);
  if (!sink->define_stack(sink->arg, number, walk->frames, walk->count, walk->truncated)) return 0;
  numbers_give(&stacks->numbers, number, hash);
  return number;
}

// ---- modules -------------------------------------------------------------------------------

static void stacks_renew(stacks_t *stacks, uint64_t generation) {
  stacks->generation = 0;
  memo_forget(&stacks->memo);
  numbers_forget(&stacks->numbers);
  images_forget(&stacks->walk.images);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  stacks->generation = generation;
}

void stacks_forget(stacks_t *stacks) {
  if (stacks) stacks->generation = 0;
}

void stacks_modules_changed(void) { rules_forget(); }

// Walks; again where a module turns out to have changed. Returns the number the stack has, or 0.
static uint32_t stack_walk(stacks_t *stacks, const stacks_origin_t *origin, uint64_t *hash) {
  for (int attempt = 0; attempt < 3; attempt++) {
    uint64_t generation = atomic_load_explicit(&rules_generation, memory_order_acquire);
    if (stacks->generation != generation) stacks_renew(stacks, generation);
    walk_take(&stacks->walk, origin, generation);
    *hash = stack_hash(&stacks->walk);
    uint32_t number = numbers_find(&stacks->numbers, *hash);
    if (!stacks->walk.images.changed && (number || modules_stand(&stacks->walk))) return number;
    rules_forget();
  }
  return 0;
}

static uint32_t number_walked(stacks_t *stacks, const stacks_origin_t *origin, uint64_t key,
                              const stacks_sink_t *sink) {
  uint64_t hash;
  if (!stacks_ready()) return 0;
  uint32_t number = stack_walk(stacks, origin, &hash);
  if (!number) number = stack_define(stacks, hash, sink);
  if (number) memo_keep(&stacks->memo, key, origin, &stacks->walk, number);
  return number;
}

static __attribute__((noinline)) uint32_t
number_sought(stacks_t *stacks, const stacks_origin_t *origin, const stacks_sink_t *sink) {
  if (!stacks) return 0;
  uint64_t generation = atomic_load_explicit(&rules_generation, memory_order_relaxed);
  uint64_t key = memo_key(origin);
  uint32_t number = 0;
  if (stacks->generation == generation) number = memo_find(&stacks->memo, origin, &key);
  return number ? number : number_walked(stacks, origin, key, sink);
}

uint32_t stacks_number(stacks_t *stacks, const stacks_origin_t *origin, const stacks_sink_t *sink) {
  uint64_t generation = atomic_load_explicit(&rules_generation, memory_order_relaxed);
  if (likely(stacks && stacks->generation == generation)) {
    uint32_t number = memo_find_first(&stacks->memo, origin);
    if (likely(number)) return number;
  }
  return number_sought(stacks, origin, sink);
}

uint32_t stacks_number_frame(stacks_t *stacks, uint64_t ip, const stacks_sink_t *sink) {
  if (!stacks || !stacks_ready()) return 0;
  const uint64_t generation = atomic_load_explicit(&rules_generation, memory_order_acquire);
  if (stacks->generation != generation) stacks_renew(stacks, generation);
  walk_t *walk = &stacks->walk;
  walk->frames[0] = ip;
  walk->count = 1;
  walk->truncated = true;
  walk->images.changed = false;
  const uint64_t hash = stack_hash(walk);
  const uint32_t number = numbers_find(&stacks->numbers, hash);
  return number ? number : stack_define(stacks, hash, sink);
}

uint32_t stacks_numbering(const stacks_t *stacks) {
  return stacks ? stacks->numbers.voids * 2 + (stacks->generation != 0) : 0;
}

// ---- announcing ----------------------------------------------------------------------------

typedef struct {
  const stacks_sink_t *sink;
  memory_t memory;
} announcement_t;

static char announcement_path[IMAGE_PATH_MAX];

static int module_announce(struct dl_phdr_info *info, size_t size, void *arg) {
  announcement_t *announcement = arg;
  image_t image;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    if (image_find(&image, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, &announcement->memory))
      image_announce(&image, announcement_path, announcement->sink);
    break;
  }
  return 0;
}

// The library's own rules are the proof that unwind information is there and understood.
static bool own_rules_found(memory_t *memory) {
  static cfi_workspace_t workspace;
  uint64_t pc = (uintptr_t)stacks_modules_announce + 1;
  image_t image;
  return image_find(&image, pc, memory) &&
         cfi_find(&image, pc, pc, memory, &workspace) == CFI_FOUND;
}

void stacks_modules_announce(const stacks_sink_t *sink) {
  announcement_t announcement = {.sink = sink};
  image_start();
  atomic_store_explicit(&ready, own_rules_found(&announcement.memory), memory_order_relaxed);
  dl_iterate_phdr(module_announce, &announcement);
}
