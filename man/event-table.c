// SPDX-License-Identifier: Apache-2.0
// event-table TEMPLATE: prints the page with the line @EVENTS@ replaced by the table of event kinds
// and @FIELDS@ by that of the field types, so that the page cannot say other than the code.
#include "formats/events.h"

#include <stdio.h>
#include <string.h>

static const char *const family_names[TRACE_FAMILY_COUNT] = {
    [TRACE_FAMILY_FACT] = "Facts",
    [TRACE_FAMILY_THREAD] = "Threads",
    [TRACE_FAMILY_LOCK] = "Locks and conditions",
    [TRACE_FAMILY_HEAP] = "Memory",
    [TRACE_FAMILY_DESCRIPTOR] = "Descriptors",
    [TRACE_FAMILY_PROCESS] = "The process",
};

// Punctuation at the end of a macro's line stands outside what the macro marks.
static void field_print(const trace_field_t *field, const char *mark, bool *any) {
  if (field->type == TRACE_FIELD_NONE) return;
  printf("%s\n%s.Va %s\n.Pq %s", *any ? " ," : "", mark, field->name,
         trace_field_type_name(field->type));
  *any = true;
}

static void event_print(int number, const trace_event_kind_t *kind) {
  printf(".It %d Cm %s\n", number, kind->name);
  printf("%s.\n.br\nFields:", kind->meaning);
  if (kind->has_stack) printf("\n.Va stack");
  bool any = kind->has_stack;
  field_print(&kind->arg, ".Em arg\n", &any);
  for (unsigned i = 0; i < TRACE_WORDS_MAX; i++) field_print(&kind->words[i], "", &any);
  printf(any ? "\n" : " none.\n");
}

static void events_print(void) {
  for (int family = 0; family < TRACE_FAMILY_COUNT; family++) {
    printf(".Ss %s\n.Bl -tag -width Ds\n", family_names[family]);
    for (int number = 1; number < TRACE_KIND_LIMIT; number++) {
      const trace_event_kind_t *kind = &trace_event_kinds[number];
      if (kind->name && (int)kind->family == family) event_print(number, kind);
    }
    printf(".El\n");
  }
}

static void fields_print(void) {
  static const trace_field_type_t types[] = {
#define FIELD(name, text) TRACE_FIELD_##name,
      TRACE_FIELD_TABLE(FIELD)
#undef FIELD
  };
  printf(".Bl -tag -width DESCRIPTOR -compact\n");
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if (types[i] != TRACE_FIELD_NONE)
      printf(".It %s\n%s.\n", trace_field_type_name(types[i]), trace_field_type_meaning(types[i]));
  printf(".El\n");
}

int main(int argc, char **argv) {
  FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
  if (!template) {
    fprintf(stderr, "event-table: TEMPLATE is missing or cannot be read\n");
    return 2;
  }
  char line[1024];
  while (fgets(line, sizeof(line), template)) {
    if (strcmp(line, "@EVENTS@\n") == 0)
      events_print();
    else if (strcmp(line, "@FIELDS@\n") == 0)
      fields_print();
    else
      fputs(line, stdout);
  }
  bool failed = ferror(template);
  fclose(template);
  return failed || fflush(stdout) != 0;
}
