// SPDX-License-Identifier: Apache-2.0
// Calls malloc from a frame of 24 bytes.
#include "plugin_frame.h"

PLUGIN_FRAME(24)
