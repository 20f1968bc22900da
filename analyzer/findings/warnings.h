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

// How sure a lint is, and from when on it speaks.
typedef struct {
  const char *confidence;  // "low", "medium", "high"; NULL: the warning is no lint's
  uint64_t threshold;      // ns, or a number
  bool is_time;
} warning_lint_t;

typedef struct {
  uint32_t id;  // 1, 2, ...
  warning_severity_t severity;
  char *text;           // one line, no full stop
  const char *where;    // what it is about: "trace", "locks", "memory", ...; never NULL
  warning_lint_t lint;  // none: all zero
} warning_t;

typedef struct {
  warning_t *items;  // gravest first
  size_t count;
} warnings_t;

// From the reader's own warnings, its properties and the finished models. For warnings_free.
// `deadlocks` may be NULL.
warnings_t *warnings_find(const models_t *models, const deadlocks_t *deadlocks);
// Adds one behind those of its severity. `where` is not copied; `lint` may be NULL.
void warnings_add(warnings_t *warnings, warning_severity_t severity, const char *where,
                  const warning_lint_t *lint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void warnings_free(warnings_t *warnings);

#endif
