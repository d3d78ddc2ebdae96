// The emitter: integers, memory, conditions.
#include <algorithm>
#include <cstddef>

#include "engine/context.hpp"
#include "engine/memory.hpp"
#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

using engine::Context;
using engine::TrapKind;
using Id = x86::Inst::Id;

namespace {
bool fits_int32(uint64_t bits) { return static_cast<int64_t>(bits) == static_cast<int32_t>(bits); }
/// The immediate as the instruction of that type wants it.
int64_t immediate(const Operand& o, Type type) {
  return type == Type::I32 ? static_cast<int32_t>(o.imm) : static_cast<int64_t>(o.imm);
}
bool encodable(const Operand& o, Type type) { return type == Type::I32 || fits_int32(o.imm); }
PReg reg(const Operand& o) { return static_cast<PReg>(o.loc.at); }
asmjit::x86::CondCode cc(Cond c) {
  using CC = asmjit::x86::CondCode;
  constexpr CC Of[] = {CC::kE, CC::kNE, CC::kL, CC::kB, CC::kG, CC::kA, CC::kLE, CC::kBE, CC::kGE, CC::kAE};
  return Of[static_cast<size_t>(c)];
}
}  // namespace

PReg Emitter::in_register(const Operand& o, Type type, PReg scratch) {
  if (o.kind == Operand::Imm) {
    load_constant(scratch, Type::I64, type == Type::I32 ? static_cast<uint32_t>(o.imm) : o.imm, true);
    return scratch;
  }
  if (o.loc.is_reg()) return reg(o);
  a_.mov(gp(type, scratch), memory(o.loc, type == Type::I32 ? 4 : 8));
  return scratch;
}

void Emitter::move_in(PReg dst, const Operand& o, Type type, bool keep_flags) {
  if (o.kind == Operand::Imm) load_constant(dst, type, type == Type::I32 ? static_cast<uint32_t>(o.imm) : o.imm, keep_flags);
  else if (!(o.loc == Loc::reg(dst))) copy({Loc::reg(dst), o.loc, type, 0});
}

/// The memory operand; for offsets that the guard does not cover it is checked here, and Scratch is used.
x86::Mem Emitter::address(const Inst& inst) {
  const uint32_t size = bytes_of(inst.kind);
  const bool indexed = inst.index.is_vreg();
  if (inst.memory != 0) {
    a_.mov(r64(Scratch), context_field(offsetof(Context, memories), 8));
    a_.mov(r64(Scratch), x86::Mem(r64(Scratch), static_cast<int32_t>(8 * inst.memory), 8));
    a_.mov(r64(Scratch), x86::Mem(r64(Scratch), static_cast<int32_t>(engine::Memory::base_offset()), 8));
    return x86::Mem(r64(Scratch), r64(reg(inst.index)), inst.scale, static_cast<int32_t>(inst.disp), size);
  }
  if (inst.disp < (uint64_t{1} << 31) && (!indexed || inst.disp < engine::GuardBytes - 16)) {
    const auto disp = static_cast<int32_t>(inst.disp);
    if (!indexed) return x86::Mem(r64(MemoryBase), disp, size);
    const PReg index = in_register(inst.index, Type::I32);
    return x86::Mem(r64(MemoryBase), r64(index), inst.scale, disp, size);
  }
  if (!indexed && inst.disp < engine::AddressSpaceBytes) {
    a_.mov(r32(Scratch), inst.disp);
    return x86::Mem(r64(MemoryBase), r64(Scratch), 0, 0, size);
  }
  load_constant(Scratch, Type::I64, inst.disp + size, false);
  if (indexed) {
    if (inst.scale) a_.lea(r64(Scratch), x86::Mem(r64(Scratch), r64(reg(inst.index)), inst.scale, 0, 8));
    else a_.add(r64(Scratch), r64(reg(inst.index)));
  }
  a_.cmp(r64(Scratch), context_field(offsetof(Context, memory0_size), 8));
  a_.ja(trap(TrapKind::MemoryOutOfBounds, inst.wasm_pc));
  return x86::Mem(r64(MemoryBase), r64(Scratch), 0, -static_cast<int32_t>(size), size);
}

