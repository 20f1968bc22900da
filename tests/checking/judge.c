// SPDX-License-Identifier: Apache-2.0
// Whose stack is right: libunwind is asked first, libgcc where it says something else.
#include "tests/checking/checking.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static size_t same_frames(const checking_stack_t *ours, const checking_stack_t *theirs) {
  size_t count = 0;
  while (count < ours->count && count < theirs->count &&
         ours->frames[count] == theirs->frames[count])
    count++;
  // The address that makecontext lays below the first frame is nobody's return address.
  if (count && count + 1 == ours->count && count + 1 == theirs->count &&
      ours->frames[count] == theirs->frames[count] + 1)
    count++;
  return count;
}

static bool is_equal(const checking_stack_t *ours, const checking_stack_t *theirs) {
  return ours->count == theirs->count && same_frames(ours, theirs) == ours->count;
}

static bool is_part(const checking_stack_t *part, const checking_stack_t *whole) {
  return part->count < whole->count && same_frames(part, whole) == part->count;
}

// Libunwind's is not equal.
static checking_class_t judge_difference(const stacks_origin_t *origin,
                                         const checking_stack_t *ours) {
  const checking_stack_t libgcc = unwinders_libgcc(origin);
  if (ours->truncated && ours->count == STACKS_FRAMES_MAX && is_part(ours, &libgcc))
    return CHECKING_DEEP;
  if (ours->truncated && is_part(ours, &libgcc)) return CHECKING_CUT;
  if (!is_equal(ours, &libgcc)) return CHECKING_WRONG;
  if (ours->truncated) return CHECKING_NO_RULES;
  unwinders_flush();
  const checking_stack_t again = unwinders_libunwind(origin);
  return is_equal(ours, &again) ? CHECKING_STALE : CHECKING_UNWIND_ALONE;
}

// "module+offset", or the bare address.
static int place_print(char *text, size_t size, uint64_t ip) {
  struct dl_find_object object;
  if (_dl_find_object((void *)ip, &object) != 0) return snprintf(text, size, "%#lx", ip);
  const char *name = object.dlfo_link_map->l_name;
  const char *slash = strrchr(name, '/');
  return snprintf(text, size, "%s+%#lx",
                  slash   ? slash + 1
                  : *name ? name
                          : "program",
                  ip - object.dlfo_link_map->l_addr);
}

static uint64_t frame_at(const checking_stack_t *stack, size_t index) {
  return index < stack->count ? stack->frames[index] : 0;
}

static void example_keep(checking_results_t *results, checking_class_t class,
                         const checking_stack_t *ours, const checking_stack_t *theirs) {
  // A few of each class.
  if (atomic_load(&results->classes[class]) > 4) return;
  const uint64_t place = atomic_fetch_add(&results->examples_used, 1);
  if (place >= CHECKING_EXAMPLES) return;
  checking_example_t *example = &results->examples[place];
  const size_t same = same_frames(ours, theirs);
  example->class = class;
  example->frame = (uint32_t)same;
  example->ours = (uint32_t)ours->count;
  example->theirs = (uint32_t)theirs->count;
  const uint64_t frames[] = {same ? frame_at(ours, same - 1) : 0, frame_at(ours, same),
                             frame_at(theirs, same)};
  static const char *const texts[] = {"after ", ", ours ", ", theirs "};
  size_t used = 0;
  for (int i = 0; i < 3 && used + 64 < sizeof example->where; i++) {
    used += (size_t)snprintf(example->where + used, sizeof example->where - used, "%s", texts[i]);
    const int more = place_print(example->where + used, sizeof example->where - used, frames[i]);
    used += more > 0 ? (size_t)more : 0;
  }
}

void judge_stack(checking_results_t *results, const stacks_origin_t *origin,
                 const checking_stack_t *ours) {
  const checking_stack_t theirs = unwinders_libunwind(origin);
  if (ours->count > atomic_load(&results->deepest)) atomic_store(&results->deepest, ours->count);
  const checking_class_t class =
      is_equal(ours, &theirs) ? CHECKING_EQUAL : judge_difference(origin, ours);
  atomic_fetch_add(&results->classes[class], 1);
  if (class != CHECKING_EQUAL) example_keep(results, class, ours, &theirs);
}
