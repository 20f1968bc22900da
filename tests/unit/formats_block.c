// SPDX-License-Identifier: Apache-2.0
// Blocks: what is encoded comes back, and no content, however wrong, does harm.
#include "formats/block.h"
#include "formats/varint.h"
#include "tests/unit/formats_random.h"
#include "tests/unit/rounds.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORDS = 30000 };

// ---- what an encoder is given, and what it made of it ----------------------------------------
typedef struct {
  uint8_t *content;  // ends where no page is: a read behind it is a crash
  size_t size;
  trace_block_t block;
  uint8_t *map;
  size_t map_size;
} encoded_t;

static uint8_t *guarded_bytes(size_t size, uint8_t **map, size_t *map_size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  *map_size = (size + page - 1) / page * page + page;
  *map = mmap(NULL, *map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(*map != MAP_FAILED);
  ck_assert_int_eq(mprotect(*map + *map_size - page, page, PROT_NONE), 0);
  return *map + *map_size - page - size;
}

// Scratch and output end where no page is, too. size is 0 where the words were refused.
static encoded_t encode(const uint64_t *words, size_t count) {
  uint8_t *scratch_map, *out_map;
  size_t scratch_size, out_size;
  void *scratch = guarded_bytes(trace_block_scratch(count), &scratch_map, &scratch_size);
  uint8_t *out = guarded_bytes(trace_block_bound(count), &out_map, &out_size);
  memset(scratch, 0x5a, trace_block_scratch(count));
  encoded_t encoded = {.block = {.lane = 1, .to = count}};
  encoded.size = trace_block_encode(words, count, scratch, out, &encoded.block);
  ck_assert_uint_le(encoded.size, trace_block_bound(count));
  encoded.content = guarded_bytes(encoded.size, &encoded.map, &encoded.map_size);
  memcpy(encoded.content, out, encoded.size);
  munmap(scratch_map, scratch_size);
  munmap(out_map, out_size);
  return encoded;
}

static void encoded_free(encoded_t *encoded) { munmap(encoded->map, encoded->map_size); }

static bool open_encoded(trace_block_cursor_t *cursor, const encoded_t *encoded) {
  return trace_block_open(cursor, &encoded->block, encoded->content, encoded->size);
}

static void assert_same_record(const trace_record_t *got, const trace_record_t *expected) {
  ck_assert_uint_eq(got->kind, expected->kind);
  ck_assert_int_eq(got->timed, expected->timed);
  ck_assert_uint_eq(got->stack, expected->stack);
  ck_assert_uint_eq(got->arg, expected->arg);
  ck_assert_uint_eq(got->stamp, expected->stamp);
  ck_assert_mem_eq(got->words, expected->words, sizeof(got->words));
  ck_assert_int_eq(!got->payload, !expected->payload);
  if (expected->payload) ck_assert_mem_eq(got->payload, expected->payload, expected->arg * 8);
}

// Encodes the words, decodes the block and compares with the words. Returns the records.
static size_t assert_round_trip(const uint64_t *words, size_t count) {
  encoded_t encoded = encode(words, count);
  ck_assert_uint_gt(encoded.size, 0);
  static trace_block_cursor_t cursor;
  ck_assert(open_encoded(&cursor, &encoded));
  size_t records = 0;
  trace_record_t expected, got;
  for (size_t at = 0; at < count;) {
    size_t length = trace_record_parse(words + at, count - at, &expected);
    ck_assert_uint_gt(length, 0);
    at += length;
    if (expected.kind == 0) continue;
    ck_assert_int_eq(trace_block_next(&cursor, &got), 1);
    assert_same_record(&got, &expected);
    records++;
  }
  ck_assert_int_eq(trace_block_next(&cursor, &got), 0);
  ck_assert_int_eq(trace_block_next(&cursor, &got), 0);
  ck_assert_uint_eq(encoded.block.records, records);
  encoded_free(&encoded);
  return records;
}

// ---- round trips -----------------------------------------------------------------------------

START_TEST(every_kind_round_trips) {
  static uint64_t words[WORDS];
  formats_random_t random = 1;
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++) {
    if (!trace_event_kinds[kind].name) continue;
    size_t count = 0, length;
    while ((length = formats_random_record(&random, kind, words + count, 3000 - count)))
      count += length;
    ck_assert_uint_gt(assert_round_trip(words, count), 100);
  }
}
END_TEST

