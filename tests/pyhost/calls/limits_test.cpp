// What one call may take, and what the next one sees of it: nothing.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;

namespace {

LimitChanges only(std::optional<uint64_t> LimitChanges::*limit, uint64_t value) {
  LimitChanges changes;
  changes.*limit = value;
  return changes;
}

}  // namespace

TEST_CASE("limits in JSON: every key, and what is wrong with one") {
  const auto parsed = LimitChanges::parse(R"({"wall_ms": 5, "memory_bytes": 1048576, "cpu_ms": 0, "fresh_hashes": 1})");
  REQUIRE(parsed.ok());
  CHECK(parsed->wall_ms == 5);
  CHECK(LimitChanges::parse(parsed->to_json())->memory_bytes == 1048576);
  CHECK(*LimitChanges::parse(parsed->to_json()) == *parsed);
  CHECK(LimitChanges::parse("")->empty());
  for (const char* bad : {"[]", "{", R"({"wall": 5})", R"({"wall_ms": -5})", R"({"wall_ms": 1.5})", R"({"memory_bytes": 0})", R"({"wall_ms": "5"})",
                          R"({"fresh_hashes": 2})", R"({"fresh_hashes": true})"})
    CHECK_FALSE(LimitChanges::parse(bad).ok());
  CallLimits limits;
  limits.wall_ms = 0;
  limits.memory_bytes = 1000;
  const CallLimits tight = LimitChanges::parse(R"({"wall_ms": 5, "memory_bytes": 5000})")->within(limits);
  CHECK(tight.wall_ms == 5);          // 0 is none
  CHECK(tight.memory_bytes == 1000);  // a call cannot have more than its function
  CHECK_FALSE(tight.fresh_hashes);
  limits.fresh_hashes = true;
  CHECK(LimitChanges::parse(R"({"fresh_hashes": 0})")->within(limits).fresh_hashes);
}

TEST_CASE("wall time: TimeoutError with its traceback, in a loop and in a wait; a trap for who goes on") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits = only(&LimitChanges::wall_ms, 100);
  limits.grace_ms = 100;
  serving.upload("f", R"(
import time
from pyfaasm import *
def spin(data):
    while True: pass
def nap(data):
    time.sleep(30)
def wait(data):
    await_call(chain(nap))
def caught(data):
    try:
        spin(b'')
    except TimeoutError as error:
        return str(error)
def stubborn(data):
    while True:
        try:
            while True: pass
        except TimeoutError:
            pass
)", limits);
  for (const std::string entry : {"spin", "nap", "wait"}) {
    CAPTURE(entry);
    const CallReport report = serving.call("f", "", entry);
    CAPTURE(report.error);
    CHECK(report.end == CallEnd::TimedOut);
    CHECK(report.status == 1);
    REQUIRE(report.failure.has_value());
    CHECK(report.failure->type == "TimeoutError");
    CHECK(report.failure->message == "the call's wall time of 100 ms is over");
    CHECK(report.failure->traceback.find("in " + entry) != std::string::npos);
  }
  CHECK(text_of(serving.call("f", "", "caught").output) == "the call's wall time of 100 ms is over");
  const CallReport stubborn = serving.call("f", "", "stubborn");
  CHECK(stubborn.end == CallEnd::TimedOut);
  CHECK(stubborn.status == Ended::TrapStatus);
  CHECK(stubborn.error.find("went on after its wall time") != std::string::npos);
}

TEST_CASE("CPU time counts computing, not waiting") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import time
def spin(data):
    while True: pass
def nap(data):
    time.sleep(0.3)
    return 'slept'
)", only(&LimitChanges::cpu_ms, 200));
  const CallReport spin = serving.call("f", "", "spin");
  CHECK(spin.end == CallEnd::TimedOut);
  CHECK(spin.failure->message == "the call's CPU time of 200 ms is over");
  CHECK(spin.times.cpu >= 200'000'000);
  CHECK(text_of(serving.call("f", "", "nap").output) == "slept");
}

TEST_CASE("memory, output, files, stdout, recursion: an error each, that Python can catch") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits = only(&LimitChanges::memory_bytes, 64 << 20);
  limits.output_bytes = 1000;
  limits.open_files = 20;
  limits.tmp_bytes = 1 << 20;
  limits.stdio_bytes = 100;
  serving.upload("f", R"(
from pyfaasm import *
def memory(data):
    bytearray(100_000_000)
def output(data):
    write_output(bytes(1001))
def files(data):
    keep = [open(f'/tmp/{i}', 'w') for i in range(30)]
def space(data):
    open('/tmp/big', 'wb').write(bytes(2_000_000))
def deep(data):
    deep(data)
def talk(data):
    print('x' * 1000)
)", limits);
  for (const auto& [entry, type] : {std::pair<std::string, std::string>{"memory", "MemoryError"}, {"output", "OSError"}, {"files", "OSError"}, {"space", "OSError"}, {"deep", "RecursionError"}}) {
    CAPTURE(entry);
    const CallReport report = serving.call("f", "", entry);
    CHECK(report.end == CallEnd::Raised);
    REQUIRE(report.failure.has_value());
    CHECK(report.failure->type == type);
  }
  const CallReport talk = serving.call("f", "", "talk");
  CHECK(talk.status == 0);
  CHECK(talk.out.size() == 100);
  CHECK(talk.dropped_out == 901);
  CHECK(talk.peak_memory > 0);
}

