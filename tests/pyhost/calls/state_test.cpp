// State between the calls of a service: over shards and users, and what becomes of a call's locks when it dies.
#include "pyhost/state/local_state.hpp"
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;
namespace store = krait::store;

namespace {

ServiceOptions with_state() {
  ServiceOptions options;
  options.state = std::make_shared<LocalState>(store::memory_state());
  return options;
}

/// Holds the lock of "k", says so by a push of "held", and then does what its input says.
constexpr const char* Holder = R"(
import os, time
from pyfaasm import *
def faasm_main():
    lock_state_write('k')
    write_state('held', b'1')
    push_state('held')
    exec(get_input())
)";

}  // namespace

TEST_CASE("calls on two shards count together under a lock") {
  if (!python_runtime()) return;
  Serving serving(with_state(), 2);
  serving.upload("count", R"(
from pyfaasm import *
def faasm_main():
    for i in range(5):
        with state_lock('n', write=True):
            n = int(read_state('n') or b'0') if read_state_size('n') else 0
            write_state('n', b'%d' % (n + 1))
            push_state('n')
    return read_state('n')
)", *LimitChanges::parse(R"({"wall_ms": 600000})"));  // under a sanitizer a minute is short
  std::vector<CallId> calls;
  for (int i = 0; i < 12; i++) calls.push_back(*serving.service->submit({"u", "count", "faasm_main", {}, {}}));
  for (const CallId id : calls) {
    const auto report = serving.service->wait(id);
    REQUIRE(report.ok());
    CHECK_MESSAGE(report->status == 0, report->err);
  }
  serving.upload("read", "from pyfaasm import *\ndef faasm_main():\n  return read_state('n')\n");
  CHECK(text_of(serving.call("read").output) == "60");
  serving.upload("read", "from pyfaasm import *\ndef faasm_main():\n  return repr(list_state_keys())\n", {}, "other");
  CHECK(text_of(serving.call("read", {}, "faasm_main", "other").output) == "[]");
}

TEST_CASE("a call's locks are given back however it ends") {
  if (!python_runtime()) return;
  const ServiceOptions options = with_state();
  Serving serving(options);
  serving.upload("hold", Holder);
  serving.upload("take", "from pyfaasm import *\ndef faasm_main():\n  with state_lock('k', write=True):\n    return b'got it'\n");
  for (const char* end : {"pass", "raise ValueError", "exit(3)", "os._exit(3)", "exec('x = [\\n' * 1000)", "while True: pass",
                          "try: time.sleep(60)\nexcept: pass\nwhile True: pass"}) {
    CAPTURE(end);
    const auto holder = serving.service->submit({"u", "hold", "faasm_main", krait::test::copy_of(end), {}});
    while (!options.state->size({"u", "held"}).ok()) std::this_thread::sleep_for(1ms);
    const auto taker = serving.service->submit({"u", "take", "faasm_main", {}, {}});
    if (std::string_view(end).ends_with("True: pass")) CHECK(serving.service->cancel(*holder));
    CHECK(text_of(serving.service->wait(*taker)->output) == "got it");
    CHECK(serving.service->wait(*holder).ok());
    CHECK(options.state->locks().held() == 0);
    CHECK(options.state->remove({"u", "held"}).ok());
  }
}

TEST_CASE("a call that waits for a lock can be cancelled, times out in Python, and is no hindrance to others") {
  if (!python_runtime()) return;
  ServiceOptions options = with_state();
  options.max_running = 2;
  Serving serving(options);
  LimitChanges limits;
  limits.wall_ms = 3'000;
  serving.upload("hold", Holder);
  serving.upload("take", "from pyfaasm import *\ndef faasm_main():\n  lock_state_read('k')\n");
  serving.upload("hurry", "from pyfaasm import *\ndef faasm_main():\n  try:\n    lock_state_read('k')\n  except TimeoutError as e:\n    return str(e)\n", limits);
  serving.upload("noop", "def faasm_main():\n  return b'done'\n");
  const auto holder = serving.service->submit({"u", "hold", "faasm_main", krait::test::copy_of("time.sleep(600)"), {}});
  while (!options.state->size({"u", "held"}).ok()) std::this_thread::sleep_for(1ms);
  std::vector<CallId> waiting;
  for (int i = 0; i < 6; i++) waiting.push_back(*serving.service->submit({"u", "take", "faasm_main", {}, {}}));
  CHECK(text_of(serving.call("noop").output) == "done");  // though more wait than may run
  CHECK(text_of(serving.call("hurry").output).find("wall time of 3 s") != std::string::npos);
  CHECK(serving.service->cancel(waiting[0]));
  CHECK(serving.service->wait(waiting[0])->end == CallEnd::Cancelled);
  CHECK(serving.service->cancel(*holder));
  CHECK(serving.service->wait(*holder)->end == CallEnd::Cancelled);
  for (size_t i = 1; i < waiting.size(); i++) CHECK(serving.service->wait(waiting[i])->status == 0);
  CHECK(options.state->locks().held() == 0);
}
