// What one call may take. A function can have limits of its own, kept beside it in the store; a call can have tighter ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace krait::pyhost {

// LIMIT(type, name, default, unit, what): `name` is also the key in JSON and, with dashes, the option on the command line.
// Times are in milliseconds there, sizes in bytes. 0 means none for the two times, and is not allowed for the others. A bool is 0 or 1,
// and 1 is the tighter one.
#define KRAIT_CALL_LIMITS(LIMIT)                                                                                        \
  LIMIT(uint64_t, wall_ms, 60'000, "ms", "time from the start on, waits included: TimeoutError, then a trap")           \
  LIMIT(uint64_t, cpu_ms, 0, "ms", "time on the processor: TimeoutError, then a trap")                                  \
  LIMIT(uint64_t, grace_ms, 1'000, "ms", "what a call may still take after its TimeoutError, before it is trapped")     \
  LIMIT(uint64_t, memory_bytes, uint64_t{1} << 30, "bytes", "linear memory: MemoryError")                              \
  LIMIT(uint64_t, output_bytes, uint64_t{64} << 20, "bytes", "the output: OSError (EFBIG)")                             \
  LIMIT(uint64_t, stdio_bytes, uint64_t{1} << 20, "bytes", "of stdout and of stderr that the result carries")           \
  LIMIT(uint64_t, tmp_bytes, uint64_t{256} << 20, "bytes", "private files: OSError (ENOSPC)")                           \
  LIMIT(uint64_t, open_files, 1024, "", "open descriptors: OSError (EMFILE)")                                           \
  LIMIT(uint64_t, sockets, 64, "", "open sockets, where the network is allowed: OSError (EMFILE); 0: no network")         \
  LIMIT(uint64_t, chain_depth, 2'000, "", "calls between it and the first one of its chain: RuntimeError in the caller") \
  LIMIT(uint64_t, chain_count, 100'000, "", "calls that the first call of a chain may cause: RuntimeError in the caller") \
  LIMIT(uint64_t, chain_bytes, uint64_t{4} << 30, "bytes", "inputs, results, and memory of waiting calls that a chain may hold: RuntimeError in the caller") \
  LIMIT(bool, fresh_hashes, false, "", "1: no snapshot; each call boots a Python with a hash secret of its own (10 ms, and its imports)")

/// A call's limits, complete.
struct CallLimits {
#define LIMIT(type, name, value, unit, what) type name = value;
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  bool operator==(const CallLimits&) const = default;
};

/// Some of them: a function's own, or a call's.
struct LimitChanges {
#define LIMIT(type, name, value, unit, what) std::optional<type> name;
  KRAIT_CALL_LIMITS(LIMIT)
#undef LIMIT
  [[nodiscard]] bool empty() const { return *this == LimitChanges{}; }
  bool operator==(const LimitChanges&) const = default;

  /// `limits` with these changes.
  [[nodiscard]] CallLimits over(CallLimits limits) const;
  /// `limits` with those changes that make them tighter: what a caller may ask for. 0 (none) is the widest.
  [[nodiscard]] CallLimits within(CallLimits limits) const;

  /// {"wall_ms": 500, ...}; "" and "{}" are no changes. An unknown key, a negative or fractional number, a 0 where
  /// that means nothing and a bool beyond 1 are errors that name the key.
  static Result<LimitChanges> parse(std::string_view json);
  /// "" where it is empty.
  [[nodiscard]] std::string to_json() const;
};

}  // namespace krait::pyhost
