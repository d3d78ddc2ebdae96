// The allocator's first half: bundles take registers.
//
// Invariants.
//  1. A bundle is a set of ranges of one or more vregs of one register file that do not overlap; it has one location.
//  2. Ranges are only cut at instruction borders (multiples of 4), where moves can stand.
//  3. An eviction needs a greater weight, a split makes both parts smaller: so the work ends. A bundle that cannot be
//     cut and has an operand that must be in a register has infinite weight; an instruction never has more of those than
//     there are registers.
#include "jit/regalloc_impl.hpp"

#include <algorithm>
#include <cmath>

namespace krait::jit {

namespace {
constexpr float Infinite = 1e30f;
constexpr uint32_t NoBundle = 0xffffffff;
}  // namespace

Allocator::Allocator(MFunction& f, const AllocatorOptions& options, Liveness& live)
    : f_(f), options_(options), live_(live), random_(options.seed * 0x9e3779b97f4a7c15ull + 1) {
  for (PReg r : IntOrder) int_regs_.push_back(r);
  for (unsigned i = 0; i < 15; ++i) float_regs_.push_back(Xmm(i));
  if (options.registers) {
    // Few registers, of both kinds; rax, rcx and rdx stay since instructions insist on them.
    int_regs_.resize(std::min<size_t>(int_regs_.size(), std::max(options.registers, 4u)));
    int_regs_.back() = Rbx;
    float_regs_.resize(std::min<size_t>(float_regs_.size(), std::max(options.registers, 4u)));
  }
  find_blocks();
  find_clobbers();
  find_loops();
}

void Allocator::find_blocks() {
  for (const MBlock& b : f_.blocks) block_starts_.push_back(4 * b.first);
  cold_start_ = 4 * static_cast<uint32_t>(f_.insts.size());
  for (uint32_t b = static_cast<uint32_t>(f_.blocks.size()); b-- > 0 && f_.blocks[b].cold;) cold_start_ = block_starts_[b];
}

void Allocator::find_clobbers() {
  for (uint32_t i = 0; i < f_.insts.size(); ++i)
    for (RegSet set = f_.insts[i].clobbers; set; set &= set - 1)
      clobbers_[static_cast<unsigned>(__builtin_ctz(set))].push_back(4 * i + 1);
}

/// The extent of each loop in code order, cold blocks left out. Inner loops come last.
void Allocator::find_loops() {
  for (uint32_t b = 0; b < f_.blocks.size(); ++b) {
    if (!f_.blocks[b].loop_header) continue;
    uint32_t last = b;
    for (uint32_t p : f_.blocks[b].preds)
      if (p >= b && !f_.blocks[p].cold) last = std::max(last, p);
    loops_.push_back({block_starts_[b], 4 * f_.blocks[last].end});
  }
}

uint32_t Allocator::block_at(uint32_t pos) const {
  return static_cast<uint32_t>(std::upper_bound(block_starts_.begin(), block_starts_.end(), pos) - block_starts_.begin()) - 1;
}

// -- Bundles ----------------------------------------------------------------------------------------

void Allocator::make_bundles() {
  bundle_of_.assign(f_.vregs.size(), NoBundle);
  for (VReg v = 0; v < f_.vregs.size(); ++v) {
    if (live_.ranges[v].empty()) continue;
    bundle_of_[v] = static_cast<uint32_t>(bundles_.size());
    Bundle& b = bundles_.emplace_back();
    b.floats = is_float(f_.vregs[v].type);
    for (Range r : live_.ranges[v]) b.ranges.push_back({r.from, r.to, v});
  }
}

bool Allocator::overlap(const Bundle& a, const Bundle& b) {
  size_t i = 0, k = 0;
  while (i < a.ranges.size() && k < b.ranges.size()) {
    if (a.ranges[i].to <= b.ranges[k].from) ++i;
    else if (b.ranges[k].to <= a.ranges[i].from) ++k;
    else return true;
  }
  return false;
}

void Allocator::merge(VReg x, VReg y) {
  uint32_t a = bundle_of_[x], b = bundle_of_[y];
  if (a == NoBundle || b == NoBundle || a == b || bundles_[a].floats != bundles_[b].floats) return;
  if (f_.vregs[x].type == Type::V128 || f_.vregs[y].type == Type::V128) {
    if (f_.vregs[x].type != f_.vregs[y].type) return;
  }
  if (overlap(bundles_[a], bundles_[b])) return;
  if (bundles_[a].ranges.size() < bundles_[b].ranges.size()) std::swap(a, b);
  std::vector<BundleRange> joined(bundles_[a].ranges.size() + bundles_[b].ranges.size());
  std::merge(bundles_[a].ranges.begin(), bundles_[a].ranges.end(), bundles_[b].ranges.begin(), bundles_[b].ranges.end(),
             joined.begin(), [](const BundleRange& l, const BundleRange& r) { return l.from < r.from; });
  bundles_[a].ranges = std::move(joined);
  for (const BundleRange& r : bundles_[b].ranges) bundle_of_[r.vreg] = a;
  bundles_[b].ranges.clear();
}

/// Phis with their operands, hottest blocks first, then results with the operand that they overwrite.
void Allocator::merge_bundles() {
  struct Pair { float freq; VReg x, y; };
  std::vector<Pair> pairs;
  for (const MBlock& block : f_.blocks)
    for (uint32_t p = block.first_phi; p < block.end_phi; ++p)
      for (uint32_t k = 0; k < f_.phis[p].count; ++k) {
        const Operand& o = f_.pool[f_.phis[p].first + k];
        if (o.is_vreg()) pairs.push_back({f_.blocks[block.preds[k]].freq, f_.phis[p].def.vreg, o.vreg});
      }
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.freq > b.freq; });
  for (const Pair& p : pairs) merge(p.x, p.y);
  for (Inst& inst : f_.insts)
    if (inst.def.is_vreg() && inst.a.is_vreg() && inst.op != Op::Select && inst.form != Form::Lea && !is_compare(inst.op))
      merge(inst.def.vreg, inst.a.vreg);
}

