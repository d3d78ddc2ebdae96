// Invariants
//  1. Order of locks: a value's mutex, the user's mutex, the mutexes of pushes and deletes; none is held across a wait. Who makes
//     room only tries the mutexes of other values.
//  2. A push is submitted under its value's mutex, so the global tier gets the pushes of a value in the order of what they hold.
//     The tier may report at once, so the report touches nothing but Value::pushes (and User::deletes).
//  3. A value leaves its table only where nothing of it would be lost (clean, no push under way), or when it is deleted. It is
//     then gone: who still holds it looks its key up again.
//  4. charged is the sum of what the values in the table take. Room is made before a value grows, for the most that it may grow.
#include "pyhost/state/local_state.hpp"

#include <algorithm>
#include <cstring>

#include "io/blocking.hpp"
#include "io/future.hpp"

namespace krait::pyhost {

using store::Bytes;
using store::StateChange;
using store::StateError;
using store::StateInfo;
using store::StateResult;
using store::StateTier;

namespace {

constexpr uint64_t PullBytes = uint64_t{4} << 20;  // at a time
constexpr uint64_t FirstPull = 64 << 10;           // with the first look at a value
constexpr uint64_t ValueCost = 512;
constexpr uint64_t MaxSize = uint64_t{1} << 40;
constexpr uint64_t MaxLogBytes = uint64_t{1} << 30;

Errno errno_of(const StateError& error) { return error.kind == StateError::Kind::Full ? Errno::NoSpc : Errno::Io; }

Errno of_wait(int error) { return error == -ETIMEDOUT ? Errno::TimedOut : Errno::Canceled; }

/// A wait for the disk: short, and not cut short by cancels, deadlines and signals, for what it waits for is done in any case, and
/// the caller is to know it.
template <typename Wait>
int parked(Waiter* waiter, Wait wait) {
  const auto whole = [&] {
    const io::Shield shield;
    int error = 0;
    do error = wait();
    while (error == -EINTR);
    return error;
  };
  return waiter ? waiter->wait_with(whole) : whole();
}

std::optional<Interval> range_of(uint64_t offset, uint64_t length) {
  if (length > UINT64_MAX - offset) return std::nullopt;
  return Interval{offset, offset + length};
}

}  // namespace

struct LocalState::Value {
  explicit Value(Key key) : key(std::move(key)) {}
  const Key key;

  std::mutex mutex;  // guards what follows, but for pushes
  ValueBytes bytes;
  uint64_t version = 0;  // that was pulled last
  bool gone = false;
  uint64_t charged = 0;
  std::atomic<uint64_t> used = 0;

  /// What has been submitted, and its reports.
  struct Pushes {
    std::mutex mutex;
    unsigned under_way = 0;
    uint64_t made = 0;              // begun, ever
    uint64_t version = 0;           // of the last that succeeded
    std::vector<StateChange> failed;
    std::optional<Errno> error;     // of the last that failed, until one succeeds
  } pushes;
};

struct LocalState::User {
  std::mutex mutex;  // guards values
  std::map<Key, ValuePtr> values;
  std::atomic<uint64_t> charged = 0;

