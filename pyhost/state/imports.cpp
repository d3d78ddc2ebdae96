// The module "krait"'s state calls. Numbers from the guest are checked here; what they mean is LocalState's affair. A guest that points
// outside of its memory traps.
#include "pyhost/state/imports.hpp"

#include <cstring>

#include "pyhost/call_sandbox.hpp"

namespace krait::pyhost {

using engine::Caller;
using engine::Outcome;
using engine::Trap;
using store::Bytes;

namespace {

using u32 = uint32_t;
using i32 = int32_t;
using i64 = int64_t;

constexpr uint64_t MaxLogPage = uint64_t{16} << 20;

/// One call under way: the key, the session, and how to answer.
struct StateCall {
  StateCall(Caller& caller, const char* name, u32 key_ptr, u32 key_len)
      : caller(caller), name(name), session(state_of(caller)), state(session.state()),
        waiter(&static_cast<Sandbox*>(caller.store().host_data)->wasi->waiter()) {
    const auto bytes = caller.bytes(key_ptr, key_len);
    ok = bytes.has_value();
    // A key that is too long is cut to one that still is.
    if (ok) text = {reinterpret_cast<const char*>(bytes->data()), std::min<size_t>(bytes->size(), store::MaxStateKeyBytes + 1)};
    key = session.key(text);
  }
  [[nodiscard]] Trap out_of_bounds() const {
    return Trap::make(engine::TrapKind::Host, std::string("krait.state_") + name + ": the buffer is not inside the memory");
  }
  /// 0, or a WASI errno.
  static i32 status(const IoResult<void>& result) { return result ? 0 : static_cast<i32>(result.error()); }
  /// A number, or a negative WASI errno.
  static i64 number(const IoResult<uint64_t>& result) {
    return result ? static_cast<i64>(*result) : -static_cast<i64>(result.error());
  }