void Allocator::measure(Bundle& b) {
  b.length = 0;
  b.weight = 0;
  b.must_have = false;
  b.use_count = 0;
  RegSet hints = 0;
  for (const BundleRange& r : b.ranges) {
    b.length += (r.to - r.from + 3) / 4;
    for (const Use& u : uses_in(r)) {
      const float freq = f_.blocks[block_at(u.pos)].freq;
      b.weight += u.operand->kind == Operand::Reg ? freq : freq * 0.7f;
      b.must_have |= u.operand->kind == Operand::Reg;
      ++b.use_count;
      if (u.operand->hint != NoPReg) hints |= bit(u.operand->hint);
    }
  }
  b.hints = hints;
  b.weight /= std::sqrt(static_cast<float>(b.length) + 1.0f);
  if (minimal(b) && b.must_have) b.weight = Infinite;
}

std::span<const Use> Allocator::uses_in(const BundleRange& r) const {
  const auto& uses = live_.uses[r.vreg];
  auto less = [](const Use& u, uint32_t pos) { return u.pos < pos; };
  auto from = std::lower_bound(uses.begin(), uses.end(), r.from, less);
  auto to = std::lower_bound(from, uses.end(), r.to, less);
  return {from, to};
}

bool Allocator::minimal(const Bundle& b) { return b.ranges.back().to - (b.ranges.front().from & ~3u) <= 4; }

void Allocator::enqueue(uint32_t id) {
  measure(bundles_[id]);
  queue_.push({bundles_[id].length, ~id});
}

// -- Registers ----------------------------------------------------------------------------------------

/// What stands in the way of a bundle in register r. Stops at what cannot be evicted.
Allocator::Obstacle Allocator::probe(const Bundle& b, PReg r) {
  Obstacle found;
  const auto& taken = taken_[r];
  const auto& fixed = clobbers_[r];
  for (const BundleRange& range : b.ranges) {
    auto clobber = std::lower_bound(fixed.begin(), fixed.end(), range.from);
    const uint32_t fixed_at = clobber != fixed.end() && *clobber < range.to ? *clobber : None;
    auto it = std::upper_bound(taken.begin(), taken.end(), range.from, [](uint32_t pos, const Taken& t) { return pos < t.to; });
    for (; it != taken.end() && it->from < range.to; ++it) {
      if (fixed_at < it->from) break;
      found.first = std::min(found.first, std::max(it->from, range.from));
      const float weight = bundles_[it->bundle].weight;
      found.weight = std::max(found.weight, weight);
      if (weight >= b.weight) return found;
      if (found.bundles.empty() || found.bundles.back() != it->bundle) found.bundles.push_back(it->bundle);
    }
    if (fixed_at != None) {
      found.first = std::min(found.first, fixed_at);
      found.weight = Infinite * 2;
      return found;
    }
  }
  return found;
}

void Allocator::take(uint32_t id, PReg r) {
  Bundle& b = bundles_[id];
  b.loc = Loc::reg(r);
  set_reg_[b.spill_set] = r;
  auto& taken = taken_[r];
  for (const BundleRange& range : b.ranges) {
    auto at = std::upper_bound(taken.begin(), taken.end(), range.from, [](uint32_t pos, const Taken& t) { return pos < t.from; });
    taken.insert(at, {range.from, range.to, id});
  }
}

