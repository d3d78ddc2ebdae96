// One WASI call under way: the sandbox it came from, and checked access to the guest's memory. Private to wasi_*.cpp.
#pragma once

#include <bit>
#include <cerrno>
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

/// Runs one transfer, f(), waiting until it would not block unless `nonblock`. The caller keeps the file alive: a wait may outlast the
/// descriptor. DeadLk where nothing can end the wait.
template <typename F>
IoResult<uint64_t> transfer(Call& call, File& file, short events, bool nonblock, F f) {
  for (;;) {
    const int fd = file.poll_fd();
    if (fd >= 0) {
      pollfd one{fd, events, 0};
      // A blocking descriptor that we share with others must not block a guest that asked not to be.
      if (nonblock) {
        if (!call.wasi.waiter().poll({&one, 1}, Deadline{CLOCK_MONOTONIC, 0})) return Errno::Intr;
        if (one.revents == 0) return Errno::Again;
      } else if (!call.wasi.waiter().before_transfer(fd, events)) {
        return Errno::Intr;
      }
    }
    IoResult<uint64_t> count = f(file);
    if (count) return count;
    if (count.error() == Errno::Intr) continue;
    if (count.error() == Errno::Canceled) return Errno::Intr;
    if (count.error() != Errno::Again || nonblock) return count;
    if (fd < 0) return Errno::DeadLk;
  }
}

/// `f()`, an IoResult, as a wait of this guest where `file` may wait for a disk. Intr where it was cut short.
template <typename F>
auto on_disk(Call& call, const File& file, F f) -> decltype(f()) {
  if (!file.may_wait()) return f();
  std::optional<decltype(f())> result;
  const int cut = call.wasi.waiter().wait_with([&] {
    result.emplace(f());
    if (*result) return 0;
    return result->error() == Errno::Canceled ? -ECANCELED : result->error() == Errno::TimedOut ? -ETIMEDOUT : 0;
  });
  if (cut == -ECANCELED) return Errno::Intr;
  return std::move(*result);
}

template <typename T>
Errno errno_of(const IoResult<T>& result) {
  return result ? Errno::Success : result.error();
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
namespace socket_calls {
using u32 = uint32_t;
using u64 = uint64_t;
#define SOCKET(name, ...) Errno name(Call& call, __VA_ARGS__);
#include "pyhost/socket.def"
#undef SOCKET
}  // namespace socket_calls

}  // namespace krait::pyhost
