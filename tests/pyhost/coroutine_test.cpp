// Python on coroutines: waits park, computing calls give way, cancels and deep recursion end in order. Run once an engine
// (`--engine interp|jit`).
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "io/file.hpp"
#include "io/sync.hpp"
#include "pyhost/io_waiter.hpp"
#include "tests/io/fixture.hpp"
#include "tests/pyhost/engine_main.hpp"
#include "tests/pyhost/python_fixture.hpp"
#include "tests/pyhost/scratch.hpp"

using namespace krait;
using namespace krait::pyhost;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<const PythonRuntime> python() {
  static const auto loaded = test::load_python(test::chosen_compiler());
  if (!loaded) MESSAGE("skipped: the Python runtime is not built");
  return loaded;
}

/// A sandbox with one function loaded, and what it said.
struct Guest {
  std::unique_ptr<IoWaiter> waiter;
  std::shared_ptr<BufferSink> said = std::make_shared<BufferSink>(1 << 16);
  std::unique_ptr<PythonInstance> instance;

  explicit Guest(std::shared_ptr<const PythonSnapshot> snapshot, std::unique_ptr<IoWaiter> w = std::make_unique<IoWaiter>(),
                 PythonOptions options = {})
      : waiter(std::move(w)) {
    if (!options.stdio.out) options.stdio = {options.stdio.in, said, said};
    options.env = default_python_env();
    options.waiter = waiter.get();
    auto made = PythonInstance::create(python(), std::move(options), std::move(snapshot));
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    instance = std::move(*made);
  }
  void load(const std::string& source) {
    auto loaded = instance->load({"user", "func", source, "faasm_main", {}});
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
    REQUIRE_MESSAGE(loaded->status == 0, said->text());
  }
  CallResult invoke(std::string_view input = {}, const std::string& entry = "faasm_main") {
    auto result = instance->invoke({"user", "func", {}, entry, test::bytes_of(input)});
    REQUIRE_MESSAGE(result.ok(), result.error().message);
    return std::move(*result);
  }
};

/// A snapshot in which `source` is loaded. In a coroutine.
std::shared_ptr<const PythonSnapshot> snapshot_of(const std::string& source) {
  Guest guest(nullptr);
  guest.load(source);
  auto taken = guest.instance->snapshot();
  REQUIRE_MESSAGE(taken.ok(), taken.error().message);
  return *taken;
}

bool interrupted(const CallResult& result) {
  return result.trap && result.trap->kind == engine::TrapKind::Interrupted && result.status == Ended::TrapStatus;
}

/// Runs `body` on one shard; nothing may be left when it ends.
void on_shard(io::Closure body) {
  if (python()) io::in_coroutine(std::move(body));
}

/// Lets a sleeper go only when `all` sleep at once: on a thread that a sleeper held none would.
struct Together {
  explicit Together(int all) : all(all) {}
  const int all;
  int sleeping = 0;
  io::Event complete;
};
class TogetherWaiter final : public IoWaiter {
 public:
  explicit TogetherWaiter(Together& together) : together_(together) {}
  bool sleep_until(Deadline deadline) override {
    if (++together_.sleeping == together_.all) together_.complete.set();
    const bool slept = IoWaiter::sleep_until(deadline);
    return together_.complete.wait(5min) == 0 && slept;
  }

 private:
  Together& together_;
};

}  // namespace

TEST_CASE("a thousand calls of time.sleep on one shard sleep at the same time") {
  on_shard([] {
    constexpr int Calls = 1000;
    const auto snapshot = snapshot_of("import time\ndef faasm_main():\n  time.sleep(0.05)\n  return 7\n");
    Together together(Calls);
    int good = 0;
    {
      io::Scope scope;
      for (int i = 0; i < Calls; ++i) {
        REQUIRE(scope.spawn([&] {
          Guest guest(snapshot, std::make_unique<TogetherWaiter>(together));
          if (guest.invoke().status == 7) ++good;
        }).valid());
      }
      CHECK(scope.join(10min) == 0);
    }
    CHECK(together.sleeping == Calls);
    CHECK(good == Calls);
  });
}