/// op left, o
void Emitter::with_operand(Id id, const asmjit::Operand_& left, const Operand& o, Type type) {
  if (o.kind == Operand::Imm && encodable(o, type)) a_.emit(id, left, asmjit::imm(immediate(o, type)));
  else if (o.kind == Operand::Imm) a_.emit(id, left, gp(type, in_register(o, type)));
  else if (o.loc.is_reg()) a_.emit(id, left, gp(type, reg(o)));
  else a_.emit(id, left, memory(o.loc, type == Type::I32 ? 4 : 8));
}

namespace {
Id alu(Op op) {
  switch (op) {
    case Op::Add: return Id::kIdAdd;
    case Op::Sub: return Id::kIdSub;
    case Op::And: return Id::kIdAnd;
    case Op::Or: return Id::kIdOr;
    default: return Id::kIdXor;
  }
}
}  // namespace

void Emitter::emit_alu(const Inst& inst) {
  const PReg d = reg(inst.def);
  if (inst.form == Form::Lea) {
    const Type t = inst.type;
    const x86::Mem m(r64(reg(inst.a)), r64(reg(inst.index)), inst.scale, static_cast<int32_t>(inst.disp), 8);
    a_.lea(gp(t, d), m);
    return;
  }
  const bool add_constant = inst.form == Form::Plain && inst.b.kind == Operand::Imm && (inst.op == Op::Add || inst.op == Op::Sub);
  if (add_constant && inst.a.is_vreg() && inst.a.loc.is_reg() && reg(inst.a) != d && encodable(inst.b, inst.type)) {
    const int64_t by = inst.op == Op::Add ? immediate(inst.b, inst.type) : -immediate(inst.b, inst.type);
    if (by == static_cast<int32_t>(by)) {
      a_.lea(gp(inst.type, d), x86::Mem(r64(reg(inst.a)), static_cast<int32_t>(by), 8));
      return;
    }
  }
  const bool registers = inst.form == Form::Plain && inst.a.is_vreg() && inst.a.loc.is_reg() && inst.b.is_vreg() && inst.b.loc.is_reg();
  if (inst.op == Op::Add && registers && reg(inst.a) != d && reg(inst.b) != d) {
    a_.lea(gp(inst.type, d), x86::Mem(r64(reg(inst.a)), r64(reg(inst.b)), 0, 0, 8));
    return;
  }
  move_in(d, inst.a, inst.type);
  if (inst.form == Form::Plain && inst.op == Op::Xor && inst.b.kind == Operand::Imm && encodable(inst.b, inst.type) &&
      immediate(inst.b, inst.type) == -1) {
    a_.not_(gp(inst.type, d));
    return;
  }
  if (inst.form == Form::Load) {
    const x86::Mem m = address(inst);
    trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
    a_.emit(alu(inst.op), gp(inst.type, d), m);
  } else {
    with_operand(alu(inst.op), gp(inst.type, d), inst.b, inst.type);
  }
  flags_ = {static_cast<uint32_t>(a_.offset()), d, inst.type, inst.op != Op::Add && inst.op != Op::Sub};
}

/// The flags are as after `test r, r`, as far as the condition looks: the instruction before made r.
bool Emitter::flags_tell(PReg r, Type type, Cond cond) const {
  const bool equality = cond == Cond::Eq || cond == Cond::Ne;
  return flags_.behind == a_.offset() && flags_.of == r && flags_.type == type && (flags_.logic || equality);
}

void Emitter::test_zero(PReg r, Type type, Cond cond) {
  if (!flags_tell(r, type, cond)) a_.test(gp(type, r), gp(type, r));
}

void Emitter::emit_modify(const Inst& inst) {
  const uint32_t size = bytes_of(inst.kind);
  const x86::Mem m = address(inst);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  if (inst.b.kind == Operand::Imm) {
    int64_t value = static_cast<int32_t>(inst.b.imm);
    if (size == 1) value = static_cast<int8_t>(value);
    if (size == 2) value = static_cast<int16_t>(value);
    a_.emit(alu(inst.op), m, asmjit::imm(value));
    return;
  }
  const PReg b = reg(inst.b);
  a_.emit(alu(inst.op), m, size == 1 ? r8(b) : size == 2 ? r16(b) : size == 4 ? r32(b) : r64(b));
}

