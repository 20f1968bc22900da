// SPDX-License-Identifier: Apache-2.0
// DEADLOCKS: each finding with its knot first, then the evidence.
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/text.h"
#include "analyzer/reports/verdict.h"

#include <stdlib.h>
#include <string.h>

enum {
  LEGS_SHOWN = 8,
  BYSTANDERS_SHOWN = 5,
  SCHEDULE_COLUMN = 28,
  SCHEDULE_COLUMN_MAX = 60,
  SCHEDULE_LEGS = 8
};

static const char *mode_note(const text_t *text, uint32_t lock, lock_mode_t mode) {
  const lock_t *found = locks_get(models_locks(text->analysis->models), lock);
  bool rwlock = found && (found->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK;
  return !rwlock ? "" : mode == LOCK_MODE_SHARED ? " for reading" : " for writing";
}

static void wanted_print(const text_t *text, const deadlock_leg_t *leg, const char *verb) {
  names_t *names = text->analysis->names;
  FILE *stream = text->page->stream;
  if (leg->wants)
    fprintf(stream, "%s %s%s", verb, names_lock_unique(names, leg->wants),
            mode_note(text, leg->wants, leg->wants_mode));
  else if (leg->wants_thread)
    fprintf(stream, "%s the end of %s", verb, names_thread_label(names, leg->wants_thread));
}

// "worker (12) waits for lock_b, held by other (13), for 9.2 s since 0.3 s"
static void actual_leg(const text_t *text, const deadlock_t *deadlock, uint32_t i) {
  const deadlock_leg_t *leg = &deadlock->legs[i];
  const deadlock_leg_t *next = &deadlock->legs[(i + 1) % deadlock->leg_count];
  names_t *names = text->analysis->names;
  FILE *stream = text->page->stream;
  fprintf(stream, "     %s ", names_thread_label(names, leg->thread));
  if (deadlock->kind == DEADLOCK_KIND_POOL && leg->condition)
    fprintf(stream, "waits for %s", names_address(names, "condition", leg->condition));
  else if (deadlock->kind == DEADLOCK_KIND_POOL)
    fputs(
        thread_state_text(threads_get(models_threads(text->analysis->models), leg->thread)->state),
        stream);
  else if (deadlock->arrived)
    fprintf(stream, "%s %s", deadlock->kind == DEADLOCK_KIND_BARRIER ? "waits at" : "waits for",
            names_address(names, deadlock->kind == DEADLOCK_KIND_BARRIER ? "barrier" : "condition",
                          deadlock->condition));
  wanted_print(text, leg, "waits for");
  if (deadlock->kind == DEADLOCK_KIND_ORPHAN) {
    fputs(", which ", stream);
    verdict_former_holder(stream, text->analysis, deadlock);
  } else if (leg->wants)
    fprintf(stream, ", held by %s",
            next->thread == leg->thread ? "itself" : names_thread_label(names, next->thread));
  uint64_t end = deadlock->over_ns ? deadlock->over_ns : models_end_ns(text->analysis->models);
  fprintf(stream, ", for %s (since %s)\n",
          quantity_time(end > leg->first_ns ? end - leg->first_ns : 0, QUANTITY),
          quantity_time(leg->first_ns, QUANTITY));
}

static bool is_hazard_of_wait(const deadlock_t *deadlock) {
  return deadlock->reason == DEADLOCK_REASON_WAITS_HOLDING;
}

// "on queue_filled (with queue_lock)"
static void wait_print(const text_t *text, const deadlock_t *deadlock) {
  names_t *names = text->analysis->names;
  fprintf(text->page->stream, "on %s (with %s)",
          names_address(names, "condition", deadlock->condition),
          names_lock_unique(names, deadlock->legs[0].wants));
}

// "main (11) destroyed pool_lock while worker (12) held it, at 0.3 s", and since when it did.
static void misuse_print(const text_t *text, const deadlock_t *deadlock) {
  FILE *stream = text->page->stream;
  const deadlock_leg_t *by = &deadlock->legs[0], *user = &deadlock->legs[deadlock->leg_count - 1];
  fputs("     ", stream);
  verdict_misuse(stream, text->analysis, deadlock);
  fprintf(stream, ", at %s", quantity_time(by->first_ns, QUANTITY));
  if (by->count > 1)
    fprintf(stream, ", %s times, last at %s", quantity_count(by->count, QUANTITY),
            quantity_time(by->last_ns, QUANTITY));
  fputc('\n', stream);
  if (user != by && user->first_ns < by->first_ns)
    fprintf(stream, "     it had %s since %s\n", user->wants ? "been waited for" : "been held",
            quantity_time(user->first_ns, QUANTITY));
}

static const char *wants_verb(const deadlock_t *deadlock, const deadlock_leg_t *leg) {
  if (deadlock->verdict == DEADLOCK_ACTUAL) return "waits for";
  if (deadlock->kind == DEADLOCK_KIND_LIVELOCK) return "then tried";
  if (deadlock->kind != DEADLOCK_KIND_DESTROYED) return "then asked for";
  if (leg != deadlock->legs) return "waited for";
  return deadlock->reason == DEADLOCK_REASON_DESTRUCTION_REFUSED ? "tried to destroy"
         : deadlock->reason == DEADLOCK_REASON_FREED_HELD ||
                 deadlock->reason == DEADLOCK_REASON_FREED_WAITED
             ? "gave back the memory of"
             : "destroyed";
}

static void tries_print(const text_t *text, const deadlock_leg_t *leg) {
  uint64_t lasted = leg->last_ns > leg->first_ns ? leg->last_ns - leg->first_ns : 0;
  fprintf(text->page->stream, ", %s times in vain, every %s from %s to %s\n",
          quantity_count(leg->count, QUANTITY),
          quantity_time(leg->count ? lasted / leg->count : 0, QUANTITY),
          quantity_time(leg->first_ns, QUANTITY), quantity_time(leg->last_ns, QUANTITY));
}

static void possible_leg(const text_t *text, const deadlock_t *deadlock,
                         const deadlock_leg_t *leg) {
  FILE *stream = text->page->stream;
  fprintf(stream, "     %s", names_thread_label(text->analysis->names, leg->thread));
  if (leg->thread_count > 1) fprintf(stream, " and %u more", leg->thread_count - 1);
  if (leg->holds)
    fprintf(stream, " held %s%s and", names_lock_unique(text->analysis->names, leg->holds),
            mode_note(text, leg->holds, leg->holds_mode));
  fputc(' ', stream);
  if (is_hazard_of_wait(deadlock)) {
    fputs("waited ", stream);
    wait_print(text, deadlock);
  } else {
    wanted_print(text, leg, deadlock->kind == DEADLOCK_KIND_LIVELOCK ? "tried" : "asked for");
  }
  if (deadlock->kind == DEADLOCK_KIND_LIVELOCK) {
    tries_print(text, leg);
    return;
  }
  fprintf(stream, ", %s time%s", quantity_count(leg->count, QUANTITY), quantity_plural(leg->count));
  if (leg->count > 1)
    fprintf(stream, ", first at %s, last at %s\n", quantity_time(leg->first_ns, QUANTITY),
            quantity_time(leg->last_ns, QUANTITY));
  else
    fprintf(stream, ", at %s\n", quantity_time(leg->first_ns, QUANTITY));
}

static void bystanders_print(const text_t *text, const deadlock_t *deadlock) {
  FILE *stream = text->page->stream;
  names_t *names = text->analysis->names;
  uint64_t end = models_end_ns(text->analysis->models);
  for (uint32_t i = 0; i < deadlock->bystander_count && i < BYSTANDERS_SHOWN; i++) {
    const deadlock_bystander_t *stuck = &deadlock->bystanders[i];
    bool joins = !stuck->wants && !stuck->condition;
    fprintf(stream, "     stuck behind it: %s, waiting for %s%s, for %s\n",
            names_thread_label(names, stuck->thread), joins ? "the end of " : "",
            stuck->wants ? names_lock_unique(names, stuck->wants)
            : joins      ? names_thread_label(names, stuck->wants_thread)
                         : names_address(names, "condition", stuck->condition),
            quantity_time(end > stuck->since_ns ? end - stuck->since_ns : 0, QUANTITY));
  }
  if (deadlock->bystander_count > BYSTANDERS_SHOWN)
    fprintf(stream, "     and %u more threads are stuck behind it\n",
            deadlock->bystander_count - BYSTANDERS_SHOWN);
}

static void creation_print(const text_t *text, uint32_t index) {
  const reader_thread_t *thread = reader_thread(text->analysis->reader, index);
  const char *site = thread ? names_site(text->analysis->names, thread->create_stack) : "";
  if (*site)
    fprintf(text->page->stream, ", created by %s in %s",
            names_thread_label(text->analysis->names, thread->creator), site);
}

static void leg_stacks(const text_t *text, const deadlock_t *deadlock, const deadlock_leg_t *leg) {
  FILE *stream = text->page->stream;
  names_t *names = text->analysis->names;
  bool self = deadlock->leg_count == 1 && leg->holds == leg->wants;
  fprintf(stream, "\n     thread %s", names_thread_label(names, leg->thread));
  creation_print(text, leg->thread);
  fputc('\n', stream);
  if (leg->holds) {
    fprintf(stream, "       took %s%s at\n", names_lock_unique(names, leg->holds),
            mode_note(text, leg->holds, leg->holds_mode));
    text_stack(text, "         ", leg->holds_stack, TEXT_FRAMES);
  }
  fprintf(stream, "       ");
  if (is_hazard_of_wait(deadlock)) {
    fputs("then waited ", stream);
    wait_print(text, deadlock);
    fputs(" at\n", stream);
  } else if (leg->wants)
    fprintf(stream, "%s %s%s%s at\n", wants_verb(deadlock, leg),
            names_lock_unique(names, leg->wants), mode_note(text, leg->wants, leg->wants_mode),
            self         ? " again"
            : leg->timed ? " (with a time limit)"
                         : "");
  else if (leg->wants_thread)
    fprintf(stream, "joins %s at\n", names_thread_label(names, leg->wants_thread));
  else if (deadlock->kind == DEADLOCK_KIND_DESTROYED)
    fprintf(stream, "and held it until then\n");
  else
    fprintf(stream, "waits at\n");
  if (deadlock->kind != DEADLOCK_KIND_DESTROYED || leg->wants_stack)
    text_stack(text, "         ", leg->wants_stack, TEXT_FRAMES);
  else if (leg->wants)
    fprintf(stream, "         (no stack is taken there)\n");
  for (uint32_t i = 0; i < leg->also_held; i++)
    fprintf(stream, "       it also held %s\n", names_lock_unique(names, leg->also_holds[i]));
}

// Of those that wait for no lock, and hold none.
static bool is_same_wait(const deadlock_leg_t *leg, const deadlock_leg_t *before) {
  return leg->wants_stack == before->wants_stack && !leg->wants && !leg->wants_thread &&
         !leg->holds && !leg->also_held && !before->also_held;
}

// What the first of two columns needs for the leg's lines.
static int schedule_width(const text_t *text, const deadlock_leg_t *leg) {
  names_t *names = text->analysis->names;
  size_t lines[] = {page_columns(names_thread_label(names, leg->thread)),
                    page_columns(names_lock_unique(names, leg->holds)) + strlen("takes "),
                    page_columns(names_lock_unique(names, leg->wants)) +
                        strlen("asks for : waits")};
  size_t width = SCHEDULE_COLUMN;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (lines[i] > width) width = lines[i];
  return (int)(width < SCHEDULE_COLUMN_MAX ? width : SCHEDULE_COLUMN_MAX);
}

// The run that hangs, a column for each thread; where there are many, a line names its thread.
static void schedule_print(const text_t *text, const deadlock_t *deadlock) {
  FILE *stream = text->page->stream;
  names_t *names = text->analysis->names;
  bool columns = deadlock->leg_count == 2;
  if (!deadlock->schedule || deadlock->leg_count > SCHEDULE_LEGS) return;
  fprintf(stream, "\n     so %s:\n",
          deadlock->verdict == DEADLOCK_FEASIBLE ? "it hangs"
                                                 : "they wait until a time limit ends it");
  uint32_t first = deadlock->schedule[0].leg;
  int width = columns ? schedule_width(text, &deadlock->legs[first]) : 0;
  if (columns)
    fprintf(stream, "       %-*s  %s\n", width,
            names_thread_label(names, deadlock->legs[first].thread),
            names_thread_label(names, deadlock->legs[1 - first].thread));
  for (uint32_t i = 0; i < deadlock->leg_count * 2; i++) {
    const deadlock_step_t *step = &deadlock->schedule[i];
    const deadlock_leg_t *leg = &deadlock->legs[step->leg];
    if (columns)
      fprintf(stream, "       %*s", step->leg == first ? 0 : width + 2, "");
    else
      fprintf(stream, "       %s ", names_thread_label(names, leg->thread));
    fprintf(stream, "%s %s%s\n", step->asks ? "asks for" : "takes",
            names_lock_unique(names, step->asks ? leg->wants : leg->holds),
            step->asks ? ": waits" : "");
  }
}

static void lock_origin(const text_t *text, uint32_t id) {
  FILE *stream = text->page->stream;
  names_t *names = text->analysis->names;
  const lock_t *lock = id ? locks_get(models_locks(text->analysis->models), id) : NULL;
  if (!lock) return;
  fprintf(stream, "     %s: %s at 0x%llx, ", names_lock_unique(names, id),
          lock_kind_name(lock->bits), (unsigned long long)lock->address);
  if (lock->init_stack && *names_site(names, lock->init_stack))
    fprintf(stream, "initialised in %s", names_site(names, lock->init_stack));
  else if (lock->block.size && *names_site(names, lock->block.stack))
    fprintf(stream, "in a block allocated in %s", names_site(names, lock->block.stack));
  else if (*names_site(names, lock->first_stack))
    fprintf(stream, "initialised statically, first used in %s",
            names_site(names, lock->first_stack));
  else
    fprintf(stream, "its creation was not seen");
  fputc('\n', stream);
}

static void doubts_print(const text_t *text, const deadlock_t *deadlock) {
  char line[1024] = "";
  size_t end = 0;
  for (int doubt = 0; doubt < DEADLOCK_DOUBT_COUNT && end < sizeof line; doubt++)
    if (deadlock->why_not_ruled_out >> doubt & 1)
      end += (size_t)snprintf(line + end, sizeof line - end, "%s%s", end ? "; " : "",
                              deadlock_doubt_text((deadlock_doubt_t)doubt));
  if (end)
    page_paragraph(
        text->page,
        deadlock->verdict == DEADLOCK_ACTUAL ? "     evidence: " : "     not ruled out: ", line);
  if (deadlock->gate)
    fprintf(text->page->stream, "     ruled out by: %s\n",
            names_lock_unique(text->analysis->names, deadlock->gate));
}

// What would make a false alarm of it, and cannot be seen.
static void between_print(const text_t *text, const deadlock_t *deadlock) {
  names_t *names = text->analysis->names;
  const lock_t *lock = locks_get(models_locks(text->analysis->models), deadlock->between);
  if (!lock) return;
  const char *name = names_lock_unique(names, deadlock->between);
  const char *then = names_thread_label(names, deadlock->legs[deadlock->between_then].thread);
  const char *first = names_thread_label(names, deadlock->legs[deadlock->between_first].thread);
  char *line = NULL;
  size_t length;
  FILE *stream = open_memstream(&line, &length);
  if (!stream) return;
  fprintf(stream,
          "a flag under %s makes %s wait until %s is done: %s held %s after its part, and "
          "%s before its own; what a flag says is not recorded",
          name, then, first, first, name, then);
  fclose(stream);
  page_paragraph(text->page, "     cannot happen if: ", line);
  free(line);
}

static void advice_print(const text_t *text, const deadlock_t *deadlock) {
  char *line = NULL;
  size_t length;
  FILE *stream = open_memstream(&line, &length);
  if (!stream) return;
  verdict_advice(stream, text->analysis, deadlock);
  fclose(stream);
  page_paragraph(text->page, "     to mend it: ", line);
  free(line);
}

static void signals_print(const text_t *text, const deadlock_t *deadlock) {
  char *line = NULL;
  size_t length;
  FILE *stream = open_memstream(&line, &length);
  if (!stream) return;
  verdict_signals(stream, text->analysis, deadlock);
  fclose(stream);
  page_paragraph(text->page, "     signals: ", line);
  free(line);
}

static void title_print(const text_t *text, const deadlock_t *deadlock) {
  static const struct {
    const char *text;
    page_style_t style;
  } titles[] = {[DEADLOCK_ACTUAL] = {"ACTUAL DEADLOCK", PAGE_BAD},
                [DEADLOCK_FEASIBLE] = {"FEASIBLE DEADLOCK", PAGE_DOUBTFUL},
                [DEADLOCK_POTENTIAL] = {"POTENTIAL DEADLOCK", PAGE_DOUBTFUL},
                [DEADLOCK_HAZARD] = {"HAZARD", PAGE_DOUBTFUL},
                [DEADLOCK_BENIGN] = {"BENIGN", PAGE_GOOD}};
  fprintf(text->page->stream, "  %u. ", deadlock->id);
  page_print(text->page, titles[deadlock->verdict].style, "%s", titles[deadlock->verdict].text);
  fprintf(text->page->stream, " (%s)  ", deadlock_kind_name(deadlock->kind));
  if (deadlock->kind == DEADLOCK_KIND_POOL)
    fprintf(text->page->stream, "%u of %u workers wait for jobs of their own pool",
            deadlock->arrived, deadlock->arrived);
  else
    verdict_cycle_short(text->page->stream, text->analysis, deadlock);
  if (deadlock->condition && deadlock->kind != DEADLOCK_KIND_POOL)
    fprintf(text->page->stream, ", waiting %s %s",
            deadlock->kind == DEADLOCK_KIND_BARRIER ? "at" : "on",
            names_address(text->analysis->names,
                          deadlock->kind == DEADLOCK_KIND_BARRIER ? "barrier" : "condition",
                          deadlock->condition));
  fputc('\n', text->page->stream);
}

// Of a long cycle a part tells how it goes.
static uint32_t legs_shown(const text_t *text, const deadlock_t *deadlock) {
  bool all = text->options->top == SIZE_MAX || deadlock->leg_count <= LEGS_SHOWN;
  return all ? deadlock->leg_count : LEGS_SHOWN;
}

static void origins_print(const text_t *text, const deadlock_t *deadlock, uint32_t legs) {
  if (deadlock->kind == DEADLOCK_KIND_DESTROYED) {
    lock_origin(text, deadlock->legs[0].wants);
    return;
  }
  for (uint32_t i = 0; i < legs; i++) {
    lock_origin(text, deadlock->legs[i].holds);
    if (deadlock->leg_count == 1 && deadlock->legs[i].wants != deadlock->legs[i].holds)
      lock_origin(text, deadlock->legs[i].wants);
  }
}

static void legs_print(const text_t *text, const deadlock_t *deadlock, uint32_t legs) {
  FILE *stream = text->page->stream;
  if (deadlock->kind == DEADLOCK_KIND_DESTROYED) {
    misuse_print(text, deadlock);
    return;
  }
  for (uint32_t i = 0; i < legs; i++)
    if (deadlock->verdict == DEADLOCK_ACTUAL || deadlock->arrived)
      actual_leg(text, deadlock, i);
    else
      possible_leg(text, deadlock, &deadlock->legs[i]);
  if (legs < deadlock->leg_count)
    fprintf(stream,
            "     and %u more threads, each of which wants what the next one holds "
            "(--top 0 for all)\n",
            deadlock->leg_count - legs);
}

static void deadlock_print(const text_t *text, const deadlock_t *deadlock) {
  FILE *stream = text->page->stream;
  title_print(text, deadlock);
  uint32_t legs = legs_shown(text, deadlock);
  legs_print(text, deadlock, legs);
  bystanders_print(text, deadlock);
  fprintf(stream, "     why: %s\n", deadlock_reason_text(deadlock->reason));
  if (deadlock->reason == DEADLOCK_REASON_NOBODY_SIGNALS) signals_print(text, deadlock);
  if (deadlock->signalled)
    fprintf(stream, "     but: %s of %s such waits ended, for who signalled did not need %s then\n",
            quantity_count(deadlock->signalled, QUANTITY),
            quantity_count(deadlock->legs[0].count, QUANTITY),
            names_lock_unique(text->analysis->names, deadlock->legs[0].holds));
  doubts_print(text, deadlock);
  between_print(text, deadlock);
  if (deadlock->verdict != DEADLOCK_BENIGN) advice_print(text, deadlock);
  for (uint32_t i = 0; i < legs; i++)
    if (i && is_same_wait(&deadlock->legs[i], &deadlock->legs[i - 1]))
      fprintf(stream, "     thread %s: the same\n",
              names_thread_label(text->analysis->names, deadlock->legs[i].thread));
    else
      leg_stacks(text, deadlock, &deadlock->legs[i]);
  schedule_print(text, deadlock);
  fputc('\n', stream);
  origins_print(text, deadlock, legs);
  if (deadlock->merged > 1 && deadlock->kind != DEADLOCK_KIND_DESTROYED)
    fprintf(stream, "     %s more %s%s of the same locks, or of their class, %s the same\n",
            quantity_count(deadlock->merged - 1, QUANTITY),
            is_hazard_of_wait(deadlock) ? "wait" : "cycle", quantity_plural(deadlock->merged - 1),
            deadlock->merged == 2 ? "is" : "are");
}

static void counts_write(const text_t *text, char *note, size_t size) {
  size_t end = 0;
  *note = '\0';
  for (int verdict = DEADLOCK_ACTUAL; verdict <= DEADLOCK_BENIGN; verdict++) {
    size_t count = deadlocks_count(text->analysis->deadlocks, (deadlock_verdict_t)verdict);
    if (verdict == DEADLOCK_BENIGN && !text->options->all) continue;
    if (!count || end >= size) continue;
    end += (size_t)snprintf(note + end, size - end, "%s%zu %s", end ? ", " : "", count,
                            deadlock_verdict_name((deadlock_verdict_t)verdict));
  }
}

// What threads cannot do is not worth a line; what they only did not do this time is.
static void counts_ruled_out(const text_t *text) {
  const deadlocks_t *deadlocks = text->analysis->deadlocks;
  FILE *stream = text->page->stream;
  if (deadlocks->handed_over && !text->options->all)
    fprintf(stream,
            "  %llu cycle%s kept apart by hand-overs of this run (condition, semaphore, "
            "descriptor):\n  perhaps an accident, --all shows %s\n",
            (unsigned long long)deadlocks->handed_over,
            deadlocks->handed_over == 1 ? " was" : "s were",
            deadlocks->handed_over == 1 ? "it" : "them");
  if (deadlocks->fresh && !text->options->all)
    fprintf(
        stream,
        "  %llu cycle%s of a lock that its thread had just allocated and that no other one knew "
        "yet:\n  --all shows %s\n",
        (unsigned long long)deadlocks->fresh, quantity_plural(deadlocks->fresh),
        deadlocks->fresh == 1 ? "it" : "them");
  if (deadlocks->suppressed)
    fprintf(stream, "  %llu finding%s suppressed\n", (unsigned long long)deadlocks->suppressed,
            deadlocks->suppressed == 1 ? " was" : "s were");
}

void text_deadlocks(const text_t *text) {
  const deadlocks_t *deadlocks = text->analysis->deadlocks;
  char note[160];
  counts_write(text, note, sizeof note);
  size_t benign = deadlocks_count(deadlocks, DEADLOCK_BENIGN);
  size_t wanted = deadlocks->count - (text->options->all ? 0 : benign);
  const char *absence = analysis_absence(text->analysis, TRACE_FAMILY_LOCK);
  if (!deadlocks->count && absence) snprintf(note, sizeof note, "locks: %s", absence);
  page_heading(text->page, "DEADLOCKS", *note ? note : "none");
  size_t seen = 0, shown = text_rows(text, wanted);
  for (size_t i = 0; i < deadlocks->count && seen < shown; i++) {
    const deadlock_t *deadlock = &deadlocks->items[i];
    if (deadlock->verdict == DEADLOCK_BENIGN && !text->options->all) continue;
    if (seen++) fputc('\n', text->page->stream);
    deadlock_print(text, deadlock);
  }
  text_more(text, wanted);
  counts_ruled_out(text);
  if (deadlocks->search_cut)
    fprintf(text->page->stream, "  the search was cut after %s cycles: there may be more\n",
            quantity_count(deadlocks->cycles_examined, QUANTITY));
}
