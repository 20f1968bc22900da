// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.
#include "analyzer/reports/quantity.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  uint64_t size;  // in the smallest unit
  const char *name;
} unit_t;

// value/size with three significant digits, rounded to nearest. Integers only, so that the same
// input gives the same text on every machine. False where it rounds up to 1000.
static int digits_write(uint64_t value, uint64_t size, char *text, size_t room) {
  uint64_t whole = value / size;
  unsigned decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
  uint64_t scale = decimals == 0 ? 1 : decimals == 1 ? 10 : 100;
  __uint128_t scaled = ((__uint128_t)value * scale + size / 2) / size;
  uint64_t digits = (uint64_t)scaled;
  if (digits >= 1000 && decimals) return digits_write(digits / scale, 1, text, room);
  if (!decimals) return snprintf(text, room, "%" PRIu64, digits);
  return snprintf(text, room, "%" PRIu64 ".%0*" PRIu64, digits / scale, (int)decimals,
                  digits % scale);
}

// The greatest unit that the value reaches after rounding to three digits, or the first.
static const unit_t *unit_pick(const unit_t *units, size_t count, uint64_t value) {
  const unit_t *unit = units;
  for (size_t i = 1; i < count; i++)
    if (value >= units[i].size - units[i].size / 2000) unit = &units[i];
  return unit;
}

static const char *units_write(const unit_t *units, size_t count, uint64_t value,
                               quantity_t *quantity) {
  if (!value) return snprintf(quantity->text, QUANTITY_SIZE, "0"), quantity->text;
  const unit_t *unit = unit_pick(units, count, value);
  int end = unit->size == 1 ? snprintf(quantity->text, QUANTITY_SIZE, "%" PRIu64, value)
                            : digits_write(value, unit->size, quantity->text, QUANTITY_SIZE);
  snprintf(quantity->text + end, (size_t)(QUANTITY_SIZE - end), " %s", unit->name);
  return quantity->text;
}

const char *quantity_time(uint64_t ns, quantity_t *quantity) {
  static const unit_t units[] = {
      {1, "ns"}, {1000, "us"}, {UINT64_C(1000000), "ms"}, {UINT64_C(1000000000), "s"}};
  uint64_t seconds = ns / UINT64_C(1000000000);
  if (seconds < 120) return units_write(units, sizeof units / sizeof *units, ns, quantity);
  uint64_t minutes = seconds / 60;
  if (minutes < 120)
    snprintf(quantity->text, QUANTITY_SIZE, "%" PRIu64 " min %02" PRIu64 " s", minutes,
             seconds % 60);
  else
    snprintf(quantity->text, QUANTITY_SIZE, "%" PRIu64 " h %02" PRIu64 " min", minutes / 60,
             minutes % 60);
  return quantity->text;
}

const char *quantity_bytes(uint64_t bytes, quantity_t *quantity) {
  static const unit_t units[] = {{1, "B"},
                                 {UINT64_C(1) << 10, "KiB"},
                                 {UINT64_C(1) << 20, "MiB"},
                                 {UINT64_C(1) << 30, "GiB"},
                                 {UINT64_C(1) << 40, "TiB"}};
  return units_write(units, sizeof units / sizeof *units, bytes, quantity);
}

const char *quantity_count(uint64_t count, quantity_t *quantity) {
  char digits[QUANTITY_SIZE];
  int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
  char *out = quantity->text;
  for (int i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0) *out++ = ',';
    *out++ = digits[i];
  }
  *out = '\0';
  return quantity->text;
}

const char *quantity_bytes_about(uint64_t bytes, uint64_t error, quantity_t *quantity) {
  if (!error) return quantity_bytes(bytes, quantity);
  snprintf(quantity->text, QUANTITY_SIZE, "~%.24s ± %.24s", quantity_bytes(bytes, QUANTITY),
           quantity_bytes(error, QUANTITY));
  return quantity->text;
}

const char *quantity_count_about(uint64_t count, uint64_t error, quantity_t *quantity) {
  if (!error) return quantity_count(count, quantity);
  snprintf(quantity->text, QUANTITY_SIZE, "~%.27s ± %.27s", quantity_count(count, QUANTITY),
           quantity_count(error, QUANTITY));
  return quantity->text;
}

const char *quantity_share(uint64_t part, uint64_t whole, quantity_t *quantity) {
  uint64_t tenths = whole ? (uint64_t)(((__uint128_t)part * 1000 + whole / 2) / whole) : 0;
  if (!whole)
    snprintf(quantity->text, QUANTITY_SIZE, "-");
  else if (!part)
    snprintf(quantity->text, QUANTITY_SIZE, "0 %%");
  else if (!tenths)
    snprintf(quantity->text, QUANTITY_SIZE, "<0.1 %%");
  else if (tenths < 100)
    snprintf(quantity->text, QUANTITY_SIZE, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
  else
    snprintf(quantity->text, QUANTITY_SIZE, "%" PRIu64 " %%", (tenths + 5) / 10);
  return quantity->text;
}

const char *quantity_plural(uint64_t count) { return count == 1 ? "" : "s"; }

const char *quantity_signal(int number, quantity_t *quantity) {
  const char *name = sigabbrev_np(number);
  if (name)
    snprintf(quantity->text, QUANTITY_SIZE, "SIG%s", name);
  else
    snprintf(quantity->text, QUANTITY_SIZE, "signal %d", number);
  return quantity->text;
}
