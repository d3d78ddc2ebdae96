// The few things that the store asks of the file system: whole files, written so that a crash leaves the old or the
// new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace krait::store {

using Bytes = std::vector<std::byte>;

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

/// "cannot WHAT PATH: " and what errno says.
Error system_error(const std::string& what, const std::filesystem::path& path);

/// Makes a folder and its parents; each new one is synced into its parent.
Result<void> make_folders(const std::filesystem::path& folder);

/// The file's bytes, or nothing where there is no such file. A folder, a file of another owner and the like are errors.
Result<std::optional<Bytes>> read_file(const std::filesystem::path& path);

/// Puts `parts`, one after the other, into the file `path`, whole or not at all: written beside into `temporary` (a
/// folder of the same file system), synced, renamed over `path`, the folder synced. `path`'s folder must exist.
Result<void> write_file(const std::filesystem::path& path, const std::filesystem::path& temporary,
                        std::span<const std::span<const std::byte>> parts);

/// Unlinks and syncs the folder. False where there was no such file.
Result<bool> remove_file(const std::filesystem::path& path);

/// Waits for the exclusive lock on `path` (made where it is missing); held until the Fd is closed, or its process ends.
Result<Fd> lock_file(const std::filesystem::path& path);

/// Removes the files in `temporary` that writers who died left there. Whoever calls it holds the lock of all its
/// writers.
Result<void> remove_leftovers(const std::filesystem::path& temporary);

/// Names in a folder, sorted; nothing where it does not exist.
Result<std::vector<std::string>> list_folder(const std::filesystem::path& folder);

}  // namespace krait::store
