// A big real module: CPython's, at $KRAIT_PYTHON_WASM, else where the guest's recipe leaves it. Without one the test says so.
#include <doctest/doctest.h>

#include <cstdlib>

#include "engine/module.hpp"
#include "tests/engine/side_table_walk.hpp"
#include "tests/support/file.hpp"

namespace {

std::filesystem::path python_wasm() {
  if (const char* path = std::getenv("KRAIT_PYTHON_WASM")) return path;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base = cache ? cache : std::filesystem::path(home ? home : "") / ".cache";
  return base / "krait/current/python.wasm";
}

}  // namespace

TEST_CASE("python.wasm decodes and validates") {
  const std::filesystem::path path = python_wasm();
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: there is no " << path.string() << " (set KRAIT_PYTHON_WASM)");
    return;
  }
  auto bytes = krait::test::read_file(path);
  REQUIRE(bytes.ok());
  const auto module = krait::engine::Module::compile(std::move(*bytes));
  REQUIRE_MESSAGE(module.ok(), module.error().to_string());
  CHECK((*module)->functions.size() > 5000);
  CHECK_FALSE((*module)->exports.empty());
  for (const krait::engine::Function& function : (*module)->functions) {
    REQUIRE(krait::test::SideTableWalk(**module, function).allow_unreached().run() == "");
  }
}
