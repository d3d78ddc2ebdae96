// Multishot receive, a StandingOp.
//
// A buffer belongs to the kernel until a completion names it, then to the Receiver until all of it
// was taken, then to the kernel again. When the shard's buffers run out (-ENOBUFS) the operation
// ends; it is begun again by the next recv(), once those who hold buffers have run.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>

#include "io/ring_op.hpp"
#include "io/socket.hpp"
#include "io/standing_op.hpp"

namespace krait::io {

class Receiver::State final : public StandingOp {
 public:
  explicit State(int fd) : fd_(fd) {}
  ~State() {
    for (const Piece& piece : pieces_) this_ring().recycle(piece.id);
  }

  int recv(void* buffer, size_t size, Deadline deadline) {
    while (pieces_.empty()) {
      if (ended_) return std::exchange(result_, 0);
      if (const int error = check()) return error;
      if (idle()) {
        if (!this_ring().provide_buffers()) return io::recv(fd_, buffer, size, 0, deadline);
        if (starved_) {
          // Plainly, with the caller's own buffer: the shared ones are all taken.
          starved_ = false;
          return io::recv(fd_, buffer, size, 0, deadline);
        }
        begin();
      }
      if (const int error = wait(deadline)) return error;
    }
    return take(static_cast<std::byte*>(buffer), size);
  }

  void on_entry(int result, uint32_t flags) override {
    if (result > 0) {
      pieces_.push_back({flags >> IORING_CQE_BUFFER_SHIFT, 0, static_cast<unsigned>(result)});
      if (armed() && pieces_.size() >= MaxPieces) take_back();
    } else if (result == -ENOBUFS) {
      starved_ = true;
    } else if (result != -ECANCELED) {
      ended_ = true;
      result_ = result;
    }
  }

 private:
  static constexpr size_t MaxPieces = 4;
  struct Piece {
    unsigned id;
    unsigned begin;
    unsigned end;
  };

  void begin() {
    io_uring_sqe* sqe = arm();
    io_uring_prep_recv_multishot(sqe, fd_, nullptr, 0, 0);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = Ring::BufferGroup;
    Ring::set_completion(sqe, this);
  }
  int take(std::byte* buffer, size_t size) {
    Piece& piece = pieces_.front();
    const size_t taken = std::min<size_t>(size, piece.end - piece.begin);
    std::memcpy(buffer, this_ring().buffer(piece.id) + piece.begin, taken);
    piece.begin += static_cast<unsigned>(taken);
    if (piece.begin == piece.end) {
      this_ring().recycle(piece.id);
      pieces_.pop_front();
    }
    return static_cast<int>(taken);
  }

  const int fd_;
  std::deque<Piece> pieces_;  // in the order of the stream
  int result_ = 0;        // what ended the stream, told once; then it is the end
  bool ended_ = false;
  bool starved_ = false;
};

Receiver::Receiver(int fd) : state_(std::make_unique<State>(fd)) {}

Receiver::~Receiver() { state_->stop(); }

int Receiver::recv(void* buffer, size_t size, Deadline deadline) {
  return state_->recv(buffer, size, deadline);
}

}  // namespace krait::io
