// Entry thunks: from slots into the JIT's convention.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/module.hpp"

namespace krait::jit {

/// Code of `bool thunk(Activation*, const void* entry, Context*, Slot* slots)` for functions of that type.
std::vector<uint8_t> emit_enter(const engine::FuncType& type);

}  // namespace krait::jit
