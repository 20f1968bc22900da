// SPDX-License-Identifier: Apache-2.0
// Names of addresses in this very program: functions, inlined calls, lines, variables, and what is
// said where nothing is known.
#include "analyzer/symbols/symbols.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int symbols_table_of_numbers[16];
static int symbols_quiet_number;

// The address the caller is at. Each use stands on a line that the tests know.
static __attribute__((noinline)) uint64_t return_address(void) {
  return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static unsigned inner_line;
static inline __attribute__((always_inline)) uint64_t inlined_caller(void) {
  inner_line = __LINE__ + 1;
  uint64_t address = return_address();
  __asm__ volatile("" : "+r"(address));
  return address;
}

static unsigned outer_line;
static __attribute__((noinline)) uint64_t plain_caller(void) {
  outer_line = __LINE__ + 1;
  uint64_t address = inlined_caller();
  __asm__ volatile("" : "+r"(address));
  return address;
}

typedef struct {
  uint64_t bias, start, end;
  uint8_t build_id[64];
  size_t build_id_length;
  char path[512];
  const char *wanted;
} program_t;

static void notes_read(program_t *program, const uint8_t *note, size_t size) {
  for (const uint8_t *end = note + size; (size_t)(end - note) > sizeof(ElfW(Nhdr));) {
    ElfW(Nhdr) header;
    memcpy(&header, note, sizeof header);
    const uint8_t *name = note + sizeof header, *value = name + ((header.n_namesz + 3) & ~3u);
    if (header.n_type == NT_GNU_BUILD_ID && memcmp(name, "GNU", 4) == 0) {
      program->build_id_length = header.n_descsz;
      memcpy(program->build_id, value, header.n_descsz);
    }
    note = value + ((header.n_descsz + 3) & ~3u);
  }
}

static int program_read(struct dl_phdr_info *info, size_t size, void *data) {
  program_t *program = data;
  (void)size;
  if (!strstr(info->dlpi_name, program->wanted) || (*program->wanted == 0 && *info->dlpi_name))
    return 0;
  program->bias = info->dlpi_addr;
  program->start = UINT64_MAX;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uint64_t start = info->dlpi_addr + header->p_vaddr, end = start + header->p_memsz;
    if (header->p_type == PT_NOTE)
      notes_read(program, (const uint8_t *)(uintptr_t)start, header->p_filesz);
    if (header->p_type != PT_LOAD) continue;
    if (start < program->start) program->start = start;
    if (end > program->end) program->end = end;
  }
  snprintf(program->path, sizeof program->path, "%s", info->dlpi_name);
  return 1;
}

// The file whose name holds `wanted`; "" for this program.
static program_t program_find(const char *wanted) {
  program_t program = {.wanted = wanted};
  ck_assert_int_eq(dl_iterate_phdr(program_read, &program), 1);
  if (!*program.path)
    ck_assert_int_gt(readlink("/proc/self/exe", program.path, sizeof program.path - 1), 0);
  return program;
}

// A trace with these modules and one stack, read to its end.
typedef struct {
  trace_builder_t *builder;
  reader_t *reader;
  symbols_t *symbols;
  uint32_t stack;
} fixture_t;

static fixture_t fixture_make(const program_t *program, const uint64_t *frames, size_t count) {
  fixture_t fixture = {.builder = trace_builder_new()};
  trace_builder_module(fixture.builder, 1, 1, program->bias, program->start, program->end,
                       program->build_id, program->build_id_length, program->path);
  trace_builder_thread(fixture.builder, 1, 2, 1, 0x1000, 0);
  trace_builder_stack(fixture.builder, 1, 1, frames, count);
  trace_builder_record(fixture.builder, 1, TRACE_ALLOCATE, 3, 1, 8, 0x10, 0, 0);
  trace_builder_finish(fixture.builder, TRACE_END_EXIT, 0);
  char error[256];
  fixture.reader = reader_open(trace_builder_path(fixture.builder), NULL, error, sizeof error);
  reader_event_t event;
  while (reader_next(fixture.reader, &event)) fixture.stack = event.stack;
  fixture.symbols = symbols_open(fixture.reader);
  return fixture;
}

