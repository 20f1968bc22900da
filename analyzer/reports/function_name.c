// SPDX-License-Identifier: Apache-2.0
// Judging functions by their names.
#include "analyzer/reports/function_name.h"

#include <string.h>

bool function_name_is_allocator(const char *function) {
  static const char *const stems[] = {"malloc",    "calloc",   "realloc",
                                      "trymalloc", "memalign", "strdup"};
  static const char *const prefixes[] = {
      "PyMem_",           "PyObject_Malloc",       "PyObject_Calloc", "_PyMem_",
      "_PyObject_Malloc", "operator new",          "std::",           "__gnu_cxx::",
      "void std::",       "alloc::alloc::",        "CRYPTO_malloc",   "CRYPTO_zalloc",
      "CRYPTO_realloc",   "CRYPTO_THREAD_lock_new"};
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

// What the compiler adds to the name of a part of a function: " [clone .part.0]", also twice.
static int length_without_clones(const char *function) {
  int end = (int)strlen(function);
  while (end && function[end - 1] == ']') {
    int at = end - 1;
    while (at && strncmp(function + at, " [clone ", strlen(" [clone ")) != 0) at--;
    if (!at) break;
    end = at;
  }
  return end;
}

int function_name_length(const char *function) {
  int length = length_without_clones(function), end = length, depth = 0;
  static const char *const tails[] = {" const", " &", " &&"};
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    int tail = (int)strlen(tails[i]);
    if (end > tail && !strncmp(function + end - tail, tails[i], (size_t)tail)) end -= tail;
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

static bool ends_with(const char *text, size_t length, const char *tail) {
  const size_t part = strlen(tail);
  return length >= part && !memcmp(text + length - part, tail, part);
}

void function_name_short(char *into, size_t size, const char *function) {
  static const char *const whole[] = {"(anonymous namespace)", "operator()", "operator<",
                                      "operator->"};
  static const char entry[] = "::_FUN";  // of a lambda that became a plain function
  size_t length = 0;
  int depth = 0;
  for (const char *at = function; *at && length + 1 < size; at++) {
    size_t copied = 1;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
      if (!strncmp(at, whole[i], strlen(whole[i]))) copied = strlen(whole[i]);
    if (copied == 1 && (*at == ')' || *at == '>') && depth > 0)
      depth--;
    else if (copied == 1 && (*at == '(' || *at == '<') && at > function)
      depth++;
    else if (depth == 0)
      for (size_t i = 0; i < copied && length + 1 < size; i++) into[length++] = at[i];
    at += copied - 1;
  }
  for (const char *tail = " const"; ends_with(into, length, tail);) length -= strlen(tail);
  if (ends_with(into, length, entry)) length -= strlen(entry);
  into[length] = 0;
}

bool function_name_wraps_lock(const char *function) {
  static const char *const methods[] = {
      "::lock",     "::Lock",     "::unlock",         "::Unlock",          "::TryLock",
      "::try_lock", "::ReadLock", "::WriteLock",      "::Acquire",         "::acquire",
      "::wait",     "::Wait",     "THREAD_read_lock", "THREAD_write_lock", "THREAD_unlock",
      "::Mutex",    "::RWMutex",  "::CondVar",        "::MutexLock",       "::MutexLocker"};
  int length = function_name_length(function);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    int tail = (int)strlen(methods[i]);
    if (length >= tail && !strncmp(function + length - tail, methods[i], (size_t)tail)) return true;
  }
  return false;
}
