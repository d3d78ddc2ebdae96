// What one tenant may do to the host and to others: nothing.
#include "pyhost/state/local_state.hpp"
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;

TEST_CASE("a module that chains calls while it is uploaded is told so, and its calls may") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("own", "from pyfaasm import *\nstarted = chain('part')\ndef part(data):\n  return 'part'\ndef faasm_main():\n  pass\n",
                 *LimitChanges::parse(R"({"chain_count": 10, "wall_ms": 2000})"));
  CHECK(serving.call("own").end == CallEnd::Returned);  // each callee chains one more, up to the limit
  serving.upload("leaf", "def faasm_main():\n  return 'leaf'\n");
  serving.upload("other", "from pyfaasm import *\nstarted = chain_name('leaf')\ndef faasm_main():\n  return await_call_output(started)\n");
  CHECK(text_of(serving.call("other").output) == "leaf");
  serving.upload("caught", R"(
from pyfaasm import *
found = []
for attempt in (lambda: chain_name('leaf'), lambda: await_call(1), lambda: cancel_call(1), lambda: await_all([10**6])):
    try:
        attempt()
    except (RuntimeError, LookupError) as error:
        found.append(str(error))
def faasm_main():
    return str(len(found))
)");
  CHECK(text_of(serving.call("caught").output) == "3");  // in the call the first attempt is fine
}

TEST_CASE("a chain holds its bytes of inputs and of results, and no more") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits;
  limits.chain_bytes = 8 << 20;
  serving.upload("f", R"(
import time
from pyfaasm import *
MB = bytes(1 << 20)
def nap(data):
    time.sleep(30)
def size(data):
    return str(len(data))
def big(data):
    return bytes(int(data))
def inputs(data):
    calls = []
    try:
        while True:
            calls.append(chain(nap, MB))
    except RuntimeError as error:
        return f'{len(calls)} {error}'
    finally:
        for call in calls:
            cancel_call(call)
def again(data):
    for i in range(100):
        assert await_call_output(chain(size, MB)) == b'1048576'
def results(data):
    calls = [chain(big, b'3000000') for i in range(4)]
    await_all(calls)
    return repr([(get_result(c).end, len(get_result(c).output)) for c in calls]) + get_result(calls[3]).error_message
)", limits);
  const std::string inputs = text_of(serving.call("f", "", "inputs").output);
  CAPTURE(inputs);
  CHECK(inputs.starts_with("8 "));
  CHECK(inputs.find("8388608 bytes of inputs and results, the limit") != std::string::npos);
  CHECK(serving.call("f", "", "again").status == 0);  // what has ended holds its result only
  const std::string results = text_of(serving.call("f", "", "results").output);
  CAPTURE(results);
  size_t kept = 0;
  for (size_t at = 0; (at = results.find("('returned', 3000000)", at)) != std::string::npos; ++at) ++kept;
  CHECK(kept == 2);
  CHECK(results.find("('failed', 0)") != std::string::npos);
}

TEST_CASE("what waiting calls have grown by counts too") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits;
  limits.chain_bytes = 64 << 20;
  serving.upload("f", R"(
from pyfaasm import *
def down(data):
    keep = bytes(20_000_000)
    return await_call_output(chain(down)) + bytes(len(keep) - 20_000_000)
)", limits);
  const CallReport report = serving.call("f", "", "down");
  CHECK(report.end == CallEnd::Raised);
  CHECK(report.failure->message.find("67108864 bytes") != std::string::npos);
}

TEST_CASE("chained results are there while the chain runs, and gone with it") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import time
from pyfaasm import *
def part(data):
    return data
def late(data):
    time.sleep(0.2)
def faasm_main():
    first = chain(part, b'x')
    for i in range(50):
        assert await_call_output(chain(part)) == b''
    assert await_call_output(first) == b'x' == get_result(first).output
    chain(late)
    return str(first)
)");
  const auto id = serving.service->submit({"u", "f", "faasm_main", {}, {}});
  const auto report = serving.service->wait(*id);
  REQUIRE(report.ok());
  REQUIRE_MESSAGE(report->status == 0, report->err);
  const CallId first = std::stoi(text_of(report->output));
  CHECK(serving.service->state(first).has_value());  // one of them runs still
  for (int i = 0; i < 5000 && serving.service->state(first); ++i) std::this_thread::sleep_for(1ms);
  CHECK_FALSE(serving.service->state(first).has_value());
  CHECK(serving.service->state(*id) == CallState::Ended);  // the first one's is its submitter's
}

TEST_CASE("results wait for their reader, and are dropped after their time") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.result_ttl = 1s;
  Serving serving(options);
  serving.upload("f", "def faasm_main():\n  return 'kept'\n");
  const auto id = serving.service->submit({"u", "f", "faasm_main", {}, {}});
  for (int i = 0; i < 3; ++i) CHECK(text_of(serving.service->wait(*id)->output) == "kept");
  for (int i = 0; i < 5000 && serving.service->state(*id); ++i) std::this_thread::sleep_for(1ms);
  CHECK(serving.service->wait(*id).error().kind == Refusal::Kind::Unknown);
  const auto other = serving.service->submit({"u", "f", "faasm_main", {}, {}});
  CHECK(serving.service->wait(*other).ok());
  CHECK(serving.service->drop(*other));
  CHECK_FALSE(serving.service->drop(*other));
}

