// Private to calls/: a shard's calls: who waits for a slot, who runs, and the sandboxes that are ready.
//
// Invariants
//  1. All is the shard's thread's, but enqueue() and nudge().
//  2. A call has a slot while it runs or wants to; while it waits it has none, and takes one beyond the limit when it goes
//     on: so calls that wait for one another never hold each other up.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "io/runtime.hpp"
#include "io/scope.hpp"
#include "pyhost/calls/call.hpp"
#include "pyhost/calls/functions.hpp"

namespace krait::pyhost::calls {

struct Core;
class Cell;

class Lane {
 public:
  Lane(Core& core, io::Shard& shard);
  /// Ends its coroutines. From a thread that is no shard's.
  ~Lane();

  /// Any thread.
  void enqueue(std::shared_ptr<Call> call);
  /// Runs `work` in a coroutine here. Any thread.
  void spawn(io::Closure work) { shard_.spawn(scope_, std::move(work), "service"); }
  /// Looks whether `call`, cancelled, is parked or queued here, and wakes it. Any thread.
  void nudge(std::shared_ptr<Call> call);
  [[nodiscard]] size_t load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] io::Shard& shard() { return shard_; }
  [[nodiscard]] Core& core() { return core_; }

  /// Around the waits of a call that runs here.
  void leave_slot();
  void take_slot();

 private:
  void pump();
  void run(const std::shared_ptr<Call>& call);
  std::unique_ptr<Cell> start_and_run(const std::shared_ptr<Call>& call, CallReport& report);
  void refuse(const std::shared_ptr<Call>& call, const char* why);
  Result<std::unique_ptr<Cell>> take_cell(Call& call, const std::shared_ptr<const FunctionStart>& start);
  [[nodiscard]] bool is_wanted(const Cell& cell) const;
  void keep_cell(std::unique_ptr<Cell> cell);
  void count_idle(Cell& cell, int sign);

  Core& core_;
  io::Shard& shard_;
  std::atomic<size_t> load_{0};
  std::deque<std::shared_ptr<Call>> queue_;
  std::unordered_map<CallId, io::Task> tasks_;
  uint32_t running_ = 0;
  uint32_t cells_in_use_ = 0;
  std::list<std::unique_ptr<Cell>> idle_;  // the one used last in front
  uint64_t idle_bytes_ = 0;
  io::Scope scope_;
};

}  // namespace krait::pyhost::calls
