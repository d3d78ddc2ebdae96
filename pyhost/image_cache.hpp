// What starts are made quick by, kept between processes: facts of modules and snapshots, as files that are mapped.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/mapped_blobs.hpp"
#include "store/seals.hpp"

namespace krait::pyhost {

/// A read-only private mapping.
class Mapping {
 public:
  /// All of a file; its first pages are the caller's to wait for. `readable_behind` more bytes can be read.
  static Result<std::shared_ptr<const Mapping>> of(int fd, size_t readable_behind = 0);
  static Result<std::shared_ptr<const Mapping>> of(const std::string& path, size_t readable_behind = 0);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  Mapping() = default;
  std::span<const std::byte> bytes_;
  size_t mapped_ = 0;
};

/// Keyed by what a file was made from. A file is whole when it is found: all of it is read and compared with the checksum that was
/// taken of it, unless a seal says that this was done, and that nothing has happened to it since. Any thread, any number of
/// processes. What is damaged, of another version or of another key is told in one line and as what is not there; what cannot
/// be kept is told too.
class ImageCache {
 public:
  using Tell = std::function<void(const std::string& line)>;
  explicit ImageCache(const std::string& folder, uint64_t cap_bytes, Tell tell = {});
  /// `parts` are not mixed up: ("ab", "c") is another key than ("a", "bc").
  static store::Digest key(std::initializer_list<std::string_view> parts);

  struct Image {
    store::Fd file;
    uint64_t size = 0;  ///< of what was kept, from the file's begin on
  };
  /// Nothing where there is none.
  std::optional<Image> open(const store::Digest& key);
  void keep(const store::Digest& key, std::vector<std::byte> contents);
  /// What open() gave cannot be used, for this reason.
  void drop(const store::Digest& key, const std::string& why);

  /// The hash of the file's contents, which `file` maps: remembered, so that it is computed once a file.
  store::Digest digest_of(const std::string& path, int fd, std::span<const std::byte> contents);

 private:
  std::optional<Image> open_plain(const store::Digest& key, std::string& why);
  [[nodiscard]] std::string path_of(const store::Digest& key) const { return blobs_.plain_path(key).string(); }
  void say(const std::string& what) const;

  std::mutex mutex_;
  store::MappedBlobs blobs_;
  store::Seals seals_;
  Tell tell_;
};

}  // namespace krait::pyhost
