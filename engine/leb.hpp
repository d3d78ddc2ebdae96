// LEB128 numbers in bytes that the validator has passed: nothing is checked twice. `at` moves behind the number.
//
// Linkers pad numbers that they relocate (addresses, function indices) to five bytes, so those are read at once. Reading
// four bytes where three belong to the number is safe: an instruction is never the module's last byte, its `end` is.
#pragma once

#include <cstdint>
#include <cstring>

namespace krait::engine {

template <typename T>
T read_raw(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// The low 28 bits of a number whose first four bytes all continue.
inline uint32_t leb_four_bytes(uint32_t bytes) {
  bytes = (bytes & 0x007f'007f) | (bytes & 0x7f00'7f00) >> 1;
  return (bytes & 0x3fff) | (bytes & 0x3fff'0000) >> 2;
}
/// The number of `Bits` bits at `at`; all bits above them are zero.
template <bool Signed>
inline uint32_t leb_32(const uint8_t*& at) {
  constexpr auto extend = [](uint32_t value, unsigned bits) {
    if constexpr (!Signed) return value;
    const unsigned unused = 32 - bits;
    return static_cast<uint32_t>(static_cast<int32_t>(value << unused) >> unused);
  };
  const uint32_t first = at[0];
  if (first < 0x80) return ++at, extend(first, 7);
  const uint32_t second = at[1];
  if (second < 0x80) return at += 2, extend((first & 0x7f) | second << 7, 14);
  const uint32_t four = read_raw<uint32_t>(at);
  const uint32_t low = leb_four_bytes(four);
  if (!(four & 0x80'0000)) return at += 3, extend(low & 0x1f'ffff, 21);
  if (!(four & 0x8000'0000)) return at += 4, extend(low, 28);
  at += 5;
  return low | uint32_t{at[-1]} << 28;
}
inline uint32_t leb_u32(const uint8_t*& at) { return leb_32<false>(at); }
inline uint32_t leb_s32(const uint8_t*& at) { return leb_32<true>(at); }
inline uint64_t leb_s64(const uint8_t*& at) {
  uint64_t value = *at & 0x7f;
  unsigned shift = 7;
  for (; *at & 0x80; shift += 7) value |= uint64_t{*++at & 0x7fu} << shift;
  if ((*at++ & 0x40) && shift < 64) value |= ~uint64_t{0} << shift;
  return value;
}
inline void skip_leb(const uint8_t*& at) {
  while (*at++ & 0x80) {}
}

/// The first instruction from `at` on, in validated code, that is no `block`: from a loop's first, where branches to the loop go.
inline const uint8_t* behind_blocks(const uint8_t* at) {
  while (*at == 0x02) skip_leb(++at);
  return at;
}

}  // namespace krait::engine
