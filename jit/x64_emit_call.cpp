// The emitter: parameters, calls, returns.
#include <algorithm>
#include <cstddef>

#include "engine/context.hpp"
#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

using engine::Context;
using engine::FuncEntry;
using engine::TrapKind;

Move Emitter::move_of(const Operand& o, Loc dst, Type type) {
  return {dst, o.is_vreg() ? o.loc : Loc{}, type, o.imm};
}

namespace {
Loc place_of(const Place& p, Loc::Kind memory) { return p.reg != NoPReg ? Loc::reg(p.reg) : Loc{memory, p.offset}; }
}  // namespace

void Emitter::emit_params(const Inst& inst) {
  const Signature s = signature_of(*f_.ir->type);
  std::vector<Move> moves;
  for (const Operand& o : pool(inst)) {
    const Place& p = s.params[o.imm];
    moves.push_back({o.loc, place_of(p, Loc::Argument), p.type, 0});
  }
  parallel(moves);
}

void Emitter::call_builtin(Builtin id, uint32_t wasm_pc) {
  a_.mov(r64(Scratch), context_field(offsetof(Context, builtins), 8));
  a_.call(x86::Mem(r64(Scratch), static_cast<int32_t>(8 * static_cast<uint32_t>(id)), 8));
  site(Site::Call, wasm_pc);
}

/// Scratch = the FuncEntry* at an index of table 0.
void Emitter::resolve_entry(const Inst& inst, const Operand& index) {
  move_in(Scratch, index, Type::I32);
  a_.cmp(r64(Scratch), context_field(offsetof(Context, table0_size), 8));
  a_.jae(trap(TrapKind::UndefinedElement, inst.wasm_pc));
  a_.shl(r64(Scratch), 4);
  a_.add(r64(Scratch), context_field(offsetof(Context, table0), 8));
  a_.cmp(x86::Mem(r64(Scratch), offsetof(FuncEntry, type), 4), static_cast<int32_t>(f_.ir->module->canonical_type[inst.imm]));
  a_.jne(trap(TrapKind::IndirectCallTypeMismatch, inst.wasm_pc));
}

/// The callee's arguments lie at rsp. They and the return address move up to where the own arguments end, since that is where the
/// caller has its results and expects rsp to be. All that is read is read before it is overwritten: the frame's registers
/// first, then down from the highest address. Only xmm15 is free.
void Emitter::leave_for_tail_call(uint32_t arguments) {
  const uint32_t own = out_.argument_bytes;
  if (arguments == 0 && own == 0) return epilogue();
  constexpr uint32_t Room = 16;  // of the return address
  a_.sub(x86::rsp, Room);
  const auto at = [&](uint32_t offset, uint32_t size) { return x86::ptr(x86::rsp, static_cast<int32_t>(offset), size); };
  const uint32_t frame = Room + arguments, back = frame + frame_bytes_;  // `back`: where the return address lies
  for (size_t i = 0; i < saved_.size(); ++i) a_.mov(r64(saved_[i]), at(back - 8 * (static_cast<uint32_t>(i) + 1), 8));
  a_.movq(xmm(FloatScratch), at(back, 8));
  a_.movq(at(Room - 8, 8), xmm(FloatScratch));
  const uint32_t up = frame_bytes_ + 8 + own;  // from where the arguments lie to where they go
  for (uint32_t i = arguments; i > 0; i -= 16) {
    a_.movups(xmm(FloatScratch), at(Room + i - 16, 16));
    a_.movups(at(Room + i - 16 + up, 16), xmm(FloatScratch));
  }
  a_.movq(xmm(FloatScratch), at(Room - 8, 8));
  a_.movq(at(Room - 8 + up, 8), xmm(FloatScratch));
  a_.lea(x86::rsp, at(Room - 8 + up, 8));
}