void Allocator::release(uint32_t id) {
  Bundle& b = bundles_[id];
  auto& taken = taken_[b.loc.at];
  if (b.ranges.size() > 16) {
    std::erase_if(taken, [&](const Taken& t) { return t.bundle == id; });
  } else {
    for (const BundleRange& range : b.ranges) {
      auto at = std::lower_bound(taken.begin(), taken.end(), range.from, [](const Taken& t, uint32_t pos) { return t.from < pos; });
      taken.erase(at);
    }
  }
  b.loc = {};
}

std::span<const PReg> Allocator::candidates(const Bundle& b) {
  order_.clear();
  const auto& regs = b.floats ? float_regs_ : int_regs_;
  auto push = [&](PReg r) {
    if (r != NoPReg && std::find(order_.begin(), order_.end(), r) == order_.end()) order_.push_back(r);
  };
  push(b.preferred);
  push(set_reg_[b.spill_set]);
  for (PReg r : regs)
    if (b.hints & bit(r)) push(r);
  // Callee-saved registers that cost a save come last.
  for (int saved = 0; saved < 2; ++saved)
    for (PReg r : regs) {
      const bool costs = (CalleeSaved & bit(r)) != 0 && (used_ & bit(r)) == 0;
      if (costs == (saved == 1)) push(r);
    }
  if (options_.seed) std::shuffle(order_.begin(), order_.end(), random_);
  return order_;
}

bool Allocator::try_assign(uint32_t id) {
  best_prefix_ = {NoPReg, 0};
  PReg evict_from = NoPReg;
  Obstacle evict;
  evict.weight = bundles_[id].weight;
  for (PReg r : candidates(bundles_[id])) {
    Obstacle o = probe(bundles_[id], r);
    if (o.first == None) {
      used_ |= bit(r);
      take(id, r);
      return true;
    }
    if (o.first > best_prefix_.second || best_prefix_.first == NoPReg) best_prefix_ = {r, o.first};
    if (o.weight < evict.weight) evict = std::move(o), evict_from = r;
  }
  if (evict_from == NoPReg) return false;
  for (uint32_t other : evict.bundles) {
    if (!bundles_[other].loc.is_reg()) continue;  // met twice
    release(other);
    enqueue(other);
  }
  used_ |= bit(evict_from);
  take(id, evict_from);
  return true;
}

// -- Splits ----------------------------------------------------------------------------------------------

/// Cuts at `pos`; the tail becomes a new bundle. Both must be non-empty.
uint32_t Allocator::split(uint32_t id, uint32_t pos) {
  const auto tail_id = static_cast<uint32_t>(bundles_.size());
  bundles_.emplace_back();
  Bundle& head = bundles_[id];
  Bundle& tail = bundles_[tail_id];
  tail.floats = head.floats;
  tail.spill_set = head.spill_set;
  auto it = std::upper_bound(head.ranges.begin(), head.ranges.end(), pos, [](uint32_t p, const BundleRange& r) { return p < r.to; });
  tail.ranges.assign(it, head.ranges.end());
  head.ranges.erase(it, head.ranges.end());
  if (tail.ranges[0].from < pos) {
    head.ranges.push_back({tail.ranges[0].from, pos, tail.ranges[0].vreg});
    tail.ranges[0].from = pos;
  }
  return tail_id;
}

bool Allocator::inside(const Bundle& b, uint32_t pos) const { return pos > b.ranges.front().from && pos < b.ranges.back().to; }

/// Cuts the loop of the bundle's hottest use out of it.
bool Allocator::split_at_loop(uint32_t id) {
  const Bundle& b = bundles_[id];
  float best = 0;
  uint32_t hottest = None;
  for (const BundleRange& r : b.ranges)
    for (const Use& u : uses_in(r)) {
      const float freq = f_.blocks[block_at(u.pos)].freq;
      if (freq > best) best = freq, hottest = u.pos;
    }
  if (hottest == None) return false;
  const Range* loop = nullptr;  // the outermost one that holds the use and not all of the bundle
  for (const Range& l : loops_) {
    if (hottest < l.from || hottest >= l.to) continue;
    if (inside(b, l.from) || inside(b, l.to)) {
      loop = &l;
      break;
    }
  }
  if (!loop) return false;
  const Range cut = *loop;
  if (inside(bundles_[id], cut.to)) enqueue(split(id, cut.to));
  if (inside(bundles_[id], cut.from)) enqueue(split(id, cut.from));
  enqueue(id);
  return true;
}

