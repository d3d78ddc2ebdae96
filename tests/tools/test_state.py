"""State and shared files as functions see them: through pyfaasm, over processes, by user, whatever a call does to itself."""
import signal
import subprocess
import time
import unittest

from support import KRAIT, ROOT, KraitTest, need_runtime

FUNCTIONS = ROOT / "tests" / "guest" / "functions"

READ_BACK = """
import pyfaasm
def faasm_main():
    return pyfaasm.read_state('key')
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
        with open('faasm://data/a.txt', 'a') as one, open('faasm://data/a.txt', 'ab', buffering=0) as other:
            other.write(b'mo')
            one.write('r')
            one.flush()
            assert other.write(b'e!') == 2 and other.tell() == 15
            other.truncate(14)
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
        assert 'faasm:' not in os.listdir('/') and os.path.isdir('/faasm:')
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
        self.ok("upload", "anna", "dialects", FUNCTIONS / "state_dialects.py")
        self.assertEqual(self.invoke("anna", "dialects"), b"fine")

    def test_every_name_of_pyfaasm(self):
        self.ok("upload", "u", "every_name", FUNCTIONS / "every_name.py")
        self.assertEqual(self.ok("invoke", "u", "every_name", "-", stdin=b"in\0put").stdout, b"fine")

    def test_keys_and_sizes(self):
        self.ok("upload", "anna", "keys", FUNCTIONS / "state_keys.py")
        self.assertEqual(self.invoke("anna", "keys"), b"fine")

    def test_errors(self):
        self.ok("upload", "anna", "errors", FUNCTIONS / "state_errors.py")
        self.assertEqual(self.invoke("anna", "errors"), b"fine")
        self.upload("anna", "big", "import pyfaasm\ndef faasm_main():\n    pyfaasm.write_state('big', bytes(300 << 20))\n")
        self.assertIn("MemoryError: no room for the state 'big'", self.krait("invoke", "anna", "big").stderr)

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
