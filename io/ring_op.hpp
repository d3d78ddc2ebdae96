// Private to io/: one operation of the ring that parks a coroutine.
//
// Invariants
//  1. It lives on the parked coroutine's stack; so does what the kernel reads and writes for it.
//  2. pending_ counts its entries in the kernel (itself, and a cancel): the coroutine wakes when it
//  is 0, never before.
//  3. What the kernel did counts: an operation that completed although it was being cancelled
//  returns its own result.
#pragma once

#include "io/coroutine.hpp"
#include "io/ring.hpp"

namespace krait::io {

class RingOp final : public Wait, public Completion {
 public:
  RingOp() = default;
  /// 0 with an sqe() to fill, or why the caller cannot wait (-EPERM, -ECANCELED).
  int begin();
  [[nodiscard]] io_uring_sqe* sqe() const { return sqe_; }
  /// Parks until the kernel is done with it. Its result, or -ETIMEDOUT or -ECANCELED if it was
  /// ended early.
  int wait(Deadline deadline);

  void interrupt(int reason) override;
  void on_complete(int result, uint32_t flags) override;
  void on_cancelled(int result) override;

 private:
  void finish();

  io_uring_sqe* sqe_ = nullptr;
  int result_ = 0;
  int reason_ = 0;  // why it is being cancelled
  unsigned pending_ = 0;
  bool done_ = false;        // the operation itself has completed
  bool cancelling_ = false;  // a cancel is in the kernel
  int64_t backoff_ = 0;
};

/// The ring of this thread's shard. Only where begin() or check() has succeeded.
Ring& this_ring();

}  // namespace krait::io
