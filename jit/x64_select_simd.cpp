// Instruction selection: v128.
//
// Two-operand SSE overwrites its left operand, so the right one must outlive the definition; three-operand AVX has no
// such need, and may take its right operand from memory wherever that lies. Sequences keep all operands to their end and
// have xmm14 beside the emitter's own scratch register.
#include <array>
#include <utility>

#include "jit/simd.hpp"
#include "jit/x64_select.hpp"

namespace krait::jit {

using engine::Opcode;

VectorForm vector_form(Opcode opcode) {
  static constexpr auto Forms = [] {
    std::array<VectorForm, engine::OpcodeCount> forms{};
#define SIMD(name, form, sse, vex, immediate) forms[static_cast<size_t>(Opcode::name)] = VectorForm::form;
#include "jit/simd.def"
#undef SIMD
    return forms;
  }();
  return Forms[static_cast<size_t>(opcode)];
}

/// A vector as an operand: constants are taken from the pool.
Operand Selector::use_vector(NodeId id, Operand::Kind kind, bool late) {
  if (f_[id].op != Op::V128Const || kind == Operand::Reg) return use(id, kind, late);
  Operand o;
  o.kind = Operand::Imm;
  o.imm = f_[id].imm;
  return o;
}

void Selector::select_two_vectors(NodeId id, NodeId a, NodeId b, bool commutes, bool late) {
  auto from_memory = [&](NodeId n) {
    return cpu_.avx && foldable_load(n, id) && static_cast<MemKind>(f_[n].aux) == MemKind::V128;
  };
  if (commutes && a != b && (f_[a].op == Op::V128Const || (from_memory(a) && !from_memory(b)))) std::swap(a, b);
  Inst& inst = add(id);
  inst.def = define(id);
  inst.a = use(a, Operand::Reg, late);
  if (a != b && from_memory(b)) {
    inst.form = Form::Load;
    fold(b);
    address(inst, f_[b].args[0], f_[b].imm, MemKind::V128);
    inst.index.late = true;
    inst.wasm_pc = f_[b].wasm_pc;
  } else {
    inst.b = use_vector(b, Operand::Any, late || !cpu_.avx);
  }
}

void Selector::select_vector(NodeId id) {
  const Node n = f_[id];
  const auto args = f_.args(id);
  const VectorForm form = vector_form(VectorImm::of(n.imm).opcode);
  switch (form) {
    case VectorForm::Binary:
    case VectorForm::BinaryImm:
    case VectorForm::Not: return select_two_vectors(id, args[0], args[1], false, false);
    case VectorForm::Commutes: return select_two_vectors(id, args[0], args[1], true, false);
    case VectorForm::Swapped:
    case VectorForm::SwappedImm:
    case VectorForm::NotSwapped: return select_two_vectors(id, args[1], args[0], false, false);
    case VectorForm::Compare:
    case VectorForm::NotCompare: return select_two_vectors(id, args[0], args[1], false, true);
    default: break;
  }
  const size_t at = reversed_.size();
  add(id);
  Operand operands[3];
  for (size_t i = 0; i < args.size(); ++i) {
    const bool vector = f_[args[i]].type == Type::V128;
    switch (form) {
      case VectorForm::Unary:
      case VectorForm::UnaryImm:
      case VectorForm::High: operands[i] = use_vector(args[i], Operand::Any, false); break;
      case VectorForm::FromZero: operands[i] = use_vector(args[i], Operand::Any, true); break;
      case VectorForm::AllTrue:
      case VectorForm::Extract:
      case VectorForm::Splat: operands[i] = use_value(args[i], Operand::Reg); break;
      case VectorForm::Shift: operands[i] = vector ? use(args[i], Operand::Reg) : use(args[i], Operand::Any, true); break;
      case VectorForm::Replace: operands[i] = vector ? use(args[i], Operand::Reg) : use_value(args[i], Operand::Reg, true); break;
      default: operands[i] = vector ? use(args[i], Operand::Reg, true) : use(args[i], Operand::Any, true);
    }
  }
  Inst& inst = reversed_[at];
  inst.def = define(id);
  inst.a = operands[0];
  inst.b = operands[1];
  inst.c = operands[2];
  if (form == VectorForm::Sequence && n.type == Type::V128) inst.clobbers = bit(Xmm(14));
}

void Selector::select_lane_access(NodeId id) {
  const Node& n = f_[id];
  const size_t at = reversed_.size();
  Inst inst = add(id);
  inst.form = Form::Load;
  address(inst, n.args[0], n.imm, static_cast<MemKind>(n.aux & 15));
  inst.a = use(n.args[1], Operand::Reg);
  if (n.op == Op::LoadLane) {
    inst.index.late = true;
    inst.def = define_or_drop(id);
  }
  reversed_[at] = inst;
}

}  // namespace krait::jit
