// SPDX-License-Identifier: Apache-2.0
// Judging functions by their names.
#include "analyzer/reports/function_name.h"

#include <string.h>

bool function_name_is_allocator(const char *function) {
  static const char *const stems[] = {"malloc",    "calloc",   "realloc",
                                      "trymalloc", "memalign", "strdup"};
  static const char *const prefixes[] = {
      "PyMem_",       "PyObject_Malloc", "PyObject_Calloc", "_PyMem_",    "_PyObject_Malloc",
      "operator new", "std::",           "__gnu_cxx::",     "void std::", "alloc::alloc::"};
  enum { PREFIX_MAX = 4 };
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
    if (!strncmp(function, prefixes[i], strlen(prefixes[i]))) return true;
  for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
    const char *found = strstr(function, stems[i]);
    if (found && found - function <= PREFIX_MAX) return true;
  }
  size_t length = strlen(function);  // ngx_alloc, but not alloc_session
  return length <= PREFIX_MAX + strlen("alloc") && length >= strlen("alloc") &&
         !strcmp(function + length - strlen("alloc"), "alloc");
}

int function_name_length(const char *function) {
  int length = (int)strlen(function), end = length, depth = 0;
  static const char *const tails[] = {" const", " &", " &&"};
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    int tail = (int)strlen(tails[i]);
    if (end > tail && !strcmp(function + end - tail, tails[i])) end -= tail;
  }
  if (!end || function[end - 1] != ')') return length;
  for (int at = end; at-- > 0;) {
    depth += function[at] == ')' ? 1 : function[at] == '(' ? -1 : 0;
    if (depth) continue;
    bool is_name = at == 0 || (at >= 8 && !strncmp(function + at - 8, "operator", 8));
    return is_name ? length : at;
  }
  return length;
}

bool function_name_wraps_lock(const char *function) {
  static const char *const methods[] = {
      "::lock",     "::Lock",      "::unlock",  "::Unlock",    "::TryLock",    "::try_lock",
      "::ReadLock", "::WriteLock", "::Acquire", "::acquire",   "::wait",       "::Wait",
      "::Mutex",    "::RWMutex",   "::CondVar", "::MutexLock", "::MutexLocker"};
  int length = function_name_length(function);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    int tail = (int)strlen(methods[i]);
    if (length >= tail && !strncmp(function + length - tail, methods[i], (size_t)tail)) return true;
  }
  return false;
}
