// Faasm's state calls, of the module "env". They are void or give a number that has no room for an error, so an error is a trap;
// keys are C strings. What a *_ptr call gave is the guest's own copy: flags and masked pushes bring it back.
#include <algorithm>
#include <cstring>

#include "pyhost/state/imports.hpp"

namespace krait::pyhost {

using engine::Caller;
using engine::Outcome;
using engine::Trap;
using store::Bytes;

namespace {

using u32 = uint32_t;
using i32 = int32_t;

constexpr size_t MaxPath = 4096;

/// One call under way.
class FaasmCall {
 public:
  FaasmCall(Caller& caller, const char* name, u32 key_ptr)
      : caller(caller), session(state_of(caller)), state(session.state()),
        waiter(&static_cast<Sandbox*>(caller.store().host_data)->wasi->waiter()), name_(name), text_(c_string(key_ptr, store::MaxStateKeyBytes + 1)) {
    if (text_) key = session.key(*text_);
  }
  /// Up to `most` bytes of the string at `address`; nothing where it has no end inside the memory.
  [[nodiscard]] std::optional<std::string> c_string(u32 address, size_t most) const {
    const engine::Memory* memory = caller.memory();
    if (!memory || address >= memory->size()) return std::nullopt;
    const size_t n = std::min<uint64_t>(memory->size() - address, most);
    const auto* first = reinterpret_cast<const char*>(memory->base()) + address;
    const void* end = std::memchr(first, 0, n);
    if (!end && n < most) return std::nullopt;
    return std::string(first, end ? static_cast<size_t>(static_cast<const char*>(end) - first) : n);
  }
  [[nodiscard]] bool ok() const { return text_.has_value(); }
  [[nodiscard]] Trap out_of_bounds() const {
    return Trap::make(engine::TrapKind::Host, std::string(name_) + ": the buffer is not inside the memory");
  }
  [[nodiscard]] Trap trap(Errno error) const {
    const char* why = error == Errno::NoEnt   ? "there is no such key"
                      : error == Errno::Range ? "the range goes past the end"
                      : error == Errno::NoMem ? "what is not pushed leaves no room in memory"
                      : error == Errno::NoSpc ? "the user's share of the store is used up"
                      : error == Errno::Perm  ? "this call has no such lock"
                                              : pyhost::name_of(error);
    return Trap::make(engine::TrapKind::Host, std::string(name_) + " of the state '" + text_.value_or("") + "': " + why);
  }
  [[nodiscard]] Outcome<> done(const IoResult<void>& result) const {
    if (result) return {};
    return trap(result.error());
  }

  Caller& caller;
  StateSession& session;
  LocalState& state;
  Waiter* waiter;
  store::StateKey key;

