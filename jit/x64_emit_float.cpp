// The emitter: floats and conversions.
#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

using engine::TrapKind;
using Id = x86::Inst::Id;

namespace {
PReg reg(const Operand& o) { return static_cast<PReg>(o.loc.at); }
Id pick(Type t, Id single, Id twice) { return t == Type::F32 ? single : twice; }
constexpr uint64_t Sign32 = 0x80000000, Sign64 = uint64_t{1} << 63;
uint64_t sign_mask(Type t) { return t == Type::F32 ? Sign32 << 32 | Sign32 : Sign64; }
uint64_t bits_of_power(Type t, int exponent) {
  return t == Type::F32 ? static_cast<uint64_t>(127 + exponent) << 23 : static_cast<uint64_t>(1023 + exponent) << 52;
}
uint32_t bytes(Type t) { return t == Type::F32 ? 4 : 8; }
}  // namespace

asmjit::Operand Emitter::float_operand(const Operand& o, Type type) {
  if (o.kind == Operand::Imm) return constant(o.imm, 0, bytes(type));
  if (o.loc.is_reg()) return xmm(reg(o));
  return memory(o.loc, bytes(type));
}

PReg Emitter::float_in_register(const Operand& o, Type type) {
  if (o.is_vreg() && o.loc.is_reg()) return reg(o);
  if (o.kind == Operand::Imm) load_constant(FloatScratch, type, o.imm, true);
  else copy({Loc::reg(FloatScratch), o.loc, type, 0});
  return FloatScratch;
}

/// Flags for a comparison so that "above" (or "above or equal") means true; equality as ucomis gives it.
void Emitter::compare_floats(Op op, Type type, const Operand& left, const Operand& right) {
  const bool swap = op == Op::FLt || op == Op::FLe;
  const Operand& first = swap ? right : left;
  const Operand& second = swap ? left : right;
  const PReg r = float_in_register(first, type);
  a_.emit(pick(type, Id::kIdUcomiss, Id::kIdUcomisd), xmm(r), float_operand(second, type));
}

void Emitter::emit_float_compare_value(const Inst& inst) {
  const PReg d = reg(inst.def);
  compare_floats(inst.op, inst.type, inst.a, inst.b);
  switch (inst.op) {
    case Op::FEq:
      a_.setnp(r8(Scratch));
      a_.sete(r8(d));
      a_.and_(r8(d), r8(Scratch));
      break;
    case Op::FNe:
      a_.setp(r8(Scratch));
      a_.setne(r8(d));
      a_.or_(r8(d), r8(Scratch));
      break;
    case Op::FLt:
    case Op::FGt: a_.seta(r8(d)); break;
    default: a_.setae(r8(d)); break;
  }
  a_.movzx(r32(d), r8(d));
}

/// Unordered gives a NaN, equal operands may be zeros of either sign: both join their bits.
void Emitter::emit_min_max(const Inst& inst) {
  const PReg d = reg(inst.def);
  const Type t = inst.type;
  const bool min = inst.op == Op::FMin;
  const PReg b = float_in_register(inst.b, t);
  move_in(d, inst.a, t);
  const Label differ = a_.newLabel(), nan = a_.newLabel(), done = a_.newLabel();
  a_.emit(pick(t, Id::kIdUcomiss, Id::kIdUcomisd), xmm(d), xmm(b));
  a_.jne(differ);
  a_.jp(nan);
  if (min) a_.orps(xmm(d), xmm(b));
  else a_.andps(xmm(d), xmm(b));
  a_.jmp(done);
  a_.bind(nan);
  a_.emit(pick(t, Id::kIdAddss, Id::kIdAddsd), xmm(d), xmm(b));
  a_.jmp(done);
  a_.bind(differ);
  if (min) a_.emit(pick(t, Id::kIdMinss, Id::kIdMinsd), xmm(d), xmm(b));
  else a_.emit(pick(t, Id::kIdMaxss, Id::kIdMaxsd), xmm(d), xmm(b));
  a_.bind(done);
}

