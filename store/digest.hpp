// SHA-256 of contents: the address of a blob.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace krait::store {

/// A SHA-256. Two different contents never have the same one, even where somebody tries: uploads come from strangers,
/// and a hash made for speed alone (xxhash) would let one of them take another's place.
struct Digest {
  std::array<uint8_t, 32> bytes{};

  static Digest of(std::span<const std::byte> contents);
  /// 64 lower-case hexadecimal digits; anything else is nothing.
  static std::optional<Digest> parse(std::string_view hex);
  [[nodiscard]] std::string hex() const;

  auto operator<=>(const Digest&) const = default;
};

}  // namespace krait::store
