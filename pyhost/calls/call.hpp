// Private to calls/: a call from its submit to the end of its result, and the table of them all.
//
// Invariants
//  1. A call is owned by the table, by its lane while it is queued or runs, and by whoever is looking at it.
//  2. `mutex` guards what is marked so and is never held across a switch. The rest is set before the call is shared, or
//     belongs to the lane's thread.
//  3. The report is written by the lane before `state` becomes Ended, and never after.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "io/future.hpp"
#include "pyhost/calls/service.hpp"

namespace krait::pyhost::calls {

class Lane;
struct FunctionVersion;
struct Call;

/// What all calls that came from one submit() share.
struct Chain {
  std::atomic<uint64_t> calls{0};  ///< the first one not counted
  std::atomic<uint64_t> live{0};   ///< calls that have not ended, the first one counted
  std::atomic<uint64_t> bytes{0};  ///< held: chained calls' inputs and results, and what calls that wait have grown by
  uint64_t max_calls = 0;
  uint64_t max_depth = 0;
  uint64_t max_bytes = 0;
  std::weak_ptr<Call> first;

  /// Counts `more` bytes as held; false, and counts nothing, where that would be too many.
  bool hold(uint64_t more);
};

struct Call {
  CallId id = 0;
  CallSpec spec;
  CallLimits limits;
  std::shared_ptr<FunctionVersion> function;
  std::shared_ptr<Chain> chain;
  uint32_t depth = 0;
  uint64_t submitted_ns = 0;
  Lane* lane = nullptr;

  std::mutex mutex;
  CallState state = CallState::Queued;                    // guarded
  std::vector<std::shared_ptr<io::FutureCore>> watchers;  // guarded; each is set at the end
  std::vector<std::weak_ptr<Call>> children;              // guarded
  std::atomic<bool> cancelled{false};
  CallReport report;
  uint64_t held = 0;  ///< of chain->bytes: its input, then its result; of the thread that makes it, then of its lane's

  ~Call();
  [[nodiscard]] bool chained() const { return depth != 0; }
  /// Registers a watcher; false where the call has ended.
  bool watch(const std::shared_ptr<io::FutureCore>& watcher);
  void unwatch(const std::shared_ptr<io::FutureCore>& watcher);
  [[nodiscard]] bool ended();
};

uint64_t monotonic_ns();

/// What the results of calls that have ended may take until somebody reads them; each but the first for one user's.
struct ResultLimits {
  std::chrono::nanoseconds ttl;
  uint64_t count, bytes;
};

/// Calls by id. Thread-safe.
class CallTable {
 public:
  explicit CallTable(const ResultLimits& limits) : limits_(limits) {}
  /// Gives the call its id.
  void add(const std::shared_ptr<Call>& call);
  /// Null where there is none, or its time is over.
  std::shared_ptr<Call> find(CallId id);
  /// It has ended: it is dropped `ttl` from now, and sooner where its user's results are too many or too large: the oldest go
  /// first. Those of chained calls are their chain's affair.
  void expire_later(const std::shared_ptr<Call>& call);
  /// Drops what is due; few at a time.
  void sweep();
  bool drop(CallId id);
  std::vector<std::shared_ptr<Call>> all();

 private:
  struct Due {
    uint64_t at;
    CallId id;
  };
  struct Entry {
    std::shared_ptr<Call> call;
    uint64_t bytes = 0;
    bool ended = false, counted = false;     // what follows is set where it has ended; of_user where it is counted
    std::list<Due>::iterator due = {};
    std::list<CallId>::iterator of_user = {};
  };
  struct User {
    uint64_t bytes = 0;
    std::list<CallId> results;  // the oldest in front
  };
  using Entries = std::unordered_map<CallId, Entry>;
  void sweep_locked(uint64_t now, size_t most);
  void erase_locked(Entries::iterator entry);

  const ResultLimits limits_;
  std::mutex mutex_;
  CallId last_ = 0;
  Entries calls_;
  std::list<Due> due_;  // the one due first in front
  std::unordered_map<std::string, User> users_;  // who has results that are counted
};

}  // namespace krait::pyhost::calls
