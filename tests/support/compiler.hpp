// The engine that a test program was asked to run: `--engine interp|jit`.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "engine/compiler.hpp"

namespace krait::test {

/// The compiler behind that name: null for "interp". An error names the engines that there are.
Result<std::unique_ptr<engine::Compiler>> compiler_named(std::string_view engine);

}  // namespace krait::test
