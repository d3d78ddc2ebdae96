// The type section's vocabulary: value, function, memory, table, global and tag types.
// Names are the spec's. Memory64, typed function references and GC types are rejected by the
// decoder by name; HeapType and the type section's variant leave room for them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace krait::engine {

/// Value types, with the bytes of the binary format. `Bottom` is the validator's unknown type.
enum class ValType : uint8_t {
  I32 = 0x7f,
  I64 = 0x7e,
  F32 = 0x7d,
  F64 = 0x7c,
  V128 = 0x7b,
  FuncRef = 0x70,
  ExternRef = 0x6f,
  ExnRef = 0x69,
  Bottom = 0,
};

constexpr bool is_reference(ValType t) {
  return t == ValType::FuncRef || t == ValType::ExternRef || t == ValType::ExnRef;
}
/// The spec's name: "i32", "funcref", ...
const char* name_of(ValType type);

/// The unit of the value stack and of argument arrays: 8 bytes. A v128 takes two, low half first.
using Slot = uint64_t;
constexpr uint32_t slots_of(ValType t) { return t == ValType::V128 ? 2 : 1; }
uint32_t slots_of(std::span<const ValType> types);

struct FuncType {
  std::vector<ValType> params;
  std::vector<ValType> results;
  uint32_t param_slots = 0;   ///< slots_of(params)
  uint32_t result_slots = 0;  ///< slots_of(results)

  bool operator==(const FuncType& o) const { return params == o.params && results == o.results; }
  /// "(i32, i64) -> (f64)"
  [[nodiscard]] std::string to_string() const;
};

/// Sizes in units of the thing limited: pages of 64 KiB, or table elements.
struct Limits {
  uint64_t min = 0;
  std::optional<uint64_t> max;
  bool shared = false;
};

struct MemoryType { Limits limits; };
struct TableType { ValType element = ValType::FuncRef; Limits limits; };
struct GlobalType {
  ValType type = ValType::I32;
  bool is_mutable = false;
  bool operator==(const GlobalType&) const = default;
};
/// An exception tag: the type's params are the exception's payload.
struct TagType { uint32_t type_index = 0; };

enum class ExternKind : uint8_t { Func = 0, Table = 1, Memory = 2, Global = 3, Tag = 4 };
const char* name_of(ExternKind kind);

constexpr uint64_t PageSize = 65536;
constexpr uint64_t MaxPages = 65536;
constexpr uint32_t NoIndex = 0xffffffff;

}  // namespace krait::engine
