// SPDX-License-Identifier: Apache-2.0
// Functions of the C library that allocate for their caller, ten times each, and give it back.
#include "program.h"

#include <dirent.h>

enum { TIMES = 10 };

static NOINLINE void call_strdup(void) {
  for (int i = 0; i < TIMES; i++) free(strdup("a text"));
}

static NOINLINE void call_asprintf(void) {
  char *text;
  for (int i = 0; i < TIMES; i++) {
    REQUIRE(asprintf(&text, "%d of %d", i, TIMES) > 0);
    free(text);
  }
}

static NOINLINE void call_getline(void) {
  static char lines[] = "one\ntwo\nthree\n";
  FILE *file = fmemopen(lines, sizeof lines - 1, "r");
  char *line = NULL;
  size_t size = 0;
  int count = 0;
  while (getline(&line, &size, file) > 0) count++;
  REQUIRE(count == 3);
  free(line);
  fclose(file);
}

static NOINLINE void call_scandir(void) {
  struct dirent **entries;
  int count = scandir("/", &entries, NULL, alphasort);
  REQUIRE(count > 2);
  for (int i = 0; i < count; i++) free(entries[i]);
  free(entries);
}

static NOINLINE void call_memstream(void) {
  char *text;
  size_t size;
  FILE *file = open_memstream(&text, &size);
  REQUIRE(file);
  for (int i = 0; i < 1000; i++) fprintf(file, "%d ", i);
  fclose(file);
  free(text);
}

int main(void) {
  call_strdup();
  call_asprintf();
  call_getline();
  call_scandir();
  call_memstream();
  printf("{\"times\": %d}\n", TIMES);
  return 0;
}
