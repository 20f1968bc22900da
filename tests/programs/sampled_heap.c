// SPDX-License-Identifier: Apache-2.0
// 60,000 blocks of 64 to 4096 bytes from two threads: every second one is freed by the other
// thread, every sixth grows by realloc first, and what keep_some allocated stays. The program says
// how many there were; a sample of them has to say about the same, and nothing of a block that is
// not in it.
#include "program.h"

enum { THREADS = 2, BLOCKS = 30000 };

typedef struct {
  void *blocks[BLOCKS];
  size_t allocated, bytes, live, live_bytes;
} share_t;
static share_t shares[THREADS];

static size_t size_of(int i) { return (size_t)64 << (i % 7) | (size_t)(i % 5) * 8; }

static NOINLINE void *keep_some(size_t size) { return malloc(size); }
static NOINLINE void *give_away(size_t size) { return calloc(1, size); }

static void count(share_t *share, size_t size, int kept) {
  share->allocated++;
  share->bytes += size;
  share->live += kept;
  share->live_bytes += kept ? size : 0;
}

static void *allocate(void *share_) {
  share_t *share = share_;
  for (int i = 0; i < BLOCKS; i++) {
    const size_t size = size_of(i);
    const int kept = i % 2;
    share->blocks[i] = kept ? keep_some(size) : give_away(size);
    REQUIRE(share->blocks[i]);
    if (i % 6) {
      count(share, size, kept);
      continue;
    }
    count(share, size, 0);
    share->blocks[i] = realloc(share->blocks[i], size + 100);
    REQUIRE(share->blocks[i]);
    count(share, size + 100, kept);
  }
  return NULL;
}

static void *release(void *share_) {
  share_t *share = share_;
  for (int i = 0; i < BLOCKS; i += 2) free(share->blocks[i]);
  return NULL;
}

static void run_both(void *(*routine)(void *), int shift) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    REQUIRE(!pthread_create(&threads[i], NULL, routine, &shares[(i + shift) % THREADS]));
  for (int i = 0; i < THREADS; i++) REQUIRE(!pthread_join(threads[i], NULL));
}

int main(void) {
  run_both(allocate, 0);
  run_both(release, 1);
  share_t *a = &shares[0], *b = &shares[1];
  printf("{\"blocks\": %zu, \"bytes\": %zu, \"live\": %zu, \"live_bytes\": %zu}\n",
         a->allocated + b->allocated, a->bytes + b->bytes, a->live + b->live,
         a->live_bytes + b->live_bytes);
  return 0;
}
