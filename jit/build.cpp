// Wasm to SSA in one pass over validated code.
//
// Locals are promoted as the code is read: the builder keeps the value of each local, a branch takes a snapshot of
// them, and a label where snapshots differ gets phis. A loop's back edges come after its code, so one scan ahead
// says which locals each loop assigns; those get phis at its head. Code behind an unconditional branch is skipped.
#include <algorithm>

#include "engine/leb.hpp"
#include "jit/build_impl.hpp"
#include "jit/build_ops.hpp"
#include "jit/convention.hpp"

namespace krait::jit {

uint32_t Builder::snapshot(size_t values) {
  const auto at = static_cast<uint32_t>(snapshots_.size());
  snapshots_.insert(snapshots_.end(), locals_.begin(), locals_.end());
  snapshots_.insert(snapshots_.end(), stack_.end() - static_cast<ptrdiff_t>(values), stack_.end());
  return at;
}

/// For LoopEntry, in front of the loop's phis. The interpreter keeps what legacy catches around the loop caught behind the locals.
void Builder::note_entry(const Control& c) {
  entry_->header = c.target;
  entry_->state = locals_;
  uint32_t slots = 0;
  for (NodeId local : locals_) slots += f_[local].type == Type::V128 ? 2 : 1;
  entry_->state.resize(locals_.size() + wasm_.local_slots - slots, f_.constant(Type::I64, 0));
  for (const Control& outer : controls_)
    if (outer.exception != None) entry_->state[locals_.size() + outer.exception_slot - slots] = outer.exception;
  entry_->operands = static_cast<uint32_t>(entry_->state.size());
  entry_->state.insert(entry_->state.end(), stack_.begin(), stack_.end());
}

void Builder::start_loop(Control& c) {
  c.target = new_block();
  const auto* bytes = reinterpret_cast<const uint8_t*>(m_.bytes().data());
  const bool entered = entry_ && bytes + entry_->loop == engine::behind_blocks(bytes + in_.end);
  if (entered) note_entry(c);
  emit(Op::Jump, Type::None);
  add_edge(current_, c.target);
  enter(c.target);
  c.first_phi = static_cast<uint32_t>(loop_phis_.size());
  auto add_phi = [&](uint32_t slot, NodeId& value) {
    const NodeId phi = emit(Op::Phi, f_[value].type, {});
    const uint32_t first = value;
    f_.set_args(phi, {&first, 1});
    loop_phis_.emplace_back(slot, phi);
    value = phi;
  };
  for (uint32_t i = 0; i < locals_.size(); ++i)
    if (assigns_.assigns(next_loop_, i)) add_phi(i, locals_[i]);
  for (uint32_t i = 0; i < c.params.size(); ++i)
    add_phi(static_cast<uint32_t>(locals_.size()) + i, stack_[c.height + i]);
  c.phi_count = static_cast<uint32_t>(loop_phis_.size()) - c.first_phi;
  for (uint32_t i = 0; entered && i < c.phi_count; ++i) {
    const auto [slot, phi] = loop_phis_[c.first_phi + i];
    const auto locals = static_cast<uint32_t>(locals_.size());
    entry_->phis.emplace_back(slot < locals ? slot : entry_->operands + c.height + slot - locals, phi);
  }
  ++next_loop_;
  emit(Op::Poll, Type::None);
}

void Builder::end_loop(const Control& c) {
  std::vector<uint32_t> args;
  for (uint32_t i = 0; i < c.phi_count; ++i) {
    const auto [slot, phi] = loop_phis_[c.first_phi + i];
    args.assign(1, f_.args(phi)[0]);
    for (uint32_t edge : c.edges) args.push_back(snapshots_[edge + slot]);
    f_.set_args(phi, args);
  }
  loop_phis_.resize(c.first_phi);
}

/// The value that snapshots hold at one place: a phi where they differ.
NodeId Builder::join(std::span<const uint32_t> edges, size_t at) {
  const NodeId first = snapshots_[edges[0] + at];
  if (std::all_of(edges.begin(), edges.end(), [&](uint32_t e) { return snapshots_[e + at] == first; })) return first;
  std::vector<uint32_t> args;
  for (uint32_t e : edges) args.push_back(snapshots_[e + at]);
  const NodeId phi = emit(Op::Phi, f_[first].type, {});
  f_.set_args(phi, args);
  return phi;
}

void Builder::join_locals(std::span<const uint32_t> edges) {
  for (size_t i = 0; i < locals_.size(); ++i) locals_[i] = join(edges, i);
}

/// Makes the label's block current: phis where the snapshots of its edges differ.
void Builder::merge(Control& c) {
  stack_.resize(c.height);
  if (c.edges.empty()) {
    current_ = None;
    return;
  }
  enter(c.target);
  join_locals(c.edges);
  for (size_t i = 0; i < c.results.size(); ++i) push(join(c.edges, locals_.size() + i));
}

void Builder::begin_block() {
  Control c{in_.op};
  c.params = in_.block.params(m_.types);
  c.results = in_.block.results(m_.types);
  if (in_.op == Opcode::If) {
    const NodeId condition = pop();
    c.height = static_cast<uint32_t>(stack_.size() - c.params.size());
    c.target = new_block();
    c.else_block = new_block();
    const BlockId then = new_block();
    emit(Op::Branch, Type::None, {{condition}});
    add_edge(current_, then);
    add_edge(current_, c.else_block);
    c.saved = snapshot(c.params.size());
    enter(then);
  } else {
    c.height = static_cast<uint32_t>(stack_.size() - c.params.size());
    if (in_.op == Opcode::Loop) start_loop(c);
    else c.target = new_block();
  }
  controls_.push_back(std::move(c));
}

void Builder::begin_else() {
  Control& c = controls_.back();
  if (current_ != None) branch_to(0);
  c.kind = Opcode::Else;
  enter(c.else_block);
  stack_.resize(c.height);
  std::copy_n(snapshots_.begin() + c.saved, locals_.size(), locals_.begin());
  for (size_t i = 0; i < c.params.size(); ++i) push(snapshots_[c.saved + locals_.size() + i]);
}

void Builder::end_block() {
  if (controls_.back().kind == Opcode::If) begin_else();  // no else: its edge goes on behind the end
  if (controls_.size() == 1) {
    if (current_ != None) emit_return();
    controls_.pop_back();
    return;
  }
  if (controls_.back().kind == Opcode::Loop) {
    end_loop(controls_.back());
    controls_.pop_back();
    return;  // falls out of the loop with its stack as it is, or is unreachable
  }
  if (current_ != None) branch_to(0);
  if (controls_.back().kind == Opcode::TryTable) {
    Control c = std::move(controls_.back());  // its clauses' labels are counted from outside
    controls_.pop_back();
    land_clauses(c);
    merge(c);
    return;
  }
  merge(controls_.back());
  controls_.pop_back();
}

/// Ends the current block with a jump to the label.
void Builder::branch_to(uint32_t depth) {
  Control& c = label(depth);
  if (depth + 1 == controls_.size()) {
    emit_return();
    return;
  }
  emit(Op::Jump, Type::None);
  add_edge(current_, c.target);
  c.edges.push_back(snapshot(label_types(c).size()));
  current_ = None;
}

void Builder::br_if() {
  const NodeId condition = pop();
  Control& c = label(in_.index);
  const bool returns = in_.index + 1 == controls_.size();
  const BlockId target = returns ? new_block() : c.target;
  const BlockId next = new_block();
  emit(Op::Branch, Type::None, {{condition}});
  add_edge(current_, target);
  add_edge(current_, next);
  if (returns) {
    enter(target);
    emit_return();
  } else {
    c.edges.push_back(snapshot(label_types(c).size()));
  }
  enter(next);
}

void Builder::br_table() {
  const NodeId index = pop();
  engine::Reader labels(m_.bytes(), in_.list, in_.end);
  const auto first = static_cast<uint64_t>(f_.tables.size());
  const uint32_t count = in_.index + 1;
  std::vector<std::pair<uint32_t, uint32_t>> seen;  // label, successor
  const BlockId from = current_;
  emit(Op::Switch, Type::None, {{index}}, first << 32 | count);
  BlockId return_block = None;
  std::vector<uint32_t> successor_of(controls_.size(), None);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t depth = labels.u32();
    uint32_t& successor = successor_of[depth];
    if (successor == None) {
      successor = static_cast<uint32_t>(f_.blocks[from].succs.size());
      Control& c = label(depth);
      if (depth + 1 == controls_.size()) {
        return_block = new_block();
        add_edge(from, return_block);
      } else {
        add_edge(from, c.target);
        c.edges.push_back(snapshot(label_types(c).size()));
      }
    }
    f_.tables.push_back(successor);
  }
  if (return_block != None) {
    enter(return_block);
    emit_return();
  }
  current_ = None;
}

