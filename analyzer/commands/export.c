// SPDX-License-Identifier: Apache-2.0
// A trace in the format of another tool.
#include "analyzer/commands/commands.h"
#include "analyzer/exports/perfetto.h"

int command_export(const options_t *options) {
  char error[1024];
  if (perfetto_export(options->traces[0], options->output, error, sizeof error)) return STATUS_DONE;
  command_complain("%s", error);
  return STATUS_FILES;
}
