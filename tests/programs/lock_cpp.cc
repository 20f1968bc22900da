// SPDX-License-Identifier: Apache-2.0
// Feasible deadlocks on std::mutex (plain_a, plain_b) and std::shared_mutex (shared_a, shared_b), a
// bounded one on std::timed_mutex (timed_a, timed_b), and none on safe_a, safe_b, which
// std::scoped_lock takes in either order.
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>

static std::mutex plain_a, plain_b, safe_a, safe_b;
static std::shared_mutex shared_a, shared_b;
static std::timed_mutex timed_a, timed_b;
static std::atomic<int> step;

static void take_all(bool back) {
  {
    std::lock_guard first(back ? plain_b : plain_a);
    std::lock_guard second(back ? plain_a : plain_b);
  }
  {
    std::shared_lock reader(back ? shared_b : shared_a);
    std::unique_lock writer(back ? shared_a : shared_b);
  }
  {
    std::lock_guard first(back ? timed_b : timed_a);
    std::timed_mutex &second = back ? timed_a : timed_b;
    if (second.try_lock_for(std::chrono::seconds(5))) second.unlock();
  }
  if (back)
    std::scoped_lock both(safe_b, safe_a);
  else
    std::scoped_lock both(safe_a, safe_b);
}

static void run(int turn) {
  while (step != turn) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  take_all(turn == 2);
  step = turn + 1;
}

int main() {
  std::thread forth(run, 1), back(run, 2);
  step = 1;
  forth.join();
  back.join();
}
