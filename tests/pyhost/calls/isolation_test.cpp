// What a call changes of its interpreter, its files and its environment, each tried: the next call in the same sandbox finds none.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;

namespace {

/// `look` is what a call can see; each of `changes` alters at least one of its entries.
constexpr const char* Source = R"(
import builtins, codecs, contextvars, decimal, gc, locale, os, random, re, signal, sys, tempfile, threading, time, warnings
module_value = [1]
variable = contextvars.ContextVar('variable', default='none')
local = threading.local()
def where():
    return os.getcwd()
def handlers():
    return [str(signal.getsignal(n)) for n in range(1, signal.NSIG)]
def look():
    return {
        'module': repr(module_value), 'names': sorted(n for n in globals() if not n.startswith('_')), 'modules': sorted(sys.modules),
        'path': list(sys.path), 'hooks': [len(sys.meta_path), len(sys.path_hooks), str(sys.excepthook)], 'argv': list(sys.argv),
        'environment': dict(os.environ), 'cwd': where(), 'files': sorted(os.listdir('/')), 'tmp': os.listdir('/tmp'),
        'descriptor': next_descriptor(), 'signals': handlers(), 'locale': locale.setlocale(locale.LC_ALL), 'decimal': decimal.getcontext().prec,
        'warnings': repr(warnings.filters), 'recursion': sys.getrecursionlimit(), 'switch': sys.getswitchinterval(), 'gc': [gc.isenabled(), gc.get_threshold()],
        'builtins': sorted(vars(builtins)), 'class': sorted(vars(re.Pattern)) + [hasattr(codecs.CodecInfo, 'planted')], 'streams': [sys.stdout is sys.__stdout__, sys.stdin.fileno()],
        'context': variable.get(), 'local': sorted(vars(local)), 'trace': [str(sys.gettrace()), str(sys.getprofile())],
        'threads': threading.active_count(), 'tempdir': tempfile.tempdir, 'zone': time.tzname, 'interned': sys.intern('a') is sys.intern('a'),
        'digits': sys.get_int_max_str_digits(), 'umask': umask(), 'stdout': bytes(sys.stdout.buffer.raw is not None), 'codec': has_codec(), 'hooked': sys.displayhook is sys.__displayhook__,
        'times': os.stat('/tmp').st_mtime_ns == os.stat('/').st_mtime_ns, 'asyncgen': sys.get_asyncgen_hooks() == (None, None)}
def next_descriptor():
    fd = os.open('/lib/python313.zip', os.O_RDONLY)
    os.close(fd)
    return fd
def umask():
    if not hasattr(os, 'umask'):
        return 0
    mask = os.umask(0)
    os.umask(mask)
    return mask
def has_codec():
    try:
        return codecs.lookup('planted') is not None
    except LookupError:
        return False
def change_file():
    open('/secret', 'w').write('secret')
    open('/tmp/secret', 'w').write('secret')
    os.mkdir('/tmp/folder')
def change_cwd():
    os.chdir('/tmp')
def change_descriptors():
    for i in range(10):
        os.open('/lib/python313.zip', os.O_RDONLY)
def change_environment():
    os.environ['SECRET'] = os.environ['TZ'] = 'secret'
    os.unsetenv('HOME')
    del os.environ['LANG']
def change_modules():
    import colorsys
    sys.modules['planted'] = colorsys
    del sys.modules['re']
def change_path():
    sys.path.insert(0, '/tmp')
    sys.meta_path.clear()
    sys.argv.append('x')
def change_globals():
    globals()['planted'] = 1
    module_value.append(2)
def change_builtins():
    builtins.planted = 1
    builtins.len = lambda x: 7
def change_classes():
    codecs.CodecInfo.planted = 1
def change_signals():
    for n in range(1, signal.NSIG):
        try:
            signal.signal(n, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if hasattr(signal, 'alarm'):
        signal.alarm(1)
def change_settings():
    sys.setrecursionlimit(123)
    sys.setswitchinterval(1)
    sys.set_int_max_str_digits(700)
    gc.disable()
    gc.set_threshold(1, 1, 1)
    decimal.getcontext().prec = 3
    locale.setlocale(locale.LC_ALL, 'C')
    if hasattr(os, 'umask'):
        os.umask(0o777)
    tempfile.tempdir = '/secret'
def change_warnings():
    warnings.simplefilter('error')
def change_hooks():
    sys.excepthook = sys.displayhook = print
    sys.settrace(lambda *a: None)
    sys.setprofile(lambda *a: None)
    sys.set_asyncgen_hooks(print, print)
    codecs.register(lambda name: codecs.lookup('utf-8') if name == 'planted' else None)
def change_context():
    variable.set('secret')
    local.secret = 1
def change_streams():
    sys.stdout.close()
    sys.stdout = sys.stderr
    os.close(0)
def change_random():
    random.seed(1)
def leave():
    module_value.append(3)
    os._exit(3)
def fill():
    keep = [bytes(1 << 20) for i in range(100)]
    module_value.append(keep)
    raise ValueError
def faasm_main(data):
    name = data.decode()
    if name == 'look':
        return repr(look())
    if name == 'changes':
        return ' '.join(n for n in globals() if n.startswith('change_') or n in ('leave', 'fill'))
    before = look()
    globals()[name]()
    if name in ('change_builtins', 'change_path', 'change_streams', 'change_random'):
        return 'changed'
    return 'changed' if look() != before else 'nothing'
)";

}  // namespace

