// How a guest waits. The plain implementation blocks the thread; on coroutines it is io_waiter.hpp's.
#pragma once

#include <poll.h>
#include <sys/uio.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace krait::engine {
class Store;
}

namespace krait::pyhost {

/// A point in time: nanoseconds on a clock of clock_gettime (CLOCK_MONOTONIC or CLOCK_REALTIME).
struct Deadline {
  clockid_t clock = CLOCK_MONOTONIC;
  uint64_t ns = 0;

  static uint64_t now(clockid_t clock);
  /// Nanoseconds from now; 0 where it is over.
  [[nodiscard]] uint64_t left() const;
};

/// The calls that return bool give false when the wait was cut short: the guest sees EINTR and stops at its next poll of the
/// interrupt bits. Used by one line of control at a time.
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
  /// Runs `wait`, which blocks the thread or parks the coroutine, as a wait of this guest; returns what it returned: a negative
  /// errno of the host where it was cut short, also by a deadline that is not the wait's own.
  virtual int wait_with(const std::function<int()>& wait) { return wait(); }

  /// On a descriptor of this machine, at its own position or at `offset`: bytes, or a negative errno, -ECANCELED when it was cut
  /// short. These block the thread; an implementation need not.
  virtual int64_t read(int fd, std::span<const iovec> to, std::optional<uint64_t> offset);
  virtual int64_t write(int fd, std::span<const iovec> from, std::optional<uint64_t> offset);
  virtual int sync(int fd, bool data_only);
  /// Runs `work`: system calls on files of this machine that may take their time. This thread is blocked by it; an implementation
  /// may run it on another one while the caller waits. False when it was cut short before it began.
  virtual bool run_blocking(const std::function<void()>& work) {
    work();
    return true;
  }

  /// The line of control that waits here begins and ends to run the guest code of `store`. Nests, for one store.
  virtual void enter(engine::Store&) {}
  virtual void leave(engine::Store&) {}
};

/// While one lives, guest code of `store` may run here.
class GuestTurn {
 public:
  GuestTurn(Waiter& waiter, engine::Store& store) : waiter_(waiter), store_(store) { waiter_.enter(store_); }
  ~GuestTurn() { waiter_.leave(store_); }
  GuestTurn(const GuestTurn&) = delete;
  GuestTurn& operator=(const GuestTurn&) = delete;

 private:
  Waiter& waiter_;
  engine::Store& store_;
};

/// Blocks the calling thread. Stateless; shared by all.
Waiter& blocking_waiter();

}  // namespace krait::pyhost
