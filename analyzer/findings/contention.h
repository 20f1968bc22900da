// SPDX-License-Identifier: Apache-2.0
// Which lock costs the time, whose holding of it, and what would help.
#ifndef ANALYZER_FINDINGS_CONTENTION_H
#define ANALYZER_FINDINGS_CONTENTION_H

#include "analyzer/models/models.h"

typedef enum {
  CONTENTION_NONE,        // nobody waited, or too little for advice
  CONTENTION_STILL_HELD,  // somebody waits at the end, most of it for who holds it now
  CONTENTION_BLOCKING,    // most waits were for a holder in a call that blocks
  CONTENTION_ELSEWHERE,   // its holders waited for another lock themselves
  CONTENTION_WOKEN,       // who was woken by a signal found it still held
  CONTENTION_CONVOY,      // short holds, but a queue that never drains
  CONTENTION_LONG_HOLDS,  // the usual hold takes long
  CONTENTION_SOME_HOLDS,  // the usual hold is short, some take long
  CONTENTION_OFTEN,       // it is taken too often
} contention_cause_t;

// Holds from here on are called long: some times what it takes to wake a thread that sleeps.
#define CONTENTION_LONG_NS UINT64_C(50000)

// Advice takes so many waits and so long in all; where they are fewer, so long all the same.
enum { CONTENTION_ADVICE_WAITS = 20 };
#define CONTENTION_ADVICE_NS UINT64_C(1000000)
#define CONTENTION_FEW_NS UINT64_C(10000000)

typedef struct {
  contention_cause_t cause;
  const lock_block_t *block;   // the call that blocks, NULL: none
  uint32_t other, other_site;  // ELSEWHERE: id of that lock, and where it was held
} contention_t;

// Figures of a lock after models_finish, `end_ns` that of the trace. Pointers live as long as the
// models.
contention_t contention_judge(const lock_t *lock, uint64_t end_ns);

#endif