START_TEST(mixed_records_round_trip) {
  static uint64_t words[WORDS];
  for (int seed = 1; seed <= rounds(40); seed += 2) {
    formats_random_t random = (formats_random_t)seed;
    size_t count = formats_random_records(&random, words, WORDS / (size_t)seed);
    assert_round_trip(words, count);
  }
}
END_TEST

// One or a few records again and again, as a loop leaves them, now and then with a stamp between.
static size_t repeated_records(formats_random_t *random, uint64_t *words, size_t limit) {
  size_t count = 0;
  while (limit - count > 256) {
    uint64_t period[128];
    size_t length = 0, records = 1 + formats_random(random) % 3;
    while (records-- > 0)
      length += formats_random_record(random, formats_random_kind(random), period + length,
                                      sizeof(period) / 8 - length);
    for (size_t times = formats_random(random) % 200; times > 0; times--) {
      if (limit - count < length + 2) return count;
      memcpy(words + count, period, length * 8);
      count += length;
      if (formats_random(random) % 16) continue;
      words[count++] = trace_header(TRACE_CLOSE, true, 0, 3);
      words[count++] = formats_random(random);
    }
  }
  return count;
}

START_TEST(repeated_records_round_trip) {
  static uint64_t words[WORDS];
  for (int seed = 1; seed <= rounds(60); seed++) {
    formats_random_t random = (formats_random_t)seed;
    assert_round_trip(words, repeated_records(&random, words, WORDS / (size_t)(seed % 7 + 1)));
  }
}
END_TEST

// A run is told from what only looks like one: the same pair, but for one bit of one word.
START_TEST(a_run_ends_where_it_ends) {
  enum { PAIRS = 100, PAIR = 4 };
  static uint64_t words[PAIRS * PAIR];
  // Odd steps: all words of a pair are met.
  const size_t step = PAIRS * PAIR / (size_t)rounds(PAIRS * PAIR) | 1;
  for (size_t other = 0; other < PAIRS * PAIR; other += step) {
    for (size_t i = 0; i < PAIRS * PAIR; i += PAIR) {
      words[i] = trace_header(TRACE_ALLOCATE, false, 300, 64);
      words[i + 1] = words[i + 3] = 0x7f1200340000;
      words[i + 2] = trace_header(TRACE_FREE, false, 0, 0);
    }
    words[other] ^= other % 2 ? 16 : (uint64_t)1 << 33 << 8;
    assert_round_trip(words, PAIRS * PAIR);
  }
}
END_TEST

START_TEST(spans_make_one_block) {
  static uint64_t words[WORDS], scratch[1 << 20];
  static uint8_t out[WORDS * 10 + 4096];
  formats_random_t random = 5;
  size_t count = repeated_records(&random, words, WORDS);
  ck_assert_uint_ge(sizeof(scratch), trace_block_scratch(count));
  ck_assert_uint_ge(sizeof(out), trace_block_bound(count));
  encoded_t whole = encode(words, count);
  trace_record_t record;
  trace_block_begin(scratch, count);
  for (size_t from = 0, to = 0; from < count; from = to) {
    size_t records = formats_random(&random) % 300;
    do to += trace_record_parse(words + to, count - to, &record);
    while (to < count && records-- > 0);
    ck_assert(trace_block_put(scratch, words + from, to - from));
  }
  trace_block_t block = {.lane = 1, .to = count};
  ck_assert_uint_eq(trace_block_end(scratch, out, &block), whole.size);
  ck_assert_mem_eq(out, whole.content, whole.size);
  ck_assert_mem_eq(&block, &whole.block, sizeof(block));
  ck_assert(trace_block_put(scratch, NULL, 0));
  ck_assert(!trace_block_put(scratch, &(uint64_t){127}, 1));
  encoded_free(&whole);
}
END_TEST

START_TEST(the_longest_numbers_fit) {
  enum { MANY = 200000 };
  static uint64_t words[MANY];
  size_t count = 0;
  for (uint64_t i = 0; count + 5 <= MANY; i++) {
    words[count++] = trace_header(TRACE_PENDING, true, TRACE_STACK_LIMIT - 1, TRACE_ARG_LONG - 1);
    words[count++] = (uint64_t)INT64_MIN;
    words[count++] = 0;
    words[count++] = UINT64_MAX;
    words[count++] = i % 2 ? INT64_MAX : UINT64_MAX;
  }
  assert_round_trip(words, count);
}
END_TEST

