// Blobs that are used in place: compressed at rest, and unpacked once a host into a plain file to be mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "store/blob_store.hpp"
#include "store/digest.hpp"
#include "store/files.hpp"

namespace krait::store {

/// A folder of blobs, each under the hash of what it was made from. Any number of threads and processes at once.
class MappedBlobs {
 public:
  /// Touches nothing yet. `cap_bytes`, of the blobs and their plain files together, holes apart; 0: no cap. What was used longest ago goes
  /// first; the newest stays.
  MappedBlobs(std::filesystem::path folder, uint64_t cap_bytes);

  /// The plain file, read-only; nothing where there is no such blob. Its contents were whole when it was unpacked and are
  /// never written again: what happened to them on the disk since then is for the caller to find out. An error where the blob
  /// is damaged, or the plain file one that others may write.
  [[nodiscard]] Result<std::optional<Fd>> open(const Digest& key);
  /// Keeps `contents`, compressed and plain; replaces what was there.
  Result<void> put(const Digest& key, std::span<const std::byte> contents);
  /// The plain file, where it is damaged: the next open() unpacks the blob again.
  Result<bool> remove_plain(const Digest& key) { return remove_file(plain_path(key)); }
  /// Both files. Who has the plain one mapped keeps it. False where there was none.
  Result<bool> remove(const Digest& key);

  [[nodiscard]] const std::filesystem::path& folder() const { return blobs_.folder(); }
  [[nodiscard]] std::filesystem::path blob_path(const Digest& key) const { return blobs_.path_of(key); }
  [[nodiscard]] std::filesystem::path plain_path(const Digest& key) const { return plain_ / key.hex(); }

 private:
  [[nodiscard]] Result<std::optional<Fd>> open_plain(const Digest& key) const;
  Result<void> write_plain(const Digest& key, std::span<const std::byte> contents);
  Result<void> trim(const Digest& newest);

  BlobStore blobs_;
  std::filesystem::path plain_;
  uint64_t cap_bytes_;
};

}  // namespace krait::store
