// SPDX-License-Identifier: Apache-2.0
// Other traces of the same run beside a trace: children, the parent, earlier images of a process.
#ifndef ANALYZER_REPORTS_SIBLINGS_H
#define ANALYZER_REPORTS_SIBLINGS_H

#include "analyzer/reports/analysis.h"
#include "analyzer/reports/page.h"

// Looks at every trace in the folder: only headers and the first block of facts are read. Prints
// nothing where there is none, and at most `top` of them.
void siblings_print(const page_t *page, const analysis_t *analysis, size_t top);

// The traces of the run that `path` is of, itself among them, in order of start: `*count` paths,
// each and the list to be freed. At least `path` itself.
char **siblings_paths(const char *path, size_t *count);

#endif
