// The global tier of state: what functions keep from call to call, by user and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/files.hpp"

namespace krait::store {

/// Longest key, bytes. A key may hold any bytes, but not be empty.
constexpr size_t MaxStateKeyBytes = 300;

/// What a key names; each kind has its own keys.
enum class StateKind : char {
  Value = 'v',  ///< bytes, and a log beside them
  File = 'f',   ///< a shared file: the key is its path
};

struct StateKey {
  std::string user, key;
  StateKind kind = StateKind::Value;
  auto operator<=>(const StateKey&) const = default;
};

/// Nothing where `key` may be one: user as check_name(), the key of 1 to MaxStateKeyBytes bytes.
Result<void> check_state_key(const StateKey& key);

struct StateInfo {
  uint64_t size = 0;     ///< bytes
  uint64_t version = 0;  ///< another after each change, and never the same again; 0: there is no value
};

/// A change of one key, whole or not at all. Exactly one of its parts besides `key` is used, as `what` says.
struct StateChange {
  enum class What : uint8_t {
    Write,     ///< cut, size and ranges
    Append,    ///< one element to the log; `ranges[0].bytes` is the element
    ClearLog,  ///< the log is empty; the value stays
    Delete,    ///< the value and the log; nothing where there is neither
    Nothing,   ///< done when all changes before it are done
  };
  struct Range {
    uint64_t offset = 0;
    Bytes bytes;
  };

  StateKey key;
  What what = What::Write;
  std::optional<uint64_t> cut;   ///< the value keeps no byte from here on; before all else
  std::optional<uint64_t> size;  ///< what the value is then cut or extended (by zeros) to
  std::vector<Range> ranges;     ///< written last; a range past the end extends the value
};

/// How a change failed.
struct StateError {
  enum class Kind : uint8_t {
    Full,  ///< the user's share or the disk is used up; or a key is not one
    Io,
  };
  Kind kind = Kind::Io;
  std::string message;
};
template <typename T>
using StateResult = Result<T, StateError>;

/// Gets the key's state after the change. Called once, from any thread; must not block.
using StateDone = std::function<void(StateResult<StateInfo>)>;

struct StateEntry {
  std::string key;
  uint64_t size = 0;
};

/// Values and logs, by user and key. Any thread. Readers see each change whole or not at all; they wait for the disk at
/// most.
class StateTier {
 public:
  StateTier() = default;
  virtual ~StateTier() = default;
  StateTier(const StateTier&) = delete;
  StateTier& operator=(const StateTier&) = delete;

  /// Nothing where there is no value.
  [[nodiscard]] virtual StateResult<std::optional<StateInfo>> info(const StateKey& key) = 0;

  struct Piece {
    StateInfo info;
    Bytes bytes;
  };
  /// Up to `length` bytes from `offset` on, fewer where the value ends before; nothing where there is no value.
  [[nodiscard]] virtual StateResult<std::optional<Piece>> read(const StateKey& key, uint64_t offset, uint64_t length) = 0;
  /// The elements of the log from number `first` on, up to `count` of them and to the one that goes beyond `max_bytes` together.
  [[nodiscard]] virtual StateResult<std::vector<Bytes>> read_log(const StateKey& key, uint64_t first, uint64_t count, uint64_t max_bytes) = 0;
  /// The keys that have a value and start with `prefix`, in order.
  [[nodiscard]] virtual StateResult<std::vector<StateEntry>> list(const std::string& user, StateKind kind,
                                                                  const std::string& prefix) = 0;

  /// False where no call ever waits for a disk.
  [[nodiscard]] virtual bool waits() const = 0;
  /// Makes changes in the order of the calls; `done` when it is made for good.
  virtual void submit(StateChange change, StateDone done) = 0;
  /// The same, for a thread that may wait.
  StateResult<StateInfo> apply(StateChange change);
};

struct StateOptions {
  /// What the values and logs of one user may take together, bytes: their sizes, and 256 for each key, 32 for each element.
  uint64_t user_bytes = uint64_t{4} << 30;
  /// Address space, and the most that the file can grow to.
  uint64_t map_bytes = uint64_t{256} << 30;
};

/// The tier on disk, in a folder. What a change's `done` has reported survives kill -9 and a loss of power. Any number of
/// processes may use one folder at once; in one process those who open it share one.
class StateStore : public StateTier {
 public:
  /// Makes the folder.
  static Result<std::shared_ptr<StateStore>> open(const std::filesystem::path& folder, StateOptions options = {});
};

/// The tier in `folder`, opened at its first use: until then it costs nothing. Where that fails, `failed`
/// is told, once, and all its calls fail with that error.
std::shared_ptr<StateTier> state_at_first_use(std::filesystem::path folder, std::function<void(const Error&)> failed,
                                              StateOptions options = {});

/// A tier in this process's memory, gone with it.
std::shared_ptr<StateTier> memory_state(StateOptions options = {});

}  // namespace krait::store
