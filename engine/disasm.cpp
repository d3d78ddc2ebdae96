// The disassembler. Text format, except that names stand in comments and offsets in front.
#include "engine/disasm.hpp"

#include <algorithm>
#include <cinttypes>
#include <cmath>

namespace krait::engine {

namespace {

std::string list(const char* keyword, std::span<const ValType> types) {
  if (types.empty()) return "";
  std::string text = std::string(" (") + keyword;
  for (ValType type : types) text += std::string(" ") + name_of(type);
  return text + ")";
}

std::string number(uint64_t value) { return " " + std::to_string(value); }

std::string block_type(const Module& module, const BlockType& block) {
  return list("param", block.params(module.types)) + list("result", block.results(module.types));
}

std::string mem_arg(const Instruction& in) {
  std::string text;
  if (in.index != 0) text += number(in.index);
  if (in.value != 0) text += " offset=" + std::to_string(in.value);
  if (in.align != traits_of(in.op).access_log2 && in.align < 32)
    text += " align=" + std::to_string(1u << in.align);
  return text;
}

/// A float that reads back as the same bits: the text format's hexadecimal floats and NaN payloads.
template <typename Float, typename Bits>
std::string float_text(Bits bits, int mantissa_bits) {
  const auto value = std::bit_cast<Float>(bits);
  const char* sign = std::signbit(value) ? "-" : "";
  char text[48];
  if (std::isnan(value)) {
    const Bits payload = bits & ((Bits{1} << mantissa_bits) - 1);
    std::snprintf(text, sizeof text, " %snan:0x%" PRIx64, sign, static_cast<uint64_t>(payload));
  } else if (std::isinf(value)) {
    std::snprintf(text, sizeof text, " %sinf", sign);
  } else {
    std::snprintf(text, sizeof text, " %.*g", sizeof(Float) == 4 ? 9 : 17,
                  static_cast<double>(value));
  }
  return text;
}

std::string raw_bytes(const Module& module, uint32_t offset, const char* separator) {
  std::string text;
  for (uint32_t i = 0; i < 16; ++i)
    text += separator + std::to_string(static_cast<uint8_t>(module.bytes()[offset + i]));
  return text;
}

std::string labels(const Module& module, const Instruction& in) {
  Reader reader(module.bytes(), in.list, in.end);
  std::string text;
  for (uint32_t i = 0; i <= in.index; ++i) text += number(reader.u32());
  return text;
}

std::string clauses(const Module& module, const Instruction& in) {
  static constexpr const char* Names[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
  Reader reader(module.bytes(), in.list, in.end);
  std::string text = block_type(module, in.block);
  for (uint32_t i = 0; i < in.index; ++i) {
    const TryTableClause clause = read_clause(reader);
    text += std::string(" (") + Names[static_cast<size_t>(clause.kind)];
    if (clause.tag != NoIndex) text += number(clause.tag);
    text += number(clause.label) + ")";
  }
  return text;
}

/// The immediates, behind the instruction's name.
std::string immediates(const Module& module, const Instruction& in) {
  switch (traits_of(in.op).immediates) {
    case Immediates::None:
    case Immediates::Fence:
      return "";
    case Immediates::Block:
      return block_type(module, in.block);
    case Immediates::Label:
    case Immediates::Local:
    case Immediates::Global:
    case Immediates::Table:
    case Immediates::Tag:
    case Immediates::Data:
    case Immediates::Elem:
      return number(in.index);
    case Immediates::Memory:
      return in.index != 0 ? number(in.index) : "";
    case Immediates::Func:
      return number(in.index) + " ;; " + module.func_name(in.index);
    case Immediates::CallIndirect:
      return number(in.index2) + " (type " + std::to_string(in.index) + ")";
    case Immediates::BrTable:
      return labels(module, in);
    case Immediates::TryTable:
      return clauses(module, in);
    case Immediates::MemArg:
      return mem_arg(in);
    case Immediates::MemArgLane:
      return mem_arg(in) + number(in.lane);
    case Immediates::Lane:
      return number(in.lane);
    case Immediates::Shuffle:
      return raw_bytes(module, in.list, " ");
    case Immediates::V128:
      return " i8x16" + raw_bytes(module, in.list, " ");
    case Immediates::I32:
    case Immediates::I64:
      return " " + std::to_string(static_cast<int64_t>(in.value));
    case Immediates::F32:
      return float_text<float>(static_cast<uint32_t>(in.value), 23);
    case Immediates::F64:
      return float_text<double>(in.value, 52);
    case Immediates::SelectT:
      return list("result", single(in.type));
    case Immediates::HeapType: {
      const std::string reference = name_of(in.type);
      return " " + reference.substr(0, reference.size() - 3);  // funcref: func
    }
    case Immediates::DataMemory:
    case Immediates::ElemTable:
      return number(in.index2) + number(in.index);
    case Immediates::MemoryMemory:
    case Immediates::TableTable:
      return number(in.index) + number(in.index2);
  }
  return "";
}

bool opens(Opcode op) {
  return op == Opcode::Block || op == Opcode::Loop || op == Opcode::If || op == Opcode::Try ||
         op == Opcode::TryTable;
}

bool continues(Opcode op) {
  return op == Opcode::Else || op == Opcode::Catch || op == Opcode::CatchAll;
}

std::string heading(const Module& module, uint32_t func) {
  const FuncType& type = module.type_of_func(func);
  return "(func (;" + std::to_string(func) + ": " + module.func_name(func) + ";)" +
         list("param", type.params) + list("result", type.results);
}

}  // namespace

std::string to_string(const Module& module, const Instruction& in) {
  // The text format has one name for both selects.
  const char* name = in.op == Opcode::SelectT ? "select" : info_of(in.op).text;
  return name + immediates(module, in);
}

std::string disassemble(const Module& module, uint32_t func) {
  std::string text = heading(module, func);
  if (func < module.imported_funcs) return "(import " + text + "))\n";
  const Function& function = module.functions[func - module.imported_funcs];
  const size_t params = module.type_of_func(func).params.size();
  text += list("local", std::span(function.locals).subspan(params)) + "\n";
  Reader reader(module.bytes(), function.code_begin, function.code_end);
  Instruction in{};
  size_t depth = 1;
  while (!reader.at_end() && read_instruction(reader, in)) {
    const bool closes = in.op == Opcode::End || in.op == Opcode::Delegate;
    if (closes || continues(in.op)) --depth;
    char offset[16];
    std::snprintf(offset, sizeof offset, "%8x: ", in.offset);
    // Deep nesting is not worth as wide an indentation.
    text +=
        offset + std::string(2 * std::min<size_t>(depth, 40), ' ') + to_string(module, in) + "\n";
    if (opens(in.op) || continues(in.op)) ++depth;
  }
  return text + ")\n";
}

}  // namespace krait::engine
