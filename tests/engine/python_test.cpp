// A big real module: $KRAIT_PYTHON_WASM names CPython's; without it the test says so and passes nothing.
#include <doctest/doctest.h>

#include <cstdlib>

#include "engine/module.hpp"
#include "tests/engine/side_table_walk.hpp"
#include "tests/support/file.hpp"

TEST_CASE("python.wasm decodes and validates") {
  const char* path = std::getenv("KRAIT_PYTHON_WASM");
  if (!path) {
    MESSAGE("skipped: KRAIT_PYTHON_WASM is not set");
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