TEST_CASE("short calls end while a neighbour computes for ever, and a cancel ends that one") {
  on_shard([] {
    const auto snapshot = snapshot_of(
        "def faasm_main():\n  return sum(range(100)) % 256\ndef endless():\n  while True: pass\n"
        "def stubborn():\n  while True:\n    try:\n      while True: pass\n    except BaseException: pass\n");
    for (const char* entry : {"endless", "stubborn"}) {
      CAPTURE(entry);
      bool ended_by_cancel = false;
      io::Scope scope;
      io::Task endless = scope.spawn([&] {
        Guest guest(snapshot);
        ended_by_cancel = interrupted(guest.invoke({}, entry));
      });
      io::yield();  // it has begun
      constexpr int Calls = 1000, Lanes = 20;
      int good = 0;
      {
        io::Scope lanes;
        for (int lane = 0; lane < Lanes; ++lane) {
          REQUIRE(lanes.spawn([&] {
            Guest guest(snapshot);
            for (int i = 0; i < Calls / Lanes; ++i) {
              if (guest.invoke().status == 4950 % 256) ++good;
              io::yield();
            }
          }).valid());
        }
        CHECK(lanes.join(10min) == 0);
      }
      CHECK(good == Calls);
      CHECK_FALSE(endless.done());
      endless.cancel();
      CHECK(endless.join(5min) == 0);
      CHECK(ended_by_cancel);
    }
  });
}

TEST_CASE("a cancel ends a call's wait, and a reset makes its sandbox good again") {
  on_shard([] {
    const auto snapshot = snapshot_of(
        "import time, select, sys\ndef faasm_main():\n  return 3\ndef sleeps():\n  time.sleep(3600)\n"
        "def swallows():\n  while True:\n    try: time.sleep(3600)\n    except BaseException: pass\n"
        "def polls():\n  select.select([0], [], [], 3600)\ndef reads():\n  sys.stdin.read()\n");
    const io::Pipe pipe;
    for (const char* entry : {"sleeps", "swallows", "polls", "reads"}) {
      CAPTURE(entry);
      PythonOptions options;
      options.stdio.in = host_file(pipe.fds[0], false);
      Guest guest(snapshot, std::make_unique<IoWaiter>(), std::move(options));
      bool ended_by_cancel = false;
      io::Scope scope;
      io::Task task = scope.spawn([&] { ended_by_cancel = interrupted(guest.invoke({}, entry)); });
      io::sleep_for(1ms);
      CHECK_FALSE(task.done());
      task.cancel();
      CHECK(task.join(5min) == 0);
      CHECK(ended_by_cancel);
      CHECK_FALSE(guest.instance->usable());
      REQUIRE(guest.instance->reset().ok());
      CHECK(guest.invoke().status == 3);
    }
  });
}

TEST_CASE("a wait alone can be ended: the guest sees EINTR and goes on") {
  on_shard([] {
    struct Counting final : IoWaiter {
      int polls = 0;
      bool poll(std::span<pollfd> fds, std::optional<Deadline> deadline) override { return ++polls, IoWaiter::poll(fds, deadline); }
    };
    const io::Pipe pipe;
    PythonOptions options;
    options.stdio.in = host_file(pipe.fds[0], false);
    auto waiter = std::make_unique<Counting>();
    Counting& counting = *waiter;
    Guest guest(nullptr, std::move(waiter), std::move(options));
    guest.load("import select\ndef faasm_main():\n  return len(select.select([0], [], [], 3600)[0])\n");
    int status = 0;
    io::Scope scope;
    io::Task task = scope.spawn([&] { status = guest.invoke().status; });
    while (counting.polls == 0) io::yield();
    task.get()->interrupt_wait();
    while (counting.polls == 1) io::yield();  // Python waits on, as after a signal
    CHECK(::write(pipe.fds[1], "x", 1) == 1);
    CHECK(task.join(5min) == 0);
    CHECK(status == 1);
  });
}

