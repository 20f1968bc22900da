// SPDX-License-Identifier: Apache-2.0
// The sentence of each lint.
#include "analyzer/reports/lint_warnings.h"

#include "analyzer/findings/lints.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"

#include <stdio.h>
#include <stdlib.h>

// Said of one, before its figure, and after it.
static const struct {
  const char *before, *after, *of;
} phrases[LINT_COUNT] = {
    [LINT_LOOP_HOG] = {"kept its loop busy for", "in one turn", "such tasks"},
    [LINT_BLOCKING_IN_LOOP] = {"waited up to", "inside a turn", "such calls"},
    [LINT_BUSY_POLL] = {"asked not to wait and found nothing", "", "times"},
    [LINT_SELF_WAKE] = {"was woken by its own loop", "", "times"},
    [LINT_LOST_WAKEUP] = {"has been waiting for",
                          "for a condition that was signalled only before it began to", ""},
    [LINT_NEVER_POLLED] = {"was never ready in", "", "such tasks"},
    [LINT_STARVED_TASK] = {"was ready and waited", "for the tasks before it in its batch",
                           "such tasks"},
    [LINT_STUCK_TASK] = {"has not come back for", "", "such tasks"},
    [LINT_DESCRIPTOR_LEAK] = {"is still open", "after its peer closed it", "such descriptors"},
    [LINT_THREAD_LEAK] = {"and others ended and were neither joined nor detached", "", "threads"},
    [LINT_OVERSUBSCRIBED] = {"", "", ""},  // oversubscribed_print
    [LINT_SATURATED_LOOP] = {"got as many events as it asked for", "", "times"},
    [LINT_LOCK_IN_LOOP] = {"waited up to", "for a lock inside a turn", "such waits"},
};

static void subject_print(FILE *stream, const analysis_t *analysis, const lint_t *lint) {
  const task_t *task = lint->task ? tasks_by_id(models_tasks(analysis->models), lint->task) : NULL;
  if (lint->loop) fprintf(stream, "loop %u", lint->loop);
  if (task) fprintf(stream, ", %s", names_descriptor(analysis->names, task));
  if (lint->thread) fprintf(stream, "%s", names_thread_label(analysis->names, lint->thread));
}

static void figure_print(FILE *stream, const lint_t *lint) {
  const char *after = phrases[lint->kind].after, *of = phrases[lint->kind].of;
  if (lint->duration_ns) fprintf(stream, " %s", quantity_time(lint->duration_ns, QUANTITY));
  if (*after) fprintf(stream, " %s", after);
  if (lint->of)
    fprintf(stream, " %s of %s %s", quantity_count(lint->count, QUANTITY),
            quantity_count(lint->of, QUANTITY), of);
  else if (lint->count > 1)
    fprintf(stream, " (%s %s)", quantity_count(lint->count, QUANTITY), of);
}

static void oversubscribed_print(FILE *stream, const lint_t *lint) {
  fprintf(stream, "%s busy thread%s of loops on %s processor%s",
          quantity_count(lint->count, QUANTITY), quantity_plural(lint->count),
          quantity_count(lint->of, QUANTITY), quantity_plural(lint->of));
  if (lint->duration_ns)
    fprintf(stream, ": ready to run, but not running, for %s in all",
            quantity_time(lint->duration_ns, QUANTITY));
}

static const char *confidence_of(const lint_t *lint) {
  return lint->starved ? "medium" : lint_confidence_name(lint->kind);
}

static char *sentence_of(const analysis_t *analysis, const lint_t *lint) {
  char *text = NULL;
  size_t length;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) return NULL;
  if (lint->kind == LINT_OVERSUBSCRIBED) {
    oversubscribed_print(stream, lint);
  } else {
    subject_print(stream, analysis, lint);
    fprintf(stream, " %s", phrases[lint->kind].before);
    figure_print(stream, lint);
  }
  if (lint->call) fprintf(stream, ", in %s", trace_event_kinds[lint->call].name);
  if (lint->stack) fprintf(stream, " at %s", names_site(analysis->names, lint->stack));
  if (lint->starved) fputs(", but its thread often waited for a processor", stream);
  fprintf(stream, "; confidence: %s", confidence_of(lint));
  fclose(stream);
  return text;
}

void lint_warnings_add(const analysis_t *analysis, const analysis_settings_t *settings) {
  lints_t lints = lints_find(analysis->models, &settings->lints);
  for (uint32_t i = 0; i < lints.count; i++) {
    const lint_t *lint = &lints.items[i];
    bool warns =
        (lint_is_warning(lint->kind) && !lint->starved) || settings->lints_warned >> lint->kind & 1;
    warning_lint_t grade = {confidence_of(lint),
                            lints_threshold(analysis->models, &settings->lints, lint->kind),
                            lint_row(lint->kind)->unit == LINT_TIME};
    char *text = sentence_of(analysis, lint);
    if (text)
      warnings_add(analysis->warnings, warns ? WARNING_SEVERITY_WARNING : WARNING_SEVERITY_INFO,
                   lint_name(lint->kind), &grade, "%s", text);
    free(text);
  }
  lints_free(&lints);
}
