// Tests of the guest alone. `node --no-turbo-fast-api-calls test_guest.mjs SOURCE_ROOT`; ONLY=words picks tests by name.
// Without a built runtime there is nothing to test: exit 77, which meson shows as skipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Exit, Reactor } from './reactor.mjs';

const [root] = process.argv.slice(2);
const found = spawnSync(path.join(root, 'pyhost/guest/build'), ['--print-paths'], { encoding: 'utf8' });
if (found.status !== 0) {
  console.log(found.stderr);
  process.exit(77);
}
const paths = Object.fromEntries(found.stdout.trim().split('\n').map((line) => line.split(' ')));
const runtime = path.dirname(paths.reactor);
const examples = path.join(root, 'examples');

const tests = {};

function started(options) {
  const reactor = new Reactor(runtime, options);
  assert.equal(reactor.init(), 0, reactor.take(2));
  return reactor;
}

function loaded(source, options) {
  const reactor = started(options);
  assert.equal(reactor.load(source), 0, reactor.take(2));
  return reactor;
}

function example(name, options) {
  const reactor = started(options);
  const source = fs.readFileSync(path.join(examples, `${name}.py`));
  assert.equal(reactor.call('krait_load', name, source, `/krait/${name}.py`), 0, reactor.take(2));
  return reactor;
}

/** The status with which `action` ends the instance through proc_exit, or the one it returns. */
function ended(action) {
  try {
    return action();
  } catch (error) {
    if (error instanceof Exit) return error.status;
    throw error;
  }
}

tests['the ABI has a version'] = () => assert.equal(new Reactor(runtime).call('krait_abi'), 2);

tests['hello greets'] = () => {
  const reactor = example('hello');
  assert.equal(reactor.invoke(), 0);
  assert.match(reactor.text, /^Hello! Running Python version 3\.13\.5 /);
  assert.equal(reactor.take(1) + reactor.take(2), '');
};

tests['echo is binary-safe'] = () => {
  const reactor = example('echo');
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919) >> 3);
  assert.equal(reactor.invoke('', bytes), 0);
  assert.deepEqual(reactor.output, bytes);
  assert.equal(reactor.invoke('', new Uint8Array()), 0);
  assert.equal(reactor.output, null);
};

for (const name of ['noop', 'env_check', 'lang_test', 'hash_check', 'pickle_check', 'pyc_check']) {
  tests[`example ${name}`] = () => {
    const reactor = example(name, { env: { PYTHONWASM: '1' } });
    assert.equal(reactor.invoke(), 0, reactor.take(1) + reactor.take(2));
  };
}

tests['env_check fails in an environment that leaks'] = () => {
  const reactor = example('env_check', { env: { PYTHONWASM: '1', FOOBAR: 'x' } });
  assert.equal(reactor.invoke(), 1);
  assert.equal(reactor.exception, false);
  assert.match(reactor.take(1), /FOOBAR/);
};

tests['dir_test lists a folder of 300'] = () => {
  const reactor = example('dir_test', { preopens: { '/data': fs.mkdtempSync('/tmp/krait-guest-dir-') } });
  const source = 'for i in range(300): open(f"/data/{i:03}", "w").close()';
  assert.equal(reactor.load(source, 'fill'), 0, reactor.take(2));
  assert.equal(reactor.call('krait_load', 'dir_test', fs.readFileSync(path.join(examples, 'dir_test.py')), '/dir_test.py'), 0);
  assert.equal(reactor.invoke('', '/data'), 0, reactor.take(2));
  assert.equal(reactor.text, Array.from({ length: 300 }, (_, i) => String(i).padStart(3, '0')).join('\n'));
  assert.match(reactor.take(1), /^300 entries in \/data, seen from \/\n$/);
};

