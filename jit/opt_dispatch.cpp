// Marks what is to be emitted anew at each jump to it: a short block that many jump to and that goes on by a large jump
// table, the dispatch of an interpreter. So the branch predictor sees which instruction follows which. As the allocator's
// locations at a block's start are the same whoever comes, copies are made by the emitter alone.
#include "jit/opt.hpp"

namespace krait::jit {

void dispatch(Function& f) {
  constexpr uint32_t MinTargets = 64;
  constexpr size_t MinPredecessors = 8;
  for (BlockId b : f.order) {
    const Node& end = f[f.terminator(b)];
    f.blocks[b].dispatch = end.op == Op::Switch && static_cast<uint32_t>(end.imm) >= MinTargets && f.blocks[b].preds.size() >= MinPredecessors;
  }
}

}  // namespace krait::jit
