// The name section: the module's name and its functions'. It is a custom section, so damage to it
// is no error: what is damaged is left out.
#include <algorithm>

#include "engine/decode.hpp"

namespace krait::engine {

void Decoder::name_section() {
  const auto custom = std::find_if(module_.customs.begin(), module_.customs.end(),
                                   [](const CustomSection& s) { return s.name == "name"; });
  if (custom == module_.customs.end()) return;
  Reader reader(module_.bytes(), custom->begin, custom->end);
  while (!reader.at_end()) {
    const uint8_t id = reader.byte();
    const uint32_t size = reader.u32();
    if (reader.failed() || size > reader.remaining()) return;
    Reader part(module_.bytes(), reader.offset(), reader.offset() + size);
    reader.seek(reader.offset() + size);
    if (id == 0) {
      const std::string_view name = part.name("module name");
      if (!part.failed()) module_.name_ = name;
    } else if (id == 1 && !function_names(part)) {
      module_.func_names_.clear();
      return;
    }
  }
}

bool Decoder::function_names(Reader reader) {
  auto& names = module_.func_names_;
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

}  // namespace krait::engine
