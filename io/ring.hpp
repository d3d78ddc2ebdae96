// Private to io/: one io_uring instance and what this kernel can do with it.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "io/time.hpp"

namespace krait::io {

/// Who an entry of the completion queue is for. Its address travels through the kernel.
class Completion {
 public:
  /// An entry of the operation itself. `flags` may say IORING_CQE_F_MORE.
  virtual void on_complete(int result, uint32_t flags) = 0;
  /// The answer to its cancel.
  virtual void on_cancelled(int result) {}

 protected:
  ~Completion() = default;
};

/// To be made, used and torn down by one thread.
class Ring {
 public:
  /// How much is asked of the kernel: 0 is everything, each level up to MaxLevel leaves out what an
  /// older kernel lacks.
  static constexpr unsigned MaxLevel = 3;
  /// Takes the first level from `level` on that the kernel grants, and probes the operations: those
  /// whose bit (1 << opcode) is in `without` count as missing. The error is one line for the
  /// operator: io_uring forbidden, absent or too old.
  static Result<std::unique_ptr<Ring>> create(unsigned entries, unsigned level = 0,
                                              uint64_t without = 0);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// An entry to fill; never null. It is submitted by the next enter().
  io_uring_sqe* prepare();
  /// Completions of `sqe` go to `completion`; null for nobody.
  static void set_completion(io_uring_sqe* sqe, Completion* completion) {
    sqe->user_data = reinterpret_cast<uint64_t>(completion);
  }
  /// Asks the kernel to cancel all that was submitted for `completion`; on_cancelled() gets the
  /// answer.
  void cancel(Completion& completion);

  /// Submits, and with `wait` sleeps until a completion or `until`.
  void enter(bool wait, Deadline until);
  void submit();
  /// Hands out all completions. Returns how many.
  unsigned reap();

  [[nodiscard]] bool supports(unsigned opcode) const { return supported_ >> opcode & 1; }
  [[nodiscard]] bool multishot_accept() const { return multishot_accept_; }
  [[nodiscard]] unsigned level() const { return level_; }
  [[nodiscard]] int fd() const { return ring_.ring_fd; }

  // -- Provided buffers: the kernel picks one when data comes, so a connection that waits holds
  // none.
  static constexpr unsigned BufferCount = 256;
  static constexpr unsigned BufferSize = 4096;
  static constexpr unsigned short BufferGroup = 0;
  /// Whether receive operations may take their buffers from the ring. Registers them at the first
  /// call.
  bool provide_buffers();
  [[nodiscard]] const std::byte* buffer(unsigned id) const {
    return buffers_ + size_t{id} * BufferSize;
  }
  /// Gives a buffer that a completion named back to the kernel.
  void recycle(unsigned id);

 private:
  struct Entry {
    uint64_t user_data;
    int result;
    uint32_t flags;
  };
  static constexpr uint64_t CancelTag = 1;

  Ring() = default;
  Result<void> probe(uint64_t without);
  static void dispatch(const Entry& entry);
  template <typename F>
  unsigned take_all(F&& take);

  io_uring ring_ = {};
  io_uring_buf_ring* buffer_ring_ = nullptr;
  std::byte* buffers_ = nullptr;
  bool buffers_refused_ = false;
  uint64_t supported_ = 0;
  unsigned level_ = 0;
  bool multishot_accept_ = false;
  std::vector<Entry>
      backlog_;  // taken from a full queue to make room, handed out by the next reap()
};

}  // namespace krait::io
