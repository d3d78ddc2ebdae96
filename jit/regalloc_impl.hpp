// The allocator's state, shared by its two halves: regalloc.cpp assigns, regalloc_resolve.cpp places the moves.
#pragma once

#include <array>
#include <queue>
#include <random>

#include "jit/regalloc.hpp"

namespace krait::jit {

class Allocator {
 public:
  Allocator(MFunction& f, const AllocatorOptions& options, Liveness& live);
  /// False where an instruction asks for more registers than there are.
  bool run();
  Allocation resolve();

 private:
  struct BundleRange {
    uint32_t from, to;
    VReg vreg;
  };
  struct Bundle {
    std::vector<BundleRange> ranges;  // ascending
    Loc loc;                          // Nowhere while in the queue; Slot: at is the spill set
    uint32_t spill_set = 0;
    uint32_t length = 0, use_count = 0;
    float weight = 0;
    RegSet hints = 0;
    PReg preferred = NoPReg;
    bool floats = false, must_have = false;
  };
  struct Taken {
    uint32_t from, to, bundle;
  };
  struct Obstacle {
    uint32_t first = None;          // position of the first conflict
    float weight = 0;               // of the heaviest
    std::vector<uint32_t> bundles;  // that would have to go
  };
  struct Piece {
    uint32_t from, to;
    Loc loc;
  };

  void find_blocks();
  void find_clobbers();
  void find_loops();
  [[nodiscard]] uint32_t block_at(uint32_t pos) const;

  void make_bundles();
  static bool overlap(const Bundle& a, const Bundle& b);
  void merge(VReg x, VReg y);
  void merge_bundles();
  void measure(Bundle& b);
  [[nodiscard]] std::span<const Use> uses_in(const BundleRange& r) const;
  static bool minimal(const Bundle& b);
  void enqueue(uint32_t id);

  Obstacle probe(const Bundle& b, PReg r);
  void take(uint32_t id, PReg r);
  void release(uint32_t id);
  std::span<const PReg> candidates(const Bundle& b);
  bool try_assign(uint32_t id);

  uint32_t split(uint32_t id, uint32_t pos);
  [[nodiscard]] bool inside(const Bundle& b, uint32_t pos) const;
  bool split_at_loop(uint32_t id);
  [[nodiscard]] uint32_t worthwhile_end(const Bundle& b, uint32_t limit) const;
  [[nodiscard]] bool is_phi_here(const Bundle& b, uint32_t block) const;
  bool split_prefix(uint32_t id);
  void split_to_next_use(uint32_t id);
  void spill(uint32_t id);
  void split_or_spill(uint32_t id);

  void collect_pieces();
  void assign_slots();
  [[nodiscard]] Loc loc_at(VReg v, uint32_t pos) const;
  void fill_operands();
  void inner_moves();
  void edge_moves();
  void add_move(VReg v, uint32_t pos, uint32_t phase, Loc dst, Loc src);
  void place_stores();

  MFunction& f_;
  AllocatorOptions options_;
  Liveness& live_;
  std::mt19937_64 random_;
  std::vector<PReg> int_regs_, float_regs_, order_;
  std::vector<uint32_t> block_starts_;
  uint32_t cold_start_ = 0;
  std::array<std::vector<uint32_t>, PRegCount> clobbers_;  // positions, ascending
  std::array<std::vector<Taken>, PRegCount> taken_;        // ascending, disjoint
  std::vector<Range> loops_;                               // outer ones first
  std::vector<Bundle> bundles_;
  std::vector<uint32_t> bundle_of_;
  std::vector<PReg> set_reg_;       // by spill set: the register that a part of it had last
  std::priority_queue<std::pair<uint32_t, uint32_t>> queue_;       // length, ~id
  std::pair<PReg, uint32_t> best_prefix_{NoPReg, 0};
  RegSet used_ = 0;
  bool failed_ = false;

  std::vector<std::vector<Piece>> pieces_;  // by vreg, ascending
  struct Store {
    VReg vreg;
    PlacedMove move;
    float freq;
  };
  std::vector<bool> at_definition_;         // by vreg: an exception may come, so its slot is written as early as can be
  std::vector<Store> stores_;               // register to slot, not yet decided
  std::vector<Loc> slot_of_;                // by spill set
  Allocation out_;
};

}  // namespace krait::jit
