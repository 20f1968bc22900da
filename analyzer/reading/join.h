// SPDX-License-Identifier: Apache-2.0
// Several traces of one host read as one: the inside of reader_join. For this folder only.
//
// Everything that is numbered within a process gets a number of the whole: threads and stacks in
// order of first sight, addresses by the number of their process in the bits that no user address
// has. Times are counted from the earliest start.
#ifndef ANALYZER_READING_JOIN_H
#define ANALYZER_READING_JOIN_H

#include "analyzer/reading/reader.h"

typedef struct reading_join reading_join_t;

// `start_ns`: when each began, by a clock that all share. Takes the readers over.
reading_join_t *reading_join_open(reader_t *const *readers, const uint64_t *start_ns,
                                  uint32_t count);
void reading_join_close(reading_join_t *join);
// As the functions of reader.h.
int reading_join_next(reading_join_t *join, reader_event_t *event);
const reader_summary_t *reading_join_summary(reading_join_t *join);
const reader_stack_t *reading_join_stack(reading_join_t *join, uint32_t stack);
size_t reading_join_stack_count(const reading_join_t *join);
const reader_thread_t *reading_join_thread(reading_join_t *join, uint32_t thread);
size_t reading_join_thread_count(const reading_join_t *join);
size_t reading_join_module_count(const reading_join_t *join);
const reader_module_t *reading_join_module(reading_join_t *join, size_t index);
uint32_t reading_join_part_count(const reading_join_t *join);
const reader_t *reading_join_part(const reading_join_t *join, uint32_t part);
uint32_t reading_join_part_of(const reading_join_t *join, uint32_t thread);
uint32_t reading_join_part_of_stack(const reading_join_t *join, uint32_t stack);

#endif