TEST_CASE("one user's calls, state, files and functions are none of another's") {
  if (!python_runtime()) return;
  ServiceOptions options;
  options.state = std::make_shared<LocalState>(krait::store::memory_state());
  Serving serving(options);
  serving.upload("secret", R"(
import time
from pyfaasm import *
def faasm_main():
    write_state('key', b'secret')
    push_state('key')
    append_state('key', b'secret')
    lock_state_write('locked')
    with open('faasm://file', 'w') as file:
        file.write('secret')
    open('/tmp/file', 'w').write('secret')
    write_state('ready', b'')
    push_state('ready')
    time.sleep(600)
def quick(data):
    return 'theirs'
)", {}, "anna");
  serving.upload("spy", R"(
import os
from pyfaasm import *
def refused(kind, f, *args):
    try:
        found = f(*args)
    except kind:
        return
    raise AssertionError(f'{f.__name__}{args} gave {found!r}')
def faasm_main():
    call = int(get_input())
    for name in 'anna/secret', 'anna/secret/', '../anna/secret', 'anna\0/secret', 'bert/../anna/secret':
        refused((PermissionError, LookupError, ValueError), chain_name, name)
        refused((PermissionError, LookupError, ValueError), chain_name, name, b'', 'quick')
    refused(LookupError, chain_name, 'secret')
    for f in await_call, await_call_output, get_result, cancel_call:
        refused(LookupError, f, call)
    refused(LookupError, await_any, [call])
    refused(LookupError, await_all, [call])
    for key in 'key', 'anna/key', '../anna/key', 'anna\0key', 'vanna/key':
        refused(KeyError, read_state, key)
        refused(KeyError, pull_state, key)
        refused(KeyError, push_state, key)
        assert read_state_size(key) == 0 and read_appended_state(key) == []
        write_state(key, b'mine')
        push_state(key)
        delete_state(key)
        append_state(key, b'mine')
        clear_appended_state(key)
    assert list_state_keys() == []
    lock_state_write('locked', timeout=0)
    refused(RuntimeError, unlock_state_write, 'key')
    assert os.listdir('faasm://') == [] and os.listdir('/tmp') == []
    for path in 'faasm://file', 'faasm://../anna/file', 'faasm://anna/file', '/faasm:/../anna/file', 'faasm:///file', '/tmp/file':
        refused(OSError, open, path)
        refused(OSError, os.stat, path)
        refused(OSError, os.unlink, path)
    with open('faasm://file', 'w') as file:
        file.write('mine')
    return 'refused'
)", {}, "bert");
  const auto secret = serving.service->submit({"anna", "secret", "faasm_main", {}, {}});
  while (!options.state->size({"anna", "ready"}).ok()) std::this_thread::sleep_for(1ms);
  const CallReport spy = serving.call("spy", std::to_string(*secret), "faasm_main", "bert");
  CHECK(spy.err == "");
  CHECK(text_of(spy.output) == "refused");
  CHECK(serving.service->state(*secret) == CallState::Running);
  serving.upload("look", R"(
from pyfaasm import *
def faasm_main():
    try:
        lock_state_write('locked', timeout=0)
    except TimeoutError:
        return repr([read_state('key'), read_appended_state('key'), open('faasm://file').read(), sorted(list_state_keys())])
)", {}, "anna");
  const CallReport look = serving.call("look", "", "faasm_main", "anna");
  CHECK(look.err == "");
  CHECK(text_of(look.output) == "[b'secret', [b'secret'], 'secret', ['key', 'ready']]");
  CHECK(serving.service->cancel(*secret));
  CHECK(serving.service->list("bert")->functions.size() == 1);
}

TEST_CASE("a user's share of the store is its own bound, with an error that says so") {
  if (!python_runtime()) return;
  krait::store::StateOptions store;
  store.user_bytes = 1 << 20;
  LocalStateOptions local;
  local.user_bytes = 4 << 20;
  ServiceOptions options;
  options.state = std::make_shared<LocalState>(krait::store::memory_state(store), local);
  Serving serving(options);
  const char* fill = R"(
import errno
from pyfaasm import *
def keys(data):
    try:
        for i in range(1_000_000):
            write_state(f'key{i}', bytes(1000))
            push_state(f'key{i}')
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        return f'{i} {error}'
def log(data):
    try:
        while True:
            append_state('log', bytes(10_000))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        clear_appended_state('log')
        return 'full'
def unpushed(data):
    try:
        for i in range(1_000):
            write_state(f'k{i}', bytes(1 << 20))
    except MemoryError:
        return 'full'
def files(data):
    try:
        for i in range(1_000):
            with open(f'faasm://f{i}', 'wb') as file:
                file.write(bytes(100_000))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        return 'full'
def small(data):
    write_state('small', b'x')
    push_state('small')
    return 'fine'
)";
  for (const char* user : {"anna", "bert"}) serving.upload("f", fill, {}, user);
  const CallReport keys = serving.call("f", "", "keys", "anna");
  CHECK(keys.err == "");
  const std::string said = text_of(keys.output);
  CAPTURE(said);
  CHECK(std::stoi(said) > 500);
  CHECK(std::stoi(said) < 1000);
  for (const char* entry : {"log", "unpushed", "files"}) {
    CAPTURE(entry);
    const CallReport report = serving.call("f", "", entry, "anna");
    CHECK(report.err == "");
    CHECK(text_of(report.output) == "full");
  }
  CHECK(text_of(serving.call("f", "", "small", "bert").output) == "fine");
}
