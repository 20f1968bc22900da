// SPDX-License-Identifier: Apache-2.0
// Recognising what goes past the recorder: another malloc in front of ours; io_uring (futex.c).
// Statically linked and setuid programs never load this library: the launcher says so.
#include "preload/hooks/unseen.h"

#include "preload/recorder.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

void unseen_note(uint32_t bits) {
  const int process = recorder_session ? recorder_process() : -1;
  if (process >= 0) atomic_fetch_or(&recorder_session->processes[process].unseen, bits);
}

// Whether it is only the place through which an executable at a fixed address calls what another
// defines: its symbol has a value, but no section.
static bool is_stub(const void *function) {
  Dl_info info;
  const ElfW(Sym) *symbol = NULL;
  return dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
         symbol->st_shndx == SHN_UNDEF;
}

// After the constructor that starts the recording (start.c).
__attribute__((constructor(102))) static void unseen_malloc(void) {
  struct dl_find_object first, own;
  void *const found = recorder_families.mapping ? dlsym(RTLD_DEFAULT, "malloc") : NULL;
  if (found && _dl_find_object(found, &first) == 0 &&
      _dl_find_object((void *)unseen_malloc, &own) == 0 &&
      first.dlfo_map_start != own.dlfo_map_start && !is_stub(found))
    unseen_note(TRACE_UNSEEN_MALLOC);
}
