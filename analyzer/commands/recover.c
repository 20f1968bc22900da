// SPDX-License-Identifier: Apache-2.0
// An interrupted trace and its leftovers as one complete file.
#include "analyzer/reading/recover.h"

#include "analyzer/commands/commands.h"

#include <inttypes.h>

int command_recover(const options_t *options) {
  char error[1024];
  reading_recovery_t recovery;
  if (reading_recover(options->traces[0], options->output, &recovery, error, sizeof error) !=
      READING_RECOVERED) {
    command_complain("%s", error);
    return STATUS_FILES;
  }
  printf("%s: %" PRIu64 " bytes: %" PRIu64 " blocks, leftovers of %" PRIu64 " rings",
         options->output, recovery.bytes, recovery.blocks, recovery.rings);
  if (recovery.damaged_blocks)
    printf("; %" PRIu64 " damaged blocks left out", recovery.damaged_blocks);
  putchar('\n');
  return STATUS_DONE;
}