  /// A key whose delete has been submitted is not there, although the global tier may still show it.
  struct Deletes {
    std::mutex mutex;
    std::map<Key, unsigned> under_way;
    uint64_t made = 0;
    struct View {
      bool deleting;
      uint64_t made;
    };
    View look(const Key& key) {
      const std::lock_guard lock(mutex);
      return {under_way.contains(key), made};
    }
    void begin(const Key& key) {
      const std::lock_guard lock(mutex);
      under_way[key]++, made++;
    }
    void end(const Key& key) {
      const std::lock_guard lock(mutex);
      if (const auto at = under_way.find(key); --at->second == 0) under_way.erase(at);
    }
  } deletes;
};

/// A value, locked. Charges what it has grown by at the end.
class LocalState::Access {
 public:
  Access(ValuePtr value, std::shared_ptr<User> user, uint64_t now) : value_(std::move(value)), user_(std::move(user)), lock_(value_->mutex) {
    value_->used = now;
    take_failures();
  }
  ~Access() {
    if (lock_.owns_lock()) settle();
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  Value& operator*() const { return *value_; }
  Value* operator->() const { return value_.get(); }
  [[nodiscard]] User& user() const { return *user_; }
  [[nodiscard]] const ValuePtr& pointer() const { return value_; }
  void unlock() {
    settle();
    lock_.unlock();
  }
  void lock() {
    lock_.lock();
    take_failures();
  }

  /// Takes the value out of its table; in the same step its delete begins.
  void drop(bool deleting) {
    const std::lock_guard lock(user_->mutex);
    if (deleting) user_->deletes.begin(value_->key);
    user_->charged -= value_->charged;
    user_->values.erase(value_->key);
    value_->gone = true;
  }
  /// Charges as it is now.
  void settle() {
    if (value_->gone) return;
    const uint64_t now = value_->bytes.memory() + ValueCost;
    user_->charged += now - value_->charged;
    value_->charged = now;
  }

 private:
  void take_failures() {
    std::vector<StateChange> failed;
    {
      const std::lock_guard lock(value_->pushes.mutex);
      failed.swap(value_->pushes.failed);
    }
    for (const StateChange& change : failed) value_->bytes.give_back(change);
  }

  ValuePtr value_;
  std::shared_ptr<User> user_;
  std::unique_lock<std::mutex> lock_;
};

LocalState::LocalState(std::shared_ptr<StateTier> global, LocalStateOptions options)
    : global_(std::move(global)), options_(options) {}
LocalState::~LocalState() = default;

std::shared_ptr<LocalState::User> LocalState::user_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<User>& user = users_[name];
  if (!user) user = std::make_shared<User>();
  return user;
}

uint64_t LocalState::memory(const std::string& user) { return user_of(user)->charged; }

/// Runs a read of the global tier where it may block.
template <typename T>
IoResult<T> LocalState::on_disk(Waiter* waiter, std::function<StateResult<T>()> read) {
  std::optional<StateResult<T>> result;
  if (global_->waits() && io::current()) {
    const int error = parked(waiter, [&] { return io::offload([&] { result.emplace(read()); }); });
    if (error != 0) return of_wait(error);
  } else {
    result.emplace(read());
  }
  if (!result->ok()) return errno_of(result->error());
  return std::move(**result);
}

/// Has the global tier make a change, and waits for it.
IoResult<StateInfo> LocalState::change(StateChange change, Waiter* waiter) {
  auto promise = std::make_shared<io::Promise<StateResult<StateInfo>>>();
  auto future = promise->future();
  global_->submit(std::move(change), [promise](StateResult<StateInfo> result) { promise->set(std::move(result)); });
  if (const int error = parked(waiter, [&] { return future.wait(); }); error != 0) return of_wait(error);
  auto result = future.take();
  if (!result) return errno_of(result.error());
  return *result;
}

/// Drops clean values of the user, longest unused first, until `bytes` more fit.
/// `self`'s mutex is the caller's already.
IoResult<void> LocalState::make_room(User& user, uint64_t bytes, const Value* self) {
  if (bytes > options_.user_bytes) return Errno::NoMem;
  if (user.charged + bytes <= options_.user_bytes) return {};
  const std::lock_guard lock(user.mutex);
  std::vector<ValuePtr> candidates;
  for (const auto& [key, value] : user.values) candidates.push_back(value);
  std::ranges::sort(candidates, {}, [](const ValuePtr& value) { return value->used.load(); });
  for (const ValuePtr& value : candidates) {
    if (user.charged + bytes <= options_.user_bytes) break;
    if (value.get() == self) continue;
    const std::unique_lock mine(value->mutex, std::try_to_lock);
    if (!mine || !value->bytes.clean()) continue;
    const std::lock_guard pushes(value->pushes.mutex);
    if (value->pushes.under_way != 0 || !value->pushes.failed.empty()) continue;
    value->gone = true;
    user.charged -= value->charged;
    user.values.erase(value->key);
  }
  if (user.charged + bytes > options_.user_bytes) return Errno::NoMem;
  return {};
}

/// For the locked value to grow by; where there is no other way, it forgets what it has of the global one.
IoResult<void> LocalState::make_room_for(Access& access, uint64_t bytes) {
  auto room = make_room(access.user(), bytes, access.pointer().get());
  if (room || !access->bytes.clean()) return room;
  {
    const std::lock_guard lock(access->pushes.mutex);
    if (access->pushes.under_way != 0 || !access->pushes.failed.empty()) return room;
  }
  access->bytes.adopt(access->bytes.size());
  access.settle();
  return make_room(access.user(), bytes, access.pointer().get());
}

LocalState::ValuePtr LocalState::in_table(User& user, const Key& key) {
  const std::lock_guard lock(user.mutex);
  const auto found = user.values.find(key);
  return found == user.values.end() ? nullptr : found->second;
}

/// False where there is one of its key, or `deletes` deletes are not all that have begun.
bool LocalState::add(User& user, const ValuePtr& value, std::optional<uint64_t> deletes) {
  const std::lock_guard lock(user.mutex);
  if (deletes && user.deletes.look(value->key).made != *deletes) return false;
  if (!user.values.emplace(value->key, value).second) return false;
  user.charged += value->charged = value->bytes.memory() + ValueCost;
  return true;
}

/// The value in the table; else taken up from the global tier.
IoResult<LocalState::ValuePtr> LocalState::find(const Key& key, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  const auto user = user_of(key.user);
  for (;;) {
    if (ValuePtr value = in_table(*user, key)) return value;
    const auto before = user->deletes.look(key);
    if (before.deleting) return Errno::NoEnt;
    auto piece = on_disk<std::optional<StateTier::Piece>>(waiter, [&] { return global_->read(key, 0, FirstPull); });
    if (!piece) return piece.error();
    if (!*piece) return Errno::NoEnt;
    const StateTier::Piece& first = **piece;
    if (auto room = make_room(*user, ValueCost + ValueBytes::growth_of(first.bytes.size())); !room) return room.error();
    auto value = std::make_shared<Value>(key);
    value->bytes.adopt(first.info.size);
    value->bytes.fill(0, first.bytes);
    value->version = first.info.version;
    if (add(*user, value, before.made)) return value;
  }
}

/// Uses the value of the table, or with `ask_global` the global tier's; where there is none, makes one and adds it.
template <typename Make, typename Use>
IoResult<void> LocalState::change_or_make(const Key& key, bool ask_global, uint64_t growth, Waiter* waiter, Make make, Use use) {
  if (!store::check_state_key(key)) return Errno::Inval;
  const auto user = user_of(key.user);
  for (;;) {
    ValuePtr value = in_table(*user, key);
    if (!value && ask_global) {
      auto found = find(key, waiter);
      if (!found && found.error() != Errno::NoEnt) return found.error();
      if (found) value = std::move(*found);
    }
    if (!value) {
      if (auto room = make_room(*user, ValueCost + growth); !room) return room;
      value = std::make_shared<Value>(key);
      make(value->bytes);
      if (add(*user, value, {})) return {};
      continue;
    }
    Access access(value, user, ++clock_);
    if (access->gone) continue;
    if (auto room = make_room_for(access, growth); !room) return room;
    use(access->bytes);
    return {};
  }
}

IoResult<uint64_t> LocalState::size(const Key& key, Waiter* waiter) {
  auto value = find(key, waiter);
  if (!value) return value.error();
  const Access access(*value, user_of(key.user), ++clock_);
  return access->bytes.size();
}

/// Brings what is missing of a range here, PullBytes at a time; unlocks while it reads. Gives what is inside the value of the range, all
/// of which is then here. Where the global value changes between two reads and nothing here is unpushed, all is read again:
/// no mixture of two pushes is shown.
IoResult<Interval> LocalState::bring(Access& access, Interval range, Waiter* waiter) {
  constexpr unsigned Restarts = 8;
  const uint64_t end = std::min(range.end, access->bytes.size());
  if (end > range.begin && end - range.begin > options_.user_bytes) return Errno::NoMem;
  for (unsigned restarts = 0;;) {
    if (access->gone) return Errno::Again;
    const Interval inside{std::min(range.begin, access->bytes.size()), std::min(range.end, access->bytes.size())};
    Interval gap = access->bytes.missing(inside);
    if (gap.begin == gap.end) return inside;
    gap.end = std::min(gap.end, gap.begin + PullBytes);
    if (auto room = make_room_for(access, ValueBytes::growth_of(gap.end - gap.begin)); !room) return room.error();
    if (!access->bytes.has({range.begin, gap.begin}) && ++restarts > Restarts) return Errno::NoMem;  // its beginning was forgotten
    access.unlock();
    auto piece = on_disk<std::optional<StateTier::Piece>>(waiter, [&] { return global_->read(access->key, gap.begin, gap.end - gap.begin); });
    access.lock();
    if (!piece) return piece.error();
    if (!*piece) return Errno::NoEnt;
    Bytes& bytes = (*piece)->bytes;
    const uint64_t version = (*piece)->info.version;
    bool pushing = false;
    {
      const std::lock_guard lock(access->pushes.mutex);
      pushing = access->pushes.under_way != 0 || access->pushes.version >= version;
    }
    if (version != access->version && !pushing && access->bytes.clean() && restarts++ < Restarts) {
      access->bytes.adopt((*piece)->info.size);
      access->version = version;
    }
    bytes.resize(gap.end - gap.begin);  // a global value that has become shorter goes on with zeros
    access->bytes.fill(gap.begin, bytes);
  }
}

IoResult<uint64_t> LocalState::read_some(const Key& key, uint64_t offset, std::span<std::byte> to, Waiter* waiter) {
  const auto range = range_of(offset, to.size());
  if (!range) return Errno::Range;
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    const auto here = bring(access, *range, waiter);
    if (!here && here.error() == Errno::Again) continue;
    if (!here) return here.error();
    access->bytes.copy_out(*here, to.data());
    return here->end - here->begin;
  }
}

