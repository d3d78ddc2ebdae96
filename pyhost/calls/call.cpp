// Results are dropped in the order of their ends, which is the order of their times: a queue is all it takes.
#include "pyhost/calls/call.hpp"

#include <algorithm>

#include "io/time.hpp"

namespace krait::pyhost::calls {

uint64_t monotonic_ns() { return static_cast<uint64_t>(io::now_ns()); }

bool Chain::hold(uint64_t more) {
  uint64_t now = bytes.load(std::memory_order_relaxed);
  do {
    if (more > max_bytes || now > max_bytes - more) return false;
  } while (!bytes.compare_exchange_weak(now, now + more, std::memory_order_relaxed));
  return true;
}

Call::~Call() {
  if (chain) chain->bytes -= held;
}

bool Call::watch(const std::shared_ptr<io::FutureCore>& watcher) {
  const std::lock_guard lock(mutex);
  if (state == CallState::Ended) return false;
  watchers.push_back(watcher);
  return true;
}

void Call::unwatch(const std::shared_ptr<io::FutureCore>& watcher) {
  const std::lock_guard lock(mutex);
  std::erase(watchers, watcher);
}

bool Call::ended() {
  const std::lock_guard lock(mutex);
  return state == CallState::Ended;
}

void CallTable::add(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(mutex_);
  do last_ = last_ == INT32_MAX ? 1 : last_ + 1;
  while (calls_.contains(last_));
  call->id = call->report.id = last_;
  calls_.emplace(last_, Entry{call});
  sweep_locked(monotonic_ns(), 4);
}

std::shared_ptr<Call> CallTable::find(CallId id) {
  const std::lock_guard lock(mutex_);
  sweep_locked(monotonic_ns(), SIZE_MAX);
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second.call;
}

void CallTable::expire_later(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(call->id);
  if (found == calls_.end() || found->second.call != call) return;
  Entry& entry = found->second;
  entry.ended = true;
  entry.due = due_.insert(due_.end(), {monotonic_ns() + static_cast<uint64_t>(limits_.ttl.count()), call->id});
  if (call->depth != 0) return;
  const CallReport& report = call->report;
  entry.bytes = report.output.size() + report.out.size() + report.err.size() + report.error.size();
  if (report.failure) entry.bytes += report.failure->message.size() + report.failure->traceback.size();
  User& user = users_[call->spec.user];
  entry.of_user = user.results.insert(user.results.end(), call->id);
  entry.counted = true;
  user.bytes += entry.bytes;
  // The newest stays, however large: its size has a limit of its own.
  while (user.results.size() > 1 && (user.results.size() > limits_.count || user.bytes > limits_.bytes))
    erase_locked(calls_.find(user.results.front()));
}

void CallTable::erase_locked(Entries::iterator at) {
  const Entry& entry = at->second;
  if (entry.ended) due_.erase(entry.due);
  if (entry.counted) {
    const auto user = users_.find(entry.call->spec.user);
    user->second.bytes -= entry.bytes;
    user->second.results.erase(entry.of_user);
    if (user->second.results.empty()) users_.erase(user);
  }
  calls_.erase(at);
}

void CallTable::sweep() {
  const std::lock_guard lock(mutex_);
  sweep_locked(monotonic_ns(), SIZE_MAX);
}

void CallTable::sweep_locked(uint64_t now, size_t most) {
  for (; most > 0 && !due_.empty() && due_.front().at <= now; --most) erase_locked(calls_.find(due_.front().id));
}

bool CallTable::drop(CallId id) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end() || !found->second.call->ended()) return false;
  erase_locked(found);
  return true;
}

std::vector<std::shared_ptr<Call>> CallTable::all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Call>> all;
  for (const auto& [id, entry] : calls_) all.push_back(entry.call);
  return all;
}

}  // namespace krait::pyhost::calls
