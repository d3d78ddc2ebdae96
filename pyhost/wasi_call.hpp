// One WASI call under way: the sandbox it came from, and checked access to the guest's memory. Private to wasi_*.cpp.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "engine/host.hpp"
#include "pyhost/wasi.hpp"

namespace krait::pyhost {

static_assert(std::endian::native == std::endian::little, "guest memory is little-endian");

class Call {
 public:
  Call(engine::Memory& memory, Wasi& wasi) : wasi(wasi), memory_(memory) {}

  Wasi& wasi;

  /// `length` bytes at `address`, or nothing when they are not all inside.
  [[nodiscard]] std::optional<std::span<std::byte>> bytes(uint32_t address, uint64_t length) const {
    if (!memory_.contains(address, length)) return std::nullopt;
    return std::span<std::byte>(memory_.base() + address, length);
  }
  template <typename T>
  [[nodiscard]] std::optional<T> load(uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!memory_.contains(address, sizeof(T))) return std::nullopt;
    T value;
    std::memcpy(&value, memory_.base() + address, sizeof(T));
    return value;
  }
  template <typename T>
  [[nodiscard]] Errno store(uint64_t address, const T& value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!memory_.contains(address, sizeof(T))) return Errno::Fault;
    std::memcpy(memory_.base() + address, &value, sizeof(T));
    return Errno::Success;
  }
  /// A path: copied, for the guest's memory may change under a waiting call. Inval for one with a NUL in it, IlSeq for
  /// one that is not UTF-8, as WASI's paths are.
  [[nodiscard]] IoResult<std::string> path(uint32_t address, uint32_t length) const;
  /// The buffers that an array of iovecs names.
  [[nodiscard]] IoResult<std::vector<iovec>> buffers(uint32_t iovs, uint32_t count) const;

  /// The descriptor, if it is open and has the rights.
  [[nodiscard]] IoResult<Descriptor*> descriptor(uint32_t fd, Rights needed) const;
  /// The same for a directory.
  [[nodiscard]] IoResult<Directory*> directory(uint32_t fd, Rights needed) const;

 private:
  engine::Memory& memory_;
};

template <typename T>
Errno errno_of(const IoResult<T>& result) {
  return result ? Errno::Success : result.error();
}

/// What `f()` gives: through the waiter if `on_host`, since system calls on files of this machine may take their time.
template <typename F>
std::invoke_result_t<F&> maybe_waiting(Call& call, bool on_host, F f) {
  if (!on_host) return f();
  std::optional<std::invoke_result_t<F&>> result;
  if (!call.wasi.waiter().run_blocking([&] { result = f(); })) return Errno::Intr;
  return std::move(*result);
}
/// For calls on an open file or directory, and on a path beneath a directory.
inline bool on_host(const File& file) { return file.host_fd() >= 0; }
inline bool on_host(Directory& directory, std::string_view path) {
  const auto place = directory.locate(path);
  return place && place->directory->host_fd() >= 0;
}
/// `f(cached)`, which looks a path up: what the kernel has at hand is found at once, and only the rest waits.
template <typename F>
std::invoke_result_t<F&, bool> looked_up(Call& call, Directory& directory, std::string_view path, F f) {
  if (!on_host(directory, path)) return f(false);
  auto result = f(true);
  if (result || (result.error() != Errno::Again && result.error() != Errno::Inval)) return result;  // Inval: no such lookup here
  return maybe_waiting(call, true, [&] { return f(false); });
}

/// As they lie in guest memory.
struct WireFilestat {
  uint64_t dev, ino;
  uint8_t type, pad[7];
  uint64_t nlink, size, atim, mtim, ctim;
};
static_assert(sizeof(WireFilestat) == 64);
WireFilestat wire(const FileStat& stat);

/// What the flags of a set_times call ask for; Inval where they contradict one another.
IoResult<FileTimes> times_of(uint64_t atim, uint64_t mtim, uint32_t flags);

namespace wasi_calls {
using u32 = uint32_t;
using u64 = uint64_t;
#define WASI(name, ...) Errno name(Call& call __VA_OPT__(, ) __VA_ARGS__);
#define WASI_LEAVES(name, ...) engine::Outcome<Errno> name(Call& call, __VA_ARGS__);
#include "pyhost/wasi.def"
#undef WASI
#undef WASI_LEAVES
}  // namespace wasi_calls

}  // namespace krait::pyhost