IoResult<void> LocalState::read(const Key& key, uint64_t offset, std::span<std::byte> to, Waiter* waiter) {
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    const auto range = range_of(offset, to.size());
    if (!range || range->end > access->bytes.size()) return Errno::Range;
    const auto here = bring(access, *range, waiter);
    if (!here && here.error() == Errno::Again) continue;
    if (!here) return here.error();
    if (*here != *range) return Errno::Range;
    access->bytes.copy_out(*here, to.data());
    return {};
  }
}

IoResult<Bytes> LocalState::read_all(const Key& key, Waiter* waiter) {
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    const auto here = bring(access, {0, UINT64_MAX}, waiter);
    if (!here && here.error() == Errno::Again) continue;
    if (!here) return here.error();
    Bytes bytes(here->end);
    access->bytes.copy_out(*here, bytes.data());
    return bytes;
  }
}

IoResult<void> LocalState::write(const Key& key, std::span<const std::byte> bytes, Waiter* waiter) {
  const auto assign = [&](ValueBytes& value) { value.assign(bytes); };
  return change_or_make(key, false, ValueBytes::growth_of(bytes.size()), waiter, assign, assign);
}

IoResult<void> LocalState::write_range(const Key& key, uint64_t total, uint64_t offset, std::span<const std::byte> bytes, Waiter* waiter) {
  const auto range = range_of(offset, bytes.size());
  if (!range || range->end > total) return Errno::Range;
  if (total > MaxSize) return Errno::NoSpc;
  const auto write = [&](ValueBytes& value) {
    if (total > value.size()) value.resize(total);
    value.write(offset, bytes);
  };
  const auto make = [&](ValueBytes& value) {
    value.create(total);
    value.write(offset, bytes);
  };
  return change_or_make(key, true, ValueBytes::growth_of(bytes.size()), waiter, make, write);
}

