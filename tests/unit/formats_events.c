// SPDX-License-Identifier: Apache-2.0
// The table of event kinds, and records as they stand in a ring.
#include "tests/unit/formats_random.h"

#include <check.h>
#include <string.h>

START_TEST(every_row_is_whole) {
  int rows = 0;
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    const trace_event_kind_t *row = &trace_event_kinds[kind];
    if (!row->name) continue;
    rows++;
    ck_assert_msg(row->name[0] && row->meaning[0], "kind %d", kind);
    ck_assert_msg(row->family < TRACE_FAMILY_COUNT, "%s", row->name);
    for (unsigned i = 0; i < TRACE_WORDS_MAX; i++) {
      bool named = row->words[i].name && row->words[i].name[0];
      bool expected = i < (row->has_payload ? 1U : row->word_count);
      ck_assert_msg(named == expected, "%s word %u", row->name, i);
      ck_assert_msg((row->words[i].type != TRACE_FIELD_NONE) == expected, "%s word %u", row->name,
                    i);
    }
    if (row->has_payload) ck_assert_str_eq(row->arg.name, "words");
  }
  ck_assert_int_gt(rows, 40);
}
END_TEST

START_TEST(rows_say_what_the_table_says) {
  const trace_event_kind_t *allocate = &trace_event_kinds[TRACE_ALLOCATE];
  ck_assert_str_eq(allocate->name, "allocate");
  ck_assert_int_eq(allocate->family, TRACE_FAMILY_HEAP);
  ck_assert(allocate->has_stack);
  ck_assert_int_eq(allocate->arg.type, TRACE_FIELD_SIZE);
  ck_assert_int_eq(allocate->word_count, 1);
  ck_assert_int_eq(allocate->words[0].type, TRACE_FIELD_ADDRESS);
  const trace_event_kind_t *epoll_ctl = &trace_event_kinds[TRACE_EPOLL_CTL];
  ck_assert_int_eq(epoll_ctl->word_count, 3);
  ck_assert_int_eq(epoll_ctl->words[1].type, TRACE_FIELD_TOKEN);
  ck_assert_int_eq(trace_event_kinds[TRACE_CLOSE].word_count, 0);
  ck_assert(!trace_event_kinds[TRACE_FREE].has_stack);
  ck_assert(trace_event_kinds[TRACE_EXEC].has_payload);
  ck_assert_int_eq(trace_event_kinds[TRACE_EXEC].word_count, 0);
}
END_TEST

