// SPDX-License-Identifier: Apache-2.0
// Which lock costs the time, whose holding of it, and what would help.
#ifndef ANALYZER_FINDINGS_CONTENTION_H
#define ANALYZER_FINDINGS_CONTENTION_H

#include "analyzer/models/models.h"

typedef enum {
  CONTENTION_NONE,        // nobody waited
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

typedef struct {
  contention_cause_t cause;
  uint32_t site;               // the acquire that is charged most, 0: not known
  uint64_t site_ns;            // of lock_t.blamed_ns
  const lock_block_t *block;   // the call that blocks, NULL: none
  uint32_t other, other_site;  // ELSEWHERE: id of that lock, and where it was held
} contention_t;

// Figures of a lock after models_finish. Pointers live as long as the models.
contention_t contention_judge(const lock_t *lock);

#endif
