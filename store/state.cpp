// The global tier on disk: one LMDB environment, written by one committer thread.
//
// LMDB, since pushes of a large value cost one write where a write-ahead log costs two (HACKING.md has the figures), and
// readers take the bytes from the page cache. A value is cut into chunks under its number, so a range rewrites what it
// touches; a chunk that is not there, or is shorter than its place, reads as zeros.
//
// Invariants
//  1. Only the committer opens write transactions: LMDB's lock, shared between processes, may take long.
//  2. All changes that wait are one transaction (group commit), made durable by one commit; only then are they reported.
//     Where one of them fails at LMDB's hands each is tried again by itself.
//  3. A change checks what can be refused before it writes.
//  4. No chunk holds bytes beyond its value's size: a value that grows again shows zeros.
//  5. A read transaction lives for one call, so old pages are free again soon.
#include <lmdb.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "store/function_store.hpp"
#include "store/state_cost.hpp"
#include "store/state_tables.hpp"

namespace krait::store {

namespace {

constexpr uint64_t MaxBatchBytes = uint64_t{64} << 20;
constexpr unsigned MaxReaders = 510;

struct Job {
  StateChange change;
  StateDone done;
};

uint64_t bytes_in(const StateChange& change) {
  uint64_t sum = 0;
  for (const auto& range : change.ranges) sum += range.bytes.size();
  return sum;
}

class LmdbStore final : public StateStore {
 public:
  ~LmdbStore() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    added_.notify_all();
    if (committer_.joinable()) committer_.join();
    if (env_) mdb_env_close(env_);
  }

  Result<void> start(const std::filesystem::path& folder, const StateOptions& options) {
    options_ = options;
    const auto failed = [&](const char* what, int code) {
      return Error{std::string(what) + " the state in " + folder.string() + ": " + mdb_strerror(code)};
    };
    int code = mdb_env_create(&env_);
    if (code == 0) code = mdb_env_set_mapsize(env_, options.map_bytes);
    if (code == 0) code = mdb_env_set_maxdbs(env_, 4);
    if (code == 0) code = mdb_env_set_maxreaders(env_, MaxReaders);
    if (code == 0) code = mdb_env_open(env_, folder.c_str(), MDB_NOTLS, 0600);
    if (code != 0) return failed("cannot open", code);
    drop_dead_readers();
    MDB_txn* txn = nullptr;
    if (code = mdb_txn_begin(env_, nullptr, 0, &txn); code == 0) {
      code = tables_.open(txn);
      if (code == 0) code = mdb_txn_commit(txn);
      else mdb_txn_abort(txn);
    }
    if (code != 0) return failed("cannot make", code);
    committer_ = std::thread([this] { run(); });
    return {};
  }

  StateResult<std::optional<StateInfo>> info(const StateKey& key) override {
    return reading<std::optional<StateInfo>>([&](StateTables::Txn& txn) -> StateResult<std::optional<StateInfo>> {
      return txn.info(key);
    });
  }
  StateResult<std::optional<Piece>> read(const StateKey& key, uint64_t offset, uint64_t length) override {
    return reading<std::optional<Piece>>([&](StateTables::Txn& txn) { return txn.read(key, offset, length); });
  }
  StateResult<std::vector<Bytes>> read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes) override {
    return reading<std::vector<Bytes>>([&](StateTables::Txn& txn) { return txn.read_log(key, first, count, max_bytes); });
  }
  StateResult<std::vector<StateEntry>> list(const std::string& user, StateKind kind, const std::string& prefix) override {
    return reading<std::vector<StateEntry>>([&](StateTables::Txn& txn) { return txn.list(user, kind, prefix); });
  }

  [[nodiscard]] bool waits() const override { return true; }