 private:
  const char* name_;
  const std::optional<std::string> text_;
};

#define FAASM_CALL(name)                          \
  FaasmCall call(caller, "__faasm_" name, key);   \
  if (!call.ok()) return call.out_of_bounds()

Outcome<i32> read_state(Caller& caller, u32 key, u32 ptr, u32 length) {
  FAASM_CALL("read_state");
  const auto to = caller.bytes(ptr, length);
  if (!to) return call.out_of_bounds();
  const auto size = call.state.size(call.key, call.waiter);
  if (!size && size.error() == Errno::NoEnt) return 0;
  if (!size) return call.trap(size.error());
  if (length != 0)
    if (const auto got = call.state.read_some(call.key, 0, *to, call.waiter); !got) return call.trap(got.error());
  return static_cast<i32>(std::min<uint64_t>(*size, INT32_MAX));
}

Outcome<> read_state_offset(Caller& caller, u32 key, u32 total, u32 offset, u32 ptr, u32 length) {
  FAASM_CALL("read_state_offset");
  const auto to = caller.bytes(ptr, length);
  if (!to) return call.out_of_bounds();
  if (uint64_t{offset} + length > total) return call.trap(Errno::Range);
  return call.done(call.state.read(call.key, offset, *to, call.waiter));
}

/// The guest's copy of [offset, offset + length): its place in memory of `total` bytes, fresh from the state.
Outcome<i32> map(FaasmCall& call, uint64_t total, uint64_t offset, uint64_t length) {
  if (offset + length > total) return call.trap(Errno::Range);
  const auto size = call.state.size(call.key, call.waiter);
  if (!size && size.error() != Errno::NoEnt) return call.trap(size.error());
  if (!size)
    if (auto made = call.state.resize(call.key, total, call.waiter); !made) return call.trap(made.error());
  if (size && total > *size) return call.trap(Errno::Range);
  StateSession::Mapping& mapping = call.session.mappings[call.key.key];
  engine::Memory& memory = *call.caller.memory();
  if (mapping.size < total) {
    const uint64_t pages = (total + engine::PageSize - 1) / engine::PageSize;
    const int64_t at = call.caller.store().grow(memory, pages);
    if (at < 0) return call.trap(Errno::NoMem);
    mapping = {static_cast<u32>(static_cast<uint64_t>(at) * engine::PageSize), total};
  }
  const auto to = call.caller.bytes(mapping.address, total);
  if (!to) return call.out_of_bounds();
  if (auto read = call.state.read(call.key, offset, to->subspan(offset, length), call.waiter); !read) return call.trap(read.error());
  return static_cast<i32>(mapping.address + offset);
}

Outcome<i32> read_state_ptr(Caller& caller, u32 key, u32 total) {
  FAASM_CALL("read_state_ptr");
  return map(call, total, 0, total);
}
Outcome<i32> read_state_offset_ptr(Caller& caller, u32 key, u32 total, u32 offset, u32 length) {
  FAASM_CALL("read_state_offset_ptr");
  return map(call, total, offset, length);
}

Outcome<> write_state(Caller& caller, u32 key, u32 ptr, u32 length) {
  FAASM_CALL("write_state");
  const auto from = caller.bytes(ptr, length);
  if (!from) return call.out_of_bounds();
  return call.done(call.state.write(call.key, *from, call.waiter));
}

Outcome<> write_state_offset(Caller& caller, u32 key, u32 total, u32 offset, u32 ptr, u32 length) {
  FAASM_CALL("write_state_offset");
  const auto from = caller.bytes(ptr, length);
  if (!from) return call.out_of_bounds();
  return call.done(call.state.write_range(call.key, total, offset, *from, call.waiter));
}

/// Brings a range of the guest's copy back; where there is none, the state's own bytes count as written.
IoResult<void> bring_back(FaasmCall& call, const store::StateKey& key, Interval range) {
  const auto mapped = call.session.mappings.find(key.key);
  if (mapped == call.session.mappings.end() || range.end > mapped->second.size) return call.state.mark_dirty(key, range, call.waiter);
  const auto from = call.caller.bytes(mapped->second.address, mapped->second.size);
  if (!from) return Errno::Fault;
  return call.state.write_range(key, mapped->second.size, range.begin, from->subspan(range.begin, range.end - range.begin), call.waiter);
}

Outcome<> flag_state_offset_dirty(Caller& caller, u32 key, u32 total, u32 offset, u32 length) {
  FAASM_CALL("flag_state_offset_dirty");
  if (uint64_t{offset} + length > total) return call.trap(Errno::Range);
  return call.done(bring_back(call, call.key, {offset, uint64_t{offset} + length}));
}
Outcome<> flag_state_dirty(Caller& caller, u32 key, u32 total) {
  FAASM_CALL("flag_state_dirty");
  return call.done(bring_back(call, call.key, {0, total}));
}

Outcome<> push_state(Caller& caller, u32 key) {
  FAASM_CALL("push_state");
  return call.done(call.state.push(call.key, ValueBytes::Push::Whole, call.waiter));
}
Outcome<> push_state_partial(Caller& caller, u32 key) {
  FAASM_CALL("push_state_partial");
  return call.done(call.state.push(call.key, ValueBytes::Push::Dirty, call.waiter));
}

/// What the mask shows counts as written: a guest that works on its copies flags nothing else.
IoResult<void> flag_masked(FaasmCall& call, const store::StateKey& mask) {
  if (call.session.mappings.contains(mask.key))
    if (auto back = bring_back(call, mask, {0, call.session.mappings[mask.key].size}); !back) return back;
  const auto bytes = call.state.read_all(mask, call.waiter);
  const auto size = call.state.size(call.key, call.waiter);
  if (!bytes || !size) return bytes ? size.error() : bytes.error();
  if (*size != bytes->size()) return Errno::Inval;
  for (uint64_t i = 0; i < bytes->size();) {
    const uint64_t begin = i;
    while (i < bytes->size() && (*bytes)[i] != std::byte{}) i++;
    if (i != begin)
      if (auto back = bring_back(call, call.key, {begin, i}); !back) return back;
    i += i == begin;
  }
  return {};
}

Outcome<> push_state_partial_mask(Caller& caller, u32 key, u32 mask_key) {
  FAASM_CALL("push_state_partial_mask");
  const auto name = call.c_string(mask_key, store::MaxStateKeyBytes + 1);
  if (!name) return call.out_of_bounds();
  const store::StateKey mask = call.session.key(*name);
  if (auto flagged = flag_masked(call, mask); !flagged) return call.trap(flagged.error());
  return call.done(call.state.push_masked(call.key, mask, call.waiter));
}

Outcome<> pull_state(Caller& caller, u32 key, u32) {
  FAASM_CALL("pull_state");
  return call.done(call.state.pull(call.key, call.waiter));
}

Outcome<> lock(FaasmCall& call, bool write) {
  for (;;) {
    const auto locked = call.session.lock(call.key.key, write, {}, call.waiter);
    if (locked || locked.error() != Errno::Intr) return call.done(locked);
    call.waiter->yield();
  }
}
Outcome<> lock_state_read(Caller& caller, u32 key) {
  FAASM_CALL("lock_state_read");
  return lock(call, false);
}
Outcome<> lock_state_write(Caller& caller, u32 key) {
  FAASM_CALL("lock_state_write");
  return lock(call, true);
}
Outcome<> unlock_state_read(Caller& caller, u32 key) {
  FAASM_CALL("unlock_state_read");
  return call.done(call.session.unlock(call.key.key, false));
}
Outcome<> unlock_state_write(Caller& caller, u32 key) {
  FAASM_CALL("unlock_state_write");
  return call.done(call.session.unlock(call.key.key, true));
}

Outcome<> append_state(Caller& caller, u32 key, u32 ptr, u32 length) {
  FAASM_CALL("append_state");
  const auto from = caller.bytes(ptr, length);
  if (!from) return call.out_of_bounds();
  return call.done(call.state.append(call.key, *from, call.waiter));
}

/// The first elements, one behind the other; what does not fit into the buffer is left out.
Outcome<> read_appended_state(Caller& caller, u32 key, u32 ptr, u32 length, u32 count) {
  FAASM_CALL("read_appended_state");
  const auto to = caller.bytes(ptr, length);
  if (!to) return call.out_of_bounds();
  const auto elements = call.state.read_log(call.key, 0, count, length, call.waiter);
  if (!elements) return call.trap(elements.error());
  size_t at = 0;
  for (const Bytes& element : *elements) {
    const size_t n = std::min(element.size(), to->size() - at);
    if (n != 0) std::memcpy(to->data() + at, element.data(), n);
    at += n;
  }
  return {};
}

Outcome<> clear_appended_state(Caller& caller, u32 key) {
  FAASM_CALL("clear_appended_state");
  return call.done(call.state.clear_log(call.key, call.waiter));
}

/// The bytes of a file of the guest's tree.
IoResult<Bytes> file_bytes(Wasi& wasi, const std::string& path) {
  constexpr uint64_t Most = uint64_t{1} << 30;
  Directory* best = nullptr;
  std::string rest;
  for (u32 fd = 3; Descriptor* preopen = wasi.descriptors().get(fd); fd++) {
    const std::string prefix = preopen->preopen == "/" || preopen->preopen == "." ? "" : preopen->preopen + "/";
    Directory* folder = preopen->preopen.empty() ? nullptr : preopen->file->as_directory();
    const std::string absolute = prefix.starts_with('/') || !path.starts_with('/') ? path : path.substr(1);
    if (folder && absolute.starts_with(prefix)) best = folder, rest = absolute.substr(prefix.size());
  }
  if (!best) return Errno::NoEnt;
  auto file = best->open(rest, OpenHow());
  if (!file) return file.error();
  const auto stat = (*file)->stat();
  if (!stat) return stat.error();
  if (stat->size > Most) return Errno::FBig;
  Bytes bytes(stat->size);
  for (uint64_t done = 0; done < bytes.size();) {
    const iovec piece{bytes.data() + done, bytes.size() - done};
    const auto got = (*file)->pread({&piece, 1}, done);
    if (!got) return got.error();
    if (*got == 0) bytes.resize(done);
    done += *got;
  }
  return bytes;
}

/// The file's size, or a negative WASI errno where it cannot be read.
Outcome<i32> write_state_from_file(Caller& caller, u32 key, u32 path) {
  FAASM_CALL("write_state_from_file");
  const auto name = call.c_string(path, MaxPath);
  if (!name) return call.out_of_bounds();
  const auto bytes = file_bytes(*static_cast<Sandbox*>(caller.store().host_data)->wasi, *name);
  if (!bytes) return -static_cast<i32>(bytes.error());
  if (auto written = call.state.write(call.key, *bytes, call.waiter); !written) return call.trap(written.error());
  return static_cast<i32>(bytes->size());
}

}  // namespace

void define_faasm_state(engine::Linker& linker) {
#define FAASM(name) linker.func("env", "__faasm_" #name, &name)
  FAASM(read_state);
  FAASM(read_state_offset);
  FAASM(read_state_ptr);
  FAASM(read_state_offset_ptr);
  FAASM(write_state);
  FAASM(write_state_offset);
  FAASM(write_state_from_file);
  FAASM(flag_state_dirty);
  FAASM(flag_state_offset_dirty);
  FAASM(push_state);
  FAASM(push_state_partial);
  FAASM(push_state_partial_mask);
  FAASM(pull_state);
  FAASM(lock_state_read);
  FAASM(lock_state_write);
  FAASM(unlock_state_read);
  FAASM(unlock_state_write);
  FAASM(append_state);
  FAASM(read_appended_state);
  FAASM(clear_appended_state);
#undef FAASM
}

}  // namespace krait::pyhost
