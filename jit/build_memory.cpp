// Wasm to SSA: where accesses go that the guard pages alone do not check, and atomics.
#include "engine/memory.hpp"
#include "engine/opcode_traits.hpp"
#include "jit/build_impl.hpp"

namespace krait::jit {
namespace {

constexpr uint64_t MaxGuarded = engine::GuardBytes - 16;

MemKind kind_of(uint32_t access_log2) {
  constexpr MemKind Kinds[] = {MemKind::I8U, MemKind::I16U, MemKind::I32U, MemKind::I64};
  return Kinds[access_log2];
}

}  // namespace

/// The address and offset of the instruction in one, checked.
NodeId Builder::check(Builtin id, NodeId address, uint32_t bytes) {
  return emit(Op::CallBuiltin, Type::I32, {{i32(in_.index), address, i32(static_cast<uint32_t>(in_.value)), i32(bytes)}}, 0,
              static_cast<uint8_t>(id));
}

/// Node::imm of an access. The code for memory 0 checks large offsets itself, by the size that the Context holds; for a shared
/// memory that may be old, for other memories it is not there: those go through a builtin.
uint64_t Builder::access(NodeId& address, uint32_t bytes) {
  uint64_t offset = in_.value;
  if (offset >= MaxGuarded && (in_.index != 0 || m_.memories[0].limits.shared)) {
    address = check(Builtin::MemoryCheck, address, bytes);
    offset = 0;
  }
  return offset | uint64_t{in_.index} << MemoryShift;
}

void Builder::atomic_instruction() {
  const engine::OpcodeTraits& traits = engine::traits_of(in_.op);
  const uint32_t bytes = 1u << traits.access_log2;
  if (in_.op == Opcode::AtomicFence) {
    emit(Op::AtomicFence, Type::None);
    return;
  }
  NodeId operands[3] = {};
  for (uint32_t i = traits.operand_count; i-- > 0;) operands[i] = pop();
  NodeId& address = operands[0];
  const bool waits = in_.op == Opcode::MemoryAtomicWait32 || in_.op == Opcode::MemoryAtomicWait64;
  if (waits || in_.op == Opcode::MemoryAtomicNotify) {
    const Builtin id = !waits                                    ? Builtin::AtomicNotify
                       : in_.op == Opcode::MemoryAtomicWait32 ? Builtin::AtomicWait32
                                                              : Builtin::AtomicWait64;
    address = check(Builtin::AtomicCheck, address, bytes);
    std::vector<uint32_t> args = {i32(in_.index)};
    args.insert(args.end(), operands, operands + traits.operand_count);
    return push(emit(Op::CallBuiltin, Type::I32, args, 0, static_cast<uint8_t>(id)));
  }
  uint64_t place = in_.value | uint64_t{in_.index} << MemoryShift;
  if (in_.value >= MaxGuarded) {
    address = check(Builtin::AtomicCheck, address, bytes);
    place = uint64_t{in_.index} << MemoryShift;
  }
  // ORDER: opcodes.def lists for each operation i32, i64, i32.8, i32.16, i64.8, i64.16, i64.32.
  const auto number = (static_cast<uint32_t>(in_.op) - static_cast<uint32_t>(Opcode::I32AtomicLoad)) / 7;
  const Type type = type_of(traits.result);
  auto aux = static_cast<uint8_t>(kind_of(traits.access_log2));
  const std::span<const uint32_t> args(operands, traits.operand_count);
  switch (number) {
    case 0: return push(emit(Op::AtomicLoad, type, args, place, aux));
    case 1: emit(Op::AtomicStore, Type::None, args, place, aux); return;
    case 8: return push(emit(Op::AtomicCmpxchg, type, args, place, aux));
    default: break;
  }
  constexpr AtomicOp Ops[] = {AtomicOp::Add, AtomicOp::Sub, AtomicOp::And, AtomicOp::Or, AtomicOp::Xor, AtomicOp::Exchange};
  aux = static_cast<uint8_t>(aux | static_cast<uint8_t>(Ops[number - 2]) << 4);
  push(emit(Op::AtomicRmw, type, args, place, aux));
}

}  // namespace krait::jit
