// The Python host, with the runtime that the guest's build left in the cache; without it the tests say so and pass nothing.
#include <doctest/doctest.h>

#include "pyhost/python.hpp"
#include "tests/pyhost/python_fixture.hpp"
#include "tests/pyhost/scratch.hpp"

using namespace krait::pyhost;
using krait::test::bytes_of, krait::test::ScratchFolder, krait::test::text_of;

namespace {

std::shared_ptr<const PythonRuntime> runtime() {
  static const auto loaded = krait::test::load_python(nullptr);
  if (!loaded) MESSAGE("skipped: the Python runtime is not built");
  return loaded;
}

/// A sandbox and what it said.
struct Python {
  std::shared_ptr<BufferSink> out = std::make_shared<BufferSink>(1 << 20), err = std::make_shared<BufferSink>(1 << 20);
  std::unique_ptr<PythonInstance> instance;

  explicit Python(PythonOptions options = {}) {
    options.stdio = {nullptr, out, err};
    if (options.env.empty()) options.env = default_python_env();
    auto made = PythonInstance::create(runtime(), std::move(options));
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    instance = std::move(*made);
  }
  CallResult call(const std::string& source, std::string_view input = {}, const std::string& entry = "faasm_main") {
    auto result = instance->call({"user", "func", source, entry, bytes_of(input)});
    REQUIRE_MESSAGE(result.ok(), result.error().message);
    return std::move(*result);
  }
};

}  // namespace

