// The shapes of code that v128 instructions take; simd.def has a row for each.
#pragma once

#include "engine/opcodes.hpp"

namespace krait::jit {

/// d: the result; a, b: the operands; op: the row's instruction; imm: its immediate.
enum class VectorForm : uint8_t {
  Sequence,      ///< code of its own
  Binary,        ///< op(a, b)
  Commutes,      ///< op(a, b) = op(b, a)
  Swapped,       ///< op(b, a)
  BinaryImm,     ///< op(a, b, imm)
  SwappedImm,    ///< op(b, a, imm)
  Not,           ///< ~op(a, b)
  NotSwapped,    ///< ~op(b, a)
  Compare,       ///< op(a, b) == a
  NotCompare,    ///< op(a, b) != a
  Unary,         ///< op(a)
  UnaryImm,      ///< op(a, imm)
  FromZero,      ///< op(0, a)
  High,          ///< op(upper half of a)
  AllTrue,       ///< i32: op(a, 0) is nowhere true
  Shift,         ///< op(a, count & imm)
  MultiplyLow,   ///< the lower halves, extended by op, multiplied; imm: 0 for 16-bit lanes, 1 for 32-bit ones
  MultiplyHigh,  ///< the upper halves
  MultiplyWide,  ///< op(shuffled a, shuffled b): 64-bit lanes
  Extract,
  Replace,
  Splat,
};

VectorForm vector_form(engine::Opcode opcode);

}  // namespace krait::jit