START_TEST(a_name_finds_its_kind) {
  for (int kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    if (trace_event_kinds[kind].name)
      ck_assert_int_eq(trace_event_kind_by_name(trace_event_kinds[kind].name), kind);
  ck_assert_int_eq(trace_event_kind_by_name(""), 0);
  ck_assert_int_eq(trace_event_kind_by_name("allocat"), 0);
}
END_TEST

START_TEST(field_types_have_names) {
  ck_assert_str_eq(trace_field_type_name(TRACE_FIELD_NONE), "NONE");
  ck_assert_str_eq(trace_field_type_name(TRACE_FIELD_MODULE), "MODULE");
  ck_assert_str_eq(trace_field_type_meaning(TRACE_FIELD_SIZE), "bytes");
  ck_assert_str_eq(trace_field_type_name((trace_field_type_t)999), "?");
}
END_TEST

START_TEST(zigzag_and_back) {
  static const int64_t values[] = {0, -1, 1, -2, INT64_MAX, INT64_MIN};
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
    ck_assert_int_eq(trace_unzigzag(trace_zigzag(values[i])), values[i]);
  ck_assert_uint_eq(trace_zigzag(-1), 1);
  ck_assert_uint_eq(trace_zigzag(2), 4);
}
END_TEST

START_TEST(header_keeps_its_fields) {
  uint64_t header = trace_header(TRACE_EXIT, true, TRACE_STACK_LIMIT - 1, TRACE_ARG_LONG - 1);
  ck_assert_uint_eq(trace_header_kind(header), TRACE_EXIT);
  ck_assert(trace_header_timed(header));
  ck_assert_uint_eq(trace_header_stack(header), TRACE_STACK_LIMIT - 1);
  ck_assert_uint_eq(trace_header_arg(header), TRACE_ARG_LONG - 1);
}
END_TEST

START_TEST(a_record_comes_apart) {
  uint64_t words[] = {trace_header(TRACE_LOCK_FAIL, true, 77, 33), 0x7f0011223344, 55,
                      trace_zigzag(-16), 123456789};
  trace_record_t record;
  ck_assert_uint_eq(trace_record_parse(words, 5, &record), 5);
  ck_assert_uint_eq(record.kind, TRACE_LOCK_FAIL);
  ck_assert(record.timed);
  ck_assert_uint_eq(record.stack, 77);
  ck_assert_uint_eq(record.arg, 33);
  ck_assert_uint_eq(record.words[0], 0x7f0011223344);
  ck_assert_uint_eq(record.words[1], 55);
  ck_assert_int_eq(trace_unzigzag(record.words[2]), -16);
  ck_assert_uint_eq(record.stamp, 123456789);
  ck_assert_ptr_null(record.payload);
}
END_TEST

START_TEST(a_long_arg_has_a_word) {
  uint64_t words[] = {trace_header(TRACE_ALLOCATE, false, 0, TRACE_ARG_LONG), UINT64_C(1) << 40, 8};
  trace_record_t record;
  ck_assert_uint_eq(trace_record_parse(words, 3, &record), 3);
  ck_assert_uint_eq(record.arg, UINT64_C(1) << 40);
  ck_assert_uint_eq(record.words[0], 8);
  ck_assert_uint_eq(trace_record_parse(words, 1, &record), 0);
}
END_TEST

START_TEST(fields_that_a_kind_lacks_are_zero) {
  uint64_t words[] = {trace_header(TRACE_FREE, false, 9, 9), 8};
  trace_record_t record;
  ck_assert_uint_eq(trace_record_parse(words, 2, &record), 2);
  ck_assert_uint_eq(record.stack, 0);
  ck_assert_uint_eq(record.arg, 0);
  ck_assert_uint_eq(record.words[1], 0);
  ck_assert_uint_eq(record.stamp, 0);
}
END_TEST

START_TEST(padding_is_passed_over) {
  uint64_t words[4] = {trace_header(0, false, 0, 3)};
  trace_record_t record;
  ck_assert_uint_eq(trace_record_parse(words, 4, &record), 4);
  ck_assert_uint_eq(record.kind, 0);
  ck_assert_uint_eq(trace_record_parse(words, 3, &record), 0);
  words[0] = trace_header(0, false, 0, TRACE_ARG_LONG);
  ck_assert_uint_eq(trace_record_parse(words, 4, &record), 0);
  words[0] = trace_header(0, true, 0, 0);
  ck_assert_uint_eq(trace_record_parse(words, 4, &record), 0);
}
END_TEST

START_TEST(no_part_of_a_record_is_one) {
  formats_random_t random = 11;
  for (int round = 0; round < 2000; round++) {
    uint64_t words[64];
    unsigned kind = formats_random_kind(&random);
    size_t length = formats_random_record(&random, kind, words, 64);
    trace_record_t record;
    ck_assert_uint_eq(trace_record_parse(words, 64, &record), length);
    ck_assert_uint_eq(trace_record_parse(words, length, &record), length);
    ck_assert_uint_eq(record.kind, kind);
    for (size_t part = 0; part < length; part++)
      ck_assert_uint_eq(trace_record_parse(words, part, &record), 0);
  }
}
END_TEST

START_TEST(unknown_kinds_and_long_payloads_are_refused) {
  uint64_t words[TRACE_RECORD_MAX + 8] = {trace_header(127, false, 0, 0)};
  trace_record_t record;
  ck_assert_ptr_null(trace_event_kinds[127].name);
  ck_assert_uint_eq(trace_record_parse(words, 8, &record), 0);
  words[0] = trace_header(TRACE_STACK, false, 1, TRACE_PAYLOAD_MAX);
  ck_assert_uint_eq(trace_record_parse(words, TRACE_RECORD_MAX, &record), TRACE_PAYLOAD_MAX + 1);
  ck_assert_ptr_eq(record.payload, words + 1);
  words[0] = trace_header(TRACE_STACK, false, 1, TRACE_PAYLOAD_MAX + 1);
  ck_assert_uint_eq(trace_record_parse(words, TRACE_RECORD_MAX + 8, &record), 0);
}
END_TEST

static const char long_text[] = "redis-server *:6379 and then some more letters";

START_TEST(text_and_back) {
  for (size_t length = 0; length < sizeof(long_text); length++) {
    uint64_t payload[16];
    memset(payload, 0xff, sizeof(payload));
    size_t count = trace_text_pack(payload, 16, 42, long_text, length);
    ck_assert_uint_eq(count, 2 + (length + 7) / 8);
    uint64_t id;
    const char *text;
    size_t got;
    ck_assert(trace_text_unpack(payload, count, &id, &text, &got));
    ck_assert_uint_eq(id, 42);
    ck_assert_uint_eq(got, length);
    ck_assert_mem_eq(text, long_text, length);
    for (size_t i = length; i % 8; i++) ck_assert_int_eq(text[i], 0);
    if (count < 16) ck_assert_uint_eq(payload[count], UINT64_MAX);
  }
}
END_TEST

START_TEST(text_is_cut_to_fit) {
  uint64_t payload[4], id;
  const char *text;
  size_t length;
  ck_assert_uint_eq(trace_text_pack(payload, 4, 1, long_text, sizeof(long_text) - 1), 4);
  ck_assert(trace_text_unpack(payload, 4, &id, &text, &length));
  ck_assert_uint_eq(length, 16);
  ck_assert_uint_eq(trace_text_pack(payload, 2, 1, long_text, 5), 2);
  ck_assert(trace_text_unpack(payload, 2, &id, &text, &length));
  ck_assert_uint_eq(length, 0);
  ck_assert_uint_eq(trace_text_pack(payload, 1, 1, long_text, 5), 0);
}
END_TEST

START_TEST(malformed_text_is_refused) {
  static const uint64_t lengths[] = {9, 17, 24, UINT64_MAX, UINT64_C(1) << 61};
  uint64_t payload[3] = {1, 0, 0}, id;
  const char *text;
  size_t length;
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    payload[1] = lengths[i];
    ck_assert_msg(!trace_text_unpack(payload, 3, &id, &text, &length), "length %zu", i);
  }
  payload[1] = 8;
  ck_assert(trace_text_unpack(payload, 3, &id, &text, &length));
  ck_assert(!trace_text_unpack(payload, 1, &id, &text, &length));
  ck_assert(!trace_text_unpack(payload, 0, &id, &text, &length));
}
END_TEST

