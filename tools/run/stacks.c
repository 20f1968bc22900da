// SPDX-License-Identifier: Apache-2.0
// See stacks.h. Threads are seized, not attached to: no signal is made, and a stopped process stays
// stopped (ptrace(2), PTRACE_SEIZE). libunwind interprets the unwind tables of the other process.
#include "tools/run/stacks.h"

#include "tools/run/message.h"
#include "tools/run/modules.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libiberty/demangle.h>
#include <libunwind-ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  THREADS_MAX = 4096,
  PROCESSES_MAX = 32,
  FRAMES_MAX = 64,
  FUNCTION_MAX = 512,
  STOP_TRIES = 1000,  // of a millisecond each
};

typedef struct {
  pid_t tid;
  bool stopped;
  int signal;  // that it was about to get when it stopped
} tracee_t;

typedef struct {
  pid_t pid;
  tracee_t *threads;
  size_t count;
  int error;  // errno of the first thread that could not be seized
  modules_t modules;
  FILE *out;
} snapshot_t;

// ---- what there is -----------------------------------------------------------------------------

// Calls `take` with each number that names an entry of the folder.
static void numbers_read(const char *folder, void (*take)(void *, pid_t), void *context) {
  DIR *directory = opendir(folder);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    char *end;
    long number = strtol(entry->d_name, &end, 10);
    if (number > 0 && !*end) take(context, (pid_t)number);
  }
  closedir(directory);
}

static void name_read(pid_t pid, pid_t tid, char name[64]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)pid, (int)tid);
  FILE *file = fopen(path, "re");
  if (!file || !fgets(name, 64, file)) strcpy(name, "?");
  name[strcspn(name, "\n")] = '\0';
  if (file) fclose(file);
}

// ---- stopping and letting go -------------------------------------------------------------------

static void thread_seize(void *context, pid_t tid) {
  snapshot_t *snapshot = context;
  for (size_t i = 0; i < snapshot->count; i++)
    if (snapshot->threads[i].tid == tid) return;
  if (snapshot->count == THREADS_MAX) return;
  if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
    if (errno != ESRCH && !snapshot->error) snapshot->error = errno;
    return;
  }
  ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
  snapshot->threads[snapshot->count++] = (tracee_t){.tid = tid};
}

// Takes the stop of a thread, and only that: an exit is for whoever waits for the process.
static bool thread_has_stopped(tracee_t *thread) {
  siginfo_t state = {0};
  int status;
  if (waitid(P_PID, (id_t)thread->tid, &state, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) ||
      (state.si_code != CLD_STOPPED && state.si_code != CLD_TRAPPED) ||
      waitpid(thread->tid, &status, WNOHANG | __WALL) != thread->tid || !WIFSTOPPED(status))
    return false;
  // Our own interruption is an event; anything else is a signal on its way to the thread.
  if (status >> 16 == 0) thread->signal = WSTOPSIG(status);
  return thread->stopped = true;
}

static void threads_await(snapshot_t *snapshot) {
  size_t waiting = snapshot->count;
  for (int tries = 0; waiting && tries < STOP_TRIES; tries++) {
    if (tries) usleep(1000);
    waiting = 0;
    for (size_t i = 0; i < snapshot->count; i++)
      waiting += !snapshot->threads[i].stopped && !thread_has_stopped(&snapshot->threads[i]);
  }
}

static void threads_stop(snapshot_t *snapshot) {
  char folder[64];
  snprintf(folder, sizeof folder, "/proc/%d/task", (int)snapshot->pid);
  // Again until nobody is new: a thread that was not stopped yet may have made one more.
  for (size_t before = SIZE_MAX; before != snapshot->count;) {
    before = snapshot->count;
    numbers_read(folder, thread_seize, snapshot);
    threads_await(snapshot);
  }
}

static void threads_release(snapshot_t *snapshot) {
  for (size_t i = 0; i < snapshot->count; i++) {
    const tracee_t *thread = &snapshot->threads[i];
    ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)(intptr_t)thread->signal);
  }
}

// ---- unwinding ---------------------------------------------------------------------------------

typedef struct {
  uint64_t ip;
  const module_t *module;
  char symbol[FUNCTION_MAX];
} frame_t;

static bool is_in(const frame_t *frame, const char *library) {
  return frame->module && !strncmp(module_name(frame->module), library, strlen(library));
}

// libunwind takes the nearest symbol below, which in a stripped library may be another function:
// the name holds only where the unwind table has a function begin there.
static void frame_read(const snapshot_t *snapshot, unw_cursor_t *cursor, frame_t *frame) {
  unw_word_t ip = 0, offset;
  unw_proc_info_t function;
  unw_get_reg(cursor, UNW_REG_IP, &ip);
  *frame = (frame_t){.ip = ip, .module = modules_find(&snapshot->modules, ip)};
  if (unw_get_proc_name(cursor, frame->symbol, sizeof frame->symbol, &offset) != 0 ||
      (unw_get_proc_info(cursor, &function) == 0 && function.start_ip != ip - offset))
    frame->symbol[0] = '\0';
}

