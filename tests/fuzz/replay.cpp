// fuzz-replay FILE...: runs inputs of the fuzz target once each, in any build, and prints what came of them.
#include <cstdio>

#include "tests/fuzz/run_input.hpp"
#include "tests/support/file.hpp"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const auto bytes = krait::test::read_file(argv[i]);
    if (!bytes) {
      std::fprintf(stderr, "fuzz-replay: %s\n", bytes.error().message.c_str());
      return 2;
    }
    std::printf("%s: %s\n", argv[i], krait::fuzz::run_input(*bytes).c_str());
  }
  return 0;
}
