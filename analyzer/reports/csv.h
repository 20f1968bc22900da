// SPDX-License-Identifier: Apache-2.0
// One CSV file after RFC 4180: CRLF, fields with commas, quotes or line ends in double quotes.
#ifndef ANALYZER_REPORTS_CSV_H
#define ANALYZER_REPORTS_CSV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// Errors are kept until csv_close: a writer need not look at each field.
typedef struct {
  FILE *stream;
  char *path;  // owned
  bool begun;  // the current row has a field
  int error;   // errno of the first failure, 0: none
} csv_t;

// Makes FOLDER/NAME (replacing one that exists) and writes the header, names separated by commas.
// False, with csv->error set, where it cannot be made; csv_close is due in either case.
bool csv_open(csv_t *csv, const char *folder, const char *name, const char *header);
// A field. NULL is an empty one.
void csv_text(csv_t *csv, const char *text);
void csv_number(csv_t *csv, uint64_t number);
// ns as milliseconds with three decimals (us).
void csv_milliseconds(csv_t *csv, uint64_t ns);
void csv_row_end(csv_t *csv);
// Flushes and closes. 0, or the errno of the first thing that went wrong; csv->path is valid until
// csv_free.
int csv_close(csv_t *csv);
void csv_free(csv_t *csv);

#endif
