// Checks the IR: definitions dominate uses, edges match, phis have an operand a predecessor.
#include <algorithm>

#include "jit/ir.hpp"

namespace krait::jit {
namespace {

std::string value(NodeId id) { return "v" + std::to_string(id); }

bool dominates(const Function& f, const std::vector<uint32_t>& at, BlockId a, BlockId b) {
  while (at[b] > at[a]) b = f.blocks[b].idom;
  return a == b;
}

std::string check_block(const Function& f, BlockId b, std::vector<uint32_t>& seen, const std::vector<uint32_t>& at, uint32_t& clock) {
  const Block& block = f.blocks[b];
  if (block.nodes.empty() || !(info_of(f[block.nodes.back()].op).effects & Terminator)) return "b" + std::to_string(b) + " has no end";
  for (BlockId s : block.succs)
    if (std::count(f.blocks[s].preds.begin(), f.blocks[s].preds.end(), b) != 1)
      return "edge b" + std::to_string(b) + " b" + std::to_string(s) + " is not once among the predecessors";
  bool phis = true;
  for (NodeId id : block.nodes) {
    const Node& n = f[id];
    if (n.block != b) return value(id) + " stands in b" + std::to_string(b) + " and says otherwise";
    phis &= n.op == Op::Phi || n.op == Op::Param;
    if (n.op == Op::Phi && (!phis || n.count != block.preds.size())) return value(id) + " is a phi out of place";
    seen[id] = ++clock;
    if (n.op == Op::Phi) continue;
    for (uint32_t arg : f.args(id)) {
      if (f.is_const(arg)) continue;
      const BlockId home = f[arg].block;
      if (home == None) return value(id) + " uses " + value(arg) + ", which was removed";
      if (home == b ? seen[arg] == 0 || arg == id : !dominates(f, at, home, b))
        return value(id) + " uses " + value(arg) + " before it is defined";
    }
  }
  return "";
}

}  // namespace

std::string verify(const Function& f) {
  std::vector<uint32_t> seen(f.nodes.size()), at(f.blocks.size(), None);
  for (uint32_t i = 0; i < f.order.size(); ++i) at[f.order[i]] = i;
  uint32_t clock = 0;
  for (BlockId b : f.order)
    if (std::string wrong = check_block(f, b, seen, at, clock); !wrong.empty()) return wrong;
  for (BlockId b : f.order)
    for (NodeId id : f.blocks[b].nodes) {
      if (f[id].op != Op::Phi) break;
      for (uint32_t k = 0; k < f[id].count; ++k) {
        const NodeId arg = f.args(id)[k];
        if (!f.is_const(arg) && (f[arg].block == None || !dominates(f, at, f[arg].block, f.blocks[b].preds[k])))
          return value(id) + " takes " + value(arg) + ", which does not reach it";
      }
    }
  return "";
}

}  // namespace krait::jit
