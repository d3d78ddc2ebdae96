// Values and logs in LMDB's terms. The table "keys" also holds two counters, and each user's sum, under names that no user has.
#include "store/state_tables.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "store/state_cost.hpp"

namespace krait::store {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view CountersName = "\x01";

MDB_val val(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

std::string name_of(const std::string& user, StateKind kind, std::string_view key) {
  std::string name = user;
  name += '\0';
  name += static_cast<char>(kind);
  name += key;
  return name;
}

uint64_t cost_of(const StateRecord& record) {
  return StateKeyCost + record.size + record.log_bytes + record.log_count * StateElementCost;
}

}  // namespace

int StateTables::open(MDB_txn* txn) {
  int code = mdb_dbi_open(txn, "keys", MDB_CREATE, &keys_);
  if (code == 0) code = mdb_dbi_open(txn, "chunks", MDB_CREATE, &chunks_);
  if (code == 0) code = mdb_dbi_open(txn, "log", MDB_CREATE, &log_);
  return code;
}

using Txn = StateTables::Txn;

Txn::Keyed Txn::keyed(uint64_t id, uint64_t number) { return {__builtin_bswap64(id), __builtin_bswap64(number)}; }

bool Txn::ok(int code) {
  if (code_ == 0 && code != MDB_NOTFOUND) code_ = code;
  return code == 0;
}

template <typename T>
bool Txn::get(std::string_view name, T& to) {
  MDB_val key = val(name), found{};
  if (code_ != 0 || !ok(mdb_get(txn_, tables_.keys_, &key, &found))) return false;
  if (found.mv_size != sizeof(T)) return ok(MDB_CORRUPTED);
  std::memcpy(&to, found.mv_data, sizeof(T));
  return true;
}

template <typename T>
void Txn::put(std::string_view name, const T& from) {
  MDB_val key = val(name), value{sizeof(T), const_cast<T*>(&from)};
  if (code_ == 0) ok(mdb_put(txn_, tables_.keys_, &key, &value, 0));
}

Txn::Counters& Txn::counters() {
  if (!counters_) {
    counters_ = Counters{1, 1};
    get(CountersName, *counters_);
  }
  return *counters_;
}

int Txn::finish() {
  if (counters_) put(CountersName, *counters_);
  return code_;
}

std::optional<StateInfo> Txn::info(const StateKey& key) {
  StateRecord record;
  if (!get(name_of(key.user, key.kind, key.key), record) || record.version == 0) return std::nullopt;
  return StateInfo{record.size, record.version};
}

StateResult<std::optional<StateTier::Piece>> Txn::read(const StateKey& key, uint64_t offset, uint64_t length) {
  StateRecord record;
  if (!get(name_of(key.user, key.kind, key.key), record) || record.version == 0) return std::optional<StateTier::Piece>();
  StateTier::Piece piece;
  piece.info = {record.size, record.version};
  if (offset < record.size) piece.bytes.resize(std::min(length, record.size - offset));
  for (uint64_t done = 0; done < piece.bytes.size();) {
    const uint64_t at = offset + done, within = at % StateChunkBytes;
    const uint64_t n = std::min(StateChunkBytes - within, piece.bytes.size() - done);
    Keyed name = keyed(record.id, at / StateChunkBytes);
    MDB_val k{sizeof name, &name}, chunk{};
    if (ok(mdb_get(txn_, tables_.chunks_, &k, &chunk)) && chunk.mv_size > within)
      std::memcpy(piece.bytes.data() + done, static_cast<const char*>(chunk.mv_data) + within, std::min(n, chunk.mv_size - within));
    done += n;
  }
  return std::optional(std::move(piece));
}

StateResult<std::vector<Bytes>> Txn::read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes) {
  std::vector<Bytes> elements;
  StateRecord record;
  if (!get(name_of(key.user, key.kind, key.key), record)) return elements;
  uint64_t bytes = 0;
  const uint64_t end = first + std::min(count, record.log_count - std::min(first, record.log_count));
  for (uint64_t i = first; i < end && bytes <= max_bytes; i++) {
    Keyed name = keyed(record.id, record.log_next - record.log_count + i);
    MDB_val k{sizeof name, &name}, element{};
    if (!ok(mdb_get(txn_, tables_.log_, &k, &element))) break;
    const auto* first = static_cast<const std::byte*>(element.mv_data);
    elements.emplace_back(first, first + element.mv_size);
    bytes += element.mv_size;
  }
  return elements;
}

