// SPDX-License-Identifier: Apache-2.0
// Processes: forking, becoming another image, ending at once.
//
// What ends or replaces a process asks first who is calling: in a vfork child it records nothing,
// and the parent's record goes on.
#include "preload/hooks/hooks.h"
#include "preload/stacks/memory.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool process_is_recorded(void) { return recorder_is_own(); }

static pid_t forked(const stacks_origin_t *origin, int place, pid_t child) {
  if (child == 0) {
    recorder_fork_child();
    return child;
  }
  recorder_fork_parent(place, child);
  lane_t *lane = lane_enter(origin, TRACE_FORK);
  if (!lane) return child;
  lane_record0(lane, TRACE_FORK, lane_stack_take(lane, origin),
               trace_zigzag(child < 0 ? -errno : child));
  lane_leave(lane);
  return child;
}

// Not under the guard: handlers of pthread_atfork run inside.
#define FORKER(name)                                                                               \
  HOOK(process, pid_t, name, (void), ()) {                                                         \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int place = recorder_fork_prepare();                                                     \
    return forked(&origin, place, real_##name());                                                  \
  }

FORKER(fork)
FORKER(_Fork)

// vfork is not stood in front of: its child returns from it before its parent does, over the same
// frame. What it calls then is the first that is seen of it, by the parent's thread in the parent's
// memory, while that stands still: the parent's record has it there.
static void vforked(const stacks_origin_t *origin) {
  static __thread uint32_t last __attribute__((tls_model("initial-exec")));
  if (!recorder_session || recorder_process() < 0) return;
  const uint32_t child = (uint32_t)system_call(SYS_getpid);
  if (child == last) return;
  last = child;
  lane_t *lane = lane_enter(origin, TRACE_SPAWN);
  if (!lane) return;
  lane_record0(lane, TRACE_SPAWN, lane_stack_take(lane, origin), trace_zigzag(child));
  lane_leave(lane);
}

// ---- exec ----------------------------------------------------------------------------------

// Length of a path that may point anywhere: 0 where the kernel is going to say EFAULT.
static size_t path_length(const char *path) {
  memory_t memory = {0};
  size_t length = 0, part, room;
  do {
    const uintptr_t at = (uintptr_t)(path + length);
    if (length >= PATH_MAX || !memory_probe(&memory, at)) return 0;
    room = MEMORY_PAGE - at % MEMORY_PAGE;
    part = strnlen(path + length, room);
    length += part;
  } while (part == room);
  return length;
}

// Returns whether the attempt was recorded, and exec_failed is to be called if it returns.
static bool exec_begin(const stacks_origin_t *origin, const char *path) {
  if (!process_is_recorded()) {
    vforked(origin);
    return false;
  }
  lane_t *lane = lane_enter(origin, TRACE_EXEC);
  if (lane) {
    lane_record_text(lane, TRACE_EXEC, lane_stack_take(lane, origin), 0, path, path_length(path));
    lane_leave(lane);
  }
  recorder_exec(true);
  return true;
}

static void exec_failed(const stacks_origin_t *origin) {
  const int error = errno;
  recorder_exec(false);
  lane_t *lane = lane_enter(origin, TRACE_EXEC_FAILED);
  if (lane) {
    lane_record0(lane, TRACE_EXEC_FAILED, 0, trace_zigzag(-error));
    lane_leave(lane);
  }
  errno = error;
}

#define EXECUTOR(name, parameters, arguments, path)                                                \
  HOOK(process, int, name, parameters, arguments) {                                                \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const bool recorded = exec_begin(&origin, path);                                               \
    const int result = real_##name arguments;                                                      \
    if (recorded) exec_failed(&origin);                                                            \
    return result;                                                                                 \
  }

EXECUTOR(execve, (const char *path, char *const arguments[], char *const environment[]),
         (path, arguments, environment), path)
EXECUTOR(execv, (const char *path, char *const arguments[]), (path, arguments), path)
EXECUTOR(execvp, (const char *file, char *const arguments[]), (file, arguments), file)
EXECUTOR(execvpe, (const char *file, char *const arguments[], char *const environment[]),
         (file, arguments, environment), file)

// The name of the file that a descriptor stands for.
typedef struct {
  char text[32];
} descriptor_path_t;

static descriptor_path_t descriptor_path(int descriptor) {
  descriptor_path_t path = {"/proc/self/fd/"};
  char *at = path.text + strlen(path.text);
  unsigned scale = 1;
  const unsigned number = descriptor < 0 ? 0 : (unsigned)descriptor;
  while (number / scale >= 10) scale *= 10;
  for (; scale > 0; scale /= 10) *at++ = (char)('0' + number / scale % 10);
  return path;
}

EXECUTOR(fexecve, (int descriptor, char *const arguments[], char *const environment[]),
         (descriptor, arguments, environment), descriptor_path(descriptor).text)

static bool is_of_descriptor(const char *path, int flags) {
  return (flags & AT_EMPTY_PATH) && path_length(path) == 0;
}

EXECUTOR(execveat,
         (int folder, const char *path, char *const arguments[], char *const environment[],
          int flags),
         (folder, path, arguments, environment, flags),
         is_of_descriptor(path, flags) ? descriptor_path(folder).text : path)

// The forms with a list of arguments: they are gathered on the stack, as libc does it, and passed
// to the form with an array. `TAKE` takes what follows the closing NULL.
#define EXECUTOR_OF_LIST(name, vector, TAKE, ...)                                                  \
  HOOK_EXPORT int name(const char *path, const char *argument, ...) {                              \
    va_list list;                                                                                  \
    size_t count = 1;                                                                              \
    va_start(list, argument);                                                                      \
    while (va_arg(list, char *)) count++;                                                          \
    va_end(list);                                                                                  \
    const char **arguments = __builtin_alloca((count + 1) * sizeof *arguments);                    \
    arguments[0] = argument;                                                                       \
    va_start(list, argument);                                                                      \
    for (size_t i = 1; i <= count; i++) arguments[i] = va_arg(list, char *);                       \
    TAKE va_end(list);                                                                             \
    return vector(path, (char *const *)arguments __VA_ARGS__);                                     \
  }

EXECUTOR_OF_LIST(execl, execv, )
EXECUTOR_OF_LIST(execlp, execvp, )
#define TAKE_ENVIRONMENT char *const *environment = va_arg(list, char *const *);
EXECUTOR_OF_LIST(execle, execve, TAKE_ENVIRONMENT, , environment)

// ---- ending at once ------------------------------------------------------------------------

static void end(const stacks_origin_t *origin, int status) {
  if (!recorder_families.process) return;
  if (!process_is_recorded()) {
    vforked(origin);
    return;
  }
  lane_t *lane = lane_enter(origin, TRACE_EXIT);
  if (lane) {
    lane_record1(lane, TRACE_EXIT, 0, trace_zigzag(status), TRACE_EXIT_IMMEDIATE);
    lane_leave(lane);
  }
  recorder_finish(status, TRACE_EXIT_IMMEDIATE);
}

#define ENDER(name)                                                                                \
  HOOK_EXPORT void name(int status) {                                                              \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    end(&origin, status);                                                                          \
    REAL_OR_FIRST(name)(status);                                                                   \
    __builtin_unreachable();                                                                       \
  }

ENDER(_exit)
ENDER(_Exit)

HOOK_ALIAS(__fork, fork)
