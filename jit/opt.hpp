// The optimization passes, one a source file.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// Puts small leaves in the place of calls.
void inline_leaves(Function& f);
/// Decides by the ranges of integers: comparisons, masks, defaults of jump tables.
void range(Function& f);
/// Folds constants, simplifies, turns operations into cheaper ones, decides branches on constants.
void fold(Function& f);
/// Divides by constants without a division.
void divide(Function& f);
/// Copies and fills small constant sizes without a call.
void bulk(Function& f);
/// Drops operations whose result is there already.
void gvn(Function& f);
/// Takes loads and reads of globals from earlier loads and stores of the same place, where nothing can have changed it.
void forward(Function& f);
/// Moves what does not change in a loop in front of it.
void licm(Function& f);
/// Marks blocks to be copied to the jumps to them.
void dispatch(Function& f);

}  // namespace krait::jit
