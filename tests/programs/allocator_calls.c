// SPDX-License-Identifier: Apache-2.0
// Every way to allocate, each a known number of times from a function of its own; what is asked for
// is counted, and what fails is not. Nothing is left at the end.
#include "program.h"

#include <malloc.h>
#include <unistd.h>

static unsigned allocations, frees;
static size_t bytes;

static void *given(void *block, size_t size) {
  REQUIRE(block);
  allocations++;
  bytes += size;
  return block;
}

static void give_back(void *block) {
  frees++;
  free(block);
}

static NOINLINE void call_malloc(void) {
  for (size_t i = 0; i < 7; i++) give_back(given(malloc(10 + i), 10 + i));
}

static NOINLINE void call_malloc_zero(void) { give_back(given(malloc(0), 0)); }

static NOINLINE void call_calloc(void) {
  for (int i = 0; i < 5; i++) give_back(given(calloc(3, 7), 21));
}

// realloc as malloc, growing, and as free.
static NOINLINE void call_realloc(void) {
  for (int i = 0; i < 3; i++) {
    void *block = given(realloc(NULL, 33), 33);
    block = realloc(block, 70000);
    frees++;
    given(block, 70000);
    frees++;
    block = realloc(block, 0);
    REQUIRE(!block);
  }
}

static NOINLINE void call_reallocarray(void) {
  void *block = given(reallocarray(NULL, 4, 9), 36);
  give_back(block);
}

static NOINLINE void call_aligned(void) {
  void *block = NULL;
  for (int i = 0; i < 2; i++) {
    REQUIRE_0(posix_memalign(&block, 64, 100));
    give_back(given(block, 100));
    give_back(given(memalign(128, 200), 200));
    give_back(given(aligned_alloc(256, 512), 512));
    give_back(given(valloc(300), 300));
    void *paged = pvalloc(400);
    give_back(given(paged, 400));
  }
}

// None of these gives a block, and each says why in errno or its result.
static NOINLINE void call_in_vain(void) {
  void *volatile untouched = (void *)&bytes;
  void *block = (void *)untouched;
  volatile size_t huge = PTRDIFF_MAX;
  REQUIRE(posix_memalign(&block, 3, 100) == EINVAL && block == untouched);
  errno = 0;
  REQUIRE(!malloc(huge) && errno == ENOMEM);
  errno = 0;
  REQUIRE(!calloc(huge, 16) && errno == ENOMEM);
  errno = 0;
  REQUIRE(!reallocarray(NULL, huge, 16) && errno == ENOMEM);
  void *kept = given(malloc(50), 50);
  errno = 0;
  REQUIRE(!realloc(kept, huge) && errno == ENOMEM);
  give_back(kept);
  free(NULL);
}

int main(void) {
  call_malloc();
  call_malloc_zero();
  call_calloc();
  call_realloc();
  call_reallocarray();
  call_aligned();
  call_in_vain();
  static char truth[200];
  int length =
      snprintf(truth, sizeof truth, "{\"allocations\": %u, \"frees\": %u, \"bytes\": %zu}\n",
               allocations, frees, bytes);
  return write(1, truth, (size_t)length) < 0;
}
