// The wasm instructions that are one IR node, by opcode.
#pragma once

#include "engine/opcodes.hpp"
#include "jit/ir.hpp"

namespace krait::jit {

struct NumericOp {
  Op op;
  Type type;  ///< of the result
};
/// Null where the instruction is something else, or not supported.
const NumericOp* numeric_op(engine::Opcode opcode);

struct MemoryOp {
  bool store;
  Type type;  ///< of the value
  MemKind kind;
};
const MemoryOp* memory_op(engine::Opcode opcode);

bool is_control(engine::Opcode opcode);

}  // namespace krait::jit
