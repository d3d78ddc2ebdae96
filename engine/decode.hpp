// The decoder: the sections of a module, in their order, into a Module. Function bodies go to the
// Validator.
#pragma once

#include <memory>
#include <vector>

#include "engine/facts.hpp"
#include "engine/reader.hpp"
#include "engine/validate.hpp"

namespace krait::engine {

/// Used once: decodes `bytes`, which the module keeps. Without facts, and with such as do not fit, bodies are validated.
class Decoder {
 public:
  Decoder(Module& module, SharedBytes bytes, const Features& features, SharedBytes facts = {},
          std::optional<std::array<uint8_t, 32>> sha256 = {});
  Result<void> decode();
  /// The bytes as a module can keep them.
  static SharedBytes own(std::vector<std::byte> bytes);
  static Module::FuncNames func_names(const Module& module);

 private:
  // decode.cpp
  bool sections();
  bool section(uint8_t id);
  bool custom_section();
  bool finish();
  bool code_section();
  bool known_code();
  bool body(Validator& validator, FunctionDraft& function);
  bool locals(FunctionDraft& function);
  bool fail(uint32_t at, std::string message) { return reader_.fail(at, std::move(message)); }

  // decode_sections.cpp
  bool type_section();
  bool func_type(FuncType& type);
  void canonicalize_types();
  bool import_section();
  bool function_section();
  bool table_section();
  bool memory_section();
  bool tag_section();
  bool global_section();
  bool export_section();
  bool sort_exports(const std::vector<uint32_t>& offsets);
  bool start_section();
  bool type_index(uint32_t& out);
  bool limits(Limits& out, uint64_t greatest, bool is_memory);
  bool check_single(uint32_t at);
  bool table_type(TableType& out);
  bool memory_type(MemoryType& out);
  bool global_type(GlobalType& out);
  bool tag_type(TagType& out);
  [[nodiscard]] size_t index_space(ExternKind kind) const;

  // decode_segments.cpp
  bool element_section();
  bool element_segment(ElementSegment& segment);
  bool element_functions(ElementSegment& segment, uint32_t count);
  bool data_count_section();
  bool data_section();
  bool data_segment(DataSegment& segment);

  // decode_names.cpp
  void name_section();

  Module& module_;
  ModuleContext context_;
  Reader reader_;
  SharedBytes facts_;
  FactsBuilder builder_;
  uint32_t declared_functions_ = 0;  // by the function section
  uint32_t module_locals_ = 0;
};

}  // namespace krait::engine
