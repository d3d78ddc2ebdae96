// Instruction selection: blocks, operands, arithmetic.
#include "jit/x64_select.hpp"

#include <algorithm>

namespace krait::jit {

Selector::Selector(Function& f, const CpuFeatures& cpu, MFunction& out)
    : f_(f), cpu_(cpu), out_(out), own_(signature_of(*f.type)), uses_(f.nodes.size()), epoch_(f.nodes.size()),
      number_(f.blocks.size(), None), vreg_of_(f.nodes.size(), None), folded_(f.nodes.size()) {
  out_.ir = &f;
}

/// Cold blocks go to the end; a split edge follows the block that it leaves.
void Selector::lay_out() {
  std::vector<BlockId> order;
  for (bool cold : {false, true})
    for (BlockId b : f_.order)
      if (f_.blocks[b].cold == cold) order.push_back(b);
  struct Edge { BlockId from; uint32_t successor; };
  auto critical = [&](BlockId from, uint32_t s) {
    return f_.blocks[from].succs.size() > 1 && f_.blocks[f_.blocks[from].succs[s]].preds.size() > 1;
  };
  auto throws = [&](BlockId b) { return f_[f_.terminator(b)].op == Op::Invoke; };
  std::vector<Edge> edges;
  for (BlockId b : order) {
    number_[b] = static_cast<uint32_t>(ir_block_.size());
    ir_block_.push_back(b);
    edges.push_back({b, None});
    if (throws(b)) continue;
    for (uint32_t s = 0; s < f_.blocks[b].succs.size(); ++s)
      if (critical(b, s)) ir_block_.push_back(None), edges.push_back({b, s});
  }
  // Each call has a landing of its own for each clause, as an edge that is split; all of them last, in the order of the calls.
  for (BlockId b : order)
    for (uint32_t s = 1; throws(b) && s < f_.blocks[b].succs.size(); ++s) ir_block_.push_back(None), edges.push_back({b, s});
  out_.blocks.resize(ir_block_.size());
  for (BlockId b : order) {
    const Block& from = f_.blocks[b];
    MBlock& block = out_.blocks[number_[b]];
    block.freq = from.freq;
    block.loop_depth = from.loop_depth;
    block.loop_header = from.loop_header;
    block.cold = from.cold;
    for (BlockId s : from.succs) block.succs.push_back(number_[s]);
    for (BlockId p : from.preds) block.preds.push_back(number_[p]);
  }
  for (uint32_t n = 0; n < edges.size(); ++n) {
    const auto [from, s] = edges[n];
    if (s == None) continue;
    const uint32_t p = number_[from], to = number_[f_.blocks[from].succs[s]];
    MBlock& edge = out_.blocks[n];
    MBlock& target = out_.blocks[to];
    edge.preds = {p};
    edge.succs = {to};
    edge.cold = target.cold;
    edge.landing = throws(from);
    edge.loop_depth = std::min(out_.blocks[p].loop_depth, target.loop_depth);
    edge.freq = target.cold && !out_.blocks[p].cold
                    ? target.freq
                    : std::min(target.freq, out_.blocks[p].freq / static_cast<float>(f_.blocks[from].succs.size()));
    out_.blocks[p].succs[s] = n;
    std::replace(target.preds.begin(), target.preds.end(), p, n);
  }
}

void Selector::count_uses() {
  for (BlockId b : f_.order) {
    uint32_t epoch = 0;
    for (NodeId id : f_.blocks[b].nodes) {
      for (uint32_t arg : f_.args(id)) ++uses_[arg];
      const uint8_t effects = info_of(f_[id].op).effects;
      epoch_[id] = epoch;
      if (effects & (Writes | Calls) || (effects & Traps && f_[id].op != Op::Load)) ++epoch;
    }
  }
}

VReg Selector::new_vreg(Type type) {
  out_.vregs.push_back({type, {}});
  return static_cast<VReg>(out_.vregs.size() - 1);
}

VReg Selector::vreg(NodeId id) {
  while (f_[id].op == Op::ExtendU) id = f_[id].args[0];
  if (vreg_of_[id] == None) vreg_of_[id] = new_vreg(f_[id].type);
  return vreg_of_[id];
}

Operand Selector::use(NodeId id, Operand::Kind kind, bool late) {
  while (f_[id].op == Op::ExtendU) id = f_[id].args[0];
  Operand o;
  o.late = late;
  if (f_.is_const(id)) {
    o.kind = Operand::Imm;
    o.imm = f_[id].imm;
  } else {
    o.kind = kind;
    o.vreg = vreg(id);
  }
  return o;
}

Operand Selector::use_value(NodeId id, Operand::Kind kind, bool late) {
  Operand o = use(id, kind, late);
  if (o.kind != Operand::Imm) return o;
  Inst load{};  // stands before its user, since the block is being made backwards
  load.op = Op::Const;
  load.type = f_[id].type;
  load.imm = o.imm;
  load.def.kind = Operand::Reg;
  load.def.def = true;
  load.def.vreg = o.vreg = new_vreg(f_[id].type);
  o.kind = kind;
  reversed_.push_back(load);
  return o;
}

Operand Selector::define(NodeId id, bool late, Operand::Kind kind) {
  Operand o;
  o.kind = kind;
  o.def = true;
  o.late = late;
  o.vreg = vreg(id);
  return o;
}

Inst& Selector::add(NodeId id) {
  Inst inst{};
  inst.op = f_[id].op;
  inst.type = f_[id].type;
  inst.aux = f_[id].aux;
  inst.imm = f_[id].imm;
  inst.wasm_pc = f_[id].wasm_pc;
  return reversed_.emplace_back(inst);
}

uint32_t Selector::pool(std::span<const Operand> operands) {
  const auto first = static_cast<uint32_t>(out_.pool.size());
  out_.pool.insert(out_.pool.end(), operands.begin(), operands.end());
  return first;
}

bool Selector::foldable_load(NodeId id, NodeId user) const {
  return f_[id].op == Op::Load && sole_use(id, user) && epoch_[id] == epoch_[user] && f_[id].imm < (uint64_t{1} << 26);
}

namespace {
bool commutes(Op op) {
  return op == Op::Add || op == Op::Mul || op == Op::And || op == Op::Or || op == Op::Xor || op == Op::FAdd || op == Op::FMul;
}
/// The load gives the whole operand as the instruction reads it.
bool full_width(const Node& load, Type type) {
  const auto kind = static_cast<MemKind>(load.aux);
  switch (type) {
    case Type::I32: return kind == MemKind::I32U || kind == MemKind::I32S;
    case Type::I64: return kind == MemKind::I64;
    case Type::F32: return kind == MemKind::F32;
    case Type::F64: return kind == MemKind::F64;
    default: return false;
  }
}
bool fits_int32(uint64_t bits, Type type) {
  return type == Type::I32 || static_cast<int64_t>(bits) == static_cast<int32_t>(bits);
}
}  // namespace

bool Selector::select_lea(NodeId id) {
  const Node& n = f_[id];
  NodeId a = n.args[0], b = n.args[1];
  auto scaled = [&](NodeId shl) {
    return f_[shl].op == Op::Shl && sole_use(shl, id) && f_.is_const(f_[shl].args[1]) && f_[f_[shl].args[1]].imm <= 3 &&
           !f_.is_const(f_[shl].args[0]);
  };
  uint64_t disp = 0;
  if (f_.is_const(b)) {  // (x + y) + constant
    if (f_[a].op != Op::Add || !sole_use(a, id) || !fits_int32(f_[b].imm, n.type)) return false;
    disp = f_[b].imm;
    b = f_[a].args[1];
    const NodeId sum = a;
    a = f_[a].args[0];
    if (f_.is_const(a) || f_.is_const(b)) return false;
    fold(sum);
    const size_t at = reversed_.size();
    add(id);
    const Operand left = use_value(a, Operand::Reg), right = use_value(b, Operand::Reg);
    Inst& inst = reversed_[at];
    inst.form = Form::Lea;
    inst.disp = disp;
    inst.def = define(id);
    inst.a = left;
    inst.index = right;
    return true;
  }
  if (scaled(a)) std::swap(a, b);
  if (!scaled(b) || f_.is_const(a)) return false;
  fold(b);
  const size_t at = reversed_.size();
  add(id);
  const Operand left = use_value(a, Operand::Reg), right = use_value(f_[b].args[0], Operand::Reg);
  Inst& inst = reversed_[at];
  inst.form = Form::Lea;
  inst.scale = static_cast<uint8_t>(f_[f_[b].args[1]].imm);
  inst.def = define(id);
  inst.a = left;
  inst.index = right;
  return true;
}

void Selector::select_binary(NodeId id) {
  const Node& n = f_[id];
  if (n.op == Op::Add && select_lea(id)) return;
  NodeId a = n.args[0], b = n.args[1];
  if (commutes(n.op)) {
    if (f_.is_const(a) || (!f_.is_const(b) && foldable_load(a, id) && !foldable_load(b, id)) ||
        (!f_.is_const(b) && !foldable_load(b, id) && uses_[a] > 1 && uses_[b] == 1))
      std::swap(a, b);
  }
  const bool from_memory = a != b && foldable_load(b, id) && full_width(f_[b], n.type);
  const size_t at = reversed_.size();
  add(id);
  Operand left = use(a, Operand::Any), right;
  if (!from_memory) right = use(b, Operand::Any, true);
  Inst& inst = reversed_[at];
  inst.def = define(id);
  inst.a = left;
  if (from_memory) {
    inst.form = Form::Load;
    fold(b);
    address(inst, f_[b].args[0], f_[b].imm, static_cast<MemKind>(f_[b].aux));
    inst.index.late = true;
    inst.wasm_pc = f_[b].wasm_pc;
  } else {
    inst.b = right;
  }
}

void Selector::select_shift(NodeId id) {
  const Node& n = f_[id];
  Inst& inst = add(id);
  inst.def = define(id);
  inst.a = use(n.args[0], Operand::Any);
  inst.b = use(n.args[1], Operand::Any);
  if (inst.b.kind == Operand::Imm) return;
  const bool rotate = n.op == Op::Rotl || n.op == Op::Rotr;
  if (cpu_.bmi2 && !rotate) {
    inst.b.kind = Operand::Reg;
    return;
  }
  inst.clobbers = bit(Rcx);
  inst.b.hint = Rcx;
}

void Selector::select_divide(NodeId id) {
  const Node& n = f_[id];
  Inst& inst = add(id);
  inst.clobbers = reg_set(Rax, Rdx);
  inst.def = define(id, true);
  inst.def.hint = n.op == Op::DivS || n.op == Op::DivU ? Rax : Rdx;
  inst.a = use(n.args[0], Operand::Any);
  inst.a.hint = Rax;
  inst.b = use(n.args[1], Operand::Any, true);
}

void Selector::select_compare(NodeId id) {
  const Node& n = f_[id];
  const Type type = f_[n.args[0]].type;
  const size_t at = reversed_.size();
  add(id);
  NodeId a = n.args[0], b = n.args[1];
  Cond cond = Cond::Eq;
  if (is_int_compare(n.op)) {
    cond = static_cast<Cond>(static_cast<int>(n.op) - static_cast<int>(Op::Eq));
    if (f_.is_const(a) && !f_.is_const(b)) std::swap(a, b), cond = swap_operands(cond);
  }
  const Operand left = use_value(a, f_.is_const(b) && !is_float(type) ? Operand::Any : Operand::Reg);
  const Operand right = use(b, Operand::Any);
  Inst& inst = reversed_[at];
  inst.type = type;
  inst.cond = cond;
  inst.def = define(id);
  inst.a = left;
  inst.b = right;
}

void Selector::select_float(NodeId id) {
  const Node& n = f_[id];
  const size_t at = reversed_.size();
  add(id);
  const Operand a = use_value(n.args[0], Operand::Reg);
  Operand b;
  if (n.count > 1) b = use(n.args[1], Operand::Any, true);
  Inst& inst = reversed_[at];
  inst.aux = static_cast<uint8_t>(f_[n.args[0]].type);
  inst.def = define(id);
  inst.a = a;
  inst.b = b;
}

void Selector::select_params() {
  std::vector<Operand> operands;
  Inst inst{};
  inst.op = Op::Param;
  for (NodeId id : f_.blocks[0].nodes) {
    if (f_[id].op != Op::Param || vreg_of_[id] == None) continue;
    const Place& place = own_.params[f_[id].imm];
    Operand o = define(id, false, Operand::Any);
    o.hint = place.reg;
    o.imm = f_[id].imm;
    if (place.reg == NoPReg) out_.vregs[o.vreg].argument = {Loc::Argument, place.offset};
    operands.push_back(o);
  }
  inst.count = static_cast<uint32_t>(operands.size());
  inst.first = pool(operands);
  reversed_.push_back(inst);
}

void Selector::select_block(BlockId b) {
  const auto& nodes = f_.blocks[b].nodes;
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    const NodeId id = *it;
    const Node& n = f_[id];
    if (n.op == Op::Phi || n.op == Op::Param) continue;
    const bool effect = (info_of(n.op).effects & (Writes | Traps | Calls | Terminator)) != 0;
    if (folded_[id] || (!effect && vreg_of_[id] == None)) continue;
    select_node(id);
  }
  if (b == 0) select_params();
}

