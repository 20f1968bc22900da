// SPDX-License-Identifier: Apache-2.0
// What an ELF file says about itself that decides whether a preloaded library can work in it.
#ifndef TOOLS_RUN_PROGRAM_H
#define TOOLS_RUN_PROGRAM_H

enum { PROGRAM_WHY_MAX = 512 };

typedef enum {
  PROGRAM_RECORDABLE,
  PROGRAM_STATIC,
  PROGRAM_FOREIGN_LIBC,
  PROGRAM_FOREIGN_MACHINE,
  PROGRAM_SANITIZED,
  PROGRAM_PRIVILEGED,  // not decided here
} program_verdict_t;

// Judges the file at `path`. `why` completes the sentence "it is ..." and is set unless the
// program is recordable. A file that cannot be read, or is no ELF file, counts as recordable.
program_verdict_t program_check(const char *path, char why[PROGRAM_WHY_MAX]);

#endif
