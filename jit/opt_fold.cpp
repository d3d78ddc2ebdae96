// Folding. Nodes are changed in place, or replaced by another value; an operand is always seen before its user, loops' phis
// apart, so one pass in block order reaches what a fixpoint would, nearly.
#include <algorithm>
#include <bit>

#include "jit/opt.hpp"

namespace krait::jit {
namespace {

uint64_t mask_of(Type t) { return t == Type::I32 ? 0xffffffff : ~uint64_t{0}; }
int64_t as_signed(uint64_t v, Type t) { return t == Type::I32 ? static_cast<int32_t>(v) : static_cast<int64_t>(v); }
bool is_int(Type t) { return t == Type::I32 || t == Type::I64; }
bool commutes(Op op) { return op == Op::Add || op == Op::Mul || op == Op::And || op == Op::Or || op == Op::Xor; }
Op invert_compare(Op op) {
  constexpr Op Of[] = {Op::Ne, Op::Eq, Op::GeS, Op::GeU, Op::LeS, Op::LeU, Op::GtS, Op::GtU, Op::LtS, Op::LtU};
  return Of[static_cast<size_t>(op) - static_cast<size_t>(Op::Eq)];
}
Op swap_compare(Op op) {
  constexpr Op Of[] = {Op::Eq, Op::Ne, Op::GtS, Op::GtU, Op::LtS, Op::LtU, Op::GeS, Op::GeU, Op::LeS, Op::LeU};
  return Of[static_cast<size_t>(op) - static_cast<size_t>(Op::Eq)];
}

/// The value of an integer operation on constants; false where it traps or is none.
bool evaluate(Op op, Type t, uint64_t a, uint64_t b, uint64_t& out) {
  const uint32_t bits = t == Type::I32 ? 32 : 64;
  const auto by = static_cast<uint32_t>(b & (bits - 1));
  const int64_t sa = as_signed(a, t), sb = as_signed(b, t);
  switch (op) {
    case Op::Add: out = a + b; break;
    case Op::Sub: out = a - b; break;
    case Op::Mul: out = a * b; break;
    case Op::And: out = a & b; break;
    case Op::Or: out = a | b; break;
    case Op::Xor: out = a ^ b; break;
    case Op::Shl: out = a << by; break;
    case Op::ShrU: out = a >> by; break;
    case Op::ShrS: out = static_cast<uint64_t>(sa >> by); break;
    case Op::Rotl: out = bits == 32 ? std::rotl(static_cast<uint32_t>(a), static_cast<int>(by)) : std::rotl(a, static_cast<int>(by)); break;
    case Op::Rotr: out = bits == 32 ? std::rotr(static_cast<uint32_t>(a), static_cast<int>(by)) : std::rotr(a, static_cast<int>(by)); break;
    case Op::DivU: if (b == 0) return false; out = a / b; break;
    case Op::RemU: if (b == 0) return false; out = a % b; break;
    case Op::Eq: out = a == b; break;
    case Op::Ne: out = a != b; break;
    case Op::LtS: out = sa < sb; break;
    case Op::LtU: out = a < b; break;
    case Op::GtS: out = sa > sb; break;
    case Op::GtU: out = a > b; break;
    case Op::LeS: out = sa <= sb; break;
    case Op::LeU: out = a <= b; break;
    case Op::GeS: out = sa >= sb; break;
    case Op::GeU: out = a >= b; break;
    default: return false;
  }
  return true;
}

class Folder {
 public:
  explicit Folder(Function& f) : f_(f), replacement_(f.nodes.size(), None) {}

  void run() {
    for (BlockId b : f_.order)
      for (NodeId id : f_.blocks[b].nodes) {
        for (uint32_t& arg : f_.args(id)) arg = find(arg);
        const NodeId value = simplify(id);
        if (value != id) set(id, value);
      }
    for (BlockId b : f_.order) {
      std::erase_if(f_.blocks[b].nodes, [&](NodeId id) { return id < replacement_.size() && replacement_[id] != None; });
      for (NodeId id : f_.blocks[b].nodes)
        for (uint32_t& arg : f_.args(id)) arg = find(arg);
    }
    decide_branches();
    analyse(f_);
    clean(f_);
  }

