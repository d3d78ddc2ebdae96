"""State and shared files as functions see them: through pyfaasm, over processes, by user, whatever a call does to itself."""
import os
import signal
import subprocess
import time
import unittest

from support import KRAIT, ROOT, KraitTest, need_runtime

READ_BACK = """
import pyfaasm
def faasm_main():
    return pyfaasm.read_state('key')
"""

DIALECTS = """
from pyfaasm import *
def faasm_main():
    write_state('a', b'0123456789')
    assert get_state_size('a') == read_state_size('a') == 10
    assert get_state('a', 10) == read_state('a', 4) + b'456789' == read_state('a')
    assert get_state_offset('a', 10, 3, 4) == read_state_offset('a', 10, 3, 4) == b'3456'
    set_state_offset('a', 10, 2, bytearray(b'xy'))
    write_state_offset('a', 12, 11, memoryview(b'!'))
    assert read_state('a') == b'01xy456789\\0!'
    push_state('a')
    set_state('a', b'')
    assert read_state('a') == b'' and read_state_size('a') == 0
    pull_state('a', 12)
    assert read_state('a') == b'01xy456789\\0!'
    write_state_offset('a', 12, 0, b'AA')
    push_state_partial('a')
    resize_state('a', 5)
    assert read_state('a') == b'AAxy4'
    resize_state('a', 7)
    push_state('a')
    assert read_state('a') == b'AAxy4\\0\\0'
    write_state('mask', b'\\0\\1\\0\\0\\0\\0\\1')
    write_state('a', b'BBBBBBB')
    push_state_partial_mask('a', 'mask')
    pull_state('a')
    assert read_state('a') == b'ABxy4\\0B', read_state('a')
    open('/tmp/f', 'wb').write(b'from a file')
    assert write_state_from_file('f', '/tmp/f') == 11 and read_state('f') == b'from a file'
    for key in 'größe', 'k' * 300, ' ':
        set_state(key, key.encode())
        assert get_state(key) == key.encode()
    assert list_state_keys('k') == ['k' * 300] and 'größe' in list_state_keys()
    delete_state('k' * 300)
    assert list_state_keys('k') == []
    append_state('log', b'one')
    append_state('log', b'')
    append_state('log', b'three' * 5_000_000)
    assert [len(e) for e in read_appended_state('log')] == [3, 0, 25_000_000]
    assert read_appended_state('log', 2) == [b'one', b''] and read_appended_state('log', 0) == []
    clear_appended_state('log')
    assert read_appended_state('log') == []
    return 'fine'
"""

ERRORS = """
import errno
import pyfaasm
from pyfaasm import *
def raised(kind, f, *args, **names):
    try:
        f(*args, **names)
    except kind as e:
        return e
    raise AssertionError(f'{f.__name__}{args} raised nothing')
def faasm_main():
    assert read_state_size('none') == 0
    for f in read_state, pull_state, push_state, push_state_partial:
        assert raised(KeyError, f, 'none').args == ('none',)
    raised(KeyError, read_state_offset, 'none', 10, 0, 1)
    write_state('a', b'0123456789')
    for offset, size in (8, 3), (11, 0), (2**40, 1):
        raised(ValueError, read_state_offset, 'a', 2**50, offset, size)
    for offset, size in (0, -1), (-1, 1):
        raised(ValueError, read_state_offset, 'a', 10, offset, size)
    raised(ValueError, read_state_offset, 'a', 5, 4, 2)
    raised(ValueError, write_state_offset, 'a', 10, 9, b'ab')
    raised(ValueError, write_state_offset, 'a', 10, -1, b'ab')
    raised(ValueError, write_state, '', b'')
    raised(ValueError, write_state, 'k' * 301, b'')
    raised(TypeError, write_state, 'a', 'text')
    raised(ValueError, push_state_partial_mask, 'a', 'a' * 0 + 'b') if read_state_size('b') else None
    assert read_state('a') == b'0123456789'
    raised(RuntimeError, unlock_state_write, 'a')
    with state_lock('a', write=True):
        assert raised(OSError, lock_state_read, 'a').errno == errno.EDEADLK
    with state_lock('a'), state_lock('a', timeout=0):
        assert raised(OSError, lock_state_write, 'a').errno == errno.EDEADLK
    with state_lock('a', write=True, timeout=0.01):
        pass
    raised(MemoryError, write_state, 'big', bytes(300 << 20))
    return 'fine'
"""