  void submit(StateChange change, StateDone done) override {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({std::move(change), std::move(done)});
    }
    added_.notify_one();
  }

 private:
  static StateError io_error(int code) {
    const bool full = code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT || code == MDB_TXN_FULL;
    return {full ? StateError::Kind::Full : StateError::Kind::Io, std::string("the state's file: ") + mdb_strerror(code)};
  }

  template <typename T, typename F>
  StateResult<T> reading(F f) {
    MDB_txn* raw = nullptr;
    int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &raw);
    if (code == MDB_READERS_FULL) {
      drop_dead_readers();
      code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &raw);
    }
    if (code != 0) return io_error(code);
    StateTables::Txn txn(tables_, raw, options_);
    StateResult<T> result = f(txn);
    mdb_txn_abort(raw);
    if (txn.code() != 0) return io_error(txn.code());
    return result;
  }

  /// Slots of processes that were killed: each would keep the pages of its transaction from being used again.
  void drop_dead_readers() {
    int dead = 0;
    (void)mdb_reader_check(env_, &dead);
  }

  void run() {
    for (;;) {
      std::vector<Job> batch;
      {
        std::unique_lock lock(mutex_);
        added_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        for (uint64_t bytes = 0; !waiting_.empty() && bytes < MaxBatchBytes; waiting_.pop_front()) {
          bytes += bytes_in(waiting_.front().change);
          batch.push_back(std::move(waiting_.front()));
        }
      }
      commit(batch);
      if (++commits_ % 4096 == 0) drop_dead_readers();
    }
  }

  void commit(std::span<Job> batch) {
    std::vector<StateResult<StateInfo>> results;
    MDB_txn* raw = nullptr;
    int code = mdb_txn_begin(env_, nullptr, 0, &raw);
    if (code == 0) {
      StateTables::Txn txn(tables_, raw, options_);
      for (const Job& job : batch) results.push_back(txn.apply(job.change));
      code = txn.finish();
      if (code == 0) code = mdb_txn_commit(raw);
      else mdb_txn_abort(raw);
    }
    if (code != 0 && batch.size() > 1) {
      for (Job& job : batch) commit({&job, 1});
      return;
    }
    for (size_t i = 0; i < batch.size(); i++) {
      if (code != 0) batch[i].done(io_error(code));
      else batch[i].done(std::move(results[i]));
    }
  }

  StateOptions options_;
  MDB_env* env_ = nullptr;
  StateTables tables_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable added_;
  std::deque<Job> waiting_;
  bool stop_ = false;

  uint64_t commits_ = 0;  // the committer's own
  std::thread committer_;
};

}  // namespace

// LMDB's file locks are the process's: a second environment of a folder in one process would release those of the first.
// So this list exists, although it is global.
Result<std::shared_ptr<StateStore>> StateStore::open(const std::filesystem::path& folder, StateOptions options) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<LmdbStore>> open_stores;
  if (auto made = make_folders(folder); !made) return std::move(made.error());
  std::error_code error;
  const std::string name = std::filesystem::canonical(folder, error).string();
  if (error) return Error{"cannot open the state in " + folder.string() + ": " + error.message()};
  const std::lock_guard lock(mutex);
  std::weak_ptr<LmdbStore>& known = open_stores[name];
  if (auto store = known.lock()) return std::shared_ptr<StateStore>(std::move(store));
  auto store = std::make_shared<LmdbStore>();
  if (auto started = store->start(name, options); !started) return std::move(started.error());
  known = store;
  return std::shared_ptr<StateStore>(std::move(store));
}

Result<void> check_state_key(const StateKey& key) {
  if (auto user = check_name("user", key.user); !user) return user;
  if (key.key.empty() || key.key.size() > MaxStateKeyBytes)
    return Error{"a state key has 1 to " + std::to_string(MaxStateKeyBytes) + " bytes, not " + std::to_string(key.key.size())};
  return {};
}

std::optional<StateError> refuse(const StateChange& change, const StateOptions& options) {
  if (auto valid = check_state_key(change.key); !valid) return StateError{StateError::Kind::Full, valid.error().message};
  uint64_t end = change.size.value_or(0);
  for (const auto& range : change.ranges)
    end = std::max(end, range.offset > options.user_bytes ? range.offset : range.offset + range.bytes.size());
  if (end <= options.user_bytes) return std::nullopt;
  return StateError{StateError::Kind::Full, "a value of " + std::to_string(end) + " bytes: a user's state has room for " +
                                                std::to_string(options.user_bytes)};
}

StateError full_error(const std::string& user, uint64_t taken, const StateOptions& options) {
  return {StateError::Kind::Full, "the state of user " + user + " is full: " + std::to_string(taken) + " of " +
                                      std::to_string(options.user_bytes) + " bytes are taken; delete keys"};
}

StateResult<StateInfo> StateTier::apply(StateChange change) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable arrived;
    std::optional<StateResult<StateInfo>> result;
  };
  const auto wait = std::make_shared<Wait>();
  submit(std::move(change), [wait](StateResult<StateInfo> result) {
    const std::lock_guard lock(wait->mutex);
    wait->result = std::move(result);
    wait->arrived.notify_one();
  });
  std::unique_lock lock(wait->mutex);
  wait->arrived.wait(lock, [&] { return wait->result.has_value(); });
  return std::move(*wait->result);
}

}  // namespace krait::store
