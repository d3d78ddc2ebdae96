// The allocator's second half: slots, operands, and the moves between the parts of split values.
//
// A value never changes, so its slot, once written, stays right. So a split value is stored once behind its
// definition, unless the ways into its spilled parts are together colder than that.
#include <algorithm>

#include "jit/regalloc_impl.hpp"

namespace krait::jit {

void Allocator::collect_pieces() {
  pieces_.resize(f_.vregs.size());
  for (const Bundle& b : bundles_) {
    for (const BundleRange& r : b.ranges) pieces_[r.vreg].push_back({r.from, r.to, b.loc});
    if (b.loc.is_reg()) out_.used_callee_saved |= bit(static_cast<PReg>(b.loc.at)) & CalleeSaved;
  }
  for (auto& pieces : pieces_)
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.from < b.from; });
}

/// Spill sets get slots, first fit; a set may hold any of its values, so its slot is taken over all their ranges.
void Allocator::assign_slots() {
  struct Set {
    std::vector<Range> ranges;
    Loc argument;
    bool used = false, wide = false;
  };
  std::vector<Set> sets(bundles_.size());
  for (const Bundle& b : bundles_)
    if (b.loc.kind == Loc::Slot) sets[b.spill_set].used = true;
  for (VReg v = 0; v < f_.vregs.size(); ++v) {
    if (pieces_[v].empty()) continue;
    Set& set = sets[bundle_of_[v]];
    if (!set.used) continue;
    set.ranges.insert(set.ranges.end(), live_.ranges[v].begin(), live_.ranges[v].end());
    if (f_.vregs[v].argument.kind == Loc::Argument) set.argument = f_.vregs[v].argument;
    set.wide |= f_.vregs[v].type == Type::V128;
  }
  std::vector<std::vector<Range>> kinds[2];  // of 8 and of 16 bytes, which never share: no move sees half of another's place
  auto fits = [&](const std::vector<Range>& slot, const std::vector<Range>& ranges) {
    size_t i = 0, k = 0;
    while (i < slot.size() && k < ranges.size()) {
      if (slot[i].to <= ranges[k].from) ++i;
      else if (ranges[k].to <= slot[i].from) ++k;
      else return false;
    }
    return true;
  };
  slot_of_.resize(bundles_.size());
  for (uint32_t id = 0; id < sets.size(); ++id) {
    Set& set = sets[id];
    if (!set.used) continue;
    if (set.argument.kind == Loc::Argument) {
      slot_of_[id] = set.argument;
      continue;
    }
    std::sort(set.ranges.begin(), set.ranges.end(), [](Range a, Range b) { return a.from < b.from; });
    auto& slots = kinds[set.wide];
    size_t slot = 0;
    while (slot < slots.size() && !fits(slots[slot], set.ranges)) ++slot;
    if (slot == slots.size()) slots.emplace_back();
    std::vector<Range> joined(slots[slot].size() + set.ranges.size());
    std::merge(slots[slot].begin(), slots[slot].end(), set.ranges.begin(), set.ranges.end(), joined.begin(),
               [](Range a, Range b) { return a.from < b.from; });
    slots[slot] = std::move(joined);
    slot_of_[id] = {Loc::Slot, static_cast<uint32_t>(slot)};
  }
  const auto wide = static_cast<uint32_t>(2 * kinds[1].size());  // they come first, so they are aligned
  for (uint32_t id = 0; id < sets.size(); ++id)
    if (slot_of_[id].kind == Loc::Slot) slot_of_[id].at = sets[id].wide ? 2 * slot_of_[id].at : wide + slot_of_[id].at;
  out_.slots = wide + static_cast<uint32_t>(kinds[0].size());
  for (auto& pieces : pieces_)
    for (Piece& p : pieces)
      if (p.loc.kind == Loc::Slot) p.loc = slot_of_[p.loc.at];
}

Loc Allocator::loc_at(VReg v, uint32_t pos) const {
  const auto& pieces = pieces_[v];
  auto it = std::upper_bound(pieces.begin(), pieces.end(), pos, [](uint32_t p, const Piece& piece) { return p < piece.from; });
  return std::prev(it)->loc;
}

void Allocator::fill_operands() {
  for (VReg v = 0; v < f_.vregs.size(); ++v)
    for (const Use& u : live_.uses[v]) u.operand->loc = loc_at(v, u.pos);
}

