// python_bench [--json] [--rounds N]: what a call of an empty Python function costs, by part, in each engine: a cold start, a start from
// the function's snapshot, the call, the reset. Microseconds; median and 99th percentile. The runtime is the one in $KRAIT_RUNTIME.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/report.hpp"
#include "jit/jit.hpp"
#include "pyhost/python.hpp"

namespace {

using namespace krait;
using Clock = std::chrono::steady_clock;

constexpr const char* Noop = R"(
block = bytearray(450 * 4096)
def faasm_main():
    pass
def dirty():
    for at in range(0, 390 * 4096, 4096):
        block[at] = 1
)";

/// Times of one part over the rounds.
class Times {
 public:
  explicit Times(const char* name) : name_(name) {}
  template <typename F>
  auto measure(F run) {
    const auto begin = Clock::now();
    auto result = run();
    us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    return result;
  }
  void print(const std::string& engine, const bench::Report& report) const { report.add(engine + ": " + name_, "us", us_); }

 private:
  const char* name_;
  std::vector<double> us_;
};

/// The value, or the end of the program with what went wrong.
template <typename T>
T need(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "python_bench: %s\n", result.error().message.c_str());
  std::exit(1);
}

pyhost::PythonOptions quiet() {
  pyhost::PythonOptions options;
  options.env = pyhost::default_python_env();
  return options;
}

void run(const char* engine, engine::Compiler* compiler, const std::string& folder, const bench::Report& report) {
  const int rounds = report.rounds(1000);
  const auto runtime = need(pyhost::PythonRuntime::load({folder + "/python-reactor.wasm", folder + "/python313.zip", compiler}));
  Times cold("cold start"), warm("start from the snapshot"), first("first call after it"), call("call"), reset("reset");
  const pyhost::CallRequest request{"bench", "noop", Noop, "faasm_main", {}};
  std::shared_ptr<const pyhost::PythonSnapshot> snapshot;
  for (int i = 0; i < std::min(rounds, 10); ++i) {
    auto instance = cold.measure([&] { return need(pyhost::PythonInstance::create(runtime, quiet())); });
    need(instance->load(request));
    snapshot = need(instance->snapshot());
  }
  for (int i = 0; i < std::min(rounds, 200); ++i) {
    auto instance = warm.measure([&] { return need(pyhost::PythonInstance::create(runtime, quiet(), snapshot)); });
    first.measure([&] { return need(instance->invoke(request)); });
  }
  auto instance = need(pyhost::PythonInstance::create(runtime, quiet(), snapshot));
  for (int i = 0; i < rounds; ++i) {
    if (need(Result<pyhost::CallResult>(call.measure([&] { return need(instance->invoke(request)); }))).status != 0) std::exit(1);
    const auto done = reset.measure([&] { return instance->reset(); });
    if (!done) std::exit((std::fprintf(stderr, "python_bench: %s\n", done.error().message.c_str()), 1));
  }
  for (Times* part : {&cold, &warm, &first, &call, &reset}) part->print(engine, report);

  // The pages of the block, and some ten of the interpreter's own: 400 that differ from the snapshot.
  Times dirtied("reset of 400 dirtied pages");
  pyhost::CallRequest dirty = request;
  dirty.entry = "dirty";
  for (int i = 0; i < rounds; ++i) {
    if (need(instance->invoke(dirty)).status != 0) std::exit(1);
    if (const auto done = dirtied.measure([&] { return instance->reset(); }); !done) std::exit(1);
  }
  dirtied.print(engine, report);

  std::vector<double> rates;
  for (int i = 0; i < std::min(rounds, 20); ++i) {
    constexpr int Starts = 20;
    const auto begin = Clock::now();
    for (int n = 0; n < Starts; ++n)
      if (need(need(pyhost::PythonInstance::create(runtime, quiet(), snapshot))->invoke(request)).status != 0) std::exit(1);
    rates.push_back(Starts / std::chrono::duration<double>(Clock::now() - begin).count());
  }
  report.add(std::string(engine) + ": new sandboxes, called once and ended, on a core", "starts/s", rates);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  const char* folder = std::getenv("KRAIT_RUNTIME");
  if (!folder) {
    std::fprintf(stderr, "python_bench: set KRAIT_RUNTIME to the runtime's folder (krait paths)\n");
    return 2;
  }
  run("interp", nullptr, folder, report);
  if (const auto compiler = jit::make_compiler()) run("jit", compiler.get(), folder, report);
  return 0;
}
