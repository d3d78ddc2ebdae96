// Nettle's SHA-256: it uses the processor's SHA instructions, some 1.6 GB/s, so that verifying at every read is affordable, and it is
// ready at once, where OpenSSL's first digest takes 0.9 ms of a process's start and its library another one to be linked.
#include "store/digest.hpp"

#include <nettle/sha2.h>

namespace krait::store {

Digest Digest::of(std::span<const std::byte> contents) {
  Digest digest;
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, contents.size(), reinterpret_cast<const uint8_t*>(contents.data()));
  sha256_digest(&context, digest.bytes.size(), digest.bytes.data());
  return digest;
}

std::optional<Digest> Digest::parse(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.bytes.size()) return std::nullopt;
  for (size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    int value = -1;
    if (c >= '0' && c <= '9') value = c - '0';
    if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
    if (value < 0) return std::nullopt;
    digest.bytes[i / 2] = static_cast<uint8_t>(digest.bytes[i / 2] << 4 | value);
  }
  return digest;
}

std::string Digest::hex() const {
  static constexpr char Digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    text += Digits[byte >> 4];
    text += Digits[byte & 15];
  }
  return text;
}

}  // namespace krait::store
