// The emitter: frame, blocks, moves, constants.
#include <algorithm>
#include <cstddef>

#include "engine/context.hpp"
#include "jit/jit.hpp"
#include "jit/x64_emit_impl.hpp"

namespace krait::jit {

using engine::Context;
using engine::TrapKind;

namespace {
constexpr uint32_t MaxFrame = 64 << 10;   // well within what is kept below the stack limit
constexpr uint32_t SmallFrame = 256;
constexpr float AlignFreq = 4;
}  // namespace

Emitter::Emitter(MFunction& f, const Allocation& allocation, const CpuFeatures& cpu, CompiledFunction& out)
    : f_(f), allocation_(allocation), cpu_(cpu), out_(out) {
  code_.init(asmjit::Environment(asmjit::Arch::kX64));
}

/// Blocks that hold nothing but a jump are not emitted.
void Emitter::find_empty_blocks() {
  const auto count = static_cast<uint32_t>(f_.blocks.size());
  alias_.resize(count);
  for (uint32_t b = 0; b < count; ++b) {
    const MBlock& block = f_.blocks[b];
    alias_[b] = b;
    if (b == 0 || block.end - block.first != 1 || f_.insts[block.first].op != Op::Jump) continue;
    auto move = std::lower_bound(allocation_.moves.begin(), allocation_.moves.end(), 4 * block.first,
                                 [](const PlacedMove& m, uint32_t pos) { return m.pos < pos; });
    if (move != allocation_.moves.end() && move->pos == 4 * block.first) continue;
    if (block.succs[0] != b) alias_[b] = block.succs[0];
  }
  next_.assign(count, None);
  uint32_t last = None;
  for (uint32_t b = 0; b < count; ++b) {
    if (alias_[b] != b && target(b) != b) continue;
    if (last != None) next_[last] = b;
    last = b;
  }
}

uint32_t Emitter::target(uint32_t block) const {
  for (uint32_t steps = 0; alias_[block] != block && steps < alias_.size(); ++steps) block = alias_[block];
  return block;
}

void Emitter::lay_out_frame() {
  RegSet used = allocation_.used_callee_saved;
  bool calls = f_.calls;
  for (const Inst& inst : f_.insts) {
    used |= inst.clobbers & CalleeSaved;
    calls |= inst.op == Op::CallBuiltin || inst.op == Op::CallSlots || inst.op == Op::CallRef;
    tail_calls_ |= is_tail_call(inst.op);
  }
  f_.calls = calls;
  for (PReg r = 0; r < 16; ++r)
    if (used & bit(r)) saved_.push_back(r);
  const auto pushed = static_cast<uint32_t>(8 * saved_.size());
  local_bytes_ = ((f_.outgoing + 15) & ~15u) + 8 * allocation_.slots;
  const bool vectors = std::any_of(f_.vregs.begin(), f_.vregs.end(), [](const VRegInfo& v) { return v.type == Type::V128; });
  if ((calls || vectors) && (pushed + local_bytes_ + 8) % 16 != 0) local_bytes_ += 8;
  frame_bytes_ = pushed + local_bytes_;
  out_.frame_bytes = frame_bytes_;
  out_.argument_bytes = signature_of(*f_.ir->type).arguments;
}

void Emitter::prologue() {
  for (PReg r : saved_) a_.push(r64(r));
  if (local_bytes_) a_.sub(x86::rsp, local_bytes_);
  const uint32_t at = f_.insts[0].wasm_pc;
  if (!f_.calls && !tail_calls_ && frame_bytes_ <= SmallFrame) return;  // tail calls make loops
  ColdPoll p{a_.newLabel(), a_.newLabel(), at, trap(TrapKind::StackOverflow, at), f_.ir->polls};
  a_.cmp(x86::rsp, context_field(offsetof(Context, entry_limit), 8));
  a_.jb(p.label);
  a_.bind(p.back);
  polls_.push_back(p);
}

void Emitter::epilogue() {
  if (local_bytes_) a_.add(x86::rsp, local_bytes_);
  for (auto it = saved_.rbegin(); it != saved_.rend(); ++it) a_.pop(r64(*it));
}

void Emitter::site(uint32_t kind, uint32_t wasm_pc) {
  out_.sites.push_back({static_cast<uint32_t>(a_.offset()), (wasm_pc & Site::WasmMask) | kind << Site::WasmBits});
}

asmjit::Label Emitter::trap(TrapKind kind, uint32_t wasm_pc) {
  if (!traps_.empty() && traps_.back().kind == kind && traps_.back().wasm_pc == wasm_pc) return traps_.back().label;
  traps_.push_back({a_.newLabel(), kind, wasm_pc});
  return traps_.back().label;
}

void Emitter::poll(uint32_t wasm_pc) {
  ColdPoll p{a_.newLabel(), a_.newLabel(), wasm_pc, {}, true};
  a_.cmp(context_field(offsetof(Context, interrupt), 4), 0);
  a_.jne(p.label);
  a_.bind(p.back);
  polls_.push_back(p);
}

x86::Mem Emitter::constant(uint64_t low, uint64_t high, uint32_t bytes) {
  for (const Constant& c : constants_)
    if (c.low == low && c.high == high && c.bytes == bytes) return x86::ptr(c.label, 0, bytes);
  constants_.push_back({a_.newLabel(), low, high, bytes});
  return x86::ptr(constants_.back().label, 0, bytes);
}

x86::Mem Emitter::memory(Loc loc, uint32_t size) const {
  const uint32_t slots = (f_.outgoing + 15) & ~15u;
  const uint32_t at = loc.kind == Loc::Slot ? slots + 8 * loc.at : loc.kind == Loc::Argument ? frame_bytes_ + 8 + loc.at : loc.at;
  return x86::Mem(x86::rsp, static_cast<int32_t>(at + (loc.kind == Loc::Outgoing ? 0 : pushed_)), size);
}

void Emitter::load_constant(PReg dst, Type type, uint64_t bits, bool keep_flags) {
  if (is_float(type)) {
    if (bits == 0) a_.xorps(xmm(dst), xmm(dst));
    else if (type == Type::F32) a_.movss(xmm(dst), constant(bits, 0, 4));
    else a_.movsd(xmm(dst), constant(bits, 0, 8));
    return;
  }
  if (bits == 0 && !keep_flags) a_.xor_(r32(dst), r32(dst));
  else if (bits <= 0xffffffff) a_.mov(r32(dst), bits);
  else a_.mov(r64(dst), bits);
}

void Emitter::copy(const Move& m) {
  const bool wide = m.type == Type::V128;
  if (m.src.kind == Loc::Nowhere) {
    if (m.dst.is_reg()) return load_constant(static_cast<PReg>(m.dst.at), m.type, m.imm, false);
    if (static_cast<int64_t>(m.imm) == static_cast<int32_t>(m.imm)) {
      a_.mov(memory(m.dst, 8), static_cast<int32_t>(m.imm));
    } else {
      load_constant(Scratch, Type::I64, m.imm, false);
      a_.mov(memory(m.dst, 8), r64(Scratch));
    }
    return;
  }
  const auto src = static_cast<PReg>(m.src.at), dst = static_cast<PReg>(m.dst.at);
  if (m.src.is_reg() && m.dst.is_reg()) {
    if (is_xmm(src) && is_xmm(dst)) a_.movaps(xmm(dst), xmm(src));
    else if (is_xmm(src)) a_.movq(r64(dst), xmm(src));
    else if (is_xmm(dst)) a_.movq(xmm(dst), r64(src));
    else a_.mov(gp(m.type, dst), gp(m.type, src));
  } else if (m.dst.is_reg()) {
    if (!is_xmm(dst)) a_.mov(gp(m.type, dst), memory(m.src, m.type == Type::I32 ? 4 : 8));
    else if (wide) a_.movups(xmm(dst), memory(m.src, 16));
    else if (m.type == Type::F32) a_.movss(xmm(dst), memory(m.src, 4));
    else a_.movsd(xmm(dst), memory(m.src, 8));
  } else if (m.src.is_reg()) {
    if (!is_xmm(src)) a_.mov(memory(m.dst, 8), r64(src));
    else if (wide) a_.movups(memory(m.dst, 16), xmm(src));
    else a_.movsd(memory(m.dst, 8), xmm(src));
  } else if (wide) {  // not through FloatScratch: that may hold what a cycle of moves keeps there
    for (uint32_t half : {0u, 8u}) {
      a_.mov(r64(Scratch), memory(m.src, 16).cloneAdjusted(half).cloneResized(8));
      a_.mov(memory(m.dst, 16).cloneAdjusted(half).cloneResized(8), r64(Scratch));
    }
  } else {
    a_.mov(gp(m.type, Scratch), memory(m.src, m.type == Type::I32 ? 4 : 8));
    a_.mov(memory(m.dst, 8), r64(Scratch));
  }
}

void Emitter::parallel(std::span<const Move> moves) {
  steps_.clear();
  resolve(moves, steps_);
  for (const MoveStep& s : steps_) {
    if (s.kind == MoveStep::Copy) copy(s.move);
    else a_.xchg(r64(static_cast<PReg>(s.move.dst.at)), r64(static_cast<PReg>(s.move.src.at)));
  }
}

/// The allocator's moves before the instruction at `pos`.
void Emitter::placed_moves(uint32_t pos) {
  const auto& all = allocation_.moves;
  auto at = std::lower_bound(all.begin(), all.end(), pos, [](const PlacedMove& m, uint32_t p) { return m.pos < p; });
  std::vector<Move> group;
  while (at != all.end() && at->pos == pos) {
    group.clear();
    for (const uint32_t phase = at->phase; at != all.end() && at->pos == pos && at->phase == phase; ++at) group.push_back(at->move);
    parallel(group);
  }
}

/// Jumps to it become copies of it (opt_dispatch.cpp), as long as it is short.
bool Emitter::is_dispatch(uint32_t b) const {
  const MBlock& block = f_.blocks[b];
  return block.dispatch && block.end - block.first <= 8;
}

void Emitter::jump_to(uint32_t block) { a_.jmp(labels_[target(block)]); }

void Emitter::emit_block(uint32_t b) {
  const MBlock& block = f_.blocks[b];
  if (block.loop_header && !block.cold && block.freq >= AlignFreq) a_.align(asmjit::AlignMode::kCode, 16);
  a_.bind(labels_[b]);
  flags_ = {};
  emit_body(b);
}

void Emitter::emit_body(uint32_t b) {
  for (uint32_t i = f_.blocks[b].first; i < f_.blocks[b].end; ++i) {
    placed_moves(4 * i);
    emit_inst(b, f_.insts[i]);
  }
}

/// Where the call of a block that ends in an Invoke returns to; None where a pass took it away.
uint32_t Emitter::call_before_invoke(uint32_t b) const {
  for (uint32_t i = f_.blocks[b].end; i-- > f_.blocks[b].first;) {
    const Op op = f_.insts[i].op;
    if (op != Op::Call && op != Op::CallIndirect && op != Op::CallSlots && op != Op::CallRef && op != Op::CallBuiltin) continue;
    for (size_t s = out_.sites.size(); s-- > 0;)
      if (out_.sites[s].kind() == Site::Call) return out_.sites[s].offset;
  }
  return None;
}

void Emitter::emit_inst(uint32_t b, Inst& inst) {
  note_place(inst.wasm_pc);
  switch (inst.op) {
    case Op::Const: load_constant(static_cast<PReg>(inst.def.loc.at), inst.type, inst.imm, false); return;
    case Op::Param: return emit_params(inst);
    case Op::Poll: return poll(inst.wasm_pc);
    case Op::Jump:
      if (const uint32_t to = target(f_.blocks[b].succs[0]); to != next_[b]) {
        if (is_dispatch(to) && !f_.blocks[b].cold) emit_body(to);
        else jump_to(to);
      }
      return;
    case Op::Invoke:
      last_call_[b] = call_before_invoke(b);
      if (const uint32_t to = target(f_.blocks[b].succs[0]); to != next_[b]) jump_to(to);
      return;
    case Op::Landing:
      if (last_call_[f_.blocks[b].preds[0]] == None) return;  // that call was inlined
      out_.landings.push_back({last_call_[f_.blocks[b].preds[0]], static_cast<uint32_t>(inst.imm),
                               static_cast<uint32_t>(code_.labelOffset(labels_[b]))});
      return;
    case Op::Branch: return emit_branch(b, inst);
    case Op::Switch: return emit_switch(b, inst);
    case Op::Trap:
      trap_site(static_cast<TrapKind>(inst.aux), inst.wasm_pc);
      a_.ud2();
      return;
    case Op::Return: return emit_return(inst);
    case Op::Call:
    case Op::CallIndirect:
    case Op::TailCall:
    case Op::TailCallIndirect:
    case Op::TailCallCode: return emit_call(inst);
    case Op::CallSlots:
    case Op::CallRef: return emit_call_slots(inst);
    case Op::CallBuiltin: return emit_builtin(inst);
    case Op::Select: return emit_select(inst);
    case Op::Load: return emit_load(inst);
    case Op::Store: return emit_store(inst);
    case Op::GlobalGet:
    case Op::GlobalSet: return emit_global(inst);
    case Op::AtomicLoad:
    case Op::AtomicStore:
    case Op::AtomicRmw:
    case Op::AtomicCmpxchg: return emit_atomic(inst);
    case Op::AtomicFence: return (void)a_.mfence();
    case Op::Vector: return emit_vector(inst);
    case Op::V128Const: return load_vector(reg_of(inst.def), inst.imm);
    case Op::LoadLane:
    case Op::StoreLane: return emit_lane_access(inst);
    default: break;
  }
  if (is_compare(inst.op)) return is_int_compare(inst.op) ? emit_compare_value(inst) : emit_float_compare_value(inst);
  if (inst.op >= Op::FAdd && inst.op <= Op::Reinterpret) return emit_float(inst);
  emit_int(inst);
}

/// What stands behind the code: traps, polls' slow paths, constants, jump tables.
void Emitter::finish() {
  for (size_t i = 0; i < traps_.size(); ++i) {
    const ColdTrap t = traps_[i];
    a_.bind(t.label);
    note_place(t.wasm_pc);
    if (t.kind == TrapKind::IndirectCallTypeMismatch) {  // Scratch holds the entry, perhaps a null one
      a_.cmp(x86::Mem(r64(Scratch), offsetof(engine::FuncEntry, type), 4), static_cast<int32_t>(engine::NullType));
      a_.je(trap(TrapKind::UninitializedElement, t.wasm_pc));
    }
    trap_site(t.kind, t.wasm_pc);
    a_.ud2();
  }
  for (const ColdPoll& p : polls_) {
    a_.bind(p.label);
    note_place(p.wasm_pc);
    if (p.overflow.isValid()) {
      a_.cmp(x86::rsp, context_field(offsetof(Context, stack_limit), 8));
      a_.jb(p.overflow);
    }
    if (p.polls) call_builtin(Builtin::Poll, p.wasm_pc);
    a_.jmp(p.back);
  }
  std::sort(constants_.begin(), constants_.end(), [](const Constant& x, const Constant& y) { return x.bytes > y.bytes; });
  if (!constants_.empty() || !jump_tables_.empty()) a_.align(asmjit::AlignMode::kZero, 16);
  for (const Constant& c : constants_) {
    if (c.bytes == 8) a_.align(asmjit::AlignMode::kZero, 8);
    a_.bind(c.label);
    a_.embed(&c.low, std::min(c.bytes, 8u));
    if (c.bytes == 16) a_.embed(&c.high, 8);
  }
  for (const Table& t : jump_tables_) {
    a_.align(asmjit::AlignMode::kZero, 8);
    a_.bind(t.label);
    for (uint32_t i = 0; i < t.count; ++i) a_.embedLabelDelta(labels_[target(f_.tables[t.first + i])], t.label, 8);
  }
}

namespace {

/// The log, with what note_place() put into lines of its own in a column on the left.
std::string beside_places(std::string_view log) {
  std::string out, place, last;
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size() - 1) + 1;
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(end);
    if (const size_t at = line.find_first_not_of(' '); at != line.npos && line[at] == '@') {
      place = line.substr(at + 1, line.size() - at - 2);
      continue;
    }
    const std::string& shown = place == last ? "" : place;
    out.append(OffsetColumns - 2 - std::min(shown.size(), OffsetColumns - 2), ' ').append(shown).append("  ").append(line);
    last = place;
  }
  return out;
}

}  // namespace