TEST_CASE("nothing of one call is seen by the next") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import os, random, sys, uuid, secrets
counter = 0
held = []
def dirty(data):
    global counter
    counter += 1
    held.append(bytearray(b'secret' * 100_000))
    open('/tmp/secret', 'w').write('secret')
    open('/elsewhere', 'w').write('secret')
    os.environ['SECRET'] = 'secret'
    import colorsys
    sys.modules['planted'] = colorsys
    sys.path.append('/tmp')
    random.seed(1)
    sys.setrecursionlimit(500)
    print.__self__.planted = 'secret'
    for i in range(5):
        os.open('/tmp/secret', os.O_RDONLY)
def look(data):
    import gc
    found = [counter, held, os.listdir('/tmp'), 'elsewhere' in os.listdir('/'), 'SECRET' in os.environ, 'colorsys' in sys.modules,
             'planted' in sys.modules, '/tmp' in sys.path, sys.getrecursionlimit() == 500, hasattr(print.__self__, 'planted'),
             os.open('/lib/python313.zip', os.O_RDONLY) > 4]
    return repr(found)
def fresh(data):
    return repr([random.random(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(8), os.urandom(8)])
def trap(data):
    held.append(1)
    os._exit(3)
)");
  const std::string clean = text_of(serving.call("f", "", "look").output);
  CHECK(clean == "[0, [], [], False, False, False, False, False, False, False, False]");
  for (const char* entry : {"dirty", "trap"}) {
    (void)serving.call("f", "", entry);
    CHECK(text_of(serving.call("f", "", "look").output) == clean);
  }
  CHECK(serving.service->stats().sandboxes <= 2);  // put back each time; one more where the last one was not yet
  const std::string a = text_of(serving.call("f", "", "fresh").output), b = text_of(serving.call("f", "", "fresh").output);
  for (size_t at_a = 1, at_b = 1; at_a < a.size();) {  // none of the five is as it was
    const size_t end_a = a.find(", ", at_a), end_b = b.find(", ", at_b);
    CHECK(a.substr(at_a, end_a - at_a) != b.substr(at_b, end_b - at_b));
    if (end_a == std::string::npos) break;
    at_a = end_a + 2, at_b = end_b + 2;
  }
}

TEST_CASE("a module's code runs once, at the upload; on_restore runs in each call") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import pyfaasm, random
own = random.Random()
made = own.random()
hooks = []
@pyfaasm.on_restore
def renew():
    own.seed()
    hooks.append(pyfaasm.get_input())
def faasm_main():
    return repr([made, own.random(), hooks])
def bad(data):
    pyfaasm.on_restore(lambda: 1 / 0)
)");
  const std::string a = text_of(serving.call("f", "x").output), b = text_of(serving.call("f", "y").output);
  CHECK(a.substr(0, a.find(',')) == b.substr(0, b.find(',')));
  CHECK(a != b);
  CHECK(a.find("[b'x']") != std::string::npos);
  CHECK(b.find("[b'y']") != std::string::npos);
}

TEST_CASE("a module that looks at its call while it is loaded runs in each call, and one that fails fails each") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("reads", "from pyfaasm import *\ndata = get_input()\ndef faasm_main():\n  return data\n");
  CHECK(text_of(serving.call("reads", "one").output) == "one");
  CHECK(text_of(serving.call("reads", "two").output) == "two");
  serving.upload("writes", "open('/tmp/x', 'w').write('there')\ndef faasm_main():\n  return open('/tmp/x').read()\n");
  for (int i = 0; i < 2; ++i) CHECK(text_of(serving.call("writes").output) == "there");
  serving.upload("fails", "import nothing_such\ndef faasm_main():\n  pass\n");
  for (int i = 0; i < 2; ++i) {
    const CallReport report = serving.call("fails");
    CHECK(report.end == CallEnd::Raised);
    CHECK(report.failure->type == "ModuleNotFoundError");
    CHECK(report.failure->traceback.find("line 1") != std::string::npos);
  }
  LimitChanges limits = only(&LimitChanges::wall_ms, 50);
  serving.upload("hangs", "while True: pass\n", limits);
  CHECK(serving.call("hangs").end == CallEnd::TimedOut);
}

TEST_CASE("tenants: functions of one name are two functions, with limits of their own") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", "def faasm_main():\n  return 'a'\n", {}, "a");
  serving.upload("f", "def faasm_main():\n  bytearray(100_000_000)\n", only(&LimitChanges::memory_bytes, 64 << 20), "b");
  CHECK(text_of(serving.call("f", "", "faasm_main", "a").output) == "a");
  CHECK(serving.call("f", "", "faasm_main", "b").failure->type == "MemoryError");
  CHECK(serving.service->list("a")->functions.size() == 1);
}
