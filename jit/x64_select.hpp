// The instruction selector, shared by its sources.
#pragma once

#include "jit/convention.hpp"
#include "jit/lir.hpp"

namespace krait::jit {

/// Walks each block backwards, so that a user takes in its operands (addresses, loads, comparisons) before they are
/// selected on their own; what nobody then asks for is not selected at all.
class Selector {
 public:
  Selector(Function& f, const CpuFeatures& cpu, MFunction& out);
  void run();

 private:
  void lay_out();
  void split_edges();
  void count_uses();
  void select_block(BlockId b);
  void select_node(NodeId id);

  void select_binary(NodeId id);
  void select_shift(NodeId id);
  void select_divide(NodeId id);
  void select_compare(NodeId id);
  void select_float(NodeId id);
  void select_load(NodeId id);
  void select_store(NodeId id);
  bool select_modify(NodeId id);
  bool select_lea(NodeId id);
  void select_select(NodeId id);
  void select_branch(NodeId id);
  void select_switch(NodeId id);
  void select_call(NodeId id);
  void select_builtin(NodeId id);
  void select_return(NodeId id);
  void select_params();

  Operand define_or_drop(NodeId id);

  // x64_select_atomic.cpp
  void select_atomic(NodeId id);

  // x64_select_simd.cpp
  void select_vector(NodeId id);
  void select_two_vectors(NodeId id, NodeId a, NodeId b, bool commutes, bool late);
  void select_lane_access(NodeId id);
  Operand use_vector(NodeId id, Operand::Kind kind, bool late);

  /// The comparison that `condition` stands for into a Branch or Select.
  void condition(Inst& inst, NodeId condition, NodeId user);
  void compare_operands(Inst& inst, NodeId left, NodeId right, NodeId user);
  bool compare_with_memory(Inst& inst, NodeId load, NodeId other, NodeId user);
  void address(Inst& inst, NodeId address, uint64_t offset, MemKind kind);

  /// True if `id` is used by `user` alone and may be computed there instead.
  [[nodiscard]] bool sole_use(NodeId id, NodeId user) const { return uses_[id] == 1 && f_[id].block == f_[user].block; }
  [[nodiscard]] bool foldable_load(NodeId id, NodeId user) const;
  void fold(NodeId id) { folded_[id] = true; }

  VReg vreg(NodeId id);
  VReg new_vreg(Type type);
  Operand use(NodeId id, Operand::Kind kind, bool late = false);
  /// As use(), but never an immediate.
  Operand use_value(NodeId id, Operand::Kind kind, bool late = false);
  Operand define(NodeId id, bool late = false, Operand::Kind kind = Operand::Reg);
  Inst& add(NodeId id);
  uint32_t pool(std::span<const Operand> operands);

  Function& f_;
  const CpuFeatures& cpu_;
  MFunction& out_;
  Signature own_;
  std::vector<uint32_t> uses_, epoch_, number_;  // number_: IR block to its position in out_
  std::vector<VReg> vreg_of_;
  std::vector<bool> folded_;
  std::vector<BlockId> ir_block_;                // of each machine block, None for split edges
  std::vector<Inst> reversed_;
};

}  // namespace krait::jit