IoResult<uint64_t> LocalState::extend(const Key& key, std::span<const std::byte> bytes, Waiter* waiter) {
  uint64_t end = 0;
  const auto write_at = [&](ValueBytes& value, uint64_t offset) {
    if (bytes.size() > MaxSize - std::min(offset, MaxSize)) return;
    end = offset + bytes.size();
    value.resize(end);
    value.write(offset, bytes);
  };
  const auto make = [&](ValueBytes& value) {
    value.create(0);
    write_at(value, 0);
  };
  const auto use = [&](ValueBytes& value) { write_at(value, value.size()); };
  const auto changed = change_or_make(key, true, ValueBytes::growth_of(bytes.size()), waiter, make, use);
  if (!changed) return changed.error();
  if (end == 0 && !bytes.empty()) return Errno::NoSpc;
  return end;
}

IoResult<void> LocalState::resize(const Key& key, uint64_t size, Waiter* waiter) {
  if (size > MaxSize) return Errno::NoSpc;
  return change_or_make(key, true, ValueBytes::growth_of(0), waiter, [&](ValueBytes& value) { value.create(size); },
                        [&](ValueBytes& value) { value.resize(size); });
}

IoResult<void> LocalState::mark_dirty(const Key& key, Interval range, Waiter* waiter) {
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    if (access->gone) continue;
    if (range.end > access->bytes.size() || range.begin > range.end) return Errno::Range;
    const auto here = bring(access, range, waiter);
    if (!here && here.error() == Errno::Again) continue;
    if (!here) return here.error();
    access->bytes.mark_dirty(*here);
    return {};
  }
}

