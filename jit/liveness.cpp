// Liveness: live ranges and uses of virtual registers.
//
// Most values live and die within a block; bit sets hold only those that cross a border.
#include <algorithm>
#include <bit>

#include "jit/regalloc.hpp"

namespace krait::jit {
namespace {

class BitRows {
 public:
  BitRows(size_t rows, size_t bits) : words_((bits + 63) / 64), data_(rows * words_) {}
  [[nodiscard]] bool get(size_t row, size_t i) const { return data_[row * words_ + i / 64] >> i % 64 & 1; }
  void set(size_t row, size_t i) { data_[row * words_ + i / 64] |= uint64_t{1} << i % 64; }
  [[nodiscard]] std::span<uint64_t> row(size_t r) { return {data_.data() + r * words_, words_}; }

 private:
  size_t words_;
  std::vector<uint64_t> data_;
};

class LivenessPass {
 public:
  explicit LivenessPass(MFunction& f) : f_(f) {}
  Liveness run() {
    find_global();
    solve();
    build_ranges();
    return std::move(out_);
  }

 private:
  void find_global();
  void solve();
  void build_ranges();
  void build_block(uint32_t b);
  void add_range(VReg v, uint32_t from, uint32_t to);

  MFunction& f_;
  Liveness out_;
  std::vector<uint32_t> global_of_;  // dense number of vregs that cross blocks
  std::vector<VReg> globals_;
  std::vector<uint64_t> live_in_bits_, live_out_bits_;
  size_t words_ = 0;
};

void LivenessPass::find_global() {
  const size_t count = f_.vregs.size();
  global_of_.assign(count, None);
  std::vector<uint32_t> home(count, None);
  auto mark = [&](VReg v) {
    if (global_of_[v] != None) return;
    global_of_[v] = static_cast<uint32_t>(globals_.size());
    globals_.push_back(v);
  };
  for (uint32_t b = 0; b < f_.blocks.size(); ++b) {
    const MBlock& block = f_.blocks[b];
    for (uint32_t p = block.first_phi; p < block.end_phi; ++p) home[f_.phis[p].def.vreg] = b;
    for (uint32_t i = block.first; i < block.end; ++i)
      f_.for_each_operand(f_.insts[i], [&](Operand& o) {
        if (o.def) home[o.vreg] = b;
      });
  }
  for (uint32_t b = 0; b < f_.blocks.size(); ++b) {
    const MBlock& block = f_.blocks[b];
    for (uint32_t i = block.first; i < block.end; ++i)
      f_.for_each_operand(f_.insts[i], [&](Operand& o) {
        if (home[o.vreg] != b) mark(o.vreg);
      });
    for (uint32_t p = block.first_phi; p < block.end_phi; ++p)
      for (uint32_t k = 0; k < f_.phis[p].count; ++k) {
        const Operand& o = f_.pool[f_.phis[p].first + k];
        if (o.is_vreg()) mark(o.vreg);
      }
  }
}

void LivenessPass::solve() {
  const size_t blocks = f_.blocks.size();
  BitRows live_in(blocks, globals_.size()), live_out(blocks, globals_.size()), defs(blocks, globals_.size());
  for (uint32_t b = 0; b < blocks; ++b) {
    const MBlock& block = f_.blocks[b];
    for (uint32_t p = block.first_phi; p < block.end_phi; ++p) {
      const VReg v = f_.phis[p].def.vreg;
      if (global_of_[v] != None) defs.set(b, global_of_[v]);
      for (uint32_t k = 0; k < f_.phis[p].count; ++k) {
        const Operand& o = f_.pool[f_.phis[p].first + k];
        if (o.is_vreg()) live_out.set(block.preds[k], global_of_[o.vreg]);
      }
    }
    for (uint32_t i = block.first; i < block.end; ++i)
      f_.for_each_operand(f_.insts[i], [&](Operand& o) {
        const uint32_t g = global_of_[o.vreg];
        if (g == None) return;
        if (o.def) defs.set(b, g);
        else if (!defs.get(b, g)) live_in.set(b, g);
      });
  }
  // The rows of live_out only grow; a block's live_in is its upward uses and what flows through.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = blocks; b-- > 0;) {
      auto out = live_out.row(b);
      for (uint32_t s : f_.blocks[b].succs) {
        auto in = live_in.row(s);
        for (size_t w = 0; w < out.size(); ++w) out[w] |= in[w];
      }
      auto in = live_in.row(b);
      auto def = defs.row(b);
      for (size_t w = 0; w < out.size(); ++w) {
        const uint64_t next = in[w] | (out[w] & ~def[w]);
        if (next != in[w]) in[w] = next, changed = true;
      }
    }
  }
  out_.live_in.resize(blocks);
  words_ = (globals_.size() + 63) / 64;
  for (uint32_t b = 0; b < blocks; ++b) {
    auto in = live_in.row(b), out = live_out.row(b);
    live_out_bits_.insert(live_out_bits_.end(), out.begin(), out.end());
    for (size_t w = 0; w < in.size(); ++w)
      for (uint64_t bits = in[w]; bits; bits &= bits - 1)
        out_.live_in[b].push_back(globals_[w * 64 + static_cast<size_t>(std::countr_zero(bits))]);
  }
}