TEST_CASE("what a call changes, whatever it is, is gone in the next call of the same sandbox") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", Source);
  const CallReport first = serving.call("f", "look");
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const std::string clean = text_of(first.output);
  std::istringstream changes(text_of(serving.call("f", "changes").output));
  int tried = 0;
  for (std::string change; changes >> change; ++tried) {
    CAPTURE(change);
    const CallReport changed = serving.call("f", change);
    if (change.starts_with("change_")) CHECK_MESSAGE(text_of(changed.output) == "changed", changed.err);
    else CHECK(changed.status != 0);
    CHECK(text_of(serving.call("f", "look").output) == clean);
  }
  CHECK(tried >= 17);
  CHECK(serving.service->stats().sandboxes <= 3);  // put back each time; more where one was not yet
}

TEST_CASE("an uncleared secret is in no memory that the next call can reach") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import gc
def leave(data):
    global kept
    kept = [bytearray(data * 1000) for i in range(2000)]
    kept = None
def search(data):
    # Memory that malloc hands out again, and what the collector knows.
    blocks = [bytearray(100_000) for i in range(300)]
    needle = bytes(reversed(data))
    assert not any(needle in block for block in blocks)
    return repr([o for o in gc.get_objects() if isinstance(o, (bytes, bytearray, str)) and needle in (o if not isinstance(o, str) else o.encode())])
)");
  CHECK(serving.call("f", "the-secret-of-anna", "leave").status == 0);
  const CallReport found = serving.call("f", "anna-fo-terces-eht", "search");
  CHECK(found.err == "");
  CHECK(text_of(found.output) == "[]");
}

TEST_CASE("random, uuid, secrets, time and file names are fresh in each start of one snapshot") {
  if (!python_runtime()) return;
  Serving serving;
  serving.upload("f", R"(
import os, random, secrets, tempfile, time, uuid
random.random(), uuid.uuid1(), tempfile.gettempdir()
def faasm_main():
    return '\n'.join(str(x) for x in [random.random(), random.getrandbits(64), random.SystemRandom().random(), uuid.uuid1().node, uuid.uuid1(), uuid.uuid4(),
                                      secrets.token_hex(16), os.urandom(16), time.time_ns(), time.monotonic_ns(), tempfile.mktemp()])
)");
  std::istringstream a(text_of(serving.call("f").output)), b(text_of(serving.call("f").output));
  int lines = 0;
  for (std::string one, other; std::getline(a, one) && std::getline(b, other); ++lines) {
    CAPTURE(lines);
    CHECK(one != other);
  }
  CHECK(lines == 11);
}

