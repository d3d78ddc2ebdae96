// What the interpreter does at once must do what its parts do alone: the same code, once with a nop behind each instruction.
#include <array>

#include "tests/engine/guest.hpp"
#include "tests/support/bytes.hpp"

using namespace krait;
using namespace krait::engine;
using krait::test::Bytes;
using krait::test::Guest;

namespace {

struct Numeric {
  const char* name;
  uint8_t code;
  std::string_view signature;
};
constexpr Numeric Instructions[] = {
#define OP(name, text, prefix, code, immediates, signature) {text, static_cast<uint8_t>(prefix == 0 ? code : 0), signature},
#include "engine/opcodes.def"
#undef OP
};
bool is_numeric(const Numeric& instruction) { return instruction.code >= 0x45 && instruction.code <= 0xc4; }

constexpr std::array<int64_t, 9> Values = {0, 1, -1, 33, INT32_MIN, INT64_MIN, 0x4008'0000'4049'0fdb, 0x7ff0'0000'7f80'0000, 0x7ff8'0000'ffc0'0001};
constexpr uint8_t Get = 0x20, Set = 0x21, Tee = 0x22, ToI32 = 0xa7;

uint8_t type_byte(char type) { return type == 'i' ? 0x7f : type == 'l' ? 0x7e : type == 'f' ? 0x7d : 0x7c; }
/// From an i64's bits, and back to them.
Bytes from_bits(char type) {
  switch (type) {
    case 'i': return {ToI32};
    case 'l': return {};
    case 'f': return {ToI32, 0xbe};
    default: return {0xbf};
  }
}
Bytes to_bits(char type) {
  switch (type) {
    case 'i': return {0xad};
    case 'l': return {};
    case 'f': return {0xbc, 0xad};
    default: return {0xbd};
  }
}

/// How the operands come and where the result goes.
struct Shape {
  unsigned below;   ///< operands under them
  uint8_t into;     ///< Set, Tee or 0
  bool constant;    ///< the last operand is a constant, where it is an integer
  bool loaded;      ///< the last operand is loaded
};

/// (param i64 i64) (result i64): the instruction of both, with what Shape says around it.
Bytes body(const Numeric& numeric, const Shape& shape, int64_t second, bool apart) {
  const std::string_view operands = numeric.signature.substr(0, numeric.signature.find(':'));
  const char result = numeric.signature.back(), last = operands.back();
  const Bytes gap = apart ? Bytes{0x01} : Bytes{};
  // Locals 2 and 3 hold the operands, 4 the result, 5 what lies below, 6 an address.
  Bytes code = Bytes{4, 1, type_byte(operands.front()), 1, type_byte(last), 1, type_byte(result), 2, 0x7f};
  code.put({Get, 0}).put(from_bits(operands.front())).put({Set, 2, Get, 1}).put(from_bits(last)).put({Set, 3});
  code.put({0x41, 0, Get, 1, 0x37, 3, 0, 0x41, 7, Set, 5, 0x41, 0, Set, 6});  // memory[0] = the second, local 6 = 0
  for (unsigned i = 0; i < shape.below; ++i) code.put({Get, 5, 0x01});
  if (operands.size() == 2) code.put({Get, 2}).put(gap);
  if (shape.loaded) {
    code.put({Get, 6}).put(gap).put({static_cast<uint8_t>(last == 'i' ? 0x28 : last == 'l' ? 0x29 : last == 'f' ? 0x2a : 0x2b), 2, 0});
  } else if (shape.constant && (last == 'i' || last == 'l')) {
    code.put({static_cast<uint8_t>(last == 'i' ? 0x41 : 0x42), static_cast<uint8_t>(second & 0x7f)});
  } else {
    code.put({Get, static_cast<uint8_t>(operands.size() == 2 ? 3 : 2)});
  }
  code.put(gap).put({numeric.code}).put(gap);
  if (shape.into) code.put({shape.into, 4}).put(gap);
  if (shape.into != Set) code.put({Set, 4});
  for (unsigned i = 0; i < shape.below; ++i) code.put({0x1a});
  return code.put({Get, 4}).put(to_bits(result)).put({0x0b});
}

std::vector<std::byte> module_of(const Bytes& together, const Bytes& apart) {
  return Bytes::module()
      .section(1, {1, 0x60, 2, 0x7e, 0x7e, 1, 0x7e})
      .section(3, {2, 0, 0})
      .section(5, {1, 0, 1})
      .section(7, {2, 1, 't', 0, 0, 1, 'a', 0, 1})
      .section(10, Bytes{2}.sized(together).sized(apart))
      .bytes();
}

/// Bits of a result; the payload of a NaN is open, and that of two NaNs' sum depends on their order.
bool same(char type, int64_t a, int64_t b) {
  const auto is_nan = [type](int64_t bits) {
    if (type == 'f') return (bits & 0x7fff'ffff) > 0x7f80'0000;
    return type == 'd' && (bits & INT64_MAX) > 0x7ff0'0000'0000'0000;
  };
  return a == b || (is_nan(a) && is_nan(b));
}

}  // namespace

TEST_CASE("each numeric instruction behind a local.get, a constant or a load does what both do alone") {
  int compared = 0;
  for (const Numeric& numeric : Instructions) {
    if (!is_numeric(numeric)) continue;
    CAPTURE(std::string(numeric.name));
    Guest guest;
    for (unsigned below = 0; below <= 2; ++below)
      for (const uint8_t into : {uint8_t{0}, Set, Tee})
        for (const auto& [constant, loaded] : {std::pair{false, false}, {true, false}, {false, true}}) {
          const Shape shape{below, into, constant, loaded};
          constexpr int64_t Constant = 0x7d;  // -3, in a byte
          const auto module = Module::compile(module_of(body(numeric, shape, Constant, false), body(numeric, shape, Constant, true)));
          REQUIRE_MESSAGE(module.ok(), (module ? "" : module.error().to_string()));
          const auto made = guest.linker.instantiate(guest.store, *module);
          REQUIRE(made.ok());
          guest.instance = *made;
          for (const int64_t a : Values)
            for (const int64_t b : Values) {
              INFO(a, " ", b, " below ", below, " into ", int{into}, " constant ", constant, " loaded ", loaded);
              const auto together = guest.call<int64_t>("t", a, b), apart = guest.call<int64_t>("a", a, b);
              REQUIRE(together.ok() == apart.ok());
              if (together.ok()) REQUIRE((same(numeric.signature.back(), *together, *apart)));
              else REQUIRE(together.error().kind == apart.error().kind);
              ++compared;
            }
        }
  }
  CHECK(compared > 100 * 27 * 81);
}
