// Opcode: an enumerator for each instruction of opcodes.def, dense from 0.
#pragma once

#include <cstdint>

namespace krait::engine {

enum class Opcode : uint16_t {
#define OP(name, text, prefix, code, immediates, signature) name,
#include "engine/opcodes.def"
#undef OP
};
constexpr uint32_t OpcodeCount = 0
#define OP(name, text, prefix, code, immediates, signature) +1
#include "engine/opcodes.def"
#undef OP
    ;

/// What stands behind the opcode in the binary format.
enum class Immediates : uint8_t {
  None,
  Block,         // blocktype: s33
  Label,         // labelidx
  BrTable,       // vec(labelidx), labelidx
  Func,          // funcidx
  CallIndirect,  // typeidx, tableidx
  Local,         // localidx
  Global,        // globalidx
  Table,         // tableidx
  Memory,        // memidx
  MemArg,        // align (bit 6: a memidx follows), offset
  MemArgLane,    // memarg, lane byte
  Lane,          // lane byte
  Shuffle,       // 16 lane bytes
  I32,           // s32
  I64,           // s64
  F32,           // 4 bytes
  F64,           // 8 bytes
  V128,          // 16 bytes
  SelectT,       // vec(valtype)
  HeapType,      // s33
  Tag,           // tagidx
  TryTable,      // blocktype, vec(catch)
  Data,          // dataidx
  Elem,          // elemidx
  DataMemory,    // dataidx, memidx
  ElemTable,     // elemidx, tableidx
  MemoryMemory,  // memidx (destination), memidx (source)
  TableTable,    // tableidx (destination), tableidx (source)
  Fence,         // a zero byte
};

struct OpcodeInfo {
  const char* text;
  uint8_t prefix;
  uint16_t code;
  Immediates immediates;
  const char* signature;
};

/// Facts on an opcode; a static table.
const OpcodeInfo& info_of(Opcode opcode);

}  // namespace krait::engine
