// What was found out about a file by reading all of it, remembered for as long as nothing has happened to the file since.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "store/digest.hpp"
#include "store/files.hpp"

namespace krait::store {

/// A folder of seals, each the digest that stands for a file's contents, under a name. A seal holds while the file's device, inode,
/// size, times of modification and of change (in ns) and the system's boot are what they were: a write, a truncation and another
/// file in its place break it, and after a boot, when contents come from the disk anew, each file is looked at once more. Whoever
/// can write the file and set the clock can cheat it, as he can the file's reader. Any number of threads and processes.
class Seals {
 public:
  /// Touches nothing yet.
  explicit Seals(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// What was kept for the open file `fd` under `name`; nothing where the seal is broken, or none.
  [[nodiscard]] std::optional<Digest> find(const std::string& name, int fd) const;
  /// `digest` was made from what `fd` gave after `before` was stamp_of(fd). Not kept where the file has changed since, or so short a
  /// time ago that a change to come might have the same time.
  struct Stamp {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;
    uint64_t boot[2] = {};
    bool operator==(const Stamp&) const = default;
  };
  static std::optional<Stamp> stamp_of(int fd);
  Result<void> keep(const std::string& name, int fd, const Stamp& before, const Digest& digest);
  /// Forgets all that `gone` says of a name.
  template <typename Gone>
  void prune(Gone gone) {
    const auto names = list_folder(folder_);
    for (size_t i = 0; names && i < names->size(); ++i)
      if (gone((*names)[i])) (void)remove_file(folder_ / (*names)[i]);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace krait::store