/// Arguments that go to memory go first: that may need Scratch, which then holds the table entry. Checks come before rsp moves.
void Emitter::emit_call(const Inst& inst) {
  const bool code = inst.op == Op::TailCallCode;
  const bool tail = is_tail_call(inst.op);
  const bool indirect = inst.op == Op::CallIndirect || inst.op == Op::TailCallIndirect;
  const engine::Module& m = *f_.ir->module;
  const engine::FuncType& type = indirect || code ? m.types[inst.imm] : m.type_of_func(static_cast<uint32_t>(inst.imm));
  const Signature s = signature_of(type);
  const auto operands = pool(inst);
  const size_t leading = indirect || code ? 1 : 0;
  std::vector<Move> to_memory, to_registers;
  for (size_t i = 0; i < s.params.size(); ++i) {
    const Move move = move_of(operands[leading + i], place_of(s.params[i], Loc::Outgoing), s.params[i].type);
    (move.dst.is_reg() ? to_registers : to_memory).push_back(move);
  }
  if (indirect) resolve_entry(inst, operands[0]);
  else if (code) move_in(Scratch, operands[0], Type::I64);
  if (s.arguments != 0) {
    if (leading) a_.movq(xmm(FloatScratch), r64(Scratch));
    a_.sub(x86::rsp, s.arguments);
    pushed_ = s.arguments;
    parallel(to_memory);
    if (leading) a_.movq(r64(Scratch), xmm(FloatScratch));
  }
  parallel(to_registers);
  pushed_ = 0;
  if (tail) leave_for_tail_call(s.arguments);
  if (code) {
    a_.jmp(r64(Scratch));
  } else if (indirect) {
    const x86::Mem entry(r64(Scratch), 0, 8);
    if (tail) a_.jmp(entry);
    else a_.call(entry);
  } else {
    const uint8_t opcode = tail ? 0xe9 : 0xe8;
    const uint32_t zero = 0;
    a_.embed(&opcode, 1);
    out_.calls.push_back({static_cast<uint32_t>(a_.offset()), static_cast<uint32_t>(inst.imm)});
    a_.embed(&zero, 4);
  }
  if (tail) return;
  site(Site::Call, inst.wasm_pc);
  std::vector<Move> results;
  for (const Operand& o : operands.subspan(leading + s.params.size())) {
    Place p = s.results[o.imm];
    p.offset -= s.arguments;  // which are gone
    results.push_back({o.loc, place_of(p, Loc::Outgoing), p.type, 0});
  }
  parallel(results);
}

void Emitter::emit_call_slots(const Inst& inst) {
  const engine::Module& m = *f_.ir->module;
  const bool by_ref = inst.op == Op::CallRef;
  const engine::FuncType& type = m.types[by_ref ? inst.imm : inst.imm >> 32];
  const auto operands = pool(inst);
  const size_t leading = by_ref ? 1 : 0;
  std::vector<Move> moves;
  uint32_t slot = 0;
  for (uint32_t i = 0; i < type.params.size(); slot += engine::slots_of(type.params[i++]))
    moves.push_back(move_of(operands[leading + i], {Loc::Outgoing, 8 * slot}, type_of(type.params[i])));
  parallel(moves);
  if (by_ref) move_in(Rsi, operands[0], Type::I64);
  else a_.mov(r32(Rsi), static_cast<uint32_t>(inst.imm));
  a_.mov(r64(Rdi), r64(ContextReg));
  a_.mov(r64(Rdx), x86::rsp);
  if (f_.ir->thunk) a_.lea(r64(Rcx), x86::ptr(x86::rsp, static_cast<int32_t>(frame_bytes_ + 8 + out_.argument_bytes)));  // its frame's end
  call_builtin(by_ref ? Builtin::CallRef : static_cast<Builtin>(inst.aux), inst.wasm_pc);
  std::vector<Move> results;
  for (const Operand& o : operands.subspan(leading + type.params.size()))
    results.push_back({o.loc, {Loc::Outgoing, 8 * engine::slots_of(std::span(type.results).first(o.imm))}, type_of(type.results[o.imm]), 0});
  parallel(results);
}

void Emitter::emit_builtin(const Inst& inst) {
  const auto operands = pool(inst);
  std::vector<Move> moves;
  for (size_t i = 0; i < operands.size(); ++i)
    moves.push_back(move_of(operands[i], Loc::reg(SystemVArgs[i + 1]), type_of_operand(operands[i], Type::I64)));
  parallel(moves);
  a_.mov(r64(Rdi), r64(ContextReg));
  call_builtin(static_cast<Builtin>(inst.aux), inst.wasm_pc);
  if (!inst.def.is_vreg()) return;
  const Move result{inst.def.loc, Loc::reg(Rax), inst.type, 0};
  parallel({&result, 1});
}

void Emitter::emit_return(const Inst& inst) {
  const Signature s = signature_of(*f_.ir->type);
  const auto operands = pool(inst);
  std::vector<Move> moves;
  for (size_t i = 0; i < operands.size(); ++i)
    moves.push_back(move_of(operands[i], place_of(s.results[i], Loc::Argument), s.results[i].type));
  parallel(moves);
  epilogue();
  if (s.arguments) a_.ret(s.arguments);
  else a_.ret();
}

}  // namespace krait::jit
