// SPDX-License-Identifier: Apache-2.0
// Rules read from a file and held against names.
#include "analyzer/reports/suppressions.h"

#include "analyzer/models/array.h"
#include "analyzer/reports/analysis.h"
#include "analyzer/reports/names.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { RULE_FUNCTION, RULE_FILE, RULE_MODULE, RULE_LOCK, RULE_KINDS } rule_kind_t;
static const char *const kind_names[RULE_KINDS] = {"function", "file", "module", "lock"};

typedef struct {
  rule_kind_t kind;
  char *pattern;
  unsigned line;
  bool used;  // in the trace it was applied to last
} rule_t;

struct suppressions {
  char *path;
  rule_t *rules;
  uint32_t count, capacity;
};

// ---- reading -----------------------------------------------------------------------------------

// The line without comment and blanks around it.
static char *line_content(char *line) {
  for (char *at = line; *at; at++)
    if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
      *at = '\0';
      break;
    }
  while (isspace((unsigned char)*line)) line++;
  for (size_t length = strlen(line); length && isspace((unsigned char)line[length - 1]); length--)
    line[length - 1] = '\0';
  return line;
}

static bool rule_add(suppressions_t *suppressions, const char *text, unsigned line) {
  for (unsigned kind = 0; kind < RULE_KINDS; kind++) {
    size_t length = strlen(kind_names[kind]);
    if (strncmp(text, kind_names[kind], length) || text[length] != ':' || !text[length + 1])
      continue;
    ARRAY_RESERVE(suppressions->rules, suppressions->capacity, suppressions->count + 1);
    char *pattern = array_zeroed(strlen(text + length), 1);
    strcpy(pattern, text + length + 1);
    suppressions->rules[suppressions->count++] =
        (rule_t){.kind = (rule_kind_t)kind, .pattern = pattern, .line = line};
    return true;
  }
  return false;
}

static bool rules_read(suppressions_t *suppressions, FILE *file, char *error, size_t size) {
  char *line = NULL;
  size_t capacity = 0;
  bool good = true;
  for (unsigned number = 1; good && getline(&line, &capacity, file) >= 0; number++) {
    const char *content = line_content(line);
    good = !*content || rule_add(suppressions, content, number);
    if (!good)
      snprintf(
          error, size,
          "%s: line %u: \"%.60s\": expected function:NAME, file:GLOB, module:GLOB or lock:NAME",
          suppressions->path, number, content);
  }
  if (good && ferror(file)) {
    snprintf(error, size, "%s: %s", suppressions->path, strerror(errno));
    good = false;
  }
  free(line);
  return good;
}

suppressions_t *suppressions_read(const char *path, char *error, size_t size) {
  FILE *file = fopen(path, "re");
  if (!file) {
    snprintf(error, size, "%s: %s", path, strerror(errno));
    return NULL;
  }
  suppressions_t *suppressions = array_zeroed(1, sizeof *suppressions);
  suppressions->path = array_zeroed(strlen(path) + 1, 1);
  strcpy(suppressions->path, path);
  bool good = rules_read(suppressions, file, error, size);
  fclose(file);
  if (good) return suppressions;
  suppressions_free(suppressions);
  return NULL;
}

void suppressions_free(suppressions_t *suppressions) {
  if (!suppressions) return;
  for (uint32_t at = 0; at < suppressions->count; at++) free(suppressions->rules[at].pattern);
  free(suppressions->rules);
  free(suppressions->path);
  free(suppressions);
}

// ---- applying ----------------------------------------------------------------------------------

static bool pattern_fits(const rule_t *rule, const char *name) {
  return name && fnmatch(rule->pattern, name, 0) == 0;
}

static bool frame_fits(const rule_t *rule, const symbols_frame_t *frame) {
  switch (rule->kind) {
  case RULE_FUNCTION:
    return pattern_fits(rule, frame->function);
  case RULE_FILE:
    return pattern_fits(rule, frame->file);
  case RULE_MODULE:
    return pattern_fits(rule, frame->module);
  default:
    return false;
  }
}

static bool stack_fits(const rule_t *rule, names_t *names, uint32_t stack) {
  size_t count;
  const symbols_frame_t *frames = names_frames_shown(names, stack, &count);
  for (size_t at = 0; at < count; at++)
    if (frame_fits(rule, &frames[at])) return true;
  return false;
}

static bool leg_fits(const rule_t *rule, names_t *names, const deadlock_leg_t *leg) {
  if (rule->kind == RULE_LOCK)
    return (leg->holds && pattern_fits(rule, names_lock(names, leg->holds))) ||
           (leg->wants && pattern_fits(rule, names_lock(names, leg->wants)));
  return stack_fits(rule, names, leg->holds_stack) || stack_fits(rule, names, leg->wants_stack);
}

static bool deadlock_fits(const rule_t *rule, names_t *names, const deadlock_t *deadlock) {
  for (uint32_t leg = 0; leg < deadlock->leg_count; leg++)
    if (leg_fits(rule, names, &deadlock->legs[leg])) return true;
  return false;
}

// Every rule that fits counts as used, not only the first.
static bool is_suppressed(suppressions_t *suppressions, names_t *names,
                          const deadlock_t *deadlock) {
  bool suppressed = false;
  for (uint32_t at = 0; at < suppressions->count; at++) {
    if (!deadlock_fits(&suppressions->rules[at], names, deadlock)) continue;
    suppressions->rules[at].used = suppressed = true;
  }
  return suppressed;
}

void suppressions_apply(suppressions_t *suppressions, analysis_t *analysis) {
  for (uint32_t at = 0; at < suppressions->count; at++) suppressions->rules[at].used = false;
  for (size_t at = 0; at < analysis->deadlocks->count;) {
    const deadlock_t *deadlock = &analysis->deadlocks->items[at];
    if (deadlock->verdict != DEADLOCK_ACTUAL &&
        is_suppressed(suppressions, analysis->names, deadlock))
      deadlocks_suppress(analysis->deadlocks, at);
    else
      at++;
  }
}

void suppressions_warn(const suppressions_t *suppressions, analysis_t *analysis) {
  for (uint32_t at = 0; at < suppressions->count; at++) {
    const rule_t *rule = &suppressions->rules[at];
    if (!rule->used)
      warnings_add(analysis->warnings, WARNING_SEVERITY_WARNING, "suppressions", NULL,
                   "%s: line %u: %s:%s suppressed nothing", suppressions->path, rule->line,
                   kind_names[rule->kind], rule->pattern);
  }
}
