// How values and logs lie in LMDB: three tables, and what a transaction does to them. Private to store/state*.cpp.
#pragma once

#include <lmdb.h>

#include <string_view>

#include "store/state.hpp"

namespace krait::store {

/// A value's bytes in one record: with LMDB's page header four pages.
constexpr uint64_t StateChunkBytes = 4 * 4096 - 16;

/// In the table "keys", under user, NUL, kind, key. Numbers are in the machine's own order, which is little-endian.
struct StateRecord {
  uint64_t id = 0;           ///< of its chunks and its log, never given again
  uint64_t size = 0;
  uint64_t version = 0;      ///< 0: there is a log, but no value
  uint64_t log_next = 0;     ///< number of the next element
  uint64_t log_count = 0, log_bytes = 0;
  auto operator<=>(const StateRecord&) const = default;
};

class StateTables {
 public:
  /// Opens the tables, making them in a write transaction. LMDB's code.
  int open(MDB_txn* txn);

  class Txn;

 private:
  MDB_dbi keys_ = 0, chunks_ = 0, log_ = 0;
};

/// A transaction under way. After the first failure of LMDB's, code() has it and nothing else is touched.
class StateTables::Txn {
 public:
  Txn(const StateTables& tables, MDB_txn* txn, const StateOptions& options) : tables_(tables), txn_(txn), options_(options) {}
  [[nodiscard]] int code() const { return code_; }

  std::optional<StateInfo> info(const StateKey& key);
  StateResult<std::optional<StateTier::Piece>> read(const StateKey& key, uint64_t offset, uint64_t length);
  StateResult<std::vector<Bytes>> read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes);
  StateResult<std::vector<StateEntry>> list(const std::string& user, StateKind kind, const std::string& prefix);

  /// A change that is refused has changed nothing.
  StateResult<StateInfo> apply(const StateChange& change);
  /// To be called before the commit.
  int finish();

 private:
  struct Counters {
    uint64_t next_id, next_version;
  };
  struct Keyed {
    uint64_t id, number;  // big-endian: LMDB sorts bytes
  };
  static Keyed keyed(uint64_t id, uint64_t number);

  template <typename T>
  bool get(std::string_view name, T& to);
  template <typename T>
  void put(std::string_view name, const T& from);
  bool ok(int code);

  Counters& counters();
  std::optional<StateError> charge(const StateKey& key, uint64_t before, uint64_t after);
  StateResult<StateInfo> write(const StateChange& change, const std::string& name, StateRecord record, bool known);
  StateResult<StateInfo> append(const StateChange& change, const std::string& name, StateRecord record, bool known);
  StateResult<StateInfo> clear_log(const StateChange& change, const std::string& name, StateRecord record);
  StateResult<StateInfo> remove(const StateChange& change, const std::string& name, const StateRecord& record);
  void write_range(uint64_t id, const StateChange::Range& range);
  void write_chunk(uint64_t id, uint64_t index, uint64_t within, std::span<const std::byte> bytes);
  void cut(uint64_t id, uint64_t size);
  void drop_from(MDB_dbi table, uint64_t id, uint64_t number);

  const StateTables& tables_;
  MDB_txn* txn_;
  const StateOptions& options_;
  int code_ = 0;
  std::optional<Counters> counters_;
};

}  // namespace krait::store
