// SPDX-License-Identifier: Apache-2.0
// Looking up the real functions.
//
// Each real_NAME begins as first_NAME, which looks up all of them and then calls on. Nothing found
// is published before everything is: an allocator that starts up inside the look-up would call
// hooks whose real function is not known yet.
#include "preload/real.h"

#include "preload/bootstrap.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define REAL(result, name, parameters, arguments, version)                                         \
  static result first_##name parameters {                                                          \
    real_resolve();                                                                                \
    return real_##name arguments;                                                                  \
  }                                                                                                \
  result(*real_##name) parameters = first_##name;
REAL_HEAP_TABLE(REAL)
#undef REAL

// Called by the look-up itself, it would never end: such a call fails instead.
#define REAL(result, name, parameters, arguments, version)                                         \
  static result first_##name parameters {                                                          \
    real_resolve();                                                                                \
    if (real_##name != first_##name) return real_##name arguments;                                 \
    errno = ENOSYS;                                                                                \
    return (result)-1;                                                                             \
  }                                                                                                \
  result(*real_##name) parameters = first_##name;
REAL_TABLE(REAL)
#undef REAL

#define REAL(name, parameters, arguments)                                                          \
  static void first_##name parameters {                                                            \
    real_resolve();                                                                                \
    if (real_##name != first_##name) real_##name arguments;                                        \
  }                                                                                                \
  void(*real_##name) parameters = first_##name;
REAL_VOID_TABLE(REAL)
#undef REAL

// What stands in for a function that the C library lacks. They take any arguments and look at
// none, or at the first: the calling convention allows it.
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
        REAL_TABLE(REAL)
#undef REAL
#define REAL(name, parameters, arguments) {#name, NULL, &real_##name, (function_t)missing_free},
            REAL_VOID_TABLE(REAL)
#undef REAL
};
enum { ROWS = sizeof rows / sizeof *rows };

static function_t find(const row_t *row) {
  void *found = NULL;
  if (row->version) found = dlvsym(RTLD_NEXT, row->name, row->version);
  if (!found) found = dlsym(RTLD_NEXT, row->name);  // ports that began after that version
  function_t function;
  memcpy(&function, &found, sizeof function);
  if (found) return function;
  return strncmp(row->name, "pthread_", 8) == 0 ? (function_t)missing_pthread : row->missing;
}

static void publish(const row_t *row, function_t function) {
  memcpy(row->pointer, &function, sizeof function);
}

// Until the real ones are there, the family works on the arena.
static void bootstrap_begin(void) {
#define REAL(result, name, parameters, arguments, version) real_##name = bootstrap_##name;
  REAL_HEAP_TABLE(REAL)
#undef REAL
}

void real_resolve(void) {
  static __thread bool resolving __attribute__((tls_model("initial-exec")));
  static _Atomic int begun, resolved;
  function_t found[ROWS];
  if (resolved || resolving) return;
  resolving = true;
  if (!begun++) bootstrap_begin();
  const int error = errno;
  for (int i = 0; i < ROWS; i++) found[i] = find(&rows[i]);
  for (int i = 0; i < ROWS; i++) publish(&rows[i], found[i]);
  resolved = 1;
  resolving = false;
  dlerror();  // what is missing is no error of the program's
  errno = error;
}
