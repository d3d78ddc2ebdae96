// The request path once it is warm: no page fault, and no call that changes the address space.
#include <sys/resource.h>

#include <cstdlib>

#include "io/runtime.hpp"
#include "tests/pyhost/calls/fixture.hpp"
#include "tests/pyhost/calls/syscall_watch.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::SyscallWatch;

namespace {

uint64_t faults_here() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt);
}

struct Costs {
  bool watched = false;
  uint64_t faults = 0, calls = 0;
  int last = 0;
};

/// What `count` calls of a function take, after as many to warm up, on a shard of their own.
Costs costs_of(std::string_view source, std::string_view input, int count) {
  SyscallWatch watch;
  Costs costs;
  Serving serving;
  serving.upload("f", source);
  serving.io->shard(0).run([&] {
    const auto calls = [&](int n) {
      for (int i = 0; i < n; ++i) CHECK(serving.call("f", input).ok());
    };
    costs.watched = watch.start();
    calls(count);
    const uint64_t faults = faults_here(), before = watch.count();
    calls(count);
    costs.faults = faults_here() - faults;
    costs.calls = watch.count() - before;
    costs.last = watch.last();
  });
  return costs;
}

void check_quiet(const Costs& costs) {
  if (!costs.watched || std::getenv("KRAIT_RESET")) {
    MESSAGE("skipped: no seccomp filter is to be had, or resets are not by PAGEMAP_SCAN");
    return;
  }
  INFO("the last one is system call ", costs.last);
  CHECK(costs.faults == 0);
  CHECK(costs.calls == 0);
}

}  // namespace

TEST_CASE("calls of noop, and the resets after them, fault no page and map nothing") {
  if (!python_runtime()) return;
  check_quiet(costs_of("def faasm_main():\n    pass\n", "", 300));
}

TEST_CASE("nor do calls with an input and an output, prints, and pages to put back") {
  if (!python_runtime()) return;
  check_quiet(costs_of(R"(
from pyfaasm import get_input, set_output
kept = []
def faasm_main():
    data = get_input()
    kept.extend(bytearray(4000) for _ in range(100))
    print(len(data))
    set_output(data * 2)
)", std::string(5000, 'x'), 200));
}
