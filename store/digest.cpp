// OpenSSL's SHA-256: it uses the processor's SHA instructions, some 2 GB/s, so that verifying at every read is
// affordable.
#include "store/digest.hpp"

#include <openssl/evp.h>

#include <cstdlib>

namespace krait::store {

Digest Digest::of(std::span<const std::byte> contents) {
  Digest digest;
  unsigned length = 0;
  // It can fail only where memory is out or SHA-256 was compiled away: there is no way on without it.
  if (EVP_Digest(contents.data(), contents.size(), digest.bytes.data(), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.bytes.size())
    std::abort();
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