START_TEST(short_records_fit) {
  static uint64_t words[WORDS];
  for (size_t i = 0; i < WORDS; i++)
    words[i] = trace_header(TRACE_CLOSE, false, 0, TRACE_ARG_LONG - 1);
  ck_assert_uint_eq(assert_round_trip(words, WORDS), WORDS);
  for (size_t i = 0; i < WORDS; i += 2) {
    words[i] = trace_header(TRACE_CLOSE, true, 0, TRACE_ARG_LONG - 1);
    words[i + 1] = i % 4 ? 0 : INT64_MIN;
  }
  ck_assert_uint_eq(assert_round_trip(words, WORDS), WORDS / 2);
}
END_TEST

START_TEST(args_of_any_length) {
  static const uint64_t args[] = {0,          1,           127,       128,       TRACE_ARG_LONG - 1,
                                  0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX};
  for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
    uint64_t words[3] = {trace_header(TRACE_ALLOCATE, false, 1, TRACE_ARG_LONG), args[i], 4096};
    ck_assert_uint_eq(assert_round_trip(words, 3), 1);
  }
}
END_TEST

START_TEST(payloads_of_any_length) {
  static uint64_t words[3 * TRACE_RECORD_MAX];
  static const uint32_t lengths[] = {0, 1, 31, 32, 33, TRACE_PAYLOAD_MAX};
  formats_random_t random = 3;
  size_t count = 0;
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    words[count++] = trace_header(TRACE_STACK, i % 2, (uint32_t)i, lengths[i]);
    for (size_t j = 0; j < lengths[i] + i % 2; j++) words[count++] = formats_random(&random);
  }
  ck_assert_uint_eq(assert_round_trip(words, count), sizeof(lengths) / sizeof(lengths[0]));
}
END_TEST

START_TEST(an_empty_block_has_an_end) {
  ck_assert_uint_eq(assert_round_trip(NULL, 0), 0);
  uint64_t padding[3] = {trace_header(0, false, 0, 2), UINT64_MAX, UINT64_MAX};
  ck_assert_uint_eq(assert_round_trip(padding, 3), 0);
}
END_TEST

START_TEST(padding_is_left_out) {
  uint64_t words[] = {
      0,          trace_header(TRACE_CLOSE, false, 0, 3), trace_header(0, false, 0, 1),
      UINT64_MAX, trace_header(TRACE_CLOSE, false, 0, 4), trace_header(0, false, 0, 0)};
  ck_assert_uint_eq(assert_round_trip(words, 6), 2);
}
END_TEST

START_TEST(stamps_of_the_block) {
  uint64_t words[] = {trace_header(TRACE_CLOSE, false, 0, 3),
                      trace_header(TRACE_CLOSE, true, 0, 3),
                      1000,
                      trace_header(TRACE_CLOSE, true, 0, 3),
                      5000,
                      trace_header(TRACE_CLOSE, true, 0, 3),
                      4000};
  assert_round_trip(words, 7);
  encoded_t encoded = encode(words, 7);
  ck_assert_uint_eq(encoded.block.first_ticks, 1000);
  ck_assert_uint_eq(encoded.block.last_ticks, 5000);
  encoded_free(&encoded);
  encoded = encode(words, 1);
  ck_assert_uint_eq(encoded.block.first_ticks, 0);
  ck_assert_uint_eq(encoded.block.last_ticks, 0);
  encoded_free(&encoded);
}
END_TEST

START_TEST(a_copied_cursor_is_a_bookmark) {
  static uint64_t words[WORDS];
  formats_random_t random = 9;
  encoded_t encoded = encode(words, formats_random_records(&random, words, WORDS));
  static trace_block_cursor_t cursor, bookmark;
  trace_record_t first, second;
  ck_assert(open_encoded(&cursor, &encoded));
  for (int i = 0; i < 1000; i++) ck_assert_int_eq(trace_block_next(&cursor, &first), 1);
  bookmark = cursor;
  int more;
  while ((more = trace_block_next(&cursor, &first)) == 1) {
    ck_assert_int_eq(trace_block_next(&bookmark, &second), 1);
    assert_same_record(&second, &first);
  }
  ck_assert_int_eq(more, 0);
  ck_assert_int_eq(trace_block_next(&bookmark, &second), 0);
  encoded_free(&encoded);
}
END_TEST

