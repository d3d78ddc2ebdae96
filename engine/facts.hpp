// What validating a module's bodies found out, as one block of bytes: functions, their lists and the side table, used where they lie.
// Kept in a file and mapped, it spares the next decoding the walk over all bodies, and its copy.
//
// Facts are trusted as machine code from a cache is: they must come from where only this user writes, under a hash of the module's
// own bytes, and be whole. They are checked to fit the module (counts, offsets, sizes), not to be true.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/module.hpp"

namespace krait::engine {

/// Increases with every change of what the validator leaves in a Function or in the side table, and of the block's layout.
constexpr uint32_t FactsVersion = 2;

/// The facts of a module, little-endian; they live as long as it.
std::span<const std::byte> facts_of(const Module& module);

/// As Module::compile, for bytes that were valid before: `facts` is what facts_of() gave then, on a border of 8 bytes. Facts that do
/// not fit are as none. Module::Padding bytes behind `bytes` must be readable. Neither may change from now on.
Result<std::shared_ptr<const Module>> compile_known(SharedBytes bytes, SharedBytes facts,
                                                    std::optional<std::array<uint8_t, 32>> sha256 = {});
/// The same for bytes that are the module's own.
Result<std::shared_ptr<const Module>> compile_known(std::vector<std::byte> bytes, SharedBytes facts);

/// A function as the validator makes it.
struct FunctionDraft : FunctionShape {
  std::vector<ValType> locals;
  std::vector<uint32_t> local_slot_of;
  std::vector<TryRegion> regions;
  std::vector<CatchClause> catches;
};

/// Collects a module's facts, function by function.
class FactsBuilder {
 public:
  void reserve(size_t functions, size_t entries);
  void add(const FunctionDraft& draft);
  /// The block.
  SharedBytes finish(size_t module_bytes);

  std::vector<BranchEntry> side_table;  ///< the validator appends to it

 private:
  struct Lists {
    uint32_t locals, slots, regions, catches;
  };
  std::vector<FunctionShape> shapes_;
  std::vector<Lists> sizes_;
  std::vector<ValType> locals_;
  std::vector<uint32_t> slots_;
  std::vector<TryRegion> regions_;
  std::vector<CatchClause> catches_;
};

/// A block's parts; empty where it is not one for a module of this size with functions of these types.
struct FactsView {
  bool valid = false;
  std::span<const Function> functions;
  std::span<const BranchEntry> side_table;
};
FactsView view_facts(std::span<const std::byte> facts, size_t module_bytes, std::span<const uint32_t> type_of_function);

}  // namespace krait::engine
