// The waits that need no ring: queues, sleep, join. Each checks first (a cancelled coroutine must
// not park), links itself, and parks; whoever ends the wait unlinks it before it completes it.
#include "io/coroutine.hpp"

#include <cassert>
#include <cstring>

#include "io/scheduler.hpp"

namespace krait::io {

namespace {

struct Sleep final : Wait {
  void interrupt(int reason) override { complete(reason); }
};

}  // namespace

struct WaitQueue::Waiter final : Wait, ListNode {
  void interrupt(int reason) override { wake(reason); }
  void wake(int result) {
    unlink();
    complete(result);
  }
};

void Wait::complete(int result) { Scheduler::current()->complete(*this, result); }

int WaitQueue::wait(Deadline deadline) {
  Scheduler* scheduler = Scheduler::current();
  if (!scheduler) return -EPERM;
  if (const int error = scheduler->check()) return error;
  Waiter waiter;
  waiters_.push_back(waiter);
  return scheduler->park(waiter, deadline);
}

bool WaitQueue::wake_one(int result) {
  Waiter* waiter = waiters_.front();
  if (waiter) waiter->wake(result);
  return waiter != nullptr;
}

void WaitQueue::wake_all(int result) {
  waiters_.for_each([result](Waiter& waiter) { waiter.wake(result); });
}

void Coroutine::set_name(const char* name) {
  std::strncpy(name_, name, sizeof name_ - 1);
  name_[sizeof name_ - 1] = 0;
}

void Coroutine::cancel() { Scheduler::current()->cancel(*this); }

void Coroutine::interrupt_wait() {
  if (wait_ && shields_ == 0) wait_->interrupt(-EINTR);
}

void Coroutine::set_slice_listener(SliceListener* listener) {
  assert(this == io::current());
  listener_ = listener;
  Scheduler::current()->set_slice_listener(listener);
}

int Task::join(Deadline deadline) {
  if (done()) return 0;
  if (coroutine_ == current()) return -EDEADLK;
  return coroutine_->joiners_.wait(deadline);
}

Shield::Shield() : coroutine_(current()) {
  if (coroutine_) ++coroutine_->shields_;
}

Shield::~Shield() {
  if (coroutine_) --coroutine_->shields_;
}

Coroutine* current() {
  Scheduler* scheduler = Scheduler::current();
  return scheduler ? scheduler->running() : nullptr;
}

int yield() {
  Scheduler* scheduler = Scheduler::current();
  return scheduler ? scheduler->yield() : -EPERM;
}

int sleep_until(Deadline moment) {
  Scheduler* scheduler = Scheduler::current();
  if (!scheduler) return -EPERM;
  if (const int error = scheduler->check()) return error;
  Sleep sleep;
  const int reason = scheduler->park(sleep, moment);
  if (reason != -ETIMEDOUT) return reason;
  return moment.passed() ? 0 : -ETIMEDOUT;
}

int sleep_for(std::chrono::nanoseconds time) { return sleep_until(Deadline(time)); }

}  // namespace krait::io
