// SPDX-License-Identifier: Apache-2.0
// What things are called: the one place from which text, JSON and CSV take the names of locks,
// threads, tasks and call sites. All strings are clean (page_clean), and live as long as names_t.
#ifndef ANALYZER_REPORTS_NAMES_H
#define ANALYZER_REPORTS_NAMES_H

#include "analyzer/models/models.h"
#include "analyzer/symbols/symbols.h"

typedef struct names names_t;

// Both must outlive it; the models are finished.
names_t *names_open(const models_t *models, symbols_t *symbols);
void names_close(names_t *names);

// "account_a", else "mutex at +40 in 128-byte block from session_new", else "mutex at 0x7ffe1234".
const char *names_lock(names_t *names, uint32_t lock);
// The same, with the address where another lock has this name.
const char *names_lock_unique(names_t *names, uint32_t lock);
// The same for the address of a condition or of a lock that no model knows.
const char *names_address(names_t *names, const char *kind, uint64_t address);
// What the thread calls itself, else its start routine, else "main" or "thread".
const char *names_thread(names_t *names, uint32_t thread);
// "worker (4711)": with the kernel's number, for text.
const char *names_thread_label(names_t *names, uint32_t thread);
// "listener 5 (127.0.0.1:80)", "descriptor 7".
const char *names_descriptor(names_t *names, const task_t *task);
// "epoll 3", "poll".
const char *names_loop(names_t *names, const loop_t *loop);
// "condition queue_filled", "semaphore jobs".
const char *names_pool_object(names_t *names, const pool_t *pool);
// Tasks in one number space: threads have their index, descriptors follow.
uint64_t names_descriptor_number(const names_t *names, uint32_t task);

// The frame a reader cares about first: innermost that is neither the recorder's, the loader's,
// libc's nor an allocator's wrapper of the C++ library. The innermost where all are; NULL without.
const symbols_frame_t *names_frame(names_t *names, uint32_t stack);
// "session_new (session.c:42)" for that frame, "" for no stack. Where several traces are read as
// one, with the process: "session_new (session.c:42) in server 4711".
const char *names_site(names_t *names, uint32_t stack);
// "session_new (session.c:42)", "zmalloc (redis-server+0x4f2a1)", "redis-server+0x4f2a1".
const char *names_frame_text(names_t *names, const symbols_frame_t *frame);
// True for the recorder's own frames, which no report shows.
bool names_frame_is_recorder(const symbols_frame_t *frame);
// Frames to show: without the recorder's own, and without what starts every thread at the outer
// end. `*count` of them, innermost first; NULL and 0 for no stack.
const symbols_frame_t *names_frames_shown(names_t *names, uint32_t stack, size_t *count);
// "outer;...;inner": the shown frames' functions as one line, as flame graphs take them.
const char *names_folded(names_t *names, uint32_t stack);

#endif
