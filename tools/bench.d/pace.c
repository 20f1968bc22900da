// SPDX-License-Identifier: Apache-2.0
// Notes how fast each processor is, as long as it runs: a thread on each of them wakes up, times
// the loop of pace.h, and appends a record. It then sleeps 200 times as long as that took: half a
// percent. Now and then two of them meet and pass a cache line to and fro.
//
//     pace RECORDS BOARD
//
// RECORDS: the file it appends to. BOARD: a file with a pace_board_t. Each record says how many
// threads of the target and of its children were running on the processor, so that the speed of a
// processor counts for a program as often as it was there.
#include "pace.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SLEEP_TIMES = 220, SLEEP_LEAST_NS = 5000000, SLEEP_MOST_NS = 100000000 };
enum {
  PROCESSORS_MOST = 256,
  CHILDREN_MOST = 32,
  STATE = 0,
  PROCESSOR = 36
};  // fields of stat after the name

typedef struct {
  uint64_t when_ns;  // CLOCK_MONOTONIC
  uint32_t processor, running;
  float pace_ns;        // for a round of the loop
  float round_trip_ns;  // 0: not measured at this time
} record_t;
_Static_assert(sizeof(record_t) == 24, "read by pacing.py");

static int records;
static pace_board_t *board;

// Two threads pass `ball` on: the first makes it odd, the second even. They meet at whole multiples
// of MEET_NS; who comes too late, or alone, goes on with its work.
static struct {
  _Alignas(128) atomic_uint ball;
  _Alignas(128) _Atomic uint64_t here[2];  // the meeting that each of them has come to
} court;
enum { MEET_NS = 120000000, MEET_WAIT_NS = 60000, PASSES = 40, SERIES = 4 };

static size_t file_read(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, text, size - 1);
  if (file >= 0) close(file);
  text[length > 0 ? length : 0] = '\0';
  return length > 0 ? (size_t)length : 0;
}

// Whether a thread, given its stat, is running or waiting to run on a processor.
static bool thread_runs_on(const char *stat, uint32_t processor) {
  const char *field = strrchr(stat, ')');
  if (!field || field[1] != ' ' || field[2] != 'R') return false;
  field += 2;
  for (int i = STATE; i < PROCESSOR && field; i++) field = strchr(field + 1, ' ');
  return field && strtoul(field, NULL, 10) == processor;
}

static uint32_t process_running(long pid, uint32_t processor) {
  char path[320], text[1024];
  snprintf(path, sizeof path, "/proc/%ld/task", pid);
  DIR *tasks = opendir(path);
  uint32_t running = 0;
  for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%ld/task/%s/stat", pid, entry->d_name);
    if (file_read(path, text, sizeof text)) running += thread_runs_on(text, processor);
  }
  if (tasks) closedir(tasks);
  return running;
}

static uint32_t target_running(uint32_t processor) {
  long pid = atomic_load(&board->target);
  if (!pid) return 0;
  char path[64], text[512];
  uint32_t running = process_running(pid, processor);
  snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
  file_read(path, text, sizeof text);
  char *rest = text;
  for (int i = 0; i < CHILDREN_MOST; i++) {
    long child = strtol(rest, &rest, 10);
    if (child <= 0) break;
    running += process_running(child, processor);
  }
  return running;
}

static bool ball_wait(unsigned value, uint64_t deadline) {
  while (atomic_load_explicit(&court.ball, memory_order_acquire) != value)
    if (clock_ns(CLOCK_MONOTONIC) > deadline) return false;
  return true;
}

// Whether the other one has come to this meeting, too.
static bool other_comes(unsigned side, uint64_t meeting, uint64_t deadline) {
  atomic_store(&court.here[side], meeting);
  while (atomic_load(&court.here[!side]) != meeting)
    if (clock_ns(CLOCK_MONOTONIC) > deadline) return false;
  return true;
}

// Gives ns for there and back, the best of some series; 0 where the other one did not come or left.
static float round_trip_take(unsigned side, uint64_t meeting) {
  uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + MEET_WAIT_NS, best = UINT64_MAX;
  if (!other_comes(side, meeting, deadline)) return 0;
  // Values of a meeting of their own: what an earlier one left unfinished is no pass of this one.
  unsigned ball = (unsigned)meeting << 10;
  deadline += MEET_WAIT_NS;
  for (int series = 0; series < SERIES; series++) {
    uint64_t start = clock_ns(CLOCK_MONOTONIC);
    for (int pass = 0; pass < PASSES; pass++, ball += 2) {
      if (side == 1 && !ball_wait(ball + 1, deadline)) return 0;
      atomic_store_explicit(&court.ball, ball + 1 + side, memory_order_release);
      if (side == 0 && !ball_wait(ball + 2, deadline)) return 0;
    }
    uint64_t took = clock_ns(CLOCK_MONOTONIC) - start;
    if (took < best) best = took;
  }
  return side == 0 ? (float)best / PASSES : 0;
}

// Sleeps for so long, but not beyond the next meeting; gives its number where that is now, or 0.
static uint64_t rest(uint64_t length, bool meets) {
  uint64_t now = clock_ns(CLOCK_MONOTONIC), until = now + length, meeting = now / MEET_NS + 1;
  bool meet = meets && until >= meeting * MEET_NS;
  if (meet) until = meeting * MEET_NS;
  struct timespec when = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
  return meet ? meeting : 0;
}

typedef struct {
  uint32_t processor;
  unsigned side;  // of those that meet: 0 and 1
} place_t;

static void *processor_watch(void *argument) {
  place_t *place = argument;
  uint64_t meeting = 0, used = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  for (;;) {
    record_t record = {.when_ns = clock_ns(CLOCK_MONOTONIC), .processor = place->processor};
    if (meeting) record.round_trip_ns = round_trip_take(place->side, meeting);
    if (record.round_trip_ns != 0) atomic_store(&board->round_trip_ns, record.round_trip_ns);
    record.pace_ns = pace_take();
    record.running = target_running(place->processor);
    if (write(records, &record, sizeof record) != sizeof record) exit(1);
    // All of it since this place was passed last: going to sleep and waking up are half of it.
    uint64_t now = clock_ns(CLOCK_THREAD_CPUTIME_ID), length = (now - used) * SLEEP_TIMES;
    used = now;
    if (length < SLEEP_LEAST_NS) length = SLEEP_LEAST_NS;
    meeting = rest(length > SLEEP_MOST_NS ? SLEEP_MOST_NS : length, place->side < 2);
  }
  return NULL;
}

static bool watch_start(uint32_t processor) {
  static place_t places[PROCESSORS_MOST];
  static unsigned count;
  places[count] = (place_t){processor, count};
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setaffinity_np(&attributes, sizeof only, &only);
  return pthread_create(&thread, &attributes, processor_watch, &places[count++]) == 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: pace RECORDS BOARD\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  records = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int file = open(argv[2], O_RDWR | O_CLOEXEC);
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  cpu_set_t all;
  if (records < 0 || board == MAP_FAILED || sched_getaffinity(0, sizeof all, &all) != 0) {
    perror("pace");
    return 1;
  }
  // So that it runs when it wakes up, where that is allowed; else it comes a little later.
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  bool any = false;
  for (uint32_t i = 0; i < PROCESSORS_MOST; i++)
    if (CPU_ISSET(i, &all)) any |= watch_start(i);
  if (!any) return 1;
  for (;;) pause();
}
