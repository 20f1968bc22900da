// SPDX-License-Identifier: Apache-2.0
// Writing CSV.
#include "analyzer/reports/csv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void error_note(csv_t *csv, bool failed) {
  if (failed && !csv->error) csv->error = errno ? errno : EIO;
}

bool csv_open(csv_t *csv, const char *folder, const char *name, const char *header) {
  *csv = (csv_t){0};
  if (asprintf(&csv->path, "%s/%s", folder, name) < 0) {
    csv->path = NULL;
    csv->error = ENOMEM;
    return false;
  }
  errno = 0;
  csv->stream = fopen(csv->path, "we");
  error_note(csv, !csv->stream);
  if (!csv->stream) return false;
  error_note(csv, fprintf(csv->stream, "%s\r\n", header) < 0);
  return true;
}

static void field_begin(csv_t *csv) {
  if (csv->begun) error_note(csv, fputc(',', csv->stream) == EOF);
  csv->begun = true;
}

void csv_text(csv_t *csv, const char *text) {
  field_begin(csv);
  if (!text) return;
  if (!strpbrk(text, ",\"\r\n")) {
    error_note(csv, fputs(text, csv->stream) == EOF);
    return;
  }
  fputc('"', csv->stream);
  for (; *text; text++) {
    if (*text == '"') fputc('"', csv->stream);
    fputc(*text, csv->stream);
  }
  error_note(csv, fputc('"', csv->stream) == EOF);
}

void csv_number(csv_t *csv, uint64_t number) {
  field_begin(csv);
  error_note(csv, fprintf(csv->stream, "%" PRIu64, number) < 0);
}

void csv_milliseconds(csv_t *csv, uint64_t ns) {
  field_begin(csv);
  uint64_t us = ns / 1000 + (ns % 1000 >= 500);
  error_note(csv, fprintf(csv->stream, "%" PRIu64 ".%03" PRIu64, us / 1000, us % 1000) < 0);
}

void csv_row_end(csv_t *csv) {
  error_note(csv, fputs("\r\n", csv->stream) == EOF);
  csv->begun = false;
}

int csv_close(csv_t *csv) {
  if (csv->stream) {
    errno = 0;
    error_note(csv, ferror(csv->stream) != 0);
    errno = 0;
    error_note(csv, fclose(csv->stream) != 0);
    csv->stream = NULL;
  }
  return csv->error;
}

void csv_free(csv_t *csv) {
  free(csv->path);
  csv->path = NULL;
}
