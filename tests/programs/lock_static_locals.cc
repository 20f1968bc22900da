// SPDX-License-Identifier: Apache-2.0
// Two static locals whose initialisers need each other, from two threads: both wait on futex words
// of the C++ library, of which nobody knows who owns them. No deadlock is claimed; that all threads
// wait is said. Never ends.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

static std::atomic<int> inside{0};

static void both_are_inside() {
  inside++;
  while (inside < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

static int second();

static int make_first() {
  both_are_inside();
  return second() + 1;
}

static int first() {
  static int value = make_first();
  return value;
}

static int make_second() {
  both_are_inside();
  return first() + 1;
}

static int second() {
  static int value = make_second();
  return value;
}

int main() {
  std::thread one(first), other(second);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::puts("hanging");
  std::fflush(stdout);
  one.join();
  other.join();
}
