// On-stack replacement: a function's IR, built as always, is made to start in front of one of its loops.
//
// A value that is live there is in a local or an operand (the builder keeps nothing else across a loop's head), or a constant. So each
// gets a second definition, a parameter of the new entry, and SSA form is restored around the two (after Braun et al., "Simple
// and Efficient Construction of Static Single Assignment Form"). What led to the loop from the function's start is dropped,
// unless an outer loop leads there again; then the entered loop is the head of both.
#include <algorithm>

#include "jit/build.hpp"

namespace krait::jit {
namespace {

engine::ValType val_type(Type type) {
  switch (type) {
    case Type::I32: return engine::ValType::I32;
    case Type::F32: return engine::ValType::F32;
    case Type::F64: return engine::ValType::F64;
    case Type::V128: return engine::ValType::V128;
    default: return engine::ValType::I64;  // references too
  }
}

/// The values that reach each place of one variable with two definitions: `value` where it stands, `param` in block 0.
class Repair {
 public:
  Repair(Function& f, NodeId value, NodeId param) : f_(f), value_(value), param_(param), at_(f.blocks.size(), None) {}

  NodeId at_end(BlockId b) {
    if (b == f_[value_].block) return value_;
    return at_entry(b);
  }
  NodeId at_entry(BlockId b) {
    std::vector<BlockId> chain;
    NodeId found = None;
    for (;; b = f_.blocks[b].preds[0]) {
      if (b == 0) { found = param_; break; }
      if ((found = at_[b]) != None) break;
      chain.push_back(b);
      if (f_.blocks[b].preds.size() != 1) { found = join(b); break; }
      if (f_.blocks[b].preds[0] == f_[value_].block) { found = value_; break; }
    }
    for (BlockId c : chain) at_[c] = found;
    return found;
  }
  /// Its phis get their operands; a phi is made before those, so that loops end.
  void finish() {
    for (size_t i = 0; i < phis_.size(); ++i) {  // at_end() may add some
      const NodeId phi = phis_[i];
      std::vector<NodeId> args;
      const std::vector<BlockId> preds = f_.blocks[f_[phi].block].preds;
      for (BlockId p : preds) args.push_back(at_end(p));
      f_.set_args(phi, args);
    }
  }

 private:
  NodeId join(BlockId b) {
    const NodeId phi = f_.make(Op::Phi, f_[value_].type);
    f_[phi].block = b;
    f_[phi].wasm_pc = f_[value_].wasm_pc;
    f_.blocks[b].nodes.insert(f_.blocks[b].nodes.begin(), phi);
    phis_.push_back(phi);
    return phi;
  }