void Emitter::emit_mul(const Inst& inst) {
  const PReg d = reg(inst.def);
  const Type t = inst.type;
  if (inst.form == Form::Load) {
    move_in(d, inst.a, t);
    const x86::Mem m = address(inst);
    trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
    a_.imul(gp(t, d), m);
    return;
  }
  if (inst.b.kind == Operand::Imm && encodable(inst.b, t)) {
    if (inst.a.is_vreg() && !inst.a.loc.is_reg()) a_.imul(gp(t, d), memory(inst.a.loc, t == Type::I32 ? 4 : 8), immediate(inst.b, t));
    else a_.imul(gp(t, d), gp(t, in_register(inst.a, t)), immediate(inst.b, t));
    return;
  }
  move_in(d, inst.a, t);
  with_operand(Id::kIdImul, gp(t, d), inst.b, t);
}

void Emitter::emit_shift(const Inst& inst) {
  const PReg d = reg(inst.def);
  const Type t = inst.type;
  Id id = Id::kIdShl, id3 = Id::kIdShlx;
  switch (inst.op) {
    case Op::ShrS: id = Id::kIdSar, id3 = Id::kIdSarx; break;
    case Op::ShrU: id = Id::kIdShr, id3 = Id::kIdShrx; break;
    case Op::Rotl: id = Id::kIdRol; break;
    case Op::Rotr: id = Id::kIdRor; break;
    default: break;
  }
  if (inst.b.kind == Operand::Imm) {
    const uint32_t by = static_cast<uint32_t>(inst.b.imm) & (t == Type::I32 ? 31 : 63);
    const bool rotate = inst.op == Op::Rotl || inst.op == Op::Rotr;
    if (rotate && by && cpu_.bmi2 && inst.a.is_vreg() && inst.a.loc != Loc::reg(d)) {
      const uint32_t right = inst.op == Op::Rotr ? by : (t == Type::I32 ? 32 : 64) - by;
      a_.rorx(gp(t, d), gp(t, in_register(inst.a, t)), right);
      return;
    }
    move_in(d, inst.a, t);
    if (by) a_.emit(id, gp(t, d), asmjit::imm(by));
    return;
  }
  if (inst.clobbers == 0) {
    a_.emit(id3, gp(t, d), gp(t, in_register(inst.a, t)), gp(t, reg(inst.b)));
    return;
  }
  const bool a_in_count = inst.a.is_vreg() && inst.a.loc == Loc::reg(Rcx);
  if (a_in_count) a_.mov(r64(Scratch), r64(Rcx));
  move_in(Rcx, inst.b, t);
  if (a_in_count) a_.mov(gp(t, d), gp(t, Scratch));
  else move_in(d, inst.a, t);
  a_.emit(id, gp(t, d), x86::cl);
}

void Emitter::emit_mul_high(const Inst& inst) {
  const Type t = inst.type;
  const PReg b = in_register(inst.b, t);
  move_in(Rax, inst.a, t);
  inst.op == Op::MulHighU ? a_.mul(gp(t, b)) : a_.imul(gp(t, b));
  move_in(reg(inst.def), Operand{.kind = Operand::Reg, .loc = Loc::reg(Rdx)}, t);
}

void Emitter::emit_divide(const Inst& inst) {
  const Type t = inst.type;
  const bool is_signed = inst.op == Op::DivS || inst.op == Op::RemS;
  const bool quotient = inst.op == Op::DivS || inst.op == Op::DivU;
  const PReg b = in_register(inst.b, t);
  move_in(Rax, inst.a, t);
  if (!is_signed) {
    a_.xor_(x86::edx, x86::edx);
    trap_site(TrapKind::DivideByZero, inst.wasm_pc);
    a_.div(gp(t, b));
  } else {
    const Label divide = a_.newLabel(), done = a_.newLabel();
    a_.cmp(gp(t, b), -1);
    a_.jne(divide);
    if (quotient) {
      a_.neg(gp(t, Rax));
      a_.jo(trap(TrapKind::IntegerOverflow, inst.wasm_pc));
    } else {
      a_.xor_(x86::edx, x86::edx);
    }
    a_.jmp(done);
    a_.bind(divide);
    if (t == Type::I32) a_.cdq();
    else a_.cqo();
    trap_site(TrapKind::DivideByZero, inst.wasm_pc);
    a_.idiv(gp(t, b));
    a_.bind(done);
  }
  move_in(reg(inst.def), Operand{.kind = Operand::Reg, .loc = Loc::reg(quotient ? Rax : Rdx)}, t);
}

