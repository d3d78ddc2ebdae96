// Many calls at once on one shard: those that wait hold no slot, and little memory.
#include "tests/pyhost/calls/fixture.hpp"

#include <fstream>

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;

TEST_CASE("chained calls 1,000 deep end on one shard") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.max_running = 4;
  Serving serving(options);
  serving.upload("f", R"(
from pyfaasm import *
def down(data):
    n = int(data)
    return str(int(await_call_output(chain(down, str(n - 1).encode()))) + 1) if n else '0'
)");
  const CallReport report = serving.call("f", "1000", "down");
  CHECK(report.err == "");
  CHECK(text_of(report.output) == "1000");
}

TEST_CASE("a fan-out of 10,000 calls ends on one shard, in few sandboxes") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.max_running = 4;
  Serving serving(options);
  serving.upload("f", R"(
from pyfaasm import *
def leaf(data):
    return int(data)
def faasm_main():
    return str(sum(await_all([chain(leaf, str(i % 10).encode()) for i in range(10_000)])))
)");
  const CallReport report = serving.call("f");
  CHECK(report.err == "");
  CHECK(text_of(report.output) == "45000");
  CHECK(serving.service->stats().sandboxes <= 6);
}
