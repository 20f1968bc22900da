// SPDX-License-Identifier: Apache-2.0
// What a descriptor is called: kind, local and peer address, or path.
#ifndef PRELOAD_HOOKS_DESCRIPTION_H
#define PRELOAD_HOOKS_DESCRIPTION_H

#include "preload/hooks/hooks.h"

// Records the name of a descriptor that is open, as
//   tcp 127.0.0.1:8080 127.0.0.1:51234    socket with its local and its peer address
//   tcp-listener 0.0.0.0:8080             (udp, unix, unix-listener, ... likewise)
//   eventfd | timerfd | signalfd | inotify | eventpoll | pipe | file PATH
// With INSPECT_REDACT=1 each address and path is "#" and a hash, the same for the same.
// `peer`, if not NULL, stands for the peer of a socket that is not connected yet. A few system
// calls; signal-safe, errno untouched. Nothing at all where the program has forbidden them.
void description_record(lane_t *lane, int descriptor, const struct sockaddr *peer,
                        socklen_t peer_length);

#endif