void Selector::run() {
  lay_out();
  count_uses();
  // Phis ask for their operands, which may stand in blocks selected before: all get their vregs first.
  for (BlockId b : f_.order)
    for (NodeId id : f_.blocks[b].nodes) {
      if (f_[id].op != Op::Phi) break;
      vreg(id);
      for (uint32_t arg : f_.args(id))
        if (!f_.is_const(arg)) use(arg, Operand::Any);
    }
  // Backwards over the blocks, so that uses are seen before definitions; then put in order.
  std::vector<std::vector<Inst>> code(out_.blocks.size());
  for (uint32_t n = static_cast<uint32_t>(out_.blocks.size()); n-- > 0;) {
    reversed_.clear();
    if (ir_block_[n] == None) {
      Inst jump{};
      jump.op = Op::Jump;
      reversed_.push_back(jump);
      if (out_.blocks[n].landing) {
        Inst landing{};
        landing.op = Op::Landing;
        landing.imm = f_.blocks[ir_block_[out_.blocks[n].succs[0]]].tag;
        landing.clobbers = Allocatable;
        reversed_.push_back(landing);
      }
    } else {
      select_block(ir_block_[n]);
    }
    std::reverse(reversed_.begin(), reversed_.end());
    code[n] = reversed_;
  }
  for (uint32_t n = 0; n < out_.blocks.size(); ++n) {
    MBlock& block = out_.blocks[n];
    block.first = static_cast<uint32_t>(out_.insts.size());
    out_.insts.insert(out_.insts.end(), code[n].begin(), code[n].end());
    block.end = static_cast<uint32_t>(out_.insts.size());
    block.first_phi = block.end_phi = static_cast<uint32_t>(out_.phis.size());
    if (ir_block_[n] == None) continue;
    for (NodeId id : f_.blocks[ir_block_[n]].nodes) {
      if (f_[id].op != Op::Phi) break;
      std::vector<Operand> args;
      for (uint32_t arg : f_.args(id)) args.push_back(use(arg, Operand::Any));
      MPhi phi;
      phi.def = define(id, false, Operand::Any);
      phi.first = pool(args);
      phi.count = static_cast<uint32_t>(args.size());
      out_.phis.push_back(phi);
    }
    block.end_phi = static_cast<uint32_t>(out_.phis.size());
  }
}

void select(Function& f, const CpuFeatures& cpu, MFunction& out) { Selector(f, cpu, out).run(); }

}  // namespace krait::jit
