// What it costs to decode and validate a module: decode-bench MODULE.wasm [ROUNDS]. Prints the best
// round.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

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
  if (argc < 2) {
    std::fprintf(stderr, "usage: decode-bench MODULE.wasm [ROUNDS]\n");
    return 2;
  }
  using Clock = std::chrono::steady_clock;
  const std::vector<std::byte> bytes = read_file(argv[1]);
  double best = 1e9;
  uint64_t instructions = 0;
  for (int round = argc > 2 ? std::atoi(argv[2]) : 20; round > 0; --round) {
    std::vector<std::byte> copy = bytes;  // compile takes it over
    const auto start = Clock::now();
    const auto module = krait::engine::Module::compile(std::move(copy));
    const std::chrono::duration<double> took = Clock::now() - start;
    if (!module) {
      std::fprintf(stderr, "%s: %s\n", argv[1], module.error().to_string().c_str());
      return 1;
    }
    best = std::min(best, took.count());
    instructions = 0;
    for (const auto& function : (*module)->functions) instructions += function.instruction_count;
  }
  std::printf("%.1f ms, %llu instructions, %.1f ns each, %.0f MB/s\n", best * 1e3,
              static_cast<unsigned long long>(instructions),
              best * 1e9 / static_cast<double>(std::max<uint64_t>(instructions, 1)),
              static_cast<double>(bytes.size()) / best / 1e6);
}
