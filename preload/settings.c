// SPDX-License-Identifier: Apache-2.0
// The table of variables, and how their values are read. No locale, no allocation.
#include "preload/settings.h"

#include "preload/message.h"

#include <stddef.h>
#include <string.h>

settings_t settings;

typedef enum {
  KIND_FLAG,
  KIND_MODE,
  KIND_RATE,
  KIND_PATH,
  KIND_COUNT,
  KIND_BYTES,
  KIND_MS,
  KIND_LOG
} kind_t;

typedef struct {
  const char *name;  // without INSPECT_
  kind_t kind;
  size_t offset;  // in settings_t
} variable_t;

#define VARIABLE(name, kind, member)                                                               \
  { name, kind, offsetof(settings_t, member) }
static const variable_t variables[] = {
    // MODE first: it gives the others their defaults.
    VARIABLE("MODE", KIND_MODE, mode),
    VARIABLE("ENABLED", KIND_FLAG, enabled),
    VARIABLE("SAMPLING", KIND_RATE, sampling),
    VARIABLE("BACKTRACES", KIND_FLAG, backtraces),
    VARIABLE("ALLOCATIONS", KIND_FLAG, allocations),
    VARIABLE("OUTPUT", KIND_PATH, output),
    VARIABLE("MAX_EVENTS", KIND_COUNT, max_events),
    VARIABLE("MAX_TASKS", KIND_COUNT, max_tasks),
    VARIABLE("MAX_SIZE", KIND_BYTES, max_size),
    VARIABLE("STALL_MS", KIND_MS, stall_ms),
    VARIABLE("WAIT_MS", KIND_MS, wait_ms),
    VARIABLE("REDACT", KIND_FLAG, redact),
    VARIABLE("LOG", KIND_LOG, log),
};
enum { VARIABLES = sizeof variables / sizeof *variables };
static const char prefix[] = "INSPECT_";

static const char *const expected[] = {
    [KIND_FLAG] = "expected 1, 0, true or false",
    [KIND_MODE] = "expected development, analysis or production",
    [KIND_RATE] = "expected a number from 0 to 1",
    [KIND_PATH] = "expected a path with %p, %e, %h, %t or %% in it, at most 400 bytes",
    [KIND_COUNT] = "expected a count, 0 for no limit",
    [KIND_BYTES] = "expected a number of bytes, with K, M or G if you like, at least 64K",
    [KIND_MS] = "expected a number of milliseconds",
    [KIND_LOG] = "expected error, warn, info or debug",
};

static const char *const mode_names[] = {"development", "analysis", "production"};
static const char *const log_names[] = {"error", "warn", "info", "debug"};

const char *settings_mode_name(settings_mode_t mode) { return mode_names[mode]; }

static bool read_word(const char *value, const char *const words[], int count, int *result) {
  for (int i = 0; i < count; i++) {
    if (strcmp(value, words[i]) != 0) continue;
    *result = i;
    return true;
  }
  return false;
}

// Digits up to the end or to `*end`; false for none or more than 64 bits.
static bool read_digits(const char *value, uint64_t *result, const char **end) {
  uint64_t number = 0;
  const char *at = value;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (__builtin_mul_overflow(number, 10, &number) ||
        __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
      return false;
  }
  *result = number;
  *end = at;
  return at != value;
}

static bool read_decimal(const char *value, double *result) {
  uint64_t whole = 0;
  const char *at = value;
  if (*at != '.' && !read_digits(at, &whole, &at)) return false;
  double number = (double)whole, scale = 1;
  if (*at == '.') {
    const char *digits = ++at;
    for (; *at >= '0' && *at <= '9'; at++) number += (double)(*at - '0') * (scale /= 10);
    if (at == digits && digits - 1 == value) return false;
  }
  *result = number;
  return *at == 0;
}

static bool read_bytes(const char *value, uint64_t *result) {
  static const char units[] = "KMG";
  const char *end;
  if (!read_digits(value, result, &end)) return false;
  if (*end) {
    const char *unit = strchr(units, *end & ~0x20);
    if (!unit || end[1]) return false;
    for (const char *at = units; at <= unit; at++)
      if (__builtin_mul_overflow(*result, 1024, result)) return false;
  }
  return *result >= 65536;
}

static bool read_path(const char *value) {
  const size_t length = strlen(value);
  if (length == 0 || length > 400) return false;
  for (const char *at = value; (at = strchr(at, '%')); at += 2)
    if (!at[1] || !strchr("peht%", at[1])) return false;
  return true;
}

