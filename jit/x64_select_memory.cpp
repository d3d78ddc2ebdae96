// Instruction selection: memory, conditions, calls.
#include <algorithm>

#include "engine/memory.hpp"
#include "jit/range.hpp"
#include "jit/x64_select.hpp"

namespace krait::jit {

void Selector::address(Inst& inst, NodeId node, uint64_t offset, MemKind kind) {
  inst.kind = kind;
  inst.memory = memory_of(offset);
  inst.disp = offset = offset_of(offset);
  if (inst.memory != 0) {  // its base takes the scratch register, so the rest must fit an address
    inst.index = use_value(node, Operand::Reg);
    return;
  }
  if (f_.is_const(node)) {
    inst.disp += f_[node].imm;
    return;
  }
  // x + constant, if that cannot wrap.
  if (f_[node].op == Op::Add && f_.is_const(f_[node].args[1]) && !f_.is_const(f_[node].args[0])) {
    const uint64_t constant = f_[f_[node].args[1]].imm;
    if (upper_bound(f_, f_[node].args[0]) + constant <= 0xffffffff && offset + constant < (uint64_t{1} << 31)) {
      inst.disp += constant;
      node = f_[node].args[0];
    }
  }
  if (f_[node].op == Op::Shl && f_.is_const(f_[node].args[1]) && f_[f_[node].args[1]].imm <= 3 &&
      !f_.is_const(f_[node].args[0]) &&
      upper_bound(f_, f_[node].args[0]) << f_[f_[node].args[1]].imm <= 0xffffffff) {
    inst.scale = static_cast<uint8_t>(f_[f_[node].args[1]].imm);
    node = f_[node].args[0];
  }
  inst.index = use(node, Operand::Reg);
}

void Selector::select_load(NodeId id) {
  const Node& n = f_[id];
  const size_t at = reversed_.size();
  Inst inst = add(id);
  inst.def = define_or_drop(id);
  address(inst, n.args[0], n.imm, static_cast<MemKind>(n.aux));
  reversed_[at] = inst;
}

/// The result, or a place for it where only the effect is wanted.
Operand Selector::define_or_drop(NodeId id) {
  if (vreg_of_[id] != None || uses_[id] > 0) return define(id);
  return Operand{Operand::Reg, true, false, NoPReg, new_vreg(f_[id].type), {}, 0};
}

bool Selector::select_modify(NodeId id) {
  const Node& store = f_[id];
  const NodeId value = store.args[1];
  const Node& v = f_[value];
  if (v.op != Op::Add && v.op != Op::Sub && v.op != Op::And && v.op != Op::Or && v.op != Op::Xor) return false;
  if (!sole_use(value, id) || store.imm >= (uint64_t{1} << 26)) return false;
  NodeId load = v.args[0], other = v.args[1];
  if (f_[load].op != Op::Load && v.op != Op::Sub) std::swap(load, other);
  if (load == other || !foldable_load(load, value) || epoch_[load] != epoch_[id]) return false;
  const Node& l = f_[load];
  if (l.args[0] != store.args[0] || l.imm != store.imm) return false;
  const auto kind = static_cast<MemKind>(store.aux);
  if (bytes_of(static_cast<MemKind>(l.aux)) != bytes_of(kind) || is_float(v.type)) return false;
  if (f_.is_const(other) && static_cast<int64_t>(f_[other].imm) != static_cast<int32_t>(f_[other].imm) && v.type == Type::I64)
    return false;
  fold(value);
  fold(load);
  Inst& inst = add(id);
  inst.op = v.op;
  inst.form = Form::Modify;
  inst.type = bytes_of(kind) == 8 ? Type::I64 : Type::I32;
  inst.b = use(other, Operand::Reg);
  address(inst, store.args[0], store.imm, kind);
  return true;
}

void Selector::select_store(NodeId id) {
  if (select_modify(id)) return;
  const Node& n = f_[id];
  const auto kind = static_cast<MemKind>(n.aux);
  const size_t at = reversed_.size();
  add(id);
  NodeId value = n.args[1];
  // The store takes the low part by itself.
  while (f_[value].op == Op::Wrap && bytes_of(kind) <= 4 && sole_use(value, id)) fold(value), value = f_[value].args[0];
  Inst scratch{};
  address(scratch, n.args[0], n.imm, kind);
  const bool big = scratch.disp >= engine::GuardBytes - 16 || scratch.memory != 0;
  const bool immediate = f_.is_const(value) && !big &&
                         (bytes_of(kind) <= 4 || static_cast<int64_t>(f_[value].imm) == static_cast<int32_t>(f_[value].imm));
  const Operand b = immediate ? use(value, Operand::Reg) : use_value(value, Operand::Reg);
  Inst& inst = reversed_[at];
  inst.type = f_[value].type;
  inst.kind = kind;
  inst.disp = scratch.disp;
  inst.memory = scratch.memory;
  inst.scale = scratch.scale;
  inst.index = scratch.index;
  inst.b = b;
}

bool Selector::compare_with_memory(Inst& inst, NodeId load, NodeId other, NodeId user) {
  if (!foldable_load(load, user) || load == other) return false;
  const Node& l = f_[load];
  const auto kind = static_cast<MemKind>(l.aux);
  if (inst.type == Type::I32 && f_.is_const(other) && (kind == MemKind::I8U || kind == MemKind::I16U)) {
    if (f_[other].imm > (kind == MemKind::I8U ? 0xffu : 0xffffu)) return false;
    constexpr Cond Unsigned[] = {Cond::Eq, Cond::Ne, Cond::LtU, Cond::LtU, Cond::GtU, Cond::GtU, Cond::LeU, Cond::LeU, Cond::GeU, Cond::GeU};
    inst.cond = Unsigned[static_cast<size_t>(inst.cond)];
  } else if (!(inst.type == Type::I32 && bytes_of(kind) == 4) && !(inst.type == Type::I64 && kind == MemKind::I64)) {
    return false;
  }
  if (f_.is_const(other) && inst.type == Type::I64 && static_cast<int64_t>(f_[other].imm) != static_cast<int32_t>(f_[other].imm))
    return false;
  fold(load);
  inst.memory_operand = true;
  inst.wasm_pc = l.wasm_pc;
  inst.c = use(other, Operand::Reg);
  address(inst, l.args[0], l.imm, kind);
  return true;
}

/// left `cond` right. A memory operand is the left side for the CPU: cmp [m], c; so there `cond` is as given for left in memory.
void Selector::compare_operands(Inst& inst, NodeId left, NodeId right, NodeId user) {
  if (compare_with_memory(inst, left, right, user)) return;
  if (foldable_load(right, user)) {
    const Cond cond = inst.cond;
    inst.cond = swap_operands(cond);
    if (compare_with_memory(inst, right, left, user)) return;
    inst.cond = cond;
  }
  if (f_.is_const(left) && !f_.is_const(right)) std::swap(left, right), inst.cond = swap_operands(inst.cond);
  inst.index = use(right, Operand::Any);
  inst.c = use(left, inst.index.kind == Operand::Imm ? Operand::Any : Operand::Reg);
}

void Selector::condition(Inst& inst, NodeId id, NodeId user) {
  const Node& n = f_[id];
  const bool sole = sole_use(id, user);
  if (sole && is_compare(n.op)) {
    const NodeId left = n.args[0], right = n.args[1];
    inst.form = Form::Compare;
    inst.type = f_[left].type;
    if (is_float(inst.type)) {
      if (f_.is_const(left)) {
        inst.form = Form::Plain;
      } else {
        fold(id);
        inst.aux = static_cast<uint8_t>(n.op);  // the emitter needs the comparison itself
        inst.c = use(left, Operand::Reg);
        inst.index = use(right, Operand::Any);
        return;
      }
    } else if (!(f_.is_const(left) && f_.is_const(right))) {
      fold(id);
      inst.cond = static_cast<Cond>(static_cast<int>(n.op) - static_cast<int>(Op::Eq));
      const Node& l = f_[left];
      const bool equality = n.op == Op::Eq || n.op == Op::Ne;
      if (equality && l.op == Op::And && f_.is_const(right) && f_[right].imm == 0 && sole_use(left, id) &&
          !f_.is_const(l.args[0])) {
        fold(left);
        inst.form = Form::Test;
        inst.c = use(l.args[0], Operand::Reg);
        inst.index = use(l.args[1], Operand::Reg);
        return;
      }
      compare_operands(inst, left, right, user);
      return;
    }
  }
  inst.cond = Cond::Ne;
  inst.type = Type::I32;
  if (sole && n.op == Op::And && !f_.is_const(n.args[0])) {
    fold(id);
    inst.form = Form::Test;
    inst.c = use(n.args[0], Operand::Reg);
    inst.index = use(n.args[1], Operand::Reg);
    return;
  }
  inst.form = Form::Compare;
  inst.index = Operand{Operand::Imm};
  inst.c = use(id, Operand::Any);
}

void Selector::select_branch(NodeId id) {
  const size_t at = reversed_.size();
  Inst inst = add(id);
  const NodeId cond = f_[id].args[0];
  if (f_.is_const(cond)) {
    inst.form = Form::Compare;
    inst.type = Type::I32;
    inst.cond = Cond::Ne;
    inst.index = Operand{Operand::Imm};
    inst.c = use_value(cond, Operand::Reg);
  } else {
    condition(inst, cond, id);
  }
  reversed_[at] = inst;
}

void Selector::select_select(NodeId id) {
  const Node n = f_[id];
  const size_t at = reversed_.size();
  Inst inst = add(id);
  if (f_.is_const(n.args[0])) {
    inst.form = Form::Compare;
    inst.cond = Cond::Ne;
    inst.index = Operand{Operand::Imm};
    inst.c = use_value(n.args[0], Operand::Reg);
    inst.type = Type::I32;
  } else {
    condition(inst, n.args[0], id);
  }
  // `kind` and `type` speak of the comparison; imm says what is selected.
  inst.imm = static_cast<uint64_t>(n.type);
  inst.a = use(n.args[1], Operand::Any, true);
  inst.b = use(n.args[2], Operand::Any);
  inst.def = define(id);
  reversed_[at] = inst;
}

void Selector::select_switch(NodeId id) {
  const Node& n = f_[id];
  const auto first = static_cast<uint32_t>(n.imm >> 32), count = static_cast<uint32_t>(n.imm);
  const MBlock& block = out_.blocks[number_[n.block]];
  const size_t at = reversed_.size();
  add(id);
  if (block.succs.size() == 1) {
    reversed_[at].op = Op::Jump;
    return;
  }
  const Operand index = use_value(n.args[0], Operand::Reg);
  Inst& inst = reversed_[at];
  inst.a = index;
  inst.aux = n.aux;  // the default is never taken
  inst.imm = static_cast<uint64_t>(out_.tables.size()) << 32 | count;
  for (uint32_t i = 0; i < count; ++i) out_.tables.push_back(block.succs[f_.tables[first + i]]);
}

void Selector::select_call(NodeId id) {
  const Node& n = f_[id];
  const engine::Module& m = *f_.module;
  const bool tail = is_tail_call(n.op);
  const bool direct = n.op == Op::Call || n.op == Op::TailCall;
  const bool slots = n.op == Op::CallSlots || n.op == Op::CallRef;
  const engine::FuncType& type = n.op == Op::CallSlots ? m.types[n.imm >> 32] : direct ? m.type_of_func(static_cast<uint32_t>(n.imm))
                                                                              : m.types[n.imm];
  const Signature s = signature_of(type);
  const auto args = f_.args(id);
  const size_t leading = args.size() - type.params.size();  // table index, reference
  std::vector<Operand> operands;
  for (size_t i = 0; i < args.size(); ++i) {
    Operand o = use(args[i], Operand::Any);
    if (i >= leading && !slots) o.hint = s.params[i - leading].reg;
    operands.push_back(o);
  }
  Inst& inst = add(id);
  inst.clobbers = slots ? SystemVClobbers : CallClobbers;
  if (!tail) {
    auto result = [&](NodeId value, size_t k) {
      Operand o = define(value, true, Operand::Any);
      if (!slots) o.hint = s.results[k].reg;
      o.imm = k;
      operands.push_back(o);
    };
    if (!type.results.empty() && vreg_of_[id] != None) result(id, 0);
    const auto& nodes = f_.blocks[n.block].nodes;
    auto it = type.results.size() > 1 ? std::find(nodes.begin(), nodes.end(), id) + 1 : nodes.end();
    for (; it != nodes.end() && f_[*it].op == Op::Result; ++it)
      if (vreg_of_[*it] != None) result(*it, f_[*it].aux);
    out_.calls = true;
  }
  inst.count = static_cast<uint32_t>(operands.size());
  inst.first = pool(operands);
  const uint32_t area = slots ? 8 * std::max({type.param_slots, type.result_slots, 1u}) : s.results_area;
  out_.outgoing = std::max(out_.outgoing, area);
}

void Selector::select_builtin(NodeId id) {
  std::vector<Operand> operands;
  const auto args = f_.args(id);
  for (size_t i = 0; i < args.size(); ++i) {
    Operand o = use(args[i], Operand::Any);
    o.hint = SystemVArgs[i + 1];
    operands.push_back(o);
  }
  Inst& inst = add(id);
  inst.clobbers = SystemVClobbers;
  if (vreg_of_[id] != None) {
    inst.def = define(id, true, Operand::Any);
    inst.def.hint = Rax;
  }
  inst.count = static_cast<uint32_t>(operands.size());
  inst.first = pool(operands);
  out_.calls = true;
}

void Selector::select_return(NodeId id) {
  std::vector<Operand> operands;
  const auto args = f_.args(id);
  for (size_t i = 0; i < args.size(); ++i) {
    Operand o = use(args[i], Operand::Any);
    o.hint = own_.results[i].reg;
    operands.push_back(o);
  }
  Inst& inst = add(id);
  inst.count = static_cast<uint32_t>(operands.size());
  inst.first = pool(operands);
}

void Selector::select_node(NodeId id) {
  const Node& n = f_[id];
  switch (n.op) {
    case Op::Add: case Op::Sub: case Op::Mul: case Op::And: case Op::Or: case Op::Xor:
      return select_binary(id);
    case Op::FAdd: case Op::FSub: case Op::FMul: case Op::FDiv:
      return select_binary(id);
    case Op::Shl: case Op::ShrS: case Op::ShrU: case Op::Rotl: case Op::Rotr: return select_shift(id);
    case Op::MulHighU: case Op::MulHighS: case Op::DivS: case Op::DivU: case Op::RemS: case Op::RemU:
      return select_divide(id);
    case Op::FMin: case Op::FMax: case Op::FCopysign: case Op::FAbs: case Op::FNeg: case Op::FCeil: case Op::FFloor:
    case Op::FTrunc: case Op::FNearest: case Op::FSqrt: case Op::Promote: case Op::Demote:
    case Op::TruncS: case Op::TruncU: case Op::TruncSatS: case Op::TruncSatU:
      return select_float(id);
    case Op::Clz: case Op::Ctz: case Op::Popcnt: case Op::Extend8S: case Op::Extend16S: case Op::Extend32S: case Op::Wrap:
    case Op::ExtendS: case Op::ConvertS: case Op::ConvertU: case Op::Reinterpret: {
      const Type from = f_[n.args[0]].type;
      const size_t at = reversed_.size();
      add(id);
      const Operand a = use_value(n.args[0], n.op == Op::ConvertU ? Operand::Reg : Operand::Any);
      Inst& inst = reversed_[at];
      inst.aux = static_cast<uint8_t>(from);
      inst.def = define(id);
      inst.a = a;
      return;
    }
    case Op::Select: return select_select(id);
    case Op::Load: return select_load(id);
    case Op::Store: return select_store(id);
    case Op::MemorySize: case Op::GlobalGet: add(id).def = define(id); return;
    case Op::GlobalSet: {
      const size_t at = reversed_.size();
      add(id);
      const Operand b = use_value(n.args[0], Operand::Reg);
      reversed_[at].b = b;
      reversed_[at].type = f_[n.args[0]].type;
      return;
    }
    case Op::Branch: return select_branch(id);
    case Op::Switch: return select_switch(id);
    case Op::Call: case Op::CallIndirect: case Op::CallSlots: case Op::CallRef: case Op::TailCall: case Op::TailCallIndirect: case Op::TailCallCode:
      return select_call(id);
    case Op::CallBuiltin: return select_builtin(id);
    case Op::Return: return select_return(id);
    case Op::Result: case Op::ExtendU: return;
    case Op::Poll: add(id); return;
    case Op::AtomicLoad: case Op::AtomicStore: case Op::AtomicRmw: case Op::AtomicCmpxchg: return select_atomic(id);
    case Op::Vector: return select_vector(id);
    case Op::LoadLane: case Op::StoreLane: return select_lane_access(id);
    case Op::V128Const: add(id).def = define(id); return;
    case Op::Const: case Op::Param: case Op::Phi: return;
    default: break;
  }
  if (is_compare(n.op)) return select_compare(id);
  add(id);  // Jump, Trap
}

}  // namespace krait::jit