TEST_CASE("a sleep that is cut short goes on") {
  on_shard([] {
    struct Counting final : IoWaiter {
      int sleeps = 0;
      bool sleep_until(Deadline deadline) override { return ++sleeps, IoWaiter::sleep_until(deadline); }
    };
    auto waiter = std::make_unique<Counting>();
    Counting& counting = *waiter;
    Guest guest(nullptr, std::move(waiter));
    guest.load("import time\ndef faasm_main():\n  begin = time.monotonic()\n  time.sleep(0.5)\n"
               "  return 5 if time.monotonic() - begin >= 0.5 else 6\n");
    int status = 0;
    io::Scope scope;
    io::Task task = scope.spawn([&] { status = guest.invoke().status; });
    while (counting.sleeps == 0) io::yield();
    task.get()->interrupt_wait();
    CHECK(task.join(5min) == 0);
    CHECK_MESSAGE(status == 5, guest.said->text());
    CHECK(counting.sleeps == 2);
  });
}

TEST_CASE("asyncio") {
  on_shard([] {
    const io::Pipe in;
    PythonOptions options;
    options.stdio.in = host_file(in.fds[0], false);
    Guest guest(nullptr, std::make_unique<IoWaiter>(), std::move(options));
    guest.load(R"(
import asyncio, os, sys
order = []
async def work(name, seconds):
  order.append(name)
  await asyncio.sleep(seconds)
  order.append(name.upper())
  return name * 2
async def together():
  results = await asyncio.gather(work('a', 0.02), work('b', 0.01), work('c', 0))
  assert results == ['aa', 'bb', 'cc'] and order[:3] == ['a', 'b', 'c'], order
  async with asyncio.TaskGroup() as group:
    tasks = [group.create_task(work(n, 0)) for n in 'xy']
  assert [t.result() for t in tasks] == ['xx', 'yy']
async def too_long():
  try:
    async with asyncio.timeout(0.01): await asyncio.sleep(3600)
  except TimeoutError: pass
  else: assert False
  try: await asyncio.wait_for(asyncio.Event().wait(), 0.01)
  except TimeoutError: pass
  else: assert False
async def queued():
  queue, got = asyncio.Queue(1), []
  async def produce():
    for i in range(5): await queue.put(i)
    await queue.put(None)
  task = asyncio.create_task(produce())
  while (item := await queue.get()) is not None: got.append(item)
  assert got == [0, 1, 2, 3, 4]
async def in_thread():
  assert await asyncio.to_thread(sum, [1, 2]) == 3
  loop = asyncio.get_running_loop()
  loop.call_soon_threadsafe(order.append, 'soon')
  try: await loop.run_in_executor(None, lambda: 1 / 0)
  except ZeroDivisionError: pass
  await asyncio.sleep(0)
  assert order[-1] == 'soon'
async def descriptors():
  loop = asyncio.get_running_loop()
  line = loop.create_future()
  loop.add_reader(0, lambda: line.set_result(os.read(0, 100)))
  ticks = 0
  async def tick():
    nonlocal ticks
    while True: ticks += 1; await asyncio.sleep(0)
  ticker = asyncio.create_task(tick())
  assert await line == b'a line\n'
  loop.remove_reader(0)
  ticker.cancel()
  assert ticks > 1
async def stuck():
  await asyncio.get_running_loop().create_future()
def faasm_main():
  for main in (together, too_long, queued, in_thread, descriptors):
    asyncio.run(main())
  try: asyncio.run(stuck())
  except RuntimeError as e: assert 'deadlock' in str(e)
  else: assert False
  return 9
)");
    int status = 0;
    io::Scope scope;
    io::Task task = scope.spawn([&] { status = guest.invoke().status; });
    io::sleep_for(10ms);
    CHECK(::write(in.fds[1], "a line\n", 7) == 7);
    CHECK(task.join(5min) == 0);
    CHECK_MESSAGE(status == 9, guest.said->text());
  });
}