 private:
  NodeId find(NodeId id) const {
    while (id < replacement_.size() && replacement_[id] != None) id = replacement_[id];
    return id;
  }
  void set(NodeId id, NodeId value) {
    replacement_.resize(f_.nodes.size(), None);
    replacement_[id] = value;
  }
  NodeId change(NodeId id, Op op, NodeId a, NodeId b) {
    Node& n = f_[id];
    n.op = op;
    n.args[0] = a;
    n.args[1] = b;
    n.count = b == None ? 1 : 2;
    return id;
  }
  [[nodiscard]] bool constant(NodeId id, uint64_t& value) const {
    if (!f_.is_const(id)) return false;
    value = f_[id].imm;
    return true;
  }
  NodeId simplify(NodeId id);
  NodeId simplify_unary(NodeId id);
  NodeId simplify_binary(NodeId id);
  NodeId with_constant(NodeId id, uint64_t c);
  NodeId simplify_compare(NodeId id);
  void decide_branches();
  void remove_edge(BlockId from, BlockId to);

  Function& f_;
  std::vector<NodeId> replacement_;
};

NodeId Folder::simplify_unary(NodeId id) {
  const Node n = f_[id];
  uint64_t c = 0;
  if (constant(n.args[0], c)) {
    switch (n.op) {
      case Op::Wrap: return f_.constant(Type::I32, c);
      case Op::ExtendU: return f_.constant(Type::I64, c);
      case Op::ExtendS: return f_.constant(Type::I64, static_cast<uint64_t>(as_signed(c, Type::I32)));
      case Op::Extend8S: return f_.constant(n.type, static_cast<uint64_t>(int64_t{static_cast<int8_t>(c)}));
      case Op::Extend16S: return f_.constant(n.type, static_cast<uint64_t>(int64_t{static_cast<int16_t>(c)}));
      case Op::Extend32S: return f_.constant(n.type, static_cast<uint64_t>(int64_t{static_cast<int32_t>(c)}));
      case Op::Reinterpret: return f_.constant(n.type, c);
      default: return id;
    }
  }
  const Node& a = f_[n.args[0]];
  if (n.op == Op::Wrap && (a.op == Op::ExtendU || a.op == Op::ExtendS)) return a.args[0];
  return id;
}

NodeId Folder::simplify_compare(NodeId id) {
  if (!is_int(f_[f_[id].args[0]].type)) return id;
  uint64_t c = 0;
  if (Node& n = f_[id]; f_.is_const(n.args[0]) && !f_.is_const(n.args[1])) {
    std::swap(n.args[0], n.args[1]);
    n.op = swap_compare(n.op);
  }
  const Node n = f_[id];  // constants are nodes too: references do not last
  if (!constant(n.args[1], c)) return id;
  const Node a = f_[n.args[0]];
  if (c == 0 && (n.op == Op::Eq || n.op == Op::Ne) && is_compare(a.op)) {
    if (n.op == Op::Ne) return n.args[0];
    if (is_int_compare(a.op)) return change(id, invert_compare(a.op), a.args[0], a.args[1]);
    if (a.op == Op::FEq || a.op == Op::FNe) return change(id, a.op == Op::FEq ? Op::FNe : Op::FEq, a.args[0], a.args[1]);
  }
  if (c == 0 && n.op == Op::GtU) return change(id, Op::Ne, n.args[0], n.args[1]);
  if (c == 0 && n.op == Op::LeU) return change(id, Op::Eq, n.args[0], n.args[1]);
  if (c == 1 && (n.op == Op::LtU || n.op == Op::GeU))
    return change(id, n.op == Op::LtU ? Op::Eq : Op::Ne, n.args[0], f_.constant(f_[n.args[0]].type, 0));
  return id;
}

/// The right operand is the constant c.
NodeId Folder::with_constant(NodeId id, uint64_t c) {
  const Node n = f_[id];
  const NodeId x = n.args[0];
  const Node a = f_[x];
  const Type t = n.type;
  uint64_t inner = 0;
  const bool nested = a.op == n.op && a.count == 2 && constant(a.args[1], inner);
  switch (n.op) {
    case Op::Sub: return c == 0 ? x : change(id, Op::Add, x, f_.constant(t, 0 - c));
    case Op::Add:
      if (c == 0) return x;
      if (nested) {
        const NodeId sum = f_.constant(t, inner + c);
        return f_[sum].imm == 0 ? a.args[0] : change(id, Op::Add, a.args[0], sum);
      }
      return id;
    case Op::Or:
    case Op::Xor: return c == 0 ? x : id;
    case Op::Shl:
    case Op::ShrU:
    case Op::ShrS:
    case Op::Rotl:
    case Op::Rotr: {
      const uint64_t by = c & (t == Type::I32 ? 31 : 63);
      if (by == 0) return x;
      const uint32_t bits = t == Type::I32 ? 32 : 64;
      uint64_t left = 0;
      if (n.op == Op::ShrS && a.op == Op::Shl && constant(a.args[1], left) && (left & (bits - 1)) == by) {
        if (bits - by == 8) return change(id, Op::Extend8S, a.args[0], None);
        if (bits - by == 16) return change(id, Op::Extend16S, a.args[0], None);
        if (bits - by == 32) return change(id, Op::Extend32S, a.args[0], None);
      }
      return id;
    }
    case Op::And:
      if (c == mask_of(t)) return x;
      if (c == 0) return f_.constant(t, 0);
      if (nested) return change(id, Op::And, a.args[0], f_.constant(t, inner & c));
      if (a.op == Op::Load && static_cast<MemKind>(a.aux) == MemKind::I8U && (c & 0xff) == 0xff) return x;
      if (a.op == Op::Load && static_cast<MemKind>(a.aux) == MemKind::I16U && (c & 0xffff) == 0xffff) return x;
      return id;
    case Op::Mul:
      if (c == 0) return f_.constant(t, 0);
      if (c == 1) return x;
      if (std::has_single_bit(c)) return change(id, Op::Shl, x, f_.constant(t, static_cast<uint64_t>(std::countr_zero(c))));
      return id;
    case Op::DivU:
      if (std::has_single_bit(c)) return c == 1 ? x : change(id, Op::ShrU, x, f_.constant(t, static_cast<uint64_t>(std::countr_zero(c))));
      return id;
    case Op::RemU: return std::has_single_bit(c) ? change(id, Op::And, x, f_.constant(t, c - 1)) : id;
    default: return id;
  }
}

NodeId Folder::simplify_binary(NodeId id) {
  const Node n = f_[id];
  const Type operand_type = f_[n.args[0]].type;
  if (!is_int(operand_type)) return id;
  uint64_t a = 0, b = 0;
  const bool ca = constant(n.args[0], a), cb = constant(n.args[1], b);
  if (ca && cb) {
    uint64_t value = 0;
    return evaluate(n.op, operand_type, a, b, value) ? f_.constant(n.type, value) : id;
  }
  if (is_compare(n.op)) return simplify_compare(id);
  if (ca && commutes(n.op)) {
    std::swap(f_[id].args[0], f_[id].args[1]);
    return with_constant(id, a);
  }
  if (cb) return with_constant(id, b);
  if (n.args[0] == n.args[1]) {
    if (n.op == Op::Sub || n.op == Op::Xor) return f_.constant(n.type, 0);
    if (n.op == Op::And || n.op == Op::Or) return n.args[0];
  }
  return id;
}

NodeId Folder::simplify(NodeId id) {
  const Node n = f_[id];
  if (f_.in_list(n)) return id;
  if (n.op == Op::Select) {
    uint64_t c = 0;
    if (constant(n.args[0], c)) return c ? n.args[1] : n.args[2];
    if (n.args[1] == n.args[2]) return n.args[1];
    return id;
  }
  const uint8_t effects = info_of(n.op).effects;
  if (effects & (Writes | Calls | Terminator) || n.op == Op::Load) return id;
  if (n.count == 1) return simplify_unary(id);
  if (n.count == 2 && n.op >= Op::Add && n.op <= Op::GeU) return simplify_binary(id);
  return id;
}

void Folder::remove_edge(BlockId from, BlockId to) {
  std::erase(f_.blocks[from].succs, to);
  Block& block = f_.blocks[to];
  const auto at = static_cast<size_t>(std::find(block.preds.begin(), block.preds.end(), from) - block.preds.begin());
  block.preds.erase(block.preds.begin() + static_cast<ptrdiff_t>(at));
  for (NodeId id : block.nodes) {
    if (f_[id].op != Op::Phi) break;
    auto args = f_.args(id);
    std::copy(args.begin() + static_cast<ptrdiff_t>(at) + 1, args.end(), args.begin() + static_cast<ptrdiff_t>(at));
    --f_[id].count;
  }
}

void Folder::decide_branches() {
  for (BlockId b : f_.order) {
    const NodeId end = f_.terminator(b);
    uint64_t c = 0;
    if (f_[end].op != Op::Branch || !constant(f_[end].args[0], c)) continue;
    remove_edge(b, f_.blocks[b].succs[c ? 1 : 0]);
    f_[end].op = Op::Jump;
    f_[end].count = 0;
  }
}

}  // namespace

void fold(Function& f) { Folder(f).run(); }

}  // namespace krait::jit
