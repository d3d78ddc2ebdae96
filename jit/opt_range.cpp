// Ranges: comparisons that they decide, masks that change nothing, jump tables whose default is never taken.
#include "jit/range.hpp"

#include <algorithm>
#include <bit>

#include "jit/opt.hpp"

namespace krait::jit {
namespace {

uint64_t any_of(Type type) { return type == Type::I32 ? 0xffffffff : ~uint64_t{0}; }

uint64_t bound_of_load(const Node& n) {
  switch (static_cast<MemKind>(n.aux)) {
    case MemKind::I8U: return 0xff;
    case MemKind::I16U: return 0xffff;
    case MemKind::I32U: return 0xffffffff;
    default: return any_of(n.type);
  }
}

/// 1 or 0 where `x op c` is that for all x up to `bound`, or -1.
int decide(Op op, uint64_t bound, uint64_t c, Type type) {
  const uint64_t sign = (any_of(type) >> 1) + 1;
  if (op == Op::LtS || op == Op::LeS || op == Op::GtS || op == Op::GeS) {
    if (bound >= sign) return -1;
    if (c >= sign) return op == Op::GtS || op == Op::GeS;  // no x is negative, c is
  }
  switch (op) {
    case Op::Eq: return bound < c ? 0 : -1;
    case Op::Ne: return bound < c ? 1 : -1;
    case Op::LtU: case Op::LtS: return bound < c ? 1 : -1;
    case Op::GeU: case Op::GeS: return bound < c ? 0 : -1;
    case Op::LeU: case Op::LeS: return bound <= c ? 1 : -1;
    case Op::GtU: case Op::GtS: return bound <= c ? 0 : -1;
    default: return -1;
  }
}

}  // namespace

uint64_t upper_bound(const Function& f, NodeId id, int depth) {
  const Node& n = f[id];
  if (n.op == Op::Const) return n.imm;
  if (is_compare(n.op)) return 1;
  if (n.op == Op::Load) return bound_of_load(n);
  const uint64_t any = any_of(n.type);
  if (depth == 0 || n.count == 0 || (n.type != Type::I32 && n.type != Type::I64)) return any;
  auto bound = [&](size_t i) { return upper_bound(f, f.args(id)[i], depth - 1); };
  auto by = [&] { return static_cast<uint32_t>(f[n.args[1]].imm & (n.type == Type::I32 ? 31 : 63)); };
  switch (n.op) {
    case Op::ExtendU: return bound(0);
    case Op::Wrap: {
      const uint64_t from = bound(0);
      return from > any ? any : from;
    }
    case Op::Clz: case Op::Ctz: case Op::Popcnt: return 64;
    case Op::And: return std::min(bound(0), bound(1));
    case Op::Or: case Op::Xor: {
      const auto bits = static_cast<uint32_t>(std::bit_width(bound(0) | bound(1)));
      return bits == 64 ? any : (uint64_t{1} << bits) - 1;
    }
    case Op::ShrU: return f.is_const(n.args[1]) ? bound(0) >> by() : bound(0);
    case Op::Shl: {
      if (!f.is_const(n.args[1])) return any;
      const uint64_t from = bound(0);
      return from > any >> by() ? any : from << by();
    }
    case Op::Add: {
      const uint64_t a = bound(0), b = bound(1);
      return a > any - b ? any : a + b;
    }
    case Op::RemU: return f.is_const(n.args[1]) && f[n.args[1]].imm ? f[n.args[1]].imm - 1 : any;
    case Op::Select: return std::max(bound(1), bound(2));
    case Op::Phi: {
      uint64_t most = 0;
      for (size_t i = 0; i < n.count && most < any; ++i) most = std::max(most, upper_bound(f, f.args(id)[i], std::min(depth - 1, 1)));
      return most;
    }
    default: return any;
  }
}

void range(Function& f) {
  std::vector<NodeId> replacement(f.nodes.size(), None);
  bool any = false;
  auto replace = [&](NodeId id, NodeId value) {
    replacement.resize(f.nodes.size(), None);
    replacement[id] = value;
    f[id].block = None;
    any = true;
  };
  for (BlockId b : f.order)
    for (NodeId id : f.blocks[b].nodes) {
      const Node n = f[id];
      if (n.op == Op::Switch) {
        f[id].aux = upper_bound(f, n.args[0]) + 1 < static_cast<uint32_t>(n.imm);
      } else if ((is_int_compare(n.op) || n.op == Op::And) && f.is_const(n.args[1]) && !f.is_const(n.args[0])) {
        const uint64_t bound = upper_bound(f, n.args[0]), c = f[n.args[1]].imm;
        if (n.op == Op::And) {
          const auto bits = static_cast<uint32_t>(std::bit_width(bound));
          const uint64_t all = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
          if ((c & all) == all) replace(id, n.args[0]);
        } else if (const int value = decide(n.op, bound, c, f[n.args[0]].type); value >= 0) {
          replace(id, f.constant(Type::I32, static_cast<uint64_t>(value)));
        }
      }
    }
  if (!any) return;
  for (BlockId b : f.order)
    std::erase_if(f.blocks[b].nodes, [&](NodeId id) { return id < replacement.size() && replacement[id] != None; });
  replacement.resize(f.nodes.size(), None);
  replace_uses(f, replacement);
  clean(f);
}

}  // namespace krait::jit
