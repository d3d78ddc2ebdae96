// The validator's walk over a body, and every instruction that neither branches nor throws. Most
// are typed by their row of opcodes.def alone.
#include <algorithm>

#include "engine/validate.hpp"

namespace krait::engine {

Validator::Validator(ModuleContext& context, Reader& reader, std::vector<BranchEntry>& side_table)
    : context_(context),
      module_(context.module),
      side_table_(side_table),
      reader_(reader),
      types_(context.module.types) {
  stack_.resize(256);
  frames_.reserve(64);
}

bool Validator::fail(const std::string& message) { return reader_.fail(in_.offset, message); }

bool Validator::fail_index(const char* what, uint32_t index, size_t count) {
  return fail("unknown " + std::string(what) + " " + std::to_string(index) + ": there " +
              (count == 1 ? "is " : "are ") + std::to_string(count));
}

bool Validator::validate(FunctionDraft& function) {
  function.code_begin = reader_.offset();
  function.code_end = reader_.end_offset();
  function.side_table = static_cast<uint32_t>(side_table_.size());
  begin(function);
  if (run()) return finish();
  if (!restart_) return false;
  function.uses_v128 = true;
  side_table_.resize(function.side_table);
  reader_.seek(function.code_begin);
  begin(function);
  return run() && finish();
}

void Validator::begin(FunctionDraft& function) {
  function_ = &function;
  const FuncType& type = module_.types[function.type_index];
  const uint32_t slots = slots_of(function.locals);
  if (slots != function.local_count || type.result_slots != type.results.size())
    function.uses_v128 = true;
  function.local_slots = declared_slots_ = slots;
  function.param_slots = type.param_slots;
  function.result_slots = type.result_slots;
  function.instruction_count = 0;
  function.has_loop = false;
  function.regions.clear();
  function.catches.clear();
  top_ = max_ = 0;
  dead_ = restart_ = false;
  frames_.clear();
  handlers_.clear();
  in_.offset = in_.end = reader_.offset();
  open(Opcode::Block, {}, types_[function.type_index].results);
}

bool Validator::finish() {
  FunctionDraft& f = *function_;
  if (!reader_.at_end())
    return reader_.fail(reader_.offset(), "section size mismatch: code behind the function's end");
  f.max_operand_slots = max_;
  f.side_table_size = stp();
  if (f.uses_v128) {
    f.local_slot_of.reserve(f.locals.size());
    uint32_t slot = 0;
    for (ValType type : f.locals) {
      f.local_slot_of.push_back(slot);
      slot += slots_of(type);
    }
  }
  return true;
}

bool Validator::run() {
  while (!frames_.empty()) {
    if (!read_instruction(reader_, in_)) return false;
    ++function_->instruction_count;
    const OpcodeTraits& traits = traits_of(in_.op);
    if (traits.special) {
      // More than half of compiled code is locals: not worth a second dispatch.
      const bool ok = traits.immediates == Immediates::Local ? local() : special();
      if (!ok) return false;
      continue;
    }
    if (traits.immediates == Immediates::None || traits.immediates == Immediates::I32) {
      if (!simple(traits)) return false;
      continue;
    }
    switch (traits.immediates) {
      case Immediates::I64:
      case Immediates::F32:
      case Immediates::F64:
      case Immediates::V128:
      case Immediates::Fence:
        break;
      case Immediates::MemArg:
      case Immediates::MemArgLane:
      case Immediates::Lane:
      case Immediates::Shuffle:
        if (!access(traits)) return false;
        break;
      default:
        if (!memory_or_table()) return false;
    }
    if (!simple(traits)) return false;
  }
  return true;
}

bool Validator::simple(const OpcodeTraits& traits) {
  if (traits.vector && !function_->uses_v128) {
    restart_ = true;
    return false;
  }
  for (uint32_t i = traits.operand_count; i-- > 0;) {
    if (!pop(traits.operands[i])) return false;
  }
  if (traits.result != ValType::Bottom) push(traits.result);
  return true;
}

/// Memory accesses and lanes: the immediates.
bool Validator::access(const OpcodeTraits& traits) {
  if (traits.immediates == Immediates::MemArg || traits.immediates == Immediates::MemArgLane) {
    if (!check_memory(in_.index)) return false;
    if (in_.align > traits.access_log2 || (traits.atomic && in_.align != traits.access_log2)) {
      const char* rule = traits.atomic ? "atomic alignment must be natural: "
                                       : "alignment must not be larger than natural: ";
      return fail(rule + std::string(info_of(in_.op).text) + " has 2**" +
                  std::to_string(traits.access_log2) + ", found 2**" + std::to_string(in_.align));
    }
  }
  if (traits.immediates == Immediates::MemArg) return true;
  if (traits.immediates == Immediates::Shuffle) {
    const std::byte* lanes = module_.bytes().data() + in_.list;
    in_.lane = 0;
    for (int i = 0; i < 16; ++i) in_.lane = std::max(in_.lane, static_cast<uint8_t>(lanes[i]));
  }
  if (in_.lane < traits.lanes) return true;
  return fail("invalid lane index " + std::to_string(in_.lane) + ": " + info_of(in_.op).text +
              " has lanes below " + std::to_string(traits.lanes));
}

bool Validator::check_memory(uint32_t index) {
  if (!context_.features.multi_memory && index != 0)
    return fail("zero byte expected: found memory " + std::to_string(index));
  if (index >= module_.memories.size()) return fail_index("memory", index, module_.memories.size());
  return true;
}

/// A memory index that is an instruction's last immediate; without multi-memory it is a byte, not a
/// number.
bool Validator::check_last_memory(uint32_t index) {
  if (!context_.features.multi_memory &&
      (static_cast<uint8_t>(module_.bytes()[in_.end - 2]) & 0x80)) {
    return fail("zero byte expected: found a longer memory index");
  }
  return check_memory(index);
}

bool Validator::check_data(uint32_t index) {
  if (!context_.has_data_count)
    return fail("data count section required: " + std::string(info_of(in_.op).text));
  return index < context_.data_count || fail_index("data segment", index, context_.data_count);
}

bool Validator::check_table(uint32_t index) {
  return index < module_.tables.size() || fail_index("table", index, module_.tables.size());
}

bool Validator::check_elements(uint32_t index) {
  return index < module_.elements.size() ||
         fail_index("elem segment", index, module_.elements.size());
}

/// Bulk operations and sizes: the immediates.
bool Validator::memory_or_table() {
  switch (traits_of(in_.op).immediates) {
    case Immediates::Memory:
      return check_last_memory(in_.index);
    case Immediates::Data:
      return check_data(in_.index);
    case Immediates::DataMemory:
      return check_last_memory(in_.index2) && check_data(in_.index);
    case Immediates::MemoryMemory:
      return check_last_memory(in_.index2) && check_memory(in_.index);
    case Immediates::Table:
      return check_table(in_.index);
    case Immediates::Elem:
      return check_elements(in_.index);
    case Immediates::ElemTable: {
      if (!check_table(in_.index2) || !check_elements(in_.index)) return false;
      const ValType to = module_.tables[in_.index2].type.element;
      const ValType from = module_.elements[in_.index].type;
      return to == from || fail_type(name_of(to), from);
    }
    case Immediates::TableTable: {
      if (!check_table(in_.index) || !check_table(in_.index2)) return false;
      const ValType to = module_.tables[in_.index].type.element;
      const ValType from = module_.tables[in_.index2].type.element;
      return to == from || fail_type(name_of(to), from);
    }
    default:
      return fail("illegal opcode");
  }
}

/// The instructions whose types depend on immediates or on the stack.
bool Validator::special() {
  switch (in_.op) {
    case Opcode::GlobalGet:
    case Opcode::GlobalSet:
      return global();
    case Opcode::TableGet:
    case Opcode::TableSet:
    case Opcode::TableGrow:
    case Opcode::TableFill:
      return table();
    case Opcode::Drop:
      return drop();
    case Opcode::Select:
    case Opcode::SelectT:
      return select();
    case Opcode::RefNull:
    case Opcode::RefIsNull:
    case Opcode::RefFunc:
      return reference();
    case Opcode::Try:
    case Opcode::Catch:
    case Opcode::CatchAll:
    case Opcode::Delegate:
    case Opcode::TryTable:
    case Opcode::Throw:
    case Opcode::ThrowRef:
    case Opcode::Rethrow:
      return exceptions();
    default:
      return control();
  }
}

bool Validator::local() {
  if (in_.index >= function_->local_count)
    return fail_index("local", in_.index, function_->local_count);
  const ValType type = function_->locals[in_.index];
  if (in_.op != Opcode::LocalGet && !pop(type)) return false;
  if (in_.op != Opcode::LocalSet) push(type);
  return true;
}

bool Validator::global() {
  if (in_.index >= module_.globals.size())
    return fail_index("global", in_.index, module_.globals.size());
  const GlobalType& type = module_.globals[in_.index].type;
  if (in_.op == Opcode::GlobalSet) {
    return type.is_mutable
               ? pop(type.type)
               : fail("global is immutable: global.set of global " + std::to_string(in_.index));
  }
  if (type.type == ValType::V128 && !function_->uses_v128) {
    restart_ = true;
    return false;
  }
  push(type.type);
  return true;
}

bool Validator::table() {
  if (!check_table(in_.index)) return false;
  const ValType element = module_.tables[in_.index].type.element;
  switch (in_.op) {
    case Opcode::TableGet:
      if (!pop(ValType::I32)) return false;
      push(element);
      return true;
    case Opcode::TableSet:
      return pop(element) && pop(ValType::I32);
    case Opcode::TableGrow:
      if (!pop(ValType::I32) || !pop(element)) return false;
      push(ValType::I32);
      return true;
    default:
      return pop(ValType::I32) && pop(element) && pop(ValType::I32);
  }
}

bool Validator::drop() {
  ValType type;
  if (!pop_any(type)) return false;
  if (function_->uses_v128) emit(slots_of(type), 0);
  return true;
}

bool Validator::select() {
  ValType type = in_.type;
  if (!pop(ValType::I32)) return false;
  if (in_.op == Opcode::SelectT) {
    if (type == ValType::V128 && !function_->uses_v128) {
      restart_ = true;
      return false;
    }
    if (!pop(type) || !pop(type)) return false;
  } else {
    ValType first;
    if (!pop_any(type) || !pop_any(first)) return false;
    if (is_reference(type) || is_reference(first)) {
      return fail("type mismatch: select without a type expects numbers or vectors, found " +
                  std::string(name_of(is_reference(type) ? type : first)));
    }
    if (type == ValType::Bottom) type = first;
    if (first != ValType::Bottom && first != type) return fail_type(name_of(first), type);
  }
  push(type);
  if (function_->uses_v128) emit(slots_of(type), 0);
  return true;
}

bool Validator::reference() {
  if (in_.op == Opcode::RefNull) {
    push(in_.type);
    return true;
  }
  if (in_.op == Opcode::RefFunc) {
    if (in_.index >= module_.func_types.size())
      return fail_index("function", in_.index, module_.func_types.size());
    if (!context_.declared_funcs[in_.index]) {
      return fail("undeclared function reference: function " + std::to_string(in_.index) +
                  " is in no export, element segment or global");
    }
    push(ValType::FuncRef);
    return true;
  }
  ValType type;
  if (!pop_any(type)) return false;
  if (type != ValType::Bottom && !is_reference(type)) return fail_type("a reference", type);
  push(ValType::I32);
  return true;
}

}  // namespace krait::engine