/// Submits a push of the locked value, and waits for it, unlocked. Without anything to send it waits for the pushes before it.
IoResult<void> LocalState::send(Access& access, StateChange change, Waiter* waiter) {
  if (!change.size && !change.cut && change.ranges.empty()) change.what = StateChange::What::Nothing;
  change.key = access->key;
  auto promise = std::make_shared<io::Promise<int>>();
  auto future = promise->future();
  const auto copy = change.what == StateChange::What::Nothing ? nullptr : std::make_shared<StateChange>();
  if (copy) {  // of what to give back: the ranges' bytes are in the value
    copy->size = change.size, copy->cut = change.cut;
    for (const auto& range : change.ranges) copy->ranges.push_back({range.offset, {}}), copy->ranges.back().bytes.resize(range.bytes.size());
  }
  {
    const std::lock_guard lock(access->pushes.mutex);
    access->pushes.under_way++;
    access->pushes.made++;
  }
  global_->submit(std::move(change), [value = access.pointer(), copy, promise](const StateResult<StateInfo>& result) {
    Errno error = Errno::Success;
    {
      Value::Pushes& pushes = value->pushes;
      const std::lock_guard lock(pushes.mutex);
      pushes.under_way--;
      if (!result) {
        pushes.error = error = errno_of(result.error());
        if (copy) pushes.failed.push_back(std::move(*copy));
      } else if (copy) {
        pushes.version = result->version;
        pushes.error.reset();
      } else if (pushes.error) {
        error = *pushes.error;
      }
    }
    promise->set(static_cast<int>(error));
  });
  access.unlock();
  const int waited = parked(waiter, [&] { return future.wait(); });
  if (waited != 0) return of_wait(waited);
  const auto error = static_cast<Errno>(future.take());
  return error == Errno::Success ? IoResult<void>() : error;
}

IoResult<void> LocalState::push(const Key& key, ValueBytes::Push what, Waiter* waiter) {
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    if (access->gone) continue;
    StateChange change;
    if (!access->bytes.clean()) access->bytes.take_push(what, change);
    return send(access, std::move(change), waiter);
  }
}

IoResult<void> LocalState::push_masked(const Key& key, const Key& mask, Waiter* waiter) {
  auto bytes = read_all(mask, waiter);
  if (!bytes) return bytes.error();
  std::vector<Interval> runs;
  for (uint64_t i = 0; i < bytes->size(); i++) {
    if ((*bytes)[i] == std::byte{}) continue;
    if (!runs.empty() && runs.back().end == i) runs.back().end++;
    else runs.push_back({i, i + 1});
  }
  for (;;) {
    auto value = find(key, waiter);
    if (!value) return value.error();
    Access access(*value, user_of(key.user), ++clock_);
    if (access->gone) continue;
    if (access->bytes.size() != bytes->size()) return Errno::Inval;
    StateChange change;
    access->bytes.take_ranges(runs, change);
    return send(access, std::move(change), waiter);
  }
}

IoResult<void> LocalState::pull(const Key& key, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  const auto user = user_of(key.user);
  const ValuePtr value = in_table(*user, key);
  for (;;) {
    uint64_t made = 0;
    if (value) {  // what is being pushed here would not be seen yet
      Access access(value, user, ++clock_);
      bool under_way = false;
      {
        const std::lock_guard lock(access->pushes.mutex);
        made = access->pushes.made;
        under_way = access->pushes.under_way != 0;
      }
      if (under_way) {
        made++;
        if (auto sent = send(access, {}, waiter); !sent && sent.error() == Errno::Canceled) return sent;
      }
    }
    auto piece = on_disk<std::optional<StateTier::Piece>>(waiter, [&] { return global_->read(key, 0, PullBytes); });
    if (!piece) return piece.error();
    if (!value) {
      if (!*piece) return Errno::NoEnt;
      auto found = find(key, waiter);
      return found ? IoResult<void>() : found.error();
    }
    Access access(value, user, ++clock_);
    if (access->gone) return find(key, waiter).ok() ? IoResult<void>() : IoResult<void>(Errno::NoEnt);
    bool pushed = false;
    {
      const std::lock_guard lock(access->pushes.mutex);
      if (access->pushes.made != made) continue;
      pushed = access->pushes.version != 0;
    }
    if (!*piece) {
      if (access->version != 0 || pushed) access.drop(false);
      return Errno::NoEnt;
    }
    access->bytes.adopt((*piece)->info.size);
    access->version = (*piece)->info.version;
    if (make_room(*user, ValueBytes::growth_of((*piece)->bytes.size()))) access->bytes.fill(0, (*piece)->bytes);
    return {};
  }
}

