// SPDX-License-Identifier: Apache-2.0
// The writer: a process of its own that takes what the rings hold into trace files, for the process
// that started it and for every child that one forks, until all of them have ended.
//
// It lives in a copy of the program's memory, from before main: it uses no allocator (mmap only),
// no stdio, no lock of libc, and nothing of it is reachable from the program. All its signals are
// blocked. It holds no descriptor of the program.
#ifndef PRELOAD_WRITER_WRITER_H
#define PRELOAD_WRITER_WRITER_H

#include "preload/session.h"

// Runs the writer; does not return. Called in the cloned child.
_Noreturn void writer_run(session_files_t *files);

// Where there is no writer: puts the facts about the run into the trace file, so that a reader of
// the bare rings knows whose they are. Called in the program itself.
void writer_write_facts_only(session_files_t *files);

#endif
