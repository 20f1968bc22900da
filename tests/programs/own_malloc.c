// SPDX-License-Identifier: Apache-2.0
// Has a malloc of its own in the executable, as one linked with an allocator has: the recorder
// cannot stand in front of it, says so, and mixes no blocks up.
#include "program.h"

#define SEEN_BY_ALL __attribute__((visibility("default")))

static _Alignas(16) char arena[64 << 20];
static _Atomic size_t used;
static atomic_uint foreign;  // blocks given back that were never given out

SEEN_BY_ALL void *malloc(size_t size) {
  const size_t at = atomic_fetch_add(&used, (size + 31) & ~(size_t)15);
  if (at + size + 16 > sizeof arena) return NULL;
  *(size_t *)(arena + at) = size;
  return arena + at + 16;
}

SEEN_BY_ALL void free(void *block) {
  const char *at = block;
  if (at && (at < arena || at >= arena + sizeof arena)) atomic_fetch_add(&foreign, 1);
}

SEEN_BY_ALL void *calloc(size_t count, size_t size) { return malloc(count * size); }

SEEN_BY_ALL void *realloc(void *block, size_t size) {
  void *moved = malloc(size);
  const size_t before = block ? *(size_t *)((char *)block - 16) : 0;
  if (moved && block) memcpy(moved, block, before < size ? before : size);
  return moved;
}

static void *thread_main(void *unused) {
  free(strdup("text"));
  return unused;
}

int main(void) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, thread_main, NULL));
  pthread_join(thread, NULL);
  char *line = NULL;
  REQUIRE(asprintf(&line, "%d", 42) == 2);
  free(line);
  printf("{\"foreign\": %u, \"own\": %d}\n", atomic_load(&foreign), atomic_load(&used) > 0);
  return 0;
}
