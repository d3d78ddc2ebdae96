// Wasm to SSA: v128 instructions.
#include <cstring>

#include "engine/opcode_traits.hpp"
#include "jit/build_impl.hpp"

namespace krait::jit {
namespace {

MemKind lane_kind(uint32_t access_log2) {
  constexpr MemKind Kinds[] = {MemKind::I8U, MemKind::I16U, MemKind::I32U, MemKind::I64};
  return Kinds[access_log2];
}

Function::Vector bytes_at(const engine::Module& module, uint32_t offset) {
  Function::Vector v{};
  std::memcpy(&v, module.bytes().data() + offset, sizeof v);
  return v;
}

}  // namespace

/// A splat of a constant is a constant.
bool Builder::splat_of_constant(NodeId value) {
  uint64_t bits = 0;
  const uint64_t imm = f_[value].imm;
  switch (in_.op) {
    case Opcode::I8x16Splat: bits = (imm & 0xff) * 0x0101'0101'0101'0101; break;
    case Opcode::I16x8Splat: bits = (imm & 0xffff) * 0x0001'0001'0001'0001; break;
    case Opcode::I32x4Splat:
    case Opcode::F32x4Splat: bits = (imm & 0xffff'ffff) * 0x0000'0001'0000'0001; break;
    case Opcode::I64x2Splat:
    case Opcode::F64x2Splat: bits = imm; break;
    default: return false;
  }
  push(v128(bits, bits));
  return true;
}

void Builder::simd_instruction() {
  const engine::OpcodeTraits& traits = engine::traits_of(in_.op);
  VectorImm imm{in_.op, in_.lane, 0};
  if (traits.immediates == Immediates::MemArgLane) {
    const NodeId vector = pop();
    NodeId address = pop();
    const auto aux = static_cast<uint8_t>(in_.lane << 4 | static_cast<uint8_t>(lane_kind(traits.access_log2)));
    const uint64_t place = access(address, 1u << traits.access_log2);
    if (traits.result == ValType::Bottom) emit(Op::StoreLane, Type::None, {{address, vector}}, place, aux);
    else push(emit(Op::LoadLane, Type::V128, {{address, vector}}, place, aux));
    return;
  }
  if (traits.immediates == Immediates::V128 || traits.immediates == Immediates::Shuffle) {
    const auto [low, high] = bytes_at(m_, in_.list);
    if (traits.immediates == Immediates::V128) return push(v128(low, high));
    imm.vector = f_.vector(low, high);
  }
  if (traits.immediates != Immediates::Lane) imm.lane = 0;
  if (traits.operand_count == 1 && f_.is_const(stack_.back())) {
    const NodeId value = pop();
    if (splat_of_constant(value)) return;
    push(value);
  }
  const size_t count = in_.op == Opcode::I8x16Shuffle ? 2 : traits.operand_count;
  const NodeId node = emit(Op::Vector, type_of(traits.result), top(count), imm.bits());
  drop(count);
  push(node);
}

}  // namespace krait::jit
