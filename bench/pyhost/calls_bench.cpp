// calls_bench [--json] [--rounds N]: what the call service costs: a call of an empty Python function through it, in process (p50, p99),
// and the memory of calls that wait for another one. The runtime is the one in $KRAIT_RUNTIME.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "bench/report.hpp"
#include "jit/jit.hpp"
#include "pyhost/calls/service.hpp"

namespace {

using namespace krait;
using Clock = std::chrono::steady_clock;

constexpr std::string_view Source = R"(
from pyfaasm import *
import time
def noop(data):
    pass
def nap(data):
    time.sleep(3600)
def parked(data):
    await_call(chain(nap))
)";

template <typename T, typename E>
T need(Result<T, E> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "calls_bench: %s\n", result.error().message.c_str());
  std::exit(1);
}

/// Bytes of this process that are its own and in memory.
double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0, resident = 0, shared = 0;
  statm >> size >> resident >> shared;
  return (resident - shared) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void noops(pyhost::Service& service, io::Runtime& runtime, const bench::Report& report) {
  std::vector<double> us;
  const int rounds = report.rounds(2000);
  runtime.shard(0).run([&] {
    for (int i = -100; i < rounds; ++i) {
      const auto begin = Clock::now();
      const auto done = need(service.call({"bench", "f", "noop", {}, {}, {}, {}}));
      if (done.status != 0) std::exit((std::fprintf(stderr, "calls_bench: %s\n", done.err.c_str()), 1));
      if (i >= 0) us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
  });
  report.add("call of noop, in process", "us", us);
}

void parked(pyhost::Service& service, const bench::Report& report) {
  const int count = report.rounds(1000);
  const double before = resident_bytes();
  std::vector<pyhost::CallId> ids;
  for (int i = 0; i < count; ++i) ids.push_back(need(service.submit({"bench", "f", "parked", {}, {}, {}, {}})));
  while (service.stats().waiting < 2 * static_cast<uint64_t>(count)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  report.add("memory of a parked call", "bytes", {(resident_bytes() - before) / (2.0 * count)});
  for (const auto id : ids) service.cancel(id);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  const char* folder = std::getenv("KRAIT_RUNTIME");
  if (!folder) {
    std::fprintf(stderr, "calls_bench: set KRAIT_RUNTIME to the runtime's folder (krait paths)\n");
    return 2;
  }
  const std::filesystem::path home = std::filesystem::temp_directory_path() / ("calls-bench-" + std::to_string(getpid()));
  {
    const auto compiler = jit::make_compiler();
    io::Options one;
    one.shards = 1;
    const auto runtime = need(io::Runtime::start(one));
    const auto python = need(pyhost::PythonRuntime::load(
        {std::string(folder) + "/python-reactor.wasm", std::string(folder) + "/python313.zip", compiler.get(), nullptr}));
    const auto service = need(pyhost::Service::start(*runtime, store::FunctionStore(home), python));
    const auto bytes = std::as_bytes(std::span(Source));
    (void)need(service->upload({"bench", "f", store::FunctionKind::Python, {bytes.begin(), bytes.end()}, {}, {}}));
    noops(*service, *runtime, report);
    parked(*service, report);
  }
  std::filesystem::remove_all(home);
  return 0;
}