FILES = """
import os, pathlib, pyfaasm
def faasm_main():
    step = pyfaasm.get_input()
    if step == b'write':
        os.makedirs('faasm://data/deep')
        with open('faasm://data/a.txt', 'w') as f:
            f.write('line\\n' * 1000)
        os.chdir('/tmp')
        open('faasm://data/deep/b.bin', 'wb').write(bytes(range(256)) * 1000)
        os.rename('faasm://data/deep/b.bin', 'faasm://c.bin')
        with open('faasm://data/a.txt', 'r+') as f:
            f.seek(5)
            f.write('LINE')
            f.truncate(10)
            os.fsync(f.fileno())
    if step == b'append':
        open('faasm://data/a.txt', 'a').write('more')
        global kept
        kept = open('faasm://left-open', 'w')
        kept.write('still open at the end')
        kept.flush()
    if step == b'read':
        assert open('faasm://data/a.txt').read() == 'line\\nLINE\\nmore'
        assert open('faasm://c.bin', 'rb').read() == bytes(range(256)) * 1000
        assert open('faasm://left-open').read() == 'still open at the end'
        assert sorted(os.listdir('faasm://')) == ['c.bin', 'data', 'left-open'], os.listdir('faasm://')
        assert sorted(os.listdir('faasm://data')) == ['a.txt', 'deep']
        assert os.path.isdir('faasm://data') and os.path.isfile('faasm://c.bin') and not os.path.exists('faasm://d')
        assert os.stat('faasm://c.bin').st_size == 256000
        assert pathlib.Path('/faasm:/data/a.txt').read_text()[:4] == 'line'
        for f, kind in ((lambda: open('faasm://none'), FileNotFoundError), (lambda: os.rmdir('faasm://data'), OSError),
                        (lambda: open('faasm://data', 'w'), IsADirectoryError), (lambda: open('faasm://c.bin/x', 'w'), NotADirectoryError),
                        (lambda: open('faasm://data/a.txt', 'x'), FileExistsError), (lambda: os.unlink('faasm://none'), FileNotFoundError)):
            try:
                f()
            except kind:
                pass
            else:
                raise AssertionError(kind)
        os.unlink('faasm://c.bin')
        os.rmdir('faasm://data/deep')
        assert os.listdir('faasm://data') == ['a.txt']
    if step == b'none':
        assert os.listdir('faasm://') == []
    return 'fine'
"""


class State(KraitTest):
    def upload(self, user, name, source):
        self.ok("upload", user, name, self.file(f"{name}.py", source))

    def invoke(self, user, name, *words):
        return self.ok("invoke", user, name, *words).stdout

    def test_both_dialects(self):
        self.upload("anna", "dialects", DIALECTS)
        self.assertEqual(self.invoke("anna", "dialects"), b"fine")

    def test_errors(self):
        self.upload("anna", "errors", ERRORS)
        self.assertEqual(self.invoke("anna", "errors"), b"fine")

    def test_a_push_is_seen_by_the_next_process_and_by_no_other_user(self):
        write = "import pyfaasm\ndef faasm_main():\n    pyfaasm.write_state('key', b'anna\\0s')\n    pyfaasm.push_state('key')\n    pyfaasm.write_state('not pushed', b'')\n"
        for user in "anna", "bert":
            self.upload(user, "read", READ_BACK)
        self.upload("anna", "write", write)
        self.invoke("anna", "write")
        self.assertEqual(self.invoke("anna", "read"), b"anna\0s")
        other = self.krait("invoke", "bert", "read")
        self.assertEqual(other.returncode, 1)
        self.assertIn("KeyError: 'key'", other.stderr)
        self.upload("anna", "list", "import pyfaasm\ndef faasm_main():\n    return repr(pyfaasm.list_state_keys())\n")
        self.assertEqual(self.invoke("anna", "list"), b"['key']")

    def test_a_push_survives_whatever_the_call_does_next(self):
        self.upload("anna", "read", READ_BACK)
        for end in "import os; os._exit(3)", "raise ValueError", "import ctypes_missing", "pyfaasm.lock_state_write('key'); os_exit = exit(0)":
            self.upload("anna", "end", f"import pyfaasm\ndef faasm_main():\n    pyfaasm.write_state('key', {end!r}.encode())\n"
                                       f"    pyfaasm.push_state('key')\n    {end}\n")
            self.krait("invoke", "anna", "end")
            self.assertEqual(self.invoke("anna", "read"), end.encode())

    def test_acknowledged_pushes_survive_a_kill(self):
        self.upload("anna", "read", READ_BACK)
        self.upload("anna", "count", "import pyfaasm\ndef faasm_main():\n    n = 0\n    while True:\n        n += 1\n"
                                     "        pyfaasm.write_state('key', b'%d' % n * 1000)\n        pyfaasm.push_state('key')\n        print(n, flush=True)\n")
        for delay in 0.5, 0.7, 0.9:
            call = subprocess.Popen([KRAIT, "invoke", "anna", "count"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    env=self.environment)
            acknowledged = int(call.stderr.readline())
            time.sleep(delay / 10)
            call.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, call.stderr.read().split()[:-1])])
            call.stderr.close()
            call.wait()
            value = self.invoke("anna", "read")
            found = int(value[: len(value) // 1000])
            self.assertEqual(value, b"%d" % found * 1000)
            self.assertGreaterEqual(found, acknowledged)

    def test_shared_files(self):
        self.upload("anna", "files", FILES)
        self.upload("bert", "files", FILES)
        for step in "write", "append", "read":
            self.assertEqual(self.invoke("anna", "files", "--input", step), b"fine")
        self.assertEqual(self.invoke("bert", "files", "--input", "none"), b"fine")

    def test_a_script_has_a_state_of_its_own(self):
        script = self.file("script.py", "import pyfaasm\npyfaasm.write_state('a', b'1')\npyfaasm.push_state('a')\nprint(pyfaasm.list_state_keys())\n"
                                        "open('faasm://f', 'w').write('x')\nprint(open('faasm://f').read())\n")
        for _ in range(2):
            self.assertEqual(self.ok("run", script).stdout, b"['a']\nx\n")
        self.assertFalse((self.home / "state").exists())

    def test_faasms_examples(self):
        for name in "state_test_write", "state_test_read":
            self.ok("upload", "python", name, ROOT / "examples" / f"{name}.py")
            self.ok("invoke", "python", name)


if __name__ == "__main__":
    need_runtime()
    unittest.main()
