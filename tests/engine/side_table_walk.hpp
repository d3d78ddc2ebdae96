// Runs a function without values: follows every path that its side table allows.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/instruction.hpp"
#include "engine/module.hpp"

namespace krait::test {

/// Checks that every path reaches an instruction with the same side table index, that paths stay in
/// the code and the table, and that every entry belongs to a path. Else says where not; "" when all
/// is well.
class SideTableWalk {
 public:
  SideTableWalk(const engine::Module& module, const engine::Function& function)
      : module_(module), function_(function), used_(function.side_table_size) {}

  std::string run() {
    go(function_.code_begin, 0);
    for (const engine::CatchClause& clause : function_.catches)
      go(clause.target_pc, clause.target_stp);
    while (!open_.empty() && problem_.empty()) {
      const auto [pc, stp] = open_.back();
      open_.pop_back();
      step(pc, stp);
    }
    for (uint32_t i = 0; i < used_.size() && problem_.empty() && all_used_; ++i) {
      if (!used_[i])
        problem_ = "entry " + std::to_string(i) + " belongs to no instruction that is reached";
    }
    return problem_;
  }
  /// Entries behind a block that nothing leaves exist and are not reached; says that the function
  /// has such.
  SideTableWalk& allow_unreached() {
    all_used_ = false;
    return *this;
  }

 private:
  void go(uint32_t pc, uint32_t stp) {
    const auto [known, fresh] = seen_.try_emplace(pc, stp);
    if (!fresh && known->second != stp) {
      problem_ = engine::hex(pc) + " is reached with stp " + std::to_string(known->second) +
                 " and " + std::to_string(stp);
    }
    if (pc < function_.code_begin || pc >= function_.code_end)
      problem_ = engine::hex(pc) + " is outside of the code";
    if (fresh) open_.emplace_back(pc, stp);
  }

  uint32_t entries_of(const engine::Instruction& in) const {
    using engine::Opcode;
    switch (in.op) {
      case Opcode::Br:
      case Opcode::BrIf:
      case Opcode::If:
      case Opcode::Else:
      case Opcode::Catch:
      case Opcode::CatchAll:
      case Opcode::Rethrow:
        return 1;
      case Opcode::BrTable:
        return in.index + 1;
      case Opcode::Drop:
      case Opcode::Select:
      case Opcode::SelectT:
        return function_.uses_v128;
      default:
        return 0;
    }
  }

  void step(uint32_t pc, uint32_t stp) {
    using engine::Opcode;
    engine::Reader reader(module_.bytes(), pc, function_.code_end);
    engine::Instruction in{};
    if (!engine::read_instruction(reader, in)) {
      problem_ = engine::hex(pc) + " is no instruction";
      return;
    }
    const uint32_t entries = entries_of(in);
    if (stp + entries > function_.side_table_size) {
      problem_ = engine::hex(pc) + " is beyond the side table's end";
      return;
    }
    for (uint32_t i = 0; i < entries; ++i) used_[stp + i] = true;
    const bool jumps = entries != 0 && in.op != Opcode::Rethrow && in.op != Opcode::Drop &&
                       in.op != Opcode::Select && in.op != Opcode::SelectT;
    for (uint32_t i = 0; jumps && i < entries; ++i) {
      const engine::BranchEntry& entry = module_.side_table()[function_.side_table + stp + i];
      go(pc + static_cast<uint32_t>(entry.delta_pc),
         stp + i + static_cast<uint32_t>(entry.delta_stp));
    }
    switch (in.op) {
      case Opcode::Br:
      case Opcode::BrTable:
      case Opcode::Else:
      case Opcode::Catch:
      case Opcode::CatchAll:
      case Opcode::Return:
      case Opcode::ReturnCall:
      case Opcode::ReturnCallIndirect:
      case Opcode::Unreachable:
      case Opcode::Throw:
      case Opcode::ThrowRef:
      case Opcode::Rethrow:
        return;
      default:
        if (in.end != function_.code_end) go(in.end, stp + entries);
    }
  }

  const engine::Module& module_;
  const engine::Function& function_;
  std::vector<bool> used_;
  bool all_used_ = true;
  std::unordered_map<uint32_t, uint32_t> seen_;  // pc -> stp
  std::vector<std::pair<uint32_t, uint32_t>> open_;
  std::string problem_;
};

}  // namespace krait::test
