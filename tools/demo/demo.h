// SPDX-License-Identifier: Apache-2.0
// The demonstration: a small server with everything in it that inspect finds.
//
// Four clients ask one event loop for transfers between two accounts; two workers do them. What is
// wrong with it, on purpose:
//   bank.c    two accounts locked in both orders (a deadlock that has not happened yet)
//   server.c  a request that blocks the event loop, and sessions that are never freed
//   jobs.c    workers that hold the journal's lock while they write to it (contention)
#ifndef TOOLS_DEMO_DEMO_H
#define TOOLS_DEMO_DEMO_H

#include <stdint.h>

// How much the demonstration does; the same in every run.
enum {
  DEMO_ROUNDS = 8,         // the clients connect anew that many times
  DEMO_CLIENTS = 4,        // connections at a time
  DEMO_REQUESTS = 30,      // of each connection
  DEMO_REPORT_EVERY = 80,  // every so many requests one is a report
  DEMO_REPORT_MS = 60,     // for so long a report blocks the loop
  DEMO_FORGET_EVERY = 8,   // every so many sessions one is forgotten
  DEMO_AUDITS = 10,
};

// A request and its answer on the wire.
enum { DEMO_TRANSFER = 't', DEMO_REPORT = 'r', DEMO_STOP = 's', DEMO_DONE = 'd' };

// ---- bank.c ------------------------------------------------------------------------------------
// Moves an amount from account_a to account_b. Blocks for the locks of both.
void bank_transfer(int64_t amount);
// Compares both accounts with what they held in all. 0, or the difference.
int64_t bank_audit(void);

// ---- jobs.c ------------------------------------------------------------------------------------
// A transfer to be done for a session. The queue owns it from jobs_submit on, its taker from
// jobs_finished on, and frees it.
typedef struct job {
  struct job *next;
  int descriptor;  // of the session that asked
  int64_t amount;
  char entry[232];  // what the journal will say of it
} job_t;

// Starts the workers. Finished jobs are announced on the eventfd `wake_up`.
void jobs_start(int wake_up);
void jobs_submit(job_t *job);
// All jobs finished since the last call, as a list; NULL where there are none.
job_t *jobs_finished(void);
// Lets the workers finish what is queued, and joins them.
void jobs_stop(void);

// ---- server.c ----------------------------------------------------------------------------------
typedef struct {
  int connections, transfers, reports, forgotten;
} server_totals_t;

// Serves `listener` until a client asks it to stop.
server_totals_t server_run(int listener);

// ---- client.c ----------------------------------------------------------------------------------
// Drives the server on 127.0.0.1:port through all rounds. Exit status of the client process.
int client_run(uint16_t port);

// Prints what failed with errno, and exits with 1.
_Noreturn void demo_fail(const char *what);

#endif
