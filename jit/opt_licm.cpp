// Moves what a loop computes anew each time, though it is always the same, in front of it.
//
// Only what cannot trap and takes more than one cheap instruction, and a few values a loop: each keeps a register busy
// all through. Outer loops come first, so a value goes as far out as it may.
#include <algorithm>

#include "jit/opt.hpp"

namespace krait::jit {
namespace {

constexpr uint32_t MaxMoved = 4;

class Mover {
 public:
  explicit Mover(Function& f) : f_(f), at_(f.blocks.size(), None), in_loop_(f.blocks.size(), None) {
    for (uint32_t i = 0; i < f.order.size(); ++i) at_[f.order[i]] = i;
  }

  void run() {
    for (BlockId b : f_.order)
      if (f_.blocks[b].loop_header) move_out_of(b);
  }

 private:
  /// The only block from which the loop is entered, or None.
  BlockId entry_of(BlockId header) {
    BlockId entry = None;
    for (BlockId p : f_.blocks[header].preds) {
      if (at_[p] >= at_[header]) {
        work_.push_back(p);
        continue;
      }
      if (entry != None) return work_.clear(), None;
      entry = p;
    }
    return entry;
  }
  void move_out_of(BlockId header) {
    const BlockId entry = entry_of(header);
    if (entry == None || f_[f_.terminator(entry)].op == Op::Invoke) return work_.clear();  // an Invoke follows its call
    body_ = {header};
    in_loop_[header] = header;
    while (!work_.empty()) {
      const BlockId b = work_.back();
      work_.pop_back();
      if (in_loop_[b] == header) continue;
      in_loop_[b] = header;
      body_.push_back(b);
      for (BlockId p : f_.blocks[b].preds) work_.push_back(p);
    }
    std::sort(body_.begin(), body_.end(), [&](BlockId a, BlockId b) { return at_[a] < at_[b]; });
    uint32_t moved = 0;
    for (BlockId b : body_) {
      if (f_.blocks[b].freq <= f_.blocks[entry].freq) continue;
      std::erase_if(f_.blocks[b].nodes, [&](NodeId id) {
        if (moved == MaxMoved || !worthwhile(f_[id]) || !invariant(id, header)) return false;
        auto& nodes = f_.blocks[entry].nodes;
        nodes.insert(nodes.end() - 1, id);
        f_[id].block = entry;
        ++moved;
        return true;
      });
    }
  }
  [[nodiscard]] static bool worthwhile(const Node& n) {
    switch (n.op) {
      case Op::Mul: case Op::MulHighU: case Op::MulHighS:
      case Op::FAdd: case Op::FSub: case Op::FMul: case Op::FDiv: case Op::FSqrt: case Op::FMin: case Op::FMax:
      case Op::ConvertS: case Op::ConvertU: case Op::Promote: case Op::Demote: case Op::TruncSatS: case Op::TruncSatU: return true;
      default: return false;
    }
  }
  [[nodiscard]] bool invariant(NodeId id, BlockId header) const {
    for (NodeId arg : f_.args(id))
      if (!f_.is_const(arg) && in_loop_[f_[arg].block] == header) return false;
    return true;
  }

  Function& f_;
  std::vector<uint32_t> at_;
  std::vector<BlockId> in_loop_;  // the header of the loop that was walked last
  std::vector<BlockId> work_, body_;
};

}  // namespace

void licm(Function& f) { Mover(f).run(); }

}  // namespace krait::jit
