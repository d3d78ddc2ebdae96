// One ring operation a call. What older kernels' rings lack, and what no ring has (getdents,
// readlink, utimensat), runs on the blocking pool: the same results, more threads.
#include "io/file.hpp"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "io/blocking.hpp"
#include "io/ring_op.hpp"
#include "io/scheduler.hpp"

namespace krait::io {

namespace {

constexpr uint64_t OwnPosition = ~uint64_t{0};
/// Linux 6.9; not in liburing's header of 2.3.
constexpr unsigned OpFtruncate = 55;

unsigned cut(size_t size) { return static_cast<unsigned>(std::min<size_t>(size, INT_MAX)); }

/// Runs a system call on the blocking pool and returns its result in the ring's convention.
template <typename F>
int offload_call(Deadline deadline, F call) {
  int64_t result = 0;
  const int error = offload(
      [&] {
        result = call();
        if (result < 0) result = -errno;
      },
      deadline);
  return error != 0 ? error : static_cast<int>(result);
}

bool ring_has(unsigned opcode) { return current() && this_ring().supports(opcode); }

}  // namespace

int openat2(int directory, const char* path, const open_how& how, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  open_how copy = how;
  copy.flags |= O_CLOEXEC;
  io_uring_prep_openat2(op.sqe(), directory, path, &copy);
  return op.wait(deadline);
}

int openat(int directory, const char* path, int flags, mode_t mode, Deadline deadline) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags);
  how.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0;
  return openat2(directory, path, how, deadline);
}

int close(int fd) {
  Shield shield;
  RingOp op;
  if (op.begin() != 0) return ::close(fd) == 0 ? 0 : -errno;
  io_uring_prep_close(op.sqe(), fd);
  return op.wait({});
}

int pread(int fd, void* buffer, size_t size, uint64_t offset, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_read(op.sqe(), fd, buffer, cut(size), offset);
  return op.wait(deadline);
}

int pwrite(int fd, const void* buffer, size_t size, uint64_t offset, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_write(op.sqe(), fd, buffer, cut(size), offset);
  return op.wait(deadline);
}

int read(int fd, void* buffer, size_t size, Deadline deadline) {
  return pread(fd, buffer, size, OwnPosition, deadline);
}

int write(int fd, const void* buffer, size_t size, Deadline deadline) {
  return pwrite(fd, buffer, size, OwnPosition, deadline);
}

int preadv(int fd, std::span<const iovec> buffers, uint64_t offset, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_readv(op.sqe(), fd, buffers.data(), cut(buffers.size()), offset);
  return op.wait(deadline);
}

int pwritev(int fd, std::span<const iovec> buffers, uint64_t offset, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_writev(op.sqe(), fd, buffers.data(), cut(buffers.size()), offset);
  return op.wait(deadline);
}

int readv(int fd, std::span<const iovec> buffers, Deadline deadline) {
  return preadv(fd, buffers, OwnPosition, deadline);
}

int writev(int fd, std::span<const iovec> buffers, Deadline deadline) {
  return pwritev(fd, buffers, OwnPosition, deadline);
}

int fsync(int fd, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_fsync(op.sqe(), fd, 0);
  return op.wait(deadline);
}

int fdatasync(int fd, Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_fsync(op.sqe(), fd, IORING_FSYNC_DATASYNC);
  return op.wait(deadline);
}

int ftruncate(int fd, uint64_t size, Deadline deadline) {
  if (!ring_has(OpFtruncate))
    return offload_call(deadline, [=] { return ::ftruncate(fd, static_cast<off_t>(size)); });
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_rw(static_cast<int>(OpFtruncate), op.sqe(), fd, nullptr, 0, size);
  return op.wait(deadline);
}

int fallocate(int fd, int mode, uint64_t offset, uint64_t size, Deadline deadline) {
  if (!ring_has(IORING_OP_FALLOCATE)) {
    return offload_call(deadline, [=] {
      return ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(size));
    });
  }
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_fallocate(op.sqe(), fd, mode, static_cast<off_t>(offset), static_cast<off_t>(size));
  return op.wait(deadline);
}

