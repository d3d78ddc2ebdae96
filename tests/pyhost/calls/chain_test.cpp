// Calls that calls make.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;

TEST_CASE("a call chains a function of its file, waits for it and has its output") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
from pyfaasm import *
def part(data):
    write_output(b'<' + data + b'>')
    return 5
def faasm_main():
    ids = [chain(part, bytes([i])) for i in range(3)] + [chain_this_with_input(part, b'\0')]
    assert await_all(ids) == [5] * 4
    assert await_call(ids[0]) == 5
    return b''.join(await_call_output(i, check=False) for i in ids)
)");
  const CallReport report = serving.call("f");
  CHECK(report.err == "");
  CHECK(report.status == 0);
  CHECK(text_of(report.output) == std::string_view("<\0><\1><\2><\0>", 12));
}

TEST_CASE("a failed callee's traceback reaches its caller") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
from pyfaasm import *
def bad(data):
    print('seen')
    raise KeyError(data.decode())
def faasm_main():
    i = chain(bad, b'lost')
    assert await_call(i) == 1
    try:
        await_call(i, check=True)
    except CallError as error:
        assert error.error_type == 'KeyError' and error.error_message == "'lost'", error
        assert error.result.stdout == 'seen\n' and error.status == 1 and error.result.stderr == error.traceback
        assert sorted(error.result.times) == ['cpu', 'queued', 'reset', 'run', 'start']
        assert 0 < error.result.times['run'] < 60 and error.result.times['queued'] > 0
        assert 1 << 20 < error.result.peak_memory < 1 << 30
        assert 'line 5, in bad' in error.traceback and "raise KeyError(data" in str(error)
        return 'ok'
)");
  const CallReport report = serving.call("f");
  CHECK(report.err == "");
  CHECK(text_of(report.output) == "ok");
}

TEST_CASE("what an entry returns: None and 0 are success, an int is the status, bytes and str the output where there is none") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
from pyfaasm import *
def none(data): pass
def zero(data): return 0
def seven(data): return 7
def true(data): return True
def some_bytes(data): return data + b'\0\xff'
def array(data): return bytearray(data)
def view(data): return memoryview(data)
def text(data): return 'n\u00e4h'
def empty(data): return b''
def both(data):
    write_output(b'set')
    return b'returned'
def leaves(data): exit(5)
def leaves_none(data): exit()
def leaves_text(data): exit('text')
def wrong(data): return ['x']
def optional(data=b'none'): return data
def with_none(): return b'no argument'
def any_number(*data): return b'%d' % len(data)
class Callable:
    def __call__(self, data): return b'object ' + data
instance = Callable()
partial = __import__('functools').partial(lambda a, b: a + b, b'partial ')
EXPECTED = {'none': (0, b''), 'zero': (0, b''), 'seven': (7, b''), 'true': (1, b''), 'some_bytes': (0, b'in\0\xff'), 'array': (0, b'in'), 'view': (0, b'in'),
            'text': (0, 'n\u00e4h'.encode()), 'empty': (0, b''), 'both': (0, b'set'), 'leaves': (5, b''), 'leaves_none': (0, b''), 'leaves_text': (1, b''),
            'wrong': (1, b''), 'optional': (0, b'in'), 'with_none': (0, b'no argument'), 'any_number': (0, b'1'), 'instance': (0, b'object in'),
            'partial': (0, b'partial in'), 'absent': (1, b'')}
def faasm_main():
    calls = {name: chain(name, b'in') for name in EXPECTED}
    found = {name: (await_call(call), await_call_output(call, check=False)) for name, call in calls.items()}
    return repr({name: value for name, value in found.items() if value != EXPECTED[name]})
)");
  CHECK(text_of(serving.call("f").output) == "{}");
}

