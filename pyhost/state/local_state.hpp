// The local tier of state: one copy of each value in this process, shared by all its calls on all shards.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "pyhost/state/key_locks.hpp"
#include "pyhost/state/value.hpp"
#include "pyhost/wait.hpp"
#include "store/state.hpp"

namespace krait::pyhost {

struct LocalStateOptions {
  /// What the values of one user may take in this process, bytes. Pushed ones make room, longest unused first.
  uint64_t user_bytes = uint64_t{256} << 20;
};

/// Reads come from here, and from the global tier what is not here yet; writes stay here until they are pushed. So two calls of
/// this process see one another's writes at once, and those of other processes after their push and a pull here.
///
/// Any thread. What waits (for the disk, a lock, a push) parks a coroutine, or blocks a thread that is no shard; it does so through
/// the Waiter where one is given.
///
/// Errors: NoEnt: no such key. Range: past the end, nothing was read or written. NoMem: user_bytes is used up by what is not pushed,
/// or the value is larger.
/// NoSpc: the user's share of the global tier is. Inval: not a key. Canceled, TimedOut: of the waiting call. Io.
class LocalState {
 public:
  using Key = store::StateKey;

  explicit LocalState(std::shared_ptr<store::StateTier> global, LocalStateOptions options = {});
  ~LocalState();
  LocalState(const LocalState&) = delete;
  LocalState& operator=(const LocalState&) = delete;

  IoResult<uint64_t> size(const Key& key, Waiter* waiter = nullptr);
  /// The whole of [offset, offset + to.size()), or Range.
  IoResult<void> read(const Key& key, uint64_t offset, std::span<std::byte> to, Waiter* waiter = nullptr);
  /// What there is of it, from one state of the value: the count.
  IoResult<uint64_t> read_some(const Key& key, uint64_t offset, std::span<std::byte> to, Waiter* waiter = nullptr);
  IoResult<store::Bytes> read_all(const Key& key, Waiter* waiter = nullptr);

  /// Another value in place of the old one.
  IoResult<void> write(const Key& key, std::span<const std::byte> bytes, Waiter* waiter = nullptr);
  /// Inside [0, total). A value that is shorter is extended to `total` by zeros, one that is not there is made of zeros; none is
  /// cut.
  IoResult<void> write_range(const Key& key, uint64_t total, uint64_t offset, std::span<const std::byte> bytes, Waiter* waiter = nullptr);
  /// Writes behind the value's end, wherever that is by then, in one step; one that is not there begins empty. Gives the new size.
  IoResult<uint64_t> extend(const Key& key, std::span<const std::byte> bytes, Waiter* waiter = nullptr);
  IoResult<void> resize(const Key& key, uint64_t size, Waiter* waiter = nullptr);
  /// As if the range were written again with what is in it.
  IoResult<void> mark_dirty(const Key& key, Interval range, Waiter* waiter = nullptr);

  /// Sends what is not pushed (Dirty), or all that is here where anything is not (Whole). When it returns, all that was written here
  /// before it is durable, also what another call was pushing.
  IoResult<void> push(const Key& key, ValueBytes::Push what, Waiter* waiter = nullptr);
  /// Sends what is not pushed of the bytes whose place in the value of `mask` is not 0. Inval unless both have one size.
  IoResult<void> push_masked(const Key& key, const Key& mask, Waiter* waiter = nullptr);
  /// Makes the copy here the global one; what was written and not pushed is dropped. NoEnt where the global tier has none: a
  /// value that was deleted there goes from here too, one that never was there stays.
  IoResult<void> pull(const Key& key, Waiter* waiter = nullptr);

  /// A pull, unless something of the copy here is not pushed.
  IoResult<void> refresh(const Key& key, Waiter* waiter = nullptr);

  /// Value and log, in both tiers. Durable on return. Fine where there is none.
  IoResult<void> remove(const Key& key, Waiter* waiter = nullptr);
  /// Of both tiers, in order.
  IoResult<std::vector<store::StateEntry>> list(const std::string& user, store::StateKind kind, const std::string& prefix, Waiter* waiter = nullptr);

