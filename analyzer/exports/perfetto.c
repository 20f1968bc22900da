// SPDX-License-Identifier: Apache-2.0
// Gathers spans while the trace is read, then writes them.
#include "analyzer/exports/perfetto.h"

#include "analyzer/exports/slices.h"
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

// Groups of tracks: what viewers call processes. A track is group << 32 | number.
enum { GROUP_THREADS = 1, GROUP_LOOPS, GROUP_TASKS, GROUP_COUNT };
enum { TRACKS_MAX = 8000, TASK_TRACKS_MAX = 256 };

static const char *const group_names[GROUP_COUNT] = {
    [GROUP_THREADS] = "threads", [GROUP_LOOPS] = "event loops", [GROUP_TASKS] = "tasks"};

typedef struct {
  analysis_t analysis;
  slices_t slices;
  FILE *stream;
  bool begun;  // an event was written
} export_t;

// What does not fit into the tracks of its group shares number 0.
static uint64_t track_of(uint64_t group, uint32_t number, uint32_t limit) {
  return group << 32 | (number < limit ? number : 0);
}

static uint64_t thread_track(uint32_t thread) {
  return track_of(GROUP_THREADS, thread, TRACKS_MAX);
}

static void note_woken(void *context, const wakeup_t *wakeup) {
  export_t *export = context;
  if (wakeup->how == WAKE_CREATE || wakeup->waker == wakeup->woken) return;
  slices_arrow(&export->slices, (slice_arrow_t){thread_track(wakeup->waker), wakeup->woke,
                                                thread_track(wakeup->woken), wakeup->until});
}

static void note_turn(void *context, const loop_turn_t *turn) {
  export_t *export = context;
  slices_add(&export->slices, track_of(GROUP_LOOPS, turn->thread, TRACKS_MAX), turn->loop,
             turn->from, turn->until);
}

// A task beyond the limit shares a track with the others that its thread has.
static void note_share(void *context, const loop_share_t *share) {
  export_t *export = context;
  uint32_t number = share->task < TASK_TRACKS_MAX ? share->task : TASK_TRACKS_MAX + share->thread;
  slices_add(&export->slices, track_of(GROUP_TASKS, number, TASK_TRACKS_MAX + TRACKS_MAX),
             share->task, share->from, share->until);
}

static void note_wake_up(void *context, const loop_wake_up_t *wake_up) {
  export_t *export = context;
  slices_arrow(&export->slices,
               (slice_arrow_t){thread_track(wake_up->from_thread), wake_up->from_ns,
                               thread_track(wake_up->to_thread), wake_up->to_ns});
}

static void watch(void *context, const reader_t *reader, const reader_event_t *event) {
  static const loops_watch_t loops_watch_table = {note_turn, note_share, note_wake_up};
  export_t *export = context;
  const models_t *models = export->analysis.models;
  uint64_t duration;
  (void)reader;
  loops_watch(models_loops(models), &loops_watch_table, export);
  models_watch_wakeups(export->analysis.models, note_woken, export);
  slices_point(&export->slices, event->time, heap_totals(models_heap(models))->live_bytes);
  thread_state_t state = threads_wait(event, &duration);
  if (state == THREAD_STATE_RUNNING || !event->thread || !duration) return;
  uint64_t from = duration < event->time ? event->time - duration : 0;
  slices_add(&export->slices, thread_track(event->thread), state, from, event->time);
}

// ---- writing -----------------------------------------------------------------------------------

static void event_begin(export_t *export, const char *phase, uint64_t track) {
  fprintf(export->stream, "%s{\"ph\":\"%s\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
          export->begun ? ",\n" : "", phase, track >> 32, track & UINT32_MAX);
  export->begun = true;
}