TEST_CASE("a call chains other functions of its user, and of no one else") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("other", "from pyfaasm import *\ndef faasm_main():\n  set_output(get_input()[::-1])\ndef entry(data):\n  return data * 2\n");
  serving.upload("theirs", "def faasm_main():\n  return 'secret'\n", {}, "v");
  serving.upload("f", R"(
from pyfaasm import *
def faasm_main():
    a, b = chain_name('other', b'abc'), chain_name('u/other', b'ab', 'entry')
    for target, error in (('v/theirs', PermissionError), ('theirs', LookupError), ('../v/theirs', PermissionError)):
        try:
            chain_name(target)
        except error:
            pass
        else:
            raise AssertionError(target)
    for call_id in (0, -1, 99999, 2**31 - 1):
        try:
            await_call(call_id)
        except LookupError:
            pass
        else:
            raise AssertionError(call_id)
    return await_call_output(a) + await_call_output(b)
)");
  const CallReport report = serving.call("f");
  CHECK(report.err == "");
  CHECK(text_of(report.output) == "cbaabab");
}

TEST_CASE("calls of another chain are nobody's business") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("nap", "import time\ndef faasm_main():\n  time.sleep(5)\n");
  serving.upload("spy", "from pyfaasm import *\ndef faasm_main():\n  try:\n    cancel_call(int(get_input()))\n  except LookupError:\n    return 'no'\n");
  const auto id = serving.service->submit({"u", "nap", "faasm_main", {}, {}});
  REQUIRE(id.ok());
  CHECK(text_of(serving.call("spy", std::to_string(*id)).output) == "no");
  CHECK(serving.service->cancel(*id));
  CHECK(serving.service->wait(*id)->end == CallEnd::Cancelled);
}

TEST_CASE("waits for any and for all have timeouts, and a cancel reaches the children") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import time
from pyfaasm import *
def nap(data):
    time.sleep(float(data))
def faasm_main():
    slow, quick = chain(nap, b'60'), chain(nap, b'0.01')
    assert await_any([slow, quick]) == quick
    for wait in (lambda: await_call(slow, timeout=0.01), lambda: await_all([quick, slow], timeout=0.01), lambda: await_any([slow], timeout=0)):
        try:
            wait()
        except TimeoutError:
            pass
        else:
            raise AssertionError
    cancel_call(slow)
    assert get_result_when_ended(slow).end == 'cancelled'
    return 'ok'
def get_result_when_ended(i):
    await_call(i)
    return get_result(i)
def forever(data):
    await_call(chain(forever if int(data) else nap, b'0' if int(data) else b'60'))
)");
  const CallReport report = serving.call("f");
  CHECK(report.err == "");
  CHECK(text_of(report.output) == "ok");
  const auto id = serving.service->submit({"u", "f", "forever", krait::test::copy_of("1"), {}});
  REQUIRE(id.ok());
  while (serving.service->stats().waiting < 3) std::this_thread::sleep_for(1ms);
  CHECK(serving.service->cancel(*id));
  CHECK(serving.service->wait(*id)->end == CallEnd::Cancelled);
  for (int i = 0; i < 5000 && serving.service->stats().running + serving.service->stats().waiting > 0; ++i) std::this_thread::sleep_for(1ms);
  CHECK(serving.service->stats().waiting == 0);
  CHECK(serving.service->stats().running == 0);
}

TEST_CASE("a chain has as many calls as its limits allow, and is as deep") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits;
  limits.chain_depth = 5;
  limits.chain_count = 20;
  serving.upload("f", R"(
from pyfaasm import *
def down(data):
    n = int(data)
    return await_call_output(chain(down, str(n + 1).encode())) if n < 50 else data
def wide(data):
    for i in range(50):
        chain(leaf)
def leaf(data):
    pass
)", limits);
  const CallReport deep = serving.call("f", "0", "down");
  CHECK(deep.end == CallEnd::Raised);
  CHECK(deep.failure->type == "pyfaasm.chain.CallError");
  CHECK(deep.failure->message.find("5 calls deep") != std::string::npos);
  const CallReport wide = serving.call("f", "", "wide");
  CHECK(wide.failure->type == "RuntimeError");
  CHECK(wide.failure->message.find("20 calls") != std::string::npos);
}
