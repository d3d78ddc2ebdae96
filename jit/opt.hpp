// The optimization passes, one a source file.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// Folds constants, simplifies, and numbers values within blocks and down the dominator tree.
void fold(Function& f);

}  // namespace krait::jit
