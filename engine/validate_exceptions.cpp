// Exceptions, legacy and exnref: try regions and their clauses.
#include <algorithm>

#include "engine/validate.hpp"

namespace krait::engine {

bool Validator::exceptions() {
  switch (in_.op) {
    case Opcode::Try:
      return open_try();
    case Opcode::Catch:
    case Opcode::CatchAll:
      return handler();
    case Opcode::Delegate:
      return delegate();
    case Opcode::TryTable:
      return open_try_table();
    case Opcode::Throw:
      return throw_tag();
    case Opcode::Rethrow:
      return rethrow();
    default:  // throw_ref
      if (!pop(ValType::ExnRef)) return false;
      set_unreachable();
      return true;
  }
}

bool Validator::check_tag(uint32_t tag) {
  return tag < module_.tags.size() || fail_index("tag", tag, module_.tags.size());
}

bool Validator::throw_tag() {
  if (!check_tag(in_.index)) return false;
  const uint32_t type = module_.tags[in_.index].type_index;
  if (needs_v128(module_.types[type]) || !pop_list(types_[type].params)) return false;
  set_unreachable();
  return true;
}

bool Validator::rethrow() {
  const Frame* target = label(in_.index);
  if (!target) return false;
  if (target->opcode != Opcode::Catch && target->opcode != Opcode::CatchAll) {
    return fail("invalid rethrow label " + std::to_string(in_.index) +
                ": expected a catch or catch_all");
  }
  emit(target->exception_slot, 0);
  set_unreachable();
  return true;
}

/// A region that begins behind the present instruction, within those around it; NoIndex in dead
/// code.
uint32_t Validator::add_region() {
  if (dead_) return NoIndex;
  std::vector<TryRegion>& regions = function_->regions;
  regions.push_back({in_.end, in_.end, 0, 0, frame_->region});
  return static_cast<uint32_t>(regions.size()) - 1;
}

// -- Legacy: try, catch, catch_all, delegate --

bool Validator::open_try() {
  std::span<const ValType> params, results;
  if (!block_types(params, results) || !pop_list(params)) return false;
  const uint32_t region = add_region();
  if (!open(Opcode::Try, params, results)) return false;
  frame_->own_region = region;
  if (region != NoIndex) frame_->region = region;
  frame_->first_handler = static_cast<uint32_t>(handlers_.size());
  return true;
}

/// The protected body ends in front of the present instruction; its handlers are outside of it.
void Validator::end_try_body(Frame& frame) {
  if (frame.own_region == NoIndex) return;
  TryRegion& region = function_->regions[frame.own_region];
  region.end = in_.offset;
  frame.region = region.next;
}

bool Validator::handler() {
  const bool all = in_.op == Opcode::CatchAll;
  Frame& frame = *frame_;
  if (frame.opcode != Opcode::Try && frame.opcode != Opcode::Catch) {
    return fail(std::string(info_of(in_.op).text) + " outside of a try block" +
                (frame.opcode == Opcode::CatchAll ? ": it is behind a catch_all" : ""));
  }
  std::span<const ValType> payload;
  if (!all) {
    if (!check_tag(in_.index)) return false;
    const uint32_t type = module_.tags[in_.index].type_index;
    if (needs_v128(module_.types[type])) return false;
    payload = types_[type].params;
  }
  if (!pop_results()) return false;
  if (!dead_) push_entry(frame.entries, 0, 0);
  if (frame.opcode == Opcode::Try) {
    end_try_body(frame);
    frame.exception_slot = declared_slots_ + frame.handler_depth++;
    if (!frame.dead_on_entry)
      function_->local_slots = std::max(function_->local_slots, frame.exception_slot + 1);
  }
  restart_frame(in_.op);
  if (!dead_) {
    handlers_.push_back({all ? CatchKind::CatchAll : CatchKind::Catch, true,
                         all ? NoIndex : in_.index, in_.end, stp(), frame.height,
                         frame.exception_slot});
  }
  push_list(payload);
  return true;
}

/// Moves the handlers of a try that ends from their stack, where those of outer tries stay, to the
/// function.
void Validator::close_legacy_try(const Frame& frame) {
  if (frame.own_region == NoIndex) return;
  TryRegion& region = function_->regions[frame.own_region];
  std::vector<CatchClause>& catches = function_->catches;
  region.first_catch = static_cast<uint32_t>(catches.size());
  region.catch_count = static_cast<uint32_t>(handlers_.size()) - frame.first_handler;
  catches.insert(catches.end(), handlers_.begin() + frame.first_handler, handlers_.end());
  handlers_.resize(frame.first_handler);
}

bool Validator::delegate() {
  Frame& frame = *frame_;
  if (frame.opcode != Opcode::Try) return fail("delegate outside of a try block");
  if (!pop_results()) return false;
  if (in_.index >= frames_.size() - 1) return fail_index("label", in_.index, frames_.size() - 1);
  end_try_body(frame);
  // The label counts from outside of the try. A try's body goes to its handlers, any other block to
  // the region that is around it.
  const Frame& target = frames_[frames_.size() - 2 - in_.index];
  if (frame.own_region != NoIndex) function_->regions[frame.own_region].next = target.region;
  close(in_.end);
  return true;
}

// -- try_table --

bool Validator::open_try_table() {
  std::span<const ValType> params, results;
  if (!block_types(params, results) || !pop_list(params)) return false;
  const uint32_t first = static_cast<uint32_t>(function_->catches.size());
  Reader clauses(module_.bytes(), in_.list, in_.end);
  for (uint32_t i = 0; i < in_.index; ++i) {
    if (!add_clause(read_clause(clauses))) return false;
  }
  const uint32_t region = add_region();
  if (region != NoIndex) {
    function_->regions[region].first_catch = first;
    function_->regions[region].catch_count = in_.index;
  }
  if (!open(Opcode::TryTable, params, results)) return false;
  frame_->own_region = region;
  if (region != NoIndex) frame_->region = region;
  return true;
}

/// Checks that the label takes just what the clause gives: the payload, and for the Ref kinds the
/// exnref.
bool Validator::add_clause(const TryTableClause& clause) {
  Frame* target = label(clause.label);
  if (!target) return false;
  std::span<const ValType> payload;
  if (clause.tag != NoIndex) {
    if (!check_tag(clause.tag)) return false;
    const uint32_t type = module_.tags[clause.tag].type_index;
    if (needs_v128(module_.types[type])) return false;
    payload = types_[type].params;
  }
  std::span<const ValType> types = target->label_types();
  bool matches = true;
  if (clause.kind == CatchKind::CatchRef || clause.kind == CatchKind::CatchAllRef) {
    matches = !types.empty() && types.back() == ValType::ExnRef;
    if (matches) types = types.first(types.size() - 1);
  }
  if (!matches || !std::equal(types.begin(), types.end(), payload.begin(), payload.end())) {
    return fail("type mismatch: a catch clause gives other types than label " +
                std::to_string(clause.label) + " takes");
  }
  if (dead_) return true;
  CatchClause resolved{clause.kind, false,          clause.tag, target->pc,
                       target->stp, target->height, NoIndex};
  if (target->opcode != Opcode::Loop) {
    resolved.target_pc = target->clauses;
    target->clauses = static_cast<uint32_t>(function_->catches.size());
  }
  function_->catches.push_back(resolved);
  return true;
}

}  // namespace krait::engine
