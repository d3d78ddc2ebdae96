// Pairs and pipes in memory. Both ends belong to one guest, which runs one line of control: what is not ready now becomes ready by
// the guest's own calls only, so a wait for it alone would be for ever and is EDEADLK (wasi_fd, wasi_clock).
#include <algorithm>
#include <cstring>
#include <deque>

#include "pyhost/network.hpp"

namespace krait::pyhost {
namespace {

constexpr size_t StreamBytes = size_t{64} << 10;

/// One direction.
struct Flow {
  std::shared_ptr<Network::Shared> shared;
  bool datagrams = false;
  std::deque<std::vector<std::byte>> pieces;
  size_t at = 0;     // in the first piece
  size_t bytes = 0;  // unread
  bool writer_gone = false, reader_gone = false;

  ~Flow() { shared->unread -= bytes; }
  void drop() {
    shared->unread -= bytes;
    bytes = at = 0;
    pieces.clear();
  }
  [[nodiscard]] bool readable() const { return !pieces.empty() || writer_gone || reader_gone; }
  [[nodiscard]] bool writable() const { return reader_gone || writer_gone || bytes < StreamBytes; }
};

size_t size_of(std::span<const iovec> buffers) {
  size_t size = 0;
  for (const iovec& one : buffers) size += one.iov_len;
  return size;
}

IoResult<uint64_t> take(Flow& flow, std::span<const iovec> to, bool peek) {
  if (flow.reader_gone) return uint64_t{0};
  if (flow.pieces.empty()) return flow.writer_gone ? IoResult<uint64_t>(uint64_t{0}) : Errno::Again;
  uint64_t taken = 0;
  size_t piece = 0, at = flow.at;
  for (const iovec& buffer : to) {
    for (size_t filled = 0; filled < buffer.iov_len && piece < flow.pieces.size();) {
      const std::vector<std::byte>& from = flow.pieces[piece];
      const size_t n = std::min(buffer.iov_len - filled, from.size() - at);
      if (n != 0) std::memcpy(static_cast<std::byte*>(buffer.iov_base) + filled, from.data() + at, n);
      filled += n, at += n, taken += n;
      if (at < from.size()) continue;
      if (flow.datagrams) break;
      piece++, at = 0;
    }
  }
  if (peek) return taken;
  size_t gone = taken;
  if (flow.datagrams) {  // the rest of a message is lost
    gone = flow.pieces.front().size();
    piece = 1, at = 0;
  }
  flow.pieces.erase(flow.pieces.begin(), flow.pieces.begin() + static_cast<std::ptrdiff_t>(piece));
  flow.at = at;
  flow.bytes -= gone;
  flow.shared->unread -= gone;
  return taken;
}

IoResult<uint64_t> put(Flow& flow, std::span<const iovec> from) {
  if (flow.reader_gone || flow.writer_gone) return Errno::Pipe;
  const size_t size = size_of(from);
  if (size == 0 && !flow.datagrams) return uint64_t{0};
  if (flow.datagrams && size > StreamBytes) return Errno::MsgSize;
  const size_t room = StreamBytes - std::min(StreamBytes, flow.bytes);
  if (room == 0 || (flow.datagrams && (size > room || flow.pieces.size() >= 1024))) return Errno::Again;
  const size_t n = std::min(size, room);
  if (flow.shared->unread + n > Network::PairBytes) return Errno::NoBufs;
  std::vector<std::byte> piece;
  piece.reserve(n);
  for (const iovec& one : from) {
    const auto* begin = static_cast<const std::byte*>(one.iov_base);
    piece.insert(piece.end(), begin, begin + std::min(one.iov_len, n - piece.size()));
  }
  // Small writes of a stream share a piece: what they hold must not be many times what is counted.
  if (!flow.datagrams && !flow.pieces.empty() && flow.pieces.back().size() + n <= 4096) {
    flow.pieces.back().insert(flow.pieces.back().end(), piece.begin(), piece.end());
  } else {
    flow.pieces.push_back(std::move(piece));
  }
  flow.bytes += n;
  flow.shared->unread += n;
  return uint64_t{n};
}

short ready_of(const Flow* in, const Flow* out, short events) {
  short ready = 0;
  if (in && events & POLLIN && in->readable()) ready |= POLLIN;
  if (out && events & POLLOUT && out->writable()) ready |= POLLOUT;
  if (ready != 0 && ((in && in->writer_gone) || (out && out->reader_gone))) ready |= POLLHUP;
  return ready;
}

class PairEnd final : public Socket {
 public:
  PairEnd(FileType type, std::shared_ptr<Flow> in, std::shared_ptr<Flow> out) : type_(type), in_(std::move(in)), out_(std::move(out)) {}
  ~PairEnd() override {
    in_->reader_gone = out_->writer_gone = true;
    in_->drop();
  }
  [[nodiscard]] FileType type() const override { return type_; }
  [[nodiscard]] short ready(short events) override { return ready_of(in_.get(), out_.get(), events); }
  [[nodiscard]] uint64_t available() override { return in_->bytes; }
  IoResult<uint64_t> receive(std::span<const iovec> to, bool peek, SocketAddress* from) override {
    if (from) *from = {};
    return take(*in_, to, peek);
  }
  IoResult<uint64_t> send(std::span<const iovec> from, const SocketAddress* to) override {
    return to ? IoResult<uint64_t>(Errno::IsConn) : put(*out_, from);
  }
  IoResult<void> shutdown(bool reads, bool writes) override {
    if (reads) in_->reader_gone = true, in_->drop();
    if (writes) out_->writer_gone = true;
    return {};
  }

