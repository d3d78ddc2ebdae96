// What a kind of file does not override fails as POSIX says; and the streams that stand for stdio.
#include "pyhost/vfs.hpp"

#include <algorithm>
#include <cstring>

namespace krait::pyhost {

IoResult<uint64_t> File::read(std::span<const iovec>) { return Errno::BadF; }
IoResult<uint64_t> File::write(std::span<const iovec>) { return Errno::BadF; }
IoResult<uint64_t> File::pread(std::span<const iovec>, uint64_t) { return Errno::SPipe; }
IoResult<uint64_t> File::pwrite(std::span<const iovec>, uint64_t) { return Errno::SPipe; }
IoResult<uint64_t> File::seek(int64_t, Whence) { return Errno::SPipe; }
IoResult<void> File::set_size(uint64_t) { return Errno::Inval; }
IoResult<void> File::allocate(uint64_t, uint64_t) { return Errno::SPipe; }
IoResult<void> File::set_times(FileTimes) { return Errno::Perm; }
IoResult<void> File::advise(uint64_t, uint64_t, Advice) { return Errno::SPipe; }
IoResult<void> File::sync(bool) { return Errno::Inval; }
IoResult<void> File::set_flags(uint16_t) { return {}; }

namespace {

class BytesSource final : public File {
 public:
  explicit BytesSource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] FileType type() const override { return FileType::Unknown; }
  IoResult<FileStat> stat() override { return FileStat{}; }
  IoResult<uint64_t> read(std::span<const iovec> to) override {
    uint64_t count = 0;
    for (const iovec& piece : to) {
      const size_t n = std::min(piece.iov_len, bytes_.size() - at_);
      if (n == 0) continue;
      std::memcpy(piece.iov_base, bytes_.data() + at_, n);
      at_ += n;
      count += n;
    }
    return count;
  }
  [[nodiscard]] uint64_t available() override { return bytes_.size() - at_; }

 private:
  std::vector<std::byte> bytes_;
  size_t at_ = 0;
};

class CallbackSink final : public File {
 public:
  explicit CallbackSink(std::function<void(std::span<const std::byte>)> f) : f_(std::move(f)) {}
  [[nodiscard]] FileType type() const override { return FileType::Unknown; }
  IoResult<FileStat> stat() override { return FileStat{}; }
  IoResult<uint64_t> write(std::span<const iovec> from) override {
    uint64_t count = 0;
    for (const iovec& piece : from) {
      if (piece.iov_len != 0) f_({static_cast<const std::byte*>(piece.iov_base), piece.iov_len});
      count += piece.iov_len;
    }
    return count;
  }

 private:
  std::function<void(std::span<const std::byte>)> f_;
};

class NullStream final : public File {
 public:
  [[nodiscard]] FileType type() const override { return FileType::Unknown; }
  IoResult<FileStat> stat() override { return FileStat{}; }
  IoResult<uint64_t> read(std::span<const iovec>) override { return uint64_t{0}; }
  IoResult<uint64_t> write(std::span<const iovec> from) override {
    uint64_t count = 0;
    for (const iovec& piece : from) count += piece.iov_len;
    return count;
  }
};

}  // namespace

IoResult<uint64_t> BufferSink::write(std::span<const iovec> from) {
  uint64_t count = 0;
  for (const iovec& piece : from) {
    const size_t kept = std::min<uint64_t>(piece.iov_len, cap_ - text_.size());
    text_.append(static_cast<const char*>(piece.iov_base), kept);
    dropped_ += piece.iov_len - kept;
    count += piece.iov_len;
  }
  return count;
}

std::string BufferSink::take() {
  dropped_ = 0;
  return std::exchange(text_, {});
}

std::shared_ptr<File> bytes_source(std::vector<std::byte> bytes) {
  return std::make_shared<BytesSource>(std::move(bytes));
}
std::shared_ptr<File> callback_sink(std::function<void(std::span<const std::byte>)> f) {
  return std::make_shared<CallbackSink>(std::move(f));
}
std::shared_ptr<File> null_stream() { return std::make_shared<NullStream>(); }

}  // namespace krait::pyhost
