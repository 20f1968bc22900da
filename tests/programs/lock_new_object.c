// SPDX-License-Identifier: Apache-2.0
// No deadlock: who makes an object locks it, then the list that it puts it on; who walks the list
// takes the list first, then the objects. Nobody else knows the object before it is on the list.
// With the argument "late" the maker locks it once more when all know it: that can deadlock.
#include "locks.h"

typedef struct {
  pthread_mutex_t lock;
  int uses;
} object_t;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static object_t *list;
static bool late;

static NOINLINE void make(void) {
  object_t *object = malloc(sizeof *object);
  REQUIRE(object);
  pthread_mutex_init(&object->lock, NULL);
  pthread_mutex_lock(&object->lock);
  pthread_mutex_lock(&list_lock);
  list = object;
  pthread_mutex_unlock(&list_lock);
  pthread_mutex_unlock(&object->lock);
  if (late) lock_both(&object->lock, &list_lock);
}

static NOINLINE void walk(void) {
  pthread_mutex_lock(&list_lock);
  pthread_mutex_lock(&list->lock);
  list->uses++;
  pthread_mutex_unlock(&list->lock);
  pthread_mutex_unlock(&list_lock);
}

int main(int count, char **arguments) {
  late = count > 1 && !strcmp(arguments[1], "late");
  RUN_IN_TURN(make, walk);
  pthread_mutex_destroy(&list->lock);
  free(list);
  return 0;
}
