// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. Each function writes into `text` and returns it, so that it can
// stand in an argument list: printf("%s", quantity_time(ns, (quantity_t){0}.text)).
#ifndef ANALYZER_REPORTS_QUANTITY_H
#define ANALYZER_REPORTS_QUANTITY_H

#include <stdint.h>

enum { QUANTITY_SIZE = 64 };

// Room for one formatted number. Lives to the end of the enclosing block when written as a
// compound literal, see QUANTITY.
typedef struct {
  char text[QUANTITY_SIZE];
} quantity_t;
#define QUANTITY (&(quantity_t){{0}})

// Nanoseconds with three significant digits: "0", "870 ns", "1.24 ms", "75.3 s", "12 min 5 s",
// "3 h 07 min".
const char *quantity_time(uint64_t ns, quantity_t *quantity);
// Bytes with binary units: "0", "812 B", "3.1 MiB".
const char *quantity_bytes(uint64_t bytes, quantity_t *quantity);
// The same with a standard error: "~12.3 MiB ± 410 KiB"; without, where that is 0.
const char *quantity_bytes_about(uint64_t bytes, uint64_t error, quantity_t *quantity);
const char *quantity_count_about(uint64_t count, uint64_t error, quantity_t *quantity);
// A count with thin grouping: "1,234,567".
const char *quantity_count(uint64_t count, quantity_t *quantity);
// part of whole: "0 %", "<0.1 %", "3.4 %", "87 %". A whole of 0 gives "-".
const char *quantity_share(uint64_t part, uint64_t whole, quantity_t *quantity);
// "s" unless count is 1: for "%s lock%s".
const char *quantity_plural(uint64_t count);
// "SIGSEGV"; "signal 40" where it has no name.
const char *quantity_signal(int number, quantity_t *quantity);

#endif