static bool read_value(settings_t *into, const variable_t *variable, const char *value) {
  static const char *const flags[] = {"0", "1", "false", "true"};
  void *member = (char *)into + variable->offset;
  const char *end;
  int word;
  switch (variable->kind) {
  case KIND_FLAG:
    if (!read_word(value, flags, 4, &word)) return false;
    *(bool *)member = word & 1;
    return true;
  case KIND_MODE:
    if (!read_word(value, mode_names, 3, &word)) return false;
    *(settings_mode_t *)member = (settings_mode_t)word;
    return true;
  case KIND_LOG:
    if (!read_word(value, log_names, 4, &word)) return false;
    *(settings_log_t *)member = (settings_log_t)word;
    return true;
  case KIND_RATE:
    return read_decimal(value, member) && *(double *)member <= 1;
  case KIND_MS:
    return read_decimal(value, member);
  case KIND_COUNT:
    return read_digits(value, member, &end) && *end == 0;
  case KIND_BYTES:
    return read_bytes(value, member);
  case KIND_PATH:
    *(const char **)member = value;
    return read_path(value);
  }
  return false;
}

// Defaults of the modes (INTERFACE: by mode).
static void set_mode(settings_t *into, settings_mode_t mode) {
  static const struct {
    double sampling;
    bool backtraces, allocations;
    uint64_t max_events, max_tasks;
  } rows[] = {{1, true, true, 0, 0}, {0.1, true, false, 0, 0}, {0.01, false, false, 100000, 10000}};
  into->mode = mode;
  into->sampling = rows[mode].sampling;
  into->backtraces = rows[mode].backtraces;
  into->allocations = rows[mode].allocations;
  into->max_events = rows[mode].max_events;
  into->max_tasks = rows[mode].max_tasks;
}

static const char *find_variable(char *const environment[], const char *name) {
  const size_t length = strlen(name);
  for (; *environment; environment++) {
    const char *at = *environment;
    if (strncmp(at, prefix, sizeof prefix - 1) != 0) continue;
    at += sizeof prefix - 1;
    if (strncmp(at, name, length) == 0 && at[length] == '=') return at + length + 1;
  }
  return NULL;
}

// Edit distance (Wagner and Fischer 1974) of two short names.
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length) {
  size_t row[32];
  for (size_t j = 0; j <= b_length; j++) row[j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      const size_t edited = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = replaced < edited ? replaced : edited;
    }
  }
  return row[b_length];
}

static void name_unknown(const char *name, size_t length) {
  const variable_t *nearest = &variables[0];
  size_t least = SIZE_MAX;
  if (length > 64) length = 64;
  for (size_t i = 0; i < VARIABLES; i++) {
    const size_t steps = distance(name, length, variables[i].name, strlen(variables[i].name));
    if (steps < least) least = steps, nearest = &variables[i];
  }
  message_say(4, prefix, -1, name, (int)length,
              " is not a variable of the recorder; the nearest is INSPECT_", -1, nearest->name, -1);
}

static void find_unknown(char *const environment[]) {
  for (; *environment; environment++) {
    const char *at = *environment;
    if (strncmp(at, prefix, sizeof prefix - 1) != 0) continue;
    at += sizeof prefix - 1;
    const char *equals = strchr(at, '=');
    const size_t length = equals ? (size_t)(equals - at) : strlen(at);
    bool known = false;
    for (size_t i = 0; i < VARIABLES; i++)
      known |= strlen(variables[i].name) == length && strncmp(at, variables[i].name, length) == 0;
    if (!known) name_unknown(at, length);
  }
}

bool settings_read(settings_t *into, char *const environment[]) {
  memset(into, 0, sizeof *into);
  into->enabled = true;
  into->max_size = (uint64_t)4 << 30;
  into->stall_ms = 10;
  into->wait_ms = 1;
  into->log = SETTINGS_WARN;
  set_mode(into, SETTINGS_DEVELOPMENT);
  for (size_t i = 0; i < VARIABLES; i++) {
    const char *value = find_variable(environment, variables[i].name);
    if (!value) continue;
    if (!read_value(into, &variables[i], value)) {
      message_say(7, prefix, -1, variables[i].name, -1, "=\"", -1, value, 100, "\": ", -1,
                  expected[variables[i].kind], -1, "; recording is off", -1);
      return false;
    }
    if (variables[i].kind == KIND_MODE) set_mode(into, into->mode);
  }
  if (into->enabled && into->log >= SETTINGS_WARN) find_unknown(environment);
  return true;
}
