// SPDX-License-Identifier: Apache-2.0
// No deadlock, in what C++ has beside mutexes: a queue on std::condition_variable_any, call_once
// that takes a mutex, counting_semaphore and latch between threads, jthread, and std::lock in
// either order.
#include <condition_variable>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <thread>
#include <vector>

static std::mutex setup, left, right;
static std::shared_mutex queue_lock;
static std::condition_variable_any filled;
static std::vector<int> queue;
static std::once_flag once;
static std::counting_semaphore<8> slots(2);
static std::latch started(4);
static int made;

static void make() {
  std::lock_guard guard(setup);
  made++;
}

static void produce() {
  started.arrive_and_wait();
  for (int i = 0; i < 100; i++) {
    std::call_once(once, make);
    slots.acquire();
    {
      std::unique_lock guard(queue_lock);
      queue.push_back(i);
    }
    filled.notify_one();
    std::scoped_lock both(left, right);
  }
}

static void consume(std::stop_token stop, int *taken) {
  started.arrive_and_wait();
  std::shared_lock guard(queue_lock);
  while (filled.wait(guard, stop, [] { return !queue.empty(); })) {
    guard.unlock();
    {
      std::unique_lock alone(queue_lock);
      if (!queue.empty()) {
        queue.pop_back();
        ++*taken;
        slots.release();
      }
    }
    std::lock(right, left);
    right.unlock();
    left.unlock();
    guard.lock();
  }
}

int main() {
  int taken[2] = {0, 0};
  {
    std::jthread consumers[2] = {std::jthread(consume, &taken[0]),
                                 std::jthread(consume, &taken[1])};
    { std::jthread producers[2] = {std::jthread(produce), std::jthread(produce)}; }
    for (;;) {
      std::unique_lock guard(queue_lock);
      if (queue.empty()) break;
      guard.unlock();
      std::this_thread::yield();
    }
  }
  return made == 1 && taken[0] + taken[1] == 200 ? 0 : 1;
}
