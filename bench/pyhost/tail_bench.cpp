// tail_bench [--json] [--rounds N]: tail latency beside computing neighbours. 1,000 short calls of a Python function, one due each
// millisecond, on one shard: alone, beside a Python call and beside a wasm call that loop for ever; all in machine code, then all
// interpreted. From when a call was due to its result. The runtime is the one in $KRAIT_RUNTIME.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bench/report.hpp"
#include "jit/jit.hpp"
#include "pyhost/calls/service.hpp"

namespace {

using namespace krait;
using namespace std::chrono_literals;

constexpr std::string_view Source = "def noop():\n  pass\ndef endless():\n  while True: pass\n";
/// (module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))
constexpr uint8_t TightLoop[] = {
    0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1,
    7, 19, 2, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 6, '_', 's', 't', 'a', 'r', 't', 0, 0,
    10, 9, 1, 7, 0, 3, 0x40, 0x0c, 0, 0x0b, 0x0b};

struct Neighbour {
  const char *name, *function, *entry;  // no function: none
};
constexpr Neighbour Neighbours[] = {
    {"alone", nullptr, nullptr}, {"beside a Python loop", "python", "endless"}, {"beside a wasm loop", "wasm", "_start"}};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "tail_bench: %s\n", why.c_str());
  std::exit(1);
}
template <typename T, typename E>
T need(Result<T, E> result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}

/// Milliseconds from when each call was due to its result. In a coroutine.
std::vector<double> latencies(pyhost::Service& service, const Neighbour& neighbour) {
  constexpr int Calls = 1000;
  pyhost::CallId endless = 0;
  if (neighbour.function) {
    endless = need(service.submit({"bench", neighbour.function, neighbour.entry, {}, {}, {}, {}}));
    io::sleep_for(200ms);  // until it is known to compute
  }
  std::vector<double> late;
  io::Scope calls;
  const int64_t start = io::now_ns();
  for (int i = 0; i < Calls; ++i) {
    calls.spawn([&, due = io::Deadline::at(start + (i + 1) * 1'000'000LL)] {
      io::sleep_until(due);
      const pyhost::CallReport done = need(service.call({"bench", "python", "noop", {}, {}, {}, {}}));
      if (!done.ok()) fail(done.err + done.error);
      late.push_back(static_cast<double>(io::now_ns() - due.ns()) / 1e6);
    });
  }
  calls.join();
  if (neighbour.function) {
    if (service.state(endless) != pyhost::CallState::Running) fail(std::string("nobody computed ") + neighbour.name);
    service.cancel(endless);
    (void)service.wait(endless);
  }
  return late;
}

void upload(pyhost::Service& service, const char* function, store::FunctionKind kind, std::span<const std::byte> contents) {
  (void)need(service.upload({"bench", function, kind, {contents.begin(), contents.end()}, {}, {}}));
}

void measure(engine::Compiler* compiler, const std::string& engine, const bench::Report& report) {
  const char* folder = std::getenv("KRAIT_RUNTIME");
  if (!folder) fail("name the runtime's folder in KRAIT_RUNTIME (krait paths)");
  const std::filesystem::path home = std::filesystem::temp_directory_path() / ("tail-bench-" + std::to_string(getpid()));
  {
    io::Options one;
    one.shards = 1;
    const auto runtime = need(io::Runtime::start(one));
    const auto python = need(pyhost::PythonRuntime::load(
        {std::string(folder) + "/python-reactor.wasm", std::string(folder) + "/python313.zip", compiler, nullptr}));
    pyhost::ServiceOptions options;
    options.limits.wall_ms = 0;
    const auto service = need(pyhost::Service::start(*runtime, store::FunctionStore(home), python, options));
    upload(*service, "python", store::FunctionKind::Python, std::as_bytes(std::span(Source)));
    upload(*service, "wasm", store::FunctionKind::Wasm, std::as_bytes(std::span(TightLoop)));
    std::vector<double> p50[std::size(Neighbours)], p99[std::size(Neighbours)];
    for (int round = 0; round < report.rounds(3); ++round) {
      for (size_t i = 0; i < std::size(Neighbours); ++i) {
        runtime->shard(0).run([&] {
          const std::vector<double> late = latencies(*service, Neighbours[i]);
          p50[i].push_back(bench::median(late));
          p99[i].push_back(bench::percentile(late, 0.99));
        });
      }
    }
    for (size_t i = 0; i < std::size(Neighbours); ++i) {
      const std::string name = engine + ", short Python calls " + Neighbours[i].name + ": ";
      report.add(name + "p50", "ms", p50[i]);
      report.add(name + "p99", "ms", p99[i]);
    }
  }
  std::filesystem::remove_all(home);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  const auto compiler = jit::make_compiler();
  if (compiler) measure(compiler.get(), "machine code", report);
  measure(nullptr, "interpreted", report);
}
