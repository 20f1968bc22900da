// SPDX-License-Identifier: Apache-2.0
// The first lines of LOCKS: which lock costs the time, who holds it and from where, what to do; and
// its last ones: what locks had of the critical path.
#include "analyzer/findings/contention.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/sites.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/text.h"

#include <stdlib.h>

enum { LINE = 600, THREADS_SHOWN = 6 };

static const char *site_of(const text_t *text, uint32_t stack, const char *unknown) {
  const char *site = names_site(text->analysis->names, stack);
  return *site ? site : unknown;
}

static const char *lock_of(const text_t *text, uint32_t lock) {
  return names_lock_unique(text->analysis->names, lock);
}

static const char *typical(const histogram_t *histogram, double quantile, quantity_t *out) {
  return quantity_time(histogram_quantile(histogram, quantile), out);
}

// ---- what to do --------------------------------------------------------------------------------

static void still_held_write(const text_t *text, const lock_t *lock, char *line) {
  const lock_holder_t *owner = lock->owner.thread ? &lock->owner : lock->readers;
  const thread_account_t *holder =
      threads_get(models_threads(text->analysis->models), owner->thread);
  uint64_t end = models_end_ns(text->analysis->models);
  snprintf(line, LINE,
           "%s still holds it, for %s by now, and %s %s: find out what it does there, and let it "
           "release the lock before",
           names_thread_label(text->analysis->names, owner->thread),
           quantity_time(end - owner->since_ns, QUANTITY), holder->ended ? "has" : "is",
           holder->ended ? "ended" : thread_state_text(holder->state));
}

static void advice_write(const text_t *text, const lock_t *lock, const contention_t *found,
                         const char *site, char *line) {
  switch (found->cause) {
  case CONTENTION_STILL_HELD:
    still_held_write(text, lock, line);
    return;
  case CONTENTION_BLOCKING:
    snprintf(line, LINE,
             "%s was %s while it held it (%s): do that before or after, or give the "
             "lock up meanwhile",
             site_of(text, found->block->hold_stack, "its holder"),
             thread_state_text(found->block->state),
             site_of(text, found->block->call_stack, "no stack is recorded for such a call"));
    return;
  case CONTENTION_ELSEWHERE:
    snprintf(line, LINE, "its holders wait for %s themselves, held by %s: that is the one to mend",
             lock_of(text, found->other), site_of(text, found->other_site, "a site not known"));
    return;
  case CONTENTION_WOKEN:
    snprintf(line, LINE,
             "who was woken by a signal found it still held: signal shortly before it is released, "
             "or after, and one thread instead of all where one will do");
    return;
  case CONTENTION_CONVOY:
    snprintf(line, LINE,
             "it is held briefly, but its queue did not drain for %s hand-overs in a "
             "row (a convoy): take it less often (several things at a time), divide what it "
             "protects, or spin before sleeping",
             quantity_count(lock->convoys.longest, QUANTITY));
    return;
  case CONTENTION_LONG_HOLDS:
    snprintf(line, LINE, "shorten what %s does while it holds it: half of the holds take over %s",
             site, typical(&lock->hold_ns, 0.5, QUANTITY));
    return;
  case CONTENTION_SOME_HOLDS:
    snprintf(line, LINE,
             "most holds are short (median %s), but one in a hundred takes over %s: "
             "look for what %s does then",
             typical(&lock->hold_ns, 0.5, QUANTITY), typical(&lock->hold_ns, 0.99, QUANTITY), site);
    return;
  case CONTENTION_OFTEN:
    snprintf(line, LINE,
             "it is held briefly, but taken often: take it less often (several things "
             "at a time), or divide what it protects");
    return;
  case CONTENTION_NONE:
    *line = 0;
    return;
  }
}

// What of the critical path was inside the lock, "" where nothing was.
static const char *path_note(const text_t *text, uint32_t lock, char *note, size_t size) {
  const critical_path_t *path = models_critical_path(text->analysis->models);
  const path_row_t *row = critical_path_row(path, PATH_LOCK, lock);
  *note = 0;
  if (row && row->ns)
    snprintf(note, size, "; %s of the critical path is inside it",
             quantity_share(row->ns, critical_path_summary(path)->total_ns, QUANTITY));
  return note;
}

