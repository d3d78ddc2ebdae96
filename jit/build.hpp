// Wasm to IR.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// A function that starts in front of one of its loops, where the interpreter leaves it: its parameters are all locals,
/// caught exceptions and operands, as slots of the interpreter's frame. Outlives the Function.
struct LoopEntry {
  uint32_t loop = 0;                  ///< byte offset of its first instruction that is no `block`
  engine::FuncType type;              ///< made by build()
  // What the builder notes at the loop: the values of locals, exceptions and operands in front of it, and its phis.
  BlockId header = None;
  uint32_t operands = 0;              ///< where they begin in `state`
  std::vector<NodeId> state;
  std::vector<std::pair<uint32_t, NodeId>> phis;  ///< index in `state`, phi
};

/// Builds the IR of a defined function, from `entry` on if it is not null. Returns why the JIT leaves it to the
/// interpreter, or null.
const char* build(const engine::Module& module, uint32_t defined_func, Function& out, LoopEntry* entry = nullptr);
/// Makes the noted loop the only entry of the function (loop_entry.cpp). Returns why it cannot, or null.
const char* enter_at_loop(Function& f, LoopEntry& entry);

/// The IR of a thunk that puts its arguments into slots and calls `builtin` for function `func_index`.
void build_thunk(const engine::Module& module, uint32_t func_index, Builtin builtin, Function& out);

/// True if the JIT has a calling convention for the type (few enough values).
bool supports(const engine::FuncType& type);

}  // namespace krait::jit
