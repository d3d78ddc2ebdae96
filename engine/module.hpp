// A decoded and validated module: immutable, shared by every instance and thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "engine/types.hpp"

namespace krait::engine {

/// One taken branch, as the validator resolved it (the side table's element; after Titzer's
/// "A fast in-place interpreter for WebAssembly", 2022). An instruction that branches consumes the entry
/// at the side table pointer (stp): if taken, pc += delta_pc (from the address of the instruction's
/// opcode), stp += delta_stp (from this entry), and the top `keep` slots of the operand stack move down by `drop` slots.
/// Not taken: stp moves past the instruction's entries. A branch backwards looks for interrupts when it is taken.
///
/// Entries are consumed, in code order, by: br (1), br_if (1), br_table (labels + 1), if (1, to the
/// instruction behind `else`, or behind `end`), else (1, to behind the `end`), catch and catch_all reached by
/// fallthrough (1, to behind the `end`), rethrow (1: `keep` = the local slot that holds the caught
/// exception's reference, CatchClause::exception_slot). In functions with uses_v128 also: drop and select and select_t
/// (1: `keep` = slots of the operand). return, end and block need none. Targets: a loop's label is its
/// first instruction that is no `block`, any other block's the instruction behind its `end`, the
/// function's own the final `end`. Unreachable code has no entries and is never run: it begins behind an
/// instruction that never falls through (unreachable, br, br_table, return, return_call*, throw, throw_ref, rethrow)
/// and goes to the `else`, `catch`, `catch_all`, `delegate` or `end` of that block; these have no
/// entry when they are not reached by fallthrough. What stands behind an `end` or is a branch or handler of a
/// reachable block counts as reachable, whether or not a branch goes there.
struct BranchEntry {
  int32_t delta_pc;
  int32_t delta_stp;
  uint32_t keep;
  uint32_t drop : 31;
  uint32_t backward : 1;
  static constexpr uint32_t MostDrop = 0x7fff'ffff;  ///< far beyond any operand stack
  [[nodiscard]] bool only_jumps() const { return (drop | backward) == 0; }
};

/// How a catch clause takes an exception.
enum class CatchKind : uint8_t { Catch, CatchRef, CatchAll, CatchAllRef };

struct CatchClause {
  CatchKind kind;
  bool legacy;         ///< legacy catch: the exception's reference is kept in `exception_slot`, for rethrow
  uint32_t tag;        ///< tag index, NoIndex for CatchAll*
  uint32_t target_pc;  ///< byte offset in the module to go on at; of a loop, its `loop` opcode, which polls
  uint32_t target_stp; ///< side table index to go on with, from the function's first entry
  uint32_t height;     ///< slots kept on the operand stack below what the clause pushes
  uint32_t exception_slot; ///< legacy: a slot of the frame behind the locals' (counted in local_slots); else NoIndex
};

/// A protected region of code: a legacy `try` body or a try_table. Regions of a function are in order
/// of `begin`; of two that hold a pc, the later one is the inner one. The pc to look for is that of the
/// opcode that throws or calls. Unreachable code has no regions.
struct TryRegion {
  uint32_t begin, end;          ///< byte offsets in the module: [begin, end)
  uint32_t first_catch, catch_count;  ///< into Function::catches
  /// Where the search goes on when no clause takes it: a region's index, or NoIndex for the caller.
  /// (delegate resolves to it; else it is the enclosing region.)
  uint32_t next;
};

/// A list that lies at a fixed distance from where this object stands, so that a block that holds both can be kept in a file and
/// mapped anywhere. Never copied out of its block.
template <typename T>
class NearList {
 public:
  NearList() = default;
  NearList(const NearList&) = delete;
  NearList& operator=(const NearList&) = delete;
  void set(const T* at, size_t size) {
    distance_ = reinterpret_cast<const std::byte*>(at) - reinterpret_cast<const std::byte*>(this);
    size_ = size;
  }
  [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(this) + distance_); }
  /// Of data(), also where the distance is not known to be a list's.
  [[nodiscard]] uintptr_t address() const { return reinterpret_cast<uintptr_t>(this) + static_cast<uintptr_t>(distance_); }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] const T* begin() const { return data(); }
  [[nodiscard]] const T* end() const { return data() + size_; }
  const T& operator[](size_t i) const { return data()[i]; }

 private:
  int64_t distance_ = 0;
  uint64_t size_ = 0;
};

/// What is known of a function defined in the module, lists apart. Offsets are into Module::bytes().
struct FunctionShape {
  uint32_t type_index = 0;
  uint32_t code_begin = 0;     ///< first instruction (behind the local declarations)
  uint32_t code_end = 0;       ///< one past the final `end`
  uint32_t local_count = 0;    ///< params and declared locals
  uint32_t local_slots = 0;    ///< slots of all of them, params first, then hidden ones of legacy catches
  uint32_t param_slots = 0;
  uint32_t result_slots = 0;
  uint32_t max_operand_slots = 0;  ///< deepest operand stack
  uint32_t side_table = 0;     ///< first entry in Module::side_table()
  uint32_t side_table_size = 0;
  uint32_t instruction_count = 0;
  bool uses_v128 = false;      ///< any v128 among params, locals, results or operands
  bool has_loop = false;
};

/// A function defined in the module.
struct Function : FunctionShape {
  NearList<ValType> locals;          ///< all local types, params first
  NearList<uint32_t> local_slot_of;  ///< filled when uses_v128: slot of each local; else local i is slot i
  NearList<TryRegion> regions;
  NearList<CatchClause> catches;
};

