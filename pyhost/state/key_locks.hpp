// Locks on state keys, between the calls of all shards.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "io/future.hpp"
#include "pyhost/wait.hpp"
#include "pyhost/wasi_types.hpp"
#include "store/state.hpp"

namespace krait::pyhost {

/// Any number of readers, or one writer. Fair: who waits gets it in the order of asking, so neither readers nor writers starve.
/// Any thread; a wait parks a coroutine, or blocks a thread that is no shard; through the Waiter
/// where one is given.
class KeyLocks {
 public:
  /// A call; numbers are never used twice.
  using Holder = uint64_t;

  /// Errors: TimedOut; Canceled; Intr where the waiter has its guest look at its interrupts; DeadLk where the wait could never end: for a lock that the holder has itself, or for one who
  /// waits, over any others, for a lock of it. A read lock may be taken again while it is held; it is to be given back as often.
  IoResult<void> lock(const store::StateKey& key, Holder holder, bool write, io::Deadline deadline, Waiter* waiter = nullptr);
  /// Perm where the holder has no such lock.
  IoResult<void> unlock(const store::StateKey& key, Holder holder, bool write);
  /// Gives back all that `holder` has. It must not be waiting.
  void release(Holder holder);

  /// Keys that are locked.
  [[nodiscard]] size_t held() const;

 private:
  struct Ticket {
    const store::StateKey& key;
    Holder holder;
    bool write;
    bool granted = false;
    io::Promise<int> promise;
  };
  struct Entry {
    std::map<Holder, uint32_t> readers;  // how often
    Holder writer = 0;
    std::deque<Ticket*> queue;
    [[nodiscard]] bool idle() const { return writer == 0 && readers.empty() && queue.empty(); }
    [[nodiscard]] bool free_for(bool write) const { return writer == 0 && (!write || readers.empty()); }
  };
  using Table = std::map<store::StateKey, Entry>;

  IoResult<void> wait(Ticket& ticket, io::Future<int> future, io::Deadline deadline, Waiter* waiter);
  void grant(Entry& entry, Ticket& ticket);
  void advance(Table::iterator at);
  void forget(const store::StateKey& key, Holder holder);
  [[nodiscard]] bool would_deadlock(const Entry& entry, Holder holder) const;

  mutable std::mutex mutex_;  // guards all; never held across a wait
  Table table_;
  std::map<Holder, std::vector<store::StateKey>> holdings_;  // a key once for each lock taken
  std::map<Holder, const Entry*> waiting_;
};

}  // namespace krait::pyhost
