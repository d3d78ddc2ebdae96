// Locks and signals between the coroutines of one shard. They belong to the shard whose coroutines
// use them: no atomics, and an operation that need not wait costs a few instructions and succeeds
// even when its caller is cancelled. Between shards: Future, and Shard::post. All waits: FIFO; 0,
// -ETIMEDOUT, -ECANCELED, or -EPERM outside a coroutine.
#pragma once

#include <cassert>
#include <cstddef>

#include "io/coroutine.hpp"

namespace krait::io {

/// Not recursive. Handed over to the longest waiter on unlock, so nobody starves.
class Mutex {
 public:
  int lock(Deadline deadline = {});
  bool try_lock();
  /// By the owner only.
  void unlock();
  [[nodiscard]] Coroutine* owner() const { return owner_; }

 private:
  Coroutine* owner_ = nullptr;
  WaitQueue waiters_;
};

/// Holds a mutex while it lives. Check it: the lock may have been refused.
class [[nodiscard]] Lock {
 public:
  explicit Lock(Mutex& mutex, Deadline deadline = {})
      : mutex_(mutex), error_(mutex.lock(deadline)) {}
  ~Lock() {
    if (error_ == 0) mutex_.unlock();
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  explicit operator bool() const { return error_ == 0; }
  [[nodiscard]] int error() const { return error_; }

 private:
  Mutex& mutex_;
  const int error_;
};

class Condition {
 public:
  /// Gives up `mutex`, waits to be notified, and has the mutex again on return, whatever the
  /// result.
  int wait(Mutex& mutex, Deadline deadline = {});
  void notify_one() { waiters_.wake_one(); }
  void notify_all() { waiters_.wake_all(); }

 private:
  WaitQueue waiters_;
};

class Semaphore {
 public:
  explicit Semaphore(size_t count) : count_(count) {}
  int acquire(Deadline deadline = {});
  bool try_acquire();
  void release();
  [[nodiscard]] size_t count() const { return count_; }

 private:
  size_t count_;
  WaitQueue waiters_;
};

/// Set once (until reset), seen by all.
class Event {
 public:
  int wait(Deadline deadline = {}) { return set_ ? 0 : waiters_.wait(deadline); }
  void set() {
    set_ = true;
    waiters_.wake_all();
  }
  void reset() { set_ = false; }
  [[nodiscard]] bool is_set() const { return set_; }

 private:
  bool set_ = false;
  WaitQueue waiters_;
};

}  // namespace krait::io
