// Register allocation: gives every operand of a MFunction its location.
#pragma once

#include <vector>

#include "jit/lir.hpp"
#include "jit/moves.hpp"

namespace krait::jit {

struct AllocatorOptions {
  uint32_t registers = 0;  ///< registers of each kind that may be used; 0: all. At least 4
  uint64_t seed = 0;       ///< if not 0, choices that do not matter for correctness are made at random
};

/// Moves that happen together, before the instruction at `pos`; phases of one position happen in order.
struct PlacedMove {
  uint32_t pos;
  uint32_t phase;  ///< 0: entry of a block, 1: within it, 2: its end
  Move move;
};

struct Allocation {
  std::vector<PlacedMove> moves;  ///< by pos, phase
  uint32_t slots = 0;             ///< spill slots of 8 bytes; a v128 takes two
  RegSet used_callee_saved = 0;
};

/// False where an instruction asks for more registers than there are.
bool allocate(MFunction& f, const AllocatorOptions& options, Allocation& out);

/// Live ranges of a virtual register, ascending; positions as in lir.hpp, half open.
struct Range {
  uint32_t from, to;
};
struct Use {
  uint32_t pos;
  Operand* operand;
};
struct Liveness {
  std::vector<std::vector<Range>> ranges;  ///< by vreg
  std::vector<std::vector<Use>> uses;      ///< by vreg, ascending; definitions too
  std::vector<std::vector<VReg>> live_in;  ///< by block; phis of the block not included
};
Liveness compute_liveness(MFunction& f);

}  // namespace krait::jit
