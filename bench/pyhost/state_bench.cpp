// state_bench [--json] [--rounds N] [FOLDER]: what state costs. The global tier on the disk of FOLDER (a folder of its own in the
// temporary one without it), every push durable; the local tier over it. Microseconds.
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <latch>

#include "bench/report.hpp"
#include "pyhost/state/local_state.hpp"

namespace {

using namespace krait;
using Clock = std::chrono::steady_clock;
using pyhost::LocalState;
using Push = pyhost::ValueBytes::Push;
using store::Bytes;

constexpr uint64_t Small = 1'000, Large = 1'000'000, Part = 100;

template <typename F>
void measure(const bench::Report& report, const std::string& name, int rounds, F run) {
  std::vector<double> us;
  for (int i = 0; i < rounds; i++) {
    const auto begin = Clock::now();
    if (!run(i)) {
      std::fprintf(stderr, "state_bench: %s failed\n", name.c_str());
      std::exit(1);
    }
    us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  report.add(name, "us", us);
}

void pushes(const bench::Report& report, LocalState& state, const std::string& name, uint64_t size) {
  const LocalState::Key key{"bench", name};
  const Bytes value(size, std::byte{1}), part(Part, std::byte{2});
  const int rounds = report.rounds(size == Large ? 100 : 400);
  measure(report, "write " + name, rounds, [&](int) { return state.write(key, value).ok(); });
  measure(report, "push " + name, rounds, [&](int) { return state.write(key, value) && state.push(key, Push::Whole); });
  measure(report, "push 100 bytes of " + name, rounds, [&](int i) {
    return state.write_range(key, size, static_cast<uint64_t>(i) * 7'919 % (size - Part), part) && state.push(key, Push::Dirty);
  });
  measure(report, "pull " + name, rounds, [&](int) { return state.pull(key).ok(); });
  measure(report, "read " + name + ", here", rounds, [&](int) { return state.read_all(key).ok(); });
}

/// Many at once: what one of them costs is a share of the commit.
void group(const bench::Report& report, store::StateTier& tier) {
  constexpr int Together = 32;
  measure(report, "32 pushes of 1 KB at once", report.rounds(200), [&](int) {
    std::latch done(Together);
    for (int i = 0; i < Together; i++) {
      store::StateChange change{{"bench", "group" + std::to_string(i)}, store::StateChange::What::Write, {}, Small, {}};
      change.ranges.push_back({0, Bytes(Small, std::byte{3})});
      tier.submit(std::move(change), [&](const auto&) { done.count_down(); });
    }
    done.wait();
    return true;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Report report(argc, argv);
  std::string folder = report.arguments.empty() ? (std::filesystem::temp_directory_path() / "krait-state-bench-XXXXXX").string() : report.arguments[0];
  const bool own = report.arguments.empty();
  if (own && !mkdtemp(folder.data())) return 1;
  {
    auto store = store::StateStore::open(folder);
    if (!store) {
      std::fprintf(stderr, "state_bench: %s\n", store.error().message.c_str());
      return 1;
    }
    LocalState state(*store);
    pushes(report, state, "1 KB", Small);
    pushes(report, state, "1 MB", Large);
    group(report, **store);
    measure(report, "append 100 bytes", report.rounds(400), [&](int) { return state.append({"bench", "log"}, Bytes(Part)).ok(); });
    measure(report, "lock and unlock", report.rounds(1'000), [&](int) {
      const LocalState::Key key{"bench", "lock"};
      return state.locks().lock(key, 1, true, {}) && state.locks().unlock(key, 1, true);
    });
  }
  if (own) std::filesystem::remove_all(folder);
  return 0;
}
