// The Python runtime that the guest's build left in the cache, loaded once a process.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pyhost/python.hpp"

namespace krait::test {

/// The folder with the runtime's parts ($KRAIT_RUNTIME, else the cache's), or an empty path.
inline std::filesystem::path python_folder() {
  if (const char* given = std::getenv("KRAIT_RUNTIME"); given && *given) return given;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path folder =
      (cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home ? home : "/") / ".cache") / "krait/current";
  return std::filesystem::exists(folder / "python-reactor.wasm") ? folder : std::filesystem::path();
}

/// Null where it is not built: the caller's test then says so and checks nothing.
inline std::shared_ptr<const pyhost::PythonRuntime> load_python(engine::Compiler* compiler) {
  const std::filesystem::path folder = python_folder();
  if (folder.empty()) return nullptr;
  auto made = pyhost::PythonRuntime::load(
      {(folder / "python-reactor.wasm").string(), (folder / "python313.zip").string(), compiler});
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return *made;
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace krait::test
