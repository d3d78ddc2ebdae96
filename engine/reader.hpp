// Reads the binary format's primitives from a range of a module's bytes.
//
// Errors are sticky: the first one is kept and moves the position to the end of the range, so that
// loops over the input stop by themselves; everything read from then on is 0. Callers look at
// failed() where a step of theirs is done, not after every read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engine/types.hpp"

namespace krait::engine {

class Reader {
 public:
  /// Reads [begin, end) of `bytes`, which must stay in place. Offsets are into `bytes`.
  Reader(std::span<const std::byte> bytes, uint32_t begin, uint32_t end)
      : base_(reinterpret_cast<const uint8_t*>(bytes.data())),
        pos_(base_ + begin),
        end_(base_ + end) {}
  explicit Reader(std::span<const std::byte> bytes)
      : Reader(bytes, 0, static_cast<uint32_t>(bytes.size())) {}

  [[nodiscard]] uint32_t offset() const { return static_cast<uint32_t>(pos_ - base_); }
  [[nodiscard]] uint32_t end_offset() const { return static_cast<uint32_t>(end_ - base_); }
  [[nodiscard]] uint32_t remaining() const { return static_cast<uint32_t>(end_ - pos_); }
  [[nodiscard]] bool at_end() const { return pos_ == end_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const Error& error() const { return error_; }

  /// Keeps the first error and ends the reading. Always false, for `return reader.fail(...)`.
  bool fail(uint32_t offset, std::string message);

  /// Moves the end of the range; the old end is returned, to be set again. No effect after an
  /// error.
  uint32_t set_end(uint32_t end) {
    const uint32_t old = end_offset();
    if (!failed_) end_ = base_ + end;
    return old;
  }
  void seek(uint32_t offset) {
    if (!failed_) pos_ = base_ + offset;
  }

  uint8_t byte() {
    if (pos_ == end_) [[unlikely]]
      return end_of_input(1);
    return *pos_++;
  }
  /// The next byte, not taken; 0 at the end.
  [[nodiscard]] uint8_t peek() const { return pos_ == end_ ? 0 : *pos_; }

  uint32_t u32() {
    if (pos_ != end_ && *pos_ < 0x80) [[likely]]
      return *pos_++;
    return static_cast<uint32_t>(unsigned_leb(32));
  }
  uint64_t u64() { return unsigned_leb(64); }
  int32_t s32() {
    if (pos_ != end_ && *pos_ < 0x80) [[likely]]
      return static_cast<int32_t>(uint32_t{*pos_++} << 25) >> 25;
    return static_cast<int32_t>(signed_leb(32));
  }
  int64_t s33() { return signed_leb(33); }
  int64_t s64() { return signed_leb(64); }

  /// Little-endian.
  uint32_t fixed32() { return fixed<uint32_t>(); }
  uint64_t fixed64() { return fixed<uint64_t>(); }
  /// Takes `count` bytes; null (and an error) when there are fewer.
  const uint8_t* take(uint32_t count) {
    if (remaining() < count) [[unlikely]] {
      end_of_input(count);
      return nullptr;
    }
    const uint8_t* at = pos_;
    pos_ += count;
    return at;
  }

  /// A vector's length: no greater than `limit`, and than what can follow at `min_bytes` an
  /// element.
  uint32_t count(const char* what, uint32_t limit, uint32_t min_bytes = 1);
  /// A name: UTF-8, in place.
  std::string_view name(const char* what);
  ValType val_type();
  ValType ref_type();
  /// The heap type of ref.null, as the nullable reference type to it.
  ValType heap_type();

 private:
  template <typename T>
  T fixed() {
    const uint8_t* at = take(sizeof(T));
    T value = 0;
    if (at) std::memcpy(&value, at, sizeof value);
    return value;
  }
  uint64_t unsigned_leb(uint32_t bits);
  int64_t signed_leb(uint32_t bits);
  uint8_t end_of_input(uint32_t wanted);

  static_assert(std::endian::native == std::endian::little);

  const uint8_t* base_;
  const uint8_t* pos_;
  const uint8_t* end_;
  bool failed_ = false;
  Error error_;
};

/// "0x1f"
std::string hex(uint64_t value);
bool is_utf8(std::string_view text);

}  // namespace krait::engine
