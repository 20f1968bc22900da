// SPDX-License-Identifier: Apache-2.0
// Programs that confine themselves with seccomp(2), where a call that they would not make may be
// their end: what the recorder calls in their process is asked of their filter before, and not
// called any more where the answer is not a plain yes.
#ifndef PRELOAD_CONFINEMENT_H
#define PRELOAD_CONFINEMENT_H

#include <stdbool.h>

// Called first of all, in the constructor: where there is a filter from before the exec, finds out
// which calls would be the end of the program, and makes none of them from here on. Those that are
// merely refused fail by themselves. False where there are none. Costs a read of /proc, and where
// there is a filter some children. A filter that ends who makes a child ends the program here.
bool confinement_inherited(void);
// Called before the program asks for a filter (a struct sock_fprog, at any address at all). That of
// one thread is taken for one of all. Signal-safe, errno untouched, as is all here.
void confinement_filter(const void *program);
// Called before it gives up reading the processor's time stamp counter (PR_SET_TSC), or goes into
// strict mode, which includes that: nothing is recorded from here on, and the trace says so.
void confinement_end(void);

#endif
