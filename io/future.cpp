// See future.hpp for the invariants.
#include "io/future.hpp"

#include <chrono>

#include "io/scheduler.hpp"
#include "io/shard.hpp"

namespace krait::io {

struct FutureCore::Waiter final : Wait {
  explicit Waiter(FutureCore& core) : core(core) {}
  void interrupt(int reason) override {
    {
      std::lock_guard lock(core.mutex_);
      core.waiter_ = nullptr;
      if (core.done_) reason = core.status_;
    }
    complete(reason);
  }
  void wake(int status) { complete(status); }
  FutureCore& core;
};

bool FutureCore::done() const {
  std::lock_guard lock(mutex_);
  return done_;
}

void FutureCore::set(int status) {
  Shard* shard;
  {
    std::lock_guard lock(mutex_);
    if (done_) return;
    done_ = true;
    status_ = status;
    shard = waiter_ ? shard_ : nullptr;
    threads_.notify_all();
  }
  if (!shard) return;
  if (shard == Shard::current()) {
    deliver();
  } else {
    shard->post([self = shared_from_this()] { self->deliver(); });
  }
}

void FutureCore::deliver() {
  Waiter* waiter;
  {
    std::lock_guard lock(mutex_);
    waiter = std::exchange(waiter_, nullptr);
  }
  if (waiter) waiter->wake(status_);
}

int FutureCore::wait(Deadline deadline) {
  Scheduler* scheduler = Scheduler::current();
  std::unique_lock lock(mutex_);
  if (done_) return status_;
  if (!scheduler) {
    const std::chrono::steady_clock::time_point until(std::chrono::nanoseconds(deadline.ns()));
    const auto is_done = [this] { return done_; };
    if (deadline.is_never()) {
      threads_.wait(lock, is_done);
    } else if (!threads_.wait_until(lock, until, is_done)) {
      return -ETIMEDOUT;
    }
    return status_;
  }
  lock.unlock();
  if (const int error = scheduler->check()) return error;
  Waiter waiter(*this);
  lock.lock();
  if (done_) return status_;
  assert(!waiter_);
  waiter_ = &waiter;
  shard_ = &scheduler->shard();
  lock.unlock();
  return scheduler->park(waiter, deadline);
}

}  // namespace krait::io
