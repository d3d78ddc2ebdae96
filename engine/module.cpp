// Module: how it is made, and what is looked up in it by name.
#include "engine/module.hpp"

#include <algorithm>
#include <numeric>

#include "engine/decode.hpp"

namespace krait::engine {

Result<std::shared_ptr<const Module>> Module::compile(std::vector<std::byte> bytes,
                                                      const Features& features) {
  if (bytes.size() > limits::ModuleBytes) {
    return Error{"too large module: the limit is " + std::to_string(limits::ModuleBytes) + " bytes",
                 0};
  }
  auto module = std::make_shared<Module>();
  Result<void> decoded = Decoder(*module, Decoder::own(std::move(bytes)), features).decode();
  if (!decoded) return std::move(decoded.error());
  return std::shared_ptr<const Module>(std::move(module));
}

Result<std::shared_ptr<const Module>> Module::compile(std::span<const std::byte> bytes,
                                                      const Features& features) {
  return compile(std::vector<std::byte>(bytes.begin(), bytes.end()), features);
}

void Module::order_exports() const {
  std::call_once(ordered_, [this] {
    exports_by_name_.resize(exports.size());
    std::iota(exports_by_name_.begin(), exports_by_name_.end(), 0);
    std::sort(exports_by_name_.begin(), exports_by_name_.end(), [&](uint32_t a, uint32_t b) {
      const int names = exports[a].name.compare(exports[b].name);
      return names != 0 ? names < 0 : a < b;
    });
  });
}

const Export* Module::find_export(std::string_view name) const {
  order_exports();
  const auto at = std::lower_bound(
      exports_by_name_.begin(), exports_by_name_.end(), name,
      [&](uint32_t i, std::string_view wanted) { return exports[i].name < wanted; });
  if (at == exports_by_name_.end()) return nullptr;
  const Export& found = exports[*at];
  return found.name == name ? &found : nullptr;
}

const Export* Module::find_export(std::string_view name, ExternKind kind) const {
  const Export* found = find_export(name);
  return found && found->kind == kind ? found : nullptr;
}

const Module::FuncNames& Module::func_names() const {
  std::call_once(names_read_, [this] { func_names_ = Decoder::func_names(*this); });
  return func_names_;
}

std::string Module::func_name(uint32_t func) const {
  const FuncNames& names = func_names();
  const auto named =
      std::lower_bound(names.begin(), names.end(), func,
                       [](const auto& entry, uint32_t wanted) { return entry.first < wanted; });
  if (named != names.end() && named->first == func) return std::string(named->second);
  for (const Export& e : exports) {
    if (e.kind == ExternKind::Func && e.index == func) return e.name;
  }
  if (func < imported_funcs) {
    for (const Import& i : imports) {
      if (i.kind == ExternKind::Func && i.index == func) return i.module + "." + i.name;
    }
  }
  return "func[" + std::to_string(func) + "]";
}

std::span<const std::byte> Module::custom_section(std::string_view name) const {
  for (const CustomSection& section : customs) {
    if (section.name == name)
      return bytes().subspan(section.begin, section.end - section.begin);
  }
  return {};
}

}  // namespace krait::engine
