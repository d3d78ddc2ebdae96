// The interpreter: in place on the module's bytes, with the validator's side table.
#pragma once

#include "engine/store.hpp"

namespace krait::engine {

/// Runs a wasm function; slots holds its arguments and takes its results. False when a trap was raised in
/// the store. Re-entrant; guest-to-guest calls do not use the native stack.
bool interpret(Store& store, FuncInstance& func, Slot* slots);

/// Appends the frames of an activation of kind Interpreter to `trap`, innermost first.
void interpreter_trace(const Activation& activation, Trap& trap);

}  // namespace krait::engine
