// What it costs to decode and validate a module: decode-bench MODULE.wasm [ROUNDS]. Prints the best
// round.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "bench/report.hpp"
#include "engine/module.hpp"

namespace {

std::vector<std::byte> read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> text(std::istreambuf_iterator<char>(in), {});
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

int main(int argc, char** argv) {
  const krait::bench::Report report(argc, argv);
  if (report.arguments.size() != 1) {
    std::fprintf(stderr, "usage: decode_bench [--json] [--rounds N] MODULE.wasm\n");
    return 2;
  }
  using Clock = std::chrono::steady_clock;
  const char* file = report.arguments[0].c_str();
  const std::vector<std::byte> bytes = read_file(file);
  std::vector<double> ms, each;
  for (int round = report.rounds(20); round > 0; --round) {
    std::vector<std::byte> copy = bytes;  // compile takes it over
    const auto start = Clock::now();
    const auto module = krait::engine::Module::compile(std::move(copy));
    const std::chrono::duration<double, std::milli> took = Clock::now() - start;
    if (!module) {
      std::fprintf(stderr, "%s: %s\n", file, module.error().to_string().c_str());
      return 1;
    }
    uint64_t instructions = 0;
    for (const auto& function : (*module)->functions) instructions += function.instruction_count;
    ms.push_back(took.count());
    each.push_back(took.count() * 1e6 / static_cast<double>(std::max<uint64_t>(instructions, 1)));
  }
  report.add("decode and validate", "ms", ms);
  report.add("decode and validate, an instruction", "ns", each);
}
