// SPDX-License-Identifier: Apache-2.0
// Calls malloc from a frame of 72 bytes.
#include "plugin_frame.h"

PLUGIN_FRAME(72)