static void frame_print(const snapshot_t *snapshot, const frame_t *frame) {
  char *readable = frame->symbol[0] == '_'
                       ? cplus_demangle(frame->symbol, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO)
                       : NULL;
  const char *function = readable ? readable : frame->symbol;
  fprintf(snapshot->out, "      %s", *function ? function : "?");
  if (frame->module)
    fprintf(snapshot->out, " (%s+0x%" PRIx64 ")\n", module_name(frame->module),
            frame->ip - frame->module->base);
  else
    fprintf(snapshot->out, " (0x%" PRIx64 ")\n", frame->ip);
  free(readable);
}

// Without the recorder's own frames, and without what starts a thread or calls main.
static void frames_print(const snapshot_t *snapshot, unw_cursor_t *cursor) {
  static frame_t frames[FRAMES_MAX];
  size_t count = 0;
  do {
    frame_read(snapshot, cursor, &frames[count]);
    count += !is_in(&frames[count], "libinspect.so");
  } while (count < FRAMES_MAX && unw_step(cursor) > 0);
  size_t end = count;
  while (end && (is_in(&frames[end - 1], "libc.so") || is_in(&frames[end - 1], "libc-2") ||
                 !strcmp(frames[end - 1].symbol, "_start")))
    end--;
  for (size_t i = 0; i < (end ? end : count); i++) frame_print(snapshot, &frames[i]);
}

static void thread_print(const snapshot_t *snapshot, unw_addr_space_t space,
                         const tracee_t *thread) {
  char name[64];
  unw_cursor_t cursor;
  name_read(snapshot->pid, thread->tid, name);
  fprintf(snapshot->out, "    thread %s (%d)\n", name, (int)thread->tid);
  void *state = thread->stopped ? _UPT_create(thread->tid) : NULL;
  if (!state) {
    fprintf(snapshot->out, "      it does not stop: in the kernel, or about to end\n");
    return;
  }
  if (unw_init_remote(&cursor, space, state) == 0) frames_print(snapshot, &cursor);
  _UPT_destroy(state);
}

static void threads_print(snapshot_t *snapshot) {
  char name[64];
  name_read(snapshot->pid, snapshot->pid, name);
  fprintf(snapshot->out, "  process %d (%s), where each of its %zu thread%s is, innermost first:\n",
          (int)snapshot->pid, name, snapshot->count, snapshot->count == 1 ? "" : "s");
  unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
  if (!space) return;
  unw_set_caching_policy(space, UNW_CACHE_GLOBAL);
  snapshot->modules = modules_read(snapshot->pid);
  for (size_t i = 0; i < snapshot->count; i++) thread_print(snapshot, space, &snapshot->threads[i]);
  modules_free(&snapshot->modules);
  unw_destroy_addr_space(space);
}

static void process_print(pid_t pid) {
  char *text = NULL;
  size_t length = 0;
  snapshot_t snapshot = {.pid = pid, .threads = calloc(THREADS_MAX, sizeof(tracee_t))};
  snapshot.out = open_memstream(&text, &length);
  if (snapshot.threads && snapshot.out) {
    threads_stop(&snapshot);
    if (snapshot.count) threads_print(&snapshot);
    threads_release(&snapshot);
  }
  if (snapshot.out) fclose(snapshot.out);
  if (snapshot.error)
    message_print("process %d: the kernel does not let its threads be looked at: %s", (int)pid,
                  strerror(snapshot.error));
  for (size_t at = 0; text && at < length;) {
    ssize_t written = write(STDERR_FILENO, text + at, length - at);
    if (written < 0 && errno != EINTR) break;
    if (written > 0) at += (size_t)written;
  }
  free(text);
  free(snapshot.threads);
}

// ---- the command and what it has started -------------------------------------------------------

typedef struct {
  pid_t pids[PROCESSES_MAX];
  size_t count;
} family_t;

static void children_add(void *context, pid_t tid) {
  family_t *family = context;
  char path[64], name[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)family->pids[0], (int)tid);
  FILE *file = fopen(path, "re");
  for (int child; file && family->count < PROCESSES_MAX && fscanf(file, "%d", &child) == 1;) {
    name_read(child, child, name);
    if (strcmp(name, "inspect-writer")) family->pids[family->count++] = child;
  }
  if (file) fclose(file);
}

void stacks_print(pid_t pid) {
  family_t family = {.pids = {pid}, .count = 1};
  for (size_t at = 0; at < family.count; at++) {
    family_t own = {.pids = {family.pids[at]}, .count = 1};
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)own.pids[0]);
    numbers_read(folder, children_add, &own);
    for (size_t child = 1; child < own.count && family.count < PROCESSES_MAX; child++)
      family.pids[family.count++] = own.pids[child];
    process_print(family.pids[at]);
  }
}