/// Bytes that stay as they are for as long as `owner` lives.
struct SharedBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct Import {
  std::string module, name;
  ExternKind kind;
  uint32_t index;  ///< in the index space of its kind
};

struct Export {
  std::string name;
  ExternKind kind;
  uint32_t index;
};

/// A constant expression: extended-const arithmetic over constants and imported globals, evaluated at
/// instantiation. Kept as its bytes; `end` included.
struct ConstExpr {
  uint32_t begin = 0, end = 0;
};

struct Global {
  GlobalType type;
  ConstExpr init;
};

struct Table {
  TableType type;
  ConstExpr init;  ///< begin == end: null
};

enum class SegmentMode : uint8_t { Active, Passive, Declarative };

struct ElementSegment {
  SegmentMode mode = SegmentMode::Passive;
  ValType type = ValType::FuncRef;
  uint32_t table = 0;
  ConstExpr offset;
  /// Either function indices (the common form), or expressions.
  std::vector<uint32_t> functions;
  std::vector<ConstExpr> expressions;
  [[nodiscard]] size_t size() const { return expressions.empty() ? functions.size() : expressions.size(); }
};

struct DataSegment {
  SegmentMode mode = SegmentMode::Passive;
  uint32_t memory = 0;
  ConstExpr offset;
  uint32_t begin = 0, end = 0;  ///< bytes in the module
};

struct CustomSection {
  std::string name;
  uint32_t begin = 0, end = 0;
};

/// What `Module::compile` accepts beyond WebAssembly 2.0 where that makes a module of 2.0 valid that was
/// not, or the other way round. Only a test suite of an older version has a reason to turn one off.
struct Features {
  bool multi_table = true;      ///< off: at most one table
  bool multi_memory = true;     ///< off: at most one memory, and memory indices are a zero byte
  bool global_in_const = true;  ///< global.get of the module's own immutable globals in constant expressions
};

struct Frozen;
std::shared_ptr<Frozen> make_frozen();

/// What the section of that name held; index spaces count imports first.
class Module {
 public:
  /// Decodes and validates `bytes`; takes ownership of them. Errors carry the byte offset and what was
  /// expected there. Time and memory are linear in the size of the input.
  static Result<std::shared_ptr<const Module>> compile(std::vector<std::byte> bytes, const Features& features = {});
  static Result<std::shared_ptr<const Module>> compile(std::span<const std::byte> bytes, const Features& features = {});

  /// What must be readable behind bytes that a module takes over: the interpreter looks at eight bytes from an opcode on.
  static constexpr size_t Padding = 8;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_.bytes; }
  [[nodiscard]] std::span<const BranchEntry> side_table() const { return side_table_; }
  /// SHA-256 of bytes(), where who made the module knew it.
  [[nodiscard]] const std::optional<std::array<uint8_t, 32>>& sha256() const { return sha256_; }

  std::vector<FuncType> types;
  /// For each type index the first index of an equal type: signatures compare as these numbers.
  std::vector<uint32_t> canonical_type;
  std::vector<Import> imports;
  std::vector<Export> exports;
  std::vector<uint32_t> func_types;  ///< type index of each function, imports first
  std::span<const Function> functions;  ///< defined ones: function index i is functions[i - imported_funcs]
  std::vector<Table> tables;         ///< imports first (init empty)
  std::vector<MemoryType> memories;  ///< imports first
  std::vector<Global> globals;       ///< imports first (init empty)
  std::vector<TagType> tags;         ///< imports first
  std::vector<ElementSegment> elements;
  std::vector<DataSegment> data;
  std::vector<CustomSection> customs;
  uint32_t imported_funcs = 0, imported_tables = 0, imported_memories = 0, imported_globals = 0, imported_tags = 0;
  uint32_t start = NoIndex;

  [[nodiscard]] const FuncType& type_of_func(uint32_t func) const { return types[func_types[func]]; }
  [[nodiscard]] const Export* find_export(std::string_view name) const;
  [[nodiscard]] const Export* find_export(std::string_view name, ExternKind kind) const;
  /// The function's name: from the name section, else an export, else an import, else "func[N]". Any thread; the first call reads
  /// the section.
  [[nodiscard]] std::string func_name(uint32_t func) const;
  /// The module's own name from its name section, or "".
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The bytes of the first custom section of that name, or an empty span.
  [[nodiscard]] std::span<const std::byte> custom_section(std::string_view name) const;
  /// What instances share; filled by the linker. Any thread.
  [[nodiscard]] Frozen& frozen() const { return *frozen_; }

 private:
  friend class Decoder;  // fills it
  friend std::span<const std::byte> facts_of(const Module& module);
  using FuncNames = std::vector<std::pair<uint32_t, std::string_view>>;  // by function index; into bytes_
  SharedBytes bytes_;
  std::optional<std::array<uint8_t, 32>> sha256_;
  SharedBytes facts_;  // `functions`, side_table_ and the functions' lists lie here: facts.cpp
  std::span<const BranchEntry> side_table_;
  void order_exports() const;
  mutable std::once_flag ordered_;
  mutable std::vector<uint32_t> exports_by_name_;  // indices into exports; filled at the first need
  [[nodiscard]] const FuncNames& func_names() const;
  std::string name_;
  mutable std::once_flag names_read_;
  mutable FuncNames func_names_;
  std::shared_ptr<Frozen> frozen_ = make_frozen();
};

}  // namespace krait::engine