  /// The log lies in the global tier only. Durable on return. Reading is as StateTier::read_log.
  IoResult<void> append(const Key& key, std::span<const std::byte> element, Waiter* waiter = nullptr);
  IoResult<std::vector<store::Bytes>> read_log(const Key& key, uint64_t first, uint64_t count, uint64_t max_bytes, Waiter* waiter = nullptr);
  IoResult<void> clear_log(const Key& key, Waiter* waiter = nullptr);

  [[nodiscard]] KeyLocks& locks() { return locks_; }
  [[nodiscard]] store::StateTier& global() { return *global_; }
  /// A holder's number for locks().
  KeyLocks::Holder next_holder() { return ++holders_; }
  /// What a user's values take here.
  [[nodiscard]] uint64_t memory(const std::string& user);

 private:
  struct Value;
  struct User;
  class Access;
  using ValuePtr = std::shared_ptr<Value>;

  std::shared_ptr<User> user_of(const std::string& name);
  static ValuePtr in_table(User& user, const Key& key);
  IoResult<ValuePtr> find(const Key& key, Waiter* waiter);
  static bool add(User& user, const ValuePtr& value, std::optional<uint64_t> deletes);
  template <typename Make, typename Use>
  IoResult<void> change_or_make(const Key& key, bool ask_global, uint64_t growth, Waiter* waiter, Make make, Use use);
  IoResult<void> make_room(User& user, uint64_t bytes, const Value* self = nullptr);
  IoResult<void> make_room_for(Access& access, uint64_t bytes);
  IoResult<Interval> bring(Access& access, Interval range, Waiter* waiter);
  IoResult<void> send(Access& access, store::StateChange change, Waiter* waiter);
  IoResult<store::StateInfo> change(store::StateChange change, Waiter* waiter);
  template <typename T>
  IoResult<T> on_disk(Waiter* waiter, std::function<store::StateResult<T>()> read);

  const std::shared_ptr<store::StateTier> global_;
  const LocalStateOptions options_;
  KeyLocks locks_;
  std::atomic<uint64_t> holders_ = 0;
  std::atomic<uint64_t> clock_ = 0;  // uses of values, for who was used longest ago
  std::mutex mutex_;                 // guards users_
  std::unordered_map<std::string, std::shared_ptr<User>> users_;
};

/// What one call may do with its user's state; holds the call's locks, and gives them back at its end. One thread at a time.
class StateSession {
 public:
  StateSession(std::shared_ptr<LocalState> state, std::string user)
      : state_(std::move(state)), user_(std::move(user)), holder_(state_->next_holder()) {}
  ~StateSession() { release(); }
  /// Gives back the locks.
  void release() { state_->locks().release(holder_); }
  StateSession(const StateSession&) = delete;
  StateSession& operator=(const StateSession&) = delete;

  [[nodiscard]] LocalState& state() const { return *state_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] store::StateKey key(std::string_view name) const { return {user_, std::string(name), store::StateKind::Value}; }
  /// As KeyLocks::lock(); and Intr, where the waiter has the guest look at its interrupts.
  IoResult<void> lock(std::string_view key_name, bool write, io::Deadline deadline, Waiter* waiter = nullptr) {
    return state_->locks().lock(key(key_name), holder_, write, deadline, waiter);
  }
  IoResult<void> unlock(std::string_view key_name, bool write) { return state_->locks().unlock(key(key_name), holder_, write); }

  /// A result for the guest to fetch when it knows its size.
  store::Bytes staged;
  /// A guest's copy of a value in its own memory.
  struct Mapping {
    uint32_t address = 0;
    uint64_t size = 0;
  };
  std::unordered_map<std::string, Mapping> mappings;  // by key

 private:
  std::shared_ptr<LocalState> state_;
  const std::string user_;
  const KeyLocks::Holder holder_;
};

}  // namespace krait::pyhost