void Emitter::emit_float(const Inst& inst) {
  const Type t = inst.type;
  const PReg d = reg(inst.def);
  auto arithmetic = [&](Id single, Id twice) {
    move_in(d, inst.a, t);
    const Id id = pick(t, single, twice);
    if (inst.form == Form::Load) {
      const x86::Mem m = address(inst);
      trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
      a_.emit(id, xmm(d), m);
    } else {
      a_.emit(id, xmm(d), float_operand(inst.b, t));
    }
  };
  auto round = [&](int mode) {
    a_.emit(pick(t, Id::kIdRoundss, Id::kIdRoundsd), xmm(d), xmm(reg(inst.a)), asmjit::imm(mode | 8));
  };
  const uint64_t sign = sign_mask(t);
  switch (inst.op) {
    case Op::FAdd: return arithmetic(Id::kIdAddss, Id::kIdAddsd);
    case Op::FSub: return arithmetic(Id::kIdSubss, Id::kIdSubsd);
    case Op::FMul: return arithmetic(Id::kIdMulss, Id::kIdMulsd);
    case Op::FDiv: return arithmetic(Id::kIdDivss, Id::kIdDivsd);
    case Op::FMin:
    case Op::FMax: return emit_min_max(inst);
    case Op::FSqrt: a_.emit(pick(t, Id::kIdSqrtss, Id::kIdSqrtsd), xmm(d), xmm(reg(inst.a))); return;
    case Op::FNearest: return round(0);
    case Op::FFloor: return round(1);
    case Op::FCeil: return round(2);
    case Op::FTrunc: return round(3);
    case Op::FAbs:
      move_in(d, inst.a, t);
      a_.andps(xmm(d), constant(~sign, ~sign, 16));
      return;
    case Op::FNeg:
      move_in(d, inst.a, t);
      a_.xorps(xmm(d), constant(sign, sign, 16));
      return;
    case Op::FCopysign: {
      const PReg b = float_in_register(inst.b, t);
      if (b != FloatScratch) a_.movaps(xmm(FloatScratch), xmm(b));
      a_.andps(xmm(FloatScratch), constant(sign, sign, 16));
      move_in(d, inst.a, t);
      a_.andps(xmm(d), constant(~sign, ~sign, 16));
      a_.orps(xmm(d), xmm(FloatScratch));
      return;
    }
    case Op::Promote: a_.cvtss2sd(xmm(d), xmm(reg(inst.a))); return;
    case Op::Demote: a_.cvtsd2ss(xmm(d), xmm(reg(inst.a))); return;
    case Op::TruncS:
    case Op::TruncU:
    case Op::TruncSatS:
    case Op::TruncSatU: return emit_trunc(inst);
    default: return emit_convert(inst);
  }
}

void Emitter::emit_convert(const Inst& inst) {
  const Type t = inst.type, from = static_cast<Type>(inst.aux);
  const PReg d = reg(inst.def);
  if (inst.op == Op::Reinterpret) {
    if (!inst.a.loc.is_reg()) return copy({inst.def.loc, inst.a.loc, t, 0});
    const PReg a = reg(inst.a);
    switch (t) {
      case Type::I32: a_.movd(r32(d), xmm(a)); return;
      case Type::F32: a_.movd(xmm(d), r32(a)); return;
      case Type::I64: a_.movq(r64(d), xmm(a)); return;
      default: a_.movq(xmm(d), r64(a)); return;
    }
  }
  const Id id = pick(t, Id::kIdCvtsi2ss, Id::kIdCvtsi2sd);
  const PReg a = in_register(inst.a, from);
  a_.xorps(xmm(d), xmm(d));  // breaks the dependency on what d held
  if (inst.op == Op::ConvertS) {
    a_.emit(id, xmm(d), gp(from, a));
    return;
  }
  if (from == Type::I32) {  // its upper half is zero
    a_.emit(id, xmm(d), r64(a));
    return;
  }
  // Halve with the lost bit kept for rounding, convert, double.
  const Label large = a_.newLabel(), even = a_.newLabel(), done = a_.newLabel();
  a_.test(r64(a), r64(a));
  a_.js(large);
  a_.emit(id, xmm(d), r64(a));
  a_.jmp(done);
  a_.bind(large);
  a_.mov(r64(Scratch), r64(a));
  a_.shr(r64(Scratch), 1);
  a_.jnc(even);
  a_.or_(r64(Scratch), 1);
  a_.bind(even);
  a_.emit(id, xmm(d), r64(Scratch));
  a_.emit(pick(t, Id::kIdAddss, Id::kIdAddsd), xmm(d), xmm(d));
  a_.bind(done);
}

