// SPDX-License-Identifier: Apache-2.0
// Keys of the PROPERTY facts in lane 0, text "key=value". Unknown keys are kept and shown by info.
#ifndef FORMATS_TRACE_H
#define FORMATS_TRACE_H

#define TRACE_KEY_VERSION "inspect-trace"  // TRACE_VERSION, decimal; always the first record
#define TRACE_KEY_RECORDER "recorder"      // version of libinspect.so
#define TRACE_KEY_PROGRAM "program"        // path of the executable
#define TRACE_KEY_ARGUMENT "argument"      // one for each argument, in order, argv[0] first
#define TRACE_KEY_PID "pid"
#define TRACE_KEY_PARENT "parent"      // pid of the recorded process that forked it; absent if none
#define TRACE_KEY_MODE "mode"          // development, analysis, production
#define TRACE_KEY_SAMPLING "sampling"  // 0..1
// Part of the holds of locks that are drawn of those that nobody waits for; absent: all are kept.
#define TRACE_KEY_SAMPLING_LOCKS "sampling-locks"
// Part of the connections of event loops, and of their turns, that are drawn; absent: all are kept.
#define TRACE_KEY_SAMPLING_TASKS "sampling-tasks"
// Mean distance in bytes between samples of allocations; absent: all are kept (formats/sampling.h).
#define TRACE_KEY_SAMPLING_BYTES "sampling-bytes"
#define TRACE_KEY_CLOCK "clock"              // tsc, monotonic
#define TRACE_KEY_RINGS "rings"              // file name (no folder) of the session's rings
#define TRACE_KEY_SLOT "slot"                // index of the process in session.processes
#define TRACE_KEY_START_TIME "start-time"    // field 22 of /proc/PID/stat
#define TRACE_KEY_START_TICKS "start-ticks"  // clock when the process began to record
#define TRACE_KEY_HOST "host"
#define TRACE_KEY_KERNEL "kernel"
#define TRACE_KEY_PROCESSORS "processors"  // how many it was allowed to use when it began
#define TRACE_KEY_SETTING "setting"        // NAME=value of an INSPECT_ variable that was set
#define TRACE_KEY_NOT_SEEN "not-seen"      // a family that is not recorded, and why
#define TRACE_KEY_WARNING "warning"        // what the recorder had to say
#define TRACE_KEY_STALL_MS "stall-ms"
#define TRACE_KEY_WAIT_MS "wait-ms"

#endif
