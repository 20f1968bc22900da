// SPDX-License-Identifier: Apache-2.0
// What is in an epoll set that this process, or this image of it, did not make.
#ifndef PRELOAD_HOOKS_EPOLL_HELD_H
#define PRELOAD_HOOKS_EPOLL_HELD_H

#include "preload/hooks/hooks.h"

// Records, once, an EPOLL_HELD for each descriptor in the set, with the data it was registered
// with, and its name; all are watched from then on. For an instance that is not in
// descriptor_listed, on which a thread is about to wait: inherited through fork or exec, received,
// or a copy. Some system calls, one more descriptor for their time; signal-safe, errno untouched.
// Nothing after description_forbid, or where /proc cannot be read.
void epoll_held_record(lane_t *lane, int epoll);

#endif
