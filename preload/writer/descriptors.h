// SPDX-License-Identifier: Apache-2.0
// Letting go of what the program has open.
#ifndef PRELOAD_WRITER_DESCRIPTORS_H
#define PRELOAD_WRITER_DESCRIPTORS_H

// Closes all descriptors of this process but these two.
void descriptors_close_but(int first, int second);

#endif
