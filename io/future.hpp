// A value that someone will have later: between coroutines, shards and plain threads.
#pragma once

#include <atomic>
#include <cassert>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "io/coroutine.hpp"

namespace krait::io {

/// What a promise and its future share, but for the value.
///
/// Invariants
///  1. mutex_ guards all members and is never held across a switch.
///  2. waiter_ is set and cleared by the waiting coroutine's shard only; the setter posts to that
///  shard, and what arrives
///     there finds the waiter or null.
class FutureCore : public std::enable_shared_from_this<FutureCore> {
 public:
  /// The first call counts. From any thread.
  void set(int status);
  int wait(Deadline deadline);
  [[nodiscard]] bool done() const;

 private:
  struct Waiter;
  void deliver();

  mutable std::mutex mutex_;
  std::condition_variable threads_;
  Waiter* waiter_ = nullptr;
  Shard* shard_ = nullptr;
  int status_ = 0;
  bool done_ = false;
};

template <typename T>
class Promise;

/// The waiting side; one coroutine or one thread waits. To be moved, not copied.
template <typename T>
class Future {
 public:
  Future() = default;
  /// Parks the coroutine, or blocks a thread that is no shard, until the value is there. 0,
  /// -ETIMEDOUT, -ECANCELED, or -EPIPE if the promise died without one.
  int wait(Deadline deadline = {}) { return state_->wait(deadline); }
  [[nodiscard]] bool done() const { return state_->done(); }
  /// The value, once, after wait() returned 0.
  T take() {
    assert(state_->value);
    return std::move(*state_->value);
  }

 private:
  friend class Promise<T>;
  struct State : FutureCore {
    std::optional<T> value;
  };
  explicit Future(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// The setting side; from any thread. To be moved, not copied.
template <typename T>
class Promise {
 public:
  Promise() : state_(std::make_shared<typename Future<T>::State>()) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Promise() {
    if (state_) state_->set(-EPIPE);
  }
  /// To be called once, before set().
  Future<T> future() { return Future<T>(state_); }
  void set(T value) {
    state_->value.emplace(std::move(value));
    state_->set(0);
    state_.reset();
  }

 private:
  std::shared_ptr<typename Future<T>::State> state_;
};

}  // namespace krait::io