  Caller& caller;
  const char* name;
  StateSession& session;
  LocalState& state;
  Waiter* waiter;
  std::string text;
  store::StateKey key;
  bool ok = false;
};

Outcome<i64> size(Caller& caller, u32 key, u32 key_len) {
  StateCall call(caller, "size", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::number(call.state.size(call.key, call.waiter));
}

Outcome<i64> read(Caller& caller, u32 key, u32 key_len, i64 offset, u32 ptr, u32 length, i32 whole) {
  StateCall call(caller, "read", key, key_len);
  const auto to = caller.bytes(ptr, length);
  if (!call.ok || !to) return call.out_of_bounds();
  if (offset < 0) return -static_cast<i64>(Errno::Range);
  if (whole == 0) return StateCall::number(call.state.read_some(call.key, static_cast<uint64_t>(offset), *to, call.waiter));
  const auto done = call.state.read(call.key, static_cast<uint64_t>(offset), *to, call.waiter);
  return done ? static_cast<i64>(length) : -static_cast<i64>(done.error());
}

Outcome<i32> write(Caller& caller, u32 key, u32 key_len, u32 ptr, u32 length) {
  StateCall call(caller, "write", key, key_len);
  const auto from = caller.bytes(ptr, length);
  if (!call.ok || !from) return call.out_of_bounds();
  return StateCall::status(call.state.write(call.key, *from, call.waiter));
}

Outcome<i32> write_range(Caller& caller, u32 key, u32 key_len, i64 total, i64 offset, u32 ptr, u32 length) {
  StateCall call(caller, "write_range", key, key_len);
  const auto from = caller.bytes(ptr, length);
  if (!call.ok || !from) return call.out_of_bounds();
  if (total < 0 || offset < 0) return static_cast<i32>(Errno::Range);
  return StateCall::status(call.state.write_range(call.key, static_cast<uint64_t>(total), static_cast<uint64_t>(offset), *from, call.waiter));
}

Outcome<i32> resize(Caller& caller, u32 key, u32 key_len, i64 to) {
  StateCall call(caller, "resize", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  if (to < 0) return static_cast<i32>(Errno::Range);
  return StateCall::status(call.state.resize(call.key, static_cast<uint64_t>(to), call.waiter));
}

Outcome<i32> push(Caller& caller, u32 key, u32 key_len, i32 partial) {
  StateCall call(caller, "push", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::status(call.state.push(call.key, partial ? ValueBytes::Push::Dirty : ValueBytes::Push::Whole, call.waiter));
}

Outcome<i32> push_mask(Caller& caller, u32 key, u32 key_len, u32 mask, u32 mask_len) {
  StateCall call(caller, "push_mask", key, key_len);
  const StateCall other(caller, "push_mask", mask, mask_len);
  if (!call.ok || !other.ok) return call.out_of_bounds();
  return StateCall::status(call.state.push_masked(call.key, other.key, call.waiter));
}

Outcome<i32> pull(Caller& caller, u32 key, u32 key_len) {
  StateCall call(caller, "pull", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::status(call.state.pull(call.key, call.waiter));
}

Outcome<i32> remove(Caller& caller, u32 key, u32 key_len) {
  StateCall call(caller, "delete", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::status(call.state.remove(call.key, call.waiter));
}

Outcome<i32> lock(Caller& caller, u32 key, u32 key_len, i32 write, i64 timeout_ns) {
  StateCall call(caller, "lock", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  if (!store::check_state_key(call.key)) return static_cast<i32>(Errno::Inval);
  const io::Deadline deadline = timeout_ns < 0 ? io::Deadline() : io::Deadline::in(timeout_ns);
  return StateCall::status(call.session.lock(call.text, write != 0, deadline, call.waiter));
}

Outcome<i32> unlock(Caller& caller, u32 key, u32 key_len, i32 write) {
  StateCall call(caller, "unlock", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::status(call.session.unlock(call.text, write != 0));
}

Outcome<i32> append(Caller& caller, u32 key, u32 key_len, u32 ptr, u32 length) {
  StateCall call(caller, "append", key, key_len);
  const auto from = caller.bytes(ptr, length);
  if (!call.ok || !from) return call.out_of_bounds();
  return StateCall::status(call.state.append(call.key, *from, call.waiter));
}

Outcome<i32> clear_log(Caller& caller, u32 key, u32 key_len) {
  StateCall call(caller, "clear_log", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  return StateCall::status(call.state.clear_log(call.key, call.waiter));
}

template <typename T>
void put(Bytes& to, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

Outcome<i64> read_log(Caller& caller, u32 key, u32 key_len, i64 first, i64 count) {
  StateCall call(caller, "read_log", key, key_len);
  if (!call.ok) return call.out_of_bounds();
  if (first < 0 || count < 0) return -static_cast<i64>(Errno::Inval);
  const auto elements = call.state.read_log(call.key, static_cast<uint64_t>(first), static_cast<uint64_t>(count), MaxLogPage, call.waiter);
  if (!elements) return -static_cast<i64>(elements.error());
  Bytes& staged = call.session.staged;
  staged.clear();
  for (const Bytes& element : *elements) {
    put(staged, static_cast<u32>(element.size()));
    staged.insert(staged.end(), element.begin(), element.end());
  }
  return static_cast<i64>(staged.size());
}

Outcome<i64> list(Caller& caller, u32 prefix, u32 prefix_len) {
  StateCall call(caller, "list", prefix, prefix_len);
  if (!call.ok) return call.out_of_bounds();
  const auto entries = call.state.list(call.session.user(), store::StateKind::Value, call.text, call.waiter);
  if (!entries) return -static_cast<i64>(entries.error());
  Bytes& staged = call.session.staged;
  staged.clear();
  for (const store::StateEntry& entry : *entries) {
    put(staged, static_cast<u32>(entry.key.size()));
    const auto text = std::as_bytes(std::span(entry.key));
    staged.insert(staged.end(), text.begin(), text.end());
  }
  return static_cast<i64>(staged.size());
}

Outcome<> staged(Caller& caller, u32 ptr, u32 length) {
  const Bytes bytes = std::exchange(state_of(caller).staged, {});
  const size_t n = std::min<size_t>(length, bytes.size());
  const auto to = caller.bytes(ptr, n);
  if (!to) return Trap::make(engine::TrapKind::Host, "krait.state_staged: the buffer is not inside the memory");
  if (n != 0) std::memcpy(to->data(), bytes.data(), n);
  return {};
}

}  // namespace

StateSession& state_of(const Caller& caller) { return state_of(*static_cast<Sandbox*>(caller.store().host_data)); }

StateSession& state_of(Sandbox& sandbox) {
  constexpr uint64_t OwnBytes = uint64_t{256} << 20;
  ++sandbox.uses;
  if (!sandbox.state)
    sandbox.state = std::make_shared<StateSession>(
        std::make_shared<LocalState>(store::memory_state({.user_bytes = OwnBytes}), LocalStateOptions{.user_bytes = OwnBytes}), "local");
  return *sandbox.state;
}

void define_state(engine::Linker& linker) {
  linker.func("krait", "state_size", &size);
  linker.func("krait", "state_read", &read);
  linker.func("krait", "state_write", &write);
  linker.func("krait", "state_write_range", &write_range);
  linker.func("krait", "state_resize", &resize);
  linker.func("krait", "state_push", &push);
  linker.func("krait", "state_push_mask", &push_mask);
  linker.func("krait", "state_pull", &pull);
  linker.func("krait", "state_delete", &remove);
  linker.func("krait", "state_lock", &lock);
  linker.func("krait", "state_unlock", &unlock);
  linker.func("krait", "state_append", &append);
  linker.func("krait", "state_read_log", &read_log);
  linker.func("krait", "state_clear_log", &clear_log);
  linker.func("krait", "state_list", &list);
  linker.func("krait", "state_staged", &staged);
}

}  // namespace krait::pyhost