void Emitter::emit_bits(const Inst& inst) {
  const PReg d = reg(inst.def);
  const Type t = inst.type;
  const PReg a = in_register(inst.a, t);
  const uint32_t bits = t == Type::I32 ? 32 : 64;
  switch (inst.op) {
    case Op::Popcnt: a_.popcnt(gp(t, d), gp(t, a)); return;
    case Op::Clz:
      if (cpu_.lzcnt) {
        a_.lzcnt(gp(t, d), gp(t, a));
        return;
      }
      a_.bsr(gp(t, d), gp(t, a));
      a_.mov(r32(Scratch), 2 * bits - 1);
      a_.cmovz(gp(t, d), gp(t, Scratch));
      a_.xor_(gp(t, d), bits - 1);
      return;
    default:
      if (cpu_.bmi1) {
        a_.tzcnt(gp(t, d), gp(t, a));
        return;
      }
      a_.bsf(gp(t, d), gp(t, a));
      a_.mov(r32(Scratch), bits);
      a_.cmovz(gp(t, d), gp(t, Scratch));
  }
}

void Emitter::emit_int(const Inst& inst) {
  if (inst.form == Form::Modify) return emit_modify(inst);
  const Type t = inst.type;
  switch (inst.op) {
    case Op::Add: case Op::Sub: case Op::And: case Op::Or: case Op::Xor: return emit_alu(inst);
    case Op::Mul: return emit_mul(inst);
    case Op::Shl: case Op::ShrS: case Op::ShrU: case Op::Rotl: case Op::Rotr: return emit_shift(inst);
    case Op::MulHighU: case Op::MulHighS: return emit_mul_high(inst);
    case Op::DivS: case Op::DivU: case Op::RemS: case Op::RemU: return emit_divide(inst);
    case Op::Clz: case Op::Ctz: case Op::Popcnt: return emit_bits(inst);
    case Op::Extend8S: a_.movsx(gp(t, reg(inst.def)), r8(in_register(inst.a, t))); return;
    case Op::Extend16S: a_.movsx(gp(t, reg(inst.def)), r16(in_register(inst.a, t))); return;
    case Op::Extend32S:
    case Op::ExtendS: a_.movsxd(r64(reg(inst.def)), r32(in_register(inst.a, Type::I32))); return;
    case Op::Wrap: a_.mov(r32(reg(inst.def)), r32(in_register(inst.a, Type::I32))); return;
    case Op::MemorySize:
      a_.mov(r64(reg(inst.def)), context_field(offsetof(Context, memory0_size), 8));
      a_.shr(r64(reg(inst.def)), 16);
      return;
    default: return;
  }
}

void Emitter::emit_load(const Inst& inst) {
  const PReg d = reg(inst.def);
  if (inst.kind >= MemKind::V128) return emit_vector_load(inst, d);
  const x86::Mem m = address(inst);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  switch (inst.kind) {
    case MemKind::I8U: case MemKind::I16U: a_.movzx(r32(d), m); return;
    case MemKind::I8S: case MemKind::I16S: a_.movsx(gp(inst.type, d), m); return;
    case MemKind::I32U: a_.mov(r32(d), m); return;
    case MemKind::I32S: a_.movsxd(r64(d), m); return;
    case MemKind::I64: a_.mov(r64(d), m); return;
    case MemKind::F32: a_.movss(xmm(d), m); return;
    case MemKind::F64: a_.movsd(xmm(d), m); return;
    default: return;
  }
}

void Emitter::emit_store(const Inst& inst) {
  const uint32_t size = bytes_of(inst.kind);
  const x86::Mem m = address(inst);
  trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
  if (inst.b.kind == Operand::Imm) {
    int64_t value = static_cast<int32_t>(inst.b.imm);
    if (size == 1) value = static_cast<int8_t>(value);
    if (size == 2) value = static_cast<int16_t>(value);
    a_.mov(m, value);
    return;
  }
  const PReg b = reg(inst.b);
  if (inst.kind == MemKind::F32) a_.movss(m, xmm(b));
  else if (inst.kind == MemKind::F64) a_.movsd(m, xmm(b));
  else if (inst.kind == MemKind::V128) a_.movups(m, xmm(b));
  else a_.mov(m, size == 1 ? r8(b) : size == 2 ? r16(b) : size == 4 ? r32(b) : r64(b));
}