void Builder::emit_return() {
  emit(Op::Return, Type::None, top(f_.type->results.size()));
  current_ = None;
}

/// Reads on to the `else` or `end` that ends the unreachable code, and does it.
void Builder::skip_unreachable() {
  uint32_t nested = 0;
  while (read_instruction(reader_, in_)) {
    switch (in_.op) {
      case Opcode::Block:
      case Opcode::Loop:
      case Opcode::If:
      case Opcode::Try:
      case Opcode::TryTable:
        ++nested;
        if (in_.op == Opcode::Loop) ++next_loop_;
        break;
      case Opcode::Else:
        if (nested == 0) return begin_else();
        break;
      case Opcode::Catch:
      case Opcode::CatchAll:
        if (nested == 0) return begin_catch();
        break;
      case Opcode::Delegate:
      case Opcode::End:
        if (nested == 0) return end_block();
        --nested;
        break;
      default: break;
    }
  }
}

void Builder::push_results(NodeId call, const engine::FuncType& type) {
  for (uint32_t i = 0; i < type.results.size(); ++i)
    push(i == 0 ? call : emit(Op::Result, type_of(type.results[i]), {{call}}, 0, static_cast<uint8_t>(i)));
}

const char* Builder::call_indirect(bool tail) {
  const engine::FuncType& type = m_.types[in_.index];
  if (!supports(type)) return "a signature that is too large";
  const NodeId index = pop();
  const bool own_table0 = in_.index2 == 0 && m_.imported_tables == 0;
  std::vector<uint32_t> args = {index};
  const uint64_t type_index = in_.index;
  if (!own_table0)
    args[0] = emit(Op::CallBuiltin, Type::I64, {{i32(in_.index2), index, i32(m_.canonical_type[in_.index])}}, 0,
                   static_cast<uint8_t>(Builtin::ResolveIndirect));
  args.insert(args.end(), stack_.end() - static_cast<ptrdiff_t>(type.params.size()), stack_.end());
  drop(type.params.size());
  if (tail && own_table0) {
    emit(Op::TailCallIndirect, Type::None, args, type_index);
    current_ = None;
    return nullptr;
  }
  if (tail) {
    args[0] = emit(Op::CallBuiltin, Type::I64, {{args[0]}}, 0, static_cast<uint8_t>(Builtin::CodeOf));
    emit(Op::TailCallCode, Type::None, args, type_index);
    current_ = None;
    return nullptr;
  }
  const Type result = type.results.empty() ? Type::None : type_of(type.results[0]);
  push_results(emit(own_table0 ? Op::CallIndirect : Op::CallRef, result, args, type_index), type);
  may_throw();
  return nullptr;
}

