// The module's frame: header, section order, custom sections, and the bodies of the code section.
#include "engine/decode.hpp"

#include <algorithm>

namespace krait::engine {

namespace {

enum class SectionId : uint8_t {
  Custom,
  Type,
  Import,
  Function,
  Table,
  Memory,
  Global,
  Export,
  Start,
  Element,
  Code,
  Data,
  DataCount,
  Tag
};
constexpr uint8_t SectionCount = 14;

/// Place of each section in a module, by id; the order is not that of the ids.
constexpr uint8_t OrderOf[SectionCount] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};

}  // namespace

SharedBytes Decoder::own(std::vector<std::byte> bytes) {
  const size_t size = bytes.size();
  bytes.resize(size + Module::Padding);
  const auto owned = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {std::span(*owned).first(size), owned};
}

Decoder::Decoder(Module& module, SharedBytes bytes, const Features& features, SharedBytes facts,
                 std::optional<std::array<uint8_t, 32>> sha256)
    : module_(module), context_{module, features, {}, false, 0}, reader_(bytes.bytes), facts_(std::move(facts)) {
  module.bytes_ = std::move(bytes);
  module.sha256_ = sha256;
}

Result<void> Decoder::decode() {
  if (sections() && finish()) return {};
  return reader_.error();
}

bool Decoder::sections() {
  // Both are little-endian numbers; compared as such, a short header fails like a wrong one.
  if (reader_.remaining() < 4 || reader_.fixed32() != 0x6d736100)
    return fail(0, "magic header not detected: expected \\0asm");
  if (reader_.remaining() < 4) return fail(4, "unknown binary version: unexpected end");
  if (const uint32_t version = reader_.fixed32(); version != 1) {
    return fail(4, "unknown binary version: expected 1, found " + std::to_string(version));
  }
  uint8_t last = 0;
  while (!reader_.at_end()) {
    const uint32_t at = reader_.offset();
    const uint8_t id = reader_.byte();
    const uint32_t size = reader_.u32();
    if (reader_.failed()) return false;
    if (id >= SectionCount) return fail(at, "malformed section id " + std::to_string(id));
    if (size > reader_.remaining()) {
      return fail(at, "length out of bounds: unexpected end: section " + std::to_string(id) +
                          " of " + std::to_string(size) + " bytes, " +
                          std::to_string(reader_.remaining()) + " are left");
    }
    if (id != 0) {
      if (OrderOf[id] <= last)
        return fail(at, "unexpected content after last section: section " + std::to_string(id) +
                            " again or out of order");
      last = OrderOf[id];
    }
    const uint32_t end = reader_.offset() + size;
    const uint32_t module_end = reader_.set_end(end);
    if (!section(id) || reader_.failed()) return false;
    if (!reader_.at_end()) {
      return fail(reader_.offset(), "section size mismatch: section " + std::to_string(id) +
                                        " has " + std::to_string(reader_.remaining()) +
                                        " bytes more");
    }
    reader_.set_end(module_end);
  }
  return !reader_.failed();
}

bool Decoder::section(uint8_t id) {
  switch (static_cast<SectionId>(id)) {
    case SectionId::Custom:
      return custom_section();
    case SectionId::Type:
      return type_section();
    case SectionId::Import:
      return import_section();
    case SectionId::Function:
      return function_section();
    case SectionId::Table:
      return table_section();
    case SectionId::Memory:
      return memory_section();
    case SectionId::Tag:
      return tag_section();
    case SectionId::Global:
      return global_section();
    case SectionId::Export:
      return export_section();
    case SectionId::Start:
      return start_section();
    case SectionId::Element:
      return element_section();
    case SectionId::DataCount:
      return data_count_section();
    case SectionId::Code:
      return code_section();
    case SectionId::Data:
      return data_section();
  }
  return false;
}

bool Decoder::custom_section() {
  const std::string_view name = reader_.name("custom section name");
  if (reader_.failed()) return false;
  module_.customs.push_back({std::string(name), reader_.offset(), reader_.end_offset()});
  reader_.seek(reader_.end_offset());
  return true;
}