START_TEST(module_and_back) {
  uint8_t build_id[64];
  char path[4096];
  memset(build_id, 0xab, sizeof(build_id));
  memset(path, 'p', sizeof(path));
  static const size_t lengths[][2] = {{0, 0}, {20, 11}, {16, 8}, {64, 4096}, {1, 1}};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    uint64_t payload[1024];
    trace_module_t module = {0x1000, 0x555500001000, 0x555500100000, lengths[i][0], lengths[i][1]};
    size_t count = trace_module_pack(payload, 1024, &module, build_id, path);
    trace_module_t got;
    const uint8_t *got_id;
    const char *got_path;
    ck_assert(trace_module_unpack(payload, count, &got, &got_id, &got_path));
    ck_assert_mem_eq(&got, &module, sizeof(module));
    ck_assert_mem_eq(got_id, build_id, lengths[i][0]);
    ck_assert_mem_eq(got_path, path, lengths[i][1]);
    ck_assert(!trace_module_unpack(payload, count + 1, &got, &got_id, &got_path));
    for (size_t part = 0; part < count; part++)
      ck_assert(!trace_module_unpack(payload, part, &got, &got_id, &got_path));
  }
}
END_TEST

START_TEST(module_is_cut_to_fit) {
  uint64_t payload[10];
  trace_module_t module = {0, 1, 2, 20, 100}, got;
  uint8_t build_id[20] = {1};
  char path[100] = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  const uint8_t *got_id;
  const char *got_path;
  ck_assert_uint_eq(trace_module_pack(payload, 10, &module, build_id, path), 10);
  ck_assert(trace_module_unpack(payload, 10, &got, &got_id, &got_path));
  ck_assert_uint_eq(got.path_length, 16);
  ck_assert_uint_eq(trace_module_pack(payload, 7, &module, build_id, path), 0);
}
END_TEST

START_TEST(malformed_modules_are_refused) {
  formats_random_t random = 5;
  for (int round = 0; round < 20000; round++) {
    uint64_t payload[12];
    size_t count = formats_random(&random) % 13;
    for (size_t i = 0; i < 12; i++) payload[i] = formats_random_value(&random);
    trace_module_t module;
    const uint8_t *build_id;
    const char *path;
    if (!trace_module_unpack(payload, count, &module, &build_id, &path)) continue;
    ck_assert_uint_le(module.path_length + module.build_id_length, 8 * count);
  }
}
END_TEST

static TCase *table_case(void) {
  TCase *table = tcase_create("table");
  tcase_add_test(table, every_row_is_whole);
  tcase_add_test(table, rows_say_what_the_table_says);
  tcase_add_test(table, a_name_finds_its_kind);
  tcase_add_test(table, field_types_have_names);
  return table;
}

static TCase *record_case(void) {
  TCase *record = tcase_create("record");
  tcase_add_test(record, zigzag_and_back);
  tcase_add_test(record, header_keeps_its_fields);
  tcase_add_test(record, a_record_comes_apart);
  tcase_add_test(record, a_long_arg_has_a_word);
  tcase_add_test(record, fields_that_a_kind_lacks_are_zero);
  tcase_add_test(record, padding_is_passed_over);
  tcase_add_test(record, no_part_of_a_record_is_one);
  tcase_add_test(record, unknown_kinds_and_long_payloads_are_refused);
  return record;
}

static TCase *payload_case(void) {
  TCase *payload = tcase_create("payload");
  tcase_add_test(payload, text_and_back);
  tcase_add_test(payload, text_is_cut_to_fit);
  tcase_add_test(payload, malformed_text_is_refused);
  tcase_add_test(payload, module_and_back);
  tcase_add_test(payload, module_is_cut_to_fit);
  tcase_add_test(payload, malformed_modules_are_refused);
  return payload;
}

Suite *formats_events_suite(void);
Suite *formats_events_suite(void) {
  Suite *suite = suite_create("formats_events");
  suite_add_tcase(suite, table_case());
  suite_add_tcase(suite, record_case());
  suite_add_tcase(suite, payload_case());
  return suite;
}
