// The Python runtime that the guest's build left in the cache, or in $KRAIT_RUNTIME; loaded once a test program.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "pyhost/python.hpp"

namespace krait::test {

inline std::filesystem::path runtime_folder() {
  const auto variable = [](const char* name) { const char* value = std::getenv(name); return std::string(value ? value : ""); };
  if (const std::string given = variable("KRAIT_RUNTIME"); !given.empty()) return given;
  const std::string cache = variable("XDG_CACHE_HOME");
  return (cache.empty() ? std::filesystem::path(variable("HOME")) / ".cache" : std::filesystem::path(cache)) / "krait/current";
}

/// Null where it is not built.
inline std::shared_ptr<const pyhost::PythonRuntime> load_python(engine::Compiler* compiler) {
  const std::filesystem::path folder = runtime_folder();
  if (!std::filesystem::exists(folder / "python-reactor.wasm")) return nullptr;
  auto made = pyhost::PythonRuntime::load({(folder / "python-reactor.wasm").string(), (folder / "python313.zip").string(), compiler});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return *made;
}

/// Interpreted. Null, and a message, where it is not built.
inline std::shared_ptr<const pyhost::PythonRuntime> python_runtime() {
  static const auto loaded = load_python(nullptr);
  if (!loaded) MESSAGE("skipped: the Python runtime is not built");
  return loaded;
}

}  // namespace krait::test
