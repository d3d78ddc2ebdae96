// The JIT's code on disk, for all processes of this user.
#pragma once

#include <mutex>

#include "jit/code_cache.hpp"
#include "store/mapped_blobs.hpp"

namespace krait::tools {

/// In the folder `code` of the cache. What goes wrong there is a line on stderr, once a key, and no more: code is made again.
class DiskCodeCache final : public jit::CodeCache {
 public:
  explicit DiskCodeCache(const std::filesystem::path& folder);
  [[nodiscard]] jit::CodeKey key_of(const engine::Module& module, std::string_view compiler) override;
  [[nodiscard]] int find(const jit::CodeKey& key) override;
  void keep(const jit::CodeKey& key, std::span<const std::byte> bytes) override;
  void reject(const jit::CodeKey& key, const std::string& why, bool for_good) override;

  /// Where code went or was found last; empty where the cache failed.
  [[nodiscard]] std::filesystem::path last() const { return last_; }

 private:
  std::mutex mutex_;
  store::MappedBlobs blobs_;
  std::filesystem::path last_;
};

}  // namespace krait::tools
