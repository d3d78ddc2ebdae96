// A call on this machine's files may wait for a disk or a server, so on a shard it goes to the ring, or to the blocking pool
// where the ring has no such operation. Opens look first: what the kernel's name cache knows (RESOLVE_CACHED) is open after one
// system call and no switch.
#include "pyhost/host_calls.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "io/coroutine.hpp"
#include "io/file.hpp"

namespace krait::pyhost::host {
namespace {

int or_errno(int64_t result) { return result < 0 ? -errno : static_cast<int>(result); }

bool parks() { return io::current() != nullptr; }

int plain_openat2(int directory, const char* path, const open_how& how) {
  return or_errno(syscall(SYS_openat2, directory, path, &how, sizeof how));
}

}  // namespace

int openat2(int directory, const char* path, const open_how& how) {
  if (!parks()) return plain_openat2(directory, path, how);
  if ((how.flags & (O_CREAT | O_TRUNC)) == 0) {
    open_how cached = how;
    cached.resolve |= RESOLVE_CACHED;
    const int fd = plain_openat2(directory, path, cached);
    if (fd != -EAGAIN && fd != -EINVAL && fd != -EINTR) return fd;  // EINVAL: Linux before 5.12
  }
  return io::openat2(directory, path, how);
}

void close(int fd) {
  if (parks())
    io::close(fd);
  else
    ::close(fd);
}

int statx(int directory, const char* path, int flags, struct statx& out) {
  if (parks()) return io::statx(directory, path, flags, STATX_BASIC_STATS, out);
  return or_errno(::statx(directory, path, flags, STATX_BASIC_STATS, &out));
}

int mkdirat(int directory, const char* path, mode_t mode) {
  return parks() ? io::mkdirat(directory, path, mode) : or_errno(::mkdirat(directory, path, mode));
}

int unlinkat(int directory, const char* path, int flags) {
  return parks() ? io::unlinkat(directory, path, flags) : or_errno(::unlinkat(directory, path, flags));
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) {
  if (parks()) return io::renameat(from_directory, from, to_directory, to);
  return or_errno(::renameat(from_directory, from, to_directory, to));
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  if (parks()) return io::linkat(from_directory, from, to_directory, to, flags);
  return or_errno(::linkat(from_directory, from, to_directory, to, flags));
}

int symlinkat(const char* target, int directory, const char* path) {
  return parks() ? io::symlinkat(target, directory, path) : or_errno(::symlinkat(target, directory, path));
}

int readlinkat(int directory, const char* path, std::span<char> out) {
  return parks() ? io::readlinkat(directory, path, out) : or_errno(::readlinkat(directory, path, out.data(), out.size()));
}

int utimensat(int directory, const char* path, const timespec times[2], int flags) {
  if (parks()) return io::utimensat(directory, path, times, flags);
  return or_errno(path ? ::utimensat(directory, path, times, flags) : ::futimens(directory, times));
}

int ftruncate(int fd, uint64_t size) {
  return parks() ? io::ftruncate(fd, size) : or_errno(::ftruncate(fd, static_cast<off_t>(size)));
}

int fallocate(int fd, uint64_t offset, uint64_t length) {
  if (parks()) return io::fallocate(fd, 0, offset, length);
  return or_errno(::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(length)));
}

int fadvise(int fd, uint64_t offset, uint64_t length, int advice) {
  if (parks()) return io::fadvise(fd, offset, length, advice);
  return -posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(length), advice);
}

int sync(int fd, bool data_only) {
  if (parks()) return data_only ? io::fdatasync(fd) : io::fsync(fd);
  return or_errno(data_only ? ::fdatasync(fd) : ::fsync(fd));
}

int getdents(int fd, std::span<std::byte> buffer) {
  return parks() ? io::getdents(fd, buffer) : or_errno(syscall(SYS_getdents64, fd, buffer.data(), buffer.size()));
}

}  // namespace krait::pyhost::host
