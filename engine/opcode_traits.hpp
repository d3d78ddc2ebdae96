// What follows from opcodes.def: the opcode of an encoding, and each instruction's facts in the
// form that a decoder, a validator or a code generator reads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/opcodes.hpp"
#include "engine/types.hpp"

namespace krait::engine {

/// An instruction's facts. `special` instructions are typed by name; of all others the types are
/// here.
struct OpcodeTraits {
  Immediates immediates = Immediates::None;
  bool special = false;
  bool vector = false;  ///< a v128 among operands or result
  bool atomic = false;  ///< alignment must be exactly the natural one
  uint8_t access_log2 =
      0;              ///< MemArg, MemArgLane: log2 of the bytes accessed, the natural alignment
  uint8_t lanes = 0;  ///< MemArgLane, Lane, Shuffle: lane immediates are below this
  uint8_t operand_count = 0;
  std::array<ValType, 3> operands{};
  ValType result = ValType::Bottom;  ///< Bottom: none
};

namespace traits {

constexpr ValType type_of_letter(char letter) {
  switch (letter) {
    case 'i':
      return ValType::I32;
    case 'l':
      return ValType::I64;
    case 'f':
      return ValType::F32;
    case 'd':
      return ValType::F64;
    default:
      return ValType::V128;
  }
}

constexpr uint32_t number_at(std::string_view text, size_t at) {
  uint32_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + static_cast<uint32_t>(text[at] - '0');
  }
  return number;
}

/// Bits that a memory instruction accesses. Its name tells: i32.load, i64.load16_u, v128.load8x8_s,
/// ...
constexpr uint32_t access_bits(std::string_view text) {
  for (std::string_view verb : {"load", "store", "rmw", "wait"}) {
    const size_t at = text.find(verb);
    if (at == std::string_view::npos) continue;
    const size_t digits = at + verb.size();
    const uint32_t bits = number_at(text, digits);
    if (bits == 0) return number_at(text, 1);  // the value type's own width
    const size_t behind = text.find_first_not_of("0123456789", digits);
    const bool times = behind != std::string_view::npos && text[behind] == 'x';
    return times ? bits * number_at(text, behind + 1) : bits;
  }
  return 32;  // memory.atomic.notify
}

constexpr uint8_t log2_of(uint32_t power) {
  uint8_t log2 = 0;
  while (power >>= 1) ++log2;
  return log2;
}

constexpr OpcodeTraits make(std::string_view text, uint8_t prefix, Immediates immediates,
                            std::string_view signature) {
  OpcodeTraits t;
  t.immediates = immediates;
  t.special = signature == "*";
  t.atomic = prefix == 0xfe;
  if (immediates == Immediates::MemArg || immediates == Immediates::MemArgLane) {
    const uint32_t bits = access_bits(text);
    t.access_log2 = log2_of(bits / 8);
    if (immediates == Immediates::MemArgLane) t.lanes = static_cast<uint8_t>(128 / bits);
  }
  if (immediates == Immediates::Lane)
    t.lanes = static_cast<uint8_t>(number_at(text, text.find('x') + 1));
  if (immediates == Immediates::Shuffle) t.lanes = 32;
  if (t.special) return t;
  bool results = false;
  for (char letter : signature) {
    if (letter == ':') {
      results = true;
      continue;
    }
    const ValType type = type_of_letter(letter);
    t.vector |= type == ValType::V128;
    if (results) {
      t.result = type;
    } else {
      t.operands[t.operand_count++] = type;
    }
  }
  return t;
}

}  // namespace traits

inline constexpr std::array<OpcodeTraits, OpcodeCount> AllOpcodeTraits = {
#define OP(name, text, prefix, code, immediates, signature) \
  traits::make(text, prefix, Immediates::immediates, signature),
#include "engine/opcodes.def"
#undef OP
};

constexpr const OpcodeTraits& traits_of(Opcode opcode) {
  return AllOpcodeTraits[static_cast<size_t>(opcode)];
}

/// Stands in the tables below where an encoding has no instruction.
constexpr Opcode NoOpcode = static_cast<Opcode>(0xffff);

namespace traits {

template <uint8_t Prefix, size_t Size>
constexpr std::array<Opcode, Size> opcodes_with_prefix() {
  std::array<Opcode, Size> table{};
  table.fill(NoOpcode);
#define OP(name, text, prefix, code, immediates, signature) \
  if (prefix == Prefix) table[code % Size] = Opcode::name;
#include "engine/opcodes.def"
#undef OP
  return table;
}

}  // namespace traits

/// By the code behind each prefix; sized so that no code of opcodes.def lies beyond.
inline constexpr auto PlainOpcodes = traits::opcodes_with_prefix<0x00, 256>();
inline constexpr auto MiscOpcodes = traits::opcodes_with_prefix<0xfc, 32>();
inline constexpr auto VectorOpcodes = traits::opcodes_with_prefix<0xfd, 512>();
inline constexpr auto AtomicOpcodes = traits::opcodes_with_prefix<0xfe, 128>();

/// The instruction of that encoding (prefix 0 for one byte), or NoOpcode.
constexpr Opcode opcode_of(uint8_t prefix, uint32_t code) {
  switch (prefix) {
    case 0x00:
      return code < PlainOpcodes.size() ? PlainOpcodes[code] : NoOpcode;
    case 0xfc:
      return code < MiscOpcodes.size() ? MiscOpcodes[code] : NoOpcode;
    case 0xfd:
      return code < VectorOpcodes.size() ? VectorOpcodes[code] : NoOpcode;
    case 0xfe:
      return code < AtomicOpcodes.size() ? AtomicOpcodes[code] : NoOpcode;
    default:
      return NoOpcode;
  }
}

static_assert(opcode_of(0xfd, 0x113) == Opcode::I32x4RelaxedDotI8x16I7x16AddS);
static_assert(traits_of(Opcode::V128Load8x8S).access_log2 == 3 &&
              traits_of(Opcode::I64Load32U).access_log2 == 2);
static_assert(traits_of(Opcode::V128Store).access_log2 == 4 &&
              traits_of(Opcode::I64AtomicRmwAdd).access_log2 == 3);
static_assert(traits_of(Opcode::I32AtomicRmw16XorU).access_log2 == 1 &&
              traits_of(Opcode::V128Load8Lane).lanes == 16);

}  // namespace krait::engine
