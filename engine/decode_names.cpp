// The name section: the module's name and its functions'. It is a custom section, so damage to it
// is no error: what is damaged is left out.
#include <algorithm>
#include <optional>

#include "engine/decode.hpp"

namespace krait::engine {

namespace {

/// The subsection of that id, as far as it is there.
std::optional<Reader> subsection(const Module& module, uint8_t wanted) {
  const auto custom = std::find_if(module.customs.begin(), module.customs.end(),
                                   [](const CustomSection& s) { return s.name == "name"; });
  if (custom == module.customs.end()) return std::nullopt;
  Reader reader(module.bytes(), custom->begin, custom->end);
  while (!reader.at_end()) {
    const uint8_t id = reader.byte();
    const uint32_t size = reader.u32();
    if (reader.failed() || size > reader.remaining()) return std::nullopt;
    if (id == wanted) return Reader(module.bytes(), reader.offset(), reader.offset() + size);
    reader.seek(reader.offset() + size);
  }
  return std::nullopt;
}

bool read_names(Reader reader, std::vector<std::pair<uint32_t, std::string_view>>& names) {
  const uint32_t count = reader.count("function names", limits::Functions, 2);
  names.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t index = reader.u32();
    const std::string_view name = reader.name("function name");
    // The indices ascend: func_name searches by halving.
    if (reader.failed() || (!names.empty() && index <= names.back().first)) return false;
    names.emplace_back(index, name);
  }
  return reader.at_end() && !reader.failed();
}

}  // namespace

void Decoder::name_section() {
  auto part = subsection(module_, 0);
  if (!part) return;
  const std::string_view name = part->name("module name");
  if (!part->failed()) module_.name_ = name;
}

Module::FuncNames Decoder::func_names(const Module& module) {
  Module::FuncNames names;
  const auto part = subsection(module, 1);
  if (part && !read_names(*part, names)) names.clear();
  return names;
}

}  // namespace krait::engine
