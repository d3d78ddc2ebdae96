// A cancel can miss the operation between two states of the kernel's, so stop() repeats it.
#include "io/standing_op.hpp"

#include "io/ring_op.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

namespace {

constexpr std::chrono::milliseconds RepeatCancel{10};

}  // namespace

int StandingOp::check() {
  Scheduler* scheduler = Scheduler::current();
  return scheduler ? scheduler->check() : -EPERM;
}

io_uring_sqe* StandingOp::arm() {
  io_uring_sqe* sqe = this_ring().prepare();
  armed_ = true;
  ++pending_;
  return sqe;
}

void StandingOp::take_back() {
  if (!armed_ || cancelling_) return;
  cancelling_ = true;
  ++pending_;
  this_ring().cancel(*this);
}

void StandingOp::stop() {
  Shield shield;
  while (pending_ != 0) {
    take_back();
    changed_.wait(Deadline(RepeatCancel));
  }
}

void StandingOp::on_complete(int result, uint32_t flags) {
  if (!(flags & IORING_CQE_F_MORE)) {
    armed_ = false;
    --pending_;
  }
  on_entry(result, flags);
  changed_.wake_one();
}

void StandingOp::on_cancelled(int) {
  cancelling_ = false;
  --pending_;
  changed_.wake_one();
}

}  // namespace krait::io
