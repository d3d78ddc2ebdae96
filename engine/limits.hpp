// Limits of the implementation, as the spec's appendix allows: no input makes the decoder take time
// or memory out of proportion to its size. Those that browsers share have the same values.
#pragma once

#include <cstdint>

namespace krait::engine::limits {

constexpr uint32_t ModuleBytes = 1u << 30;  ///< so that offsets and their differences fit 31 bits
constexpr uint32_t Types = 1'000'000;
constexpr uint32_t Params = 1000;
constexpr uint32_t Results = 1000;
constexpr uint32_t Functions = 1'000'000;
constexpr uint32_t Imports = 1'000'000;
constexpr uint32_t Exports = 1'000'000;
constexpr uint32_t Globals = 1'000'000;
constexpr uint32_t Tags = 1'000'000;
constexpr uint32_t Tables = 100'000;
constexpr uint32_t Memories = 100'000;
constexpr uint32_t DataSegments = 100'000;
constexpr uint32_t ElementSegments = 10'000'000;
constexpr uint32_t SegmentElements = 10'000'000;
constexpr uint32_t FunctionBytes = 7'654'321;
constexpr uint32_t FunctionLocals = 50'000;
constexpr uint32_t ModuleLocals = 16'777'216;  ///< a declaration of six bytes makes 50,000
constexpr uint32_t BranchTable = 65'520;
constexpr uint32_t Nesting = 50'000;
constexpr uint32_t OperandSlots = 100'000;

}  // namespace krait::engine::limits
