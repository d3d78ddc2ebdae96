// pyfaasm's forms for asyncio, in calls.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;
using namespace std::chrono_literals;

namespace {

constexpr const char* Source = R"(
import asyncio, time
from pyfaasm import *
def nap(data):
    time.sleep(float(data))
    return data
def bad(data):
    raise KeyError('lost')
def forever(data):
    await_call(chain(nap, b'3600'))
async def hundred():
    calls = [chain(nap, b'0.%02d' % (i % 10)) for i in range(100)]
    outputs = await asyncio.gather(*(await_call_output_async(c) for c in calls))
    assert outputs == [b'0.%02d' % (i % 10) for i in range(100)]
    assert await await_all_async(calls) == [0] * 100
    assert await asyncio.gather(*(call(nap, b'0') for i in range(20))) == [b'0'] * 20
async def others_run():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)
    ticker = asyncio.create_task(tick())
    await await_call_async(chain(nap, b'0.2'))
    ticker.cancel()
    assert ticks > 5, ticks
async def first():
    slow, quick = chain(nap, b'60'), chain(nap, b'0.01')
    assert await await_any_async([slow, quick]) == quick
    try:
        await await_any_async([])
    except ValueError:
        pass
    else:
        assert False
    cancel_call(slow)
    await await_call_async(slow)
async def failed():
    assert await await_call_async(chain(bad)) == 1
    for attempt in (lambda: await_call_async(chain(bad), check=True), lambda: await_call_output_async(chain(bad)), lambda: call(bad)):
        try:
            await attempt()
        except CallError as error:
            assert error.error_type == 'KeyError' and 'in bad' in error.traceback
        else:
            assert False
    try:
        await await_call_async(999_999)
    except LookupError:
        pass
    else:
        assert False
async def late():
    sleeper = chain(nap, b'60')
    try:
        async with asyncio.timeout(0.02):
            await await_call_async(sleeper)
    except TimeoutError:
        pass
    else:
        assert False
    try:
        get_result(sleeper)
    except LookupError:
        pass  # it goes on: a wait that ends is not a call that ends
    else:
        assert False
    cancel_call(sleeper)
    assert await await_call_async(sleeper) != 0 and get_result(sleeper).end == 'cancelled'
async def cancelled():
    task = asyncio.create_task(call(forever))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    else:
        assert False
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(call(nap, b'3600'))
            group.create_task(call(bad))
    except* CallError as errors:
        assert len(errors.exceptions) == 1
    else:
        assert False
def faasm_main():
    for main in (hundred, others_run, first, failed, late, cancelled):
        asyncio.run(main())
    return 'fine'
def main_async(data):
    async def main():
        await await_call_async(chain(nap, b'3600'))
    asyncio.run(main())
)";

}  // namespace

TEST_CASE("coroutines wait for chained calls: a hundred at once, the first of some, with errors, timeouts and cancels") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", Source);
  const CallReport report = serving.call("f");
  CHECK(report.err.find("Error: ") == report.err.npos);
  CHECK(text_of(report.output) == "fine");
  // A task's cancel has ended the calls that it waited for, and theirs.
  for (int i = 0; i < 10'000 && serving.service->stats().running + serving.service->stats().waiting > 0; ++i) std::this_thread::sleep_for(1ms);
  CHECK(serving.service->stats().running + serving.service->stats().waiting == 0);
}

TEST_CASE("a loop that waits for a call is cancelled and times out as every call") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits, patient;
  limits.wall_ms = 1'500;
  patient.wall_ms = 3'600'000;  // both are to wait at once, on a slow machine too
  serving.upload("f", Source, patient);
  serving.upload("hurry", Source, limits);
  const auto id = serving.service->submit({"u", "f", "main_async", {}, {}});
  while (serving.service->stats().waiting < 2) std::this_thread::sleep_for(1ms);
  CHECK(serving.service->cancel(*id));
  CHECK(serving.service->wait(*id)->end == CallEnd::Cancelled);
  const CallReport late = serving.call("hurry", "", "main_async");
  CHECK(late.end == CallEnd::TimedOut);
  CHECK(late.failure->traceback.find("in main") != std::string::npos);
}
