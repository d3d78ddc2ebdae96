// Blocks, branches and calls, and the side table's entries for them.
#include <algorithm>

#include "engine/leb.hpp"
#include "engine/validate.hpp"

namespace krait::engine {

bool Validator::control() {
  switch (in_.op) {
    case Opcode::Block:
    case Opcode::Loop:
    case Opcode::If:
      return open_block();
    case Opcode::Else:
      return else_branch();
    case Opcode::End:
      return end();
    case Opcode::Br:
    case Opcode::BrIf:
      return branch();
    case Opcode::BrTable:
      return branch_table();
    case Opcode::Return:
      return return_values();
    case Opcode::Call:
    case Opcode::CallIndirect:
    case Opcode::ReturnCall:
    case Opcode::ReturnCallIndirect:
      return call();
    case Opcode::Unreachable:
      set_unreachable();
      return true;
    default:
      return fail("illegal opcode " + std::string(info_of(in_.op).text));
  }
}

// -- Blocks --

bool Validator::block_types(std::span<const ValType>& params, std::span<const ValType>& results) {
  const BlockType& block = in_.block;
  if (block.type_index != NoIndex) {
    if (block.type_index >= module_.types.size())
      return fail_index("type", block.type_index, module_.types.size());
    if (needs_v128(module_.types[block.type_index])) return false;
    params = types_[block.type_index].params;
    results = types_[block.type_index].results;
    return true;
  }
  if (block.result == ValType::V128 && !function_->uses_v128) {
    restart_ = true;
    return false;
  }
  params = {};
  results = slots_of_one(block.result);
  return true;
}

bool Validator::open_block() {
  std::span<const ValType> params, results;
  if (!block_types(params, results)) return false;
  uint32_t if_entry = NoLink;
  if (in_.op == Opcode::Loop) function_->has_loop = true;
  if (in_.op == Opcode::If) {
    if (!pop(ValType::I32)) return false;
    if (!dead_) push_entry(if_entry, 0, 0);
  }
  if (!pop_list(params) || !open(in_.op, params, results)) return false;
  frame_->else_entries = if_entry;
  return true;
}

/// Enters a block whose params have been popped.
bool Validator::open(Opcode opcode, std::span<const ValType> params,
                     std::span<const ValType> results) {
  if (frames_.size() > limits::Nesting) {
    return fail("too deep nesting: the limit is " + std::to_string(limits::Nesting) + " blocks");
  }
  const bool outermost = frames_.empty();
  Frame frame{};
  frame.opcode = opcode;
  frame.dead_on_entry = dead_;
  frame.height = top_;
  frame.params = params;
  frame.results = results;
  frame.entries = frame.clauses = frame.else_entries = NoLink;
  frame.pc = in_.offset;
  frame.body = in_.end;
  frame.stp = stp();
  frame.region = outermost ? NoIndex : frame_->region;
  frame.own_region = NoIndex;
  frame.handler_depth = outermost ? 0 : frame_->handler_depth;
  frame.last_check = NoIndex;
  frames_.push_back(frame);
  frame_ = &frames_.back();
  frame_height_ = top_;
  push_list(params);
  return true;
}

/// Pops the block's results; nothing may be left below them.
bool Validator::pop_results() {
  if (!pop_list(frame_->results)) return false;
  if (top_ == frame_height_) return true;
  return fail("type mismatch: values remaining on stack at end of block: found " +
              std::string(name_of(stack_[top_ - 1])) + " below its " +
              std::to_string(frame_->results.size()) + " results");
}

/// Goes on in the same block with another of its parts: else branch or exception handler.
void Validator::restart_frame(Opcode opcode) {
  frame_->opcode = opcode;
  frame_->unreachable = false;
  dead_ = frame_->dead_on_entry;
}

bool Validator::else_branch() {
  if (frame_->opcode != Opcode::If) return fail("else without if");
  if (!pop_results()) return false;
  if (!dead_) push_entry(frame_->entries, 0, 0);
  resolve(frame_->else_entries, in_.end);
  frame_->else_entries = NoLink;
  restart_frame(Opcode::Else);
  push_list(frame_->params);
  return true;
}

bool Validator::end() {
  if (!pop_results()) return false;
  Frame& frame = *frame_;
  switch (frame.opcode) {
    case Opcode::If: {
      const bool same = std::equal(frame.params.begin(), frame.params.end(), frame.results.begin(),
                                   frame.results.end());
      if (!same) return fail("type mismatch: an if without else must give what it takes");
      break;
    }
    case Opcode::Try:
      end_try_body(frame);
      close_legacy_try(frame);
      break;
    case Opcode::Catch:
    case Opcode::CatchAll:
      close_legacy_try(frame);
      break;
    case Opcode::TryTable:
      if (frame.own_region != NoIndex) function_->regions[frame.own_region].end = in_.offset;
      break;
    default:
      break;
  }
  // The function's own label is its final end, which returns.
  close(frames_.size() == 1 ? in_.offset : in_.end);
  return true;
}

/// Leaves the block; branches to its label go to `target_pc` with the present stp.
void Validator::close(uint32_t target_pc) {
  Frame& frame = *frame_;
  resolve(frame.entries, target_pc);
  resolve(frame.else_entries, target_pc);
  for (uint32_t clause = frame.clauses; clause != NoLink;) {
    CatchClause& c = function_->catches[clause];
    clause = c.target_pc;
    c.target_pc = target_pc;
    c.target_stp = stp();
  }
  const std::span<const ValType> results = frame.results;
  dead_ = frame.dead_on_entry;
  frames_.pop_back();
  if (frames_.empty()) return;
  frame_ = &frames_.back();
  frame_height_ = frame_->height;
  push_list(results);
}

void Validator::set_unreachable() {
  top_ = frame_height_;
  frame_->unreachable = true;
  dead_ = true;
}

// -- Branches --

Validator::Frame* Validator::label(uint32_t depth) {
  if (depth < frames_.size()) return &frames_[frames_.size() - 1 - depth];
  fail_index("label", depth, frames_.size());
  return nullptr;
}

bool Validator::branch() {
  Frame* target = label(in_.index);
  if (!target) return false;
  if (in_.op == Opcode::BrIf) {
    if (!pop(ValType::I32)) return false;
    if (frame_->unreachable) {
      if (!pop_list(target->label_types())) return false;
      push_list(target->label_types());
      return true;
    }
  }
  if (!check_top(target->label_types())) return false;
  emit_to(*target);
  if (in_.op == Opcode::Br) set_unreachable();
  return true;
}

bool Validator::branch_table() {
  if (!pop(ValType::I32)) return false;
  Reader labels(module_.bytes(), in_.list, in_.end);
  size_t arity = 0;
  for (uint32_t i = 0; i <= in_.index; ++i) {
    const uint32_t depth = labels.u32();
    Frame* target = label(depth);
    if (!target) return false;
    if (target->last_check !=
        in_.offset) {  // a label is checked once, however often it stands here
      const std::span<const ValType> types = target->label_types();
      const size_t its_arity = arity_of(types);
      if (i == 0) arity = its_arity;
      if (its_arity != arity) {
        return fail("type mismatch: br_table's labels take " + std::to_string(arity) + " and " +
                    std::to_string(its_arity) + " operands");
      }
      if (!check_top(types)) return false;
      target->last_check = in_.offset;
    }
    emit_to(*target);
  }
  set_unreachable();
  return true;
}

bool Validator::return_values() {
  if (!pop_list(frames_.front().results)) return false;
  set_unreachable();
  return true;
}

bool Validator::call() {
  const bool tail = in_.op == Opcode::ReturnCall || in_.op == Opcode::ReturnCallIndirect;
  uint32_t type_index = in_.index;
  if (in_.op == Opcode::Call || in_.op == Opcode::ReturnCall) {
    if (in_.index >= module_.func_types.size())
      return fail_index("function", in_.index, module_.func_types.size());
    type_index = module_.func_types[in_.index];
  } else {
    if (!check_table(in_.index2)) return false;
    const ValType element = module_.tables[in_.index2].type.element;
    if (element != ValType::FuncRef) return fail_type("a table of funcref", element);
    if (type_index >= module_.types.size())
      return fail_index("type", type_index, module_.types.size());
    if (!pop(ValType::I32)) return false;
  }
  const FuncType& type = module_.types[type_index];
  if (needs_v128(type) || !pop_list(types_[type_index].params)) return false;
  if (!tail) {
    push_list(types_[type_index].results);
    return true;
  }
  if (type.results != module_.types[function_->type_index].results) {
    return fail("type mismatch: " + std::string(info_of(in_.op).text) +
                " expects a callee with this function's results, found " + type.to_string());
  }
  set_unreachable();
  return true;
}

// -- The side table --

void Validator::emit(uint32_t keep, uint32_t drop) {
  if (!dead_) side_table_.push_back({0, 0, keep, drop & BranchEntry::MostDrop, 0});
}

/// Adds an entry of the present instruction to a list that awaits its target (invariant 2).
void Validator::push_entry(uint32_t& list, uint32_t keep, uint32_t drop) {
  const uint32_t entry = stp();
  side_table_.push_back({static_cast<int32_t>(list), static_cast<int32_t>(in_.offset), keep, drop & BranchEntry::MostDrop, 0});
  list = entry;
}

/// Adds the entry of a branch to a label whose types are on top of the stack.
void Validator::emit_to(Frame& target) {
  if (dead_) return;
  const auto keep = static_cast<uint32_t>(target.label_types().size());
  const uint32_t drop = top_ - keep - target.height;
  push_entry(target.entries, keep, drop);
  if (target.opcode != Opcode::Loop) return;
  BranchEntry& entry = side_table_.back();
  entry.delta_pc = static_cast<int32_t>(first_of_body(target) - in_.offset);
  entry.backward = 1;
  entry.delta_stp = static_cast<int32_t>(target.stp - (stp() - 1));
  target.entries = NoLink;
}

/// The loop's first instruction that is no `block`. A function's loops look at each `block` once.
uint32_t Validator::first_of_body(Frame& loop) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(module_.bytes().data());
  return loop.body = static_cast<uint32_t>(behind_blocks(bytes + loop.body) - bytes);
}

/// Gives a list of entries their target, at the present stp.
void Validator::resolve(uint32_t entry, uint32_t target_pc) {
  const uint32_t target_stp = stp();
  while (entry != NoLink) {
    BranchEntry& e = side_table_[function_->side_table + entry];
    const auto next = static_cast<uint32_t>(e.delta_pc);
    e.delta_pc = static_cast<int32_t>(target_pc) - e.delta_stp;
    e.delta_stp = static_cast<int32_t>(target_stp - entry);
    entry = next;
  }
}

}  // namespace krait::engine
