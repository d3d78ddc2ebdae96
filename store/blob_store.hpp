// Blobs under the hash of their contents, or under the hash of what they were made from; compressed, verified when
// read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "store/digest.hpp"
#include "store/files.hpp"

namespace krait::store {

struct BlobOptions {
  /// Bytes on disk that the blobs may take together; 0: no cap. When a new blob goes beyond it, those whose last use is
  /// longest ago are removed, down to nine tenths of the cap. The newest blob stays, even where it is larger.
  uint64_t cap_bytes = 0;
  int zstd_level = 3;
};

/// A folder of blobs. Any number of threads and processes may use one folder at once, each through BlobStores of its
/// own or a shared one. What a put() returned from survives kill -9 and a loss of power; a put() that was cut short
/// left nothing.
class BlobStore {
 public:
  /// Touches nothing yet: the folder is made at the first put().
  explicit BlobStore(std::filesystem::path folder, BlobOptions options = {});

  /// Keeps `contents` under their own digest. Cheap where they are there already and whole; a damaged copy is replaced.
  Result<Digest> put(std::span<const std::byte> contents);
  /// Keeps `contents` under `key`, a hash of what they were made from (caches); replaces what was there.
  Result<void> put_as(const Digest& key, std::span<const std::byte> contents);

  /// The contents, verified; nothing where there is no such blob. A blob that does not match its checksum is an error
  /// that names the file: it is never returned. Whoever can make the contents again calls put() or put_as() again.
  [[nodiscard]] Result<std::optional<Bytes>> get(const Digest& key) const;
  [[nodiscard]] bool contains(const Digest& key) const;
  /// False where there was none.
  Result<bool> remove(const Digest& key);
  /// Keys in order.
  [[nodiscard]] Result<std::vector<Digest>> list() const;
  /// Bytes on disk.
  [[nodiscard]] Result<uint64_t> size() const;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path path_of(const Digest& key) const;

 private:
  Result<void> write(const Digest& key, const Digest& checksum, std::span<const std::byte> contents);
  Result<void> trim(const Digest& newest);

  std::filesystem::path folder_;
  BlobOptions options_;
};

}  // namespace krait::store
