// SPDX-License-Identifier: Apache-2.0
// The C++ operators new and delete.
#ifndef PRELOAD_HOOKS_OPERATORS_H
#define PRELOAD_HOOKS_OPERATORS_H

// Looks the real operators up, where there are any yet. In the constructor, before anything is
// recorded, and whatever is switched on.
void operators_resolve(void);
// From here on those of the allocator that stands behind malloc are recorded.
void operators_start(void);
// A module may have gone, and its operators with it.
void operators_forget(void);

#endif
