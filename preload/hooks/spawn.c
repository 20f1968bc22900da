// SPDX-License-Identifier: Apache-2.0
// Children that libc makes: they run another image at once, which records itself. system and popen
// do not say which child it is.
#include "preload/hooks/hooks.h"

#include <errno.h>
#include <stdlib.h>

static void spawned(const stacks_origin_t *origin, int64_t child) {
  const int error = errno;
  lane_t *lane = process_is_recorded() ? lane_enter(origin, TRACE_SPAWN) : NULL;
  if (lane) {
    lane_record0(lane, TRACE_SPAWN, lane_stack_take(lane, origin), trace_zigzag(child));
    lane_leave(lane);
  }
  errno = error;
}

// `child` may be NULL; libc then tells nobody.
#define SPAWNER(name)                                                                              \
  HOOK(process, int, name,                                                                         \
       (pid_t * child, const char *path, const posix_spawn_file_actions_t *actions,                \
        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]),  \
       (child, path, actions, attributes, arguments, environment)) {                               \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    pid_t made = 0;                                                                                \
    const int result = real_##name(&made, path, actions, attributes, arguments, environment);      \
    if (result == 0 && child) *child = made;                                                       \
    spawned(&origin, result == 0 ? made : -result);                                                \
    return result;                                                                                 \
  }

SPAWNER(posix_spawn)
SPAWNER(posix_spawnp)

// system(NULL) only asks whether there is a shell. It waits for its child: noted before.
HOOK(process, int, system, (const char *command), (command)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if (command) spawned(&origin, 0);
  return real_system(command);
}

HOOK(process, FILE *, popen, (const char *command, const char *mode), (command, mode)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  FILE *result = real_popen(command, mode);
  spawned(&origin, result ? 0 : -errno);
  return result;
}

HOOK_ALIAS(_IO_popen, popen)
