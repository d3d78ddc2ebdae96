// The costs of the runtime itself: switch, spawn, timer, post, memory; threads' and Boost.Asio's in the same rounds.
// `io_core_bench [--json]`; figures: README.md.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "bench/io/core_peers.hpp"
#include "bench/report.hpp"
#include "io/runtime.hpp"
#include "io/sync.hpp"

namespace {

using namespace krait;
using namespace std::chrono_literals;


double ns_each(int count, auto&& body) {
  const int64_t start = io::now_ns();
  body();
  return static_cast<double>(io::now_ns() - start) / count;
}

/// Two coroutines that yield to each other: one switch each time.
double yield_switch() {
  constexpr int Count = 2'000'000;
  io::Scope scope;
  for (int i = 0; i < 2; ++i) {
    scope.spawn([] {
      for (int n = 0; n < Count / 2; ++n) io::yield();
    });
  }
  return ns_each(Count, [&] { scope.join(); });
}

/// Two coroutines that wake each other and park: a wake, a park and a switch each time.
double park_wake() {
  constexpr int Count = 2'000'000;
  io::Scope scope;
  io::WaitQueue queues[2];
  for (int i = 0; i < 2; ++i) {
    scope.spawn([&, i] {
      for (int n = 0; n < Count / 2; ++n) {
        queues[1 - i].wake_one();
        if (n + 1 < Count / 2 || i == 0) queues[i].wait();
      }
      queues[1 - i].wake_one();
    });
  }
  return ns_each(Count, [&] { scope.join(); });
}

double spawn_join() {
  constexpr int Count = 300'000;
  io::Scope scope;
  return ns_each(Count, [&] {
    for (int n = 0; n < Count; ++n) scope.spawn([] {}).join();
  });
}

double spawn_many() {
  constexpr int Count = 1000, Rounds = 100;
  io::Scope scope;
  return ns_each(Count * Rounds, [&] {
    for (int round = 0; round < Rounds; ++round) {
      for (int n = 0; n < Count; ++n) scope.spawn([] {});
      scope.join();
    }
  });
}

/// Waits that are woken before their timeout: the price of a timeout nobody meets, beside 1,000
/// other timers.
double timeout_unused() {
  constexpr int Count = 500'000;
  io::Scope scope;
  io::WaitQueue queue;
  io::Scope others;
  for (int i = 0; i < 1000; ++i)
    others.spawn([i] { io::sleep_for(1h + std::chrono::milliseconds(i * 7919 % 1000)); });
  io::yield();
  bool stop = false;
  scope.spawn([&] {
    while (!stop) queue.wait(io::Deadline(30s));
  });
  io::yield();
  const double ns = ns_each(Count, [&] {
    for (int n = 0; n < Count; ++n) {
      queue.wake_one();
      io::yield();
    }
  });
  stop = true;
  queue.wake_one();
  scope.join();
  return ns;
}

/// 10,000 sleepers whose time comes at once: timer, wake-up and switch each.
double timers_fire() {
  constexpr int Count = 10'000;
  io::Scope scope;
  io::Event started, finish;
  io::Deadline moment;
  int woken = 0;
  int64_t last = 0;
  for (int n = 0; n < Count; ++n) {
    scope.spawn([&] {
      started.wait();
      io::sleep_until(moment);
      if (++woken == Count) last = io::now_ns();
      finish.wait();
    });
  }
  io::yield();
  moment = io::Deadline(100ms);
  started.set();
  while (woken < Count) io::sleep_for(1ms);
  finish.set();
  scope.join();
  return static_cast<double>(last - moment.ns()) / Count;
}

/// A post and the answer, both shards sleeping in between.
double post_round_trip(io::Runtime& runtime) {
  constexpr int Count = 20'000;
  io::Scope scope;
  io::Shard& here = runtime.shard(0);
  io::Shard& there = runtime.shard(1);
  io::WaitQueue answered;
  return ns_each(Count, [&] {
    for (int n = 0; n < Count; ++n) {
      there.post([&] { here.post([&] { answered.wake_one(); }); });
      answered.wait();
    }
  });
}

/// Posts to a shard that is awake.
double post_stream(io::Runtime& runtime) {
  constexpr int Count = 200'000;
  io::Event finished;
  int arrived = 0;
  io::Shard& here = runtime.shard(0);
  return ns_each(Count, [&] {
    for (int n = 0; n < Count; ++n) {
      runtime.shard(1).post([&] {
        if (++arrived == Count) here.post([&] { finished.set(); });
      });
    }
    finished.wait();
  });
}

size_t kilobytes(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key, 0) == 0) return std::stoul(line.substr(line.find(':') + 1));
  }
  return 0;
}

