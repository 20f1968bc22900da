// SPDX-License-Identifier: Apache-2.0
// One complete trace out of what an interrupted run has left: its file or files, and its rings.
#ifndef ANALYZER_READING_RECOVER_H
#define ANALYZER_READING_RECOVER_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t blocks;          // copied as they were
  uint64_t damaged_blocks;  // left out; what they held is counted as lost
  uint64_t rings;           // whose leftovers were added
  uint64_t bytes;           // of the new file
} reading_recovery_t;

typedef enum {
  READING_RECOVERED,
  READING_NOTHING,  // `path` is no trace, or nothing in it can be read
  READING_NOT_WRITTEN,
} reading_recovered_t;

// Writes the trace `path` to `output`, replacing a regular file that stands there only when the new
// one is whole; a half one is never left. On failure `error` says "FILE: what".
reading_recovered_t reading_recover(const char *path, const char *output,
                                    reading_recovery_t *recovery, char *error, size_t size);

#endif
