// A cancel can miss (the operation is between two states of the kernel's, or on a kernel worker's
// hands, which finishes what it began), so it is repeated with growing pauses until the operation
// has completed.
#include "io/ring_op.hpp"

#include <algorithm>

#include "io/scheduler.hpp"
#include "io/shard.hpp"

namespace krait::io {

namespace {

constexpr int64_t FirstBackoff = 1'000'000, LastBackoff = 64'000'000;

}  // namespace

Ring& this_ring() { return Scheduler::current()->shard().ring(); }

int RingOp::begin() {
  Scheduler* scheduler = Scheduler::current();
  if (!scheduler) return -EPERM;
  if (const int error = scheduler->check()) return error;
  sqe_ = this_ring().prepare();
  return 0;
}

int RingOp::wait(Deadline deadline) {
  Ring::set_completion(sqe_, this);
  pending_ = 1;
  return Scheduler::current()->park(*this, deadline);
}

void RingOp::interrupt(int reason) {
  if (reason_ == 0) reason_ = reason;
  if (done_ || cancelling_) return;
  cancelling_ = true;
  ++pending_;
  this_ring().cancel(*this);
}

void RingOp::on_complete(int result, uint32_t) {
  done_ = true;
  // A kernel worker that is interrupted in the middle reports EINTR.
  const bool cut_short = result == -ECANCELED || result == -EINTR;
  result_ = cut_short && reason_ != 0 ? reason_ : result;
  finish();
}

void RingOp::on_cancelled(int) {
  cancelling_ = false;
  finish();
  if (done_) return;
  backoff_ = std::clamp(backoff_ * 2, FirstBackoff, LastBackoff);
  Scheduler::current()->remind(*this, now_ns() + backoff_);
}

void RingOp::finish() {
  if (--pending_ == 0 && done_) complete(result_);
}

}  // namespace krait::io
