// SPDX-License-Identifier: Apache-2.0
// Findings that somebody has looked at and does not want to see again: a file with one rule a line.
//
//   function:NAME  file:GLOB  module:GLOB   a frame of one of its stacks is so (NAME may be a glob)
//   lock:NAME                               one of its locks is called so (NAME may be a glob)
//
// Empty lines and what follows a # at the beginning of a line or after a blank are comments. An
// actual deadlock is never suppressed.
#ifndef ANALYZER_REPORTS_SUPPRESSIONS_H
#define ANALYZER_REPORTS_SUPPRESSIONS_H

#include <stdbool.h>
#include <stddef.h>

struct analysis;
typedef struct suppressions suppressions_t;

// NULL with "FILE: line N: what is wrong" in `error`. For suppressions_free.
suppressions_t *suppressions_read(const char *path, char *error, size_t size);
void suppressions_free(suppressions_t *suppressions);
// Takes what the rules name out of the findings of one trace.
void suppressions_apply(suppressions_t *suppressions, struct analysis *analysis);
// Warns, in that trace's warnings, of rules that named nothing there.
void suppressions_warn(const suppressions_t *suppressions, struct analysis *analysis);

#endif
