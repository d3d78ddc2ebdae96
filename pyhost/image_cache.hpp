// What starts are made quick by, kept between processes: facts of modules and snapshots, as files that are mapped.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "store/mapped_blobs.hpp"

namespace krait::pyhost {

/// A read-only mapping.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();
  /// All of a file; an empty mapping where that fails.
  static Mapping of(int fd);
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Keyed by what a file was made from. Any thread; what is damaged or cannot be kept is as what is not there.
class ImageCache {
 public:
  explicit ImageCache(const std::string& folder, uint64_t cap_bytes) : blobs_(folder, cap_bytes) {}
  /// `parts` are not mixed up: ("ab", "c") is another key than ("a", "bc").
  static store::Digest key(std::initializer_list<std::string_view> parts);
  /// The file; nothing where there is none.
  std::optional<store::Fd> open(const store::Digest& key);
  void keep(const store::Digest& key, std::span<const std::byte> contents);
  void drop(const store::Digest& key);

 private:
  std::mutex mutex_;
  store::MappedBlobs blobs_;
};

}  // namespace krait::pyhost