tests['statuses'] = () => {
  const reactor = loaded(`
import sys
def three(): sys.exit(3)
def builtin(): exit(4)
def none(): sys.exit()
def text(): sys.exit("too bad")
def negative(): sys.exit(-1)
def huge(): sys.exit(10**30)
def returned(): return 7
def minus(): return -1
def zero(): return 0
def nothing(): pass
def wrong(): return 1.5
def too_large(): return 2**40
`);
  const expected = { three: 3, builtin: 4, none: 0, text: 1, negative: 255, huge: 255, returned: 7, minus: -1, zero: 0, nothing: 0 };
  for (const [entry, status] of Object.entries(expected)) {
    assert.equal(reactor.invoke(entry), status, entry);
    assert.equal(reactor.exception, false, entry);
    assert.equal(reactor.take(2), entry === 'text' ? 'too bad\n' : '', entry);
  }
  assert.equal(reactor.invoke('wrong'), 1);
  assert.equal(reactor.exception, true);
  assert.match(reactor.take(2), /^TypeError: wrong\(\) returned float: return None, an int/);
  assert.equal(reactor.invoke('too_large'), 1);
  assert.match(reactor.take(2), /OverflowError/);
  assert.equal(reactor.invoke('absent'), 1);
  assert.match(reactor.take(2), /^AttributeError: module 'function' has no attribute 'absent'/);
};