/// How far from the bundle's start, at most to `limit`, a register pays. Uses speak for it; against it speak the edges that
/// enter from where the value will be in memory, each of which has to load it. None where it does not pay at all.
uint32_t Allocator::worthwhile_end(const Bundle& b, uint32_t limit) const {
  const uint32_t start = b.ranges.front().from;
  uint32_t block = block_at(start), end = None;
  float score = 0, best = 0;
  auto enter = [&](uint32_t at) {
    for (uint32_t p : f_.blocks[at].preds)
      if (const uint32_t from = 4 * f_.blocks[p].end - 1; from < start || from >= limit)
        score -= std::min(f_.blocks[p].freq, f_.blocks[at].freq);
  };
  if (start == block_starts_[block] && !is_phi_here(b, block)) enter(block);
  for (const BundleRange& r : b.ranges) {
    if (r.from >= limit) break;
    for (const Use& u : uses_in(r)) {
      if (u.pos >= limit) break;
      for (const uint32_t here = block_at(u.pos); block < here;) {
        ++block;
        if (block_starts_[block] >= r.from) enter(block);
      }
      score += f_.blocks[block].freq;
      if (score > best) best = score, end = (u.pos & ~3u) + 4;
    }
  }
  return end;
}

bool Allocator::is_phi_here(const Bundle& b, uint32_t block) const {
  const VReg v = b.ranges.front().vreg;
  for (uint32_t p = f_.blocks[block].first_phi; p < f_.blocks[block].end_phi; ++p)
    if (f_.phis[p].def.vreg == v) return true;
  return false;
}

/// Cuts off the part before the first conflict in the register where that comes last, as far as that pays.
bool Allocator::split_prefix(uint32_t id) {
  const auto [reg, conflict] = best_prefix_;
  Bundle& b = bundles_[id];
  const uint32_t cut = conflict & ~3u;
  if (reg == NoPReg || !inside(b, cut) || cut <= (b.ranges.front().from & ~3u) + 4) return false;
  const uint32_t end = worthwhile_end(b, cut);
  if (end == None) return false;
  const uint32_t at = std::min(end, cut);
  if (!inside(b, at) || at <= (b.ranges.front().from & ~3u)) return false;
  const uint32_t tail = split(id, at);
  bundles_[id].preferred = reg;
  enqueue(tail);
  enqueue(id);
  return true;
}

/// The bundle cannot start in a register: it waits in memory for its next use.
void Allocator::split_to_next_use(uint32_t id) {
  const uint32_t start = bundles_[id].ranges.front().from & ~3u;
  uint32_t next = None;
  bool at_start = false;
  for (const BundleRange& r : bundles_[id].ranges) {
    for (const Use& u : uses_in(r)) {
      if (u.pos < start + 4) {
        at_start |= u.operand->kind == Operand::Reg;
        continue;
      }
      next = u.pos & ~3u;
      break;
    }
    if (next != None) break;
  }
  if (at_start) {
    if (inside(bundles_[id], start + 4)) enqueue(split(id, start + 4));
    enqueue(id);
    return;
  }
  if (next == None || !inside(bundles_[id], next)) return spill(id);
  const uint32_t tail = split(id, next);
  spill(id);
  enqueue(tail);
}

void Allocator::spill(uint32_t id) { bundles_[id].loc = {Loc::Slot, bundles_[id].spill_set}; }

void Allocator::split_or_spill(uint32_t id) {
  Bundle& b = bundles_[id];
  if (b.must_have && minimal(b)) {
    failed_ = true;
    return;
  }
  if (b.use_count == 0 || (!b.must_have && (minimal(b) || b.use_count == 1))) return spill(id);
  if (inside(b, cold_start_)) {
    const uint32_t cold = split(id, cold_start_);
    enqueue(cold);
    enqueue(id);
    return;
  }
  if (split_at_loop(id)) return;
  if (split_prefix(id)) return;
  split_to_next_use(id);
}

bool Allocator::run() {
  make_bundles();
  merge_bundles();
  for (uint32_t id = 0; id < bundles_.size(); ++id) bundles_[id].spill_set = id;
  set_reg_.assign(bundles_.size(), NoPReg);
  for (uint32_t id = 0; id < bundles_.size(); ++id) {
    if (bundles_[id].ranges.empty()) continue;
    enqueue(id);
  }
  while (!queue_.empty() && !failed_) {
    const uint32_t id = ~queue_.top().second;
    queue_.pop();
    if (bundles_[id].loc.kind != Loc::Nowhere) continue;
    if (!try_assign(id)) split_or_spill(id);
  }
  return !failed_;
}

}  // namespace krait::jit
