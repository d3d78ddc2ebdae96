// The optimization passes, one a source file.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// Folds constants, simplifies, turns operations into cheaper ones, decides branches on constants.
void fold(Function& f);
/// Takes loads and reads of globals from earlier loads and stores of the same place, where nothing can have changed it.
void forward(Function& f);
/// Divides by constants without a division.
void divide(Function& f);

}  // namespace krait::jit