// A thousandth of the run, or what --fail-on calls contention.
static uint64_t worth_telling(const text_t *text) {
  uint64_t least = models_end_ns(text->analysis->models) / 1000;
  return text->analysis->found >> FAIL_ON_CONTENTION & 1 || !least ? 1 : least;
}

static void holders_write(const blamed_site_t *most, char *line) {
  if (most->name) {
    snprintf(line, LINE, "%s held it for %s of that", most->name,
             quantity_share(most->ns, most->total_ns, QUANTITY));
    return;
  }
  *line = 0;
  FILE *stream = fmemopen(line, LINE, "w");
  if (!stream) return;
  sites_unnamed_write(stream, most);
  fclose(stream);
}

void text_contention(const text_t *text, const lock_t *lock) {
  if (!lock_is_contention(lock) || lock->blamed_ns < worth_telling(text)) return;
  contention_t found = contention_judge(lock, models_end_ns(text->analysis->models));
  char line[LINE], note[120];
  snprintf(line, LINE, "%s costs most: threads waited %s because it was held%s",
           lock_of(text, lock->id), quantity_time(lock->blamed_ns, QUANTITY),
           path_note(text, lock->id, note, sizeof note));
  page_paragraph(text->page, "  ", line);
  blamed_site_t most = sites_blamed(text->analysis, lock);
  holders_write(&most, line);
  page_paragraph(text->page, "  who holds it: ", line);
  advice_write(text, lock, &found, most.name ? most.name : "its holders", line);
  if (*line) page_paragraph(text->page, "  what to do:   ", line);
  fputc('\n', text->page->stream);
}

// ---- held across what blocks; convoys ----------------------------------------------------------

void text_held_across(const text_t *text, const lock_t *lock) {
  enum { ROWS = 3 };
  if (lock->blocks.count) fputs("    held while its holder was\n", text->page->stream);
  for (uint32_t i = 0; i < lock->blocks.count && i < ROWS; i++) {
    const lock_block_t *block = &lock->blocks.items[i];
    fprintf(text->page->stream, "      %8s  %s, %s time%s, longest %s",
            quantity_time(block->total_ns, QUANTITY), thread_state_text(block->state),
            quantity_count(block->count, QUANTITY), quantity_plural(block->count),
            quantity_time(block->max_ns, QUANTITY));
    const char *call = names_site(text->analysis->names, block->call_stack);
    if (*call) fprintf(text->page->stream, ", in %s", call);
    fprintf(text->page->stream, "; taken by %s; others waited %s meanwhile\n",
            site_of(text, block->hold_stack, "a site not known"),
            block->waits ? quantity_time(block->waited_ns, QUANTITY) : "not");
  }
  const lock_convoys_t *convoys = &lock->convoys;
  if (convoys->count)
    fprintf(
        text->page->stream,
        "    convoy%s: %s, the longest of %s hand-overs in %s with two or more always waiting\n",
        quantity_plural(convoys->count), quantity_count(convoys->count, QUANTITY),
        quantity_count(convoys->longest, QUANTITY),
        quantity_time(convoys->longest_until - convoys->longest_from, QUANTITY));
}

// ---- call sites --------------------------------------------------------------------------------

static void spread_put(table_t *table, const histogram_t *histogram) {
  table_put(table, histogram->count ? typical(histogram, 0.5, QUANTITY) : "-");
  table_put(table, histogram->count ? typical(histogram, 0.99, QUANTITY) : "-");
  table_put(table, histogram->count ? quantity_time(histogram->max, QUANTITY) : "-");
}

void text_lock_sites(const text_t *text, const lock_t *lock) {
  static const table_column_t columns[] = {
      {"  taken in", true, true}, {"times", false, false}, {"contended", false, false, true},
      {"wait p50", false, false}, {"p99", false, false},   {"max", false, false},
      {"hold p50", false, false}, {"p99", false, false},   {"max", false, false}};
  if (lock->sites.count < 2) return;
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, lock->sites.count); i++) {
    const lock_site_t *site = &lock->sites.items[i];
    char name[200];
    snprintf(name, sizeof name, "  %s", site_of(text, site->stack, "(no stack)"));
    table_put(&table, name);
    table_put(&table, quantity_count(site->acquisitions, QUANTITY));
    table_put(&table, quantity_count(site->contended, QUANTITY));
    spread_put(&table, &site->wait_ns);
    spread_put(&table, &site->hold_ns);
  }
  table_print(&table, text->page);
  table_close(&table);
}

