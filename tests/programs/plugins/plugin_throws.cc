// SPDX-License-Identifier: Apache-2.0
// A plugin in C++: each round allocates in six ways, gives all of it back, and catches two
// exceptions, one of them thrown by operator new.
#include <chrono>
#include <new>
#include <stdexcept>

struct alignas(64) wide {
  char bytes[128];
};

// Volatile, so that no pair of new and delete is left out.
template <typename type> static void drop(type *volatile object) { delete object; }

extern "C" __attribute__((noinline)) void plugin_allocate(int i) {
  drop(new int(i));
  drop(new wide);
  char *volatile many = new char[100];
  delete[] many;
  char *volatile quiet = new (std::nothrow) char[7];
  ::operator delete[](quiet, std::nothrow);
  wide *volatile wides = new (std::nothrow) wide[2];
  delete[] wides;
  void *volatile sized = ::operator new(10);
  ::operator delete(sized, 10);
}

extern "C" int plugin_run(int rounds) {
  int caught = 0;
  for (int i = 0; i < rounds; i++) {
    plugin_allocate(i);
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception &) {
      caught++;
    }
    try {
      volatile std::size_t huge = std::size_t(1) << 60;
      char *volatile never = new char[huge];
      delete[] never;
    } catch (const std::bad_alloc &) {
      caught++;
    }
  }
  return caught;
}

static long batch_ns(int rounds) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; i++) {
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception &) {
    }
  }
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
  return static_cast<long>(took.count() / rounds);
}

// Nanoseconds that a throw and its catch take, in the batch of 100 that was disturbed least.
extern "C" long plugin_throw_ns(int rounds) {
  long least = 0;
  for (int done = 0; done < rounds; done += 100) {
    const long took = batch_ns(100);
    if (least == 0 || took < least) least = took;
  }
  return least;
}
