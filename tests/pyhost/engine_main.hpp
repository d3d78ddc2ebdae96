// The engine that a test program's `--engine interp|jit` asks for.
#pragma once

#include "engine/compiler.hpp"

namespace krait::test {

/// Null: the interpreter. Set before the first test, and good until the program ends.
engine::Compiler* chosen_compiler();

}  // namespace krait::test
