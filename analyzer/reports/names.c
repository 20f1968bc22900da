// SPDX-License-Identifier: Apache-2.0
// What things are called.
#include "analyzer/reports/names.h"

#include "analyzer/reading/memory.h"
#include "analyzer/reports/function_name.h"
#include "analyzer/reports/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_NAME_MAX = 80 };

typedef struct {
  symbols_frame_t *frames;
  size_t count;
} shown_t;

struct names {
  const models_t *models;
  const reader_t *reader;
  symbols_t *symbols;
  memory_lines_t kept;   // every string given out
  const char **locks;    // by id
  const char **threads;  // by index
  const char **labels;   // by index
  const char **sites;    // by stack
  shown_t *shown;        // by stack; frames NULL: not asked for yet
  const char **sorted;   // all lock names, made by the first names_lock_unique
  size_t sorted_count;
};

static const char *names_keep(names_t *names, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *names_keep(names_t *names, const char *format, ...) {
  char *text;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) text = memory_text("", 0);
  page_clean(text, strlen(text) + 1, text, 0);
  memory_lines_add(&names->kept, text);
  return text;
}

names_t *names_open(const models_t *models, symbols_t *symbols) {
  names_t *names = memory_new(1, sizeof *names);
  names->models = models;
  names->reader = models_reader(models);
  names->symbols = symbols;
  names->locks = memory_new(locks_limit(models_locks(models)) + 1, sizeof *names->locks);
  names->threads = memory_new(threads_limit(models_threads(models)) + 1, sizeof *names->threads);
  names->labels = memory_new(threads_limit(models_threads(models)) + 1, sizeof *names->labels);
  names->sites = memory_new(reader_stack_count(names->reader) + 1, sizeof *names->sites);
  names->shown = memory_new(reader_stack_count(names->reader) + 1, sizeof *names->shown);
  return names;
}

void names_close(names_t *names) {
  if (!names) return;
  memory_lines_free(&names->kept);
  for (size_t i = 0; i < reader_stack_count(names->reader); i++) free(names->shown[i].frames);
  free(names->shown);
  free(names->locks);
  free(names->threads);
  free(names->labels);
  free(names->sites);
  free(names->sorted);
  free(names);
}

// ---- frames ------------------------------------------------------------------------------------
static bool begins(const char *text, const char *prefix) {
  return text && !strncmp(text, prefix, strlen(prefix));
}

bool names_frame_is_recorder(const symbols_frame_t *frame) {
  return begins(frame->module, "libinspect.so");
}

static bool frame_tells(const symbols_frame_t *frame) {
  if (symbols_frame_is_runtime(frame)) return false;
  if (begins(frame->module, "libevent") || begins(frame->module, "libev.") ||
      begins(frame->module, "libuv."))
    return false;  // what they do, they do for somebody
  return !frame->function || (!function_name_is_allocator(frame->function) &&
                              !function_name_wraps_lock(frame->function));
}

const symbols_frame_t *names_frame(names_t *names, uint32_t stack) {
  size_t count;
  const symbols_frame_t *frames = names_frames_shown(names, stack, &count);
  for (size_t i = 0; i < count; i++)
    if (frame_tells(&frames[i])) return &frames[i];
  return count ? frames : NULL;
}

// Index behind the last frame to show: cuts what starts a thread or calls main. Where nothing else
// would be left, that is better than nothing.
static size_t frames_end(const symbols_stack_t *all) {
  size_t end = all->count;
  if (end > 1 && symbols_frame_is_runtime(&all->frames[end - 2]) &&
      (!all->frames[end - 1].function || !strcmp(all->frames[end - 1].function, "_start")))
    end--;
  while (end && symbols_frame_is_runtime(&all->frames[end - 1])) end--;
  return end ? end : all->count;
}

const symbols_frame_t *names_frames_shown(names_t *names, uint32_t stack, size_t *count) {
  *count = 0;
  if (!stack || stack >= reader_stack_count(names->reader)) return NULL;
  shown_t *shown = &names->shown[stack];
  if (!shown->frames) {
    const symbols_stack_t *all = symbols_resolve_stack(names->symbols, stack);
    shown->frames = memory_new(all->count + 1, sizeof *shown->frames);
    for (size_t i = 0, end = frames_end(all); i < end; i++) {
      bool wrapper = shown->count == 0 && begins(all->frames[i].function, "operator new");
      if (!wrapper && !names_frame_is_recorder(&all->frames[i]))
        shown->frames[shown->count++] = all->frames[i];
    }
  }
  *count = shown->count;
  return shown->frames;
}

