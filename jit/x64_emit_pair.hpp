// An SSE instruction and its three-operand AVX form.
#pragma once

#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

struct Emitter::Pair {
  uint32_t sse, vex;
};
#define PAIR(sse, vex) \
  Pair { x86::Inst::kId##sse, x86::Inst::kId##vex }

constexpr PReg VectorScratch = Xmm(14);  ///< of Sequence forms, beside FloatScratch
constexpr uint32_t UpperHalf = 0xee;     ///< pshufd: to the lower half

}  // namespace krait::jit
