// SPDX-License-Identifier: Apache-2.0
// Two std::mutex of an object, which no call initialises or destroys, taken by one thread, and in
// the other order by a second one. Between, by argument: "freed": the object is deleted, "moved":
// its memory is reallocated elsewhere, and the second thread has another object at the address:
// nothing is to be found. "kept": it is the same object: a deadlock is. "again": it was freed, but
// the first thread takes the locks of the next object, too, at the same place in the same order.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

struct account {
  char before[120];
  std::mutex first, second;
  char after[120];
};

static account *current;
static std::atomic<int> turn;  // which nothing records

static void take(std::mutex &one, std::mutex &other) {
  std::lock_guard outer(one);
  std::lock_guard inner(other);
}

static account *make() {
  void *memory = malloc(sizeof(account));
  return new (memory) account;
}

static void replace_moved() {
  void *behind = malloc(sizeof(account));  // so that there is no place to grow in
  void *moved = realloc(current, 4 * sizeof(account));
  current = make();
  free(moved);
  free(behind);
}

static void replace(const char *how) {
  if (strcmp(how, "deleted") == 0) {
    delete current;
    current = new account;
  } else if (strcmp(how, "moved") == 0) {
    replace_moved();
  } else if (strcmp(how, "freed") == 0) {
    free(current);
    current = make();
  }
}

static void go_forth(const char *how) {
  const bool again = strcmp(how, "again") == 0;
  for (int round = 0; round <= again; ++round) {
    take(current->first, current->second);
    if (round == 0) replace(again ? "freed" : how);
  }
}

static void go_back() {
  while (turn != 2) std::this_thread::yield();
  take(current->second, current->first);
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "freed";
  current = strcmp(how, "deleted") == 0 ? new account : make();
  const account *const before = current;
  std::thread back(go_back), forth(go_forth, how);
  forth.join();
  turn = 2;
  back.join();
  printf("{\"same_address\": %d}\n", current == before);
}
