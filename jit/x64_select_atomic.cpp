// Instruction selection: atomics. The address is a register as it comes: its alignment is to be checked.
#include "jit/x64_select.hpp"

namespace krait::jit {

void Selector::select_atomic(NodeId id) {
  const Node n = f_[id];
  const auto op = static_cast<AtomicOp>(n.aux >> 4);
  const size_t at = reversed_.size();
  Inst inst = add(id);
  inst.form = Form::Load;
  inst.kind = static_cast<MemKind>(n.aux & 15);
  inst.memory = memory_of(n.imm);
  inst.disp = offset_of(n.imm);
  inst.index = use_value(n.args[0], Operand::Reg, n.op != Op::AtomicLoad);
  switch (n.op) {
    case Op::AtomicStore: inst.b = use_value(n.args[1], Operand::Reg); break;
    case Op::AtomicRmw:
      if (op == AtomicOp::And || op == AtomicOp::Or || op == AtomicOp::Xor) {
        inst.b = use_value(n.args[1], Operand::Reg, true);
        inst.clobbers = reg_set(Rax, Rcx);
      } else {
        inst.a = use(n.args[1], Operand::Any);
      }
      break;
    case Op::AtomicCmpxchg:
      inst.a = use(n.args[1], Operand::Any);
      inst.a.hint = Rax;
      inst.b = use_value(n.args[2], Operand::Reg, true);
      inst.clobbers = reg_set(Rax, Rcx);
      break;
    default: break;
  }
  if (n.op != Op::AtomicStore) {
    inst.def = define_or_drop(id);
    inst.def.late = inst.clobbers != 0;
    if (inst.clobbers) inst.def.hint = Rax;
  }
  reversed_[at] = inst;
}

}  // namespace krait::jit