 private:
  FileType type_;
  std::shared_ptr<Flow> in_, out_;
};

class PipeEnd final : public File {
 public:
  PipeEnd(std::shared_ptr<Flow> flow, bool reads) : flow_(std::move(flow)), reads_(reads) {}
  ~PipeEnd() override { (reads_ ? flow_->reader_gone : flow_->writer_gone) = true; }
  [[nodiscard]] FileType type() const override { return FileType::Unknown; }
  IoResult<FileStat> stat() override { return FileStat{}; }
  [[nodiscard]] uint16_t flags() override { return flags_; }
  IoResult<void> set_flags(uint16_t flags) override {
    flags_ = flags & fd_flag::Nonblock;
    return {};
  }
  [[nodiscard]] short ready(short events) override { return ready_of(reads_ ? flow_.get() : nullptr, reads_ ? nullptr : flow_.get(), events); }
  [[nodiscard]] uint64_t available() override { return reads_ ? flow_->bytes : 0; }
  IoResult<uint64_t> read(std::span<const iovec> to) override { return reads_ ? take(*flow_, to, false) : Errno::BadF; }
  IoResult<uint64_t> write(std::span<const iovec> from) override { return reads_ ? IoResult<uint64_t>(Errno::BadF) : put(*flow_, from); }

 private:
  std::shared_ptr<Flow> flow_;
  bool reads_;
  uint16_t flags_ = 0;
};

std::shared_ptr<Flow> flow_of(const std::shared_ptr<Network::Shared>& shared, bool datagrams) {
  auto flow = std::make_shared<Flow>();
  flow->shared = shared;
  flow->datagrams = datagrams;
  return flow;
}

}  // namespace

IoResult<int32_t> Socket::option(SocketOption option) {
  switch (option) {
    case SocketOption::Type: return static_cast<int32_t>(type());
    case SocketOption::SendBuffer:
    case SocketOption::ReceiveBuffer: return static_cast<int32_t>(StreamBytes);
    default: return 0;
  }
}

Network::Ends Network::pipe() {
  auto flow = flow_of(shared_, false);
  return {std::make_shared<PipeEnd>(flow, true), std::make_shared<PipeEnd>(flow, false)};
}

Network::Ends Network::pair(FileType type) {
  auto a = flow_of(shared_, type == FileType::SocketDgram), b = flow_of(shared_, type == FileType::SocketDgram);
  return {std::make_shared<PairEnd>(type, a, b), std::make_shared<PairEnd>(type, b, a)};
}

}  // namespace krait::pyhost
