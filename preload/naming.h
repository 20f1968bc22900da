// SPDX-License-Identifier: Apache-2.0
// Names of traces and of what stands beside them.
#ifndef PRELOAD_NAMING_H
#define PRELOAD_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMING_MAX = 512 };

// Expands %p %e %h %t %% in `template` and makes the path absolute against the working directory.
// `now` is in ns since 1970 (%t: 20260131T235959, UTC). False where it gets longer than `size`, or
// the working directory is not to be had.
bool naming_expand(char *path, size_t size, const char *template, uint32_t pid, const char *program,
                   uint64_t now);
// Writes `path` with `.number` before its `.zst` (at its end where it has none).
bool naming_insert(char *result, size_t size, const char *path, uint64_t number);
// Writes path + suffix.
bool naming_append(char *result, size_t size, const char *path, const char *suffix);
// Decimal digits of `number`, terminated, into at least 21 bytes. Returns their count.
size_t naming_digits(char *text, uint64_t number);
// FNV-1a (Fowler, Noll, Vo), 64 bits.
uint64_t naming_hash(const void *bytes, size_t length);
// The part behind the last slash.
const char *naming_base(const char *path);

#endif
