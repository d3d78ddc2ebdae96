// Tail latency beside computing neighbours: 1,000 short calls on one shard, one due each
// millisecond, with 0, 1 or 8 coroutines that compute for ever and poll their slice. `io_tail_bench
// [--json]`; figures: README.md.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/report.hpp"
#include "io/runtime.hpp"

namespace {

using namespace krait;
using namespace std::chrono_literals;

/// Milliseconds from when each call was due to its end, sorted.
std::vector<double> latencies(int neighbours) {
  constexpr int Calls = 1000;
  std::vector<double> late;
  io::Scope computing;
  const std::atomic<uint32_t>& expired = *io::current()->shard().slice_flag();
  for (int i = 0; i < neighbours; ++i) {
    computing.spawn([&expired] {
      for (;;) {
        if (expired.load(std::memory_order_relaxed) != 0 && io::yield() != 0) return;
      }
    });
  }
  io::sleep_for(200ms);  // until they are known to compute
  io::Scope calls;
  const int64_t start = io::now_ns();
  for (int i = 0; i < Calls; ++i) {
    calls.spawn([&late, due = io::Deadline::at(start + (i + 1) * 1'000'000LL)] {
      io::sleep_until(due);
      // The work of a short call: 50 us.
      for (const int64_t begin = io::now_ns(); io::now_ns() - begin < 50'000;) {
      }
      late.push_back(static_cast<double>(io::now_ns() - due.ns()) / 1e6);
    });
  }
  calls.join();
  std::sort(late.begin(), late.end());
  return late;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  auto started = io::Runtime::start({.shards = 1});
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  constexpr int Neighbours[] = {0, 1, 8};
  std::vector<double> p50[std::size(Neighbours)], p99[std::size(Neighbours)];
  for (int run = 0; run < report.rounds(5); ++run) {
    for (size_t i = 0; i < std::size(Neighbours); ++i) {
      (*started)->shard(0).run([&] {
        const std::vector<double> late = latencies(Neighbours[i]);
        p50[i].push_back(late[late.size() / 2]);
        p99[i].push_back(late[late.size() * 99 / 100]);
      });
    }
  }
  for (size_t i = 0; i < std::size(Neighbours); ++i) {
    const std::string name = "short calls beside " + std::to_string(Neighbours[i]) + " endless: ";
    report.add(name + "p50", "ms", p50[i]);
    report.add(name + "p99", "ms", p99[i]);
  }
}
