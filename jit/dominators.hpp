// Dominance in constant time, for passes.
#pragma once

#include "jit/ir.hpp"

namespace krait::jit {

/// The dominator tree's numbering; analyse() must have run since blocks changed.
class Dominators {
 public:
  explicit Dominators(const Function& f) : first_(f.blocks.size()), last_(f.blocks.size()) {
    // Sizes of subtrees from the leaves up, then places from the root down: a block stands behind its dominator in `order`.
    for (auto it = f.order.rbegin(); it != f.order.rend(); ++it) {
      ++last_[*it];
      if (*it != 0) last_[f.blocks[*it].idom] += last_[*it];
    }
    std::vector<uint32_t> next(f.blocks.size());
    for (BlockId b : f.order) {
      const uint32_t size = last_[b];
      if (b != 0) {
        uint32_t& place = next[f.blocks[b].idom];
        first_[b] = place;
        place += size;
      }
      next[b] = first_[b] + 1;
      last_[b] = first_[b] + size;
    }
  }
  [[nodiscard]] bool dominates(BlockId a, BlockId b) const { return first_[a] <= first_[b] && first_[b] < last_[a]; }

 private:
  std::vector<uint32_t> first_, last_;  // a subtree's numbers are [first, last)
};

}  // namespace krait::jit
