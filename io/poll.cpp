// poll(2) on the ring: one operation a descriptor; the first that is ready takes the others back.
// As in ring_op.hpp the coroutine wakes only when the kernel has answered everything, and a cancel
// that missed is repeated.
#include <poll.h>

#include <vector>

#include "io/file.hpp"
#include "io/ring_op.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

namespace {

constexpr int64_t RepeatCancel = 1'000'000;

class PollMany;

struct PollOne final : Completion {
  void on_complete(int result, uint32_t flags) override;
  void on_cancelled(int result) override;
  PollMany* all = nullptr;
  struct pollfd* fd = nullptr;
  bool done = false;
  bool cancelling = false;
};

class PollMany final : public Wait {
 public:
  explicit PollMany(std::span<struct pollfd> fds) : items_(fds.size()) {
    for (size_t i = 0; i < fds.size(); ++i) {
      items_[i].all = this;
      items_[i].fd = &fds[i];
    }
  }

  int wait(Deadline deadline) {
    Scheduler* scheduler = Scheduler::current();
    if (!scheduler) return -EPERM;
    if (const int error = scheduler->check()) return error;
    for (PollOne& item : items_) {
      item.fd->revents = 0;
      item.done = item.fd->fd < 0;  // poll(2) skips those
      if (item.done) continue;
      io_uring_sqe* sqe = this_ring().prepare();
      io_uring_prep_poll_add(sqe, item.fd->fd, static_cast<unsigned short>(item.fd->events));
      Ring::set_completion(sqe, &item);
      ++pending_;
    }
    return scheduler->park(*this, deadline);
  }

  void interrupt(int reason) override {
    if (reason_ == 0) reason_ = reason;
    cancel_rest();
    if (pending_ == 0) complete(reason_);
  }

  void completed(PollOne& item, int result) {
    item.done = true;
    if (result != -ECANCELED) {
      item.fd->revents = static_cast<short>(result < 0 ? POLLNVAL : result);
      if (ready_++ == 0) cancel_rest();
    }
    answered();
  }

  void cancelled(PollOne& item) {
    item.cancelling = false;
    if (!item.done) Scheduler::current()->remind(*this, now_ns() + RepeatCancel);
    answered();
  }

 private:
  void cancel_rest() {
    for (PollOne& item : items_) {
      if (item.done || item.cancelling) continue;
      item.cancelling = true;
      ++pending_;
      this_ring().cancel(item);
    }
  }
  void answered() {
    if (--pending_ == 0) complete(ready_ != 0 ? ready_ : reason_);
  }

  std::vector<PollOne> items_;
  unsigned pending_ = 0;
  int ready_ = 0;
  int reason_ = 0;
};

void PollOne::on_complete(int result, uint32_t) { all->completed(*this, result); }
void PollOne::on_cancelled(int) { all->cancelled(*this); }

}  // namespace

int poll(int fd, short events, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_poll_add(op.sqe(), fd, static_cast<unsigned short>(events));
  return op.wait(deadline);
}

int poll(std::span<struct pollfd> fds, Deadline deadline) { return PollMany(fds).wait(deadline); }

}  // namespace krait::io
