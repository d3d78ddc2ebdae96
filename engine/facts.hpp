// What validating a module's bodies found out, as bytes to be kept: with them a module that was valid once is decoded in a tenth
// of the time, since no body is walked again.
//
// Facts are trusted as machine code from a cache is: they must come from where only this user writes, under a hash of the module's
// own bytes. They are checked to fit the module (counts, offsets, sizes), not to be true.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/module.hpp"

namespace krait::engine {

/// Increases with every change of what the validator leaves in a Function or in the side table.
constexpr uint32_t FactsVersion = 1;

/// The facts of a module, little-endian.
std::vector<std::byte> facts_of(const Module& module);

/// As Module::compile, for bytes that were valid before: `facts` is what facts_of() made of them then. Facts that do not fit are
/// as none.
Result<std::shared_ptr<const Module>> compile_known(std::vector<std::byte> bytes, std::span<const std::byte> facts);

/// A function's part of them.
struct FunctionFacts {
  uint32_t code_begin, code_end;
  uint32_t local_slots, max_operand_slots;
  uint32_t side_table, side_table_size;
  uint32_t instruction_count;
  uint32_t flags;
};
/// The function has what facts do not hold (v128, regions of exceptions): it is validated again.
constexpr uint32_t FactsAgain = 1, FactsLoop = 2;

/// Facts being read. `valid` where they are of a module of this size with this many functions.
class FactsReader {
 public:
  FactsReader(std::span<const std::byte> bytes, uint64_t module_bytes, uint32_t functions);
  [[nodiscard]] bool valid() const { return valid_; }
  [[nodiscard]] FunctionFacts function(uint32_t index) const {
    FunctionFacts facts;
    std::memcpy(&facts, functions_.data() + index * sizeof facts, sizeof facts);
    return facts;
  }
  [[nodiscard]] std::vector<BranchEntry> side_table() const;
  /// Whether a function's facts are such that code which believes them stays inside the module and the side table.
  [[nodiscard]] bool fits(const FunctionFacts& facts, uint32_t code_begin, uint32_t code_end) const {
    return facts.code_begin == code_begin && facts.code_end == code_end && facts.side_table <= entries_ &&
           facts.side_table_size <= entries_ - facts.side_table;
  }

 private:
  std::span<const std::byte> functions_, side_table_;
  uint32_t entries_ = 0;
  bool valid_ = false;
};

}  // namespace krait::engine