TEST_CASE("a read of a pipe parks until there is something, a large write until it is taken") {
  on_shard([] {
    const io::Pipe in, out;
    PythonOptions options;
    options.stdio = {host_file(in.fds[0], false), host_file(out.fds[1], false), nullptr};
    Guest guest(nullptr, std::make_unique<IoWaiter>(), std::move(options));
    guest.load("import sys, os\ndef faasm_main():\n  n = int(sys.stdin.readline())\n  os.write(1, b'x' * n)\n"
               "  sys.stdout.write('y' * n)\n  sys.stdout.flush()\n");
    constexpr size_t Size = 200'000;  // more than a pipe holds
    bool done = false;
    io::Scope scope;
    io::Task task = scope.spawn([&] { done = guest.invoke().status == 0; });
    io::sleep_for(1ms);
    const std::string line = std::to_string(Size) + "\n";
    CHECK(io::write(in.fds[1], line.data(), line.size()) == static_cast<int>(line.size()));
    std::string got;
    for (;;) {
      char buffer[4096];
      const int n = io::read(out.fds[0], buffer, sizeof buffer, 20ms);
      if (n > 0) got.append(buffer, static_cast<size_t>(n));
      if (n <= 0 && task.done()) break;
    }
    CHECK(task.join(5min) == 0);
    CHECK(done);
    // os.write may take a part only; Python's own stream writes all.
    CHECK(std::count(got.begin(), got.end(), 'y') == Size);
    CHECK(std::count(got.begin(), got.end(), 'x') > 0);
  });
}

TEST_CASE("files of this machine are read, written and synced") {
  on_shard([] {
    const test::ScratchFolder scratch;
    PythonOptions options;
    options.mounts = {{scratch.path().string(), "/data", false}};
    Guest guest(nullptr, std::make_unique<IoWaiter>(), std::move(options));
    guest.load(R"(
import os
def faasm_main():
  data = os.urandom(1_000_000)
  with open('/data/f', 'wb') as f:
    f.write(data[:10]); f.write(data[10:]); f.flush(); os.fsync(f.fileno()); os.fdatasync(f.fileno())
  with open('/data/f', 'rb', buffering=0) as f:
    assert f.read(5) == data[:5] and f.read(2_000_000) == data[5:] and f.read(1) == b''
    assert os.pread(f.fileno(), 100, 999_950) == data[-50:]
    assert os.pread(f.fileno(), 100, 3) == data[3:103]
  f = os.open('/data/f', os.O_RDWR)
  assert os.pwrite(f, b'abc', 1) == 3 and os.pread(f, 5, 0) == data[:1] + b'abc' + data[4:5]
  d = os.open('/data', os.O_RDONLY); os.fsync(d)
)");
    const CallResult result = guest.invoke();
    CHECK_MESSAGE(result.status == 0, guest.said->text());
    CHECK(std::filesystem::file_size(scratch.path() / "f") == 1'000'000);
  });
}

