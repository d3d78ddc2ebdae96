// A shard: one thread, one ring, one scheduler.
//
// Invariants
//  1. Everything of a shard is its own thread's, except the inbox, sleeping_, the slice clock and
//  the eventfd.
//  2. inbox_ is pushed to by anyone and emptied by the owner. A pusher that finds sleeping_ set
//  clears it and wakes the
//     shard, through the ring if it is a shard itself, through the eventfd otherwise. The owner
//     sets sleeping_ and then looks into the inbox once more (both sequentially consistent), so no
//     post is slept through.
//  3. What is posted runs on the loop, outside any coroutine: it must not wait.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "base/result.hpp"
#include "io/coroutine.hpp"
#include "io/scope.hpp"
#include "io/ticker.hpp"

namespace krait::io {

class Ring;
class Runtime;
class Scheduler;
struct Options;

class Shard {
 public:
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// The shard whose thread this is, or null.
  static Shard* current();
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] Runtime& runtime() const { return runtime_; }
  /// The scope that lives as long as the shard. On its thread only.
  [[nodiscard]] Scope& root() { return *root_; }

  /// Starts a coroutine in `scope`, which belongs to this shard and outlives the call, or in
  /// root(). From any thread. If it cannot be started the closure is only destroyed.
  void spawn(Scope& scope, Closure entry, const char* name = "");
  void spawn(Closure entry, const char* name = "");
  /// Runs `work` on the shard's loop soon, outside of any coroutine; it must not wait. From any
  /// thread.
  void post(Closure work);
  /// Runs `work` in a coroutine here and blocks the calling thread, which must be no shard's, until
  /// it is done.
  void run(Closure work);

  /// 1 once the running coroutine's slice is over: whoever computes polls it and then calls
  /// yield(). Valid as long as the shard; to be polled from its thread.
  [[nodiscard]] const std::atomic<uint32_t>* slice_flag() const { return &clock_.expired; }

  /// For io/ itself.
  [[nodiscard]] Ring& ring() { return *ring_; }
  [[nodiscard]] Scheduler& scheduler() { return *scheduler_; }

 private:
  friend class Runtime;
  struct Posted;
  struct Doorbell;
  struct Knock;

  Shard(Runtime& runtime, unsigned index);
  /// Starts the thread; the ring's error if it has none. Blocks until it is known.
  Result<void> start(const Options& options);
  Result<void> prepare(const Options& options);
  void loop();
  void sleep_or_poll();
  void look_at_clock();
  void drain();
  [[nodiscard]] bool ended() const;
  void wake();
  void ring_bell();

  Runtime& runtime_;
  const unsigned index_;
  SliceClock clock_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Scope> root_;
  std::unique_ptr<Scope> service_;  // what run() spawns, so that it works while root() drains
  std::unique_ptr<Doorbell> bell_;
  std::unique_ptr<Knock> knock_;
  int event_ = -1;
  bool stop_ = false;
  int64_t tend_at_ = 0;
  alignas(64) std::atomic<Posted*> inbox_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::thread thread_;
};

}  // namespace krait::io
