// Recursion without an end, in Python and in C: RecursionError, and the sandbox and its host are as before.
#include "tests/pyhost/calls/fixture.hpp"

using namespace krait::pyhost;
using krait::test::python_runtime;
using krait::test::Serving;
using krait::test::text_of;

TEST_CASE("deep recursion, in Python and in C, is a RecursionError or works; nothing traps") {
  if (!python_runtime()) return;
  Serving serving;
  LimitChanges limits;
  limits.memory_bytes = 256 << 20;
  serving.upload("f", R"(
import ast, copy, functools, json, operator, pickle, re, sys
import xml.etree.ElementTree as etree
DEEP = 100_000
def nested(kind=list):
    value = kind()
    for i in range(DEEP):
        value = [value] if kind is list else {'k': value}
    return value
def python():
    def f(n): return f(n + 1)
    f(0)
def method():
    class C:
        def __getattr__(self, name): return getattr(self, name + 'x')
    C().a
def operators():
    class C:
        def __add__(self, other): return self + other
        def __repr__(self): return repr(self)
        def __eq__(self, other): return self == other
        def __hash__(self): return hash(self)
        def __iter__(self): return iter(self)
        def __len__(self): return len(self)
        def __call__(self): return self()
        def __str__(self): return str(self)
    c = C()
    for f in (lambda: c + c, lambda: repr(c), lambda: c == c.__class__(), lambda: hash(c), lambda: str(c), lambda: c()):
        try: f()
        except RecursionError: pass
        else: raise AssertionError(f)
    raise RecursionError
def limit():
    sys.setrecursionlimit(50_000)
    python()
def no_limit():
    sys.setrecursionlimit(10**9)
    python()
def repr_list(): repr(nested())
def repr_dict(): repr(nested(dict))
def compare(): nested() == nested()
def json_dumps(): json.dumps(nested())
def json_loads(): json.loads('[' * DEEP)
def json_objects(): json.loads('{"k":' * DEEP)
def pickle_dumps(): pickle.dumps(nested())
def pickle_loads():
    deep = nested()
    pickle.loads(b'(l' * DEEP + b'a' * (DEEP - 1) + b'.')
def deepcopy(): copy.deepcopy(nested())
def parse(): ast.parse('(' * DEEP)
def parse_unary(): ast.parse('-' * DEEP + '1')
def parse_chain(): ast.parse('a' + '.b' * DEEP)
def compiled(): eval('+'.join(['1'] * DEEP))
def literal(): ast.literal_eval('[' * 90 + ']' * 90); ast.literal_eval('[' * DEEP)
def regex(): re.compile('(' * DEEP + ')' * DEEP)
def regex_match(): re.match('(a|b)*c', 'ab' * DEEP)
def partial():
    f = int
    for i in range(DEEP): f = functools.partial(operator.call, f)
    f()
def exceptions():
    error = None
    for i in range(DEEP):
        new = ValueError(i)
        new.__cause__ = error
        error = new
    raise error
def xml(): etree.tostring(etree.fromstring('<a>' * 50_000 + '</a>' * 50_000))
def isinstance_tuple():
    kinds = (int,)
    for i in range(DEEP): kinds = (kinds,)
    isinstance('', kinds)
def freeing(): nested(); nested(dict)
def faasm_main(data):
    if data == b'names':
        return ' '.join(n for n, v in globals().items() if callable(v) and getattr(v, '__module__', '') == __name__ and n not in ('nested', 'faasm_main'))
    try:
        globals()[data.decode()]()
    except RecursionError:
        return 'RecursionError'
    except (SyntaxError, MemoryError, ValueError, OverflowError, SystemError) as error:
        return type(error).__name__
    return 'fine'
)", limits);
  // CPython has no end for these, and crashes; here it is a trap, and the next call is as ever.
  serving.upload("crash", R"(
def generators(data):
    def g(it):
        for x in it: yield x
    it = iter([1])
    for i in range(100_000): it = g(it)
    next(it)
def maps(data):
    it = [1]
    for i in range(400_000): it = map(str, it)
    list(it)
def faasm_main():
    return 'fine'
)");
  for (const char* entry : {"generators", "maps"}) {
    CAPTURE(entry);
    const CallReport report = serving.call("crash", "", entry);
    CHECK(report.end == CallEnd::Trapped);
    CHECK(report.error.starts_with("call stack exhausted"));
    CHECK(text_of(serving.call("crash").output) == "fine");
  }
  std::istringstream names(text_of(serving.call("f", "names").output));
  int tried = 0;
  for (std::string name; names >> name; ++tried) {
    CAPTURE(name);
    const CallReport report = serving.call("f", name);
    CHECK_MESSAGE(report.end == CallEnd::Returned, report.error.substr(0, 200), report.err);
    for (const char* always : {"python", "method", "operators", "limit", "repr_list", "repr_dict", "json_dumps", "json_loads", "pickle_dumps", "deepcopy",
                               "compare", "xml", "regex", "partial"})
      if (name == always) CHECK(text_of(report.output) == "RecursionError");
  }
  CHECK(tried >= 26);
}