void Builder::builtin(Builtin id, Type result, std::initializer_list<uint32_t> leading, uint32_t operands) {
  std::vector<uint32_t> args;
  for (uint32_t value : leading) args.push_back(i32(value));
  args.insert(args.end(), stack_.end() - operands, stack_.end());
  drop(operands);
  const NodeId node = emit(Op::CallBuiltin, result, args, 0, static_cast<uint8_t>(id));
  if (result != Type::None) push(node);
}

const char* Builder::control_instruction() {
  switch (in_.op) {
    case Opcode::Unreachable:
      emit(Op::Trap, Type::None, {}, 0, static_cast<uint8_t>(engine::TrapKind::Unreachable));
      current_ = None;
      return nullptr;
    case Opcode::Block:
    case Opcode::Loop:
    case Opcode::If: begin_block(); return nullptr;
    case Opcode::Else: begin_else(); return nullptr;
    case Opcode::End: end_block(); return nullptr;
    case Opcode::Br: branch_to(in_.index); return nullptr;
    case Opcode::BrIf: br_if(); return nullptr;
    case Opcode::BrTable: br_table(); return nullptr;
    case Opcode::Return: emit_return(); return nullptr;
    case Opcode::Call:
    case Opcode::ReturnCall: {
      const engine::FuncType& type = m_.type_of_func(in_.index);
      if (!supports(type)) return "a signature that is too large";
      const bool tail = in_.op == Opcode::ReturnCall;
      const Type result = type.results.empty() || tail ? Type::None : type_of(type.results[0]);
      const NodeId call = emit(tail ? Op::TailCall : Op::Call, result, top(type.params.size()), in_.index);
      drop(type.params.size());
      if (tail) {
        current_ = None;
        return nullptr;
      }
      push_results(call, type);
      may_throw();
      return nullptr;
    }
    case Opcode::CallIndirect: return call_indirect(false);
    case Opcode::ReturnCallIndirect: return call_indirect(true);
    default: exception_instruction(); return nullptr;
  }
}