// The last two parts of a path: enough to find the file, short enough to read.
static const char *path_tail(const char *path) {
  const char *tail = path;
  unsigned slashes = 0;
  for (const char *at = path + strlen(path); at > path && slashes < 2; at--)
    if (at[-1] == '/' && ++slashes == 2) tail = at;
  return slashes < 2 && path[0] == '/' ? path + 1 : tail;
}

static const char *path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *names_frame_text(names_t *names, const symbols_frame_t *frame) {
  const char *module = frame->module ? frame->module : "[unknown]";
  const char *function = frame->function;
  if (!function) return names_keep(names, "%s+0x%" PRIx64, module, frame->offset);
  if (begins(function, "__GI_")) function += strlen("__GI_");  // libc's name for its own use
  if (!frame->file)
    return names_keep(names, "%.*s (%s+0x%" PRIx64 ")", function_name_length(function), function,
                      module, frame->offset);
  return names_keep(names, "%.*s (%s:%u)", function_name_length(function), function,
                    path_tail(frame->file), frame->line);
}

const char *names_site(names_t *names, uint32_t stack) {
  if (!stack || stack >= reader_stack_count(names->reader)) return "";
  if (names->sites[stack]) return names->sites[stack];
  const symbols_frame_t *frame = names_frame(names, stack);
  const char *text = frame ? names_frame_text(names, frame) : "";
  if (*text && reader_part_count(names->reader) > 1) {
    const reader_summary_t *process =
        reader_summary(reader_part(names->reader, reader_part_of_stack(names->reader, stack)));
    text = names_keep(names, "%s in %s %u", text, path_base(process->program), process->pid);
  }
  return names->sites[stack] = text;
}

const char *names_folded(names_t *names, uint32_t stack) {
  size_t count, length = 0;
  const symbols_frame_t *frames = names_frames_shown(names, stack, &count);
  char *line = NULL;
  FILE *stream = open_memstream(&line, &length);
  if (!stream) return "";
  for (size_t i = count; i-- > 0;) {
    if (frames[i].function)
      fputs(frames[i].function, stream);
    else
      fprintf(stream, "%s+0x%" PRIx64, frames[i].module ? frames[i].module : "[unknown]",
              frames[i].offset);
    if (i) fputc(';', stream);
  }
  fclose(stream);
  const char *kept = names_keep(names, "%s", line);
  free(line);
  return kept;
}

// ---- locks -------------------------------------------------------------------------------------
static const char *block_name(names_t *names, const char *kind, uint64_t address,
                              const heap_block_t *block) {
  const symbols_frame_t *frame = names_frame(names, block->stack);
  const char *from = !frame            ? ""
                     : frame->function ? frame->function
                                       : names_frame_text(names, frame);
  return names_keep(names, "%s at +%" PRIu64 " in %" PRIu64 "-byte block%s%.*s", kind,
                    address - block->address, block->size, *from ? " from " : "",
                    function_name_length(from), from);
}

const char *names_address(names_t *names, const char *kind, uint64_t address) {
  const char *variable = symbols_variable(names->symbols, address);
  if (variable) return names_keep(names, "%s", variable);
  heap_block_t block;
  if (heap_find(models_heap(names->models), address, &block))
    return block_name(names, kind, address, &block);
  const char *place = symbols_place(names->symbols, address);
  if (place) return names_keep(names, "%s at %s", kind, place);
  return names_keep(names, "%s at 0x%" PRIx64, kind, address);
}

const char *names_lock(names_t *names, uint32_t id) {
  const lock_t *lock = locks_get(models_locks(names->models), id);
  if (!lock) return "a lock";
  if (names->locks[id]) return names->locks[id];
  const char *name;
  if (lock->block.size)
    name = block_name(names, lock_kind_name(lock->bits), lock->address, &lock->block);
  else if ((name = symbols_variable(names->symbols, lock->address)))
    name = names_keep(names, "%s", name);
  else if (lock->inode)
    name = names_keep(names, "%s at +%" PRIu64 " in shared memory %" PRIu64,
                      lock_kind_name(lock->bits), lock->offset, lock->inode);
  else
    name = names_address(names, lock_kind_name(lock->bits), lock->address);
  return names->locks[id] = name;
}

