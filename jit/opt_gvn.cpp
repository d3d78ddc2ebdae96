// Global value numbering: an operation that was done on every way here is not done again.
//
// One table for the function, one leader an expression: a leader that does not dominate makes way for the one who asks, so a
// walk in block order finds what scopes would, nearly. What one instruction computes again is not kept alive from
// block to block, and a comparison not at all: at a branch it costs nothing, in a register three instructions.
#include <algorithm>
#include <unordered_map>

#include "jit/dominators.hpp"
#include "jit/opt.hpp"

namespace krait::jit {
namespace {

/// An operand: a node, or a constant's type and bits.
struct Operand {
  uint64_t value = 0;
  Type constant = Type::None;
  auto operator<=>(const Operand&) const = default;
};
struct Expression {
  Op op;
  Type type;
  uint8_t aux;
  uint64_t imm;
  Operand args[3];
  bool operator==(const Expression&) const = default;
};
struct ExpressionHash {
  size_t operator()(const Expression& e) const {
    uint64_t h = static_cast<uint64_t>(e.op) | static_cast<uint64_t>(e.type) << 8 | uint64_t{e.aux} << 16;
    h ^= e.imm * 0xff51afd7ed558ccdull;
    for (const Operand& a : e.args) h = (h ^ a.value ^ static_cast<uint64_t>(a.constant) << 56) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
    return h;
  }
};

bool commutes(Op op) {
  return op == Op::Add || op == Op::Mul || op == Op::MulHighU || op == Op::MulHighS || op == Op::And || op == Op::Or || op == Op::Xor ||
         op == Op::Eq || op == Op::Ne;
}

class Numbering {
 public:
  explicit Numbering(Function& f) : f_(f), dominators_(f), replacement_(f.nodes.size(), None) {}

  void run() {
    for (BlockId b : f_.order)
      for (NodeId id : f_.blocks[b].nodes) visit(id);
    if (!any_) return;
    for (BlockId b : f_.order)
      std::erase_if(f_.blocks[b].nodes, [&](NodeId id) {
        if (replacement_[id] == None) return false;
        f_[id].block = None;
        return true;
      });
    replace_uses(f_, replacement_);
    clean(f_);
  }

 private:
  [[nodiscard]] bool numbered(const Node& n) const {
    if (n.op == Op::Phi || n.op == Op::Param || n.op == Op::Result || f_.in_list(n) || n.count == 0) return false;
    const uint8_t effects = info_of(n.op).effects;  // what traps would have trapped before
    return effects == Pure || (effects == Traps && n.type != Type::None);
  }
  [[nodiscard]] bool cheap(const Node& n) const {
    if (is_compare(n.op) || n.op == Op::ExtendU || n.op == Op::Wrap) return true;
    return n.op >= Op::Add && n.op <= Op::Rotr && n.op != Op::Mul && n.count == 2 && !(info_of(n.op).effects & Traps) &&
           f_.is_const(n.args[1]);
  }
  [[nodiscard]] Operand operand(NodeId id) const {
    while (replacement_[id] != None) id = replacement_[id];
    if (f_.is_const(id)) return {f_[id].imm, f_[id].type};
    return {id, Type::None};
  }
  void visit(NodeId id) {
    const Node& n = f_[id];
    if (!numbered(n)) return;
    Expression e{n.op, n.type, n.aux, n.imm, {}};
    for (uint32_t i = 0; i < n.count; ++i) e.args[i] = operand(n.args[i]);
    if (commutes(n.op) && e.args[1] < e.args[0]) std::swap(e.args[0], e.args[1]);
    auto [it, fresh] = leaders_.try_emplace(e, id);
    if (fresh) return;
    const BlockId home = f_[it->second].block;
    if (home == n.block ? true : !cheap(n) && dominators_.dominates(home, n.block)) {
      replacement_[id] = it->second;
      any_ = true;
    } else {
      it->second = id;
    }
  }

  Function& f_;
  Dominators dominators_;
  std::vector<NodeId> replacement_;
  std::unordered_map<Expression, NodeId, ExpressionHash> leaders_;
  bool any_ = false;
};

}  // namespace

void gvn(Function& f) { Numbering(f).run(); }

}  // namespace krait::jit