/// Ranges come last first; the vectors are turned around at the end.
void LivenessPass::add_range(VReg v, uint32_t from, uint32_t to) {
  auto& ranges = out_.ranges[v];
  if (!ranges.empty() && ranges.back().from <= to) {
    ranges.back().from = std::min(ranges.back().from, from);
    ranges.back().to = std::max(ranges.back().to, to);
    return;
  }
  ranges.push_back({from, to});
}

void LivenessPass::build_block(uint32_t b) {
  const MBlock& block = f_.blocks[b];
  const uint32_t begin = 4 * block.first, end = 4 * block.end;
  for (size_t w = 0; w < words_; ++w)
    for (uint64_t bits = live_out_bits_[b * words_ + w]; bits; bits &= bits - 1)
      add_range(globals_[w * 64 + static_cast<size_t>(std::countr_zero(bits))], begin, end);
  for (uint32_t i = block.end; i-- > block.first;) {
    const uint32_t pos = 4 * i;
    Inst& inst = f_.insts[i];
    f_.for_each_operand(inst, [&](Operand& o) {
      if (!o.def) return;
      const uint32_t at = pos + (o.late ? 2 : 1);
      auto& ranges = out_.ranges[o.vreg];
      if (ranges.empty() || ranges.back().from > at || ranges.back().to <= at) ranges.push_back({at, at + 1});
      else ranges.back().from = at;
      out_.uses[o.vreg].push_back({at, &o});
    });
    f_.for_each_operand(inst, [&](Operand& o) {
      if (o.def) return;
      add_range(o.vreg, begin, pos + (o.late ? 2 : 1));
      out_.uses[o.vreg].push_back({pos + (o.late ? 1u : 0u), &o});
    });
  }
  for (uint32_t p = block.first_phi; p < block.end_phi; ++p) {
    Operand& def = f_.phis[p].def;
    auto& ranges = out_.ranges[def.vreg];
    if (ranges.empty() || ranges.back().from > begin) ranges.push_back({begin, begin + 1});
    out_.uses[def.vreg].push_back({begin, &def});
  }
}

void LivenessPass::build_ranges() {
  out_.ranges.resize(f_.vregs.size());
  out_.uses.resize(f_.vregs.size());
  for (uint32_t b = static_cast<uint32_t>(f_.blocks.size()); b-- > 0;) build_block(b);
  for (auto& ranges : out_.ranges) std::reverse(ranges.begin(), ranges.end());
  for (auto& uses : out_.uses) {
    std::reverse(uses.begin(), uses.end());
    std::sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.pos < b.pos; });
  }
}

}  // namespace

Liveness compute_liveness(MFunction& f) { return LivenessPass(f).run(); }

}  // namespace krait::jit