static int text_compare(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void locks_sort(names_t *names) {
  uint32_t limit = locks_limit(models_locks(names->models));
  names->sorted = memory_new(limit + 1, sizeof *names->sorted);
  for (uint32_t id = 1; id < limit; id++)
    if (locks_get(models_locks(names->models), id))
      names->sorted[names->sorted_count++] = names_lock(names, id);
  qsort(names->sorted, names->sorted_count, sizeof *names->sorted, text_compare);
}

const char *names_lock_unique(names_t *names, uint32_t id) {
  const char *name = names_lock(names, id);
  const lock_t *lock = locks_get(models_locks(names->models), id);
  if (!lock) return name;
  if (!names->sorted) locks_sort(names);
  const char **found =
      bsearch(&name, names->sorted, names->sorted_count, sizeof *names->sorted, text_compare);
  bool alone = (found == names->sorted || strcmp(found[-1], name)) &&
               (found + 1 == names->sorted + names->sorted_count || strcmp(found[1], name));
  return alone ? name : names_keep(names, "%s (lock %u at 0x%" PRIx64 ")", name, id, lock->address);
}

// ---- threads and tasks -------------------------------------------------------------------------
static const char *thread_name(names_t *names, uint32_t index) {
  const reader_thread_t *thread = index && index < reader_thread_count(names->reader)
                                      ? reader_thread(names->reader, index)
                                      : NULL;
  if (!thread) return "a thread";
  if (thread->name[0]) return names_keep(names, "%s", thread->name);
  if (thread->main) return "main";
  if (!thread->routine) return "thread";
  const char *function = symbols_function(names->symbols, thread->routine);
  // That of every std::thread; where libstdc++ has no symbols, a number.
  if (begins(function, "libstdc++.so") || begins(function, "execute_native_thread_routine"))
    return "std::thread";
  char routine[THREAD_NAME_MAX];
  function_name_short(routine, sizeof routine, function);
  return names_keep(names, "%s", routine);
}

const char *names_thread(names_t *names, uint32_t thread) {
  if (thread >= threads_limit(models_threads(names->models))) return "a thread";
  if (!names->threads[thread]) names->threads[thread] = thread_name(names, thread);
  return names->threads[thread];
}

const char *names_thread_label(names_t *names, uint32_t thread) {
  if (!thread || thread >= threads_limit(models_threads(names->models)) ||
      thread >= reader_thread_count(names->reader))
    return "a thread";
  if (names->labels[thread]) return names->labels[thread];
  uint32_t tid = reader_thread(names->reader, thread)->tid;
  const reader_t *part = reader_part(names->reader, reader_part_of_thread(names->reader, thread));
  const reader_summary_t *process = part == names->reader ? NULL : reader_summary(part);
  const char *name = names_thread(names, thread);
  if (!process)
    names->labels[thread] = names_keep(names, "%s (%u)", name, tid);
  else if (tid == process->pid)
    names->labels[thread] = names_keep(names, "%s (%s %u)", name, path_base(process->program), tid);
  else
    names->labels[thread] =
        names_keep(names, "%s (%u of %s %u)", name, tid, path_base(process->program), process->pid);
  return names->labels[thread];
}

const char *names_descriptor(names_t *names, const task_t *task) {
  const char *kind = descriptor_kind_name(task->kind);
  return task->name ? names_keep(names, "%s %d (%s)", kind, task->descriptor, task->name)
                    : names_keep(names, "%s %d", kind, task->descriptor);
}

const char *names_loop(names_t *names, const loop_t *loop) {
  return loop->poll ? "poll" : names_keep(names, "epoll %d", loop->descriptor);
}

const char *names_pool_object(names_t *names, const pool_t *pool) {
  switch (pool->kind) {
  case POOL_DESCRIPTOR:
    return names_keep(names, "%s %u", descriptor_kind_name(pool->descriptor), pool->number);
  case POOL_LOOP:
    return names_loop(names, loops_get(models_loops(names->models), pool->number - 1));
  default:
    return names_address(names, pool->kind == POOL_SEMAPHORE ? "semaphore" : "condition",
                         pool->object);
  }
}

uint64_t names_descriptor_number(const names_t *names, uint32_t task) {
  uint32_t threads = threads_limit(models_threads(names->models));
  return (uint64_t)(threads ? threads - 1 : 0) + task;
}
