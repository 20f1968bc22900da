// SPDX-License-Identifier: Apache-2.0
// Lints as warnings: one line each, with the names of what they are about.
#ifndef ANALYZER_REPORTS_LINT_WARNINGS_H
#define ANALYZER_REPORTS_LINT_WARNINGS_H

#include "analyzer/reports/analysis.h"

// Adds what lints find to analysis->warnings; `where` is the lint's name.
void lint_warnings_add(const analysis_t *analysis, const analysis_settings_t *settings);

#endif
