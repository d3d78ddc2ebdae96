// Wasm to SSA: exceptions, legacy and exnref.
//
// A call inside a try region ends its block: Invoke goes on, or to the landing of each clause that may take what is thrown
// (the engine's regions say which, innermost first). So a landing is a label like others: values of locals come together there,
// and what lies on the operand stack below the try is the same for all who come.
#include "jit/build_impl.hpp"

namespace krait::jit {

using engine::NoIndex;

void Builder::unreachable() {
  emit(Op::Trap, Type::None, {}, 0, static_cast<uint8_t>(engine::TrapKind::Unreachable));
  current_ = None;
}

/// Behind a call.
void Builder::may_throw() {
  const auto& regions = wasm_.regions;
  uint32_t region = NoIndex;  // the innermost: the last that holds the instruction
  for (uint32_t i = static_cast<uint32_t>(regions.size()); i-- > 0 && region == NoIndex;)
    if (regions[i].begin <= in_.offset && in_.offset < regions[i].end) region = i;
  std::vector<uint32_t> clauses;
  for (bool all = false; region != NoIndex && !all; region = regions[region].next)
    for (uint32_t i = 0; i < regions[region].catch_count && !all; ++i) {
      clauses.push_back(regions[region].first_catch + i);
      all = wasm_.catches[clauses.back()].tag == NoIndex;
    }
  if (clauses.empty()) return;
  const BlockId from = current_, next = new_block();
  emit(Op::Invoke, Type::None);
  add_edge(from, next);
  const uint32_t state = snapshot(0);
  for (uint32_t clause : clauses) {
    LandingPlace& landing = landings_[clause];
    if (landing.block == None) landing.block = new_block();
    add_edge(from, landing.block);
    landing.edges.push_back(state);
  }
  enter(next);
}

/// Makes the clause's landing current, its operands pushed on `height` others; false where nothing throws there.
bool Builder::land(uint32_t clause, uint32_t height) {
  const LandingPlace& landing = landings_[clause];
  stack_.resize(height);
  current_ = None;
  if (landing.edges.empty()) return false;
  enter(landing.block);
  const engine::CatchClause& c = wasm_.catches[clause];
  f_.blocks[landing.block].landing = true;
  f_.blocks[landing.block].tag = c.tag;
  join_locals(landing.edges);
  const NodeId exception =
      emit(Op::CallBuiltin, Type::I64, {}, 0, static_cast<uint8_t>(Builtin::CaughtException));
  if (c.legacy) {
    controls_.back().exception = exception;
    controls_.back().exception_slot = c.exception_slot;
  }
  if (c.tag != NoIndex) {
    uint32_t slot = 0;
    for (ValType t : m_.types[m_.tags[c.tag].type_index].params) {
      const NodeId bits = payload(exception, slot);
      switch (type_of(t)) {
        case Type::I32: push(emit(Op::Wrap, Type::I32, {{bits}})); break;
        case Type::F32: push(emit(Op::Reinterpret, Type::F32, {{emit(Op::Wrap, Type::I32, {{bits}})}})); break;
        case Type::F64: push(emit(Op::Reinterpret, Type::F64, {{bits}})); break;
        case Type::V128: {
          const NodeId high = payload(exception, slot + 1);
          const NodeId low = emit(Op::Vector, Type::V128, {{bits}}, VectorImm{Opcode::I64x2Splat}.bits());
          push(emit(Op::Vector, Type::V128, {{low, high}}, VectorImm{Opcode::I64x2ReplaceLane, 1}.bits()));
          break;
        }
        default: push(bits);
      }
      slot += engine::slots_of(t);
    }
  }
  if (c.kind == engine::CatchKind::CatchRef || c.kind == engine::CatchKind::CatchAllRef) push(exception);
  return true;
}

/// At the end of a try_table: its clauses branch to labels around it.
void Builder::land_clauses(const Control& c) {
  if (c.region == NoIndex) return;
  const engine::TryRegion& region = wasm_.regions[c.region];
  // The clauses stand in the instruction; the region begins behind it.
  engine::Reader reader(m_.bytes(), c.saved, region.begin);
  for (uint32_t i = 0; i < region.catch_count; ++i) {
    const uint32_t depth = engine::read_clause(reader).label;
    if (land(region.first_catch + i, c.height)) branch_to(depth);
  }
}

/// At a legacy catch or catch_all, whether or not what stands before it is reached.
void Builder::begin_catch() {
  Control& c = controls_.back();
  if (current_ != None) branch_to(0);
  c.kind = Opcode::Catch;
  uint32_t clause = 0;
  while (clause < wasm_.catches.size() && !(wasm_.catches[clause].legacy && wasm_.catches[clause].target_pc == in_.end)) ++clause;
  stack_.resize(c.height);
  current_ = None;
  if (clause < wasm_.catches.size()) land(clause, c.height);
}

void Builder::throw_with(NodeId exception) {
  emit(Op::CallBuiltin, Type::None, {{exception}}, 0, static_cast<uint8_t>(Builtin::ThrowRef));
  may_throw();
  unreachable();
}

void Builder::exception_instruction() {
  switch (in_.op) {
    case Opcode::Try:
    case Opcode::TryTable: {
      const uint32_t clauses = in_.list;
      begin_block();
      Control& c = controls_.back();
      c.saved = clauses;
      if (in_.op == Opcode::TryTable)
        for (uint32_t i = 0; i < wasm_.regions.size(); ++i)
          if (wasm_.regions[i].begin == in_.end) c.region = i;
      return;
    }
    case Opcode::Catch:
    case Opcode::CatchAll: return begin_catch();
    case Opcode::Delegate: return end_block();
    case Opcode::Throw: {
      const uint32_t type_index = m_.tags[in_.index].type_index;
      const size_t count = m_.types[type_index].params.size();
      emit(Op::CallSlots, Type::None, top(count), uint64_t{type_index} << 32 | in_.index, static_cast<uint8_t>(Builtin::Throw));
      drop(count);
      may_throw();
      return unreachable();
    }
    case Opcode::ThrowRef: return throw_with(pop());
    default: return throw_with(label(in_.index).exception);  // Rethrow
  }
}

}  // namespace krait::jit
