// A cache is never a reason to fail: what it cannot do, its user does without.
#include "pyhost/image_cache.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

namespace krait::pyhost {

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Mapping Mapping::of(int fd) {
  Mapping mapping;
  struct stat info{};
  if (fstat(fd, &info) != 0 || info.st_size <= 0) return mapping;
  const auto size = static_cast<size_t>(info.st_size);
  void* at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (at != MAP_FAILED) mapping.bytes_ = {static_cast<const std::byte*>(at), size};
  return mapping;
}

store::Digest ImageCache::key(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(std::to_string(part.size())).append(":").append(part);
  return store::Digest::of(std::as_bytes(std::span(text)));
}

std::optional<store::Fd> ImageCache::open(const store::Digest& key) {
  const std::lock_guard lock(mutex_);
  auto file = blobs_.open(key);
  if (file) return std::move(*file);
  (void)blobs_.remove(key);
  return std::nullopt;
}

void ImageCache::keep(const store::Digest& key, std::span<const std::byte> contents) {
  const std::lock_guard lock(mutex_);
  (void)blobs_.put(key, contents);
}

void ImageCache::drop(const store::Digest& key) {
  const std::lock_guard lock(mutex_);
  (void)blobs_.remove(key);
}

}  // namespace krait::pyhost
