// SPDX-License-Identifier: Apache-2.0
// The report on the trace, made by inspect-analyze.
#ifndef TOOLS_RUN_REPORT_H
#define TOOLS_RUN_REPORT_H

#include <stdbool.h>

// Runs inspect-analyze on `trace`, its output on stderr, or nowhere where `print` is false.
// `fail_on` may be NULL. Returns the exit status of inspect-analyze, or -1 where it could not be
// run or was killed; said on stderr.
int report_make(const char *trace, const char *fail_on, bool print);

#endif