void Emitter::emit_global(const Inst& inst) {
  const uint32_t size = bytes_of(inst.type);
  const uint64_t own = inst.imm - f_.ir->module->imported_globals;  // wraps for imported ones
  x86::Mem cell(r64(Scratch), 0, size);
  if (own < engine::InlineGlobals) {
    cell = context_field(offsetof(Context, inline_globals) + own * sizeof(engine::GlobalInstance), size);
  } else {
    a_.mov(r64(Scratch), context_field(offsetof(Context, globals), 8));
    a_.mov(r64(Scratch), x86::Mem(r64(Scratch), static_cast<int32_t>(8 * inst.imm), 8));
  }
  const bool get = inst.op == Op::GlobalGet;
  const PReg r = reg(get ? inst.def : inst.b);
  switch (inst.type) {
    case Type::F32: get ? a_.movss(xmm(r), cell) : a_.movss(cell, xmm(r)); return;
    case Type::V128: get ? a_.movups(xmm(r), cell) : a_.movups(cell, xmm(r)); return;
    case Type::F64: get ? a_.movsd(xmm(r), cell) : a_.movsd(cell, xmm(r)); return;
    default: get ? a_.mov(gp(inst.type, r), cell) : a_.mov(cell, gp(inst.type, r)); return;
  }
}

// -- Conditions -------------------------------------------------------------------------------------------

void Emitter::emit_compare_value(const Inst& inst) {
  const PReg d = reg(inst.def);
  const Type t = inst.type;
  // Zero beforehand, which breaks the dependency on what d held; where that may not be, movzx behind.
  auto in_d = [&](const Operand& o) { return o.is_vreg() && o.loc == Loc::reg(d); };
  const bool cleared = !in_d(inst.a) && !in_d(inst.b);
  if (cleared) a_.xor_(r32(d), r32(d));
  if (inst.a.is_vreg() && inst.a.loc.is_reg() && inst.b.kind == Operand::Imm && inst.b.imm == 0)
    test_zero(reg(inst.a), t, inst.cond);
  else if (inst.a.is_vreg() && !inst.a.loc.is_reg() && inst.b.kind == Operand::Imm && encodable(inst.b, t))
    a_.cmp(memory(inst.a.loc, t == Type::I32 ? 4 : 8), immediate(inst.b, t));
  else if (inst.a.is_vreg() && inst.a.loc.is_reg())
    with_operand(Id::kIdCmp, gp(t, reg(inst.a)), inst.b, t);
  else {  // the left side lies in memory, the right one is a large constant
    in_register(inst.b, t);
    a_.cmp(memory(inst.a.loc, 8), r64(Scratch));
  }
  a_.emit(x86::Inst::setccFromCond(cc(inst.cond)), r8(d));
  if (!cleared) a_.movzx(r32(d), r8(d));
}

/// Sets the flags for the condition of a Branch or Select.
void Emitter::compare(const Inst& inst) {
  const Type t = inst.type;
  if (is_float(t)) return compare_floats(static_cast<Op>(inst.aux), t, inst.c, inst.index);
  if (inst.form == Form::Test) {
    const PReg c = in_register(inst.c, t);
    if (inst.index.kind == Operand::Imm && encodable(inst.index, t)) a_.test(gp(t, c), immediate(inst.index, t));
    else a_.test(gp(t, c), gp(t, in_register(inst.index, t)));
    return;
  }
  if (inst.memory_operand) {
    const uint32_t size = bytes_of(inst.kind);
    const x86::Mem m = address(inst);
    trap_site(TrapKind::MemoryOutOfBounds, inst.wasm_pc);
    if (inst.c.kind == Operand::Imm) {
      int64_t value = static_cast<int32_t>(inst.c.imm);
      if (size == 1) value = static_cast<int8_t>(value);
      if (size == 2) value = static_cast<int16_t>(value);
      a_.cmp(m, value);
    } else {
      a_.cmp(m, gp(t, reg(inst.c)));
    }
    return;
  }
  const bool c_in_memory = inst.c.is_vreg() && !inst.c.loc.is_reg();
  const bool index_imm = inst.index.kind == Operand::Imm;
  if (c_in_memory && index_imm && encodable(inst.index, t)) {
    a_.cmp(memory(inst.c.loc, t == Type::I32 ? 4 : 8), immediate(inst.index, t));
  } else if (c_in_memory && index_imm) {
    in_register(inst.index, t);
    a_.cmp(memory(inst.c.loc, 8), r64(Scratch));
  } else {
    const PReg c = in_register(inst.c, t);
    if (index_imm && inst.index.imm == 0) test_zero(c, t, inst.cond);
    else with_operand(Id::kIdCmp, gp(t, c), inst.index, t);
  }
}