// What makes a trace small: a repeated pair must cost the block a few bytes.
START_TEST(pairs_are_short) {
  static uint64_t words[WORDS];
  for (size_t i = 0; i < WORDS; i += 4) {
    uint64_t block = 0x7f1200340000 + i % 32 * 64;
    words[i] = trace_header(TRACE_ALLOCATE, false, 40, 64);
    words[i + 1] = block;
    words[i + 2] = trace_header(TRACE_FREE, false, 0, 0);
    words[i + 3] = block;
  }
  assert_round_trip(words, WORDS);
  encoded_t encoded = encode(words, WORDS);
  ck_assert_uint_lt(encoded.size, 4 * (size_t)encoded.block.records);
  encoded_free(&encoded);
}
END_TEST

// ---- what is refused -------------------------------------------------------------------------

static void assert_encode_refuses(const uint64_t *words, size_t count) {
  encoded_t encoded = encode(words, count);
  ck_assert_uint_eq(encoded.size, 0);
  encoded_free(&encoded);
}

START_TEST(invalid_words_are_refused) {
  static uint64_t words[TRACE_RECORD_MAX + 8];
  words[0] = trace_header(127, false, 0, 0);
  assert_encode_refuses(words, 1);
  words[0] = trace_header(0, false, 0, 1);
  assert_encode_refuses(words, 1);
  words[0] = trace_header(0, true, 0, 0);
  assert_encode_refuses(words, 2);
  words[0] = trace_header(TRACE_STACK, false, 0, TRACE_PAYLOAD_MAX + 1);
  assert_encode_refuses(words, TRACE_RECORD_MAX + 8);
}
END_TEST

START_TEST(half_a_record_is_refused) {
  formats_random_t random = 21;
  for (int round = 0; round < rounds(500); round++) {
    uint64_t words[64];
    size_t length = formats_random_record(&random, formats_random_kind(&random), words, 64);
    for (size_t part = 1; part < length; part++) assert_encode_refuses(words, part);
  }
}
END_TEST

static volatile uint64_t sink;  // payloads are read, whatever is in them

// Reads a content of any bytes to its end. Returns what trace_block_next said last, or -1.
static int read_all(const trace_block_t *block, const uint8_t *content, size_t size) {
  static trace_block_cursor_t cursor;
  trace_record_t record;
  if (!trace_block_open(&cursor, block, content, size)) return -1;
  int more;
  uint64_t records = 0;
  while ((more = trace_block_next(&cursor, &record)) == 1) {
    ck_assert_ptr_nonnull(trace_event_kinds[record.kind].name);
    ck_assert_uint_le(++records, size);
    for (size_t i = 0; record.payload && i < record.arg; i++) sink += record.payload[i];
  }
  if (more < 0) ck_assert_int_eq(trace_block_next(&cursor, &record), -1);
  return more;
}