bool Emitter::run(std::string* listing) {
  if (listing) {
    code_.setLogger(&logger_);
    logger_.addFlags(asmjit::FormatFlags::kMachineCode);
    logging_ = true;
  }
  code_.attach(&a_);
  lay_out_frame();
  if (frame_bytes_ > MaxFrame) return false;
  find_empty_blocks();
  last_call_.resize(f_.blocks.size());
  labels_.reserve(f_.blocks.size());
  for (size_t i = 0; i < f_.blocks.size(); ++i) labels_.push_back(a_.newLabel());
  prologue();
  for (uint32_t b = 0; b < f_.blocks.size(); ++b) {
    if (target(b) != b) continue;
    emit_block(b);
  }
  finish();
  if (code_.flatten() != asmjit::kErrorOk || code_.resolveUnresolvedLinks() != asmjit::kErrorOk) return false;
  out_.bytes.resize(code_.codeSize());
  if (code_.relocateToBase(0) != asmjit::kErrorOk) return false;
  code_.copyFlattenedData(out_.bytes.data(), out_.bytes.size(), asmjit::CopySectionFlags::kPadTargetBuffer);
  std::sort(out_.sites.begin(), out_.sites.end(), [](const Site& x, const Site& y) { return x.offset < y.offset; });
  if (listing) *listing = beside_places({logger_.data(), logger_.dataSize()});
  return true;
}

bool emit(MFunction& f, const Allocation& allocation, const CpuFeatures& cpu, CompiledFunction& out, std::string* listing) {
  return Emitter(f, allocation, cpu, out).run(listing);
}

}  // namespace krait::jit
