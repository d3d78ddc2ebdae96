// System calls on files of this machine. In a coroutine of io/ they park it (io/file.hpp), elsewhere they block the thread.
//
// All return what the system call returns, or a negative errno; in a coroutine also -ECANCELED, -ETIMEDOUT and -EINTR where
// the wait was cut short. One that had done its work by then returns its result.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace krait::pyhost::host {

int openat2(int directory, const char* path, const open_how& how);
/// Blocks where there is no coroutine that may wait; never fails to close.
void close(int fd);
int statx(int directory, const char* path, int flags, struct statx& out);
int mkdirat(int directory, const char* path, mode_t mode);
int unlinkat(int directory, const char* path, int flags);
int renameat(int from_directory, const char* from, int to_directory, const char* to);
int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags);
int symlinkat(const char* target, int directory, const char* path);
int readlinkat(int directory, const char* path, std::span<char> out);
/// Without a path: of the descriptor itself.
int utimensat(int directory, const char* path, const timespec times[2], int flags);
int ftruncate(int fd, uint64_t size);
int fallocate(int fd, uint64_t offset, uint64_t length);
int fadvise(int fd, uint64_t offset, uint64_t length, int advice);
int sync(int fd, bool data_only);
/// Bytes of dirent64 records, 0 at the end.
int getdents(int fd, std::span<std::byte> buffer);

}  // namespace krait::pyhost::host
