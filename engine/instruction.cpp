// Decoding of the less frequent instructions, and the names of those that krait rejects.
#include "engine/instruction.hpp"

namespace krait::engine {

namespace {

/// The message for an encoding that is no instruction here; wasm 3.0's others are named.
std::string illegal_opcode(uint8_t prefix, uint32_t code) {
  const std::string found = prefix ? hex(prefix) + " " + hex(code) : hex(code);
  if (prefix == 0xfb) return "gc is not supported: found " + found;
  if (prefix == 0) {
    switch (code) {
      case 0x14:
        return "function-references is not supported: found call_ref";
      case 0x15:
        return "function-references is not supported: found return_call_ref";
      case 0xd3:
        return "gc is not supported: found ref.eq";
      case 0xd4:
        return "function-references is not supported: found ref.as_non_null";
      case 0xd5:
        return "function-references is not supported: found br_on_null";
      case 0xd6:
        return "function-references is not supported: found br_on_non_null";
      default:
        break;
    }
  }
  return "illegal opcode " + found;
}

}  // namespace

bool read_prefixed_opcode(Reader& reader, uint8_t prefix, Instruction& out) {
  if (reader.failed()) return false;
  const bool prefixed = prefix >= 0xfb && prefix <= 0xfe;
  const uint32_t code = prefixed ? reader.u32() : prefix;
  if (prefixed) out.op = opcode_of(prefix, code);
  if (reader.failed()) return false;
  if (out.op == NoOpcode)
    return reader.fail(out.offset, illegal_opcode(prefixed ? prefix : 0, code));
  return true;
}

void read_block_type(Reader& reader, BlockType& out) {
  out = {};
  const uint8_t b = reader.peek();
  if (b == 0x40) {
    reader.byte();
  } else if (b > 0x40 && b < 0x80) {
    out.result = reader.val_type();
  } else {
    const uint32_t at = reader.offset();
    const int64_t index = reader.s33();
    if (index < 0) reader.fail(at, "malformed block type: found " + std::to_string(index));
    out.type_index = static_cast<uint32_t>(index);
  }
}

void read_mem_arg_with_memory(Reader& reader, uint32_t flags, Instruction& out) {
  if (flags >= 128) {
    reader.fail(out.offset, "malformed memop flags: found " + hex(flags));
    return;
  }
  out.align = flags - 64;
  out.index = reader.u32();
}

TryTableClause read_clause(Reader& reader) {
  const uint32_t at = reader.offset();
  const uint8_t kind = reader.byte();
  if (kind > 3)
    reader.fail(at, "malformed catch clause: expected a kind of 0 to 3, found " + hex(kind));
  TryTableClause clause{static_cast<CatchKind>(kind & 3), NoIndex, 0};
  if (clause.kind == CatchKind::Catch || clause.kind == CatchKind::CatchRef)
    clause.tag = reader.u32();
  clause.label = reader.u32();
  return clause;
}

bool read_rare_immediates(Reader& reader, Immediates kind, Instruction& out) {
  switch (kind) {
    case Immediates::Table:
    case Immediates::Memory:
    case Immediates::Tag:
    case Immediates::Data:
    case Immediates::Elem:
      out.index = reader.u32();
      break;
    case Immediates::CallIndirect:
    case Immediates::DataMemory:
    case Immediates::ElemTable:
    case Immediates::MemoryMemory:
    case Immediates::TableTable:
      out.index = reader.u32();
      out.index2 = reader.u32();
      break;
    case Immediates::BrTable:
      out.index = reader.count("br_table labels", limits::BranchTable);
      out.list = reader.offset();
      for (uint32_t i = 0; i <= out.index && !reader.failed(); ++i) reader.u32();
      break;
    case Immediates::TryTable:
      read_block_type(reader, out.block);
      out.index = reader.count("catch clauses", limits::BranchTable, 2);
      out.list = reader.offset();
      for (uint32_t i = 0; i < out.index && !reader.failed(); ++i) read_clause(reader);
      break;
    case Immediates::MemArgLane: {
      const uint32_t flags = reader.u32();
      out.index = 0;
      out.align = flags;
      if (flags >= 64) read_mem_arg_with_memory(reader, flags, out);
      out.value = reader.u32();
      out.lane = reader.byte();
      break;
    }
    case Immediates::Lane:
      out.lane = reader.byte();
      break;
    case Immediates::Shuffle:
    case Immediates::V128:
      out.list = reader.offset();
      reader.take(16);
      break;
    case Immediates::F32:
      out.value = reader.fixed32();
      break;
    case Immediates::F64:
      out.value = reader.fixed64();
      break;
    case Immediates::SelectT: {
      const uint32_t at = reader.offset();
      const uint32_t arity = reader.u32();
      if (arity != 1)
        return reader.fail(at,
                           "invalid result arity: expected 1 type, found " + std::to_string(arity));
      out.type = reader.val_type();
      break;
    }
    case Immediates::HeapType:
      out.type = reader.heap_type();
      break;
    case Immediates::Fence: {
      const uint32_t at = reader.offset();
      if (reader.byte() != 0) return reader.fail(at, "zero byte expected behind atomic.fence");
      break;
    }
    default:
      break;
  }
  return !reader.failed();
}

}  // namespace krait::engine