START_TEST(malformed_contents_are_refused) {
  enum { CLOSE = TRACE_CLOSE, K = TRACE_KIND_LIMIT };
  static const struct {
    const char *what;
    uint8_t size, bytes[24];
  } rows[] = {
      {"nothing", 0, {0}},
      {"no count of columns", 1, {1}},
      {"no directory", 2, {1, 2}},
      {"an entry cut short", 3, {1, 1, 0}},
      {"no kinds", 2, {1, 0}},
      {"more records than kinds", 8, {1, 2, 0, 0, 0, CLOSE, 1, 1}},
      {"less records than kinds", 11, {1, 2, 0, 0, 2, CLOSE, 1, 1, CLOSE, CLOSE, 5}},
      {"bytes behind the columns", 11, {1, 2, 0, 0, 1, CLOSE, 1, 1, CLOSE, 5, 0}},
      {"a column longer than the content", 10, {1, 2, 0, 0, 1, CLOSE, 1, 2, CLOSE, 5}},
      {"a column of a size that overflows",
       18,
       {1, 2, 0, 0, 1, CLOSE, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, CLOSE}},
      {"a size that never ends",
       14,
       {1, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
      {"the same column twice", 14, {1, 3, 0, 0, 1, CLOSE, 1, 1, CLOSE, 1, 1, CLOSE, 5, 5}},
      {"columns out of order", 10, {1, 2, CLOSE, 1, 1, 0, 0, 1, 5, CLOSE}},
      {"a kind out of the table", 10, {1, 2, 0, 0, 1, 127, 1, 1, 127, 5}},
      {"a kind out of range", 10, {1, 2, 0, 0, 1, 255, 1, 1, 127, 5}},
      {"a slot that the kind lacks", 10, {1, 2, 0, 0, 1, CLOSE, 0, 1, CLOSE, 5}},
      {"a slot out of range", 10, {1, 2, 0, 0, 1, CLOSE, 200, 1, CLOSE, 5}},
      {"a slot of kind 0 that is none", 10, {1, 2, 0, 0, 1, 0, 2, 1, CLOSE, 5}},
      {"a record of kind 0", 10, {1, 2, 0, 0, 1, CLOSE, 1, 1, 0, 5}},
      {"a column that is not there", 6, {1, 1, 0, 0, 1, CLOSE}},
      {"a stamp that is not there", 10, {1, 2, 0, 0, 1, CLOSE, 1, 1, CLOSE | 0x80, 5}},
      {"a number cut short", 10, {1, 2, 0, 0, 1, CLOSE, 1, 1, CLOSE, 0x85}},
      {"a number left over", 11, {1, 2, 0, 0, 1, CLOSE, 1, 2, CLOSE, 5, 5}},
      {"a stamp left over", 14, {1, 3, 0, 0, 1, 0, 1, 1, CLOSE, 1, 1, CLOSE, 5, 5}},
  };
  const trace_block_t block = {.records = 1};
  static const uint8_t right[] = {1, 2, 0, 0, 1, CLOSE, 1, 1, CLOSE, 5};
  ck_assert_int_eq(read_all(&block, right, sizeof(right)), 0);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    ck_assert_msg(read_all(&block, rows[i].bytes, rows[i].size) == -1, "%s", rows[i].what);
  const trace_block_t other = {.records = 2};
  ck_assert_int_eq(read_all(&other, right, sizeof(right)), -1);
}
END_TEST

START_TEST(stack_numbers_are_bounded) {
  const trace_block_t block = {.records = 1};
  uint8_t content[] = {1, 2, 0, 0, 1, TRACE_FORK, 0, 4, TRACE_FORK, 255, 255, 255, 7};
  ck_assert_int_eq(read_all(&block, content, sizeof(content)), -1);  // no arg
  uint8_t whole[] = {1, 3, 0,          0,   1,   TRACE_FORK, 0, 4, TRACE_FORK,
                     1, 1, TRACE_FORK, 255, 255, 255,        7, 9};
  ck_assert_int_eq(read_all(&block, whole, sizeof(whole)), 0);
  whole[15] = 8;
  ck_assert_int_eq(read_all(&block, whole, sizeof(whole)), -1);
}
END_TEST

START_TEST(payloads_are_bounded) {
  static uint8_t content[24 + TRACE_PAYLOAD_MAX + 1];
  static const uint8_t head[] = {
      1,    3,   0, 0, 1, TRACE_PROPERTY, 1, 2, TRACE_PROPERTY, 7, 0x81, 0x20, TRACE_PROPERTY,
      0x81, 0x20};  // 0x81, 0x20: 4097
  const trace_block_t block = {.records = 1};
  memcpy(content, head, sizeof(head));
  ck_assert_int_eq(read_all(&block, content, sizeof(head) + TRACE_PAYLOAD_MAX + 1), -1);
  content[10] = content[13] = 0x80;
  ck_assert_int_eq(read_all(&block, content, sizeof(head) + TRACE_PAYLOAD_MAX), 0);
}
END_TEST

START_TEST(no_part_of_a_content_is_one) {
  static uint64_t words[400];
  formats_random_t random = 31;
  encoded_t encoded = encode(words, formats_random_records(&random, words, 400));
  for (size_t size = 0; size < encoded.size; size++) {
    uint8_t *map;
    size_t map_size;
    uint8_t *part = guarded_bytes(size, &map, &map_size);
    memcpy(part, encoded.content, size);
    ck_assert_int_eq(read_all(&encoded.block, part, size), -1);
    munmap(map, map_size);
  }
  encoded_free(&encoded);
}
END_TEST

START_TEST(flipped_bits_do_no_harm) {
  static uint64_t words[600];
  formats_random_t random = 41;
  for (int block = 0; block < 20; block++) {
    encoded_t encoded = encode(words, formats_random_records(&random, words, 600));
    for (int round = 0; round < rounds(1000); round++) {
      size_t at[3];
      uint8_t mask[3];
      for (int i = 0; i < 3; i++) {
        at[i] = formats_random(&random) % (i == 0 ? encoded.size : 200);
        mask[i] = (uint8_t)(1 << formats_random(&random) % 8);
        encoded.content[at[i]] ^= mask[i];
      }
      read_all(&encoded.block, encoded.content, encoded.size);
      for (int i = 3; i-- > 0;) encoded.content[at[i]] ^= mask[i];
    }
    ck_assert_int_eq(read_all(&encoded.block, encoded.content, encoded.size), 0);
    encoded_free(&encoded);
  }
}
END_TEST

// ---- numbers ---------------------------------------------------------------------------------

START_TEST(numbers_round_trip) {
  formats_random_t random = 51;
  for (int round = 0; round < rounds(20000); round++) {
    uint64_t value = round < 64 ? UINT64_C(1) << round : formats_random_value(&random), got;
    if (round >= 64 && round < 128) value = (UINT64_C(1) << (round - 64)) - 1;
    uint8_t bytes[VARINT_MAX + VARINT_SLACK];
    uint8_t *end = varint_put(bytes, value);
    size_t expected = 1;
    for (uint64_t rest = value; rest >= 128; rest >>= 7) expected++;
    ck_assert_uint_eq((size_t)(end - bytes), expected);
    ck_assert_ptr_eq(varint_get(bytes, end, &got), end);
    ck_assert_uint_eq(got, value);
    ck_assert_ptr_eq(varint_get(bytes, bytes + sizeof(bytes), &got), end);
    ck_assert_uint_eq(got, value);
    ck_assert_ptr_null(varint_get(bytes, end - 1, &got));
  }
}
END_TEST

START_TEST(numbers_over_64_bits_are_refused) {
  uint8_t bytes[16];
  uint64_t value;
  memset(bytes, 0xff, sizeof(bytes));
  ck_assert_ptr_null(varint_get(bytes, bytes + 16, &value));
  bytes[9] = 2;
  ck_assert_ptr_null(varint_get(bytes, bytes + 16, &value));
  bytes[9] = 1;
  ck_assert_ptr_eq(varint_get(bytes, bytes + 16, &value), bytes + 10);
  ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

static TCase *round_trip_case(void) {
  TCase *round_trip = tcase_create("round_trip");
  tcase_set_timeout(round_trip, 60);
  tcase_add_test(round_trip, every_kind_round_trips);
  tcase_add_test(round_trip, mixed_records_round_trip);
  tcase_add_test(round_trip, repeated_records_round_trip);
  tcase_add_test(round_trip, a_run_ends_where_it_ends);
  tcase_add_test(round_trip, spans_make_one_block);
  tcase_add_test(round_trip, the_longest_numbers_fit);
  tcase_add_test(round_trip, short_records_fit);
  tcase_add_test(round_trip, args_of_any_length);
  tcase_add_test(round_trip, payloads_of_any_length);
  tcase_add_test(round_trip, an_empty_block_has_an_end);
  tcase_add_test(round_trip, padding_is_left_out);
  tcase_add_test(round_trip, stamps_of_the_block);
  tcase_add_test(round_trip, a_copied_cursor_is_a_bookmark);
  tcase_add_test(round_trip, pairs_are_short);
  return round_trip;
}

static TCase *refusal_case(void) {
  TCase *refusal = tcase_create("refusal");
  tcase_set_timeout(refusal, 60);
  tcase_add_test(refusal, invalid_words_are_refused);
  tcase_add_test(refusal, half_a_record_is_refused);
  tcase_add_test(refusal, malformed_contents_are_refused);
  tcase_add_test(refusal, stack_numbers_are_bounded);
  tcase_add_test(refusal, payloads_are_bounded);
  tcase_add_test(refusal, no_part_of_a_content_is_one);
  tcase_add_test(refusal, flipped_bits_do_no_harm);
  return refusal;
}

static TCase *number_case(void) {
  TCase *number = tcase_create("number");
  tcase_add_test(number, numbers_round_trip);
  tcase_add_test(number, numbers_over_64_bits_are_refused);
  return number;
}

Suite *formats_block_suite(void);
Suite *formats_block_suite(void) {
  Suite *suite = suite_create("formats_block");
  suite_add_tcase(suite, round_trip_case());
  suite_add_tcase(suite, refusal_case());
  suite_add_tcase(suite, number_case());
  return suite;
}
