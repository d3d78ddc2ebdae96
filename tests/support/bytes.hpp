// Modules in tests that no text can say: bytes, with the binary format's numbers and sizes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace krait::test {

/// Appends to itself and returns itself, so that a module is one expression.
class Bytes {
 public:
  Bytes() = default;
  Bytes(std::initializer_list<uint8_t> bytes) { put(bytes); }

  Bytes& put(std::initializer_list<uint8_t> bytes) { return append(bytes.begin(), bytes.size()); }
  Bytes& put(const Bytes& other) { return append(reinterpret_cast<const uint8_t*>(other.data_.data()), other.size()); }
  Bytes& repeat(const Bytes& part, size_t count) {
    data_.reserve(size() + part.size() * count);
    for (size_t i = 0; i < count; ++i) put(part);
    return *this;
  }
  /// Unsigned LEB128.
  Bytes& leb(uint64_t value) {
    for (; value > 0x7f; value >>= 7) put({static_cast<uint8_t>(value | 0x80)});
    return put({static_cast<uint8_t>(value)});
  }
  /// A part behind its size.
  Bytes& sized(const Bytes& part) { return leb(part.size()).put(part); }
  Bytes& section(uint8_t id, const Bytes& body) { return put({id}).sized(body); }
  static Bytes module() { return {0, 'a', 's', 'm', 1, 0, 0, 0}; }

  [[nodiscard]] size_t size() const { return data_.size(); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return data_; }

 private:
  Bytes& append(const uint8_t* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) data_.push_back(static_cast<std::byte>(bytes[i]));
    return *this;
  }

  std::vector<std::byte> data_;
};

}  // namespace krait::test
