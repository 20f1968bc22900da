// SPDX-License-Identifier: Apache-2.0
// What a function's name tells: whether its callers say more than it does, and how much of it is
// worth reading. Names are as symbols give them, demangled; never NULL.
#ifndef ANALYZER_REPORTS_FUNCTION_NAME_H
#define ANALYZER_REPORTS_FUNCTION_NAME_H

#include <stdbool.h>
#include <stddef.h>

// zmalloc, g_malloc, ztrymalloc_usable, ngx_alloc, operator new, std::...: names that every block
// would have. Not so alloc_session or leak_realloc, which say more than that they allocate.
bool function_name_is_allocator(const char *function);
// port::Mutex::Lock, Monitor::Wait: a method that wraps a call on a lock.
bool function_name_wraps_lock(const char *function);
// Bytes of the name without its list of parameters, which makes C++ names unreadable: up to the
// last balanced pair of parentheses, if that stands at the end.
int function_name_length(const char *function);
// Writes the name without any of its lists of parameters and template arguments, for a name within
// a sentence: node::Worker::StartThread(Arguments<Value> const&)::{lambda(void*)#1}::_FUN(void*)
// gives node::Worker::StartThread::{lambda#1}. Cut off where `into` is full; terminated (size > 0).
void function_name_short(char *into, size_t size, const char *function);

#endif
