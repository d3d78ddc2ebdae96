// Division and remainder by constants: a multiplication by the reciprocal, a shift and what rounding wants.
//
// For a divisor d a reciprocal is ceil(2^e / d) for the smallest e whose error stays below what the dividend can make
// visible: reciprocal * d - 2^e <= 2^(e - bits of the dividend). Powers of two divide unsigned in opt_fold already.
#include <bit>

#include "jit/opt.hpp"

namespace krait::jit {
namespace {

using Wide = unsigned __int128;

struct Reciprocal {
  Wide factor;         // below 2^65
  uint32_t shift;      // behind the multiplication's upper half of `bits` bits
};

/// For dividends below 2^dividend_bits, in products of which the lower `bits` are dropped; 1 < d, no power of two.
Reciprocal reciprocal(uint64_t d, uint32_t bits, uint32_t dividend_bits) {
  // ceil(2^(bits + shift) / d) without leaving 128 bits: a quotient and a rest that are doubled.
  Wide q = (Wide{1} << bits) / d, r = (Wide{1} << bits) % d;
  for (uint32_t shift = 0;; ++shift) {
    const Wide error = d - r;  // of q + 1; r is not 0, as d is no power of two
    if (error <= Wide{1} << (bits + shift - dividend_bits)) return {q + 1, shift};
    q <<= 1, r <<= 1;
    if (r >= d) ++q, r -= d;
  }
}

class Divider {
 public:
  explicit Divider(Function& f) : f_(f) {}

  void run() {
    for (BlockId b : f_.order) {
      if (!has_work(b)) continue;
      const std::vector<NodeId> nodes = std::move(f_.blocks[b].nodes);
      out_ = &f_.blocks[b].nodes;
      out_->clear();
      for (NodeId id : nodes) {
        block_ = b;
        if (divides_by_constant(id)) rewrite(id);
        else out_->push_back(id);
      }
    }
    if (replacement_.empty()) return;
    replacement_.resize(f_.nodes.size(), None);
    replace_uses(f_, replacement_);
    clean(f_);
  }

 private:
  [[nodiscard]] bool divides_by_constant(NodeId id) const {
    const Node& n = f_[id];
    if (n.op < Op::DivS || n.op > Op::RemU || !f_.is_const(n.args[1]) || f_.is_const(n.args[0])) return false;
    const uint64_t d = f_[n.args[1]].imm, ones = n.type == Type::I32 ? 0xffffffff : ~uint64_t{0};
    const uint64_t sign = ones ^ ones >> 1;
    if (n.op == Op::DivU || n.op == Op::RemU) return d > 1 && !std::has_single_bit(d);
    return d > 1 && d != ones && d != sign;
  }
  [[nodiscard]] bool has_work(BlockId b) const {
    for (NodeId id : f_.blocks[b].nodes)
      if (divides_by_constant(id)) return true;
    return false;
  }

  NodeId add(Op op, Type type, NodeId a, NodeId b = None) {
    const uint32_t args[] = {a, b};
    const NodeId id = f_.make(op, type, std::span(args, b == None ? 1 : 2));
    f_[id].block = block_;
    out_->push_back(id);
    return id;
  }
  NodeId with(Op op, Type type, NodeId a, uint64_t constant) { return add(op, type, a, f_.constant(type, constant)); }
  NodeId shift(Op op, Type type, NodeId a, uint32_t by) { return by ? with(op, type, a, by) : a; }

  void rewrite(NodeId id) {
    const Node n = f_[id];
    const bool is_signed = n.op == Op::DivS || n.op == Op::RemS;
    const bool negative = is_signed && (n.type == Type::I32 ? static_cast<int32_t>(f_[n.args[1]].imm) < 0
                                                            : static_cast<int64_t>(f_[n.args[1]].imm) < 0);
    const uint64_t raw = f_[n.args[1]].imm;
    const uint64_t d = negative ? n.type == Type::I32 ? static_cast<uint32_t>(0 - raw) : 0 - raw : raw;
    NodeId q = is_signed ? signed_quotient(n.type, n.args[0], d) : unsigned_quotient(n.type, n.args[0], d);
    if (n.op == Op::RemS || n.op == Op::RemU)  // the sign of a remainder is the dividend's
      q = add(Op::Sub, n.type, n.args[0], with(Op::Mul, n.type, q, d));
    else if (negative)
      q = add(Op::Sub, n.type, f_.constant(n.type, 0), q);
    replacement_.resize(f_.nodes.size(), None);
    replacement_[id] = q;
    f_[id].block = None;
  }

  NodeId unsigned_quotient(Type type, NodeId x, uint64_t d) {
    if (type == Type::I32) {
      const NodeId wide = add(Op::ExtendU, Type::I64, x);
      const Reciprocal r = reciprocal(d, 32, 32);
      if (r.factor >> 32 == 0)
        return add(Op::Wrap, Type::I32, with(Op::ShrU, Type::I64, with(Op::Mul, Type::I64, wide, uint64_t(r.factor)), 32 + r.shift));
      return add(Op::Wrap, Type::I32, with(Op::MulHighU, Type::I64, wide, ~uint64_t{0} / d + 1));  // 2^64 is exact enough for 32 bits
    }
    const auto zeros = static_cast<uint32_t>(std::countr_zero(d));
    Reciprocal r = reciprocal(d, 64, 64);
    if (r.factor >> 64 == 0) return shift(Op::ShrU, type, with(Op::MulHighU, type, x, uint64_t(r.factor)), r.shift);
    if (zeros) {
      r = reciprocal(d >> zeros, 64, 64 - zeros);
      return shift(Op::ShrU, type, with(Op::MulHighU, type, shift(Op::ShrU, type, x, zeros), uint64_t(r.factor)), r.shift);
    }
    // The factor has 65 bits: x is added to the upper half, in two steps since the sum may carry.
    const NodeId high = with(Op::MulHighU, type, x, uint64_t(r.factor));
    const NodeId half = with(Op::ShrU, type, add(Op::Sub, type, x, high), 1);
    return shift(Op::ShrU, type, add(Op::Add, type, half, high), r.shift - 1);
  }

  NodeId signed_quotient(Type type, NodeId x, uint64_t d) {
    const uint32_t bits = type == Type::I32 ? 32 : 64;
    if (std::has_single_bit(d)) {
      const auto k = static_cast<uint32_t>(std::countr_zero(d));
      const NodeId bias = with(Op::ShrU, type, shift(Op::ShrS, type, x, bits - 1), bits - k);
      return with(Op::ShrS, type, add(Op::Add, type, x, bias), k);
    }
    const Reciprocal r = reciprocal(d, bits, bits - 1);
    NodeId q;
    if (type == Type::I32) {
      const NodeId wide = add(Op::ExtendS, Type::I64, x);
      q = add(Op::Wrap, type, with(Op::ShrS, Type::I64, with(Op::Mul, Type::I64, wide, uint64_t(r.factor)), 32 + r.shift));
    } else {
      q = with(Op::MulHighS, type, x, uint64_t(r.factor));
      if (r.factor >> 63) q = add(Op::Add, type, q, x);  // the factor was taken for negative
      q = shift(Op::ShrS, type, q, r.shift);
    }
    return add(Op::Sub, type, q, with(Op::ShrS, type, x, bits - 1));  // rounds to zero
  }

  Function& f_;
  std::vector<NodeId>* out_ = nullptr;
  BlockId block_ = 0;
  std::vector<NodeId> replacement_;
};

}  // namespace

void divide(Function& f) { Divider(f).run(); }

}  // namespace krait::jit
