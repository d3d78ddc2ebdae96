// memory.copy and memory.fill of small constant sizes as loads and stores.
//
// Invariants.
//  1. All of the source is read before anything is written, so that the two may overlap.
//  2. The store of the highest bytes comes first: an access beyond the end faults at its end, before anything is written,
//     and one that does not leaves no other to fault.
#include "jit/opt.hpp"

namespace krait::jit {
namespace {

constexpr uint64_t MaxBytes = 32;

struct Piece {
  uint64_t offset;
  MemKind kind;
};

/// Covers [0, length) from the end down, in as few pieces as may be; the last ones may overlap.
std::vector<Piece> pieces_of(uint64_t length) {
  std::vector<Piece> out;
  uint64_t end = length;
  for (const auto& [bytes, kind] : {std::pair{8u, MemKind::I64}, {4u, MemKind::I32U}, {2u, MemKind::I16U}, {1u, MemKind::I8U}}) {
    while (end >= bytes) out.push_back({end -= bytes, kind});
    // What is left below lies within a piece that overlaps its neighbour.
    if (end && length >= bytes) {
      out.push_back({0, kind});
      end = 0;
    }
  }
  return out;
}

Type type_of_piece(MemKind kind) { return kind == MemKind::I64 ? Type::I64 : Type::I32; }

class BulkPass {
 public:
  explicit BulkPass(Function& f) : f_(f) {}
  void run() {
    for (BlockId b : f_.order) {
      invoked_ = invoked_call(f_, b);
      bool any = false;
      for (NodeId id : f_.blocks[b].nodes) any |= small(id);
      if (!any) continue;
      const std::vector<NodeId> nodes = std::move(f_.blocks[b].nodes);
      f_.blocks[b].nodes.clear();
      block_ = b;
      for (NodeId id : nodes) {
        if (!small(id)) f_.blocks[b].nodes.push_back(id);
        else if (static_cast<Builtin>(f_[id].aux) == Builtin::MemoryCopy) copy(id);
        else fill(id);
      }
    }
  }

 private:
  [[nodiscard]] bool small(NodeId id) const {
    const Node& n = f_[id];
    if (n.op != Op::CallBuiltin || id == invoked_) return false;
    const auto builtin = static_cast<Builtin>(n.aux);
    const auto args = f_.args(id);
    const size_t memories = builtin == Builtin::MemoryCopy ? 2 : builtin == Builtin::MemoryFill ? 1 : 0;
    if (memories == 0) return false;
    if (memories == 1 && !f_.is_const(args[2])) return false;
    const NodeId length = args[memories + 2];
    return f_.is_const(length) && f_[length].imm > 0 && f_[length].imm <= MaxBytes;
  }
  NodeId add(NodeId like, Op op, Type type, std::initializer_list<uint32_t> args, uint64_t imm, MemKind kind) {
    const NodeId id = f_.make(op, type, args, imm, static_cast<uint8_t>(kind));
    f_[id].block = block_;
    f_[id].wasm_pc = f_[like].wasm_pc;
    f_.blocks[block_].nodes.push_back(id);
    return id;
  }
  void copy(NodeId id) {
    const std::vector<uint32_t> args(f_.args(id).begin(), f_.args(id).end());  // memories, to, from, length
    const std::vector<Piece> pieces = pieces_of(f_[args[4]].imm);
    std::vector<NodeId> values;
    for (const Piece& p : pieces)
      values.push_back(add(id, Op::Load, type_of_piece(p.kind), {args[3]}, p.offset | f_[args[1]].imm << MemoryShift, p.kind));
    for (size_t i = 0; i < pieces.size(); ++i)
      add(id, Op::Store, Type::None, {args[2], values[i]}, pieces[i].offset | f_[args[0]].imm << MemoryShift, pieces[i].kind);
    f_[id].block = None;
  }
  void fill(NodeId id) {
    const std::vector<uint32_t> args(f_.args(id).begin(), f_.args(id).end());  // memory, to, value, length
    const uint64_t byte = f_[args[2]].imm & 0xff;
    for (const Piece& p : pieces_of(f_[args[3]].imm)) {
      const Type type = type_of_piece(p.kind);
      const uint32_t bits = 8 * bytes_of(p.kind);
      const uint64_t value = byte * 0x0101010101010101 & (bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1);
      add(id, Op::Store, Type::None, {args[1], f_.constant(type, value)}, p.offset | f_[args[0]].imm << MemoryShift, p.kind);
    }
    f_[id].block = None;
  }

  Function& f_;
  BlockId block_ = 0;
  NodeId invoked_ = None;
};

}  // namespace

void bulk(Function& f) { BulkPass(f).run(); }

}  // namespace krait::jit
