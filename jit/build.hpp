// Wasm to IR.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// Builds the IR of a defined function. Returns why the JIT leaves it to the interpreter, or null.
const char* build(const engine::Module& module, uint32_t defined_func, Function& out);

/// The IR of a thunk that puts its arguments into slots and calls `builtin` for function `func_index`.
void build_thunk(const engine::Module& module, uint32_t func_index, Builtin builtin, Function& out);

/// True if the JIT has a calling convention for the type (few enough values).
bool supports(const engine::FuncType& type);

}  // namespace krait::jit
