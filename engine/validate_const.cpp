// Constant expressions: offsets, initial values, elements.
#include "engine/validate.hpp"

namespace krait::engine {

namespace {

/// The type of what global.get or ref.func pushes; Bottom (and an error) where it may not stand.
ValType type_of_reference(const ModuleContext& context, Reader& reader, const Instruction& in) {
  const Module& module = context.module;
  if (in.op == Opcode::RefFunc) {
    if (in.index < module.func_types.size()) return ValType::FuncRef;
    reader.fail(in.offset, "unknown function " + std::to_string(in.index));
    return ValType::Bottom;
  }
  const bool visible = in.index < module.imported_globals ||
                       (context.features.global_in_const && in.index < module.globals.size());
  if (!visible) {
    reader.fail(in.offset, "unknown global " + std::to_string(in.index) +
                               ": a constant expression sees those before it");
    return ValType::Bottom;
  }
  const GlobalType& type = module.globals[in.index].type;
  if (!type.is_mutable) return type.type;
  reader.fail(in.offset,
              "constant expression required: global " + std::to_string(in.index) + " is mutable");
  return ValType::Bottom;
}

bool is_const_arithmetic(Opcode op) {
  switch (op) {
    case Opcode::I32Const:
    case Opcode::I64Const:
    case Opcode::F32Const:
    case Opcode::F64Const:
    case Opcode::V128Const:
    case Opcode::I32Add:
    case Opcode::I32Sub:
    case Opcode::I32Mul:
    case Opcode::I64Add:
    case Opcode::I64Sub:
    case Opcode::I64Mul:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool validate_const_expr(ModuleContext& context, Reader& reader, ValType expected, ConstExpr& out) {
  out.begin = reader.offset();
  std::vector<ValType> stack;
  Instruction in{};
  while (read_instruction(reader, in) && in.op != Opcode::End) {
    ValType result = ValType::Bottom;
    if (is_const_arithmetic(in.op)) {
      const OpcodeTraits& traits = traits_of(in.op);
      for (uint32_t i = traits.operand_count; i-- > 0; stack.pop_back()) {
        if (!stack.empty() && stack.back() == traits.operands[i]) continue;
        return reader.fail(in.offset, "type mismatch: " + std::string(info_of(in.op).text) +
                                          " expects " + name_of(traits.operands[i]));
      }
      result = traits.result;
    } else if (in.op == Opcode::RefNull) {
      result = in.type;
    } else if (in.op == Opcode::RefFunc || in.op == Opcode::GlobalGet) {
      result = type_of_reference(context, reader, in);
      if (in.op == Opcode::RefFunc && !reader.failed()) context.declared_funcs[in.index] = true;
    } else {
      return reader.fail(in.offset,
                         "constant expression required: found " + std::string(info_of(in.op).text));
    }
    if (reader.failed()) return false;
    stack.push_back(result);
  }
  if (reader.failed()) return false;
  out.end = reader.offset();
  if (stack.size() == 1 && stack[0] == expected) return true;
  return reader.fail(out.begin, "type mismatch: expected a constant expression of type " +
                                    std::string(name_of(expected)) + ", found " +
                                    (stack.size() == 1 ? name_of(stack[0])
                                                       : std::to_string(stack.size()) + " values"));
}

}  // namespace krait::engine
