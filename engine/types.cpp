// Names and texts of types, opcodes and traps.
#include "engine/types.hpp"

#include "engine/opcodes.hpp"
#include "engine/trap.hpp"

namespace krait::engine {

const char* name_of(ValType type) {
  switch (type) {
    case ValType::I32: return "i32";
    case ValType::I64: return "i64";
    case ValType::F32: return "f32";
    case ValType::F64: return "f64";
    case ValType::V128: return "v128";
    case ValType::FuncRef: return "funcref";
    case ValType::ExternRef: return "externref";
    case ValType::ExnRef: return "exnref";
    case ValType::Bottom: return "unknown";
  }
  return "?";
}

const char* name_of(ExternKind kind) {
  switch (kind) {
    case ExternKind::Func: return "func";
    case ExternKind::Table: return "table";
    case ExternKind::Memory: return "memory";
    case ExternKind::Global: return "global";
    case ExternKind::Tag: return "tag";
  }
  return "?";
}

uint32_t slots_of(std::span<const ValType> types) {
  uint32_t slots = 0;
  for (ValType t : types) slots += slots_of(t);
  return slots;
}

std::string FuncType::to_string() const {
  auto list = [](const std::vector<ValType>& types) {
    std::string text = "(";
    for (size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "") + std::string(name_of(types[i]));
    return text + ")";
  };
  return list(params) + " -> " + list(results);
}

const OpcodeInfo& info_of(Opcode opcode) {
  static constexpr OpcodeInfo Table[] = {
#define OP(name, text, prefix, code, immediates, signature) \
  {text, prefix, code, Immediates::immediates, signature},
#include "engine/opcodes.def"
#undef OP
  };
  return Table[static_cast<size_t>(opcode)];
}

const char* text_of(TrapKind kind) {
  static constexpr const char* Texts[] = {
#define TRAP(name, text) text,
      KRAIT_TRAPS(TRAP)
#undef TRAP
  };
  return Texts[static_cast<size_t>(kind)];
}

std::string Trap::to_string() const {
  std::string text = message;
  for (const TraceFrame& frame : trace) {
    text += "\n    at " + frame.function;
    if (!frame.module.empty()) text += " (" + frame.module + ")";
    char place[64];
    std::snprintf(place, sizeof place, frame.offset ? " [func %u, byte 0x%x]" : " [func %u]", frame.func_index,
                  frame.offset);
    text += place;
  }
  if (frames_dropped) text += "\n    ... " + std::to_string(frames_dropped) + " more frames";
  return text;
}

}  // namespace krait::engine
