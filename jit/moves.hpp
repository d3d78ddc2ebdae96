// Parallel moves: many copies that happen at once, put into an order.
#pragma once

#include <span>
#include <vector>

#include "jit/lir.hpp"

namespace krait::jit {

/// dst = src; src is a location or (Nowhere) the constant `imm`.
struct Move {
  Loc dst, src;
  Type type = Type::I64;
  uint64_t imm = 0;
};

/// One step of a resolved parallel move. Exchange swaps two general registers.
struct MoveStep {
  enum Kind : uint8_t { Copy, Exchange } kind;
  Move move;
};

/// Orders `moves` (distinct destinations) so that each source is read before it is overwritten. Cycles of general
/// registers are broken by exchanges, others through `FloatScratch`, which no move may name. For copies between memory
/// and memory the emitter has `Scratch`.
void resolve(std::span<const Move> moves, std::vector<MoveStep>& out);

}  // namespace krait::jit
