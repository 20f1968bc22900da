// SPDX-License-Identifier: Apache-2.0
// The suites of unit-tests, one line each: SUITE(x) stands for `Suite *x_suite(void)` in
// tests/unit/x.c. Add a line; CMake finds the file. Included several times with different meanings
// of SUITE, hence no include guard.
SUITE(formats_events)
SUITE(formats_block)
SUITE(formats_container)
SUITE(stacks_shapes)
SUITE(stacks_signals)
SUITE(reading_clock)
SUITE(reading_reader)
SUITE(reports_quantity)
SUITE(reports_page)
SUITE(reports_csv)
SUITE(reports_options)
SUITE(findings_deadlocks)
SUITE(reading_rings)
SUITE(models_basics)
SUITE(models_heap)
SUITE(models_locks)
SUITE(models_loops)
SUITE(findings_limits)
SUITE(reading_damage)
SUITE(reports_document)