/// What only the whole module tells.
bool Decoder::finish() {
  const uint32_t end = reader_.offset();
  if (declared_functions_ != module_.functions.size()) {
    return fail(end, "function and code section have inconsistent lengths: " +
                         std::to_string(declared_functions_) + " and " +
                         std::to_string(module_.functions.size()));
  }
  if (context_.has_data_count && context_.data_count != module_.data.size()) {
    return fail(end, "data count and data section have inconsistent lengths: " +
                         std::to_string(context_.data_count) + " and " +
                         std::to_string(module_.data.size()));
  }
  name_section();
  return true;
}

bool Decoder::code_section() {
  const uint32_t at = reader_.offset();
  const uint32_t count = reader_.count("function bodies", limits::Functions, 2);
  if (reader_.failed()) return false;
  if (count != declared_functions_) {
    return fail(at, "function and code section have inconsistent lengths: " +
                        std::to_string(declared_functions_) + " and " + std::to_string(count));
  }
  if (known_code()) return true;
  // In compiled code a tenth of the bytes are branches' labels at most; an underestimate costs a
  // copy.
  builder_.reserve(count, reader_.remaining() / 16);
  Validator validator(context_, reader_, builder_.side_table);
  for (uint32_t i = 0; i < count; ++i) {
    FunctionDraft function;
    function.type_index = module_.func_types[module_.imported_funcs + i];
    if (!body(validator, function)) return false;
    builder_.add(function);
  }
  facts_ = builder_.finish(module_.bytes().size());
  return known_code();
}

/// Takes the section's functions from facts_. False where these are none of this module.
bool Decoder::known_code() {
  const FactsView facts =
      view_facts(facts_.bytes, module_.bytes().size(), std::span(module_.func_types).subspan(module_.imported_funcs));
  if (!facts.valid) return false;
  module_.facts_ = std::move(facts_);
  module_.functions = facts.functions;
  module_.side_table_ = facts.side_table;
  reader_.seek(reader_.end_offset());
  return true;
}

bool Decoder::body(Validator& validator, FunctionDraft& function) {
  const uint32_t at = reader_.offset();
  const uint32_t size = reader_.u32();
  if (reader_.failed()) return false;
  if (size > limits::FunctionBytes) {
    return fail(at, "too long function body: " + std::to_string(size) + " bytes, the limit is " +
                        std::to_string(limits::FunctionBytes));
  }
  if (size > reader_.remaining()) {
    return fail(at, "unexpected end of section or function: a body of " + std::to_string(size) +
                        " bytes, " + std::to_string(reader_.remaining()) + " are left");
  }
  const uint32_t section_end = reader_.set_end(reader_.offset() + size);
  if (!locals(function)) return false;
  if (!validator.validate(function)) return false;
  reader_.set_end(section_end);
  return true;
}

/// The function's params and the groups of its local declarations.
bool Decoder::locals(FunctionDraft& function) {
  const uint32_t groups = reader_.count("local declarations", limits::FunctionBytes, 2);
  if (reader_.failed()) return false;
  function.locals = module_.types[function.type_index].params;
  for (uint32_t i = 0; i < groups; ++i) {
    const uint32_t at = reader_.offset();
    const uint32_t count = reader_.u32();
    const ValType type = reader_.val_type();
    if (reader_.failed()) return false;
    if (count >
        limits::FunctionLocals - std::min<size_t>(function.locals.size(), limits::FunctionLocals)) {
      return fail(at, "too many locals: the limit is " + std::to_string(limits::FunctionLocals));
    }
    module_locals_ += count;
    if (module_locals_ > limits::ModuleLocals) {
      return fail(
          at, "too many locals: the limit for a module is " + std::to_string(limits::ModuleLocals));
    }
    function.locals.insert(function.locals.end(), count, type);
  }
  function.local_count = static_cast<uint32_t>(function.locals.size());
  return true;
}

}  // namespace krait::engine
