// What a call costs in each engine: calls_bench [--json] [--rounds N]. Nanoseconds for each guest-to-guest, guest-to-host and
// host-to-guest call; the loop around a guest's call is subtracted. calls_bench FILE writes the module there, for others to run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/report.hpp"
#include "engine/linker.hpp"
#include "jit/jit.hpp"

namespace {

using namespace krait::engine;

/// (import "h" "add" (func (param i32 i32) (result i32))), a function that adds, and three exported loops of n
/// turns: "host" and "guest" call them, "empty" adds inline.
std::vector<std::byte> module_bytes() {
  std::vector<uint8_t> m = {0, 'a', 's', 'm', 1, 0, 0, 0};
  auto section = [&m](uint8_t id, const std::vector<uint8_t>& body) {
    m.push_back(id);
    m.push_back(static_cast<uint8_t>(body.size()));
    m.insert(m.end(), body.begin(), body.end());
  };
  section(1, {2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 1, 0x7f});
  section(2, {1, 1, 'h', 3, 'a', 'd', 'd', 0, 0});
  section(3, {4, 0, 1, 1, 1});
  section(7, {4, 1, 'a', 0, 1, 1, 'h', 0, 2, 1, 'g', 0, 3, 1, 'e', 0, 4});
  // local 1 is the sum: loop { sum = OP(sum, n); br_if (n = n - 1) }
  auto loop = [](std::vector<uint8_t> op) {
    std::vector<uint8_t> body = {1, 1, 0x7f, 0x03, 0x40, 0x20, 1, 0x20, 0};
    body.insert(body.end(), op.begin(), op.end());
    constexpr uint8_t Turn[] = {0x21, 1, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 1, 0x0b};
    body.insert(body.end(), std::begin(Turn), std::end(Turn));
    body.insert(body.begin(), static_cast<uint8_t>(body.size()));
    return body;
  };
  std::vector<uint8_t> code = {4, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b};
  for (const auto& body : {loop({0x10, 0}), loop({0x10, 1}), loop({0x6a})}) code.insert(code.end(), body.begin(), body.end());
  section(10, code);
  const auto bytes = std::as_bytes(std::span(m));
  return {bytes.begin(), bytes.end()};
}

/// Nanoseconds for each of `calls`, in each round.
template <typename F>
std::vector<double> nanoseconds(int rounds, int32_t calls, F f) {
  std::vector<double> each;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    f();
    each.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / calls);
  }
  return each;
}

/// Calls in both directions, on one engine: null is the interpreter.
bool measure(const char* engine, Compiler* compiler, const krait::bench::Report& report) {
  constexpr int32_t Calls = 1'000'000;
  const int rounds = report.rounds(9);
  Store store({.compiler = compiler});
  Linker linker;
  linker.func("h", "add", [](int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); });
  auto module = Module::compile(module_bytes());
  if (!module) return std::fprintf(stderr, "%s\n", module.error().to_string().c_str()), false;
  auto made = linker.instantiate(store, *module);
  if (!made) return std::fprintf(stderr, "%s\n", made.error().to_string().c_str()), false;
  const auto loop = [&](const char* name) {
    FuncInstance& func = *(*made)->export_func(name);
    return nanoseconds(rounds, Calls, [&] {
      Slot slots[2] = {static_cast<uint32_t>(Calls), 0};
      if (!store.call(func, slots)) std::abort();
    });
  };
  const std::vector<double> empty = loop("e");
  const auto add = [&](const char* what, std::vector<double> each) { report.add(std::string(engine) + ": " + what, "ns", each); };
  const auto less_the_loop = [&](std::vector<double> each) {
    for (double& ns : each) ns -= krait::bench::median(empty);
    return each;
  };
  add("a turn of the loop", empty);
  add("guest to guest call", less_the_loop(loop("g")));
  add("guest to host call", less_the_loop(loop("h")));
  FuncInstance& sum = *(*made)->export_func("a");
  add("host to guest call", nanoseconds(rounds, Calls, [&] {
        for (int32_t i = 0; i < Calls; ++i) {
          Slot slots[2] = {1, 2};
          if (!store.call(sum, slots) || slots[0] != 3) std::abort();
        }
      }));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const krait::bench::Report report(argc, argv);
  if (!report.arguments.empty()) {
    const std::vector<std::byte> bytes = module_bytes();
    std::ofstream out(report.arguments[0], std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return out.flush() ? 0 : 1;
  }
  krait::jit::Options options;
  options.disable = {"inline"};  // else the callee, a leaf, would be part of its caller and no call be measured
  const auto compiler = krait::jit::make_compiler(options);
  return measure("interp", nullptr, report) && (!compiler || measure("jit", compiler.get(), report)) ? 0 : 1;
}
