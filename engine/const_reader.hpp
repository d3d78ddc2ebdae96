// Reads the bytes of constant expressions that the validator has passed: no check is made twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace krait::engine {

/// Reads a validated constant expression.
struct ConstReader {
  const std::byte* at;
  uint8_t byte() { return static_cast<uint8_t>(*at++); }
  uint64_t unsigned_leb() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t b = byte();
      value |= uint64_t{b & 0x7fu} << shift;
      if (!(b & 0x80)) return value;
    }
  }
  int64_t signed_leb() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const uint8_t b = byte();
      value |= uint64_t{b & 0x7fu} << shift;
      shift += 7;
      if (b & 0x80) continue;
      if (shift < 64 && (b & 0x40)) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }
  uint64_t raw(size_t bytes) {
    uint64_t value = 0;
    std::memcpy(&value, at, bytes);
    at += bytes;
    return value;
  }
};

}  // namespace krait::engine
