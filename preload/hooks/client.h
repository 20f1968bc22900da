// SPDX-License-Identifier: Apache-2.0
// Connections that the program opens itself, where tasks are sampled (loop_sample.h). The first to
// each address is in the sample, and of the others each with the probability of the rate, to its
// close. One that is registered with an epoll instance before it is connected is decided about
// then, by who registers it, as its address is not known yet.
//
// Of one outside nothing is recorded but a connect that fails, or takes INSPECT_WAIT_MS: a socket
// that is opened in a turn is recorded as it turns out to be in the sample, or to be no connection.
// It counts among those that are outside (CONNECTION_OUT) as a loop meets it: only then it would
// have been a task.
#ifndef PRELOAD_HOOKS_CLIENT_H
#define PRELOAD_HOOKS_CLIENT_H

#include "preload/hooks/descriptor.h"

#include <sys/socket.h>

// A connect has succeeded, or is under way (`waits`). Whether the connection is in the sample. With
// the lane entered; errno untouched.
bool client_keeps(lane_t *lane, int descriptor, const struct sockaddr *address, socklen_t length,
                  bool waits);
// A socket is about to be registered with an epoll instance. Enters and leaves the lane.
void client_registers(const stacks_origin_t *origin, int descriptor);

void client_count(lane_t *lane, int descriptor);
// A loop has registered a connection out of the sample, or found it ready. With the lane entered.
static inline void client_met(lane_t *lane, int descriptor) {
  if (unlikely(descriptor_in(&descriptor_untold, descriptor))) client_count(lane, descriptor);
}

#endif