void parked(const bench::Report& report) {
  constexpr int Count = 10'000;
  auto runtime = io::Runtime::start({.shards = 1});
  if (!runtime) return;
  (*runtime)->shard(0).run([&] {
    const size_t resident = kilobytes("VmRSS"), tables = kilobytes("VmPTE");
    io::Scope scope;
    io::Event go, finish;
    int woken = 0;
    for (int n = 0; n < Count; ++n) {
      scope.spawn([&] {
        go.wait();
        ++woken;
        finish.wait();
      });
    }
    io::sleep_for(10ms);
    report.add("10,000 parked: resident a coroutine", "KiB",
               {static_cast<double>(kilobytes("VmRSS") - resident) / Count});
    report.add("10,000 parked: page tables a coroutine", "KiB",
               {static_cast<double>(kilobytes("VmPTE") - tables) / Count});
    const int64_t start = io::now_ns();
    go.set();
    while (woken < Count) io::yield();
    report.add("10,000 parked: wake and run all", "ms",
               {static_cast<double>(io::now_ns() - start) / 1e6});
    finish.set();
    scope.join();
    report.add("10,000 parked: wake, run and end all", "ms",
               {static_cast<double>(io::now_ns() - start) / 1e6});
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  auto started = io::Runtime::start({.shards = 2});
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  io::Runtime& runtime = **started;
  const struct {
    const char* name;
    const char* unit;
    double (*measure)(io::Runtime&);
  } costs[] = {
      {"switch, one way (yield)", "ns", [](io::Runtime&) { return yield_switch(); }},
      {"wake + park + switch", "ns", [](io::Runtime&) { return park_wake(); }},
      {"spawn + join, one at a time", "ns", [](io::Runtime&) { return spawn_join(); }},
      {"spawn + join, 1,000 at a time", "ns", [](io::Runtime&) { return spawn_many(); }},
      {"wake + park with a timeout, 1,000 timers armed", "ns",
       [](io::Runtime&) { return timeout_unused(); }},
      {"10,000 timers at once: fire and run, each", "ns",
       [](io::Runtime&) { return timers_fire(); }},
      {"post and answer between sleeping shards", "ns", post_round_trip},
      {"post to a busy shard", "ns", post_stream},
      {"Boost.Asio: switch, one way (co_await post)", "ns", [](io::Runtime&) { return bench::asio_switch(); }},
      {"Boost.Asio: 10,000 timers at once, each", "ns", [](io::Runtime&) { return bench::asio_timers_fire(); }},
      {"Boost.Asio: post to a busy io_context", "ns", [](io::Runtime&) { return bench::asio_post_stream(); }},
      {"threads: wake + wait + switch", "ns", [](io::Runtime&) { return bench::thread_wake(); }},
      {"threads: spawn + join, one at a time", "ns", [](io::Runtime&) { return bench::thread_spawn_join(); }},
  };
  std::vector<std::vector<double>> samples(std::size(costs));
  for (int run = 0; run < report.rounds(9); ++run) {
    for (size_t i = 0; i < std::size(costs); ++i) {
      runtime.shard(0).run([&] { samples[i].push_back(costs[i].measure(runtime)); });
    }
  }
  for (size_t i = 0; i < std::size(costs); ++i)
    report.add(costs[i].name, costs[i].unit, samples[i]);
  if (auto ended = runtime.shutdown(0s, 5s); !ended)
    std::fprintf(stderr, "%s\n", ended.error().message.c_str());
  parked(report);
}