  Function& f_;
  const NodeId value_, param_;
  std::vector<NodeId> at_;  // by block: what reaches its start
  std::vector<NodeId> phis_;
};

/// Moves the start to a block of its own and makes block 0 the new entry, with a parameter for each value of the state.
std::vector<NodeId> make_entry(Function& f, LoopEntry& entry) {
  const auto start = static_cast<BlockId>(f.blocks.size());
  f.blocks.push_back(std::move(f.blocks[0]));
  f.blocks[0] = {};
  for (NodeId id : f.blocks[start].nodes) f[id].block = start;
  for (BlockId s : f.blocks[start].succs)
    for (BlockId& p : f.blocks[s].preds)
      if (p == 0) p = start;
  entry.type.results = f.type->results;
  std::vector<NodeId> params;
  for (uint32_t i = 0; i < entry.state.size(); ++i) {
    const Type type = f[entry.state[i]].type;
    entry.type.params.push_back(val_type(type));
    params.push_back(f.make(Op::Param, type, {}, i));
    f.blocks[0].nodes.push_back(params.back());
  }
  f.blocks[0].nodes.push_back(f.make(Op::Jump, Type::None));
  for (NodeId id : f.blocks[0].nodes) f[id].block = 0;
  f.blocks[0].succs = {entry.header};
  f.blocks[entry.header].preds.push_back(0);
  for (NodeId id : f.blocks[entry.header].nodes) {  // an operand for the new way in
    if (f[id].op != Op::Phi) break;
    for (const auto& [slot, phi] : entry.phis)
      if (phi == id) {
        std::vector<uint32_t> args(f.args(id).begin(), f.args(id).end());
        args.push_back(params[slot]);
        f.set_args(id, args);
      }
  }
  f.type = &entry.type;
  return params;
}

/// Reverse postorder; of two successors the one that stood first in the code, counted from the header on, comes first.
void reorder(Function& f, BlockId header) {
  std::vector<uint32_t> rank(f.blocks.size());
  const auto size = static_cast<uint32_t>(f.order.size());
  const auto first = static_cast<uint32_t>(std::find(f.order.begin(), f.order.end(), header) - f.order.begin());
  for (uint32_t i = 0; i < size; ++i) rank[f.order[i]] = (i + size - first) % size;
  struct Visit {
    BlockId block;
    std::vector<BlockId> successors;  // the next one last
  };
  std::vector<bool> seen(f.blocks.size());
  std::vector<Visit> open;
  std::vector<BlockId> order;
  const auto visit = [&](BlockId b) {
    seen[b] = true;
    std::vector<BlockId> next = f.blocks[b].succs;
    std::sort(next.begin(), next.end(), [&](BlockId x, BlockId y) { return rank[x] < rank[y]; });
    open.push_back({b, std::move(next)});
  };
  visit(0);
  while (!open.empty()) {
    std::vector<BlockId>& next = open.back().successors;
    if (next.empty()) {
      order.push_back(open.back().block);
      open.pop_back();
      continue;
    }
    const BlockId b = next.back();
    next.pop_back();
    if (!seen[b]) visit(b);
  }
  f.order.assign(order.rbegin(), order.rend());
}

/// Takes edges from blocks that are not reached out of those that are.
void drop_edges(Function& f, const std::vector<bool>& seen) {
  for (BlockId b : f.order) {
    Block& block = f.blocks[b];
    for (NodeId id : block.nodes) {
      if (f[id].op != Op::Phi) break;
      std::vector<uint32_t> kept;
      for (size_t i = 0; i < block.preds.size(); ++i)
        if (seen[block.preds[i]]) kept.push_back(f.args(id)[i]);
      f.set_args(id, kept);
    }
    std::erase_if(block.preds, [&](BlockId p) { return !seen[p]; });
  }
}

/// Gives each use of state[i] what reaches it: the value itself or the parameter.
void repair(Function& f, const LoopEntry& entry, const std::vector<NodeId>& params, const std::vector<bool>& seen) {
  std::vector<NodeId> replacement(f.nodes.size(), None);  // where only the parameter is left
  std::vector<uint32_t> repair_of(f.nodes.size(), None);
  std::vector<Repair> repairs;
  for (size_t i = 0; i < entry.state.size(); ++i) {
    const NodeId value = entry.state[i];
    if (f.is_const(value) || repair_of[value] != None || replacement[value] != None) continue;
    if (!seen[f[value].block]) {
      replacement[value] = params[i];
      continue;
    }
    repair_of[value] = static_cast<uint32_t>(repairs.size());
    repairs.emplace_back(f, value, params[i]);
  }
  for (BlockId b : f.order) {
    const std::vector<NodeId> nodes = f.blocks[b].nodes;  // phis come on
    for (NodeId id : nodes) {
      std::vector<uint32_t> args(f.args(id).begin(), f.args(id).end());
      bool changed = false;
      for (size_t i = 0; i < args.size(); ++i) {
        if (args[i] >= repair_of.size() || repair_of[args[i]] == None) continue;
        Repair& r = repairs[repair_of[args[i]]];
        const NodeId now = f[id].op == Op::Phi         ? r.at_end(f.blocks[b].preds[i])
                           : f[args[i]].block == b     ? args[i]
                                                       : r.at_entry(b);
        changed |= now != args[i];
        args[i] = now;
      }
      if (changed) f.set_args(id, args);
    }
  }
  for (Repair& r : repairs) r.finish();
  replacement.resize(f.nodes.size(), None);
  replace_uses(f, replacement);
}

}  // namespace

const char* enter_at_loop(Function& f, LoopEntry& entry) {
  if (entry.header == None) return "a loop that is never reached";
  const std::vector<NodeId> params = make_entry(f, entry);
  if (!supports(entry.type)) return "a state that is no argument list";
  reorder(f, entry.header);
  const std::vector<bool> seen = reachable(f);
  drop_edges(f, seen);
  repair(f, entry, params, seen);
  for (BlockId b : f.order)
    for (NodeId id : f.blocks[b].nodes)
      for (uint32_t arg : f.args(id))
        if (!f.is_const(arg) && !(f[arg].block != None && seen[f[arg].block])) return "a value that is not in locals or operands";
  return nullptr;
}

}  // namespace krait::jit