int statx(int directory, const char* path, int flags, unsigned mask, struct statx& out,
          Deadline deadline) {
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_statx(op.sqe(), directory, path, flags, mask, &out);
  return op.wait(deadline);
}

int unlinkat(int directory, const char* path, int flags, Deadline deadline) {
  if (!ring_has(IORING_OP_UNLINKAT))
    return offload_call(deadline, [=] { return ::unlinkat(directory, path, flags); });
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_unlinkat(op.sqe(), directory, path, flags);
  return op.wait(deadline);
}

int mkdirat(int directory, const char* path, mode_t mode, Deadline deadline) {
  if (!ring_has(IORING_OP_MKDIRAT))
    return offload_call(deadline, [=] { return ::mkdirat(directory, path, mode); });
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_mkdirat(op.sqe(), directory, path, mode);
  return op.wait(deadline);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to, unsigned flags,
             Deadline deadline) {
  if (!ring_has(IORING_OP_RENAMEAT)) {
    return offload_call(deadline,
                        [=] { return ::renameat2(from_directory, from, to_directory, to, flags); });
  }
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_renameat(op.sqe(), from_directory, from, to_directory, to, flags);
  return op.wait(deadline);
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags,
           Deadline deadline) {
  if (!ring_has(IORING_OP_LINKAT)) {
    return offload_call(deadline,
                        [=] { return ::linkat(from_directory, from, to_directory, to, flags); });
  }
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_linkat(op.sqe(), from_directory, from, to_directory, to, flags);
  return op.wait(deadline);
}

int symlinkat(const char* target, int directory, const char* path, Deadline deadline) {
  if (!ring_has(IORING_OP_SYMLINKAT))
    return offload_call(deadline, [=] { return ::symlinkat(target, directory, path); });
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_symlinkat(op.sqe(), target, directory, path);
  return op.wait(deadline);
}

int readlinkat(int directory, const char* path, std::span<char> out, Deadline deadline) {
  return offload_call(deadline,
                      [=] { return ::readlinkat(directory, path, out.data(), out.size()); });
}

int utimensat(int directory, const char* path, const timespec times[2], int flags,
              Deadline deadline) {
  return offload_call(deadline, [=] {
    return path ? ::utimensat(directory, path, times, flags) : ::futimens(directory, times);
  });
}

int fadvise(int fd, uint64_t offset, uint64_t size, int advice, Deadline deadline) {
  // The ring's length is of 32 bits.
  if (!ring_has(IORING_OP_FADVISE) || size > UINT32_MAX) {
    return offload_call(deadline, [=] {
      errno = posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(size), advice);
      return errno == 0 ? 0 : -1;
    });
  }
  RingOp op;
  if (const int error = op.begin()) return error;
  io_uring_prep_fadvise(op.sqe(), fd, offset, static_cast<off_t>(size), advice);
  return op.wait(deadline);
}

int getdents(int fd, std::span<std::byte> buffer, Deadline deadline) {
  return offload_call(deadline,
                      [=] { return syscall(SYS_getdents64, fd, buffer.data(), buffer.size()); });
}

Result<std::vector<DirectoryEntry>> read_directory(int directory, const char* path,
                                                   Deadline deadline) {
  const auto failed = [path](int error) {
    return Error{std::string(path) + ": " + std::strerror(-error)};
  };
  const int fd = openat(directory, path, O_RDONLY | O_DIRECTORY, 0, deadline);
  if (fd < 0) return failed(fd);
  std::vector<DirectoryEntry> entries;
  std::vector<std::byte> buffer(size_t{32} << 10);
  int size;
  while ((size = getdents(fd, buffer, deadline)) > 0) {
    for (size_t at = 0; at < static_cast<size_t>(size);) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      entries.push_back({entry->d_name, entry->d_ino, entry->d_type});
    }
  }
  close(fd);
  if (size < 0) return failed(size);
  return entries;
}

}  // namespace krait::io
