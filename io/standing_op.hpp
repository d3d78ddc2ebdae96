// Private to io/: an operation that outlives the calls of its owner, as multishot ones do.
//
// Invariants
//  1. pending_ counts the kernel's answers still to come, of the operation and of its cancel; the object outlives them: its
//  owner calls stop() first.
//  2. At most one operation and one cancel are in the kernel at a time.
#pragma once

#include "io/coroutine.hpp"
#include "io/ring.hpp"

namespace krait::io {

class StandingOp : public Completion {
 public:
  /// Takes the operation back and waits for the kernel's last word, whether or not the caller is cancelled.
  void stop();

 protected:
  StandingOp() = default;
  ~StandingOp() = default;
  StandingOp(const StandingOp&) = delete;
  StandingOp& operator=(const StandingOp&) = delete;

  /// An entry to fill; its answers come to on_entry().
  io_uring_sqe* arm();
  /// Asks for its end; more answers may come.
  void take_back();
  [[nodiscard]] bool armed() const { return armed_; }
  /// Nothing of it is in the kernel.
  [[nodiscard]] bool idle() const { return pending_ == 0; }
  /// What a wait asks before it begins anything: 0, -EPERM outside a coroutine, -ECANCELED.
  static int check();
  /// Until something came.
  int wait(Deadline deadline) { return changed_.wait(deadline); }

  /// An answer of the operation, on the loop; armed() says whether more are to come.
  virtual void on_entry(int result, uint32_t flags) = 0;

 private:
  void on_complete(int result, uint32_t flags) final;
  void on_cancelled(int result) final;

  WaitQueue changed_;
  unsigned pending_ = 0;
  bool armed_ = false;
  bool cancelling_ = false;
};

}  // namespace krait::io
