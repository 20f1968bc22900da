// SPDX-License-Identifier: Apache-2.0
// Vector clocks: for every thread, up to which of its epochs its past is known.
//
// Immutable and shared: a change gives a new clock that shares all but the changed path with the
// old one, so that ten thousand short threads do not cost ten thousand squared entries.
#ifndef ANALYZER_MODELS_VECTOR_CLOCK_H
#define ANALYZER_MODELS_VECTOR_CLOCK_H

#include <stdint.h>

// NULL is the clock that knows nothing. Reference counted.
typedef struct vector_clock vector_clock_t;

const vector_clock_t *vector_clock_keep(const vector_clock_t *clock);  // one more reference
void vector_clock_drop(const vector_clock_t *clock);                   // one less
// Epoch of `thread` that is known, 0: nothing.
uint32_t vector_clock_get(const vector_clock_t *clock, uint32_t thread);
// `clock` with the entry of `thread` raised to at least `epoch`. Consumes the reference given.
const vector_clock_t *vector_clock_raise(const vector_clock_t *clock, uint32_t thread,
                                         uint32_t epoch);
// The greater of both, entry by entry. Consumes the reference to `clock`, not that to `other`.
const vector_clock_t *vector_clock_join(const vector_clock_t *clock, const vector_clock_t *other);

#endif