StateResult<std::vector<StateEntry>> Txn::list(const std::string& user, StateKind kind, const std::string& prefix) {
  std::vector<StateEntry> entries;
  const std::string before = name_of(user, kind, {}), first = before + prefix;
  MDB_cursor* cursor = nullptr;
  if (!ok(mdb_cursor_open(txn_, tables_.keys_, &cursor))) return entries;
  MDB_val key = val(first), found{};
  for (int code = mdb_cursor_get(cursor, &key, &found, MDB_SET_RANGE); ok(code); code = mdb_cursor_get(cursor, &key, &found, MDB_NEXT)) {
    const std::string_view name(static_cast<const char*>(key.mv_data), key.mv_size);
    if (!name.starts_with(first)) break;
    StateRecord record;
    std::memcpy(&record, found.mv_data, std::min(found.mv_size, sizeof record));
    if (record.version != 0) entries.push_back({std::string(name.substr(before.size())), record.size});
  }
  mdb_cursor_close(cursor);
  return entries;
}

/// Counts a key's cost into its user's sum.
std::optional<StateError> Txn::charge(const StateKey& key, uint64_t before, uint64_t after) {
  const std::string name = "\x02" + key.user;
  uint64_t sum = 0;
  get(name, sum);
  if (after > before && (after > options_.user_bytes || sum - before > options_.user_bytes - after))
    return full_error(key.user, sum, options_);
  put(name, sum - before + after);
  return std::nullopt;
}

StateResult<StateInfo> Txn::apply(const StateChange& change) {
  if (change.what == StateChange::What::Nothing) return StateInfo{};
  if (auto refused = refuse(change, options_)) return *refused;
  const std::string name = name_of(change.key.user, change.key.kind, change.key.key);
  StateRecord record;
  const bool known = get(name, record);
  switch (change.what) {
    case StateChange::What::Write: return write(change, name, record, known);
    case StateChange::What::Append: return append(change, name, record, known);
    case StateChange::What::ClearLog: return known ? clear_log(change, name, record) : StateResult<StateInfo>(StateInfo{});
    case StateChange::What::Delete: return known ? remove(change, name, record) : StateResult<StateInfo>(StateInfo{});
    case StateChange::What::Nothing: break;
  }
  return StateInfo{};
}

StateResult<StateInfo> Txn::write(const StateChange& change, const std::string& name, StateRecord record, bool known) {
  StateRecord now = record;
  now.size = size_after(change, record.size);
  if (auto full = charge(change.key, known ? cost_of(record) : 0, cost_of(now))) return *full;
  if (!known) now.id = counters().next_id++;
  now.version = counters().next_version++;
  const uint64_t kept = std::min(change.cut.value_or(record.size), change.size.value_or(record.size));
  if (kept < record.size) cut(now.id, kept);
  for (const auto& range : change.ranges) write_range(now.id, range);
  put(name, now);
  return StateInfo{now.size, now.version};
}

void Txn::write_range(uint64_t id, const StateChange::Range& range) {
  for (uint64_t done = 0; done < range.bytes.size() && code_ == 0;) {
    const uint64_t at = range.offset + done, within = at % StateChunkBytes;
    const uint64_t n = std::min(StateChunkBytes - within, range.bytes.size() - done);
    write_chunk(id, at / StateChunkBytes, within, std::span(range.bytes).subspan(done, n));
    done += n;
  }
}

