// SPDX-License-Identifier: Apache-2.0
// The files that were mapped as code, and when.
#ifndef ANALYZER_READING_MODULES_H
#define ANALYZER_READING_MODULES_H

#include "analyzer/reading/reader.h"

typedef struct {
  reader_module_t *modules;  // in order of the facts; paths are owned
  size_t count, capacity;
  uint64_t *gone;  // times of unloading, in order
  size_t gone_count, gone_capacity;
} reading_modules_t;

void reading_modules_free(reading_modules_t *table);
// A MODULE fact. Every lane states the modules it meets: what is known is passed over. False where
// the payload is malformed.
bool reading_modules_add(reading_modules_t *table, const trace_record_t *record, uint64_t time);
void reading_modules_remove(reading_modules_t *table, uint64_t start, uint64_t time);
// Whether an address means the same at both times: no module that holds it came or went between.
bool reading_modules_same(const reading_modules_t *table, uint64_t address, uint64_t earlier,
                          uint64_t later);
// Whether any module went in (earlier, later].
bool reading_modules_changed(const reading_modules_t *table, uint64_t earlier, uint64_t later);

#endif