const char* Builder::memory_instruction() {
  switch (in_.op) {
    case Opcode::MemorySize:
      // What Context says of a shared memory's size may be older than what other threads made of it.
      if (in_.index != 0 || m_.memories[0].limits.shared) builtin(Builtin::MemorySize, Type::I32, {in_.index}, 0);
      else push(emit(Op::MemorySize, Type::I32));
      return nullptr;
    case Opcode::MemoryGrow: builtin(Builtin::MemoryGrow, Type::I32, {in_.index}, 1); return nullptr;
    case Opcode::MemoryFill: builtin(Builtin::MemoryFill, Type::None, {in_.index}, 3); return nullptr;
    case Opcode::MemoryCopy: builtin(Builtin::MemoryCopy, Type::None, {in_.index, in_.index2}, 3); return nullptr;
    case Opcode::MemoryInit: builtin(Builtin::MemoryInit, Type::None, {in_.index, in_.index2}, 3); return nullptr;
    case Opcode::DataDrop: builtin(Builtin::DataDrop, Type::None, {in_.index}, 0); return nullptr;
    default: return "unknown";
  }
}

const char* Builder::table_instruction() {
  switch (in_.op) {
    case Opcode::TableGet: builtin(Builtin::TableGet, Type::I64, {in_.index}, 1); return nullptr;
    case Opcode::TableSet: builtin(Builtin::TableSet, Type::None, {in_.index}, 2); return nullptr;
    case Opcode::TableSize: builtin(Builtin::TableSize, Type::I32, {in_.index}, 0); return nullptr;
    case Opcode::TableGrow: builtin(Builtin::TableGrow, Type::I32, {in_.index}, 2); return nullptr;
    case Opcode::TableFill: builtin(Builtin::TableFill, Type::None, {in_.index}, 3); return nullptr;
    case Opcode::TableCopy: builtin(Builtin::TableCopy, Type::None, {in_.index, in_.index2}, 3); return nullptr;
    case Opcode::TableInit: builtin(Builtin::TableInit, Type::None, {in_.index, in_.index2}, 3); return nullptr;
    case Opcode::ElemDrop: builtin(Builtin::ElemDrop, Type::None, {in_.index}, 0); return nullptr;
    case Opcode::RefFunc: builtin(Builtin::RefFunc, Type::I64, {in_.index}, 0); return nullptr;
    default: return memory_instruction();
  }
}

/// An instruction that is neither control nor bulk.
const char* Builder::instruction() {
  switch (in_.op) {
    case Opcode::Nop: return nullptr;
    case Opcode::Drop: pop(); return nullptr;
    case Opcode::Select:
    case Opcode::SelectT: {
      const NodeId condition = pop(), other = pop(), then = pop();
      push(emit(Op::Select, f_[then].type, {{condition, then, other}}));
      return nullptr;
    }
    case Opcode::LocalGet: push(locals_[in_.index]); return nullptr;
    case Opcode::LocalSet: locals_[in_.index] = pop(); return nullptr;
    case Opcode::LocalTee: locals_[in_.index] = stack_.back(); return nullptr;
    case Opcode::GlobalGet: {
      const Type type = type_of(m_.globals[in_.index].type.type);
      push(emit(Op::GlobalGet, type, {}, in_.index));
      return nullptr;
    }
    case Opcode::GlobalSet: {
      const NodeId value = pop();
      emit(Op::GlobalSet, Type::None, {{value}}, in_.index);
      return nullptr;
    }
    case Opcode::I32Const: push(f_.constant(Type::I32, in_.value)); return nullptr;
    case Opcode::I64Const: push(f_.constant(Type::I64, in_.value)); return nullptr;
    case Opcode::F32Const: push(f_.constant(Type::F32, in_.value)); return nullptr;
    case Opcode::F64Const: push(f_.constant(Type::F64, in_.value)); return nullptr;
    case Opcode::I32Eqz:
    case Opcode::I64Eqz:
    case Opcode::RefIsNull: {
      const NodeId value = pop();
      push(emit(Op::Eq, Type::I32, {{value, f_.constant(f_[value].type, 0)}}));
      return nullptr;
    }
    case Opcode::RefNull: push(f_.constant(Type::I64, 0)); return nullptr;
    default: break;
  }
  if (const MemoryOp* op = memory_op(in_.op)) {
    const NodeId value = op->store ? pop() : None;
    NodeId address = pop();
    const uint64_t place = access(address, bytes_of(op->kind));
    const auto kind = static_cast<uint8_t>(op->kind);
    if (op->store) emit(Op::Store, Type::None, {{address, value}}, place, kind);
    else push(emit(Op::Load, op->type, {{address}}, place, kind));
    return nullptr;
  }
  if (engine::info_of(in_.op).prefix == 0xfe) {
    atomic_instruction();
    return nullptr;
  }
  if (engine::info_of(in_.op).prefix == 0xfd) {
    simd_instruction();
    return nullptr;
  }
  if (const NumericOp* op = numeric_op(in_.op)) {
    const auto args = static_cast<size_t>(info_of(op->op).args);
    const NodeId node = emit(op->op, op->type, top(args));
    drop(args);
    push(node);
    return nullptr;
  }
  return table_instruction();
}