/// Bytes into a chunk at `within`; what the chunk holds around them stays.
void Txn::write_chunk(uint64_t id, uint64_t index, uint64_t within, std::span<const std::byte> bytes) {
  Keyed name = keyed(id, index);
  MDB_val key{sizeof name, &name}, old{};
  if (!ok(mdb_get(txn_, tables_.chunks_, &key, &old))) old = {};
  const size_t size = std::max<size_t>(within + bytes.size(), old.mv_size);
  std::byte merged[StateChunkBytes];
  if (old.mv_size != 0) std::memcpy(merged, old.mv_data, std::min<size_t>(old.mv_size, sizeof merged));
  if (old.mv_size < within) std::memset(merged + old.mv_size, 0, within - old.mv_size);
  std::memcpy(merged + within, bytes.data(), bytes.size());
  MDB_val value{std::min<size_t>(size, sizeof merged), merged};
  if (code_ == 0) ok(mdb_put(txn_, tables_.chunks_, &key, &value, 0));
}

/// Drops what lies beyond `size`.
void Txn::cut(uint64_t id, uint64_t size) {
  const uint64_t whole = size / StateChunkBytes, rest = size % StateChunkBytes;
  if (rest != 0) {
    Keyed name = keyed(id, whole);
    MDB_val key{sizeof name, &name}, old{};
    if (ok(mdb_get(txn_, tables_.chunks_, &key, &old)) && old.mv_size > rest) {
      std::byte kept[StateChunkBytes];
      std::memcpy(kept, old.mv_data, rest);
      MDB_val value{rest, kept};
      ok(mdb_put(txn_, tables_.chunks_, &key, &value, 0));
    }
  }
  drop_from(tables_.chunks_, id, whole + (rest != 0 ? 1 : 0));
}

/// Deletes the records of `id` from `number` on.
void Txn::drop_from(MDB_dbi table, uint64_t id, uint64_t number) {
  MDB_cursor* cursor = nullptr;
  if (code_ != 0 || !ok(mdb_cursor_open(txn_, table, &cursor))) return;
  Keyed first = keyed(id, number);
  for (;;) {
    MDB_val key{sizeof first, &first}, found{};
    if (!ok(mdb_cursor_get(cursor, &key, &found, MDB_SET_RANGE))) break;
    if (key.mv_size != sizeof first || std::memcmp(key.mv_data, &first, sizeof first.id) != 0) break;
    if (!ok(mdb_cursor_del(cursor, 0))) break;
  }
  mdb_cursor_close(cursor);
}

StateResult<StateInfo> Txn::append(const StateChange& change, const std::string& name, StateRecord record, bool known) {
  const Bytes none;
  const Bytes& element = change.ranges.empty() ? none : change.ranges[0].bytes;
  StateRecord now = record;
  now.log_count++;
  now.log_bytes += element.size();
  if (auto full = charge(change.key, known ? cost_of(record) : 0, cost_of(now))) return *full;
  if (!known) now.id = counters().next_id++;
  Keyed place = keyed(now.id, now.log_next++);
  MDB_val key{sizeof place, &place}, value{element.size(), const_cast<std::byte*>(element.data())};
  if (code_ == 0) ok(mdb_put(txn_, tables_.log_, &key, &value, 0));
  put(name, now);
  return StateInfo{now.size, now.version};
}

StateResult<StateInfo> Txn::clear_log(const StateChange& change, const std::string& name, StateRecord record) {
  if (record.version == 0) return remove(change, name, record);
  StateRecord now = record;
  now.log_count = now.log_bytes = 0;
  charge(change.key, cost_of(record), cost_of(now));
  drop_from(tables_.log_, record.id, 0);
  put(name, now);
  return StateInfo{now.size, now.version};
}

StateResult<StateInfo> Txn::remove(const StateChange& change, const std::string& name, const StateRecord& record) {
  charge(change.key, cost_of(record), 0);
  drop_from(tables_.chunks_, record.id, 0);
  drop_from(tables_.log_, record.id, 0);
  MDB_val key = val(name);
  if (code_ == 0) ok(mdb_del(txn_, tables_.keys_, &key, nullptr));
  return StateInfo{};
}

}  // namespace krait::store