// ---- the critical path -------------------------------------------------------------------------

static void path_parts(const text_t *text, const path_summary_t *summary) {
  FILE *stream = text->page->stream;
  uint32_t count;
  const path_row_t *rows = critical_path_rows(models_critical_path(text->analysis->models), &count);
  uint64_t woken = 0;
  fprintf(stream, "    %s running",
          quantity_share(summary->running_ns, summary->total_ns, QUANTITY));
  for (uint32_t i = 0; i < count; i++) {
    if (rows[i].kind == PATH_WAKE) woken += rows[i].ns;
    if (rows[i].kind == PATH_WAIT && rows[i].ns * 100 >= summary->total_ns)
      fprintf(stream, ", %s %s", quantity_share(rows[i].ns, summary->total_ns, QUANTITY),
              thread_state_text((thread_state_t)rows[i].id));
  }
  if (woken)
    fprintf(stream, ", %s from %s wake-up%s to going on",
            quantity_share(woken, summary->total_ns, QUANTITY),
            quantity_count(summary->wakeups, QUANTITY), quantity_plural(summary->wakeups));
  fputc('\n', stream);
}

static void path_threads(const text_t *text, const path_summary_t *summary) {
  FILE *stream = text->page->stream;
  uint32_t count, shown = 0;
  const path_row_t *rows = critical_path_rows(models_critical_path(text->analysis->models), &count);
  fputs("    in ", stream);
  for (uint32_t i = 0; i < count && rows[i].kind == PATH_THREAD; i++)
    if (shown++ < THREADS_SHOWN)
      fprintf(stream, "%s%s %s", shown > 1 ? ", " : "",
              names_thread_label(text->analysis->names, rows[i].id),
              quantity_share(rows[i].ns, summary->total_ns, QUANTITY));
  if (shown > THREADS_SHOWN) fprintf(stream, " and %u more", shown - THREADS_SHOWN);
  fputc('\n', stream);
}

static void path_lock(const text_t *text, table_t *table, const path_row_t *row) {
  const critical_path_t *path = models_critical_path(text->analysis->models);
  const path_row_t *wakes = critical_path_row(path, PATH_WAKE_LOCK, row->id);
  table_put(table, names_lock(text->analysis->names, row->id));
  table_put(table, quantity_time(row->ns, QUANTITY));
  table_put(table, quantity_share(row->ns, critical_path_summary(path)->total_ns, QUANTITY));
  table_put(table, quantity_count(row->count, QUANTITY));
  table_put(table, quantity_count(wakes ? wakes->count : 0, QUANTITY));
  table_put(table, quantity_time(wakes ? wakes->ns : 0, QUANTITY));
}

static void path_locks(const text_t *text) {
  static const table_column_t columns[] = {
      {"lock", true, true},    {"held on it", false, false},  {"share", false, false},
      {"holds", false, false}, {"handed over", false, false}, {"which took", false, false}};
  uint32_t count;
  size_t locks = 0;
  const path_row_t *rows = critical_path_rows(models_critical_path(text->analysis->models), &count);
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (uint32_t i = 0; i < count; i++)
    if (rows[i].kind == PATH_LOCK && locks++ < text_rows(text, count))
      path_lock(text, &table, &rows[i]);
  if (locks) table_print(&table, text->page);
  table_close(&table);
  text_more(text, locks);
}

void text_critical_path(const text_t *text) {
  const path_summary_t *summary =
      critical_path_summary(models_critical_path(text->analysis->models));
  if (!summary->total_ns || !summary->wakeups) return;
  fprintf(text->page->stream,
          "\n  Critical path: the work and waits, %s together, that the end of %s waited for\n",
          quantity_time(summary->total_ns, QUANTITY),
          names_thread_label(text->analysis->names, summary->last_thread));
  path_parts(text, summary);
  path_threads(text, summary);
  path_locks(text);
}
