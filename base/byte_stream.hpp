// Bytes of files of our own making: values of the machine's (little-endian) form, one behind the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace krait {

class ByteWriter {
 public:
  template <typename T>
  void put(T value) {
    const size_t at = out.size();
    out.resize(at + sizeof value);
    std::memcpy(out.data() + at, &value, sizeof value);
  }
  void raw(const void* data, size_t size) {
    const auto* at = static_cast<const std::byte*>(data);
    out.insert(out.end(), at, at + size);
  }
  std::vector<std::byte> out;
};

/// Reads with bounds; after a read past the end `failed` is set and all values are 0.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  T get() {
    T value{};
    if (const std::span<const std::byte> from = take(sizeof value); !from.empty())
      std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
  std::span<const std::byte> take(uint64_t size) {
    if (failed || size > bytes_.size() - at_) {
      failed = true;
      return {};
    }
    at_ += size;
    return bytes_.subspan(at_ - size, size);
  }
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  [[nodiscard]] size_t offset() const { return at_; }
  bool failed = false;

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace krait
