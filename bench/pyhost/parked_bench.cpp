// parked_bench [--json] [--rounds N] [COUNT]: COUNT (10,000) coroutines on one shard, each with a Python sandbox of its own that is parked in
// a select: what memory one takes (coroutine included), and how long it takes to end all these waits and run the calls
// to their ends. The runtime is the one in $KRAIT_RUNTIME; it is interpreted, which no figure here depends on but the last.
#include <sys/eventfd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "bench/report.hpp"
#include "io/runtime.hpp"
#include "io/sync.hpp"
#include "pyhost/io_waiter.hpp"
#include "pyhost/python.hpp"

namespace {

using namespace krait;

constexpr const char* Source = "import select\ndef faasm_main():\n  select.select([0], [], [])\n";

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "parked_bench: %s\n", why.c_str());
  std::exit(1);
}

/// KiB that this process alone holds, and its page tables.
double private_kib() {
  std::ifstream status("/proc/self/smaps_rollup"), tables("/proc/self/status");
  double kib = 0;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Private_")) kib += std::atof(line.c_str() + line.find(':') + 1);
  for (std::string line; std::getline(tables, line);)
    if (line.starts_with("VmPTE")) kib += std::atof(line.c_str() + line.find(':') + 1);
  return kib;
}

/// A poll lasts until `wake` is set, and then finds all ready.
class EventWaiter final : public pyhost::IoWaiter {
 public:
  EventWaiter(io::Event& wake, int& parked) : wake_(wake), parked_(parked) {}
  bool poll(std::span<pollfd> fds, std::optional<pyhost::Deadline>) override {
    ++parked_;
    for (pollfd& fd : fds) fd.revents = fd.events;
    return wake_.wait() == 0;
  }

 private:
  io::Event& wake_;
  int& parked_;
};

std::unique_ptr<pyhost::PythonInstance> instance_of(const std::shared_ptr<const pyhost::PythonRuntime>& runtime, pyhost::Waiter& waiter,
                                                    std::shared_ptr<const pyhost::PythonSnapshot> snapshot) {
  pyhost::PythonOptions options;
  options.env = pyhost::default_python_env();
  static const int never = eventfd(0, EFD_CLOEXEC);
  options.stdio = {pyhost::host_file(never, false), nullptr, nullptr};
  options.waiter = &waiter;
  auto made = pyhost::PythonInstance::create(runtime, std::move(options), std::move(snapshot));
  if (!made) fail(made.error().message);
  return std::move(*made);
}

struct Figures {
  std::vector<double> memory, wake;
};

void run_once(const std::shared_ptr<const pyhost::PythonRuntime>& runtime, const std::shared_ptr<const pyhost::PythonSnapshot>& snapshot,
              int count, double before, Figures& figures) {
  io::Event wake;
  int parked = 0, ended = 0;
  io::Scope scope;
  for (int i = 0; i < count; ++i) {
    const io::Task task = scope.spawn([&] {
      EventWaiter waiter(wake, parked);
      const auto instance = instance_of(runtime, waiter, snapshot);
      const auto result = instance->invoke({"bench", "waits", {}, "faasm_main", {}});
      if (result && result->status == 0) ++ended;
    });
    if (!task.valid()) fail("no stack for another coroutine");
    while (parked <= i) io::yield();
  }
  figures.memory.push_back((private_kib() - before) / count);
  const int64_t begin = io::now_ns();
  wake.set();
  scope.join();
  figures.wake.push_back(static_cast<double>(io::now_ns() - begin) / 1e6);
  if (ended != count) fail(std::to_string(count - ended) + " calls failed");
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  const char* folder = std::getenv("KRAIT_RUNTIME");
  if (!folder) fail("name the runtime's folder in KRAIT_RUNTIME");
  const int count = report.arguments.empty() ? 10'000 : std::atoi(report.arguments[0].c_str());
  const auto runtime =
      pyhost::PythonRuntime::load({std::string(folder) + "/python-reactor.wasm", std::string(folder) + "/python313.zip", nullptr});
  if (!runtime) fail(runtime.error().message);
  io::Options options;
  options.shards = 1;
  auto started = io::Runtime::start(options);
  if (!started) fail(started.error().message);
  Figures figures;
  (*started)->shard(0).run([&] {
    pyhost::IoWaiter waiter;
    const auto first = instance_of(*runtime, waiter, nullptr);
    const auto loaded = first->load({"bench", "waits", Source, "faasm_main", {}});
    if (!loaded || loaded->status != 0) fail("the function cannot be loaded");
    auto snapshot = first->snapshot();
    if (!snapshot) fail(snapshot.error().message);
    const double before = private_kib();  // before the first round, whose stacks and memories later ones find in pools
    for (int round = 0; round < report.rounds(3); ++round) run_once(*runtime, *snapshot, count, before, figures);
  });
  const std::string name = std::to_string(count) + " parked calls: ";
  report.add(name + "memory each", "KiB", figures.memory);
  report.add(name + "wake, run and free all", "ms", figures.wake);
}
