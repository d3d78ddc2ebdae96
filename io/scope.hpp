// Structure: no coroutine outlives the scope that it was spawned in.
#pragma once

#include <atomic>
#include <cstddef>

#include "io/coroutine.hpp"

namespace krait::io {

class Fiber;

/// Owns coroutines of one shard. Cancelling it cancels them and its nested scopes. Ends by cancel
/// and join.
///
/// Thread-safety: everything may be called on the scope's shard. From other threads that are no
/// shard: the constructor with a shard, cancel, join, the destructor, and Shard::spawn into it;
/// they block the calling thread, so never from another shard (spawn there instead).
class Scope {
 public:
  /// Nested in the scope of the running coroutine, on whose stack it should live.
  Scope();
  /// A scope of its own on `shard`.
  explicit Scope(Shard& shard);
  /// Cancels and waits for all to end, however long they take, ignoring cancels of the caller
  /// itself.
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Starts a coroutine; it first runs when the caller parks or yields. Invalid if the scope was
  /// cancelled (then the closure is only destroyed) or no stack is to be had. On the scope's shard
  /// only.
  Task spawn(Closure entry, const char* name = "");
  /// Cancels all coroutines in it, now and to come.
  void cancel();
  /// Waits until no coroutine is left in it. 0, -ETIMEDOUT or -ECANCELED (of the caller).
  int join(Deadline deadline = {});

  [[nodiscard]] bool cancelled() const { return cancelled_; }
  /// How many coroutines live in it, nested scopes not counted. On the scope's shard only.
  [[nodiscard]] size_t live() const { return live_; }
  [[nodiscard]] Shard& shard() const { return shard_; }
  /// Visits each coroutine. `visit` must not park. On the scope's shard only.
  template <typename F>
  void for_each(F&& visit) {
    for_each_erased([](Coroutine& coroutine, void* f) { (*static_cast<F*>(f))(coroutine); },
                    &visit);
  }

 private:
  friend class Scheduler;
  friend class Shard;
  struct Child : ListNode {
    Scope* scope = nullptr;
  };
  void enter(Fiber& fiber);
  void leave(Fiber& fiber);
  void cancel_here();
  int join_here(Deadline deadline);
  void spawn_posted(Closure entry, const char* name);
  [[nodiscard]] bool on_shard() const;
  [[nodiscard]] bool empty() const {
    return live_ == 0 && posted_.load(std::memory_order_acquire) == 0;
  }
  void for_each_erased(void (*visit)(Coroutine&, void*), void* argument);

  Shard& shard_;
  Child self_;  // in the parent's children_
  List<Child> children_;
  List<Fiber> fibers_;
  WaitQueue emptied_;
  size_t live_ = 0;
  std::atomic<size_t> posted_{0};  // spawns from other threads on their way
  bool cancelled_ = false;
};

}  // namespace krait::io