tests['an exception shows the function\'s frames and no others'] = () => {
  const reactor = loaded('def faasm_main():\n    inner()\n\ndef inner():\n    {}["key"]\n');
  assert.equal(reactor.invoke(), 1);
  assert.equal(reactor.exception, true);
  assert.equal(reactor.take(2), `Traceback (most recent call last):
  File "/krait/function.py", line 2, in faasm_main
    inner()
    ~~~~~^^
  File "/krait/function.py", line 5, in inner
    {}["key"]
    ~~^^^^^^^
KeyError: 'key'
`);
  assert.equal(reactor.load('import json\njson.loads("[")'), 1);
  assert.match(reactor.take(2), /python313\.zip\/json\/decoder\.py", line \d+, in raw_decode\n +raise JSONDecodeError/);
};

tests['results become output, unless one was set'] = () => {
  const reactor = loaded(`
from pyfaasm import set_output
def text(): return "naïve"
def data(): return b"\\0\\xff"
def both():
    set_output(b"set")
    return b"returned"
`);
  assert.equal(reactor.invoke('text'), 0);
  assert.equal(reactor.text, 'naïve');
  assert.equal(reactor.invoke('data'), 0);
  assert.deepEqual([...reactor.output], [0, 255]);
  assert.equal(reactor.invoke('both'), 0);
  assert.equal(reactor.text, 'set');
  assert.equal(reactor.invoke('text'), 0);
  assert.equal(reactor.text, 'naïve');
};

tests['the input is passed to an entry that takes it'] = () => {
  const reactor = loaded(`
import functools
def wraps(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs): return f(*args, **kwargs)
    return wrapper
class Holder:
    def method(self, data): return b"method " + data
    def bare(self): return b"bare"
def one(data): return b"one " + data
def optional(data=b"default"): return data
def star(*args): return b"star " + args[0]
def none(): return b"none"
@wraps
def wrapped(): return b"wrapped"
method, bare = Holder().method, Holder().bare
builtin = bytes.upper
def faasm_main(data=b"default"): return data
`);
  const expected = { one: 'one in', optional: 'in', star: 'star in', none: 'none', wrapped: 'wrapped', method: 'method in', bare: 'bare',
                     builtin: 'IN', '': 'default' };
  for (const [entry, output] of Object.entries(expected)) {
    assert.equal(reactor.invoke(entry, 'in'), 0, entry + reactor.take(2));
    assert.equal(reactor.text, output, entry);
  }
  assert.equal(reactor.load('def faasm_main(data): return data'), 0);
  assert.equal(reactor.invoke('', 'in'), 0);
  assert.equal(reactor.text, 'in');
};

tests['both dialects'] = () => {
  const reactor = loaded(`
from pyfaasm import *
def faasm_main():
    assert get_input_len() == 4 and read_input(2) == b"a\\0" and read_input(99) == get_input() == b"a\\0bc"
    assert not is_local_output() and not is_local_chaining()
    check_python_bindings()
    for bad in (lambda: read_input(-1), lambda: set_output(1), get_output):
        try: bad()
        except (ValueError, TypeError, RuntimeError): pass
        else: raise AssertionError(bad)
    assert call_info() == {"user": "demo", "function": "function", "entry": ""}, call_info()
    set_output("first")
    write_output(bytearray(b"last"))
`);
  assert.equal(reactor.invoke('', 'a\0bc'), 0, reactor.take(2));
  assert.equal(reactor.text, 'last');
  assert.match(reactor.take(1), /^Hello from krait/);
};

tests['local mode'] = () => {
  const reactor = loaded(`
import pyfaasm
def faasm_main():
    pyfaasm.set_local_input_output(True)
    pyfaasm.set_local_input(b"here")
    assert pyfaasm.get_input() == b"here" and pyfaasm.get_output() is None
    pyfaasm.set_output(b"kept")
    assert pyfaasm.get_output() == b"kept"
    pyfaasm.set_local_input_output(False)
    assert pyfaasm.get_input() == b"there"
`);
  assert.equal(reactor.invoke('', 'there'), 0, reactor.take(2));
  assert.equal(reactor.output, null);
};

tests['an output that is too large is an OSError'] = () => {
  const reactor = loaded('from pyfaasm import set_output\ndef faasm_main(): set_output(bytes(11))', { outputLimit: 10 });
  assert.equal(reactor.invoke(), 1);
  assert.match(reactor.take(2), /OSError: \[Errno 22\] File too large/);
};

tests['syntax errors show file, line and caret'] = () => {
  const reactor = started();
  const check = (source) => [reactor.call('krait_check', source, '/krait/f.py'), reactor.take(2)];
  assert.deepEqual(check('x = 1\n'), [0, '']);
  assert.deepEqual(check('def f(:\n    pass\n'),
                   [1, '  File "/krait/f.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n']);
  assert.deepEqual(check('x = 1\nreturn x\n'),
                   [1, '  File "/krait/f.py", line 2\n    return x\n    ^^^^^^^^\nSyntaxError: \'return\' outside function\n']);
  assert.match(check('x = "\0"')[1], /SyntaxError: source code string cannot contain null bytes/);
  assert.match(check('if 1:\npass')[1], /line 2\n +pass\n +\^\^\^\^\nIndentationError: expected an indented block/);
  assert.equal(reactor.exception, true);
  assert.equal(check('# coding: latin-1\nx = "\u00e9"\n')[0], 0);
};

tests['a function may have a module\'s name'] = () => {
  const reactor = started();
  assert.equal(reactor.load('import json\ndef faasm_main(): return json.dumps([__name__])', 'json'), 0, reactor.take(2));
  assert.equal(reactor.invoke(), 0, reactor.take(2));
  assert.equal(reactor.text, '["function_json"]');
  assert.equal(reactor.load('import sys\ndef faasm_main(): return sys.modules[__name__].__name__', 'a.b'), 0);
  assert.equal(reactor.invoke(), 0);
  assert.equal(reactor.text, 'a_b');
  assert.equal(reactor.load('def faasm_main(): return __name__', 'a.b'), 0);
  assert.equal(reactor.invoke(), 0);
  assert.equal(reactor.text, 'a_b');
};

tests['prints come out in order, unended lines at the end of the call'] = () => {
  const reactor = loaded('import sys\ndef faasm_main():\n    print("one")\n    print("two", end="")\n    sys.stderr.write("err")');
  assert.equal(reactor.invoke(), 0);
  assert.equal(reactor.take(1), 'one\ntwo');
  assert.equal(reactor.take(2), 'err');
};

tests['reseed: random differs, the environment is the new one'] = () => {
  const env = { OLD: '1' };
  const reactor = loaded('import os, random\nrandom.seed(1)\ndef faasm_main(): return f"{random.random()} {dict(os.environ)}"', { env });
  reactor.invoke();
  const before = reactor.text;
  assert.match(before, /^0.1343642441124012\d+ {'OLD': '1'}$/);
  assert.equal(reactor.load('import random\nrandom.seed(1)\n' + 'import os\ndef faasm_main(): return f"{random.random()}"'), 0);
  assert.equal(reactor.call('krait_reseed'), 0, reactor.take(2));
  reactor.invoke();
  assert.doesNotMatch(reactor.text, /^0.1343642441124012/);
};

tests['run: a script as python3 runs it'] = () => {
  const folder = fs.mkdtempSync('/tmp/krait-guest-run-');
  fs.writeFileSync(path.join(folder, 'helper.py'), 'value = 42\n');
  fs.writeFileSync(path.join(folder, 'main.py'), `
import atexit, sys, helper
atexit.register(print, "at exit")
print(__name__, __file__, sys.argv, sys.path[0], helper.value, input())
if len(sys.argv) > 1: sys.exit(int(sys.argv[1]))
`);
  const run = (argv, options = {}) => {
    const reactor = started({ preopens: { '/app': folder }, ...options });
    const status = ended(() => reactor.run(argv));
    return [status, reactor.take(1), reactor.take(2)];
  };
  assert.deepEqual(run(['/app/main.py'], { stdin: 'line\n' }),
                   [0, "__main__ /app/main.py ['/app/main.py'] /app 42 line\nat exit\n", '']);
  assert.deepEqual(run(['/app/main.py', '5', 'é'], { stdin: 'x\n' }),
                   [5, "__main__ /app/main.py ['/app/main.py', '5', 'é'] /app 42 x\nat exit\n", '']);
  assert.deepEqual(run(['-c', 'import sys; print(sys.argv); sys.exit("no")', 'a']), [1, "['-c', 'a']\n", 'no\n']);
  assert.deepEqual(run(['-'], { stdin: 'print(1 + 1)\n' }), [0, '2\n', '']);
  assert.deepEqual(run(['-m', 'json.tool'], { stdin: '[1]' }), [0, '[\n    1\n]\n', '']);
  assert.deepEqual(run(['/app/absent.py']), [2, '', "python3: can't open file '/app/absent.py': [Errno 44] No such file or directory\n"]);
  fs.writeFileSync(path.join(folder, 'raises.py'), 'def f():\n    raise ValueError("bad")\nf()\n');
  const [status, out, error] = run(['/app/raises.py']);
  assert.deepEqual([status, out], [1, '']);
  assert.equal(error, 'Traceback (most recent call last):\n  File "/app/raises.py", line 3, in <module>\n    f()\n    ~^^\n' +
               '  File "/app/raises.py", line 2, in f\n    raise ValueError("bad")\nValueError: bad\n');
  fs.mkdirSync(path.join(folder, 'package'));
  fs.writeFileSync(path.join(folder, 'package', '__main__.py'), 'print("package")\n');
  assert.deepEqual(run(['/app/package']), [0, 'package\n', '']);
};

tests['run --entry: calls a function of the file'] = () => {
  const reactor = started({ preopens: { '/examples': examples } });
  reactor.input = new TextEncoder().encode('text');
  assert.equal(reactor.run(['/examples/echo.py'], 'faasm_main'), 0, reactor.take(2));
  assert.equal(reactor.text, 'text');
};

tests['an image without the directory of its own works, slower'] = () => {
  const folder = fs.mkdtempSync('/tmp/krait-guest-image-');
  fs.symlinkSync(paths.reactor, path.join(folder, 'python-reactor.wasm'));
  const script = 'import sys, zipfile\nsource, target = map(zipfile.ZipFile, sys.argv[1:], "rw")\n' +
                 'names = source.namelist()\nassert names.pop(0) == "zip-directory"\n' +
                 'for name in names: target.writestr(name, source.read(name))\ntarget.close()';
  const rewritten = spawnSync('python3', ['-c', script, paths.image, path.join(folder, 'python313.zip')], { encoding: 'utf8' });
  assert.equal(rewritten.status, 0, rewritten.stderr);
  const reactor = new Reactor(folder);
  assert.equal(reactor.init(), 0, reactor.take(2));
  assert.equal(reactor.load('import json, encodings.cp1252\ndef faasm_main(): return json.dumps("é".encode("cp1252").hex())'), 0);
  assert.equal(reactor.invoke(), 0, reactor.take(2));
  assert.equal(reactor.text, '"e9"');
};

let failed = 0;
const only = process.env.ONLY;
for (const [name, test] of Object.entries(tests)) {
  if (only && !name.includes(only)) continue;
  try {
    test();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