TEST_CASE("each function has a hash secret of its own, and its dictionaries and sets agree with it") {
  if (!python_runtime()) return;
  constexpr std::string_view Source = R"(
import json, re, sys
from pyfaasm import *
table = {f'key{i}': i for i in range(1000)}
names = frozenset(table)
def faasm_main():
    assert all(table[f'key{i}'] == i and ('key' + str(i)) in names for i in range(1000))
    assert {**table} == table and set(table) == names and sys.modules['re'] is re
    assert getattr(json, 'du' + 'mps')([1]) == '[1]' and sys.flags.hash_randomization == 1
    set_output(repr([hash('x'), hash(b'x')]).encode())
)";
  Serving serving;
  serving.upload("one", Source);
  serving.upload("two", Source);
  const CallReport one = serving.call("one"), two = serving.call("two"), again = serving.call("one");
  REQUIRE_MESSAGE(one.status == 0, one.err);
  REQUIRE_MESSAGE(two.status == 0, two.err);
  CHECK(text_of(one.output) != text_of(two.output));
  CHECK(text_of(one.output) == text_of(again.output));
}

TEST_CASE("a function that cannot be kept loaded has a hash secret too, and one that fails to load fails the same way again") {
  if (!python_runtime()) return;
  constexpr std::string_view Source = "from pyfaasm import *\nget_input()\ndef faasm_main():\n    set_output(str(hash('x')))\n";
  Serving serving;
  serving.upload("one", Source);
  serving.upload("two", Source);
  const CallReport one = serving.call("one"), two = serving.call("two");
  REQUIRE_MESSAGE(one.status == 0, one.err);
  CHECK(text_of(one.output) != text_of(two.output));
  serving.upload("bad", "import json\nraise ValueError(len(json.dumps([1])))\n");
  for (int i = 0; i < 2; ++i) {
    const CallReport bad = serving.call("bad");
    REQUIRE(bad.failure);
    CHECK(bad.failure->type == "ValueError");
    CHECK(bad.failure->message == "3");
  }
}

TEST_CASE("with fresh_hashes no two calls share a hash secret, nor anything that the module's code made") {
  if (!python_runtime()) return;
  constexpr std::string_view Source = R"(
import os, pyfaasm
made = os.urandom(8)
def faasm_main():
    table = {f'key{i}': i for i in range(1000)}
    assert all(table['key' + str(i)] == i for i in range(1000))
    return f"{hash('x')} {hash(b'x')} {made.hex()}"
def both(data):
    return ';'.join(pyfaasm.await_call_output(pyfaasm.chain(faasm_main)).decode() for i in range(2))
)";
  const auto all_differ = [](const std::string& one, const std::string& other) {
    std::istringstream words(one), others(other);
    for (std::string a, b; words >> a && others >> b;)
      if (a == b) return false;
    return !one.empty() && !other.empty();
  };
  Serving serving;
  const LimitChanges fresh = *LimitChanges::parse(R"({"fresh_hashes": 1})");
  serving.upload("fresh", Source, fresh);
  const CallReport one = serving.call("fresh"), two = serving.call("fresh"), chained = serving.call("fresh", "", "both");
  REQUIRE_MESSAGE(one.status == 0, one.err);
  CHECK(all_differ(text_of(one.output), text_of(two.output)));
  const std::string pair = text_of(chained.output);
  REQUIRE_MESSAGE(pair.find(';') != std::string::npos, chained.err);
  CHECK(all_differ(pair.substr(0, pair.find(';')), pair.substr(pair.find(';') + 1)));
  CHECK(one.times.start > 0);
  CHECK(serving.service->stats().idle_sandboxes == 0);  // nothing of them is used again

  serving.upload("kept", Source);
  const std::string kept = text_of(serving.call("kept").output);
  CHECK(text_of(serving.call("kept").output) == kept);
  const auto asked = serving.service->call({"u", "kept", "faasm_main", {}, fresh});  // a call may ask for it, and not for its contrary
  REQUIRE(asked.ok());
  CHECK(all_differ(text_of(asked->output), kept));
  const auto not_asked = serving.service->call({"u", "fresh", "faasm_main", {}, *LimitChanges::parse(R"({"fresh_hashes": 0})")});
  REQUIRE(not_asked.ok());
  CHECK(all_differ(text_of(not_asked->output), text_of(one.output)));
}
