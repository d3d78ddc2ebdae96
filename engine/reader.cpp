// The slow paths of Reader: numbers of several bytes, names, types, and every error.
#include "engine/reader.hpp"

namespace krait::engine {

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  const auto* const end = at + text.size();
  while (at != end) {
    const uint8_t lead = *at++;
    if (lead < 0x80) continue;
    const int more = lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0 || end - at < more) return false;
    // The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*at < low || *at > high) return false;
    for (int i = 1; i < more; ++i) {
      if ((at[i] & 0xc0) != 0x80) return false;
    }
    at += more;
  }
  return true;
}

[[gnu::cold]] bool Reader::fail(uint32_t offset, std::string message) {
  if (failed_) return false;
  failed_ = true;
  error_ = Error{std::move(message), offset};
  pos_ = end_;
  return false;
}

[[gnu::cold]] uint8_t Reader::end_of_input(uint32_t wanted) {
  fail(offset(), "unexpected end of section or function: expected " + std::to_string(wanted) +
                     (wanted == 1 ? " byte" : " bytes") + ", found " + std::to_string(remaining()));
  return 0;
}

uint64_t Reader::unsigned_leb(uint32_t bits) {
  const uint32_t start = offset();
  uint64_t value = 0;
  for (uint32_t shift = 0;; shift += 7) {
    if (pos_ == end_) return end_of_input(1);
    const uint8_t b = *pos_++;
    value |= static_cast<uint64_t>(b & 0x7f) << shift;
    const uint32_t left = bits - shift;  // bits of the value that this byte may hold
    if (left < 8) {
      if (b & 0x80)
        fail(start, "integer representation too long: u" + std::to_string(bits));
      else if (left < 7 && b >> left)
        fail(start, "integer too large: u" + std::to_string(bits));
      return failed_ ? 0 : value;
    }
    if (!(b & 0x80)) return value;
  }
}

int64_t Reader::signed_leb(uint32_t bits) {
  const uint32_t start = offset();
  uint64_t value = 0;
  for (uint32_t shift = 0;; shift += 7) {
    if (pos_ == end_) return end_of_input(1);
    const uint8_t b = *pos_++;
    value |= static_cast<uint64_t>(b & 0x7f) << shift;
    const uint32_t left = bits - shift;
    if (left < 8) {
      if (b & 0x80) return fail(start, "integer representation too long: s" + std::to_string(bits));
      // The bits beyond the value must repeat its sign.
      const int beyond = static_cast<int8_t>(static_cast<uint8_t>(b << 1)) >> left;
      if (beyond != 0 && beyond != -1)
        return fail(start, "integer too large: s" + std::to_string(bits));
    }
    if (!(b & 0x80)) {
      if (shift + 7 < 64 && (b & 0x40)) value |= ~uint64_t{0} << (shift + 7);
      return static_cast<int64_t>(value);
    }
  }
}

uint32_t Reader::count(const char* what, uint32_t limit, uint32_t min_bytes) {
  const uint32_t at = offset();
  const uint32_t n = u32();
  if (n > limit) {
    fail(at, "too many " + std::string(what) + ": " + std::to_string(n) + ", the limit is " +
                 std::to_string(limit));
    return 0;
  }
  if (n > remaining() / min_bytes) {
    fail(at, "unexpected end of section or function: " + std::to_string(n) + " " + what +
                 " do not fit into the " + std::to_string(remaining()) + " bytes left");
    return 0;
  }
  return n;
}

std::string_view Reader::name(const char* what) {
  const uint32_t at = offset();
  const uint32_t length = u32();
  if (length > remaining()) {
    fail(at, "unexpected end: length out of bounds: " + std::string(what) + " of " +
                 std::to_string(length) + " bytes, found " + std::to_string(remaining()));
    return {};
  }
  const uint8_t* text = take(length);
  if (failed_) return {};
  const std::string_view name(reinterpret_cast<const char*>(text), length);
  if (!is_utf8(name)) {
    fail(at, "malformed UTF-8 encoding: " + std::string(what));
    return {};
  }
  return name;
}

namespace {

/// Why a byte is no type here; the types of wasm 3.0 that krait does without are named.
std::string not_a_type(uint8_t byte, const char* wanted) {
  switch (byte) {
    case 0x63:
    case 0x64:
      return "function-references is not supported: found a reference type " + hex(byte);
    case 0x68:
    case 0x6a:
    case 0x6b:
    case 0x6c:
    case 0x6d:
    case 0x6e:
    case 0x71:
    case 0x72:
    case 0x73:
    case 0x74:
    case 0x75:
    case 0x77:
    case 0x78:
      return "gc is not supported: found type " + hex(byte);
    default:
      return "malformed " + std::string(wanted) + ": found " + hex(byte);
  }
}

}  // namespace

ValType Reader::val_type() {
  const uint8_t b = peek();
  if (b >= 0x7b && b <= 0x7f) {
    ++pos_;
    return static_cast<ValType>(b);
  }
  return ref_type();
}

ValType Reader::ref_type() {
  const uint32_t at = offset();
  const uint8_t b = byte();
  if (b == 0x63) {  // (ref null heaptype), the long form of the nullable references
    const uint8_t heap = peek();
    if (heap == 0x70 || heap == 0x6f || heap == 0x69) return static_cast<ValType>(byte());
  }
  const auto type = static_cast<ValType>(b);
  if (is_reference(type)) return type;
  if (b >= 0x7b && b <= 0x7f) {
    fail(at, "malformed reference type: found " + std::string(name_of(type)));
  } else {
    fail(at, not_a_type(b, "value type"));
  }
  return ValType::FuncRef;
}

ValType Reader::heap_type() {
  const uint32_t at = offset();
  const uint8_t b = peek();
  const auto type = static_cast<ValType>(b);
  if (is_reference(type)) {
    ++pos_;
    return type;
  }
  if (b < 0x40 || b >= 0x80) {
    s33();
    fail(at, "function-references is not supported: found a type index as heap type");
  } else {
    fail(at, not_a_type(b, "heap type"));
  }
  return ValType::FuncRef;
}

}  // namespace krait::engine
