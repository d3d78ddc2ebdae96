// Machine instructions to bytes.
#pragma once

#include "jit/code.hpp"
#include "jit/convention.hpp"
#include "jit/regalloc.hpp"

namespace krait::jit {

/// Writes one function. `listing`, if not null, takes its assembly text, each line behind OffsetColumns
/// columns that hold the wasm byte offset, in hex, where it changes. False where the frame would be too large.
bool emit(MFunction& f, const Allocation& allocation, const CpuFeatures& cpu, CompiledFunction& out, std::string* listing);

}  // namespace krait::jit
