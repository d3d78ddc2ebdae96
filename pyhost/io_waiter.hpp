// Guests on coroutines: a wait parks the coroutine, never the thread, and who computes gives way when the slice is over.
//
//   IoWaiter waiter;                       // one a sandbox
//   PythonOptions options;
//   options.waiter = &waiter;
//   ... in a coroutine: PythonInstance::create(runtime, options), instance->call(...)
//
// A cancel of the coroutine ends the guest: its wait returns, and it traps (TrapKind::Interrupted) at its next poll.
#pragma once

#include "engine/store.hpp"
#include "io/coroutine.hpp"
#include "io/ticker.hpp"
#include "pyhost/wait.hpp"

namespace krait::pyhost {

/// The Waiter of one sandbox whose guest code runs in coroutines: in one at a time, in another one at another time, of any
/// shard. Sets the store's on_yield and native stack limit while guest code runs.
class IoWaiter : public Waiter, private io::SliceListener {
 public:
  /// Native stack that is kept for host functions below guest code.
  static constexpr size_t HostStack = size_t{256} << 10;

  bool sleep_until(Deadline deadline) override;
  bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override;
  bool before_transfer(int fd, short events) override;
  void yield() override;
  int64_t read(int fd, std::span<const iovec> to, std::optional<uint64_t> offset) override;
  int64_t write(int fd, std::span<const iovec> from, std::optional<uint64_t> offset) override;
  int sync(int fd, bool data_only) override;
  bool run_blocking(const std::function<void()>& work) override;
  int wait_with(const std::function<int()>& wait) override;
  void enter(engine::Store& store) override;
  void leave(engine::Store& store) override;

 protected:
  /// Around each wait that parks, and around each slice given up to others.
  virtual void on_park() {}
  virtual void on_resume() {}
  /// The coroutine was cancelled, or its own deadline has passed: a wait of the guest was cut short by it, or a slice ended
  /// with it. Ends the guest.
  virtual void on_cancel(engine::Store& store) { store.interrupt(engine::InterruptStop); }

 private:
  void slice_over() override { store_->interrupt(engine::InterruptYield); }
  void end_slice();
  bool woken(int result);
  int64_t moved(int result);
  template <typename F>
  int park(F wait);

  engine::Store* store_ = nullptr;
  io::Coroutine* coroutine_ = nullptr;
  unsigned depth_ = 0;
};

}  // namespace krait::pyhost