void Allocator::add_move(VReg v, uint32_t pos, uint32_t phase, Loc dst, Loc src) {
  const PlacedMove placed{pos, phase, {dst, src, f_.vregs[v].type, 0}};
  if (!dst.is_reg() && src.is_reg() && f_.blocks[block_at(pos)].landing) at_definition_[v] = true;
  if (!dst.is_reg() && src.is_reg()) stores_.push_back({v, placed, f_.blocks[block_at(pos)].freq});
  else out_.moves.push_back(placed);
}

/// Between parts that meet inside a block.
void Allocator::inner_moves() {
  for (VReg v = 0; v < f_.vregs.size(); ++v) {
    const auto& pieces = pieces_[v];
    uint32_t in_slot_since = None;  // the block in which the current part came out of the slot
    for (size_t i = 1; i < pieces.size(); ++i) {
      const uint32_t pos = pieces[i].from;
      const uint32_t block = block_at(pos);
      if (pieces[i - 1].to != pos || pos == block_starts_[block]) {
        in_slot_since = None;
        continue;
      }
      const Loc from = pieces[i - 1].loc, to = pieces[i].loc;
      if (!from.is_reg()) in_slot_since = block;
      if (from == to) continue;
      if (!to.is_reg() && in_slot_since == block) continue;  // it is still there
      add_move(v, pos, 1, to, from);
    }
  }
}

void Allocator::edge_moves() {
  for (uint32_t s = 0; s < f_.blocks.size(); ++s) {
    const MBlock& block = f_.blocks[s];
    for (uint32_t k = 0; k < block.preds.size(); ++k) {
      const MBlock& pred = f_.blocks[block.preds[k]];
      const uint32_t end = 4 * pred.end - 1;
      const bool at_pred = pred.succs.size() == 1;
      const uint32_t pos = at_pred ? 4 * (pred.end - 1) : block_starts_[s], phase = at_pred ? 2 : 0;
      for (VReg v : live_.live_in[s]) {
        const Loc from = loc_at(v, end), to = loc_at(v, block_starts_[s]);
        if (!(from == to)) add_move(v, pos, phase, to, from);
      }
      for (uint32_t p = block.first_phi; p < block.end_phi; ++p) {
        const MPhi& phi = f_.phis[p];
        const Operand& arg = f_.pool[phi.first + k];
        Move move{loc_at(phi.def.vreg, block_starts_[s]), {}, f_.vregs[phi.def.vreg].type, arg.imm};
        if (arg.is_vreg()) move.src = loc_at(arg.vreg, end);
        if (arg.is_vreg() && move.src == move.dst) continue;
        out_.moves.push_back({pos, phase, move});
      }
    }
  }
}

void Allocator::place_stores() {
  std::vector<float> total(f_.vregs.size(), 0);
  for (const Store& s : stores_) total[s.vreg] += s.freq;
  enum : uint8_t { Undecided, Keep, Drop };
  std::vector<uint8_t> decided(f_.vregs.size(), Undecided);
  for (const Store& s : stores_) {
    uint8_t& what = decided[s.vreg];
    if (what == Undecided) {
      const uint32_t def = live_.uses[s.vreg].front().pos;
      const uint32_t block = block_at(def);
      const Loc at_def = loc_at(s.vreg, def);
      if (f_.vregs[s.vreg].argument.kind == Loc::Argument || !at_def.is_reg()) {
        what = Drop;  // it is in its slot from the start
      } else if (total[s.vreg] < f_.blocks[block].freq && !at_definition_[s.vreg]) {
        what = Keep;
      } else {
        what = Drop;
        const uint32_t pos = def == block_starts_[block] ? def : (def & ~3u) + 4;
        PlacedMove store = s.move;
        store.pos = pos;
        store.phase = 1;
        store.move.src = at_def;
        out_.moves.push_back(store);
      }
    }
    if (what == Keep) out_.moves.push_back(s.move);
  }
}

Allocation Allocator::resolve() {
  collect_pieces();
  assign_slots();
  fill_operands();
  at_definition_.resize(f_.vregs.size());
  inner_moves();
  edge_moves();
  place_stores();
  std::sort(out_.moves.begin(), out_.moves.end(), [](const PlacedMove& a, const PlacedMove& b) {
    return a.pos != b.pos ? a.pos < b.pos : a.phase < b.phase;
  });
  return std::move(out_);
}

bool allocate(MFunction& f, const AllocatorOptions& options, Allocation& out) {
  Liveness live = compute_liveness(f);
  Allocator allocator(f, options, live);
  if (!allocator.run()) return false;
  out = allocator.resolve();
  return true;
}

}  // namespace krait::jit
