// SPDX-License-Identifier: Apache-2.0
// Allocates in allocate_in_a.
#include "plugin.h"

PLUGIN(allocate_in_a)