const char* Builder::run() {
  f_.blocks.emplace_back();
  enter(0);
  for (uint32_t i = 0; i < wasm_.local_count; ++i) {
    const Type type = type_of(wasm_.locals[i]);
    in_.offset = wasm_.code_begin;
    if (i < f_.type->params.size()) locals_.push_back(emit(Op::Param, type, {}, i));
    else locals_.push_back(type == Type::V128 ? v128(0, 0) : f_.constant(type, 0));
  }
  landings_.resize(wasm_.catches.size());
  if (wasm_.has_loop) assigns_.scan(m_, wasm_);
  Control body{Opcode::Block};
  body.results = f_.type->results;
  controls_.push_back(std::move(body));
  while (!controls_.empty()) {
    if (current_ == None) {
      skip_unreachable();
      continue;
    }
    if (!read_instruction(reader_, in_)) return "unreadable code";
    const char* declined = is_control(in_.op) ? control_instruction() : instruction();
    if (declined) return declined;
  }
  return nullptr;
}

bool supports(const engine::FuncType& type) { return type.results.size() < 200 && type.params.size() < 1000; }

const char* build(const engine::Module& module, uint32_t defined_func, Function& out, LoopEntry* entry) {
  out.module = &module;
  out.index = module.imported_funcs + defined_func;
  out.type = &module.type_of_func(out.index);
  if (!supports(*out.type)) return "a signature that is too large";
  if (const char* declined = Builder(module, module.functions[defined_func], out, entry).run()) return declined;
  if (entry)
    if (const char* declined = enter_at_loop(out, *entry)) return declined;
  analyse(out);
  clean(out);
  return nullptr;
}

void build_thunk(const engine::Module& module, uint32_t func_index, Builtin builtin, Function& out) {
  out.module = &module;
  out.index = func_index;
  out.type = &module.type_of_func(func_index);
  out.thunk = true;
  out.polls = false;
  out.blocks.emplace_back();
  out.order.push_back(0);
  std::vector<uint32_t> params, results;
  auto place = [&](NodeId id) {
    out[id].block = 0;
    out.blocks[0].nodes.push_back(id);
    return id;
  };
  for (uint32_t i = 0; i < out.type->params.size(); ++i)
    params.push_back(place(out.make(Op::Param, type_of(out.type->params[i]), {}, i)));
  const uint64_t type_index = module.func_types[func_index];
  const Type first = out.type->results.empty() ? Type::None : type_of(out.type->results[0]);
  const NodeId call = place(out.make(Op::CallSlots, first, params, type_index << 32 | func_index, static_cast<uint8_t>(builtin)));
  for (uint32_t i = 0; i < out.type->results.size(); ++i) {
    const uint32_t operand[] = {call};
    results.push_back(i == 0 ? call
                             : place(out.make(Op::Result, type_of(out.type->results[i]), operand, 0, static_cast<uint8_t>(i))));
  }
  place(out.make(Op::Return, Type::None, results));
  analyse(out);
}

}  // namespace krait::jit
