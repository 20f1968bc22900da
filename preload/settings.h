// SPDX-License-Identifier: Apache-2.0
// What the INSPECT_ variables say.
#ifndef PRELOAD_SETTINGS_H
#define PRELOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { SETTINGS_DEVELOPMENT, SETTINGS_ANALYSIS, SETTINGS_PRODUCTION } settings_mode_t;
typedef enum { SETTINGS_ERROR, SETTINGS_WARN, SETTINGS_INFO, SETTINGS_DEBUG } settings_log_t;

typedef struct {
  bool enabled;
  settings_mode_t mode;
  double sampling;  // 0..1
  bool backtraces;
  bool allocations;
  const char *output;   // template, as given; NULL: the default
  uint64_t max_events;  // 0: no limit
  uint64_t max_tasks;
  uint64_t max_size;  // bytes
  double stall_ms, wait_ms;
  bool redact;
  settings_log_t log;
} settings_t;

// Names of the modes, as in INSPECT_MODE and in the trace.
const char *settings_mode_name(settings_mode_t mode);

// Reads the variables of `environment` (NAME=value strings, NULL at the end; they must outlive
// `settings`). A bad value or an unknown INSPECT_ variable is named on stderr, one line each.
// False: a value was bad, and nothing is to be recorded.
bool settings_read(settings_t *settings, char *const environment[]);

// The settings of this process, as the constructor read them.
extern settings_t settings;

#endif
