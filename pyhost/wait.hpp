// How a guest waits. The plain implementation blocks the thread; the coroutine runtime puts its own here.
#pragma once

#include <poll.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "io/time.hpp"

namespace krait::pyhost {

/// A point in time: nanoseconds on a clock of clock_gettime (CLOCK_MONOTONIC or CLOCK_REALTIME).
struct Deadline {
  clockid_t clock = CLOCK_MONOTONIC;
  uint64_t ns = 0;
};

/// All calls return false when the wait was cancelled: the guest sees EINTR and stops at its next poll of the interrupt
/// bits. Used by one line of control at a time.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual bool sleep_until(Deadline deadline) = 0;
  /// As poll(2): fills revents, and returns when one is ready or the deadline is over.
  virtual bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) = 0;
  /// Called before a read or write of a pipe, terminal or socket in blocking mode: returns when it would not block.
  /// `events` is POLLIN or POLLOUT. May return at once where the call itself may block.
  virtual bool before_transfer(int fd, short events) = 0;
  /// Gives others a turn.
  virtual void yield() = 0;
  /// Runs `wait`, which parks the coroutine or blocks the thread, as a wait of this guest, and returns what it returned: 0 or a
  /// negative errno of the host. It is given the moment at which to give up: `deadline`, or one before it at which the guest is to
  /// look at its interrupts.
  virtual int park(io::Deadline deadline, const std::function<int(io::Deadline)>& wait) { return wait(deadline); }
};

/// Blocks the calling thread. Stateless; shared by all.
Waiter& blocking_waiter();

}  // namespace krait::pyhost
