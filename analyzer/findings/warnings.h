// SPDX-License-Identifier: Apache-2.0
// What a reader of the report must know about its limits: losses, damage, gaps, oddities.
#ifndef ANALYZER_FINDINGS_WARNINGS_H
#define ANALYZER_FINDINGS_WARNINGS_H

#include "analyzer/findings/deadlocks.h"

#define WARNING_SEVERITY_TABLE(SEVERITY)                                                           \
  SEVERITY(INFO, "info")                                                                           \
  SEVERITY(WARNING, "warning")                                                                     \
  SEVERITY(ERROR, "error")
typedef enum {
#define SEVERITY(name, key) WARNING_SEVERITY_##name,
  WARNING_SEVERITY_TABLE(SEVERITY)
#undef SEVERITY
} warning_severity_t;
const char *warning_severity_name(warning_severity_t severity);

typedef struct {
  uint32_t id;  // 1, 2, ...
  warning_severity_t severity;
  char *text;              // one line, no full stop
  const char *where;       // what it is about: "trace", "locks", "memory", ...; never NULL
  const char *confidence;  // of a lint: "low", "medium", "high"; else NULL
} warning_t;

typedef struct {
  warning_t *items;  // gravest first
  size_t count;
} warnings_t;

// From the reader's own warnings, its properties and the finished models. For warnings_free.
// `deadlocks` may be NULL.
warnings_t *warnings_find(const models_t *models, const deadlocks_t *deadlocks);
// Adds one behind those of its severity. `where` and `confidence` (NULL: none) are not copied.
void warnings_add(warnings_t *warnings, warning_severity_t severity, const char *where,
                  const char *confidence, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void warnings_free(warnings_t *warnings);

#endif
