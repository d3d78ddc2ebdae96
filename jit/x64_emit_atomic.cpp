// The emitter: atomics. x86 orders all but a store before a load by itself; that takes a fence or a locked instruction.
#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

using engine::TrapKind;
using Id = x86::Inst::Id;

namespace {
x86::Gp sized(uint32_t bytes, PReg r) { return bytes == 1 ? r8(r) : bytes == 2 ? r16(r) : bytes == 4 ? r32(r) : r64(r); }
}  // namespace

void Emitter::extend_low(PReg r, uint32_t bytes) {
  if (bytes == 1) a_.movzx(r32(r), r8(r));
  if (bytes == 2) a_.movzx(r32(r), r16(r));
}

/// The operand, behind a check of its alignment.
x86::Mem Emitter::aligned_address(const Inst& inst) {
  const uint32_t bytes = bytes_of(inst.kind);
  const PReg index = reg_of(inst.index);
  if (bytes > 1) {
    if (inst.disp % bytes == 0) {
      a_.test(r8(index), bytes - 1);
    } else {
      a_.lea(r32(Scratch), x86::Mem(r64(index), static_cast<int32_t>(inst.disp % bytes), 4));
      a_.test(r8(Scratch), bytes - 1);
    }
    a_.jne(trap(TrapKind::UnalignedAtomic, inst.wasm_pc));
  }
  return address(inst);
}

/// rax = the old value, rcx = the new one, until nobody came between.
void Emitter::emit_atomic_loop(const Inst& inst, const x86::Mem& m, uint32_t bytes) {
  const auto op = static_cast<AtomicOp>(inst.aux >> 4);
  const Label again = a_.newLabel();
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  a_.mov(sized(bytes, Rax), m);
  a_.bind(again);
  a_.mov(r64(Rcx), r64(Rax));
  a_.emit(op == AtomicOp::And ? Id::kIdAnd : op == AtomicOp::Or ? Id::kIdOr : Id::kIdXor, r64(Rcx), r64(reg_of(inst.b)));
  a_.lock().cmpxchg(m, sized(bytes, Rcx), sized(bytes, Rax));
  a_.jne(again);
}

/// An expected value that the cell cannot hold matches nothing.
void Emitter::emit_cmpxchg(const Inst& inst, const x86::Mem& m, uint32_t bytes) {
  const Label load = a_.newLabel(), done = a_.newLabel();
  move_in(Rax, inst.a, inst.type);
  const bool narrow = bytes < bytes_of(inst.type);
  if (narrow) {
    if (bytes == 4) a_.mov(r32(Rcx), r32(Rax));
    else a_.movzx(r32(Rcx), sized(bytes, Rax));
    a_.cmp(r64(Rcx), r64(Rax));
    a_.jne(load);
  }
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  a_.lock().cmpxchg(m, sized(bytes, reg_of(inst.b)), sized(bytes, Rax));
  if (!narrow) return;
  a_.jmp(done);
  a_.bind(load);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  a_.mov(sized(bytes, Rax), m);
  a_.bind(done);
}

void Emitter::emit_atomic(const Inst& inst) {
  const uint32_t bytes = bytes_of(inst.kind);
  const x86::Mem m = aligned_address(inst);
  const PReg d = reg_of(inst.def);
  const auto op = static_cast<AtomicOp>(inst.aux >> 4);
  switch (inst.op) {
    case Op::AtomicLoad:
      trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
      if (bytes < 4) a_.movzx(r32(d), m);
      else a_.mov(sized(bytes, d), m);
      return;
    case Op::AtomicStore:
      trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
      a_.mov(m, sized(bytes, reg_of(inst.b)));
      a_.lock().or_(x86::Mem(x86::rsp, 0, 4), 0);
      return;
    case Op::AtomicCmpxchg: emit_cmpxchg(inst, m, bytes); break;
    default:
      if (inst.clobbers) {
        emit_atomic_loop(inst, m, bytes);
        break;
      }
      move_in(d, inst.a, inst.type);
      if (op == AtomicOp::Sub) a_.neg(r64(d));
      trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
      if (op == AtomicOp::Exchange) a_.xchg(m, sized(bytes, d));
      else a_.lock().xadd(m, sized(bytes, d));
      return extend_low(d, bytes);
  }
  extend_low(Rax, bytes);
  if (bytes == 4) a_.mov(r32(d), r32(Rax));
  else if (d != Rax) a_.mov(r64(d), r64(Rax));
}

}  // namespace krait::jit