TEST_CASE("a function takes its input and gives its output, byte for byte") {
  if (!runtime()) return;
  Python python;
  const std::string all = [] {
    std::string text;
    for (int i = 0; i < 70'000; i++) text += static_cast<char>(i * 7);
    return text;
  }();
  const std::string echo = "from pyfaasm.core import get_input, set_output\ndef faasm_main():\n  set_output(get_input())\n  print('said')\n";
  const CallResult result = python.call(echo, all);
  CHECK(result.status == 0);
  CHECK(text_of(result.output) == all);
  CHECK_FALSE(result.exception);
  CHECK(result.timings.start_ns > 0);
  CHECK(result.timings.run_ns > 0);
  CHECK(python.out->take() == "said\n");
  // The sandbox is still good, and nothing of the first call's output is left.
  const CallResult again = python.call(echo, "");
  CHECK(again.status == 0);
  CHECK(again.output.empty());
  CHECK(again.timings.start_ns == 0);
}

TEST_CASE("how a function ends is its status") {
  if (!runtime()) return;
  Python python;
  CHECK(python.call("def faasm_main():\n  return 7\n").status == 7);
  CHECK(python.call("def faasm_main():\n  return None\n").status == 0);
  const CallResult raised = python.call("def faasm_main():\n  x = 1\n  raise ValueError('no')\n");
  CHECK(raised.status == 1);
  CHECK(raised.exception);
  const std::string traceback = python.err->take();
  CHECK(traceback.find("File \"func.py\", line 3, in faasm_main") != std::string::npos);
  CHECK(traceback.find("ValueError: no") != std::string::npos);
  const CallResult left = python.call("import sys\ndef faasm_main():\n  sys.exit(3)\n");
  CHECK(left.status == 3);
  CHECK_FALSE(left.exception);
  CHECK(python.call("def other(data):\n  return data[::-1]\n", "abc", "other").output.size() == 3);
  CHECK(python.call("def faasm_main():\n  pass\n", "", "missing").status == 1);
  CHECK(python.instance->usable());
  // os._exit ends the process that a sandbox is.
  const CallResult gone = python.call("import os\ndef faasm_main():\n  os._exit(5)\n");
  CHECK(gone.status == 5);
  CHECK_FALSE(gone.trap.has_value());
  CHECK_FALSE(python.instance->usable());
  CHECK_FALSE(python.instance->call({"user", "func", "", "faasm_main", {}}).ok());
}

TEST_CASE("endless recursion is a RecursionError, also through C") {
  if (!runtime()) return;
  Python python;
  const CallResult plain = python.call("def f(n):\n  return f(n + 1)\ndef faasm_main():\n  f(0)\n");
  CHECK(plain.exception);
  CHECK(python.err->take().find("RecursionError") != std::string::npos);
  const CallResult nested = python.call(
      "class A:\n  def __getattr__(self, name):\n    return getattr(self, name + 'x')\ndef faasm_main():\n  A().y\n");
  CHECK(nested.exception);
  CHECK(python.err->take().find("RecursionError") != std::string::npos);
}

TEST_CASE("too much memory is a MemoryError, too much output an error, too many files an OSError") {
  if (!runtime()) return;
  PythonOptions options;
  options.limits.memory_bytes = 64 << 20;
  options.limits.output_bytes = 1000;
  options.limits.open_files = 20;
  options.limits.tmp_bytes = 1 << 20;
  Python python(std::move(options));
  const CallResult memory = python.call("def faasm_main():\n  bytearray(100_000_000)\n");
  CHECK(memory.exception);
  CHECK(python.err->take().find("MemoryError") != std::string::npos);
  const CallResult output = python.call("from pyfaasm.core import set_output\ndef faasm_main():\n  set_output(b'x' * 1001)\n");
  CHECK(output.exception);
  CHECK(output.output.empty());
  const CallResult files = python.call("def faasm_main():\n  l = [open(f'/tmp/{i}', 'w') for i in range(30)]\n");
  CHECK(files.exception);
  python.err->take();
  const CallResult space = python.call("def faasm_main():\n  open('/tmp/big', 'wb').write(bytes(2_000_000))\n");
  CHECK(space.exception);
  CHECK(python.err->take().find("No space left") != std::string::npos);
}

TEST_CASE("the sandbox's files are its own") {
  if (!runtime()) return;
  const ScratchFolder scratch;
  scratch.write("f", "from the host");
  PythonOptions options;
  options.mounts = {{scratch.path().string(), "/data", true}};
  options.env = {{"A", "b=c"}};
  Python python(std::move(options));
  const CallResult result = python.call(R"(
import os, tempfile
def faasm_main():
  print(sorted(os.listdir('/')), os.getcwd(), os.environ['A'], len(os.environ))
  print(open('/data/f').read())
  try: open('/data/g', 'w')
  except OSError as e: print(e)
  with tempfile.TemporaryDirectory() as d:
    os.makedirs(d + '/x/y'); os.rename(d + '/x', d + '/z'); print(os.listdir(d))
  try: os.remove('/lib/python313.zip')
  except OSError as e: print(e)
)");
  CHECK(result.status == 0);
  CHECK(python.err->take() == "");
  CHECK(python.out->take() ==
        "['data', 'lib', 'tmp'] / b=c 1\nfrom the host\n[Errno 69] Read-only file system: '/data/g'\n['z']\n"
        "[Errno 69] Read-only file system: '/lib/python313.zip'\n");
  CHECK(python.call("import os\ndef faasm_main():\n  return len(os.listdir('/tmp'))\n").status == 0);
}

TEST_CASE("syntax is checked and nothing is run") {
  if (!runtime()) return;
  Python python;
  auto good = python.instance->check("print('not run')\n", "good.py");
  REQUIRE(good.ok());
  CHECK_FALSE(good->has_value());
  auto bad = python.instance->check("x = 1\nif x\n  pass\n", "bad.py");
  REQUIRE(bad.ok());
  REQUIRE(bad->has_value());
  CHECK((*bad)->text.find("File \"bad.py\", line 2") != std::string::npos);
  CHECK((*bad)->text.find('^') != std::string::npos);
  CHECK((*bad)->text.find("SyntaxError") != std::string::npos);
  CHECK(python.out->take() == "");
  CHECK(python.err->take() == "");
}

TEST_CASE("a script runs as python3 would run it") {
  if (!runtime()) return;
  const ScratchFolder scratch;
  scratch.write("helper.py", "NAME = 'helped'\n");
  scratch.write("main.py",
                "import sys, helper\nprint(__name__, helper.NAME, sys.argv[1:], sys.path[0] == __file__.rpartition('/')[0])\n"
                "def other(): print('other'); return 4\n"
                "if len(sys.argv) > 2: sys.exit(9)\n");
  const auto run = [&](std::vector<std::string> args, const std::string& entry) {
    auto out = std::make_shared<BufferSink>(1000);
    PythonOptions options;
    options.stdio = {nullptr, out, out};
    options.env = default_python_env();
    const auto ended = run_script(runtime(), scratch / "main.py", args, entry, std::move(options));
    REQUIRE_MESSAGE(ended.ok(), ended.error().message);
    return std::to_string(ended->status) + ": " + out->text();
  };
  CHECK(run({"one"}, "") == "0: __main__ helped ['one'] True\n");
  CHECK(run({"one", "two words"}, "") == "9: __main__ helped ['one', 'two words'] True\n");
  const std::string entry = run({}, "other");
  CHECK(entry.starts_with("4: "));
  CHECK(entry.ends_with("other\n"));
  CHECK_FALSE(run_script(runtime(), scratch / "none.py", {}, "", {}).ok());
}

namespace {

const std::string Counter =
    "import os, random, sys\n"
    "from pyfaasm import set_output\n"
    "seen = []\n"
    "def faasm_main():\n"
    "  seen.append(1)\n"
    "  files = os.path.exists('/tmp/left')\n"
    "  open('/tmp/left', 'w').close()\n"
    "  os.open('/tmp/left', os.O_RDONLY)\n"
    "  env = os.environ.get('LEFT')\n"
    "  os.environ['LEFT'] = 'x'\n"
    "  module = hasattr(sys, 'left')\n"
    "  sys.left = 1\n"
    "  set_output(f'{len(seen)} {files} {env} {module} {random.random()}')\n";

/// A sandbox in which Counter is loaded, as a snapshot.
std::shared_ptr<const PythonSnapshot> counter_snapshot() {
  Python python;
  auto loaded = python.instance->load({"user", "counter", Counter, "faasm_main", {}});
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
  REQUIRE(loaded->status == 0);
  auto taken = python.instance->snapshot();
  REQUIRE_MESSAGE(taken.ok(), taken.error().message);
  return *taken;
}

std::string counted(PythonInstance& instance) {
  auto result = instance.invoke({"user", "counter", {}, "faasm_main", {}});
  REQUIRE_MESSAGE(result.ok(), result.error().message);
  CHECK(result->status == 0);
  return text_of(result->output);
}

std::unique_ptr<PythonInstance> from(std::shared_ptr<const PythonSnapshot> snapshot) {
  PythonOptions options;
  options.env = default_python_env();
  auto made = PythonInstance::create(runtime(), std::move(options), std::move(snapshot));
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return std::move(*made);
}

}  // namespace

TEST_CASE("a reset sandbox knows nothing of the calls before, and its random numbers are new") {
  if (!runtime()) return;
  const auto instance = from(counter_snapshot());
  std::vector<std::string> results;
  for (int i = 0; i < 3; ++i) {
    results.push_back(counted(*instance));
    CHECK(results.back().starts_with("1 False None False 0."));
    const auto reset = instance->reset();
    REQUIRE_MESSAGE(reset.ok(), reset.error().message);
  }
  CHECK(results[0] != results[1]);
  CHECK(results[1] != results[2]);
  // Without a reset the state of the call before is there: the test can fail.
  (void)counted(*instance);
  CHECK(counted(*instance).starts_with("2 True x True 0."));
}

TEST_CASE("a reset sandbox's files are as at its start, their times too") {
  if (!runtime()) return;
  Python python;
  const auto loaded = python.instance->load({"user", "f", R"(
import os
from pyfaasm import set_output
def faasm_main(change):
  seen = [int(os.stat(p).st_mtime) for p in ('/', '/tmp', '/faasm:')] + [os.path.lexists(p) for p in ('/f', '/tmp/f', '/tmp/d')]
  set_output(repr([n if n < 2 else 'now' for n in seen]))
  change = change.decode()
  if change == 'dates':
    for p in '/', '/tmp', '/faasm:':
      fd = os.open(p, os.O_RDONLY)
      try: os.utime(fd, (1, 1))
      except OSError: pass
  elif change == 'link': os.symlink('tmp', '/f')
  elif change == 'file': open('/tmp/f', 'w').close()
  elif change == 'directory': os.mkdir('/tmp/d')
)", "faasm_main", {}});
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
  const auto snapshot = python.instance->snapshot();
  REQUIRE_MESSAGE(snapshot.ok(), snapshot.error().message);
  const auto instance = from(*snapshot);
  const auto call = [&](std::string_view change) {
    const auto result = instance->invoke({"user", "f", {}, "faasm_main", bytes_of(change)});
    REQUIRE_MESSAGE(result.ok(), result.error().message);
    return text_of(result->output);
  };
  const std::string at_start = call("nothing");
  for (const char* change : {"nothing", "dates", "link", "file", "directory"}) {
    REQUIRE(instance->reset().ok());
    CHECK_MESSAGE(call(change) == at_start, change);
    if (std::string_view(change) != "nothing") CHECK_MESSAGE(call("nothing") != at_start, change);  // it was a change
    REQUIRE(instance->reset().ok());
    CHECK_MESSAGE(call("nothing") == at_start, change);
  }
}

TEST_CASE("a restored sandbox has its host's environment, and keeps what the module set where that is the snapshot's") {
  if (!runtime()) return;
  Python python;
  const auto loaded = python.instance->load({"user", "f", R"(
import os
from pyfaasm import set_output
os.environ['SET'] = 'by the module'
def faasm_main():
  set_output(f"{os.environ.get('SET')} {os.environ.get('TZ')} {os.environ.get('BIG', '')[:3]} {len(os.environ)}")
)", "faasm_main", {}});
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().message);
  const auto snapshot = python.instance->snapshot();
  REQUIRE_MESSAGE(snapshot.ok(), snapshot.error().message);
  const auto with = [&](std::vector<std::pair<std::string, std::string>> env) {
    PythonOptions options;
    options.env = std::move(env);
    auto made = PythonInstance::create(runtime(), std::move(options), *snapshot);
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    return counted(**made);
  };
  const auto same = default_python_env();
  CHECK(with(same) == "by the module UTC  " + std::to_string(same.size() + 1));
  CHECK(with({{"TZ", "CET"}}) == "None CET  1");
  CHECK(with({}) == "None None  0");
  // More than is compared.
  CHECK(with({{"BIG", std::string(5'000, 'b')}}) == "None None bbb 1");
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 100; ++i) many.emplace_back("V" + std::to_string(i), "");
  CHECK(with(many) == "None None  100");
}

TEST_CASE("two sandboxes of one snapshot share nothing") {
  if (!runtime()) return;
  const auto snapshot = counter_snapshot();
  const auto a = from(snapshot), b = from(snapshot);
  const std::string first = counted(*a);
  CHECK(first.starts_with("1 False None False 0."));
  const std::string second = counted(*b);
  CHECK(second.starts_with("1 False None False 0."));
  CHECK(first != second);
}

TEST_CASE("a snapshot is the same from its bytes; damaged bytes are refused") {
  if (!runtime()) return;
  std::vector<std::byte> bytes = counter_snapshot()->encode();
  auto decoded = PythonSnapshot::decode(*runtime(), bytes);
  REQUIRE_MESSAGE(decoded.ok(), decoded.error().message);
  CHECK(counted(*from(*decoded)).starts_with("1 False None False 0."));
  CHECK_FALSE(PythonSnapshot::decode(*runtime(), std::span(bytes).first(bytes.size() - 1)).ok());
  bytes[0] ^= std::byte{1};
  CHECK_FALSE(PythonSnapshot::decode(*runtime(), bytes).ok());
}

TEST_CASE("a sandbox that exited is good again after a reset") {
  if (!runtime()) return;
  Python python;
  REQUIRE(python.instance->load({"u", "f", "import os\ndef faasm_main():\n  os._exit(7)\n", "faasm_main", {}})->status == 0);
  auto snapshot = python.instance->snapshot();
  REQUIRE(snapshot.ok());
  const auto instance = from(*snapshot);
  for (int i = 0; i < 2; ++i) {
    auto left = instance->invoke({"u", "f", {}, "faasm_main", {}});
    REQUIRE_MESSAGE(left.ok(), left.error().message);
    CHECK(left->status == 7);
    CHECK_FALSE(instance->usable());
    REQUIRE(instance->reset().ok());
  }
  CHECK_FALSE(python.instance->reset().ok());  // not made from a snapshot
}
