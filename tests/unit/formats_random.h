// SPDX-License-Identifier: Apache-2.0
// Records with random fields, the same for the same seed.
#ifndef TESTS_UNIT_FORMATS_RANDOM_H
#define TESTS_UNIT_FORMATS_RANDOM_H

#include "formats/record.h"

typedef uint64_t formats_random_t;  // the state; any seed but 0

uint64_t formats_random(formats_random_t *random);
// As many numbers of few bits as of many.
uint64_t formats_random_value(formats_random_t *random);
// A kind that the table has.
unsigned formats_random_kind(formats_random_t *random);
// Writes a record of `kind` into at most `limit` words. Returns its length, 0 where there is no
// room. Payloads are short: up to 20 words.
size_t formats_random_record(formats_random_t *random, unsigned kind, uint64_t *words,
                             size_t limit);
// Fills up to `limit` words with records of all kinds and padding. Returns how many words.
size_t formats_random_records(formats_random_t *random, uint64_t *words, size_t limit);

#endif
