// SPDX-License-Identifier: Apache-2.0
// Looking up the real functions.
//
// An allocator may start up inside the look-up: to say that a function is missing the dynamic
// linker allocates, and an allocator that stands before us may call any hook then (tcmalloc:
// pthread_once). So what may be missing, the variants of free, is looked up last, one by one, when
// all others are known; and of those nothing is published before everything is.
#include "preload/real.h"

#include "preload/bootstrap.h"
#include "preload/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define REAL(result, name, parameters, arguments, version) result(*real_##name) parameters;
REAL_HEAP_TABLE(REAL)
REAL_SYSTEM_TABLE(REAL)
REAL_TABLE(REAL)
#undef REAL
#define REAL(name, parameters, arguments) void(*real_##name) parameters;
REAL_VOID_TABLE(REAL)
#undef REAL

// ---- before they are known -----------------------------------------------------------------

static bool resolving_here(void);

// Whether the dynamic linker has relocated this library. Before that nothing of another library,
// and no thread-local variable, can be reached; only what is addressed relative to the code.
static bool is_relocated(void) {
  static const char mark;
  static const char *const volatile relocated = &mark;
  return relocated == &mark;
}

// Whether a real function can be called: false before relocation and inside the look-up.
static bool can_resolve(void) {
  if (!is_relocated() || resolving_here()) return false;
  real_resolve();
  return true;
}

// System calls made before there is anybody to make them. errno is not to be reached then.
#define early_syscall(...) early_result(system_call(__VA_ARGS__))
#define early_mmap(...) (void *)early_result(system_call(SYS_mmap, __VA_ARGS__))
#define early_mmap64 early_mmap
#define early_munmap(...) (int)early_result(system_call(SYS_munmap, __VA_ARGS__))
#define early_mremap(...) (void *)early_result(system_call(SYS_mremap, __VA_ARGS__))
static long early_result(long result) { return system_failed(result) ? -1 : result; }

#define REAL(result, name, parameters, arguments, version)                                         \
  result first_##name parameters {                                                                 \
    return can_resolve() ? real_##name arguments : bootstrap_##name arguments;                     \
  }
REAL_HEAP_TABLE(REAL)
#undef REAL
#define REAL(result, name, parameters, arguments, version)                                         \
  result first_##name parameters {                                                                 \
    return can_resolve() ? real_##name arguments : early_##name arguments;                         \
  }
REAL_SYSTEM_TABLE(REAL)
#undef REAL
#define REAL(result, name, parameters, arguments, version)                                         \
  result first_##name parameters { return can_resolve() ? real_##name arguments : (result)0; }
REAL_TABLE(REAL)
#undef REAL
#define REAL(name, parameters, arguments)                                                          \
  void first_##name parameters {                                                                   \
    if (can_resolve()) real_##name arguments;                                                      \
  }
REAL_VOID_TABLE(REAL)
#undef REAL

// ---- those that the C library lacks --------------------------------------------------------

// They take any arguments and look at none, or at the first: the calling convention allows it.
static int missing_number(void) {
  errno = ENOSYS;
  return -1;
}
static void *missing_block(void) {
  errno = ENOSYS;
  return NULL;
}
static int missing_pthread(void) { return ENOSYS; }
static void missing_free(void *block) { real_free(block); }

// ---- looking up ----------------------------------------------------------------------------

typedef void (*function_t)(void);
typedef struct {
  const char *name, *version;
  void *pointer;  // the real_NAME; written with memcpy, as it has a type of its own
  function_t missing;
} row_t;

static const row_t rows[] = {
#define REAL(result, name, parameters, arguments, version)                                         \
  {#name, version, &real_##name, (function_t)missing_block},
    REAL_HEAP_TABLE(REAL)
#undef REAL
#define REAL(result, name, parameters, arguments, version)                                         \
  {#name, version, &real_##name, (function_t)missing_number},
        REAL_SYSTEM_TABLE(REAL) REAL_TABLE(REAL)
#undef REAL
#define REAL(name, parameters, arguments) {#name, NULL, &real_##name, (function_t)missing_free},
            REAL_VOID_TABLE(REAL)
#undef REAL
};
#define REAL(name, parameters, arguments) +1
enum { ROWS = sizeof rows / sizeof *rows, ROWS_SURE = ROWS - (0 REAL_VOID_TABLE(REAL)) };
#undef REAL

static function_t find(const row_t *row) {
  void *found = NULL;
  if (row->version) found = dlvsym(RTLD_NEXT, row->name, row->version);
  if (!found) found = dlsym(RTLD_NEXT, row->name);  // ports that began after that version
  function_t function;
  memcpy(&function, &found, sizeof function);
  if (found) return function;
  return strncmp(row->name, "pthread_", 8) == 0 ? (function_t)missing_pthread : row->missing;
}

static __thread bool resolving __attribute__((tls_model("initial-exec")));
static bool resolving_here(void) { return resolving; }

static void resolve(int from, int to) {
  static function_t found[ROWS];  // two threads here find the same
  for (int i = from; i < to; i++) found[i] = find(&rows[i]);
  for (int i = from; i < to; i++) memcpy(rows[i].pointer, &found[i], sizeof found[i]);
}

void real_resolve(void) {
  static _Atomic bool resolved;
  if (resolved || resolving) return;
  const int error = errno;
  resolving = true;
  resolve(0, ROWS_SURE);
  for (int i = ROWS_SURE; i < ROWS; i++) resolve(i, i + 1);
  resolved = true;
  resolving = false;
  dlerror();  // what is missing is no error of the program's
  errno = error;
}
