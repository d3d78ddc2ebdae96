// The emitter: v128 by the forms of simd.def. Where the CPU has AVX, three-operand instructions save the moves. Loads and
// stores are of any alignment; SSE's memory operands are slots of the frame and constants, which lie at multiples of 16.
#include <array>

#include "jit/simd.hpp"
#include "jit/x64_emit_pair.hpp"

namespace krait::jit {

using engine::Opcode;
using engine::TrapKind;
using Id = x86::Inst::Id;

namespace {
struct Row {
  uint32_t sse = 0, vex = 0, imm = 0;
};
constexpr auto Rows = [] {
  std::array<Row, engine::OpcodeCount> rows{};
#define SIMD(name, form, sse, vex, immediate) \
  rows[static_cast<size_t>(Opcode::name)] = {x86::Inst::kId##sse, x86::Inst::kId##vex, immediate};
#include "jit/simd.def"
#undef SIMD
  return rows;
}();
}  // namespace

/// d = op(a, b). Without AVX b may be d only where a is, too.
void Emitter::two(const Pair& op, PReg d, PReg a, const asmjit::Operand& b) {
  if (cpu_.avx) {
    a_.emit(op.vex, xmm(d), xmm(a), b);
    return;
  }
  move_vector(d, a);
  a_.emit(op.sse, xmm(d), b);
}

void Emitter::two(const Pair& op, PReg d, PReg a, const asmjit::Operand& b, uint32_t imm) {
  if (cpu_.avx) {
    a_.emit(op.vex, xmm(d), xmm(a), b, asmjit::imm(imm));
    return;
  }
  move_vector(d, a);
  a_.emit(op.sse, xmm(d), b, asmjit::imm(imm));
}

void Emitter::one(const Pair& op, PReg d, const asmjit::Operand& b) { a_.emit(cpu_.avx ? op.vex : op.sse, xmm(d), b); }
void Emitter::one(const Pair& op, PReg d, const asmjit::Operand& b, uint32_t imm) {
  a_.emit(cpu_.avx ? op.vex : op.sse, xmm(d), b, asmjit::imm(imm));
}

void Emitter::move_vector(PReg d, PReg a) {
  if (d != a) a_.movaps(xmm(d), xmm(a));
}

void Emitter::zero_vector(PReg d) { two(PAIR(Pxor, Vpxor), d, d, xmm(d)); }

void Emitter::load_vector(PReg d, uint64_t index) {
  const auto [low, high] = f_.ir->vectors[index];
  if (low == 0 && high == 0) return zero_vector(d);
  if (~low == 0 && ~high == 0) return two(PAIR(Pcmpeqd, Vpcmpeqd), d, d, xmm(d));
  a_.movaps(xmm(d), constant(low, high, 16));
}

void Emitter::invert_vector(PReg d) {
  two(PAIR(Pcmpeqd, Vpcmpeqd), FloatScratch, FloatScratch, xmm(FloatScratch));
  two(PAIR(Pxor, Vpxor), d, d, xmm(FloatScratch));
}

/// As the right operand of an instruction. An argument on the stack may lie unaligned.
asmjit::Operand Emitter::vector_operand(const Operand& o) {
  if (o.kind == Operand::Imm) {
    const auto [low, high] = f_.ir->vectors[o.imm];
    return constant(low, high, 16);
  }
  if (o.loc.is_reg()) return xmm(reg_of(o));
  if (cpu_.avx || o.loc.kind == Loc::Slot) return memory(o.loc, 16);
  a_.movups(xmm(FloatScratch), memory(o.loc, 16));
  return xmm(FloatScratch);
}

void Emitter::emit_binary(const Inst& inst, const Pair& op, uint32_t imm, bool with_imm) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  asmjit::Operand b;
  if (inst.form == Form::Load) {  // with AVX only
    b = address(inst);
    trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  } else {
    b = vector_operand(inst.b);
  }
  if (with_imm) two(op, d, a, b, imm);
  else two(op, d, a, b);
}

void Emitter::emit_all_true(const Inst& inst, const Pair& op) {
  const PReg d = reg_of(inst.def);
  zero_vector(FloatScratch);
  two(op, FloatScratch, FloatScratch, xmm(reg_of(inst.a)));
  one(PAIR(Ptest, Vptest), FloatScratch, xmm(FloatScratch));
  a_.sete(r8(d));
  a_.movzx(r32(d), r8(d));
}

void Emitter::emit_multiply(const Inst& inst, const Pair& op, uint32_t imm, bool high) {
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  auto extend = [&](PReg to, PReg from) {
    if (high) one(PAIR(Pshufd, Vpshufd), to, xmm(from), UpperHalf), from = to;
    one(op, to, xmm(from));
  };
  extend(FloatScratch, a);
  extend(d, b);
  two(imm == 0 ? PAIR(Pmullw, Vpmullw) : PAIR(Pmulld, Vpmulld), d, d, xmm(FloatScratch));
}

void Emitter::emit_extract(const Inst& inst, const Pair& op) {
  const VectorImm imm = VectorImm::of(inst.imm);
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  if (is_float(inst.type)) {
    if (imm.lane == 0) return move_vector(d, a);
    return one(op, d, xmm(a), inst.type == Type::F64 ? UpperHalf : imm.lane);
  }
  if (imm.lane == 0 && inst.type == Type::I64) return (void)a_.emit(cpu_.avx ? Id::kIdVmovq : Id::kIdMovq, r64(d), xmm(a));
  if (imm.lane == 0 && imm.opcode == Opcode::I32x4ExtractLane)
    return (void)a_.emit(cpu_.avx ? Id::kIdVmovd : Id::kIdMovd, r32(d), xmm(a));
  a_.emit(cpu_.avx ? op.vex : op.sse, gp(inst.type, d), xmm(a), asmjit::imm(imm.lane));
  if (imm.opcode == Opcode::I8x16ExtractLaneS) a_.movsx(r32(d), r8(d));
  if (imm.opcode == Opcode::I16x8ExtractLaneS) a_.movsx(r32(d), r16(d));
}

void Emitter::emit_replace(const Inst& inst, const Pair& op) {
  const VectorImm imm = VectorImm::of(inst.imm);
  const PReg d = reg_of(inst.def), a = reg_of(inst.a), b = reg_of(inst.b);
  switch (imm.opcode) {
    case Opcode::F32x4ReplaceLane: return two(op, d, a, xmm(b), uint32_t{imm.lane} << 4);
    case Opcode::F64x2ReplaceLane:
      return two(imm.lane == 0 ? PAIR(Movsd, Vmovsd) : PAIR(Movlhps, Vmovlhps), d, a, xmm(b));
    case Opcode::I64x2ReplaceLane: return two(op, d, a, r64(b), imm.lane);
    default: return two(op, d, a, r32(b), imm.lane);
  }
}

void Emitter::emit_splat(const Inst& inst) {
  const Opcode opcode = VectorImm::of(inst.imm).opcode;
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  if (opcode == Opcode::F32x4Splat) return one(PAIR(Pshufd, Vpshufd), d, xmm(a), 0);
  if (opcode == Opcode::F64x2Splat) return one(PAIR(Movddup, Vmovddup), d, xmm(a));
  if (opcode == Opcode::I64x2Splat) {
    a_.emit(cpu_.avx ? Id::kIdVmovq : Id::kIdMovq, xmm(d), r64(a));
    return one(PAIR(Pshufd, Vpshufd), d, xmm(d), 0x44);
  }
  a_.emit(cpu_.avx ? Id::kIdVmovd : Id::kIdMovd, xmm(d), r32(a));
  if (opcode == Opcode::I32x4Splat) return one(PAIR(Pshufd, Vpshufd), d, xmm(d), 0);
  if (cpu_.avx2) return (void)a_.emit(opcode == Opcode::I8x16Splat ? Id::kIdVpbroadcastb : Id::kIdVpbroadcastw, xmm(d), xmm(d));
  if (opcode == Opcode::I8x16Splat) {
    zero_vector(FloatScratch);
    return two(PAIR(Pshufb, Vpshufb), d, d, xmm(FloatScratch));
  }
  one(PAIR(Pshuflw, Vpshuflw), d, xmm(d), 0);
  one(PAIR(Pshufd, Vpshufd), d, xmm(d), 0);
}

/// A shift count that is not constant, in FloatScratch.
PReg Emitter::shift_count(const Operand& o, uint32_t mask, uint32_t add) {
  a_.mov(r32(Scratch), r32(in_register(o, Type::I32)));
  a_.and_(r32(Scratch), mask);
  if (add) a_.add(r32(Scratch), add);
  a_.emit(cpu_.avx ? Id::kIdVmovd : Id::kIdMovd, xmm(FloatScratch), r32(Scratch));
  return FloatScratch;
}

void Emitter::emit_vector(const Inst& inst) {
  const Opcode opcode = VectorImm::of(inst.imm).opcode;
  const Row& row = Rows[static_cast<size_t>(opcode)];
  const Pair op{row.sse, row.vex};
  const PReg d = reg_of(inst.def), a = reg_of(inst.a);
  switch (const VectorForm form = vector_form(opcode)) {
    case VectorForm::Binary:
    case VectorForm::Commutes:
    case VectorForm::Swapped: return emit_binary(inst, op, 0, false);
    case VectorForm::BinaryImm:
    case VectorForm::SwappedImm: return emit_binary(inst, op, row.imm, true);
    case VectorForm::Not:
    case VectorForm::NotSwapped:
      emit_binary(inst, op, 0, false);
      return invert_vector(d);
    case VectorForm::Compare:
    case VectorForm::NotCompare: {
      constexpr Pair Equal[] = {PAIR(Pcmpeqb, Vpcmpeqb), PAIR(Pcmpeqw, Vpcmpeqw), PAIR(Pcmpeqd, Vpcmpeqd)};
      emit_binary(inst, op, 0, false);
      two(Equal[row.imm], d, d, xmm(a));
      if (form == VectorForm::NotCompare) invert_vector(d);
      return;
    }
    case VectorForm::Unary: return one(op, d, vector_operand(inst.a));
    case VectorForm::UnaryImm: return one(op, d, vector_operand(inst.a), row.imm);
    case VectorForm::High:
      one(PAIR(Pshufd, Vpshufd), d, vector_operand(inst.a), UpperHalf);
      return one(op, d, xmm(d));
    case VectorForm::FromZero: {
      const asmjit::Operand operand = vector_operand(inst.a);
      zero_vector(d);
      return two(op, d, d, operand);
    }
    case VectorForm::AllTrue: return emit_all_true(inst, op);
    case VectorForm::Shift:
      if (inst.b.kind == Operand::Imm) return two(op, d, a, asmjit::imm(inst.b.imm & row.imm));
      return two(op, d, a, xmm(shift_count(inst.b, row.imm, 0)));
    case VectorForm::MultiplyLow: return emit_multiply(inst, op, row.imm, false);
    case VectorForm::MultiplyHigh: return emit_multiply(inst, op, row.imm, true);
    case VectorForm::MultiplyWide:
      one(PAIR(Pshufd, Vpshufd), FloatScratch, xmm(a), row.imm);
      one(PAIR(Pshufd, Vpshufd), d, xmm(reg_of(inst.b)), row.imm);
      return two(op, d, d, xmm(FloatScratch));
    case VectorForm::Extract: return emit_extract(inst, op);
    case VectorForm::Replace: return emit_replace(inst, op);
    case VectorForm::Splat: return emit_splat(inst);
    case VectorForm::Sequence: return emit_sequence(inst);
  }
}

// -- Memory -------------------------------------------------------------------------------------------------

void Emitter::emit_vector_load(const Inst& inst, PReg d) {
  if (!cpu_.avx2 && (inst.kind == MemKind::Splat8 || inst.kind == MemKind::Splat16)) zero_vector(d);
  const x86::Mem m = address(inst);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  switch (inst.kind) {
    case MemKind::V128: a_.emit(cpu_.avx ? Id::kIdVmovups : Id::kIdMovups, xmm(d), m); return;
    case MemKind::V8x8S: return one(PAIR(Pmovsxbw, Vpmovsxbw), d, m);
    case MemKind::V8x8U: return one(PAIR(Pmovzxbw, Vpmovzxbw), d, m);
    case MemKind::V16x4S: return one(PAIR(Pmovsxwd, Vpmovsxwd), d, m);
    case MemKind::V16x4U: return one(PAIR(Pmovzxwd, Vpmovzxwd), d, m);
    case MemKind::V32x2S: return one(PAIR(Pmovsxdq, Vpmovsxdq), d, m);
    case MemKind::V32x2U: return one(PAIR(Pmovzxdq, Vpmovzxdq), d, m);
    case MemKind::Splat8:
      if (cpu_.avx2) return (void)a_.vpbroadcastb(xmm(d), m);
      two(PAIR(Pinsrb, Vpinsrb), d, d, m, 0);
      zero_vector(FloatScratch);
      return two(PAIR(Pshufb, Vpshufb), d, d, xmm(FloatScratch));
    case MemKind::Splat16:
      if (cpu_.avx2) return (void)a_.vpbroadcastw(xmm(d), m);
      two(PAIR(Pinsrw, Vpinsrw), d, d, m, 0);
      one(PAIR(Pshuflw, Vpshuflw), d, xmm(d), 0);
      return one(PAIR(Pshufd, Vpshufd), d, xmm(d), 0);
    case MemKind::Splat32:
      if (cpu_.avx) return (void)a_.vbroadcastss(xmm(d), m);
      a_.movss(xmm(d), m);
      return one(PAIR(Pshufd, Vpshufd), d, xmm(d), 0);
    case MemKind::Splat64: return one(PAIR(Movddup, Vmovddup), d, m);
    case MemKind::Zero32: a_.emit(cpu_.avx ? Id::kIdVmovss : Id::kIdMovss, xmm(d), m); return;
    default: a_.emit(cpu_.avx ? Id::kIdVmovsd : Id::kIdMovsd, xmm(d), m); return;
  }
}

void Emitter::emit_lane_access(const Inst& inst) {
  constexpr Pair Extract[] = {PAIR(Pextrb, Vpextrb), PAIR(Pextrw, Vpextrw), PAIR(Pextrd, Vpextrd), PAIR(Pextrq, Vpextrq)};
  constexpr Pair Insert[] = {PAIR(Pinsrb, Vpinsrb), PAIR(Pinsrw, Vpinsrw), PAIR(Pinsrd, Vpinsrd), PAIR(Pinsrq, Vpinsrq)};
  const uint32_t size = bytes_of(inst.kind), lane = inst.aux >> 4;
  const size_t log2 = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
  const PReg a = reg_of(inst.a);
  if (inst.op == Op::LoadLane) {
    const PReg d = reg_of(inst.def);
    if (!cpu_.avx) move_vector(d, a);  // before the site: that names the instruction that may fault
    const x86::Mem m = address(inst);
    trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
    return two(Insert[log2], d, cpu_.avx ? a : d, m, lane);
  }
  const x86::Mem m = address(inst);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  if (lane == 0 && size >= 4) a_.emit(size == 4 ? (cpu_.avx ? Id::kIdVmovss : Id::kIdMovss) : cpu_.avx ? Id::kIdVmovsd : Id::kIdMovsd, m, xmm(a));
  else a_.emit(cpu_.avx ? Extract[log2].vex : Extract[log2].sse, m, xmm(a), asmjit::imm(lane));
}

}  // namespace krait::jit
