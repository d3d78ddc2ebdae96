// Control flow facts: reachability, dominators, loops, cold blocks, frequencies.
//
// Function::order is topological over forward edges, so one pass in it is enough wherever a
// reverse postorder would do; an edge to a block that does not stand later is a back edge.
#include <algorithm>

#include "jit/ir.hpp"

namespace krait::jit {

std::vector<bool> reachable(const Function& f) {
  std::vector<bool> seen(f.blocks.size());
  std::vector<BlockId> work = {0};
  seen[0] = true;
  while (!work.empty()) {
    const BlockId b = work.back();
    work.pop_back();
    for (BlockId s : f.blocks[b].succs)
      if (!seen[s]) seen[s] = true, work.push_back(s);
  }
  return seen;
}

namespace {

constexpr float LoopFactor = 8, ColdFactor = 0.001f, MaxFreq = 1e6f;

void drop_unreachable(Function& f) {
  const std::vector<bool> seen = reachable(f);
  std::erase_if(f.order, [&](BlockId b) { return !seen[b]; });
  for (BlockId b : f.order) {
    Block& block = f.blocks[b];
    if (std::all_of(block.preds.begin(), block.preds.end(), [&](BlockId p) { return seen[p]; })) continue;
    for (NodeId id : block.nodes) {
      if (f[id].op != Op::Phi) break;
      auto args = f.args(id);
      uint32_t kept = 0;
      for (uint32_t i = 0; i < args.size(); ++i)
        if (seen[block.preds[i]]) args[kept++] = args[i];
      f[id].count = kept;
    }
    std::erase_if(block.preds, [&](BlockId p) { return !seen[p]; });
  }
}

struct Flow {
  Function& f;
  std::vector<uint32_t> at;  // position in order

  explicit Flow(Function& function) : f(function), at(function.blocks.size(), None) {
    for (uint32_t i = 0; i < f.order.size(); ++i) at[f.order[i]] = i;
  }

  void dominators() {
    for (BlockId b : f.order) f.blocks[b].idom = None;
    f.blocks[0].idom = 0;
    for (bool changed = true; changed;) {
      changed = false;
      for (BlockId b : f.order) {
        if (b == 0) continue;
        BlockId idom = None;
        for (BlockId p : f.blocks[b].preds) {
          if (f.blocks[p].idom == None) continue;
          idom = idom == None ? p : common(idom, p);
        }
        if (idom != f.blocks[b].idom) f.blocks[b].idom = idom, changed = true;
      }
    }
  }
  BlockId common(BlockId a, BlockId b) const {
    while (a != b) {
      while (at[a] > at[b]) a = f.blocks[a].idom;
      while (at[b] > at[a]) b = f.blocks[b].idom;
    }
    return a;
  }

  void loops() {
    for (BlockId b : f.order) f.blocks[b].loop_depth = 0, f.blocks[b].loop_header = false;
    std::vector<uint32_t> stamp(f.blocks.size(), None);
    std::vector<BlockId> work;
    for (BlockId header : f.order) {
      auto& block = f.blocks[header];
      for (BlockId p : block.preds)
        if (at[p] >= at[header]) block.loop_header = true, work.push_back(p);
      if (!block.loop_header) continue;
      stamp[header] = header;
      ++block.loop_depth;
      while (!work.empty()) {
        const BlockId b = work.back();
        work.pop_back();
        if (stamp[b] == header) continue;
        stamp[b] = header;
        ++f.blocks[b].loop_depth;
        for (BlockId p : f.blocks[b].preds) work.push_back(p);
      }
    }
  }

  void cold() {
    for (BlockId b : f.order) f.blocks[b].cold = false;
    for (auto it = f.order.rbegin(); it != f.order.rend(); ++it) {
      Block& block = f.blocks[*it];
      block.cold = f[f.terminator(*it)].op == Op::Trap || block.landing;
      if (!block.succs.empty() && !block.landing)
        block.cold = std::all_of(block.succs.begin(), block.succs.end(), [&](BlockId s) { return f.blocks[s].cold; });
    }
    f.blocks[0].cold = false;
    for (BlockId b : f.order)
      if (b != 0 && f.blocks[f.blocks[b].idom].cold) f.blocks[b].cold = true;
  }

  float probability(BlockId from, uint32_t successor) const {
    const Block& block = f.blocks[from];
    const BlockId to = block.succs[successor];
    if (f.blocks[to].cold && !block.cold) return ColdFactor;
    if (block.succs.size() == 1) return 1;
    if (f[f.terminator(from)].op == Op::Invoke) return 1;
    if (f[f.terminator(from)].op == Op::Switch) return 1.0f / static_cast<float>(block.succs.size());
    const Block& other = f.blocks[block.succs[1 - successor]];
    if (other.cold) return 1;
    // Staying in a loop is likelier than leaving it.
    if (f.blocks[to].loop_depth < block.loop_depth && other.loop_depth >= block.loop_depth) return 0.12f;
    if (other.loop_depth < block.loop_depth && f.blocks[to].loop_depth >= block.loop_depth) return 0.88f;
    return 0.5f;
  }

  void frequencies() {
    for (BlockId b : f.order) {
      Block& block = f.blocks[b];
      float freq = b == 0 ? 1.0f : 0.0f;
      for (BlockId p : block.preds) {
        if (at[p] >= at[b]) continue;
        const Block& from = f.blocks[p];
        for (uint32_t s = 0; s < from.succs.size(); ++s)
          if (from.succs[s] == b) freq += from.freq * probability(p, s);
      }
      if (block.loop_header) freq *= LoopFactor;
      block.freq = std::clamp(freq, 1e-6f, MaxFreq);
    }
  }
};

}  // namespace

void analyse(Function& f) {
  drop_unreachable(f);
  Flow flow(f);
  flow.dominators();
  flow.loops();
  flow.cold();
  flow.frequencies();
}

}  // namespace krait::jit