IoResult<void> LocalState::refresh(const Key& key, Waiter* waiter) {
  const auto user = user_of(key.user);
  if (const ValuePtr value = in_table(*user, key)) {
    const Access access(value, user, ++clock_);
    if (!access->bytes.clean()) return {};
  }
  return pull(key, waiter);
}

IoResult<void> LocalState::remove(const Key& key, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  const auto user = user_of(key.user);
  auto promise = std::make_shared<io::Promise<int>>();
  auto done = promise->future();
  for (bool begun = false; !begun;) {
    const ValuePtr value = in_table(*user, key);
    std::optional<Access> access;
    if (value) access.emplace(value, user, ++clock_);
    if (value && (*access)->gone) continue;
    if (value) {
      access->drop(true);
    } else {
      const std::lock_guard lock(user->mutex);
      if (user->values.contains(key)) continue;
      user->deletes.begin(key);
    }
    begun = true;
    global_->submit({key, StateChange::What::Delete, {}, {}, {}}, [user, key, promise](const StateResult<StateInfo>& result) {
      user->deletes.end(key);
      promise->set(static_cast<int>(result ? Errno::Success : errno_of(result.error())));
    });
  }
  if (const int error = parked(waiter, [&] { return done.wait(); }); error != 0) return of_wait(error);
  const auto error = static_cast<Errno>(done.take());
  return error == Errno::Success ? IoResult<void>() : error;
}

IoResult<std::vector<store::StateEntry>> LocalState::list(const std::string& user_name, store::StateKind kind, const std::string& prefix, Waiter* waiter) {
  auto listed = on_disk<std::vector<store::StateEntry>>(waiter, [&] { return global_->list(user_name, kind, prefix); });
  if (!listed) return listed;
  std::map<std::string, uint64_t> sizes;
  for (store::StateEntry& entry : *listed) sizes[std::move(entry.key)] = entry.size;
  const auto user = user_of(user_name);
  std::vector<ValuePtr> here;
  {
    const std::lock_guard lock(user->mutex);
    for (const auto& [key, value] : user->values)
      if (key.kind == kind && key.key.starts_with(prefix)) here.push_back(value);
  }
  for (const ValuePtr& value : here) {
    const Access access(value, user, value->used);
    if (!access->gone && (!access->bytes.clean() || sizes.contains(value->key.key))) sizes[value->key.key] = access->bytes.size();
  }
  std::vector<store::StateEntry> entries;
  for (const auto& [key, size] : sizes) entries.push_back({key, size});
  return entries;
}

IoResult<void> LocalState::append(const Key& key, std::span<const std::byte> element, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  StateChange append{key, StateChange::What::Append, {}, {}, {}};
  append.ranges.push_back({0, Bytes(element.begin(), element.end())});
  auto done = change(std::move(append), waiter);
  return done ? IoResult<void>() : done.error();
}

IoResult<std::vector<Bytes>> LocalState::read_log(const Key& key, uint64_t first, uint64_t count, uint64_t max_bytes, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  return on_disk<std::vector<Bytes>>(waiter, [&] { return global_->read_log(key, first, count, std::min(max_bytes, MaxLogBytes)); });
}

IoResult<void> LocalState::clear_log(const Key& key, Waiter* waiter) {
  if (!store::check_state_key(key)) return Errno::Inval;
  auto done = change({key, StateChange::What::ClearLog, {}, {}, {}}, waiter);
  return done ? IoResult<void>() : done.error();
}

}  // namespace krait::pyhost
