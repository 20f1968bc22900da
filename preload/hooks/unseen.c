// SPDX-License-Identifier: Apache-2.0
// Recognising what goes past the recorder: another malloc in front of ours; io_uring (futex.c).
// Statically linked and setuid programs never load this library: the launcher says so.
#include "preload/hooks/unseen.h"

#include "preload/recorder.h"

#include <dlfcn.h>

void unseen_note(uint32_t bits) {
  const int process = recorder_session ? recorder_process() : -1;
  if (process >= 0) atomic_fetch_or(&recorder_session->processes[process].unseen, bits);
}

// After the constructor that starts the recording (start.c).
__attribute__((constructor(102))) static void unseen_malloc(void) {
  struct dl_find_object first, own;
  if (recorder_families.heap && _dl_find_object(dlsym(RTLD_DEFAULT, "malloc"), &first) == 0 &&
      _dl_find_object((void *)unseen_malloc, &own) == 0 &&
      first.dlfo_map_start != own.dlfo_map_start)
    unseen_note(TRACE_UNSEEN_MALLOC);
}
