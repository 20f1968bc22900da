// SPDX-License-Identifier: Apache-2.0
// A pipeline of three stages joined by semaphores: "cut" takes 0.5 ms for an item, "paint" 5 ms,
// "pack" 1 ms, and 20 ms for the last, so that it ends last on a busy machine, too. So the run
// takes what the first item needs to be cut, all need to be painted, and the last one to be packed:
// that is the critical path. Painting holds `brush`, which "visitor" wants twice. What each stage
// took is measured and printed.
#include "program.h"

#include <semaphore.h>

enum { ITEMS = 40 };

typedef struct {
  const char *name;
  unsigned microseconds, last_microseconds;  // 0: as the others
  sem_t *from, *to;
  pthread_mutex_t *tool;
  uint64_t first_ns, last_ns, all_ns;
} stage_t;

static sem_t cut_items, painted_items;
static pthread_mutex_t brush = PTHREAD_MUTEX_INITIALIZER;
static stage_t cut = {.name = "cut", .microseconds = 500, .to = &cut_items};
static stage_t paint = {.name = "paint",
                        .microseconds = 5000,
                        .from = &cut_items,
                        .to = &painted_items,
                        .tool = &brush};
static stage_t pack = {
    .name = "pack", .microseconds = 1000, .last_microseconds = 20000, .from = &painted_items};

static void work(stage_t *stage, int item) {
  if (stage->tool) pthread_mutex_lock(stage->tool);
  uint64_t start = now_ns();
  bool longer = item == ITEMS - 1 && stage->last_microseconds;
  usleep(longer ? stage->last_microseconds : stage->microseconds);
  uint64_t took = now_ns() - start;
  if (stage->tool) pthread_mutex_unlock(stage->tool);
  stage->all_ns += took;
  stage->last_ns = took;
  if (item == 0) stage->first_ns = took;
}

static void *stage_main(void *argument) {
  stage_t *stage = argument;
  pthread_setname_np(pthread_self(), stage->name);
  for (int item = 0; item < ITEMS; item++) {
    while (stage->from && sem_wait(stage->from) != 0) continue;
    work(stage, item);
    if (stage->to) sem_post(stage->to);
  }
  return NULL;
}

static void *visitor_main(void *unused) {
  pthread_setname_np(pthread_self(), "visitor");
  for (int visit = 0; visit < 2; visit++) {
    sleep_ms(20);
    pthread_mutex_lock(&brush);
    pthread_mutex_unlock(&brush);
  }
  return unused;
}

int main(void) {
  stage_t *const stages[] = {&cut, &paint, &pack};
  pthread_t threads[3], visitor;
  uint64_t start = now_ns();
  REQUIRE(sem_init(&cut_items, 0, 0) == 0 && sem_init(&painted_items, 0, 0) == 0);
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_create(&threads[i], NULL, stage_main, stages[i]));
  REQUIRE_0(pthread_create(&visitor, NULL, visitor_main, NULL));
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  REQUIRE_0(pthread_join(visitor, NULL));
  printf("{\"run_ns\": %lu, \"cut_first_ns\": %lu, \"paint_ns\": %lu, \"pack_last_ns\": %lu}\n",
         now_ns() - start, cut.first_ns, paint.all_ns, pack.last_ns);
  return 0;
}
