// A key is a hash of a module's digest and the compiler's identity. Keys of older compilers are never asked for again: the cap
// removes what they left.
#include "tools/code_cache.hpp"

#include <unistd.h>

#include <cstdio>

namespace krait::tools {
namespace {

constexpr uint64_t Cap = uint64_t{512} << 20;

store::Digest digest_of(const jit::CodeKey& key) {
  store::Digest digest;
  digest.bytes = key;
  return digest;
}

}  // namespace

DiskCodeCache::DiskCodeCache(const std::filesystem::path& folder) : blobs_(folder, Cap) {}

jit::CodeKey DiskCodeCache::key_of(const engine::Module& module, std::string_view compiler) {
  const store::Digest digest = module.sha256() ? store::Digest{*module.sha256()} : store::Digest::of(module.bytes());
  const std::string text = digest.hex() + " " + std::string(compiler);
  return store::Digest::of(std::as_bytes(std::span(text))).bytes;
}

int DiskCodeCache::find(const jit::CodeKey& key) {
  std::lock_guard lock(mutex_);
  auto file = blobs_.open(digest_of(key));
  if (!file) {
    std::fprintf(stderr, "krait: the code cache: %s; making the code again\n", file.error().message.c_str());
    (void)blobs_.remove(digest_of(key));
    return -1;
  }
  if (!file->has_value()) return -1;
  last_ = blobs_.plain_path(digest_of(key));
  return ::dup((*file)->get());
}

void DiskCodeCache::keep(const jit::CodeKey& key, std::span<const std::byte> bytes) {
  std::lock_guard lock(mutex_);
  last_.clear();
  if (auto kept = blobs_.put(digest_of(key), bytes); !kept)
    std::fprintf(stderr, "krait: the code cache: %s; going on without\n", kept.error().message.c_str());
  else
    last_ = blobs_.plain_path(digest_of(key));
}

void DiskCodeCache::reject(const jit::CodeKey& key, const std::string& why, bool for_good) {
  std::lock_guard lock(mutex_);
  std::fprintf(stderr, "krait: the code cache: damaged file %s: %s; %s\n", blobs_.plain_path(digest_of(key)).c_str(), why.c_str(),
               for_good ? "making the code again" : "unpacking it again");
  if (for_good) (void)blobs_.remove(digest_of(key));
  else (void)blobs_.remove_plain(digest_of(key));
}

}  // namespace krait::tools
