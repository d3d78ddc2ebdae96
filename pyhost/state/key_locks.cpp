// First in, first out: a lock is handed over on release, to the first that waits, and with a reader to all readers behind it.
//
// Invariants
//  1. A waiter is in its entry's queue, or granted; mutex_ decides which, so a timeout and a grant cannot both win.
//  2. The head of a queue cannot be granted yet: whoever takes something away calls advance().
//  3. waiting_, holdings_ and the entries are the graph of who waits for whom. A wait that would close a cycle is refused, where
//     SearchSteps steps find that out; who holds nothing cannot close one, and most who wait hold nothing.
#include "pyhost/state/key_locks.hpp"

#include <algorithm>
#include <utility>

namespace krait::pyhost {

using store::StateKey;

namespace {
constexpr unsigned SearchSteps = 1'000;  // under the mutex that all keys share
constexpr int OwnTimeout = 1;           // not the coroutine's deadline
}

IoResult<void> KeyLocks::lock(const StateKey& key, Holder holder, bool write, io::Deadline deadline, Waiter* waiter) {
  Ticket ticket{key, holder, write, false, {}};
  io::Future<int> future = ticket.promise.future();
  {
    const std::lock_guard lock(mutex_);
    const auto at = table_.try_emplace(key).first;
    Entry& entry = at->second;
    if (entry.writer == holder) return Errno::DeadLk;
    if (const auto mine = entry.readers.find(holder); mine != entry.readers.end()) {
      if (write) return Errno::DeadLk;
      mine->second++;
      holdings_[holder].push_back(key);
      return {};
    }
    if (entry.queue.empty() && entry.free_for(write)) {
      grant(entry, ticket);
      return {};
    }
    if (would_deadlock(entry, holder)) return Errno::DeadLk;
    entry.queue.push_back(&ticket);
    waiting_[holder] = &entry;
  }
  return wait(ticket, std::move(future), deadline, waiter);
}

IoResult<void> KeyLocks::wait(Ticket& ticket, io::Future<int> future, io::Deadline deadline, Waiter* waiter) {
  const auto until = [&] {
    const int error = future.wait(deadline);
    return error == -ETIMEDOUT && deadline.passed() ? OwnTimeout : error;
  };
  const int error = waiter ? waiter->wait_with(until) : until();
  const std::lock_guard lock(mutex_);
  if (ticket.granted) return {};  // also where the timeout or the cancel came at the same time
  waiting_.erase(ticket.holder);
  const auto at = table_.find(ticket.key);
  std::erase(at->second.queue, &ticket);
  advance(at);
  if (error == OwnTimeout) return Errno::TimedOut;
  return error == -ECANCELED ? Errno::Canceled : Errno::Intr;
}

/// To one who is in no queue any more.
void KeyLocks::grant(Entry& entry, Ticket& ticket) {
  if (ticket.write) entry.writer = ticket.holder;
  else entry.readers[ticket.holder] = 1;
  ticket.granted = true;
  holdings_[ticket.holder].push_back(ticket.key);
}

/// Grants to those in front whose turn it is; drops an entry that nobody needs.
void KeyLocks::advance(Table::iterator at) {
  Entry& entry = at->second;
  while (!entry.queue.empty() && entry.free_for(entry.queue.front()->write)) {
    Ticket& ticket = *entry.queue.front();
    entry.queue.pop_front();
    waiting_.erase(ticket.holder);
    grant(entry, ticket);
    ticket.promise.set(0);  // its owner needs mutex_ before it can go
  }
  if (entry.idle()) table_.erase(at);
}

IoResult<void> KeyLocks::unlock(const StateKey& key, Holder holder, bool write) {
  const std::lock_guard lock(mutex_);
  const auto at = table_.find(key);
  if (at == table_.end()) return Errno::Perm;
  Entry& entry = at->second;
  if (write) {
    if (entry.writer != holder) return Errno::Perm;
    entry.writer = 0;
  } else {
    const auto mine = entry.readers.find(holder);
    if (mine == entry.readers.end()) return Errno::Perm;
    if (--mine->second == 0) entry.readers.erase(mine);
  }
  forget(key, holder);
  advance(at);
  return {};
}

void KeyLocks::forget(const StateKey& key, Holder holder) {
  const auto mine = holdings_.find(holder);
  const auto one = std::find(mine->second.begin(), mine->second.end(), key);
  *one = std::move(mine->second.back());
  mine->second.pop_back();
  if (mine->second.empty()) holdings_.erase(mine);
}

void KeyLocks::release(Holder holder) {
  const std::lock_guard lock(mutex_);
  const auto mine = holdings_.extract(holder);
  if (mine.empty()) return;
  for (const StateKey& key : mine.mapped()) {
    const auto at = table_.find(key);
    if (at == table_.end()) continue;  // a read lock taken twice: gone with the first
    if (at->second.writer == holder) at->second.writer = 0;
    at->second.readers.erase(holder);
    advance(at);
  }
}

/// Whether one of those that `holder` would wait for in `entry` waits, over any others, for `holder`.
bool KeyLocks::would_deadlock(const Entry& entry, Holder holder) const {
  if (!holdings_.contains(holder)) return false;
  std::set<Holder> seen;
  std::vector<std::pair<const Entry*, Holder>> open{{&entry, holder}};  // an entry, and who waits there
  unsigned steps = 0;
  bool found = false;
  const auto meet = [&](Holder other) {
    found = found || other == holder;
    const auto next = waiting_.find(other);
    if (next != waiting_.end() && seen.insert(other).second) open.emplace_back(next->second, other);
    return !found && ++steps < SearchSteps;
  };
  while (!open.empty() && !found && steps < SearchSteps) {
    const auto [at, who] = open.back();
    open.pop_back();
    if (at->writer != 0 && !meet(at->writer)) break;
    for (const auto& [reader, count] : at->readers)
      if (!meet(reader)) break;
    for (const Ticket* ticket : at->queue)
      if (ticket->holder == who || !meet(ticket->holder)) break;
  }
  return found;
}

size_t KeyLocks::held() const {
  const std::lock_guard lock(mutex_);
  return table_.size();
}

}  // namespace krait::pyhost
