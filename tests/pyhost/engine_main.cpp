// main of the test programs that run Python once an engine: `--engine interp`, the default, or `--engine jit`, with the runtime's
// code from the cache that `krait` has.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // faults and ud2 are the engine's
#include "tests/pyhost/engine_main.hpp"

#include <doctest/doctest.h>

#include "tests/pyhost/python_fixture.hpp"
#if KRAIT_JIT
#include "jit/jit.hpp"
#include "tools/code_cache.hpp"
#endif

namespace krait::test {

namespace {
engine::Compiler* chosen = nullptr;
}

engine::Compiler* chosen_compiler() { return chosen; }

}  // namespace krait::test

int main(int argc, char** argv) {
#if KRAIT_JIT
  using namespace krait;
  std::unique_ptr<tools::DiskCodeCache> cache;
  std::unique_ptr<engine::Compiler> made;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) != "--engine" || std::string_view(argv[i + 1]) != "jit" || test::python_folder().empty()) continue;
    jit::Options options;
    cache = std::make_unique<tools::DiskCodeCache>(test::python_folder().parent_path() / "code");
    options.cache = cache.get();
    made = jit::make_compiler(std::move(options));
    test::chosen = made.get();
  }
#endif
  return doctest::Context(argc, argv).run();
}
