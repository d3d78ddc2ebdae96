// One instruction with its immediates, as it stands in the binary format: the one decoder that the
// validator, the disassembler and code generators share.
#pragma once

#include <span>

#include "engine/limits.hpp"
#include "engine/module.hpp"
#include "engine/opcode_traits.hpp"
#include "engine/reader.hpp"

namespace krait::engine {

/// A list of that one type; of any lifetime.
inline std::span<const ValType> single(ValType type) {
  static constexpr auto Each = [] {
    std::array<ValType, 128> each{};
    for (size_t i = 0; i < each.size(); ++i) each[i] = static_cast<ValType>(i);
    return each;
  }();
  return {&Each[static_cast<size_t>(type)], 1};
}

/// What a block takes and gives: nothing, one result, or a function type.
struct BlockType {
  ValType result = ValType::Bottom;  ///< Bottom: none, or see type_index
  uint32_t type_index = NoIndex;

  [[nodiscard]] std::span<const ValType> params(std::span<const FuncType> types) const {
    if (type_index == NoIndex) return {};
    return types[type_index].params;
  }
  [[nodiscard]] std::span<const ValType> results(std::span<const FuncType> types) const {
    if (type_index != NoIndex) return types[type_index].results;
    return result == ValType::Bottom ? std::span<const ValType>() : single(result);
  }
};

/// Fields that the opcode's Immediates do not name hold what an earlier instruction left in them.
struct Instruction {
  Opcode op;
  uint32_t offset;  ///< of the opcode
  uint32_t end;     ///< of the instruction behind it
  /// The immediate index or label; CallIndirect: the type; *Memory, *Table pairs: the first of the
  /// two; MemArg: the memory; SelectT, HeapType: unused; BrTable, TryTable: the vector's length.
  uint32_t index;
  uint32_t index2;  ///< the second index of a pair
  BlockType block;  ///< Block, TryTable
  ValType type;     ///< SelectT, HeapType
  uint8_t lane;     ///< Lane, MemArgLane
  uint32_t align;   ///< MemArg: log2 of the alignment
  /// Constants as raw bits (an s32 sign-extended), MemArg: the offset.
  uint64_t value;
  /// BrTable: where the first label stands, the default one behind `index` others; TryTable: where
  /// the first clause stands; Shuffle, V128: where the 16 bytes stand.
  uint32_t list;
};

/// A clause of try_table.
struct TryTableClause {
  CatchKind kind;
  uint32_t tag;  ///< NoIndex for CatchAll*
  uint32_t label;
};
TryTableClause read_clause(Reader& reader);

/// The rest of what read_instruction does, for those it does not do itself.
bool read_prefixed_opcode(Reader& reader, uint8_t prefix, Instruction& out);
bool read_rare_immediates(Reader& reader, Immediates kind, Instruction& out);
void read_block_type(Reader& reader, BlockType& out);
void read_mem_arg_with_memory(Reader& reader, uint32_t flags, Instruction& out);

/// Decodes the instruction at the reader's position. False on an error, which the reader has.
/// Indices and alignments are not checked.
[[gnu::always_inline]] inline bool read_instruction(Reader& reader, Instruction& out) {
  out.offset = reader.offset();
  const uint8_t b = reader.byte();
  out.op = PlainOpcodes[b];
  if (out.op == NoOpcode || reader.failed()) [[unlikely]] {
    if (!read_prefixed_opcode(reader, b, out)) return false;
  }
  switch (const Immediates kind = traits_of(out.op).immediates) {
    case Immediates::None:
      break;
    case Immediates::Label:
    case Immediates::Func:
    case Immediates::Local:
    case Immediates::Global:
      out.index = reader.u32();
      break;
    case Immediates::Block:
      read_block_type(reader, out.block);
      break;
    case Immediates::MemArg: {
      const uint32_t flags = reader.u32();
      out.index = 0;
      out.align = flags;
      if (flags >= 64) [[unlikely]]
        read_mem_arg_with_memory(reader, flags, out);
      out.value = reader.u32();
      break;
    }
    case Immediates::I32:
      out.value = static_cast<uint64_t>(int64_t{reader.s32()});
      break;
    case Immediates::I64:
      out.value = static_cast<uint64_t>(reader.s64());
      break;
    default:
      if (!read_rare_immediates(reader, kind, out)) return false;
  }
  out.end = reader.offset();
  return !reader.failed();
}

}  // namespace krait::engine
