// Forwarding of memory and globals.
//
// What is known is kept by state: a table from (state, place) to the value there. A state ends at a write or call; a
// store's new state knows its own place. Each block has a state of its own, since what a block learns does not hold in its
// siblings; where it simply follows its dominator, it also knows what held at that one's end.
#include <unordered_map>

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

class Forwarder {
 public:
  explicit Forwarder(Function& f) : f_(f), replacement_(f.nodes.size(), None), memory_(f.blocks.size()), globals_(f.blocks.size()) {}

  void run() {
    for (BlockId b : f_.order) {
      const Block& block = f_.blocks[b];
      const bool follows = b != 0 && block.preds.size() == 1 && block.preds[0] == block.idom;
      state_ = fresh(follows ? memory_[block.idom] : 0);
      global_state_ = fresh(follows ? globals_[block.idom] : 0);
      for (NodeId id : block.nodes) visit(id);
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
  [[nodiscard]] NodeId find(NodeId id) const {
    while (replacement_[id] != None) id = replacement_[id];
    return id;
  }
  [[nodiscard]] Place place(NodeId address, uint64_t offset, uint8_t kind, Type type) const {
    address = find(address);
    if (f_.is_const(address)) return {state_, None, offset + f_[address].imm, kind, static_cast<uint8_t>(type)};
    return {state_, address, offset, kind, static_cast<uint8_t>(type)};
  }
  uint32_t fresh(uint32_t parent = 0) {
    parent_.push_back(parent);
    return static_cast<uint32_t>(parent_.size() - 1);
  }
  void take_or_keep(NodeId id, const Place& here) {
    Place p = here;
    for (int steps = 0; p.state != 0 && steps < MaxSteps; p.state = parent_[p.state], ++steps)
      if (auto it = known_.find(p); it != known_.end()) {
        replacement_[id] = find(it->second);
        any_ = true;
        return;
      }
    known_.emplace(here, id);
  }
  void visit(NodeId id) {
    const Node& n = f_[id];
    switch (n.op) {
      case Op::Load: return take_or_keep(id, place(n.args[0], n.imm, n.aux, n.type));
      case Op::Store: {
        state_ = fresh();
        const auto kind = static_cast<MemKind>(n.aux);
        const Type type = f_[n.args[1]].type;
        const bool whole = kind == MemKind::I64 || kind == MemKind::F32 || kind == MemKind::F64 || kind == MemKind::V128 ||
                           (kind == MemKind::I32U && type == Type::I32);
        if (whole) known_[place(n.args[0], n.imm, n.aux, type)] = n.args[1];
        return;
      }
      case Op::GlobalGet: return take_or_keep(id, {global_state_, None, n.imm, 255, 255});
      case Op::GlobalSet:
        // Two indices may name one imported global, so a write ends the state of all.
        global_state_ = fresh();
        known_[{global_state_, None, n.imm, 255, 255}] = n.args[0];
        return;
      default:
        if (info_of(n.op).effects & (Writes | Calls)) state_ = fresh(), global_state_ = fresh();
    }
  }

  Function& f_;
  std::vector<NodeId> replacement_;
  std::vector<uint32_t> memory_, globals_;  // states at the blocks' ends
  std::vector<uint32_t> parent_{0};         // by state; 0 is none
  uint32_t state_ = 0, global_state_ = 0;
  std::unordered_map<Place, NodeId, PlaceHash> known_;
  bool any_ = false;
};

}  // namespace

void forward(Function& f) { Forwarder(f).run(); }

}  // namespace krait::jit