/// Behind compare(): goes to `taken` or `not_taken`, one of which follows.
void Emitter::jump_if(const Inst& inst, Label taken, Label not_taken, bool taken_is_next) {
  if (is_float(inst.type) && (inst.form == Form::Compare)) {
    switch (static_cast<Op>(inst.aux)) {
      case Op::FEq:  // equal and ordered
        a_.jne(not_taken);
        a_.jp(not_taken);
        if (!taken_is_next) a_.jmp(taken);
        return;
      case Op::FNe:
        a_.jne(taken);
        a_.jp(taken);
        if (taken_is_next) a_.jmp(not_taken);
        return;
      default: {  // the operands are ordered so that "above" means true, and unordered is not above
        const bool strict = static_cast<Op>(inst.aux) == Op::FLt || static_cast<Op>(inst.aux) == Op::FGt;
        if (taken_is_next) strict ? a_.jbe(not_taken) : a_.jb(not_taken);
        else strict ? a_.ja(taken) : a_.jae(taken);
        return;
      }
    }
  }
  const Cond c = taken_is_next ? invert(inst.cond) : inst.cond;
  a_.emit(x86::Inst::jccFromCond(cc(c)), taken_is_next ? not_taken : taken);
}

void Emitter::emit_branch(uint32_t b, const Inst& inst) {
  const uint32_t yes = target(f_.blocks[b].succs[0]), no = target(f_.blocks[b].succs[1]);
  if (yes == no) {
    if (inst.memory_operand) compare(inst);  // the load may trap
    if (yes != next_[b]) jump_to(yes);
    return;
  }
  compare(inst);
  jump_if(inst, labels_[yes], labels_[no], yes == next_[b]);
  if (yes != next_[b] && no != next_[b]) jump_to(no);
}

void Emitter::emit_select(const Inst& inst) {
  const auto type = static_cast<Type>(inst.imm);
  const PReg d = reg(inst.def);
  compare(inst);
  const bool float_condition = is_float(inst.type) && inst.form == Form::Compare;
  if (!is_float(type) && !float_condition) {
    move_in(d, inst.b, type, true);
    const auto id = static_cast<Id>(x86::Inst::cmovccFromCond(cc(inst.cond)));
    if (inst.a.is_vreg() && !inst.a.loc.is_reg()) a_.emit(id, gp(type, d), memory(inst.a.loc, type == Type::I32 ? 4 : 8));
    else a_.emit(id, gp(type, d), gp(type, in_register(inst.a, type)));
    return;
  }
  const Label yes = a_.newLabel(), no = a_.newLabel();
  move_in(d, inst.b, type, true);
  jump_if(inst, yes, no, true);
  a_.bind(yes);
  move_in(d, inst.a, type);
  a_.bind(no);
}

void Emitter::emit_switch(uint32_t b, const Inst& inst) {
  const auto first = static_cast<uint32_t>(inst.imm >> 32), count = static_cast<uint32_t>(inst.imm);
  const PReg index = reg(inst.a);
  if (!inst.aux) {
    a_.cmp(r32(index), count - 1);
    a_.jae(labels_[target(f_.tables[first + count - 1])]);
  }
  auto table = std::find_if(jump_tables_.begin(), jump_tables_.end(), [&](const Table& t) { return t.first == first; });
  if (table == jump_tables_.end()) table = jump_tables_.insert(table, {a_.newLabel(), first, count - 1});
  a_.lea(r64(Scratch), x86::ptr(table->label));
  a_.add(r64(Scratch), x86::Mem(r64(Scratch), r64(index), 3, 0, 8));
  a_.jmp(r64(Scratch));
}

}  // namespace krait::jit
