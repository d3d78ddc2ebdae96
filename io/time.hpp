// Time as the runtime counts it: nanoseconds of CLOCK_MONOTONIC.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace krait::io {

/// Nanoseconds of CLOCK_MONOTONIC.
inline int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// The moment a wait gives up with -ETIMEDOUT. A value; made from a timeout it counts from its
/// making. A deadline that has passed still lets an operation that is ready at once succeed.
class Deadline {
 public:
  /// Never.
  constexpr Deadline() = default;
  /// `timeout` from now; saturates.
  template <typename Count, typename Period>
  Deadline(std::chrono::duration<Count, Period> timeout)  // NOLINT(implicit)
      : Deadline(in(std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count())) {}
  /// `timeout` nanoseconds from now; saturates.
  static Deadline in(int64_t timeout) {
    const int64_t now = now_ns();
    return at(timeout > Never - now ? Never : now + timeout);
  }
  /// At `ns` of CLOCK_MONOTONIC.
  static constexpr Deadline at(int64_t ns) {
    Deadline deadline;
    deadline.at_ = ns;
    return deadline;
  }
  static constexpr Deadline never() { return {}; }

  [[nodiscard]] constexpr int64_t ns() const { return at_; }
  [[nodiscard]] constexpr bool is_never() const { return at_ == Never; }
  [[nodiscard]] bool passed() const { return !is_never() && now_ns() >= at_; }
  [[nodiscard]] constexpr Deadline earlier(Deadline other) const {
    return at_ < other.at_ ? *this : other;
  }

 private:
  static constexpr int64_t Never = std::numeric_limits<int64_t>::max();
  int64_t at_ = Never;
};

}  // namespace krait::io
