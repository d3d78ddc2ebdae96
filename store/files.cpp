// Invariants.
//  1. A name in the store points to a complete, synced file: rename() is the only way in, after fsync() of the
//  contents.
//  2. A new or a lost name is on the disk when the call returns: the folder is synced.
//  3. Nothing throws: POSIX calls, and of std::filesystem only the handling of names.
#include "store/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace krait::store {
namespace {

namespace fs = std::filesystem;

Result<void> sync_folder(const fs::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EINVAL: a file system that cannot sync folders (some network ones); it orders its metadata itself.
  if (!fd || (::fsync(fd.get()) != 0 && errno != EINVAL)) return system_error("sync", folder);
  return {};
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

/// Unlike any other in this folder at this time: writers of other processes and threads use it too.
std::string temporary_name() {
  static std::atomic<uint64_t> counter{0};
  return std::to_string(::getpid()) + "." + std::to_string(counter.fetch_add(1));
}

/// Blocks of zeros become holes: a mapped image of memory is mostly zeros.
bool write_sparse(int fd, std::span<const std::byte> bytes) {
  constexpr size_t Block = size_t{64} << 10;
  for (size_t at = 0; at < bytes.size(); at += Block) {
    const auto block = bytes.subspan(at, std::min(Block, bytes.size() - at));
    const bool zero = block[0] == std::byte{0} && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
    if (zero ? ::lseek(fd, static_cast<off_t>(block.size()), SEEK_CUR) < 0 : !write_all(fd, block)) return false;
  }
  return true;
}

}  // namespace

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error system_error(const std::string& what, const fs::path& path) {
  return {"cannot " + what + " " + path.string() + ": " + std::strerror(errno)};
}

Result<void> make_folders(const fs::path& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    errno = ENOTDIR;
    return system_error("use", folder);
  }
  const fs::path parent = folder.parent_path();
  if (!parent.empty() && parent != folder)
    if (auto made = make_folders(parent); !made) return made;
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return system_error("make the folder", folder);
  return sync_folder(parent.empty() ? "." : parent);
}

Result<std::optional<Bytes>> read_file(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::optional<Bytes>{};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return system_error("read", path);
  Bytes bytes;
  bytes.reserve(static_cast<size_t>(info.st_size) + 4096);  // whoever appends a few bytes copies nothing
  bytes.resize(static_cast<size_t>(info.st_size));
  size_t have = 0;
  while (true) {
    if (have == bytes.size()) bytes.resize(have + 4096);  // one more read tells that it has not grown
    const ssize_t n = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read", path);
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return std::optional<Bytes>(std::move(bytes));
}

Result<void> write_file(const fs::path& path, const fs::path& temporary,
                        std::span<const std::span<const std::byte>> parts) {
  const fs::path work = temporary / temporary_name();
  Fd fd(::open(work.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return system_error("write", work);
  bool written = true;
  off_t size = 0;
  for (const auto part : parts) {
    written = written && write_sparse(fd.get(), part);
    size += static_cast<off_t>(part.size());
  }
  if (!written || ::ftruncate(fd.get(), size) != 0 || ::fsync(fd.get()) != 0 || ::rename(work.c_str(), path.c_str()) != 0) {
    const Error error = system_error("write", path);
    ::unlink(work.c_str());
    return error;
  }
  return sync_folder(path.parent_path());
}

Result<bool> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return false;
    return system_error("remove", path);
  }
  if (auto synced = sync_folder(path.parent_path()); !synced) return synced.error();
  return true;
}

Result<Fd> lock_file(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return system_error("open", path);
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return system_error("lock", path);
  return fd;
}

Result<void> remove_leftovers(const fs::path& temporary) {
  const auto names = list_folder(temporary);
  if (!names) return names.error();
  for (const std::string& name : *names)
    if (::unlink((temporary / name).c_str()) != 0 && errno != ENOENT) return system_error("remove", temporary / name);
  return {};
}

Result<std::vector<std::string>> list_folder(const fs::path& folder) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (!dir) {
    if (errno == ENOENT) return names;
    return system_error("list", folder);
  }
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const bool complete = errno == 0;
  ::closedir(dir);
  if (!complete) return system_error("list", folder);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace krait::store