static void time_put(export_t *export, const char *key, uint64_t ns) {
  fprintf(export->stream, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static void text_put(export_t *export, const char *key, const char *text) {
  json_t *value = json_text(text);
  fprintf(export->stream, ",\"%s\":", key);
  json_dumpf(value, export->stream, JSON_ENCODE_ANY);
  json_decref(value);
}

static void title_put(export_t *export, const char *what, uint64_t track, const char *name) {
  event_begin(export, "M", track);
  fprintf(export->stream, ",\"name\":\"%s\",\"args\":{\"n\":0", what);
  text_put(export, "name", name);
  fputs("}}", export->stream);
}

static const char *task_name(export_t *export, uint32_t id) {
  const task_t *task = tasks_by_id(models_tasks(export->analysis.models), id);
  return task ? names_descriptor(export->analysis.names, task) : "task";
}

static const char *track_name(export_t *export, uint64_t track) {
  static char text[200];
  uint32_t number = (uint32_t)track;
  if (!number) return "others";
  if (track >> 32 != GROUP_TASKS) return names_thread_label(export->analysis.names, number);
  if (number < TASK_TRACKS_MAX) return task_name(export, number);
  snprintf(text, sizeof text, "others, in %s",
           names_thread_label(export->analysis.names, number - TASK_TRACKS_MAX));
  return text;
}

static const char *slice_name(export_t *export, const slice_t *slice) {
  static char text[40];
  if (slice->name == SLICE_MIXED) return "several";
  switch (slice->track >> 32) {
  case GROUP_THREADS:
    return thread_state_text((thread_state_t)slice->name);
  case GROUP_LOOPS:
    snprintf(text, sizeof text, "turn of loop %u", slice->name);
    return text;
  default:
    return task_name(export, slice->name);
  }
}

static void slice_put(export_t *export, const slice_t *slice) {
  event_begin(export, "X", slice->track);
  time_put(export, "ts", slice->begin);
  time_put(export, "dur", slice->end - slice->begin);
  text_put(export, "name", slice_name(export, slice));
  if (slice->count > 1)
    fprintf(export->stream, ",\"args\":{\"merged\":%u,\"used_ns\":%" PRIu64 "}", slice->count,
            slice->used_ns);
  fputc('}', export->stream);
}

static void arrow_end_put(export_t *export, const char *phase, size_t id, uint64_t track,
                          uint64_t time) {
  event_begin(export, phase, track);
  time_put(export, "ts", time);
  fprintf(export->stream, ",\"id\":%zu,\"cat\":\"wake-up\",\"name\":\"wake-up\"%s}", id,
          *phase == 'f' ? ",\"bp\":\"e\"" : "");
}

// An arrow begins in a span: where the thread ran there is none, so it gets one of its own.
static void arrow_put(export_t *export, size_t id, const slice_arrow_t *arrow) {
  event_begin(export, "X", arrow->from_track);
  time_put(export, "ts", arrow->from_ns);
  fputs(",\"dur\":0.001,\"name\":\"wakes\"}", export->stream);
  arrow_end_put(export, "s", id, arrow->from_track, arrow->from_ns);
  arrow_end_put(export, "f", id, arrow->to_track, arrow->to_ns ? arrow->to_ns - 1 : 0);
}

static void slices_put(export_t *export) {
  const slices_t *slices = &export->slices;
  for (uint32_t at = 0; at < slices->count; ++at) {
    uint64_t track = slices->items[at].track;
    if (!at || slices->items[at - 1].track != track)
      title_put(export, "thread_name", track, track_name(export, track));
    slice_put(export, &slices->items[at]);
  }
}

static bool has_slices(const slices_t *slices, uint64_t track) {
  uint32_t low = 0, high = slices->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (slices->items[middle].track == track) return true;
    if (slices->items[middle].track < track)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}

// A thread that never waited has no span of its own, but may wake others.
static void wakers_name(export_t *export) {
  const slices_t *slices = &export->slices;
  for (uint32_t at = 0; at < slices->arrow_count; ++at) {
    uint64_t track = slices->arrows[at].from_track;
    bool named = has_slices(slices, track);
    for (uint32_t before = 0; before < at && !named; ++before)
      named = slices->arrows[before].from_track == track;
    if (!named) title_put(export, "thread_name", track, track_name(export, track));
  }
}

static void counter_put(export_t *export, uint64_t time, const char *name, const char *unit,
                        uint64_t value) {
  event_begin(export, "C", (uint64_t)GROUP_THREADS << 32);
  time_put(export, "ts", time);
  text_put(export, "name", name);
  fprintf(export->stream, ",\"args\":{\"%s\":%" PRIu64 "}}", unit, value);
}

static void heap_put(export_t *export) {
  const slices_t *slices = &export->slices;
  for (uint32_t at = 0; at < slices->point_count; ++at)
    counter_put(export, slices->points[at].time, "heap", "live_bytes", slices->points[at].value);
}

// The most jobs that waited in each part of the run.
static void backlogs_put(export_t *export) {
  const pools_t *pools = loops_pools(models_loops(export->analysis.models));
  for (uint32_t i = 0; i < pools_count(pools); ++i) {
    const pool_t *pool = pools_get(pools, i);
    const timeline_t *backlog = &pool->backlog_over_time;
    char name[200];
    snprintf(name, sizeof name, "backlog of %s, %s",
             names_thread(export->analysis.names, pool->threads[0]),
             names_pool_object(export->analysis.names, pool));
    for (uint64_t at = 0; at < TIMELINE_PARTS; ++at)
      if (!at || backlog->parts[at] != backlog->parts[at - 1])
        counter_put(export, at * backlog->width_ns, name, "jobs", backlog->parts[at]);
  }
}

static void export_write(export_t *export) {
  const slices_t *slices = &export->slices;
  fprintf(export->stream,
          "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"merged_below_ns\":%" PRIu64
          ",\"one_arrow_in\":%" PRIu64 "},\"traceEvents\":[\n",
          slices->resolution, slices->arrow_stride ? slices->arrow_stride : 1);
  for (uint64_t group = GROUP_THREADS; group < GROUP_COUNT; ++group)
    title_put(export, "process_name", group << 32, group_names[group]);
  slices_put(export);
  wakers_name(export);
  for (uint32_t at = 0; at < slices->arrow_count; ++at)
    arrow_put(export, at + 1, &slices->arrows[at]);
  heap_put(export);
  backlogs_put(export);
  fputs("\n]}\n", export->stream);
}

static bool file_write(export_t *export, const char *output, char *error, size_t size) {
  export->stream = fopen(output, "we");
  bool written = export->stream != NULL;
  if (written) {
    export_write(export);
    written = !ferror(export->stream);
    if (fclose(export->stream)) written = false;
  }
  if (!written) snprintf(error, size, "%s: %s", output, strerror(errno ? errno : EIO));
  return written;
}

bool perfetto_export(const char *trace, const char *output, char *error, size_t size) {
  export_t export = {.stream = NULL};
  const analysis_settings_t usual = {0};
  bool done = analysis_open(&export.analysis, trace, &usual, watch, &export, error, size);
  if (done) {
    slices_sort(&export.slices);
    done = file_write(&export, output, error, size);
  }
  analysis_close(&export.analysis);
  slices_clear(&export.slices);
  return done;
}
