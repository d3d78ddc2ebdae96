// What is known of the values of integers.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// The largest value, unsigned, that an i32 or i64 may have. Looks `depth` operations back.
uint64_t upper_bound(const Function& f, NodeId id, int depth = 4);

}  // namespace krait::jit
