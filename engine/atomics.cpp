// The parking lot: buckets of waiting threads by address.
//
// Invariants.
//  1. A waiter compares the memory and enters its bucket's list under the bucket's mutex; notify takes
//     the same mutex. So a value written before a notify is either seen by the comparison or the waiter is woken.
//  2. A store with on_yield shares its thread with others: its waiter does not block, but gives way until it was woken.
//  3. A waiter lives on its thread's stack and is in the list exactly while `queued`, which the mutex guards.
#include "engine/atomics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>

namespace krait::engine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto PollInterval = std::chrono::milliseconds(10);

struct Waiter {
  const std::byte* at;
  std::condition_variable wake;
  bool queued = true;
};

struct Bucket {
  std::mutex mutex;
  std::list<Waiter*> waiters;
};

Bucket& bucket_of(const std::byte* at) {
  static std::array<Bucket, 256> buckets;
  const auto key = reinterpret_cast<uintptr_t>(at) >> 2;
  return buckets[(key * 0x9e3779b97f4a7c15u) >> 56];
}

Clock::time_point deadline_after(int64_t timeout_ns) {
  const auto now = Clock::now();
  const auto most = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::time_point::max() - now).count();
  return timeout_ns < 0 || timeout_ns >= most ? Clock::time_point::max() : now + std::chrono::nanoseconds(timeout_ns);
}

}  // namespace

template <typename T>
WaitResult atomic_wait(Context& context, const std::byte* at, T expected, int64_t timeout_ns) {
  const Clock::time_point deadline = deadline_after(timeout_ns);
  Bucket& bucket = bucket_of(at);
  std::unique_lock lock(bucket.mutex);
  if (__atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_SEQ_CST) != expected) return WaitResult::NotEqual;
  Waiter waiter{at, {}};
  const auto place = bucket.waiters.insert(bucket.waiters.end(), &waiter);
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (!waiter.queued) return WaitResult::Woken;
    if (now >= deadline) {
      bucket.waiters.erase(place);
      return WaitResult::TimedOut;
    }
    if (context.interrupt.load(std::memory_order_relaxed)) {
      lock.unlock();  // the poll may run anything, another wait too
      const bool go_on = context.store->poll(context);
      lock.lock();
      if (!go_on) {
        if (waiter.queued) bucket.waiters.erase(place);
        return WaitResult::Interrupted;
      }
      continue;
    }
    if (context.store->on_yield) {  // the thread has other guests to run: a turn for them, and perhaps the notify comes from one
      lock.unlock();
      context.store->on_yield();
      lock.lock();
      continue;
    }
    waiter.wake.wait_until(lock, deadline - now > PollInterval ? now + PollInterval : deadline);
  }
}
template WaitResult atomic_wait(Context&, const std::byte*, uint32_t, int64_t);
template WaitResult atomic_wait(Context&, const std::byte*, uint64_t, int64_t);

uint32_t atomic_notify(const std::byte* at, uint32_t count) {
  Bucket& bucket = bucket_of(at);
  std::lock_guard lock(bucket.mutex);
  uint32_t woken = 0;
  for (auto it = bucket.waiters.begin(); it != bucket.waiters.end() && woken < count;) {
    Waiter& waiter = **it;
    if (waiter.at != at) {
      ++it;
      continue;
    }
    it = bucket.waiters.erase(it);
    waiter.queued = false;
    waiter.wake.notify_one();  // under the mutex: the waiter's frame is gone once it sees `queued`
    ++woken;
  }
  return woken;
}

}  // namespace krait::engine
