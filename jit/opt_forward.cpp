// Forwarding of memory and globals.
//
// What is known is kept by state: a table from (state, place) to the value there and the block that learned it. A state ends
// at a write or call; a block where all predecessors are in one state is in it too, so that what a dominator learned
// holds across branches that write nothing. Behind a store the places beside it, off the same address, keep their values.
#include <unordered_map>

#include "jit/dominators.hpp"
#include "jit/opt.hpp"

namespace krait::jit {
namespace {

struct Place {
  uint32_t state;      // of memory or of globals
  uint32_t address;    // NodeId; constants by value
  uint64_t offset;
  uint8_t kind, type;  // MemKind and Type; globals: 255
  bool operator==(const Place&) const = default;
};
struct PlaceHash {
  size_t operator()(const Place& p) const {
    uint64_t h = p.state * 0x9e3779b97f4a7c15ull ^ (uint64_t{p.address} << 20) ^ p.offset * 0xff51afd7ed558ccdull ^ p.kind ^ p.type * 257u;
    return h ^ h >> 29;
  }
};

/// A store's: places off `address` that do not meet [begin, end) are as in the state before it.
struct Before {
  uint32_t state = 0;  // 0: none
  uint32_t address = 0;
  uint64_t begin = 0, end = 0;
};

class Forwarder {
 public:
  explicit Forwarder(Function& f)
      : f_(f), dominators_(f), replacement_(f.nodes.size(), None), memory_(f.blocks.size()), globals_(f.blocks.size()) {}

  void run() {
    for (BlockId b : f_.order) {
      block_ = b;
      state_ = common(b, memory_);
      global_state_ = common(b, globals_);
      for (NodeId id : f_.blocks[b].nodes) visit(id);
      memory_[b] = state_;
      globals_[b] = global_state_;
    }
    if (!any_) return;
    for (BlockId b : f_.order) std::erase_if(f_.blocks[b].nodes, [&](NodeId id) { return replacement_[id] != None; });
    replace_uses(f_, replacement_);
    clean(f_);
  }

 private:
  static constexpr int MaxSteps = 32;
  struct Known {
    NodeId value;
    BlockId block;
  };
  [[nodiscard]] NodeId find(NodeId id) const {
    while (replacement_[id] != None) id = replacement_[id];
    return id;
  }
  [[nodiscard]] Place place(NodeId address, uint64_t offset, uint8_t kind, Type type) const {
    if (static_cast<MemKind>(kind) == MemKind::I32S && type == Type::I32) kind = static_cast<uint8_t>(MemKind::I32U);
    address = find(address);
    if (f_.is_const(address)) return {state_, None, offset + f_[address].imm, kind, static_cast<uint8_t>(type)};
    return {state_, address, offset, kind, static_cast<uint8_t>(type)};
  }
  uint32_t fresh(const Before& before) {
    before_.push_back(before);
    return static_cast<uint32_t>(before_.size() - 1);
  }
  /// The state at the ends of all predecessors; a new one at loops, whose ends are not known yet.
  uint32_t common(BlockId b, const std::vector<uint32_t>& ends) {
    const Block& block = f_.blocks[b];
    if (block.preds.empty() || block.loop_header) return fresh({});
    for (BlockId p : block.preds)
      if (ends[p] != ends[block.preds[0]]) return fresh({});
    return ends[block.preds[0]];
  }
  [[nodiscard]] static bool survives(const Before& b, const Place& p) {
    // Two memories may be one that is imported twice.
    if (b.state == 0 || b.address != p.address || memory_of(b.begin) != memory_of(p.offset)) return false;
    if (p.kind > static_cast<uint8_t>(MemKind::V128)) return false;
    return p.offset >= b.end || p.offset + bytes_of(static_cast<MemKind>(p.kind)) <= b.begin;
  }
  void take_or_keep(NodeId id, const Place& here) {
    Place p = here;
    for (int steps = 0; steps < MaxSteps; ++steps) {
      auto it = known_.find(p);
      if (it != known_.end() && dominators_.dominates(it->second.block, block_)) {
        replacement_[id] = find(it->second.value);
        any_ = true;
        return;
      }
      const Before& before = before_[p.state];
      if (!survives(before, p)) break;
      p.state = before.state;
    }
    known_[here] = {id, block_};
  }
  void store(const Node& n) {
    const auto kind = static_cast<MemKind>(n.aux);
    const Type type = f_[n.args[1]].type;
    Place p = place(n.args[0], n.imm, n.aux, type);
    p.state = state_ = fresh({state_, p.address, p.offset, p.offset + bytes_of(kind)});
    const bool whole = kind == MemKind::I64 || kind == MemKind::F32 || kind == MemKind::F64 || kind == MemKind::V128 ||
                       (kind == MemKind::I32U && type == Type::I32);
    if (whole) known_[p] = {n.args[1], block_};
  }
  void visit(NodeId id) {
    const Node& n = f_[id];
    switch (n.op) {
      case Op::Load: return take_or_keep(id, place(n.args[0], n.imm, n.aux, n.type));
      case Op::Store: return store(n);
      case Op::GlobalGet: return take_or_keep(id, {global_state_, None, n.imm, 255, 255});
      case Op::GlobalSet:
        // Two indices may name one imported global, so a write ends the state of all.
        global_state_ = fresh({});
        known_[{global_state_, None, n.imm, 255, 255}] = {n.args[0], block_};
        return;
      default:
        if (info_of(n.op).effects & (Writes | Calls)) state_ = fresh({}), global_state_ = fresh({});
    }
  }

  Function& f_;
  Dominators dominators_;
  std::vector<NodeId> replacement_;
  std::vector<uint32_t> memory_, globals_;  // states at the blocks' ends
  std::vector<Before> before_{{}};          // by state; 0 is none
  BlockId block_ = 0;
  uint32_t state_ = 0, global_state_ = 0;
  std::unordered_map<Place, Known, PlaceHash> known_;
  bool any_ = false;
};

}  // namespace

void forward(Function& f) { Forwarder(f).run(); }

}  // namespace krait::jit