static void fixture_free(fixture_t *fixture) {
  symbols_close(fixture->symbols);
  reader_close(fixture->reader);
  trace_builder_free(fixture->builder);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

START_TEST(an_inlined_call_is_a_frame_of_its_own) {
  uint64_t frame = plain_caller();
  program_t program = program_find("");
  fixture_t fixture = fixture_make(&program, &frame, 1);
  const symbols_stack_t *stack = symbols_resolve_stack(fixture.symbols, fixture.stack);
  ck_assert_uint_eq(stack->count, 2);
  ck_assert_str_eq(stack->frames[0].function, "inlined_caller");
  ck_assert(stack->frames[0].inlined);
  ck_assert_uint_eq(stack->frames[0].line, inner_line);
  ck_assert_str_eq(stack->frames[1].function, "plain_caller");
  ck_assert(!stack->frames[1].inlined);
  ck_assert_uint_eq(stack->frames[1].line, outer_line);
  ck_assert_str_eq(base_name(stack->frames[1].file), "symbols_symbols.c");
  ck_assert_str_eq(stack->frames[1].module, base_name(program.path));
  ck_assert_uint_eq(stack->frames[1].offset, frame - 1 - program.bias);
  ck_assert_ptr_eq(symbols_resolve_stack(fixture.symbols, fixture.stack), stack);
  ck_assert_uint_eq(symbols_resolve_stack(fixture.symbols, 0)->count, 0);
  fixture_free(&fixture);
}
END_TEST

START_TEST(functions_and_variables_have_names) {
  static int in_a_function;
  uint64_t frame = 0x10;
  program_t program = program_find("");
  fixture_t fixture = fixture_make(&program, &frame, 1);
  symbols_t *symbols = fixture.symbols;
  ck_assert_str_eq(symbols_function(symbols, (uintptr_t)plain_caller), "plain_caller");
  ck_assert_str_eq(symbols_function(symbols, (uintptr_t)plain_caller + 1), "plain_caller");
  ck_assert_str_eq(symbols_variable(symbols, (uintptr_t)symbols_table_of_numbers),
                   "symbols_table_of_numbers[0]");
  ck_assert_str_eq(symbols_variable(symbols, (uintptr_t)&symbols_table_of_numbers[4]),
                   "symbols_table_of_numbers[4]");
  ck_assert_str_eq(symbols_variable(symbols, (uintptr_t)&symbols_quiet_number),
                   "symbols_quiet_number");
  ck_assert_str_eq(symbols_variable(symbols, (uintptr_t)&in_a_function), "in_a_function");
  ck_assert_ptr_null(symbols_variable(symbols, (uintptr_t)plain_caller));
  ck_assert_ptr_null(symbols_variable(symbols, 0x10));
  ck_assert_ptr_null(symbols_place(symbols, 0x10));
  char place[600];
  snprintf(place, sizeof place, "%s+0x%llx", base_name(program.path),
           (unsigned long long)((uintptr_t)plain_caller - program.bias));
  ck_assert_str_eq(symbols_place(symbols, (uintptr_t)plain_caller), place);
  const symbols_stack_t *outside = symbols_resolve_stack(symbols, fixture.stack);
  ck_assert_uint_eq(outside->count, 1);
  ck_assert_str_eq(outside->frames[0].module, "[unknown]");
  ck_assert_uint_eq(outside->frames[0].offset, 0xf);
  ck_assert_ptr_null(outside->frames[0].function);
  fixture_free(&fixture);
}
END_TEST

struct symbols_shard {
  long before;
  struct {
    pthread_mutex_t lock;
    pthread_cond_t ready[2];
  };
};
struct symbols_shard symbols_shards[3][4];
static pthread_mutex_t symbols_plain_lock = PTHREAD_MUTEX_INITIALIZER;

START_TEST(a_place_in_a_variable_is_written_as_in_the_source) {
  uint64_t frame = 0x10;
  program_t program = program_find("");
  fixture_t fixture = fixture_make(&program, &frame, 1);
  const struct {
    const void *address;
    const char *name;
  } places[] = {
      {&symbols_shards[0][0], "symbols_shards[0][0].before"},
      {&symbols_shards[2][1].lock, "symbols_shards[2][1].lock"},
      {&symbols_shards[1][3].ready[1], "symbols_shards[1][3].ready[1]"},
      {(const char *)&symbols_shards[1][3].ready[1] + 4, "symbols_shards[1][3].ready[1]+4"},
      {&symbols_plain_lock, "symbols_plain_lock"},
  };
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    ck_assert_str_eq(symbols_variable(fixture.symbols, (uintptr_t)places[i].address),
                     places[i].name);
  fixture_free(&fixture);
}
END_TEST

// A file that was built again since: its names would be lies.
START_TEST(a_file_that_has_changed_gives_offsets_only) {
  uint64_t frame = plain_caller();
  program_t program = program_find("");
  ck_assert_uint_gt(program.build_id_length, 3);
  program.build_id[0] ^= 0xff;
  fixture_t fixture = fixture_make(&program, &frame, 1);
  const symbols_stack_t *stack = symbols_resolve_stack(fixture.symbols, fixture.stack);
  ck_assert_uint_eq(stack->count, 1);
  ck_assert_ptr_null(stack->frames[0].function);
  ck_assert_uint_eq(stack->frames[0].offset, frame - 1 - program.bias);
  ck_assert_ptr_nonnull(strstr(symbols_warning(fixture.symbols, 0), "has changed"));
  ck_assert_ptr_null(symbols_warning(fixture.symbols, 1));
  fixture_free(&fixture);
}
END_TEST

START_TEST(a_file_that_is_gone_gives_offsets_only) {
  uint64_t frame = plain_caller();
  program_t program = program_find("");
  memset(program.build_id, 7, sizeof program.build_id);
  snprintf(program.path, sizeof program.path, "/nowhere/gone.so (deleted)");
  fixture_t fixture = fixture_make(&program, &frame, 1);
  const symbols_stack_t *stack = symbols_resolve_stack(fixture.symbols, fixture.stack);
  ck_assert_ptr_null(stack->frames[0].function);
  ck_assert_str_eq(stack->frames[0].module, "gone.so (deleted)");
  ck_assert_ptr_nonnull(strstr(symbols_warning(fixture.symbols, 0), "No such file"));
  fixture_free(&fixture);
}
END_TEST

// strip(1) leaves what the dynamic linker needs: exported functions keep their names, and what
// stands between them gets none of these.
START_TEST(a_stripped_library_names_only_what_a_symbol_covers) {
  program_t program = program_find("libc.so");
  char stripped[128], command[1024];
  uint64_t frame = (uint64_t)(uintptr_t)&getenv + 4;
  fixture_t fixture = fixture_make(&program, &frame, 1);
  snprintf(stripped, sizeof stripped, "%s/libc.so.6", trace_builder_folder(fixture.builder));
  snprintf(command, sizeof command, "strip --remove-section=.note.gnu.build-id -o %s %s", stripped,
           program.path);
  if (system(command) != 0) {
    fixture_free(&fixture);
    return;  // no binutils
  }
  snprintf(program.path, sizeof program.path, "%s", stripped);
  program.build_id_length = 0;
  fixture_t bare = fixture_make(&program, &frame, 1);
  ck_assert_str_eq(symbols_function(bare.symbols, (uintptr_t)&getenv), "getenv");
  const symbols_stack_t *stack = symbols_resolve_stack(bare.symbols, bare.stack);
  ck_assert_str_eq(stack->frames[0].function, "getenv");
  ck_assert(symbols_frame_is_runtime(&stack->frames[0]));
  // The first bytes of the code are no exported function's.
  ck_assert_ptr_null(symbols_variable(bare.symbols, program.start));
  ck_assert_ptr_nonnull(strchr(symbols_function(bare.symbols, program.start), '+'));
  fixture_free(&bare);
  fixture_free(&fixture);
}
END_TEST

START_TEST(the_vdso_has_names) {
  program_t program = program_find("vdso");
  uint64_t frame = 0x10;
  fixture_t fixture = fixture_make(&program, &frame, 1);
  int named = 0;
  for (uint64_t at = program.start; at < program.end; at += 16) {
    const char *name = symbols_function(fixture.symbols, at);
    named += strstr(name, "clock_gettime") != NULL;
  }
  ck_assert_int_gt(named, 0);
  ck_assert_ptr_null(symbols_warning(fixture.symbols, 0));
  fixture_free(&fixture);
}
END_TEST

START_TEST(the_loader_and_libc_are_the_runtime) {
  static const char *const runtime[] = {"libc.so.6", "ld-linux-x86-64.so.2", "libc-2.31.so"};
  static const char *const others[] = {"libcurl.so.4", "libc++.so.1", "redis-server", "[unknown]"};
  for (size_t i = 0; i < 3; i++)
    ck_assert(symbols_frame_is_runtime(&(symbols_frame_t){.module = runtime[i]}));
  for (size_t i = 0; i < 4; i++)
    ck_assert(!symbols_frame_is_runtime(&(symbols_frame_t){.module = others[i]}));
}
END_TEST

Suite *symbols_symbols_suite(void);
Suite *symbols_symbols_suite(void) {
  Suite *suite = suite_create("symbols_symbols");
  TCase *names = tcase_create("names");
  tcase_set_timeout(names, 60);
  tcase_add_test(names, an_inlined_call_is_a_frame_of_its_own);
  tcase_add_test(names, functions_and_variables_have_names);
  tcase_add_test(names, a_place_in_a_variable_is_written_as_in_the_source);
  tcase_add_test(names, a_file_that_has_changed_gives_offsets_only);
  tcase_add_test(names, a_file_that_is_gone_gives_offsets_only);
  tcase_add_test(names, a_stripped_library_names_only_what_a_symbol_covers);
  tcase_add_test(names, the_vdso_has_names);
  tcase_add_test(names, the_loader_and_libc_are_the_runtime);
  suite_add_tcase(suite, names);
  return suite;
}
