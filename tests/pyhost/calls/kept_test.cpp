// What a service keeps between calls is bounded: idle sandboxes, and results that nobody has read.
#include <chrono>
#include <fstream>
#include <thread>

#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::copy_of;
using krait::test::text_of;

namespace {

/// KiB that this process alone holds.
double private_kib() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  double kib = 0;
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("Private_")) kib += std::atof(line.c_str() + line.find(':') + 1);
  return kib;
}

CallId submitted(Serving& serving, std::string_view input, const std::string& user = "u") {
  const auto id = serving.service->submit({user, "f", "faasm_main", copy_of(input), {}});
  REQUIRE_MESSAGE(id.ok(), id.error().message);
  return *id;
}

/// All that was submitted has ended.
void settle(Serving& serving) {
  while (serving.service->stats().ended < serving.service->stats().submitted) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

bool is_there(Serving& serving, CallId id) { return serving.service->state(id).has_value(); }

constexpr std::string_view Echo = "from pyfaasm import *\ndef faasm_main():\n    set_output(bytes(int(get_input())))\n";

}  // namespace

TEST_CASE("after a burst the pool holds what it may, and the rest goes back to the system") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.max_running = 500;
  options.idle_bytes = uint64_t{32} << 20;
  Serving serving(options);
  // Each writes to a megabyte of its memory, and all are there at once.
  serving.upload("f", R"(
import time
def faasm_main():
    block = bytearray(b'x' * 1_000_000)
    time.sleep(0.5)
)");
  (void)serving.call("f");
  const double before = private_kib();
  for (int i = 0; i < 500; ++i) (void)submitted(serving, "");
  settle(serving);
  (void)serving.call("f");
  const ServiceStats stats = serving.service->stats();
  CHECK(stats.idle_sandboxes > 0);
  CHECK(stats.idle_sandboxes <= 64);
  CHECK(stats.idle_bytes <= options.idle_bytes);
  CHECK(stats.sandboxes <= stats.idle_sandboxes + 1);
  // Stacks of coroutines and freed memory of the allocator are kept too; without trimming it were 500 times 1.5 MB.
  CHECK(private_kib() - before < 160 * 1024);
}

TEST_CASE("results that wait for their readers: the oldest of a user go beyond his count") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.max_results = 3;
  Serving serving(options);
  serving.upload("f", Echo);
  serving.upload("f", Echo, {}, "other");
  const CallId others = submitted(serving, "1", "other");
  std::vector<CallId> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(submitted(serving, "1"));
    settle(serving);
  }
  for (size_t i = 0; i < ids.size(); ++i) CHECK(is_there(serving, ids[i]) == (i >= 2));
  CHECK(is_there(serving, others));
  const auto dropped = serving.service->wait(ids[0]);
  REQUIRE_FALSE(dropped.ok());
  CHECK(dropped.error().kind == Refusal::Kind::Unknown);
  CHECK(serving.service->wait(ids[4]).ok());
  CHECK(serving.service->drop(ids[2]));
  ids.push_back(submitted(serving, "1"));  // there is room for it
  settle(serving);
  CHECK(is_there(serving, ids[3]));
}

TEST_CASE("results that wait for their readers: and beyond his bytes, the newest apart") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.max_result_bytes = 10'000;
  Serving serving(options);
  serving.upload("f", Echo);
  std::vector<CallId> ids;
  for (const char* size : {"4000", "4000", "4000", "20000"}) {
    ids.push_back(submitted(serving, size));
    settle(serving);
    if (ids.size() == 3) {
      CHECK_FALSE(is_there(serving, ids[0]));
      CHECK(is_there(serving, ids[1]));
      CHECK(is_there(serving, ids[2]));
    }
  }
  CHECK_FALSE(is_there(serving, ids[2]));
  const auto last = serving.service->wait(ids[3]);
  REQUIRE(last.ok());
  CHECK(last->output.size() == 20'000);
}

TEST_CASE("a result is dropped when its time is over") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.result_ttl = std::chrono::milliseconds(50);
  Serving serving(options);
  serving.upload("f", Echo);
  const CallId id = submitted(serving, "1");
  settle(serving);
  for (int i = 0; i < 1000 && is_there(serving, id); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_FALSE(is_there(serving, id));
  const auto late = serving.service->wait(id);
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().kind == Refusal::Kind::Unknown);
}