/// d = NaN ? 0 : a > 0 ? high : low
void Emitter::saturate(const Inst& inst, PReg a, Type from, uint64_t low, uint64_t high) {
  const PReg d = reg(inst.def);
  const Label done = a_.newLabel();
  a_.xor_(r32(d), r32(d));
  a_.xorps(xmm(FloatScratch), xmm(FloatScratch));
  a_.emit(pick(from, Id::kIdUcomiss, Id::kIdUcomisd), xmm(a), xmm(FloatScratch));
  a_.jp(done);
  load_constant(d, Type::I64, high, true);
  a_.ja(done);
  load_constant(d, Type::I64, low, true);
  a_.bind(done);
}

/// Traps where a does not fit (behind a conversion that said so), or saturates.
void Emitter::emit_trunc(const Inst& inst) {
  const Type t = inst.type, from = static_cast<Type>(inst.aux);
  const PReg d = reg(inst.def), a = reg(inst.a);
  const bool is_signed = inst.op == Op::TruncS || inst.op == Op::TruncSatS;
  const bool saturates = inst.op == Op::TruncSatS || inst.op == Op::TruncSatU;
  if (t == Type::I64 && !is_signed) return emit_trunc_u64(inst, saturates);
  const Id ucomis = pick(from, Id::kIdUcomiss, Id::kIdUcomisd);
  const Label good = a_.newLabel();
  a_.emit(pick(from, Id::kIdCvttss2si, Id::kIdCvttsd2si), r64(d), xmm(a));
  if (t == Type::I32) {  // it fits if it is its own extension
    if (is_signed) a_.movsxd(r64(Scratch), r32(d));
    else a_.mov(r32(Scratch), r32(d));
    a_.cmp(r64(Scratch), r64(d));
    a_.je(good);
  } else {  // the CPU says "no" with INT64_MIN
    a_.cmp(r64(d), 1);
    a_.jno(good);
  }
  if (saturates) {
    if (t == Type::I32) saturate(inst, a, from, is_signed ? 0x80000000 : 0, is_signed ? 0x7fffffff : 0xffffffff);
    else saturate(inst, a, from, Sign64, Sign64 - 1);
  } else {
    a_.emit(ucomis, xmm(a), xmm(a));
    a_.jp(trap(TrapKind::InvalidConversion, inst.wasm_pc));
    if (t == Type::I32) {
      a_.jmp(trap(TrapKind::IntegerOverflow, inst.wasm_pc));
    } else {
      a_.emit(ucomis, xmm(a), constant(bits_of_power(from, 63) | (from == Type::F32 ? Sign32 : Sign64), 0, bytes(from)));
      a_.jne(trap(TrapKind::IntegerOverflow, inst.wasm_pc));
    }
  }
  a_.bind(good);
  if (t == Type::I32) a_.mov(r32(d), r32(d));
}

void Emitter::emit_trunc_u64(const Inst& inst, bool saturates) {
  const auto from = static_cast<Type>(inst.aux);
  const PReg d = reg(inst.def), a = reg(inst.a);
  const Id ucomis = pick(from, Id::kIdUcomiss, Id::kIdUcomisd), convert = pick(from, Id::kIdCvttss2si, Id::kIdCvttsd2si);
  const x86::Mem limit = constant(bits_of_power(from, 63), 0, bytes(from));
  const Label large = a_.newLabel(), bad = a_.newLabel(), done = a_.newLabel();
  a_.emit(ucomis, xmm(a), limit);
  a_.jae(large);  // unordered is "below"
  a_.emit(convert, r64(d), xmm(a));
  a_.test(r64(d), r64(d));
  a_.jns(done);
  a_.jmp(bad);
  a_.bind(large);
  a_.movaps(xmm(FloatScratch), xmm(a));
  a_.emit(pick(from, Id::kIdSubss, Id::kIdSubsd), xmm(FloatScratch), limit);
  a_.emit(convert, r64(d), xmm(FloatScratch));
  a_.test(r64(d), r64(d));
  a_.js(bad);
  a_.btc(r64(d), 63);
  a_.jmp(done);
  a_.bind(bad);
  if (saturates) {
    saturate(inst, a, from, 0, ~uint64_t{0});
  } else {
    a_.emit(ucomis, xmm(a), xmm(a));
    a_.jp(trap(TrapKind::InvalidConversion, inst.wasm_pc));
    a_.jmp(trap(TrapKind::IntegerOverflow, inst.wasm_pc));
  }
  a_.bind(done);
}

}  // namespace krait::jit
