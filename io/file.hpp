// Files and whatever else is a descriptor. Every call parks its coroutine, not its thread.
//
// All return what the system call returns, or a negative errno; besides its own: -ETIMEDOUT,
// -ECANCELED, and -EPERM outside a coroutine. A call that was ended early but had done its work by
// then returns its result, so no data and no descriptor is lost. Lengths above 2 GiB are cut, as
// the kernel does. Paths and buffers must stay put until the call returns.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/time.hpp"

namespace krait::io {

/// A descriptor; O_CLOEXEC is added.
int openat(int directory, const char* path, int flags, mode_t mode = 0, Deadline deadline = {});
/// The same with RESOLVE_* rules.
int openat2(int directory, const char* path, const open_how& how, Deadline deadline = {});
/// Always closes, even when the caller is cancelled; outside a coroutine it blocks.
int close(int fd);

/// At the file's own position; also for pipes and the like.
int read(int fd, void* buffer, size_t size, Deadline deadline = {});
int write(int fd, const void* buffer, size_t size, Deadline deadline = {});
int pread(int fd, void* buffer, size_t size, uint64_t offset, Deadline deadline = {});
int pwrite(int fd, const void* buffer, size_t size, uint64_t offset, Deadline deadline = {});
int readv(int fd, std::span<const iovec> buffers, Deadline deadline = {});
int writev(int fd, std::span<const iovec> buffers, Deadline deadline = {});
int preadv(int fd, std::span<const iovec> buffers, uint64_t offset, Deadline deadline = {});
int pwritev(int fd, std::span<const iovec> buffers, uint64_t offset, Deadline deadline = {});

int fsync(int fd, Deadline deadline = {});
int fdatasync(int fd, Deadline deadline = {});
int ftruncate(int fd, uint64_t size, Deadline deadline = {});
int fallocate(int fd, int mode, uint64_t offset, uint64_t size, Deadline deadline = {});

/// `flags` and `mask` as statx(2) takes them.
int statx(int directory, const char* path, int flags, unsigned mask, struct statx& out,
          Deadline deadline = {});
int unlinkat(int directory, const char* path, int flags = 0, Deadline deadline = {});
int mkdirat(int directory, const char* path, mode_t mode, Deadline deadline = {});
int renameat(int from_directory, const char* from, int to_directory, const char* to,
             unsigned flags = 0, Deadline deadline = {});
int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags = 0,
           Deadline deadline = {});
int symlinkat(const char* target, int directory, const char* path, Deadline deadline = {});
/// As readlink(2): not terminated, cut where `out` is too small. On the blocking pool, as the next.
int readlinkat(int directory, const char* path, std::span<char> out, Deadline deadline = {});
/// Without a path: of the descriptor itself.
int utimensat(int directory, const char* path, const timespec times[2], int flags = 0,
              Deadline deadline = {});
/// posix_fadvise(2).
int fadvise(int fd, uint64_t offset, uint64_t size, int advice, Deadline deadline = {});

/// Bytes of `linux_dirent64` records, 0 at the end; runs on a thread of the blocking pool.
int getdents(int fd, std::span<std::byte> buffer, Deadline deadline = {});

struct DirectoryEntry {
  std::string name;
  uint64_t inode;
  uint8_t type;  ///< DT_*
};
/// All entries but "." and "..", unsorted.
Result<std::vector<DirectoryEntry>> read_directory(int directory, const char* path,
                                                   Deadline deadline = {});

/// poll(2) for one descriptor: the POLL* bits that hold, or an error.
int poll(int fd, short events, Deadline deadline = {});
/// poll(2): fills revents and returns how many are not 0. Never -EBADF: such a descriptor gets
/// POLLNVAL. With no ready descriptor at the deadline: -ETIMEDOUT.
int poll(std::span<struct pollfd> fds, Deadline deadline = {});

}  // namespace krait::io
