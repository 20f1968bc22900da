// SPDX-License-Identifier: Apache-2.0
// Frames of which no unwind information speaks: the few that can be told by their code.
#include "preload/stacks/walk.h"

#include <string.h>

static bool bytes_take(walk_t *walk, uint64_t address, uint8_t *bytes, size_t size) {
  if (!memory_probe_bytes(&walk->memory, address, size)) return false;
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)memory_peek(address + i, 1);
  return true;
}

// The loader's _dl_start_user, and a _start in assembly: the few instructions from which a program
// starts.
static bool is_program_start(const image_t *image, uint64_t ip) {
  const uint64_t reach = 128;
  return image->entry && ip - image->entry - 1 < reach;
}

// mov $15, %rax; syscall: what a signal handler returns to.
static bool is_signal_return(walk_t *walk, uint64_t ip) {
  static const uint8_t code[9] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  uint8_t bytes[sizeof code];
  return bytes_take(walk, ip, bytes, sizeof bytes) && memcmp(bytes, code, sizeof code) == 0;
}

// Whether a call may end at bytes[7]: e8 with a distance, or ff /2 with any operand.
static bool is_after_call(const uint8_t bytes[7]) {
  if (bytes[2] == 0xe8) return true;
  for (int length = 2; length <= 7; length++)
    if (bytes[7 - length] == 0xff && (bytes[8 - length] & 0x38) == 0x10) return true;
  return false;
}

// A function's first instruction, with no call before it: nobody returned there yet. makecontext
// lays the address of glibc's __start_context below the first frame of a coroutine.
static bool is_root(walk_t *walk, const image_t *image, uint64_t ip) {
  uint8_t bytes[7];
  return bytes_take(walk, ip - sizeof bytes, bytes, sizeof bytes) && !is_after_call(bytes) &&
         image_holds(image, ip) &&
         cfi_find(image, ip, ip, &walk->memory, &walk->workspace) == CFI_FOUND;
}

step_t walk_unknown(walk_t *walk, const image_t *image, uint64_t ip) {
  if (image && is_program_start(image, ip)) return STEP_END;
  if (is_signal_return(walk, ip)) return STEP_TO_CALLER;
  return image && is_root(walk, image, ip) ? STEP_ROOT : STEP_TRUNCATED;
}
