// SPDX-License-Identifier: Apache-2.0
// Names of traces, without stdio and without allocation.
#include "preload/naming.h"

#include "preload/system.h"

#include <string.h>
#include <sys/utsname.h>

typedef struct {
  char *text;
  size_t size, used;
  bool full;
} builder_t;

static void add(builder_t *builder, const char *text, size_t length) {
  if (length >= builder->size - builder->used) {
    builder->full = true;
    return;
  }
  memcpy(builder->text + builder->used, text, length);
  builder->used += length;
  builder->text[builder->used] = 0;
}

static void add_text(builder_t *builder, const char *text) { add(builder, text, strlen(text)); }

static builder_t builder_start(char *text, size_t size) {
  text[0] = 0;
  return (builder_t){text, size, 0, false};
}

size_t naming_digits(char *text, uint64_t number) {
  char reversed[20];
  size_t count = 0;
  do reversed[count++] = (char)('0' + number % 10);
  while (number /= 10);
  for (size_t i = 0; i < count; i++) text[i] = reversed[count - 1 - i];
  text[count] = 0;
  return count;
}

static void add_number(builder_t *builder, uint64_t number, size_t width) {
  char digits[21];
  const size_t count = naming_digits(digits, number);
  for (size_t i = count; i < width; i++) add(builder, "0", 1);
  add(builder, digits, count);
}

// Civil date from days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
static void add_time(builder_t *builder, uint64_t now) {
  const uint64_t seconds = now / 1000000000, rest = seconds % 86400;
  const uint64_t z = seconds / 86400 + 719468, era = z / 146097, day = z % 146097;
  const uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  const uint64_t day_of_year = day - (365 * year + year / 4 - year / 100);
  const uint64_t shifted = (5 * day_of_year + 2) / 153;
  const uint64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  add_number(builder, year + era * 400 + (month <= 2), 4);
  add_number(builder, month, 2);
  add_number(builder, day_of_year - (153 * shifted + 2) / 5 + 1, 2);
  add_text(builder, "T");
  add_number(builder, rest / 3600, 2);
  add_number(builder, rest / 60 % 60, 2);
  add_number(builder, rest % 60, 2);
}

static void add_host(builder_t *builder) {
  struct utsname names;
  if (system_failed(system_call(SYS_uname, &names)))
    add_text(builder, "localhost");
  else
    add_text(builder, names.nodename);
}

bool naming_expand(char *path, size_t size, const char *template, uint32_t pid, const char *program,
                   uint64_t now) {
  builder_t builder = builder_start(path, size);
  if (template[0] != '/') {
    const long length = system_call(SYS_getcwd, path, size);
    if (system_failed(length) || path[0] != '/') return false;
    builder.used = (size_t)length - 1;
    if (builder.used > 1) add_text(&builder, "/");
  }
  for (const char *at = template; *at; at++) {
    if (*at != '%') {
      add(&builder, at, 1);
      continue;
    }
    switch (*++at) {
    case 'p':
      add_number(&builder, pid, 0);
      break;
    case 'e':
      add_text(&builder, program);
      break;
    case 'h':
      add_host(&builder);
      break;
    case 't':
      add_time(&builder, now);
      break;
    default:
      add(&builder, "%", 1);
      break;
    }
  }
  return !builder.full;
}

bool naming_insert(char *result, size_t size, const char *path, uint64_t number) {
  static const char ending[] = ".zst";
  const size_t length = strlen(path), stem_length = length - (sizeof ending - 1);
  const bool has = length > sizeof ending - 1 && strcmp(path + stem_length, ending) == 0;
  builder_t builder = builder_start(result, size);
  add(&builder, path, has ? stem_length : length);
  add_text(&builder, ".");
  add_number(&builder, number, 0);
  if (has) add_text(&builder, ending);
  return !builder.full;
}

bool naming_append(char *result, size_t size, const char *path, const char *suffix) {
  builder_t builder = builder_start(result, size);
  add_text(&builder, path);
  add_text(&builder, suffix);
  return !builder.full;
}

uint64_t naming_hash(const void *bytes, size_t length) {
  const uint8_t *next = bytes;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < length; i++) hash = (hash ^ next[i]) * UINT64_C(0x100000001b3);
  return hash;
}

const char *naming_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