TEST_CASE("calls on paths of this machine park until the system is done with them") {
  /// Counts the parks of the guest's coroutine in calls on files: parking_test.cpp has them call by call.
  struct Counter : IoWaiter {
    int waits = 0;
    int wait_with(const std::function<int()>& wait) override {
      ++waits;
      return IoWaiter::wait_with(wait);
    }
  };
  on_shard([] {
    const test::ScratchFolder scratch;
    PythonOptions options;
    options.mounts = {{scratch.path().string(), "/data", false}};
    auto owned = std::make_unique<Counter>();
    Counter& counter = *owned;
    Guest guest(nullptr, std::move(owned), std::move(options));
    guest.load(R"(
import os
def faasm_main():
  os.mkdir('/data/d'); os.mkdir('/data/e'); os.rmdir('/data/e')
  with open('/data/d/f', 'xb') as f:
    f.write(b'12345'); f.flush(); f.truncate(3)
  os.utime('/data/d/f', ns=(1, 2_000_000_003))
  os.rename('/data/d/f', '/data/g'); os.link('/data/g', '/data/h'); os.symlink('g', '/data/s'); os.unlink('/data/g')
  assert os.readlink('/data/s') == 'g' and sorted(os.listdir('/data')) == ['d', 'h', 's']
  s = os.stat('/data/h')
  assert (s.st_size, s.st_mtime_ns, s.st_nlink) == (3, 2_000_000_003, 1), s
)");
    int parks = 0;
    static constexpr io::SwitchHooks Hooks = {[](void* count) { ++*static_cast<int*>(count); }, nullptr};
    io::current()->set_user(&parks);
    io::current()->set_hooks(&Hooks);
    const CallResult result = guest.invoke();
    io::current()->set_hooks(nullptr);
    CHECK_MESSAGE(result.status == 0, guest.said->text());
    CHECK(counter.waits >= 12);
    CHECK(parks >= 12);
    CHECK(std::filesystem::file_size(scratch.path() / "h") == 3);
  });
}

TEST_CASE("deep recursion on a coroutine's stack is a RecursionError, not a fault") {
  on_shard([] {
    const auto snapshot = snapshot_of(R"(
import sys, json, re
def plain(n): return plain(n + 1)
class A:
  def __getattr__(self, name): return getattr(self, name + 'x')
  def __repr__(self): return repr(self)
  def __lt__(self, other): return sorted([self, other]) and True
def faasm_main(data):
  kind = data.decode()
  sys.setrecursionlimit(1_000_000 if kind.endswith('!') else 1000)
  kind = kind.rstrip('!')
  try:
    if kind == 'plain': plain(0)
    if kind == 'getattr': A().y
    if kind == 'repr': repr(A())
    if kind == 'sorted': sorted([A(), A()])
    if kind == 'eval': eval('(' * 5000 + ')' * 5000)
    if kind == 'json': json.loads('[' * 100_000)
    if kind == 'nested':
      l = []
      for _ in range(100_000): l = [l]
      repr(l)
  except (RecursionError, MemoryError, SyntaxError) as e:
    return type(e).__name__.encode()
  return b'no error'
)");
    for (const char* kind : {"plain", "getattr", "repr", "repr!", "sorted", "sorted!", "json!", "nested", "eval"}) {
      CAPTURE(kind);
      Guest guest(snapshot);
      const CallResult result = guest.invoke(kind);
      const std::string said = test::text_of(result.output);
      INFO(guest.said->text());
      REQUIRE_MESSAGE(!result.trap, result.trap->to_string());
      if (std::string_view(kind) == "eval") CHECK((said == "MemoryError" || said == "SyntaxError" || said == "RecursionError"));
      else CHECK(said == "RecursionError");
    }
  });
}

TEST_CASE("a shutdown cancels what computes and what waits") {
  if (!python()) return;
  auto runtime = io::start_runtime();
  std::shared_ptr<const PythonSnapshot> snapshot;
  runtime->shard(0).run([&] {
    snapshot = snapshot_of("import time\ndef faasm_main():\n  time.sleep(3600)\ndef endless():\n  while True: pass\n");
  });
  int begun = 0, interrupted_calls = 0;
  constexpr int Calls = 40;
  for (int i = 0; i < Calls; ++i) {
    runtime->shard(0).spawn([&, i] {
      Guest guest(snapshot);
      ++begun;
      if (interrupted(guest.invoke({}, i % 4 == 0 ? "endless" : "faasm_main"))) ++interrupted_calls;
    });
  }
  runtime->shard(0).run([&] {
    while (begun < Calls) io::sleep_for(1ms);
  });
  const auto ended = runtime->shutdown(10ms, 5min);
  CHECK_MESSAGE(ended.ok(), ended.error().message);
  CHECK(interrupted_calls == Calls);
}
