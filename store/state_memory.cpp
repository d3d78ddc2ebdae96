// A tier in memory, for functions that run without a store. One mutex: nothing here waits.
#include <algorithm>
#include <map>
#include <mutex>

#include "store/state_cost.hpp"

namespace krait::store {

namespace {

class MemoryState final : public StateTier {
 public:
  explicit MemoryState(StateOptions options) : options_(options) {}

  StateResult<std::optional<StateInfo>> info(const StateKey& key) override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.version == 0) return std::optional<StateInfo>();
    return std::optional(found->second.info());
  }

  StateResult<std::optional<Piece>> read(const StateKey& key, uint64_t offset, uint64_t length) override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.version == 0) return std::optional<Piece>();
    const Entry& entry = found->second;
    Piece piece{entry.info(), {}};
    if (offset < entry.value.size()) {
      const auto first = entry.value.begin() + static_cast<ptrdiff_t>(offset);
      piece.bytes.assign(first, first + static_cast<ptrdiff_t>(std::min<uint64_t>(length, entry.value.size() - offset)));
    }
    return std::optional(std::move(piece));
  }

  StateResult<std::vector<Bytes>> read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes) override {
    const std::lock_guard lock(mutex_);
    std::vector<Bytes> elements;
    const auto found = entries_.find(key);
    if (found == entries_.end()) return elements;
    uint64_t bytes = 0;
    const std::vector<Bytes>& log = found->second.log;
    for (uint64_t i = first; i < log.size() && elements.size() < count && bytes <= max_bytes; i++) {
      elements.push_back(log[i]);
      bytes += log[i].size();
    }
    return elements;
  }

  StateResult<std::vector<StateEntry>> list(const std::string& user, StateKind kind, const std::string& prefix) override {
    const std::lock_guard lock(mutex_);
    std::vector<StateEntry> entries;
    for (const auto& [key, entry] : entries_)
      if (key.user == user && key.kind == kind && key.key.starts_with(prefix) && entry.version != 0)
        entries.push_back({key.key, entry.value.size()});
    return entries;
  }

  [[nodiscard]] bool waits() const override { return false; }

  void submit(StateChange change, StateDone done) override {
    StateResult<StateInfo> result = [&] {
      const std::lock_guard lock(mutex_);
      return make(change);
    }();
    done(std::move(result));
  }

 private:
  struct Entry {
    Bytes value;
    uint64_t version = 0;
    std::vector<Bytes> log;
    uint64_t log_bytes = 0;
    [[nodiscard]] StateInfo info() const { return {value.size(), version}; }
    [[nodiscard]] uint64_t cost() const { return StateKeyCost + value.size() + log_bytes + StateElementCost * log.size(); }
  };

  StateResult<StateInfo> make(StateChange& change) {
    using What = StateChange::What;
    if (change.what == What::Nothing) return StateInfo{};
    if (auto refused = refuse(change, options_)) return *refused;
    const auto found = entries_.find(change.key);
    const uint64_t before = found == entries_.end() ? 0 : found->second.cost();
    uint64_t& sum = sums_[change.key.user];
    if (change.what == What::Delete || (change.what == What::ClearLog && found != entries_.end() && found->second.version == 0)) {
      sum -= before;
      if (found != entries_.end()) entries_.erase(found);
      return StateInfo{};
    }
    if (change.what == What::ClearLog && found == entries_.end()) return StateInfo{};
    const uint64_t after = cost_after(change, found == entries_.end() ? nullptr : &found->second);
    if (after > before && (after > options_.user_bytes || sum - before > options_.user_bytes - after))
      return full_error(change.key.user, sum, options_);
    Entry& entry = entries_[change.key];
    if (change.what == What::Write) write(change, entry);
    if (change.what == What::Append) {
      entry.log.push_back(change.ranges.empty() ? Bytes() : std::move(change.ranges[0].bytes));
      entry.log_bytes += entry.log.back().size();
    }
    if (change.what == What::ClearLog) entry.log.clear(), entry.log_bytes = 0;
    sum = sum - before + entry.cost();
    return entry.info();
  }

  static uint64_t cost_after(const StateChange& change, const Entry* entry) {
    const uint64_t cost = entry ? entry->cost() : StateKeyCost, size = entry ? entry->value.size() : 0;
    if (change.what == StateChange::What::Append) return cost + StateElementCost + (change.ranges.empty() ? 0 : change.ranges[0].bytes.size());
    return change.what == StateChange::What::Write ? cost - size + size_after(change, size) : cost;
  }

  void write(const StateChange& change, Entry& entry) {
    if (change.cut && *change.cut < entry.value.size()) entry.value.resize(*change.cut);
    if (change.size) entry.value.resize(*change.size);
    entry.value.resize(size_after(change, entry.value.size()));
    for (const auto& range : change.ranges)
      std::copy(range.bytes.begin(), range.bytes.end(), entry.value.begin() + static_cast<ptrdiff_t>(range.offset));
    entry.version = next_version_++;
  }

  const StateOptions options_;
  std::mutex mutex_;  // guards what follows
  std::map<StateKey, Entry> entries_;
  std::map<std::string, uint64_t> sums_;
  uint64_t next_version_ = 1;
};

}  // namespace

std::shared_ptr<StateTier> memory_state(StateOptions options) { return std::make_shared<MemoryState>(options); }

}  // namespace krait::store
