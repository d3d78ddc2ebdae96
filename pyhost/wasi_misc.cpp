// Arguments, environment, randomness, and what belongs to a process.
#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "pyhost/wasi_call.hpp"

namespace krait::pyhost {
namespace {

/// Writes strings to `buffer`, each with a NUL, and their addresses to `pointers`.
Errno put_strings(Call& call, const std::vector<std::string>& strings, uint32_t pointers, uint32_t buffer) {
  uint64_t at = buffer;
  for (uint64_t i = 0; i < strings.size(); i++) {
    const uint64_t size = strings[i].size() + 1;
    if (at > UINT32_MAX) return Errno::Fault;
    const auto to = call.bytes(static_cast<uint32_t>(at), size);
    if (!to) return Errno::Fault;
    std::memcpy(to->data(), strings[i].c_str(), size);
    if (Errno e = call.store(pointers + i * 4, static_cast<uint32_t>(at)); e != Errno::Success) return e;
    at += size;
  }
  return Errno::Success;
}

Errno put_sizes(Call& call, const std::vector<std::string>& strings, uint32_t count, uint32_t size) {
  uint64_t total = 0;
  for (const std::string& s : strings) total += s.size() + 1;
  if (total > UINT32_MAX) return Errno::Overflow;
  if (Errno e = call.store(count, static_cast<uint32_t>(strings.size())); e != Errno::Success) return e;
  return call.store(size, static_cast<uint32_t>(total));
}

/// Signals whose default action ends a process; the others it survives.
bool ends_process(uint32_t signal) {
  constexpr uint32_t Child = 16, Continue = 17, Stop = 18, TerminalStop = 19, TerminalIn = 20, TerminalOut = 21, Urgent = 22,
                     Window = 26;
  switch (signal) {
    case 0:
    case Child:
    case Continue:
    case Stop:
    case TerminalStop:
    case TerminalIn:
    case TerminalOut:
    case Urgent:
    case Window:
      return false;
    default:
      return true;
  }
}

}  // namespace

namespace wasi_calls {

Errno args_get(Call& call, u32 argv, u32 argv_buf) { return put_strings(call, call.wasi.args(), argv, argv_buf); }
Errno args_sizes_get(Call& call, u32 count, u32 size) { return put_sizes(call, call.wasi.args(), count, size); }
Errno environ_get(Call& call, u32 environ, u32 environ_buf) {
  return put_strings(call, call.wasi.environment(), environ, environ_buf);
}
Errno environ_sizes_get(Call& call, u32 count, u32 size) { return put_sizes(call, call.wasi.environment(), count, size); }

Errno random_get(Call& call, u32 buf, u32 buf_len) {
  const auto to = call.bytes(buf, buf_len);
  if (!to) return Errno::Fault;
  constexpr size_t Turn = 1 << 20;  // some milliseconds; then others have theirs
  for (size_t done = 0; done < to->size();) {
    const ssize_t n = getrandom(to->data() + done, std::min(to->size() - done, Turn), 0);
    if (n < 0 && errno != EINTR) return errno_from_host(errno);
    if (n > 0) done += static_cast<size_t>(n);
    if (done < to->size()) call.wasi.waiter().yield();
  }
  return Errno::Success;
}

Errno sched_yield(Call& call) {
  call.wasi.waiter().yield();
  return Errno::Success;
}

engine::Outcome<Errno> proc_raise(Call&, u32 signal) {
  constexpr u32 LastSignal = 30;
  if (signal > LastSignal) return Errno::Inval;
  if (ends_process(signal)) return engine::Trap::exit(static_cast<int32_t>(128 + signal));
  return Errno::Success;
}

}  // namespace wasi_calls
}  // namespace krait::pyhost
