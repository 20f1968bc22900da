// SPDX-License-Identifier: Apache-2.0
// Making the files of a recording: the trace, and the rings beside it.
#ifndef PRELOAD_SESSION_H
#define PRELOAD_SESSION_H

#include "formats/session.h"
#include "preload/process.h"

#include <stdbool.h>

#define SESSION_RINGS_SUFFIX ".rings"
#define SESSION_NEW_SUFFIX ".new"

typedef struct {
  char trace_path[TRACE_PATH_MAX];
  char rings_path[TRACE_PATH_MAX];
  char program[TRACE_PATH_MAX];  // the executable, under the name it was started by
  char *const *arguments;        // argv of main; the writer has a copy of it from before an exec
  uint32_t pid;                  // of the program, and who it is
  process_identity_t identity;
  int trace_fd, rings_fd;    // -1: not open
  trace_session_t *session;  // mapped; NULL: not made
  uint32_t rings_max;
} session_files_t;

// Fills in whose recording this is and how many rings it may have. To be called before
// session_create, in the program.
void session_prepare(session_files_t *files);

// Opens a new trace under the name that the program may have (see session_claim_name) and makes
// and maps its rings, with disk space behind the first few. 0, or -errno with `*what` naming what
// failed. Nothing is left behind on failure, but for an empty trace file, which says that the
// program ran.
int session_create(session_files_t *files, const char **what);

// The trace's name. INTERFACE.md: a path belongs to the first process that takes it; an exec'd
// image takes the name of the image before it, whose trace becomes NAME.PID.N; a name in use by
// others gets .PID. Creates the file, and changes files->trace_path. The descriptor, or -errno.
int session_claim_name(session_files_t *files);

// Gives disk space to rings [ready, count), so that no store into them can raise SIGBUS.
// 0, or -errno. `rings_fd` is the session's file.
int session_grow(int rings_fd, uint32_t count);

#endif
